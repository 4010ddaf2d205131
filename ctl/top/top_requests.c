/* SPDX-License-Identifier: MIT */
/*
 * What top asks: the parameters of each request.  In which order is for top_refresh.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ctl/session/ask.h"
#include "ctl/top/top_requests.h"

enum { ANSWER_TIMEOUT_MS = 3000 };

bool top_request_is_lacking(struct top *top) {
        bool lacks = !top->lacks_net && top->error.kind == CLIENT_ERROR_REFUSED && top->error.code == EINVAL;

        top->lacks_net |= lacks;
        return lacks;
}

static int request(struct top *top, const char *method, const struct client_params *params) {
        return client_ask(top->ctl->client, method, params, &top->error);
}

int top_request_hello(struct top *top, bool wait) {
        const struct options *options = &top->ctl->options;
        struct client_options client = {
                .socket = options->socket,
                .scope = ask_scope(options),
                .timeout_ms = ANSWER_TIMEOUT_MS,
                .program = ASK_PROGRAM,
        };

        return (wait ? client_new : client_start)(&top->ctl->client, &client, &top->error);
}

int top_request_timing(struct top *top) {
        const struct top_timing *wish = &top->ui.timing;
        struct client_params params = {
                .process = wish->process,
                .unit = wish->process ? NULL : wish->unit,
                .on = &wish->on,
        };

        top->ui.timing.wanted = false;
        top->round.timing_on = wish->on;
        return request(top, "timing", &params);
}

int top_request_status(struct top *top) {
        return request(top, "status", NULL);
}

/* Of many processes not each time: the collector reads each one's memory from the kernel. */
static bool wants_memory(struct top *top) {
        enum { MANY = 30, EVERY = 5 };
        uint64_t processes = top_model_summary(top->ui.model)->processes;

        if (top->ui.mode == TOP_MODE_PROCESSES || top->ui.mode == TOP_MODE_PROCESS)
                return true;
        return !top->answered || processes < MANY || top->refreshes++ % EVERY == 0;
}

int top_request_processes(struct top *top) {
        const struct options *options = &top->ctl->options;
        struct client_params params = {
                .pid = (pid_t)options->pid,
                .unit = options->unit,
                .columns = wants_memory(top) ? TOP_COLUMNS_PS TOP_COLUMNS_MEMORY : TOP_COLUMNS_PS,
        };

        return request(top, "ps", &params);
}

/* ------------------------------------------------------------------------------------------------- rows -- */

static bool uses(const struct top *top, enum top_column column) {
        for (size_t i = 0; i < top->ui.layout.count; i++)
                if (top->ui.layout.columns[i].column == column)
                        return true;
        return top_model_sorted_by(top->ui.model) == column || top->ctl->options.batch;
}

/* Only the columns in use: numbers per call only if they are shown.  `tree` has no net of calls. */
static void choose_columns(const struct top *top, char *buf, size_t size) {
        bool tree = top_model_shape(top->ui.model) == TOP_TREE;

        snprintf(buf, size, "%s%s%s%s%s", TOP_COLUMNS_ROWS, tree ? TOP_COLUMNS_TREE : "",
                 uses(top, TOP_P99) ? TOP_COLUMNS_P99 : "",
                 !tree && !top->lacks_net && uses(top, TOP_NET_CALL) ? TOP_COLUMNS_CALLS : "",
                 top_model_wants_time(top->ui.model) ? TOP_COLUMNS_TIME : "");
}

static struct client_params params_of_rows(const struct top *top) {
        struct client_params params = ask_params(&top->ctl->options);

        /* Sorted and limited by top itself: rates are known only after the answer. */
        params.sort = NULL;
        params.limit = 0;
        return params;
}

/* Of what is unchanged since that answer no rows come; 0: all come.  Texts only for rows that are new. */
static int request_rows(struct top *top, bool texts) {
        bool tree = top_model_shape(top->ui.model) == TOP_TREE;
        struct client_params params = params_of_rows(top);
        char columns[sizeof(top->round.columns) + sizeof(TOP_COLUMNS_TEXT)];

        snprintf(columns, sizeof(columns), "%s%s", top->round.columns, texts ? TOP_COLUMNS_TEXT : "");
        params.columns = columns;
        /* A collector of another version may not support it. */
        if (!tree && !strcmp(client_peer_version(top->ctl->client), SPANALLOC_VERSION))
                params.since_answer = &top->round.since_answer;
        return request(top, tree ? "tree" : "spans", &params);
}

int top_request_rows(struct top *top) {
        struct top_round *round = &top->round;
        bool same;

        choose_columns(top, round->columns, sizeof(round->columns));
        same = !strcmp(round->columns, top->columns);
        memcpy(top->columns, round->columns, sizeof(round->columns));
        round->epoch = top_model_epoch(top->ui.model);
        /* The model's rows came over another connection. */
        round->since_answer = same && top->answered ? top_model_answer(top->ui.model) : 0;
        return request_rows(top, !top->answered);
}

int top_request_new_rows(struct top *top) {
        return request_rows(top, true);
}

/* With --json every column is to be printed. */
int top_request_whole_rows(struct top *top) {
        struct client_params params = params_of_rows(top);

        top->round.epoch = top_model_epoch(top->ui.model);
        return request(top, "spans", &params);
}

/* ---------------------------------------------------------------------------------------------- details -- */

/* A row of one process is of its number; another sums processes of the options' choice. */
static struct client_params params_of_details(const struct top *top) {
        const struct options *options = &top->ctl->options;
        const struct top_details *details = &top->ui.details;

        if (details->process)
                return (struct client_params){.process = details->process};
        return (struct client_params){
                .pid = (pid_t)options->pid,
                .unit = details->all_units ? options->unit : details->unit,
        };
}

#define DETAILS                                                                                                        \
        "process,pid,span,path,site,quality,opened,closed,open,cycles,alloc_count,alloc_bytes,"                        \
        "dealloc_count,dealloc_bytes,net_bytes,self_alloc_count,self_alloc_bytes,"                                     \
        "alloc_bytes_rate_10s,alloc_bytes_rate_1m,alloc_bytes_rate_10m,migrated,aborted,refused,"                      \
        "per_call,per_call_histogram,threads,busy_ns,self_busy_ns,timed_calls,timed_calls_ns,"                         \
        "timed_call_max_ns,timed_calls_per_1000s,thread"

int top_request_details(struct top *top) {
        const struct top_details *details = &top->ui.details;
        struct client_params params = params_of_details(top);

        top->round.details = details->number;
        params.span = top_row_is_outside(&details->row) ? WIRE_OUTSIDE : details->span;
        params.columns = top->lacks_net ? DETAILS : DETAILS ",calls,calls_net_bytes,net_per_call_histogram";
        return request(top, "spans", &params);
}

int top_request_details_tree(struct top *top) {
        struct client_params params = params_of_details(top);

        params.filter = top->ui.details.span;
        params.columns = "process,depth,span,path,alloc_bytes,self_alloc_bytes";
        return request(top, "tree", &params);
}
