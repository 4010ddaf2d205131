/* SPDX-License-Identifier: MIT */
/*
 * A refresh as a sequence of steps: each makes a request, takes its answer, and names the next step.  What is asked is in
 * top_requests.c.  How often is for top_screen.c and top_batch.c, when to end for top.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/output/format.h"
#include "ctl/rows/outside.h"
#include "ctl/top/top_refresh.h"
#include "ctl/top/top_requests.h"

/* An answer that is awaited for as long is late: it is said, and keys that need one are refused. */
enum { LATE_S = 3 };

static int no_memory(struct top *top) {
        top->error = (struct client_error){ENOMEM, CLIENT_ERROR_FAILED, "out of memory"};
        return -ENOMEM;
}

/* The client has not seen this error: the sentence is made here.  Passes others on. */
static int not_read(struct top *top, int r) {
        if (r == -EBADMSG)
                return client_fail_form(top->ctl->client, &top->error);
        return r < 0 ? no_memory(top) : r;
}

/* ---------------------------------------------------------------------------------------- answers: timing -- */

/* A key's request that could not be sent soon is not sent. */
static int first_step(struct top *top) {
        struct top_timing *wish = &top->ui.timing;

        if (wish->wanted && clock_monotonic_ns() >= wish->at_ns + LATE_S * NS_PER_S)
                top_timing_refuse(&top->ui);
        return top->ui.timing.wanted ? TOP_STEP_TIMING : TOP_STEP_STATUS;
}

static int take_hello(struct top *top) {
        int r = client_take_hello(top->ctl->client, &top->error);

        return r < 0 ? r : first_step(top);
}

/* If the request of a key is refused, the refresh goes on. */
static int take_timing(struct top *top) {
        struct top_round *round = &top->round;
        bool on = round->timing_on;
        struct table *table = NULL;
        uint64_t processes;

        if (client_take(top->ctl->client, &table, &top->error) < 0) {
                if (top->error.kind == CLIENT_ERROR_UNREACHABLE)
                        return -top->error.code;
                snprintf(round->said, sizeof(round->said), "%.250s", top->error.text);
                if (!top->ui.timing.wanted)
                        top->ui.timing.unseen = false;
                return TOP_STEP_STATUS;
        }
        processes = table_uint(table, 0, "processes");
        snprintf(round->said, sizeof(round->said), "Timestamps are %s for %llu process%s; T %s", on ? "on" : "off",
                 (unsigned long long)processes, processes == 1 ? "" : "es", on ? "ends them" : "begins them");
        table_free(table);
        return TOP_STEP_STATUS;
}

/* ------------------------------------------------------------------------------------------ answers: rows -- */

static int take_status(struct top *top) {
        int r = client_take(top->ctl->client, &top->round.status, &top->error);

        return r < 0 ? r : TOP_STEP_PROCESSES;
}

static int take_processes(struct top *top) {
        int r = client_take(top->ctl->client, &top->round.processes, &top->error);

        if (r < 0)
                return r;
        return top->ctl->options.json ? TOP_STEP_WHOLE_ROWS : TOP_STEP_ROWS;
}

/* Numbers of processes are of one connection: details that were opened over another one are closed by then. */
static int step_after_rows(const struct top *top) {
        return top->ui.mode == TOP_MODE_DETAILS && top->answered ? TOP_STEP_DETAILS : TOP_STEP_NONE;
}

/* True if a key changed what rows are of, after they were asked for. */
static bool are_stale(const struct top *top) {
        return top->round.epoch != top_model_epoch(top->ui.model);
}

static int take_rows(struct top *top) {
        struct wire_cursor answer;
        int r;

        if (are_stale(top))
                return TOP_STEP_NONE;
        r = client_take_raw(top->ctl->client, &answer, &top->error);
        if (r < 0 && top_request_is_lacking(top))
                return TOP_STEP_ROWS;
        if (r == 0)
                r = not_read(top, top_samples_read(&top->samples, answer));
        if (r < 0)
                return r;
        if (top->round.step == TOP_STEP_ROWS && top->answered && !top_model_knows(top->ui.model, &top->samples))
                return TOP_STEP_NEW_ROWS;
        return step_after_rows(top);
}

static int take_whole_rows(struct top *top) {
        struct table *spans = NULL;
        int r = client_take(top->ctl->client, &spans, &top->error);

        if (r < 0)
                return r;
        table_free(top->spans);
        top->spans = spans;
        r = not_read(top, top_samples_take(&top->samples, spans));
        return r < 0 ? r : step_after_rows(top);
}

/* --------------------------------------------------------------------------------------- answers: details -- */

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

/* True if the details that were asked for are still open. */
static bool details_are_open(const struct top *top) {
        return top->ui.mode == TOP_MODE_DETAILS && top->ui.details.number == top->round.details;
}

/* Of what is outside of spans there is no tree. */
static int take_details(struct top *top) {
        struct top_round *round = &top->round;
        int r = client_take(top->ctl->client, &round->details_spans, &top->error);

        if (r < 0 && top_request_is_lacking(top))
                return TOP_STEP_DETAILS;
        if (r < 0)
                return r;
        if (!details_are_open(top))
                return TOP_STEP_NONE;
        if (keep_summed(top, round->details_spans) < 0)
                return no_memory(top);
        return top_row_is_outside(&top->ui.details.row) ? TOP_STEP_NONE : TOP_STEP_DETAILS_TREE;
}

static int take_details_tree(struct top *top) {
        struct top_round *round = &top->round;
        int r = client_take(top->ctl->client, &round->details_tree, &top->error);

        if (r < 0)
                return r;
        return keep_processes(round->details_tree, round->details_spans) < 0 ? no_memory(top) : TOP_STEP_NONE;
}

/* ------------------------------------------------------------------------------------------------- the end -- */

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

/* Feeds the answers to the model. */
static int feed(struct top *top) {
        struct top_summary before = *top_model_summary(top->ui.model);
        struct table *processes = top->round.processes;
        int r;

        top->ui.connected = true;
        /* Rates and rows go on only over one connection: another collector may number its processes in another way. */
        if (!top->answered) {
                top_model_forget(top->ui.model);
                top_ui_forget_processes(&top->ui);
        }
        top->answered = true;
        top->round.processes = NULL;
        r = top_model_feed(top->ui.model, &top->samples, processes, top->round.status);
        if (r < 0)
                return no_memory(top);
        note_restart(top, &before);
        return 0;
}

void top_round_deinit(struct top_round *round) {
        table_free(round->status);
        table_free(round->processes);
        table_free(round->details_spans);
        table_free(round->details_tree);
        *round = (struct top_round){0};
}

/* True if the screen is to stay as it is.  Answers are read all the same: a collector drops a connection that is not read. */
static bool is_paused(const struct top *top) {
        return top->ui.paused && !top->ui.ask_now && !top->round.by_key;
}

static void say(struct top *top, const char *text) {
        if (*text)
                snprintf(top->ui.message, sizeof(top->ui.message), "%.250s", text);
}

/* The model does not have these rows, so the next request is for all rows. */
static int discard(struct top *top) {
        top_round_deinit(&top->round);
        top->columns[0] = '\0';
        top->ui.silent_s = 0;
        return TOP_REFRESH_DISCARDED;
}

static int finish(struct top *top) {
        struct top_round *round = &top->round;
        int r = 0;

        if (is_paused(top))
                return discard(top);
        say(top, round->said);
        if (!are_stale(top)) {
                r = feed(top);
                if (r < 0)
                        say(top, top->error.text);
                else if (!top->ui.timing.wanted)
                        top->ui.timing.unseen = false;
                if (r == 0 && round->details_spans && details_are_open(top)) {
                        top_ui_take_details(&top->ui, round->details_spans, round->details_tree);
                        round->details_spans = round->details_tree = NULL;
                }
        }
        top_round_deinit(round);
        top->ui.silent_s = 0;
        return r < 0 ? r : TOP_REFRESH_FINISHED;
}

/* A request of a key is never sent over a later connection. */
static int fail(struct top *top, int r) {
        say(top, top->round.said);
        if (top->round.step == TOP_STEP_TIMING)
                top_timing_lose(&top->ui);
        else if (top->ui.timing.wanted)
                top_timing_refuse(&top->ui);
        top->ui.timing.unseen = false;
        top_round_deinit(&top->round);
        top->ui.silent_s = 0;
        note_away(top);
        return r;
}

/* -------------------------------------------------------------------------------------------------- steps -- */

static const struct {
        int (*ask)(struct top *top);
        int (*take)(struct top *top); /* the next step, or -errno */
} steps[TOP_STEPS] = {
        [TOP_STEP_HELLO] = {NULL, take_hello}, /* asked when it connects */
        [TOP_STEP_TIMING] = {top_request_timing, take_timing},
        [TOP_STEP_STATUS] = {top_request_status, take_status},
        [TOP_STEP_PROCESSES] = {top_request_processes, take_processes},
        [TOP_STEP_ROWS] = {top_request_rows, take_rows},
        [TOP_STEP_NEW_ROWS] = {top_request_new_rows, take_rows},
        [TOP_STEP_WHOLE_ROWS] = {top_request_whole_rows, take_whole_rows},
        [TOP_STEP_DETAILS] = {top_request_details, take_details},
        [TOP_STEP_DETAILS_TREE] = {top_request_details_tree, take_details_tree},
};

bool top_refresh_is_under_way(const struct top *top) {
        return top->round.step != TOP_STEP_NONE;
}

int top_refresh_advance(struct top *top) {
        struct top_round *round = &top->round;
        int r = 0;

        while (top_refresh_is_under_way(top)) {
                if (!round->asked && steps[round->step].ask)
                        r = steps[round->step].ask(top);
                if (!round->asked)
                        round->asked_ns = clock_monotonic_ns();
                round->asked = true;
                if (r == 0)
                        r = client_progress(top->ctl->client, &top->error);
                if (r == CLIENT_PENDING)
                        return TOP_REFRESH_PENDING;
                if (r > 0)
                        r = steps[round->step].take(top);
                if (r < 0)
                        return fail(top, r);
                round->step = (enum top_step)r;
                round->asked = false;
                r = 0;
        }
        return finish(top);
}

/* Over the present connection, or a new one. */
static int begin(struct top *top, bool wait) {
        int r = 0;

        top->round = (struct top_round){.by_key = top->ui.ask_now, .step = (enum top_step)first_step(top)};
        top->ui.ask_now = false;
        if (!top->ctl->client) {
                top->lacks_net = false;
                if (!wait)
                        top->round.step = TOP_STEP_HELLO;
                r = top_request_hello(top, wait);
        }
        return r < 0 ? fail(top, r) : top_refresh_advance(top);
}

int top_refresh_begin(struct top *top) {
        return begin(top, false);
}

int top_refresh(struct top *top) {
        int r = begin(top, true);

        while (r == 0) {
                r = client_wait(top->ctl->client, &top->error);
                r = r < 0 ? fail(top, r) : top_refresh_advance(top);
        }
        return r < 0 ? r : 0;
}

bool top_refresh_note_silence(struct top *top, uint64_t now_ns) {
        const struct top_round *round = &top->round;
        uint64_t s = top_refresh_is_under_way(top) && now_ns > round->asked_ns ? (now_ns - round->asked_ns) / NS_PER_S
                                                                               : 0;
        unsigned before = top->ui.silent_s;

        /* A refresh has several requests: the answer to one of them does not end the silence. */
        if (s >= LATE_S && s > before)
                top->ui.silent_s = s < UINT32_MAX ? (unsigned)s : UINT32_MAX;
        if (!top->ui.silent_s)
                return false;
        if (top->ui.timing.wanted)
                top_timing_refuse(&top->ui);
        else if (!before && round->step == TOP_STEP_TIMING)
                top_timing_doubt(&top->ui);
        return top->ui.silent_s != before;
}
