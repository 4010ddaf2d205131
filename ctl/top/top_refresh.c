/* SPDX-License-Identifier: MIT */
/*
 * One answer of top: connecting, asking, feeding the model.  How often is for top_screen.c and top_batch.c, when to end for
 * top.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ctl/output/format.h"
#include "ctl/rows/outside.h"
#include "ctl/session/ask.h"
#include "ctl/top/top_refresh.h"

enum { ANSWER_TIMEOUT_MS = 3000 };

uint64_t top_now(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int connect_again(struct top *top) {
        const struct options *options = &top->ctl->options;
        struct client_options client = {
                .socket = options->socket,
                .scope = ask_scope(options),
                .timeout_ms = ANSWER_TIMEOUT_MS,
                .program = ASK_PROGRAM,
        };

        return client_new(&top->ctl->client, &client, &top->error);
}

static bool uses(const struct top *top, enum top_column column) {
        for (size_t i = 0; i < top->ui.layout.count; i++)
                if (top->ui.layout.columns[i].column == column)
                        return true;
        return top_model_sorted_by(top->ui.model) == column || top->ctl->options.batch;
}

/* Queries only the columns in use: texts only for new rows, numbers per call only if they are shown.  `tree` has no net
 * of calls. */
static void choose_columns(const struct top *top, bool texts, char *buf, size_t size) {
        bool tree = top_model_shape(top->ui.model) == TOP_TREE;

        snprintf(buf, size, "%s%s%s%s%s%s", TOP_COLUMNS_ROWS, tree ? TOP_COLUMNS_TREE : "",
                 texts ? TOP_COLUMNS_TEXT : "", uses(top, TOP_P99) ? TOP_COLUMNS_P99 : "",
                 !tree && uses(top, TOP_NET_CALL) ? TOP_COLUMNS_CALLS : "",
                 top_model_wants_time(top->ui.model) ? TOP_COLUMNS_TIME : "");
}

static int no_memory(struct top *top) {
        top->error = (struct client_error){ENOMEM, CLIENT_ERROR_FAILED, "out of memory"};
        return -ENOMEM;
}

/* The client has not seen this error: the sentence is made here.  Passes 0 on. */
static int not_read(struct top *top, int r) {
        if (r == -EBADMSG)
                return client_fail_form(top->ctl->client, &top->error);
        return r < 0 ? no_memory(top) : 0;
}

/* Of what is unchanged since that answer no rows come; 0: all come. */
static int ask_rows(struct top *top, bool texts, uint64_t since_answer) {
        bool tree = top_model_shape(top->ui.model) == TOP_TREE;
        struct client_params params = ask_params(&top->ctl->options);
        struct wire_cursor answer;
        char columns[256];
        int r;

        /* Sorted and limited by top itself: rates are known only after the answer. */
        params.sort = NULL;
        params.limit = 0;
        params.columns = columns;
        /* A collector of another version may not support it. */
        if (!tree && !strcmp(client_peer_version(top->ctl->client), SPANALLOC_VERSION))
                params.since_answer = &since_answer;
        choose_columns(top, texts, columns, sizeof(columns));
        r = client_ask(top->ctl->client, tree ? "tree" : "spans", &params, &top->error);
        if (r == 0)
                r = client_wait(top->ctl->client, &top->error);
        if (r == 0)
                r = client_take_raw(top->ctl->client, &answer, &top->error);
        if (r < 0)
                return r;
        r = top_samples_read(&top->samples, answer);
        return not_read(top, r);
}

/* Queries new rows again, with their texts. */
static int ask_new_rows(struct top *top) {
        char columns[sizeof(top->columns)];
        uint64_t since_answer;
        int r;

        choose_columns(top, false, columns, sizeof(columns));
        since_answer = strcmp(columns, top->columns) ? 0 : top_model_answer(top->ui.model);
        memcpy(top->columns, columns, sizeof(columns));
        /* The model's rows came over another connection. */
        if (!top->answered)
                return ask_rows(top, true, 0);
        r = ask_rows(top, false, since_answer);
        if (r == 0 && !top_model_knows(top->ui.model, &top->samples))
                r = ask_rows(top, true, since_answer);
        return r;
}

/* With --json every column is to be printed: the same rows, whole. */
static int ask_whole_rows(struct top *top) {
        struct client_params params = ask_params(&top->ctl->options);
        struct table *spans = NULL;
        int r;

        params.sort = NULL;
        params.limit = 0;
        r = client_call(top->ctl->client, "spans", &params, &spans, &top->error);
        if (r < 0)
                return r;
        table_free(top->spans);
        top->spans = spans;
        return not_read(top, top_samples_take(&top->samples, spans));
}

/* Of many processes not each time: the collector reads each one's memory from the kernel. */
static bool wants_memory(struct top *top) {
        enum { MANY = 30, EVERY = 5 };
        uint64_t processes = top_model_summary(top->ui.model)->processes;

        if (top->ui.mode == TOP_MODE_PROCESSES || top->ui.mode == TOP_MODE_PROCESS)
                return true;
        return !top->answered || processes < MANY || top->refreshes++ % EVERY == 0;
}

static int ask_all(struct top *top, struct table **ret_processes, struct table **ret_status) {
        const struct options *options = &top->ctl->options;
        struct client_params processes = {
                .pid = (pid_t)options->pid,
                .unit = options->unit,
                .columns = wants_memory(top) ? TOP_COLUMNS_PS TOP_COLUMNS_MEMORY : TOP_COLUMNS_PS,
        };
        struct client *client = top->ctl->client;
        int r;

        r = client_call(client, "status", NULL, ret_status, &top->error);
        if (r == 0)
                r = client_call(client, "ps", &processes, ret_processes, &top->error);
        if (r == 0 && options->json)
                return ask_whole_rows(top);
        return r < 0 ? r : ask_new_rows(top);
}

/* Leaves the rows that the list's row sums; of what is outside of spans, those of threads of its name. */
static int keep_summed(const struct top *top, struct table *spans) {
        const struct top_details *details = &top->ui.details;
        bool outside = top_row_is_outside(&details->row), *keep = calloc(spans->row_count + 1, sizeof(*keep));
        char buf[OUTSIDE_LABEL_MAX];

        for (size_t row = 0; keep && row < spans->row_count; row++) {
                const char *name = outside_or_span(spans, row, buf);

                keep[row] = outside == outside_is(spans, row) && (!outside || !strcmp(name, details->span)) &&
                            (details->process || top_model_sums(top->ui.model, table_uint(spans, row, "process"), name,
                                                                table_text(spans, row, "path")));
        }
        if (keep)
                table_keep_rows(spans, keep);
        free(keep);
        return keep ? 0 : -ENOMEM;
}

/* Leaves the rows of processes that are in `spans`; the rows of one process stand side by side. */
static int keep_processes(struct table *tree, const struct table *spans) {
        bool *keep = calloc(tree->row_count + 1, sizeof(*keep));
        uint64_t process, before = 0;

        for (size_t row = 0; keep && row < tree->row_count; row++, before = process) {
                process = table_uint(tree, row, "process");
                if (row && process == before) {
                        keep[row] = keep[row - 1];
                        continue;
                }
                for (size_t i = 0; i < spans->row_count; i++)
                        keep[row] |= table_uint(spans, i, "process") == process;
        }
        if (keep)
                table_keep_rows(tree, keep);
        free(keep);
        return keep ? 0 : -ENOMEM;
}

/* Of what is outside of spans there is no tree. */
static int ask_outside(struct top *top, const struct client_params *params) {
        struct table *spans = NULL;
        int r = client_call(top->ctl->client, "spans", params, &spans, &top->error);

        if (r < 0)
                return r;
        if (keep_summed(top, spans) < 0) {
                table_free(spans);
                return no_memory(top);
        }
        top_ui_take_details(&top->ui, spans, NULL);
        return 0;
}

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

static int ask_details(struct top *top) {
        struct top_details *details = &top->ui.details;
        bool outside = top_row_is_outside(&details->row);
        struct client_params params = params_of_details(top);
        struct table *spans = NULL, *tree = NULL;
        int r;

        params.span = outside ? WIRE_OUTSIDE : details->span;
        params.columns = "process,pid,span,path,site,quality,opened,closed,open,cycles,alloc_count,alloc_bytes,"
                         "dealloc_count,dealloc_bytes,net_bytes,self_alloc_count,self_alloc_bytes,"
                         "alloc_bytes_rate_10s,alloc_bytes_rate_1m,alloc_bytes_rate_10m,migrated,aborted,refused,"
                         "per_call,per_call_histogram,threads,busy_ns,self_busy_ns,timed_calls,timed_calls_ns,"
                         "timed_call_max_ns,timed_calls_per_1000s,thread,calls,calls_net_bytes,"
                         "net_per_call_histogram";
        if (outside)
                return ask_outside(top, &params);
        r = client_call(top->ctl->client, "spans", &params, &spans, &top->error);
        if (r < 0)
                return r;
        params.span = NULL;
        params.filter = details->span;
        params.columns = "process,depth,span,path,alloc_bytes,self_alloc_bytes";
        r = client_call(top->ctl->client, "tree", &params, &tree, &top->error);
        if (r == 0 && (keep_summed(top, spans) < 0 || keep_processes(tree, spans) < 0))
                r = no_memory(top);
        if (r < 0) {
                table_free(spans);
                table_free(tree);
                return r;
        }
        top_ui_take_details(&top->ui, spans, tree);
        return 0;
}

static void note_away(struct top *top) {
        struct top_ui *ui = &top->ui;

        top->ctl->client = client_free(top->ctl->client);
        ui->connected = false;
        snprintf(ui->trouble, sizeof(ui->trouble), "%s", top->error.text);
        top->answered = false;
}

/* A restarted collector begins with new sums, and the sums alone do not show that. */
static void note_restart(struct top *top, const struct top_summary *before) {
        const struct top_summary *now = top_model_summary(top->ui.model);
        bool had_any = before->collector || before->started;
        char clock[FORMAT_MAX];

        if (!had_any || (now->collector == before->collector && now->started == before->started))
                return;
        snprintf(top->ui.restarted, sizeof(top->ui.restarted), "%.8s the collector was started again: %s",
                 format_clock(clock, now->time_ns), now->took_over ? "sums go on" : "new sums");
        top->restarts++;
}

/* Sends the request of a key.  If the request fails, top goes on. */
static void set_timing(struct top *top) {
        struct top_timing wish = top->ui.timing;
        struct client_params params = {
                .process = wish.process,
                .unit = wish.process ? NULL : wish.unit,
                .on = &wish.on,
        };
        struct table *table = NULL;

        top->ui.timing.wanted = false;
        if (client_call(top->ctl->client, "timing", &params, &table, &top->error) < 0)
                snprintf(top->ui.message, sizeof(top->ui.message), "%.250s", top->error.text);
        else
                snprintf(top->ui.message, sizeof(top->ui.message), "Timestamps are %s for %llu process%s; T %s",
                         wish.on ? "on" : "off", (unsigned long long)table_uint(table, 0, "processes"),
                         table_uint(table, 0, "processes") == 1 ? "" : "es", wish.on ? "ends them" : "begins them");
        table_free(table);
}

/* Queries the data of one screen, over a new connection if there is none. */
static int ask(struct top *top, struct table **ret_processes, struct table **ret_status) {
        int r = top->ctl->client ? 0 : connect_again(top);

        /* The process may have another number now. */
        if (r == 0 && !top->answered && (top->ui.mode == TOP_MODE_DETAILS || top->ui.mode == TOP_MODE_PROCESS))
                top->ui.mode = TOP_MODE_LIST;
        if (r == 0 && top->ui.timing.wanted)
                set_timing(top);
        if (r == 0)
                r = ask_all(top, ret_processes, ret_status);
        if (r == 0 && top->ui.mode == TOP_MODE_DETAILS)
                r = ask_details(top);
        return r;
}

/* Feeds the answers to the model.  Consumes `processes`. */
static int feed(struct top *top, struct table *processes, const struct table *status) {
        struct top_summary before = *top_model_summary(top->ui.model);
        int r;

        top->ui.connected = true;
        /* Rates and rows go on only over one connection: another collector may number its processes in another way. */
        if (!top->answered) {
                top_model_forget(top->ui.model);
                top->ui.processes.selected = 0;
        }
        top->answered = true;
        r = top_model_feed(top->ui.model, &top->samples, processes, status);
        if (r < 0)
                return no_memory(top);
        note_restart(top, &before);
        return 0;
}

int top_refresh(struct top *top) {
        struct table *processes = NULL, *status = NULL;
        int r;

        top->ui.ask_now = false;
        r = ask(top, &processes, &status);
        if (r == 0) {
                r = feed(top, processes, status);
        } else {
                table_free(processes);
                note_away(top);
        }
        table_free(status);
        return r;
}
