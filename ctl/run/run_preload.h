/* SPDX-License-Identifier: MIT */
/*
 * The preload library, and the environment that loads it into a command.
 *
 * What lives here: the search for libspanalloc-malloc, and the variables of a command.  What does not: starting it
 * (run_child.h).
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Finds libspanalloc-malloc: `given` if not NULL, else beside this program in a build tree or an installation.  The
 * path is absolute.  0, or -errno with one sentence in `error`: -ENOENT, or -EINVAL for a path that the dynamic loader
 * would split. */
int preload_find(char ret_path[PATH_MAX], const char *given, char *error, size_t error_size);

struct preload_settings {
        const char *library; /* absolute path */
        const char *socket;  /* of the ingest socket */
        const char *on_full; /* NULL: as the environment has it */
        uint64_t ring_kib;   /* 0: as the environment has it */
        bool omit_library;   /* the program would fail with it */
};

/* A copy of `environment` that lets a program count: LD_PRELOAD has the library where preload_order() puts it.  To be freed
 * with preload_environment_free().  0 or -ENOMEM. */
int preload_environment(char ***ret, char *const *environment, const struct preload_settings *settings);
char **preload_environment_free(char **environment);
