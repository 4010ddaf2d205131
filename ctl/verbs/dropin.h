/* SPDX-License-Identifier: MIT */
/*
 * The drop-in that lets the programs of a systemd unit count: what is in it, and its file.
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

/* Where it is, for the system or for this user.  0 or -errno: there is no home. */
int dropin_init(struct dropin *ret, const char *unit, bool user);

struct dropin_settings {
        const char *unit;
        const char *library; /* absolute path of libspanalloc-malloc */
        const char *preload; /* what the unit's programs preload already; "": nothing */
        uint64_t ring_kib;   /* 0: the collector's default */
        bool calls_pass;     /* the unit's filters do not kill for a system call of the library */
};
/* The text.  LD_PRELOAD has the library where preload_order() puts it.  0, -ENOMEM, or -ENAMETOOLONG. */
int dropin_text(char *buf, size_t size, const struct dropin_settings *settings);

/* Whole or not at all.  0 or -errno; -EEXIST: there is a file that is not of our making. */
int dropin_write(const struct dropin *dropin, const char *text);
/* And its directory, if nothing else is in it.  0 or -errno, -ENOENT and -EEXIST as above. */
int dropin_remove(const struct dropin *dropin);
