/* SPDX-License-Identifier: MIT */
/*
 * Ctrl-Z on `run`: the terminal is put in order before this process stops.
 */
#pragma once

#include <signal.h>

#include "ctl/run/run_progress.h"
#include "daemon/loop/reactor.h"

struct run_stop {
        sigset_t signal; /* SIGTSTP alone */
        int fd;          /* a signalfd that is only polled; -1: SIGTSTP was ignored or blocked at the start */
        struct reactor_watch *watch;
        struct run_progress *progress; /* borrowed */
};

#define RUN_STOP_INIT                                                                                                  \
        { .fd = -1 }

/* Blocks SIGTSTP, before any thread is made.  If it is ignored or blocked already, it stays so. */
int run_stop_block(struct run_stop *stop);
int run_stop_watch(struct run_stop *stop, struct reactor *reactor, struct run_progress *progress);
void run_stop_end(struct run_stop *stop);
