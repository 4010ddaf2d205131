/* SPDX-License-Identifier: MIT */
/*
 * Whether a unit's settings hide a path from its programs: which of two settings is deeper in the tree; and files that a
 * setting names.
 *
 * What does not live here: reading the settings (unit_bus.c).
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

struct unit_paths {
        const char *path; /* looked for */
        size_t hidden;    /* length of the deepest setting that hides it; 0: none */
        size_t shown;     /* the same, of what shows it again */
        bool for_good;    /* Nothing is shown below what hides it. */
        char by[32];      /* the name of the setting that hides it */
};

/* `above`: a path as a unit has it, where "-" and "+" may stand before it. */
void unit_paths_hide(struct unit_paths *paths, const char *setting, const char *above, bool for_good);
void unit_paths_show(struct unit_paths *paths, const char *above);
bool unit_paths_is_hidden(const struct unit_paths *paths);

/* True if a file of EnvironmentFile= sets the variable.  False, too, if it cannot be read. */
bool unit_file_sets(const char *path, const char *variable);
