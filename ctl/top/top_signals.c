/* SPDX-License-Identifier: MIT */
/*
 * Signals of top.  What is done when one came is for the loops of top_screen.c and top_batch.c.
 */
#include "ctl/top/top_signals.h"

#include <signal.h>

static volatile sig_atomic_t interrupted;

static void on_signal(int signal) {
        interrupted = 1;
}

void top_signals(void) {
        struct sigaction action = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};

        /* Without SA_RESTART, so that a wait ends; that a reader of the pipe left is seen where it is written. */
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGPIPE, &ignore, NULL);
}

bool top_interrupted(void) {
        return interrupted;
}
