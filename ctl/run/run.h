/* SPDX-License-Identifier: MIT */
/*
 * `run`: a command with counting on and a collector of its own, in this process, for as long as the command lives.
 *
 * What does not live here: where the counters come from (run_preload.h), how the command is started (run_child.h),
 * what is printed (report.h).
 */
#pragma once

struct ctl;

enum run_exit {
        RUN_EXIT_FAILURE = 125, /* of `run` itself */
        RUN_EXIT_NOT_EXECUTABLE = 126,
        RUN_EXIT_NOT_FOUND = 127,
        RUN_EXIT_SIGNAL = 128, /* and the signal's number */
};

int verb_run(struct ctl *ctl, int argc, char **argv);
