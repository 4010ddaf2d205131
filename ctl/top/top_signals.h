/* SPDX-License-Identifier: MIT */
/*
 * Signals of top: SIGINT and SIGTERM ask for an end, after SIGCONT the terminal is no longer what it was.
 */
#pragma once

#include <stdbool.h>

void top_signals(void);

/* True once a signal has asked for an end: nothing else should begin. */
bool top_interrupted(void);

/* True once after each SIGCONT. */
bool top_continued(void);
