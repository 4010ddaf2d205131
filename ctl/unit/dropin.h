/* SPDX-License-Identifier: MIT */
/*
 * The drop-in that counts the programs of a systemd unit: its text and its file.
 *
 * What does not live here: the unit itself (unit_bus.h).
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dropin {
        char directory[PATH_MAX - 64]; /* UNIT.d */
        char path[PATH_MAX];
};

/* Sets the paths, for the system or for this user.  0, or -errno: there is no home. */
int dropin_init(struct dropin *ret, const char *unit, bool user);

struct dropin_settings {
        const char *unit;
        const char *library; /* absolute path of libspanalloc-malloc */
        const char *preload; /* LD_PRELOAD of the unit's programs so far; "": nothing */
        uint64_t ring_kib;   /* 0: the collector's default */
        bool calls_pass;     /* the unit's filters do not kill for a system call of the library */
};
/* The text.  LD_PRELOAD has the library where preload_order() puts it.  0, -ENOMEM, or -ENAMETOOLONG. */
int dropin_text(char *buf, size_t size, const struct dropin_settings *settings);

/* Writes the file whole or not at all.  0 or -errno; -EEXIST: there is a file that this program did not write. */
int dropin_write(const struct dropin *dropin, const char *text);
/* Removes the file, and its directory if that is empty.  0 or -errno, -ENOENT and -EEXIST as above. */
int dropin_remove(const struct dropin *dropin);
