/* SPDX-License-Identifier: MIT */
/*
 * top on a pipe: plain screens one after another, or documents.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "ctl/output/json.h"
#include "ctl/output/render.h"
#include "ctl/session/fail.h"
#include "ctl/top/top_batch.h"
#include "ctl/top/top_signals.h"

enum { BATCH_WIDTH = 132, BATCH_RAW_WIDTH = 180 };
/* The time between the first two answers: short, as the first screen already needs rates. */
#define FIRST_DELAY_NS UINT64_C(500000000)

static void wait_until(uint64_t at_ns) {
        struct timespec at = {(time_t)(at_ns / NS_PER_S), (long)(at_ns % NS_PER_S)};

        while (!top_interrupted() && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
                ;
}

static void print_line(const struct top_page *page, size_t y) {
        const char *text = page->lines[y].text;
        size_t n = strlen(text);

        while (n && text[n - 1] == ' ')
                n--;
        printf("%.*s\n", (int)n, text);
}

/* Lines one by one over a page of one line: there may be very many. */
static int print_screen(struct top *top, bool first) {
        const struct options *options = &top->ctl->options;
        const struct top_model *model = top->ui.model;
        size_t width = render_width(options), n = top_model_count(model);
        struct top_page page = {0};
        struct top_row row;
        int r = 0;

        width = width ? width : options->raw ? BATCH_RAW_WIDTH : BATCH_WIDTH;
        top_layout_init(&top->ui.layout, width, top_layout_wish(model, options->raw));
        if (!first)
                putchar('\n');
        if (!options->no_legend) {
                if (*top->ui.restarted)
                        printf("-- %s\n", top->ui.restarted);
                r = top_page_begin(&page, width, 1);
                if (r == 0) {
                        top_view_header(model, true, &page, 0);
                        print_line(&page, 0);
                        r = top_page_begin(&page, width, 1);
                }
                if (r == 0) {
                        top_view_heading(&top->ui.layout, model, &page, 0);
                        print_line(&page, 0);
                }
        }
        for (size_t i = 0; i < n && (!options->limit || i < options->limit) && r == 0; i++) {
                r = top_page_begin(&page, width, 1);
                if (r < 0)
                        break;
                top_model_row(model, i, &row);
                top_view_row(&top->ui.layout, &row, false, &page, 0);
                print_line(&page, 0);
        }
        top->ui.restarted[0] = '\0';
        top_page_deinit(&page);
        return r < 0 ? r : fflush(stdout) == EOF ? -errno : 0;
}

static int add_rates(struct json *json, const struct top_rates *rates) {
        int r = 0;

        if (!rates->known)
                return 0;
        r = json_extend_last(json, "spans", "alloc_bytes_rate", (int64_t)rates->alloc_bytes);
        if (r == 0)
                r = json_extend_last(json, "spans", "alloc_count_rate", (int64_t)rates->alloc_count);
        if (r == 0)
                r = json_extend_last(json, "spans", "net_bytes_rate", rates->net_bytes);
        if (r == 0)
                r = json_extend_last(json, "spans", "closed_rate", (int64_t)rates->closed);
        return r;
}

static int add_memory(struct json *json, const struct top_summary *summary) {
        int r = 0;

        if (summary->heap_known)
                r = json_add_int(json, "top", "heap_bytes", summary->heap_bytes);
        if (r == 0 && summary->rss_known)
                r = json_add_uint(json, "top", "rss_bytes", summary->rss_bytes);
        if (r == 0 && summary->rates_known && summary->heap_known)
                r = json_add_int(json, "top", "heap_bytes_rate", summary->heap_rate);
        if (r == 0 && summary->rates_known)
                r = json_add_uint(json, "top", "alloc_bytes_rate", summary->alloc_rate);
        return r;
}

static int add_summary(struct json *json, const struct top_summary *summary) {
        int r = json_add_uint(json, "top", "processes", summary->all_processes);

        if (r == 0)
                r = json_add_uint(json, "top", "threads", summary->all_threads);
        if (r == 0)
                r = json_add_uint(json, "top", "records_rate", summary->records_rate);
        if (r == 0)
                r = json_add_uint(json, "top", "refused", summary->all_refused);
        if (r == 0)
                r = json_add_uint(json, "top", "uncounted", summary->uncounted);
        if (r == 0)
                r = json_add_uint(json, "top", "coverage_ppm", summary->coverage_ppm);
        if (r == 0)
                r = json_add_uint(json, "top", "ring_fill_ppm", summary->ring_fill_ppm);
        if (r == 0)
                r = json_add_uint(json, "top", "chosen_processes", summary->processes);
        if (r == 0)
                r = json_add_uint(json, "top", "chosen_threads", summary->threads);
        return r == 0 ? add_memory(json, summary) : r;
}

static int compare_rows(const void *a, const void *b) {
        const uint64_t *x = a, *y = b;

        return x[0] != y[0] ? (x[0] < y[0] ? -1 : 1) : x[1] < y[1] ? -1 : x[1] > y[1];
}

/* Where each process and key is in the table: process, key, row, sorted. */
static uint64_t (*index_rows(const struct table *table))[3] {
        uint64_t(*rows)[3] = calloc(table->row_count + 1, sizeof(*rows));

        for (size_t i = 0; rows && i < table->row_count; i++) {
                rows[i][0] = table_uint(table, i, "process");
                rows[i][1] = table_uint(table, i, "key");
                rows[i][2] = i;
        }
        if (rows)
                qsort(rows, table->row_count, sizeof(*rows), compare_rows);
        return rows;
}

/* Rows sorted as on a screen, each with all of its columns and the rates between the last two answers. */
static int add_rows(struct json *json, const struct top *top) {
        const struct table *table = top->spans;
        size_t n = top_model_count(top->ui.model);
        uint64_t(*rows)[3] = index_rows(table);
        int r = rows ? json_add_array(json, "spans") : -ENOMEM;

        for (size_t i = 0; i < n && r == 0 && (!top->ctl->options.limit || i < top->ctl->options.limit); i++) {
                uint64_t key[2], (*found)[3];
                struct top_row row;

                top_model_row(top->ui.model, i, &row);
                key[0] = row.process;
                key[1] = row.key;
                found = bsearch(key, rows, table->row_count, sizeof(*rows), compare_rows);
                if (!found)
                        continue;
                r = json_append_row(json, "spans", table, (*found)[2], NULL);
                if (r == 0)
                        r = add_rates(json, &row.rates);
        }
        free(rows);
        return r;
}

static int print_document(const struct top *top) {
        struct json *json = NULL;
        int r = json_new(&json, top->spans->time_ns, top->spans->complete);

        if (r == 0)
                r = add_summary(json, top_model_summary(top->ui.model));
        if (r == 0)
                r = add_rows(json, top);
        if (r == 0)
                r = json_print(json, stdout, JSON_SHORT);
        json_free(json);
        return r;
}

/* Prints one screen, or why there is none.  0, or -errno if the output failed. */
static int print_one(struct top *top, bool first) {
        if (!top->ui.connected) {
                if (!top->was_away)
                        ctl_fail(0, "%s%s; trying again", top->error.text, ctl_advice(&top->error));
                top->was_away = true;
                return 0;
        }
        top->was_away = false;
        if (top->ctl->options.json)
                return print_document(top);
        return print_screen(top, first);
}

int top_batch(struct top *top) {
        uint64_t count = top->ctl->options.count, start = clock_monotonic_ns();
        int r = 0;

        wait_until(start + (top->delay_ns < FIRST_DELAY_NS ? top->delay_ns : FIRST_DELAY_NS));
        for (uint64_t i = 0; !top_interrupted() && (!count || i < count); i++) {
                if (i)
                        wait_until(start += top->delay_ns);
                else
                        start = clock_monotonic_ns();
                if (top_interrupted())
                        break;
                if (top_refresh(top) < 0 && top->error.kind != CLIENT_ERROR_UNREACHABLE)
                        return ctl_fail_client(&top->error);
                r = print_one(top, i == 0);
                if (r < 0)
                        break;
        }
        /* The reader has closed the pipe: no error. */
        if (r == -EPIPE)
                return CTL_OK;
        if (r < 0)
                return ctl_fail(CTL_FAILURE, "cannot write the screen: %s", strerror(-r));
        return top->ui.connected ? CTL_OK : CTL_UNREACHABLE;
}
