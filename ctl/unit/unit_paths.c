/* SPDX-License-Identifier: MIT */
/* See unit_paths.h. */
#include "ctl/unit/unit_paths.h"

#include <stdio.h>
#include <string.h>

/* The length of `above` if the path is it, or below it; else 0. */
static size_t depth(const struct unit_paths *paths, const char *above) {
        size_t n;

        above += strspn(above, "-+");
        n = strlen(above);
        while (n > 1 && above[n - 1] == '/')
                n--;
        if (n == 0 || strncmp(paths->path, above, n) != 0)
                return 0;
        return n == 1 || !paths->path[n] || paths->path[n] == '/' ? n : 0;
}

void unit_paths_hide(struct unit_paths *paths, const char *setting, const char *above, bool for_good) {
        size_t n = depth(paths, above);

        if (!n || paths->for_good || (!for_good && n <= paths->hidden))
                return;
        paths->for_good = for_good;
        paths->hidden = n;
        snprintf(paths->by, sizeof(paths->by), "%s", setting);
}

void unit_paths_show(struct unit_paths *paths, const char *above) {
        size_t n = depth(paths, above);

        if (n > paths->shown)
                paths->shown = n;
}

/* What is mounted at the same place is mounted over a file system that hides it. */
bool unit_paths_is_hidden(const struct unit_paths *paths) {
        return paths->for_good || paths->hidden > paths->shown;
}

bool unit_file_sets(const char *path, const char *variable) {
        size_t length = strlen(variable);
        FILE *file = fopen(path, "re");
        char line[4096];
        bool sets = false;

        while (file && fgets(line, sizeof(line), file)) {
                const char *word = line + strspn(line, " \t");

                sets |= !strncmp(word, variable, length) && word[length + strspn(word + length, " \t")] == '=';
        }
        if (file)
                fclose(file);
        return sets;
}
