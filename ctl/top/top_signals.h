/* SPDX-License-Identifier: MIT */
/*
 * Signals of top: SIGINT and SIGTERM ask for an end.
 */
#pragma once

#include <stdbool.h>

void top_signals(void);

/* True once a signal has asked for an end: nothing else should begin. */
bool top_interrupted(void);
