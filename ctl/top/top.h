/* SPDX-License-Identifier: MIT */
/*
 * top: asking again and again, and the two ways of showing the answers.
 */
#pragma once

#include "ctl/ctl.h"
#include "ctl/top/top_ui.h"
#include "query/client.h"

struct top {
        struct ctl *ctl;
        struct top_ui ui;
        struct top_samples samples;
        struct table *spans; /* the whole rows of the latest answer, with --json */
        char columns[256];   /* of the latest rows, but for their texts */
        uint64_t delay_ns;
        bool was_away;
        unsigned restarts;         /* of the collector, that were seen */
        struct client_error error; /* why it is not connected */
};

/* Asks once, connecting first if need be, and feeds the model.  0 or -errno with top->error filled; an exit code of
 * CTL_UNREACHABLE there means that it may come back. */
int top_refresh(struct top *top);

/* A signal asked for an end, and nothing else should be begun. */
bool top_interrupted(void);

/* Plain screens, or with --json documents.  Exit status. */
int top_batch(struct top *top);

/* The terminal.  Exit status, or -ENOTTY when this terminal cannot be drawn on. */
int top_screen(struct top *top);
