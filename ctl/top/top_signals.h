/* SPDX-License-Identifier: MIT */
/*
 * Signals of top: SIGINT and SIGTERM ask for an end.
 */
#pragma once

#include <stdbool.h>

void top_signals(void);

/* A signal asked for an end, and nothing else should be begun. */
bool top_interrupted(void);
