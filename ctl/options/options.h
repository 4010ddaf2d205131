/* SPDX-License-Identifier: MIT */
/*
 * The verbs and the options of spanallocctl: one table of each, from which parsing and help are made.
 *
 * What does not live here: help (ctl/session/help.h), and the verbs (ctl/verbs/verbs.h).  Nothing here prints or ends
 * the program, so that tests can parse.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/nanoseconds.h"

enum verb_id {
        VERB_STATUS,
        VERB_PS,
        VERB_SPANS,
        VERB_TREE,
        VERB_SHOW,
        VERB_TOP,
        VERB_FOLLOW,
        VERB_RUN,
        VERB_ENABLE,
        VERB_DISABLE,
        VERB_TIMING,
        VERB_RESET,
        VERB_DOCTOR,
        VERB_DEMO,
        VERB_VERSION,
        VERB_HELP,
        VERB_COUNT,
};

struct verb {
        const char *name;
        const char *arguments; /* as help shows them; "" for none */
        const char *help;
        int arguments_min, arguments_max; /* -1: any number, and the first one ends the options */
        const char *columns;              /* the table of daemon/wire/columns.h that it shows; NULL: none */
};
extern const struct verb verbs[VERB_COUNT];

enum color_mode { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

enum json_mode { JSON_OFF, JSON_SHORT, JSON_PRETTY };

enum { OPTIONS_COLUMNS_MAX = 64 };

/* The time that processes left behind by the command of `run` may still run before the report. */
#define OPTIONS_LINGER_NS NS_PER_S
#define OPTIONS_MIN_PPM   10000

struct options {
        enum verb_id verb;
        bool verb_given;
        bool system, user, help;
        const char *socket;
        enum json_mode json;
        bool no_pager, no_legend, full, raw;
        enum color_mode color;
        uint64_t pid; /* 0: any */
        const char *unit, *filter, *sort;
        uint64_t limit; /* 0: all */
        uint64_t since_ns;
        uint64_t min_ppm;                         /* of --min-percent, in millionths */
        const char *columns[OPTIONS_COLUMNS_MAX]; /* names, in the order asked for */
        size_t n_columns;                         /* 0: the verb's own choice */
        bool batch;
        uint64_t count;    /* screens of top; 0: no end */
        uint64_t delay_ns; /* between screens of top; 0: the default */
        const char *output, *preload, *on_full;
        bool alive;         /* of ps: only processes that run */
        bool by_name;       /* rows are summed over processes */
        bool now;           /* enable, disable: restart what runs */
        uint64_t ring_kib;  /* 0: not given */
        uint64_t linger_ns; /* of run */
        int argc;           /* the arguments after the verb, without options; borrowed from the caller's argv */
        char **argv;
};

/* Parses a command line; argv is permuted in place and borrowed.  0, or -EINVAL with one sentence in `error`. */
int options_parse(struct options *ret, int argc, char **argv, char *error, size_t error_size);

/* The verb of that name, or -ENOENT. */
int options_find_verb(const char *name);
