/* SPDX-License-Identifier: MIT */
/*
 * See run_stop.h.
 *
 * The signal is never read: it stays pending until it is unblocked, and then the kernel stops this process.  A SIGCONT
 * that arrives before discards it.  A process that reads the signal and sends it to itself again stops after that SIGCONT,
 * and nothing continues it: under `sh -c 'spanallocctl run …'` the shell of the terminal continues the job as soon as
 * that sh has stopped.
 */
#include "ctl/run/run_stop.h"

#include <errno.h>
#include <sys/signalfd.h>

#include "base/files.h"

static void on_signal(void *userdata, int fd, unsigned events) {
        struct run_stop *stop = userdata;

        run_progress_hide(stop->progress);
        sigprocmask(SIG_UNBLOCK, &stop->signal, NULL); /* stops here */
        sigprocmask(SIG_BLOCK, &stop->signal, NULL);
}

int run_stop_block(struct run_stop *stop) {
        struct sigaction action;
        sigset_t before;

        sigemptyset(&stop->signal);
        sigaddset(&stop->signal, SIGTSTP);
        if (sigaction(SIGTSTP, NULL, &action) < 0 || action.sa_handler == SIG_IGN)
                return 0;
        sigprocmask(SIG_BLOCK, &stop->signal, &before);
        if (sigismember(&before, SIGTSTP))
                return 0;
        stop->fd = signalfd(-1, &stop->signal, SFD_CLOEXEC | SFD_NONBLOCK);
        return stop->fd < 0 ? -errno : 0;
}

int run_stop_watch(struct run_stop *stop, struct reactor *reactor, struct run_progress *progress) {
        stop->progress = progress;
        return stop->fd < 0 ? 0 : reactor_watch(reactor, &stop->watch, stop->fd, REACTOR_IN, on_signal, stop);
}

void run_stop_end(struct run_stop *stop) {
        if (stop->watch)
                reactor_unwatch(stop->watch);
        stop->watch = NULL;
        close_fd(stop->fd);
        stop->fd = -1;
}
