/* SPDX-License-Identifier: MIT */
/*
 * Within top: what one run of it holds, and the refresh that is under way.
 */
#pragma once

#include "ctl/pages/top_ui.h"
#include "ctl/session/ctl.h"
#include "query/client.h"

/* The requests of a refresh, in their order; not each refresh has all. */
enum top_step {
        TOP_STEP_NONE, /* no refresh is under way */
        TOP_STEP_HELLO,
        TOP_STEP_TIMING,
        TOP_STEP_STATUS,
        TOP_STEP_PROCESSES,
        TOP_STEP_ROWS,
        TOP_STEP_NEW_ROWS, /* the same rows with texts: the model lacked some */
        TOP_STEP_WHOLE_ROWS,
        TOP_STEP_DETAILS,
        TOP_STEP_DETAILS_TREE,
        TOP_STEPS,
};

struct top_round {
        enum top_step step;
        bool asked;        /* the step's request is made */
        bool by_key;       /* a key needs the answers */
        uint64_t asked_ns; /* when, CLOCK_MONOTONIC */
        /* Of the rows: what was asked, and whether the model has discarded others since. */
        char columns[256];
        uint64_t since_answer;
        uint32_t epoch;
        uint32_t details; /* the number of the details that were asked for */
        bool timing_on;
        char said[256]; /* of a key's request; shown together with the rows */
        struct table *status, *processes, *details_spans, *details_tree;
};

struct top {
        struct ctl *ctl;
        struct top_ui ui;
        struct top_samples samples;
        struct top_round round;
        struct table *spans; /* the whole rows of the latest answer, with --json */
        char columns[256];   /* of the latest rows, but for their texts */
        uint64_t delay_ns;
        bool was_away;
        bool answered;  /* over the present connection */
        bool lacks_net; /* the collector of this connection is of a build without the columns of net per call */
        unsigned refreshes;
        unsigned restarts;         /* of the collector, that were seen */
        struct client_error error; /* why it is not connected */
};
