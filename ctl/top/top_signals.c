/* SPDX-License-Identifier: MIT */
/*
 * Signals of top.  What is done when one came is for the loops of top_screen.c and top_batch.c.
 */
#include "ctl/top/top_signals.h"

static volatile sig_atomic_t interrupted, continued;

static void on_signal(int signal) {
        interrupted = 1;
}

static void on_continue(int signal) {
        continued = 1;
}

void top_signals(void) {
        struct sigaction action = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
        struct sigaction go_on = {.sa_handler = on_continue, .sa_flags = SA_RESTART};

        /* Without SA_RESTART, so that a wait ends; that a reader of the pipe left is seen where it is written. */
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGPIPE, &ignore, NULL);
        sigaction(SIGCONT, &go_on, NULL);
}

void top_signals_hold(sigset_t *ret_open) {
        static const int held[] = {SIGINT, SIGTERM, SIGCONT, SIGWINCH};
        sigset_t signals;

        sigemptyset(&signals);
        for (size_t i = 0; i < sizeof(held) / sizeof(*held); i++)
                sigaddset(&signals, held[i]);
        sigprocmask(SIG_BLOCK, &signals, ret_open);
}

void top_signals_release(const sigset_t *open) {
        sigprocmask(SIG_SETMASK, open, NULL);
}

bool top_continued(void) {
        bool result = continued;

        continued = 0;
        return result;
}

bool top_interrupted(void) {
        return interrupted;
}
