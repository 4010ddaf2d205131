/* SPDX-License-Identifier: MIT */
/*
 * Starting the command of `run`: found as a shell finds it, with the state of a direct start.
 *
 * What does not live here: waiting for it (run.c), and its environment (run_preload.h).
 */
#pragma once

#include <limits.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>

/* State that this process changed for itself and restores in the command. */
struct child_inherited {
        sigset_t mask;
        struct sigaction sigchld;
        struct rlimit files;
        unsigned closed_fds; /* of 0, 1 and 2: bit N is descriptor N */
};

/* The file that `name` stands for, along PATH when it has no slash.  0, -ENOENT, -EACCES, or another -errno of the
 * file that was found. */
int child_resolve(char ret_path[PATH_MAX], const char *name);

/* Runs `path`.  0 once it runs, or the -errno of fork or exec; nothing is left to wait for then. */
int child_start(pid_t *ret_pid, const char *path, char *const *argv, char *const *environment,
                const struct child_inherited *inherited);
