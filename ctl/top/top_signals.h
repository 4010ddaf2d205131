/* SPDX-License-Identifier: MIT */
/*
 * Signals of top: SIGINT and SIGTERM ask for an end, after SIGCONT the terminal is no longer what it was.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>

void top_signals(void);

/* Holds signals back from what is decided by top_interrupted() and top_continued() until the wait, which opens them: else one
 * that comes in between is seen at the next key only.  `ret_open`: the mask for ppoll(), and for top_signals_release(). */
void top_signals_hold(sigset_t *ret_open);
void top_signals_release(const sigset_t *open);

/* True once a signal has asked for an end: nothing else should begin. */
bool top_interrupted(void);

/* True once after each SIGCONT. */
bool top_continued(void);
