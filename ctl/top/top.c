/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "ctl/output/format.h"
#include "ctl/top/top.h"
#include "ctl/verbs/ask.h"

enum { ANSWER_TIMEOUT_MS = 3000 };
#define DELAY_NS NS_PER_S

static volatile sig_atomic_t interrupted;

static void on_signal(int signal) {
        interrupted = 1;
}

bool top_interrupted(void) {
        return interrupted;
}

static int connect_again(struct top *top) {
        const struct options *options = &top->ctl->options;
        struct client_options client = {
                .socket = options->socket,
                .scope = ask_scope(options),
                .timeout_ms = ANSWER_TIMEOUT_MS,
        };

        return client_new(&top->ctl->client, &client, &top->error);
}

/* What a row needs is known before it is asked for: texts only of rows that are new, percentiles only to be shown. */
static void choose_columns(const struct top *top, bool texts, char *buf, size_t size) {
        bool tree = top_model_shape(top->ui.model) == TOP_TREE;
        bool p99 = top_model_sorted_by(top->ui.model) == TOP_P99 || top->ctl->options.batch;

        for (size_t i = 0; i < top->ui.layout.count; i++)
                p99 |= top->ui.layout.columns[i].column == TOP_P99;
        snprintf(buf, size, "%s%s%s%s%s", TOP_COLUMNS_ROWS, tree ? TOP_COLUMNS_TREE : "", texts ? TOP_COLUMNS_TEXT : "",
                 p99 ? TOP_COLUMNS_P99 : "", top_model_wants_time(top->ui.model) ? TOP_COLUMNS_TIME : "");
}

/* Of what is unchanged since that answer no rows come; 0: all come. */
static int ask_rows(struct top *top, bool texts, uint64_t since_answer) {
        bool tree = top_model_shape(top->ui.model) == TOP_TREE;
        struct client_params params = ask_params(&top->ctl->options);
        struct wire_cursor answer;
        char columns[256];
        int r;

        /* Sorted and limited here: what allocates fastest is known only after the answer. */
        params.sort = NULL;
        params.limit = 0;
        params.columns = columns;
        /* A collector of another version may not know it. */
        if (!tree && !strcmp(client_peer_version(top->ctl->client), SPANALLOC_VERSION))
                params.since_answer = &since_answer;
        choose_columns(top, texts, columns, sizeof(columns));
        r = client_call_raw(top->ctl->client, tree ? "tree" : "spans", &params, &answer, &top->error);
        if (r < 0)
                return r;
        r = top_samples_read(&top->samples, answer);
        return r == -EBADMSG ? client_fail_form(top->ctl->client, &top->error) : r;
}

/* Rows that are new are asked for again, with their texts. */
static int ask_new_rows(struct top *top) {
        char columns[sizeof(top->columns)];
        uint64_t since_answer;
        int r;

        choose_columns(top, false, columns, sizeof(columns));
        since_answer = strcmp(columns, top->columns) ? 0 : top_model_answer(top->ui.model);
        memcpy(top->columns, columns, sizeof(columns));
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
        return top_samples_take(&top->samples, spans);
}

static int ask_all(struct top *top, struct table **ret_processes, struct table **ret_status) {
        const struct options *options = &top->ctl->options;
        struct client_params processes = {
                .pid = (pid_t)options->pid,
                .unit = options->unit,
                .columns = TOP_COLUMNS_PS,
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

static int ask_details(struct top *top) {
        struct top_details *details = &top->ui.details;
        struct client_params params = {
                .process = details->process,
                .span = details->span,
                .unit = details->process ? NULL : details->unit,
                .columns = "process,pid,span,path,site,quality,opened,closed,open,cycles,alloc_count,alloc_bytes,"
                           "dealloc_count,dealloc_bytes,net_bytes,self_alloc_count,self_alloc_bytes,"
                           "alloc_bytes_rate_10s,alloc_bytes_rate_1m,alloc_bytes_rate_10m,migrated,aborted,refused,"
                           "per_call,per_call_histogram,threads,busy_ns,self_busy_ns,timed_calls,timed_calls_ns,"
                           "timed_call_max_ns,timed_calls_per_1000s",
        };
        struct table *spans = NULL, *tree = NULL;
        int r;

        r = client_call(top->ctl->client, "spans", &params, &spans, &top->error);
        if (r < 0)
                return r;
        params = (struct client_params){
                .process = details->process,
                .unit = params.unit,
                .filter = details->span,
                .columns = "process,depth,span,path,alloc_bytes,self_alloc_bytes",
        };
        r = client_call(top->ctl->client, "tree", &params, &tree, &top->error);
        if (r < 0) {
                table_free(spans);
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
        top_model_forget(ui->model);
        if (ui->mode == TOP_MODE_DETAILS)
                ui->mode = TOP_MODE_LIST; /* the process has another number when it comes back */
}

/* A collector that was started again knows nothing of before: whoever looks at its numbers should know that. */
static void note_restart(struct top *top, const struct top_summary *before, bool had_any) {
        const struct top_summary *now = top_model_summary(top->ui.model);
        char clock[FORMAT_MAX];

        if (!had_any || (now->collector == before->collector && now->started == before->started))
                return;
        snprintf(top->ui.restarted, sizeof(top->ui.restarted), "%.8s the collector was started again: %s",
                 format_clock(clock, now->time_ns), now->took_over ? "sums go on" : "new sums");
        top->restarts++;
}

/* What a key asked for.  That it is not possible is no reason to be gone. */
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

int top_refresh(struct top *top) {
        struct table *processes = NULL, *status = NULL;
        struct top_summary before = *top_model_summary(top->ui.model);
        bool had_any = before.collector || before.started;
        int r = top->ctl->client ? 0 : connect_again(top);

        top->ui.ask_now = false;
        if (r == 0 && top->ui.timing.wanted)
                set_timing(top);
        if (r == 0)
                r = ask_all(top, &processes, &status);
        if (r == 0 && top->ui.mode == TOP_MODE_DETAILS)
                r = ask_details(top);
        if (r < 0) {
                table_free(processes);
                note_away(top);
        } else {
                top->ui.connected = true;
                r = top_model_feed(top->ui.model, &top->samples, processes, status);
                if (r < 0)
                        top->error = (struct client_error){ENOMEM, CTL_FAILURE, "Out of memory."};
                else
                        note_restart(top, &before, had_any);
        }
        table_free(status);
        return r;
}

static int choose_sort(struct top *top) {
        const char *sort = top->ctl->options.sort;
        bool descending = sort && *sort == '-';
        int column = sort ? top_model_find_column(sort + descending) : TOP_ALLOC_RATE;

        if (column < 0)
                return ctl_fail(CTL_USAGE,
                                "top cannot sort by \"%s\"; it can by unit, pid, span, alloc_bytes_rate_10s, "
                                "alloc_count, alloc_bytes, net_bytes, open, closed, per_call, timed_calls_ns, "
                                "busy_ns and quality.",
                                sort + descending);
        top_model_sort(top->ui.model, (enum top_column)column);
        if (sort)
                top_model_set_descending(top->ui.model, descending);
        return CTL_OK;
}

static int run(struct top *top) {
        const struct options *options = &top->ctl->options;
        struct sigaction action = {.sa_handler = on_signal}, ignore = {.sa_handler = SIG_IGN};
        int r = choose_sort(top);

        if (r != CTL_OK)
                return r;
        /* Without SA_RESTART, so that a wait ends; that a reader of the pipe left is seen where it is written. */
        sigaction(SIGINT, &action, NULL);
        sigaction(SIGTERM, &action, NULL);
        sigaction(SIGPIPE, &ignore, NULL);
        if (top_refresh(top) < 0)
                return ctl_fail(top->error.exit_code, "%s", top->error.text);
        if (!options->batch && !options->json && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
                r = top_screen(top);
                if (r != -ENOTTY)
                        return r;
        }
        return top_batch(top);
}

int verb_top(struct ctl *ctl, int argc, char **argv) {
        struct top top = {.ctl = ctl, .delay_ns = ctl->options.delay_ns ? ctl->options.delay_ns : DELAY_NS};
        int r = top_model_new(&top.ui.model);

        if (r < 0)
                return ctl_fail(CTL_FAILURE, "Out of memory.");
        top.ui.raw = ctl->options.raw;
        r = run(&top);
        top_ui_deinit(&top.ui);
        top_model_free(top.ui.model);
        top_samples_deinit(&top.samples);
        table_free(top.spans);
        return r;
}
