/* SPDX-License-Identifier: MIT */
/*
 * The program that an exec is about to run: whether it bears this library in LD_PRELOAD, and an environment without it.
 *
 * What does not live here: the functions themselves (exec.c).  Everything here allocates nothing, keeps errno, and is
 * right in a signal handler and between vfork and exec.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* How the file of this library is named in LD_PRELOAD, up to its version. */
#define SA_OUR_FILE "libspanalloc-malloc.so"

/* The entry of LD_PRELOAD, where it names this library; else NULL. */
const char *sa_target_preload(char *const environment[]);

/* Whether the program needs the run-time library of a sanitizer, which ends it where it does not come first.  Of a script,
 * its interpreter. */
bool sa_target_is_sanitized(const char *path);

/* The bytes of a copy of `environment` without this library. */
size_t sa_target_environment_size(char *const environment[]);
/* The copy, in `memory` of that size. */
char *const *sa_target_environment(void *memory, char *const environment[]);
