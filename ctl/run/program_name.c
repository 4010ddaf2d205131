/* SPDX-License-Identifier: MIT */
/*
 * See program_name.h.  A process's name alone is no proof: it may be a thread's.  So it is taken only if a file of that
 * name is the executable: beside it, beside the command, or in $PATH.
 */
#include "ctl/run/program_name.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { COMM_MAX = 15 }; /* The kernel cuts a longer name. */

static const char *base_name(const char *path) {
        const char *slash = strrchr(path, '/');

        return slash && slash[1] ? slash + 1 : path;
}

static bool is_same(const char *path, const struct stat *exe) {
        struct stat st;

        return stat(path, &st) == 0 && st.st_dev == exe->st_dev && st.st_ino == exe->st_ino;
}

static bool is_in(const char *directory, size_t length, const char *name, const struct stat *exe) {
        char path[PATH_MAX];

        return length && snprintf(path, sizeof(path), "%.*s/%s", (int)length, directory, name) < PATH_MAX &&
               is_same(path, exe);
}

static bool is_in_path(const char *name, const struct stat *exe) {
        const char *search = getenv("PATH");

        for (size_t n; search && *search; search += n + (search[n] == ':')) {
                n = strcspn(search, ":");
                if (is_in(search, n, name, exe))
                        return true;
        }
        return false;
}

const char *program_name(const char *exe, const char *comm, const char *command) {
        const char *name = base_name(exe);
        struct stat st;

        if (!*exe)
                return comm;
        if (!*comm || strchr(comm, '/') || !strncmp(comm, name, COMM_MAX) || stat(exe, &st) < 0)
                return name;
        if (command && !strncmp(comm, base_name(command), COMM_MAX) && is_same(command, &st))
                return base_name(command);
        if (strlen(comm) >= COMM_MAX)
                return name;
        if (is_in(exe, (size_t)(name - exe) - 1, comm, &st) || is_in_path(comm, &st))
                return comm;
        return name;
}
