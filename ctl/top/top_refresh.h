/* SPDX-License-Identifier: MIT */
/*
 * Within top: one query, and feeding its answer to the model.
 */
#pragma once

#include "ctl/session/ctl.h"
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
        bool answered; /* over the present connection */
        unsigned refreshes;
        unsigned restarts;         /* of the collector, that were seen */
        struct client_error error; /* why it is not connected */
};

/* Sends one query, connecting first if needed, and feeds the model.  0 or -errno with top->error filled; the kind
 * CLIENT_ERROR_UNREACHABLE there means that the collector may come back. */
int top_refresh(struct top *top);

uint64_t top_now(void); /* CLOCK_MONOTONIC, nanoseconds */
