/* SPDX-License-Identifier: MIT */
#include "ctl/run/preload_order.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/host/elf_obstacle.h"

#define SEPARATORS " :"
#define OUR_FILE   "libspanalloc-malloc.so"

/* Passes each call on to the next malloc, as a heap profiler does.  A name without a directory is the loader's to find:
 * its file is unknown here. */
static bool is_watcher(const char *path) {
        return strchr(path, '/') && elfinfo_defines(path, "malloc") > 0 &&
               elfinfo_defines(path, "malloc_usable_size") == 0;
}

static bool is_ours(const char *path, const char *library) {
        const char *slash = strrchr(path, '/');

        return (library && !strcmp(path, library)) ||
               !strncmp(slash ? slash + 1 : path, OUR_FILE, sizeof(OUR_FILE) - 1);
}

static void append(char *text, const char *entry) {
        if (*text)
                strcat(text, ":");
        strcat(text, entry);
}

char *preload_order(const char *list, const char *library) {
        char *text = calloc(1, strlen(list) + (library ? strlen(library) : 0) + 2), path[PATH_MAX];
        bool is_placed = !library;
        size_t length;

        for (; text && *list; list += length) {
                list += strspn(list, SEPARATORS);
                length = strcspn(list, SEPARATORS);
                if (!length || length >= sizeof(path)) /* the loader skips what is longer, too */
                        continue;
                snprintf(path, sizeof(path), "%.*s", (int)length, list);
                if (is_ours(path, library))
                        continue;
                if (!is_placed && !elfinfo_is_sanitizer(path) && !is_watcher(path)) {
                        append(text, library);
                        is_placed = true;
                }
                append(text, path);
        }
        if (text && !is_placed)
                append(text, library);
        return text;
}
