/* SPDX-License-Identifier: MIT */
/*
 * The table of options, from which the parser, help, man page and completions are made.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum option_id {
        OPTION_SYSTEM,
        OPTION_USER,
        OPTION_SOCKET,
        OPTION_JSON,
        OPTION_NO_PAGER,
        OPTION_NO_LEGEND,
        OPTION_FULL,
        OPTION_RAW,
        OPTION_COLOR,
        OPTION_HELP,
        OPTION_VERSION,
        OPTION_PID,
        OPTION_UNIT,
        OPTION_FILTER,
        OPTION_BY,
        OPTION_ALIVE,
        OPTION_SINCE,
        OPTION_MIN_PERCENT,
        OPTION_SORT,
        OPTION_LIMIT,
        OPTION_COLUMNS,
        OPTION_BATCH,
        OPTION_ONCE,
        OPTION_COUNT,
        OPTION_DELAY,
        OPTION_OUTPUT,
        OPTION_PRELOAD,
        OPTION_ON_FULL,
        OPTION_RING_KIB,
        OPTION_LINGER,
        OPTION_NOW,
        OPTIONS_N,
};

#define OPTION_GLOBAL (~0u)

struct option_entry {
        const char *name, *argument; /* NULL: takes none */
        bool argument_optional;
        char letter;    /* 0: none */
        unsigned verbs; /* bits by enum verb_id */
        const char *help;
};
extern const struct option_entry options_table[];
extern const size_t options_table_size;
