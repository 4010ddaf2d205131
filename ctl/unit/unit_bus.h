/* SPDX-License-Identifier: MIT */
/*
 * Asking the service manager about a unit, and to start it again.  unit_bus.c and unit_look.c are the one place of ctl that
 * speaks with systemd.
 *
 * What does not live here: the drop-in of a unit (dropin.h).
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

enum { UNIT_NAME_MAX = 256 };

/* The properties of a service that decide whether its programs can be counted. */
struct unit_info {
        char load_state[32];       /* "loaded", "not-found", "masked", … */
        char active_state[32];     /* "active", … */
        char program[PATH_MAX];    /* of its first ExecStart=; "": none */
        char preload[4096];        /* LD_PRELOAD in its environment; "": none */
        bool has_own_root;         /* RootDirectory= or RootImage= */
        bool lacks_sockets;        /* RestrictAddressFamilies= does not let it use AF_UNIX */
        char killing_call[32];     /* a system call of the library for which SystemCallFilter= kills; "": none */
        char refused_call[32];     /* one that it answers with an errno, without which no program attaches; "": none */
        char overriding[PATH_MAX]; /* an EnvironmentFile= that sets LD_PRELOAD; "": none */
        bool loses_preload;        /* UnsetEnvironment= takes LD_PRELOAD away */
        char hiding[32];           /* a setting that hides `hidden` from its programs; "": none */
        char hidden[PATH_MAX];     /* the sockets' directory, or the library */
};

/* An error: one sentence, and the exit status for it. */
struct unit_error {
        int exit_status;
        char text[640];
};

struct unit_bus;

/* Completes a typed name to the name of a service.  0, or -EINVAL with one sentence. */
int unit_name(char ret[UNIT_NAME_MAX], const char *text, struct unit_error *ret_error);

/* Connects to the system's manager, or to this user's.  All return 0, or -errno with one sentence. */
int unit_bus_open(struct unit_bus **ret, bool user, struct unit_error *ret_error);
struct unit_bus *unit_bus_free(struct unit_bus *bus);
int unit_bus_look(struct unit_bus *bus, const char *name, struct unit_info *ret, struct unit_error *ret_error);
/* Sets `hiding` and `hidden` of a unit that was looked at, for one path; keeps what an earlier path has set. */
void unit_bus_look_for(struct unit_bus *bus, const char *name, const char *file, bool is_library,
                       struct unit_info *info);
/* The manager reads its units anew. */
int unit_bus_reload(struct unit_bus *bus, struct unit_error *ret_error);
/* Returns when it has started. */
int unit_bus_restart(struct unit_bus *bus, const char *name, struct unit_error *ret_error);
