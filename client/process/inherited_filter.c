/* SPDX-License-Identifier: MIT */
/* Reads the process's own status, and what says that a filter is harmless; see inherited_filter.h. */
#include "client/process/inherited_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "client/gate/quiet_process.h"
#include "client/process/settings.h"

#define UNKNOWN UINT32_MAX

static long open_file(const char *path) {
        return sa_raw_call(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
}

static bool exists(const char *path) {
        long fd = open_file(path);

        if (fd >= 0)
                sa_raw_call(SYS_close, fd, 0, 0, 0, 0, 0);
        return fd >= 0;
}

struct filters {
        uint32_t mode;  /* 0: none; UNKNOWN */
        uint32_t count; /* UNKNOWN before Linux 5.9 */
};

static uint32_t number_after(const char *line, const char *name) {
        size_t length = strlen(name);

        return strncmp(line, name, length) != 0 ? UNKNOWN : (uint32_t)sa_number_of(line + length);
}

/* One line of a status at a time: that of the groups may be longer than any buffer. */
static void read_line(const char *line, struct filters *filters) {
        uint32_t mode = number_after(line, "Seccomp:"), count = number_after(line, "Seccomp_filters:");

        if (mode != UNKNOWN)
                filters->mode = mode;
        if (count != UNKNOWN)
                filters->count = count;
}

static struct filters filters_of(const char *path) {
        struct filters filters = {UNKNOWN, UNKNOWN};
        char text[512], line[64];
        size_t length = 0;
        long fd = open_file(path), n;

        if (fd < 0)
                return filters;
        while ((n = sa_raw_call(SYS_read, fd, (long)text, sizeof text, 0, 0, 0)) > 0)
                for (long i = 0; i < n; i++) {
                        if (text[i] != '\n') {
                                if (length < sizeof line - 1)
                                        line[length++] = text[i];
                                continue;
                        }
                        line[length] = 0;
                        read_line(line, &filters);
                        length = 0;
                }
        sa_raw_call(SYS_close, fd, 0, 0, 0, 0, 0);
        return filters;
}

/* The filters that container engines install by default answer with an errno.  One engine's filter is all there is if the
 * namespace's first process has as many. */
static bool is_engines(const struct filters *own) {
        struct filters first;

        if (own->mode != 2 || own->count != 1)
                return false;
        if (!exists("/.dockerenv") && !exists("/run/.containerenv") && !secure_getenv("container"))
                return false;
        first = filters_of("/proc/1/status");
        return first.mode == own->mode && first.count == own->count;
}

bool sa_filter_may_kill(uint32_t *ret_filters) {
        const char *text = secure_getenv("SPANALLOC_SECCOMP");
        struct filters own = filters_of("/proc/self/status");
        bool is_harmless = own.mode == 0 || (text && !strcmp(text, "allow")) || is_engines(&own);

        if (is_harmless)
                *ret_filters = own.count == UNKNOWN ? 0 : own.count;
        return !is_harmless;
}
