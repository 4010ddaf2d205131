/* SPDX-License-Identifier: MIT */
/*
 * Where libspanalloc-malloc is found, and the environment that preloads it.  The start of a program with it is in
 * run_child.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/run/preload_order.h"
#include "ctl/run/run_preload.h"

#ifndef SPANALLOC_LIBDIR
#define SPANALLOC_LIBDIR "/usr/lib"
#endif
#ifndef SPANALLOC_MULTIARCH
#define SPANALLOC_MULTIARCH ""
#endif

/* How long a process may wait for the answer when hundreds start at once.  If this program dies, their connections end
 * at once. */
#define ATTACH_MS 20000

#define LIBRARY   "libspanalloc-malloc.so.0"

/* Relative ones start at the directory of this program. */
static const char *const places[] = {
        "../client/malloc/" LIBRARY,               /* in a build tree */
        "../lib/" SPANALLOC_MULTIARCH "/" LIBRARY, /* installed, wherever the whole was moved to */
        "../lib/" SPANALLOC_MULTIARCH "/spanalloc/" LIBRARY,
        "../lib/" LIBRARY,
        "../lib64/" LIBRARY,
        SPANALLOC_LIBDIR "/" LIBRARY, /* installed where it was configured for */
};
enum { PLACES = sizeof(places) / sizeof(*places) };

/* The dynamic loader takes LD_PRELOAD apart at these, and has no way to quote them. */
static int check_path(const char *path, char *error, size_t error_size) {
        struct stat st;

        if (stat(path, &st) < 0 || access(path, R_OK) < 0) {
                int r = -errno;

                snprintf(error, error_size, "cannot preload %s: %s", path, strerror(-r));
                return r;
        }
        if (!S_ISREG(st.st_mode)) {
                snprintf(error, error_size, "cannot preload %s: it is not a file", path);
                return -EINVAL;
        }
        if (path[strcspn(path, " :")]) {
                snprintf(error, error_size,
                         "cannot preload %s: the dynamic loader splits LD_PRELOAD at spaces and colons; give a "
                         "path without them with --preload, such as a symbolic link",
                         path);
                return -EINVAL;
        }
        return 0;
}

/* The file keeps its own name, which may be a link's; only its directory is resolved. */
static int make_absolute(char ret[PATH_MAX], const char *path) {
        const char *slash = strrchr(path, '/');
        char directory[PATH_MAX], resolved[PATH_MAX];
        int length = slash ? (int)(slash - path) : 1;

        if (path[0] == '/' && !strstr(path, "/../"))
                length = snprintf(ret, PATH_MAX, "%s", path);
        else {
                if (snprintf(directory, sizeof(directory), "%.*s", length, slash ? path : ".") >= PATH_MAX)
                        return -ENAMETOOLONG;
                if (!realpath(directory, resolved))
                        return -errno;
                length = snprintf(ret, PATH_MAX, "%s/%s", resolved, slash ? slash + 1 : path);
        }
        return length >= PATH_MAX ? -ENAMETOOLONG : 0;
}

static int find_given(char ret_path[PATH_MAX], const char *given, char *error, size_t error_size) {
        char path[PATH_MAX];
        int r = make_absolute(path, given);

        if (r < 0) {
                snprintf(error, error_size, "cannot preload %s: %s", given, strerror(-r));
                return r;
        }
        r = check_path(path, error, error_size);
        if (r == 0)
                memcpy(ret_path, path, PATH_MAX);
        return r;
}

static int own_directory(char ret[PATH_MAX]) {
        ssize_t length = readlink("/proc/self/exe", ret, PATH_MAX - 1);
        char *slash;

        if (length < 0)
                return -errno;
        ret[length] = 0;
        slash = strrchr(ret, '/');
        if (!slash)
                return -ENOENT;
        *slash = 0;
        return 0;
}

int preload_find(char ret_path[PATH_MAX], const char *given, char *error, size_t error_size) {
        char directory[PATH_MAX] = "", place[PATH_MAX], path[PATH_MAX];
        size_t used;
        int r;

        if (given)
                return find_given(ret_path, given, error, error_size);
        if (own_directory(directory) < 0)
                *directory = 0;
        used = (size_t)snprintf(error, error_size, LIBRARY " was not found; name it with --preload; searched:");
        for (int i = 0; i < PLACES; i++) {
                bool relative = places[i][0] != '/';

                if (relative && !*directory)
                        continue;
                if (snprintf(place, sizeof(place), "%s%s%s", relative ? directory : "", relative ? "/" : "",
                             places[i]) >= PATH_MAX)
                        continue;
                if (make_absolute(path, place) == 0 && access(path, F_OK) == 0) {
                        r = check_path(path, error, error_size);
                        if (r == 0)
                                memcpy(ret_path, path, PATH_MAX);
                        return r;
                }
                if (used < error_size)
                        used += (size_t)snprintf(error + used, error_size - used, " %s", place);
        }
        return -ENOENT;
}

/* -------------------------------------------------------------------------------------------- environment -- */

struct variables {
        char **all;
        size_t count;
        bool failed;
};

__attribute__((format(printf, 2, 3))) static void add(struct variables *variables, const char *format, ...) {
        va_list args;
        char *text;

        va_start(args, format);
        if (vasprintf(&text, format, args) < 0)
                variables->failed = true;
        else
                variables->all[variables->count++] = text;
        va_end(args);
}

static bool is_variable(const char *entry, const char *name) {
        size_t length = strlen(name);

        return !strncmp(entry, name, length) && entry[length] == '=';
}

static bool is_replaced(const char *entry, const struct preload_settings *settings) {
        return is_variable(entry, "LD_PRELOAD") || is_variable(entry, "SPANALLOC") ||
               is_variable(entry, "SPANALLOC_SOCKET") || is_variable(entry, "SPANALLOC_ATTACH_MS") ||
               (settings->on_full && is_variable(entry, "SPANALLOC_ON_FULL")) ||
               (settings->ring_kib && is_variable(entry, "SPANALLOC_RING_KIB"));
}

static void add_preload(struct variables *variables, const char *before, const struct preload_settings *settings) {
        char *list = preload_order(before ? before : "", settings->omit_library ? NULL : settings->library);

        if (!list)
                variables->failed = true;
        else if (*list)
                add(variables, "LD_PRELOAD=%s", list);
        free(list);
}

int preload_environment(char ***ret, char *const *environment, const struct preload_settings *settings) {
        struct variables variables = {0};
        const char *preload = NULL;
        size_t count = 0;

        while (environment[count])
                count++;
        variables.all = calloc(count + 7, sizeof(*variables.all));
        if (!variables.all)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++) {
                if (!preload && is_variable(environment[i], "LD_PRELOAD"))
                        preload = environment[i] + strlen("LD_PRELOAD=");
                if (!is_replaced(environment[i], settings))
                        add(&variables, "%s", environment[i]);
        }
        add_preload(&variables, preload, settings);
        add(&variables, "SPANALLOC=1");
        add(&variables, "SPANALLOC_SOCKET=%s", settings->socket);
        add(&variables, "SPANALLOC_ATTACH_MS=%d", ATTACH_MS);
        if (settings->on_full)
                add(&variables, "SPANALLOC_ON_FULL=%s", settings->on_full);
        if (settings->ring_kib)
                add(&variables, "SPANALLOC_RING_KIB=%" PRIu64, settings->ring_kib);
        if (variables.failed) {
                preload_environment_free(variables.all);
                return -ENOMEM;
        }
        *ret = variables.all;
        return 0;
}

char **preload_environment_free(char **environment) {
        for (char **at = environment; at && *at; at++)
                free(*at);
        free(environment);
        return NULL;
}
