/* SPDX-License-Identifier: MIT */
/*
 * What the verbs share: the options as given, the connection, and how a verb fails.
 *
 * What does not live here: parsing (options.h), the protocol (client.h), tables and documents (render.h, json.h).
 */
#pragma once

#include <stddef.h>

#include "ctl/options/options.h"

enum ctl_exit {
        CTL_OK = 0,
        CTL_FAILURE = 1,
        CTL_USAGE = 2,
        CTL_UNREACHABLE = 3,
        CTL_NOT_FOUND = 4,
};

struct client;

struct ctl {
        struct options options;
        struct client *client; /* NULL until ask.h connects */
};

/* One sentence on stderr: what happened and what to do.  Returns `code`, so that a verb can return it. */
int ctl_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A verb gets what stood after its name, options taken out, and returns the program's exit status. */
int verb_status(struct ctl *ctl, int argc, char **argv);
int verb_ps(struct ctl *ctl, int argc, char **argv);
int verb_spans(struct ctl *ctl, int argc, char **argv);
int verb_tree(struct ctl *ctl, int argc, char **argv);
int verb_show(struct ctl *ctl, int argc, char **argv);
int verb_top(struct ctl *ctl, int argc, char **argv);
int verb_follow(struct ctl *ctl, int argc, char **argv);
int verb_run(struct ctl *ctl, int argc, char **argv);
int verb_enable(struct ctl *ctl, int argc, char **argv);
int verb_disable(struct ctl *ctl, int argc, char **argv);
int verb_doctor(struct ctl *ctl, int argc, char **argv);
int verb_demo(struct ctl *ctl, int argc, char **argv);
int verb_timing(struct ctl *ctl, int argc, char **argv);
int verb_reset(struct ctl *ctl, int argc, char **argv);
int verb_version(struct ctl *ctl, int argc, char **argv);
int verb_help(struct ctl *ctl, int argc, char **argv);
