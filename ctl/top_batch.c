/*
 * top on a pipe: plain screens one after another, or documents.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "ctl/json.h"
#include "ctl/render.h"
#include "ctl/top.h"
#include "ctl/top_view.h"

enum { BATCH_WIDTH = 132 };
/* Between the first two answers: the first screen has rates already, and does not let anybody wait. */
#define FIRST_DELAY_NS UINT64_C(500000000)

static void wait_until(uint64_t at_ns) {
        struct timespec at = {(time_t)(at_ns / 1000000000), (long)(at_ns % 1000000000)};

        while (!top_interrupted() && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
                ;
}

static void put_line(char *line) {
        size_t n = strlen(line);

        while (n && line[n - 1] == ' ')
                line[--n] = '\0';
        puts(line);
}

static void print_screen(const struct top *top, bool first) {
        const struct options *options = &top->ctl->options;
        size_t width = render_width(options), n = top_model_count(top->model);
        struct top_layout layout;
        char line[TOP_LINE_MAX];

        top_layout_init(&layout, width ? width : BATCH_WIDTH);
        if (!first)
                putchar('\n');
        if (!options->no_legend) {
                top_view_header(top->model, layout.width, line);
                put_line(line);
                top_view_heading(&layout, line);
                put_line(line);
        }
        for (size_t i = 0; i < n && (!options->limit || i < options->limit); i++) {
                top_view_row(&layout, top_model_row(top->model, i), line);
                put_line(line);
        }
}

static int add_rates(struct json *json, const struct top_row *row) {
        int r = 0;

        if (!row->rated)
                return 0;
        r = json_extend_last(json, "spans", "alloc_bytes_rate", (int64_t)row->alloc_bytes_rate);
        if (r == 0)
                r = json_extend_last(json, "spans", "alloc_count_rate", (int64_t)row->alloc_count_rate);
        if (r == 0)
                r = json_extend_last(json, "spans", "net_bytes_rate", row->net_bytes_rate);
        if (r == 0)
                r = json_extend_last(json, "spans", "closed_rate", (int64_t)row->closed_rate);
        return r;
}

static int add_summary(struct json *json, const struct top_summary *summary) {
        int r = json_add_uint(json, "top", "processes", summary->processes);

        if (r == 0)
                r = json_add_uint(json, "top", "threads", summary->threads);
        if (r == 0)
                r = json_add_uint(json, "top", "records_rate", summary->records_rate);
        if (r == 0)
                r = json_add_uint(json, "top", "refused", summary->refused);
        if (r == 0)
                r = json_add_uint(json, "top", "uncounted", summary->uncounted);
        if (r == 0)
                r = json_add_uint(json, "top", "coverage_ppm", summary->coverage_ppm);
        return r;
}

/* Rows sorted as on a screen, each with all of its columns and the rates between the last two answers. */
static int print_document(const struct top *top) {
        const struct table *table = top_model_table(top->model);
        size_t n = top_model_count(top->model);
        struct json *json = NULL;
        int r = json_new(&json, table->time_ns, table->complete);

        if (r == 0)
                r = add_summary(json, top_model_summary(top->model));
        if (r == 0)
                r = json_add_array(json, "spans");
        for (size_t i = 0; i < n && r == 0 && (!top->ctl->options.limit || i < top->ctl->options.limit); i++) {
                const struct top_row *row = top_model_row(top->model, i);

                r = json_append_row(json, "spans", table, row->index, NULL);
                if (r == 0)
                        r = add_rates(json, row);
        }
        if (r == 0)
                r = json_print(json, stdout, JSON_SHORT);
        json_free(json);
        return r;
}

/* Prints one screen, or that there is none.  0, or -errno of the output. */
static int print_one(struct top *top, bool first) {
        if (!top->connected) {
                if (!top->was_away)
                        ctl_fail(0, "%s; trying again", top->error.text);
                top->was_away = true;
                return 0;
        }
        top->was_away = false;
        if (top->ctl->options.json)
                return print_document(top);
        print_screen(top, first);
        return fflush(stdout) == EOF ? -errno : 0;
}

int top_batch(struct top *top) {
        uint64_t count = top->ctl->options.count, start = top_now();
        int r = 0;

        wait_until(start + (top->delay_ns < FIRST_DELAY_NS ? top->delay_ns : FIRST_DELAY_NS));
        for (uint64_t i = 0; !top_interrupted() && (!count || i < count); i++) {
                if (i)
                        wait_until(start += top->delay_ns);
                else
                        start = top_now();
                if (top_interrupted())
                        break;
                if (top_refresh(top) < 0 && top->error.exit_code != CTL_UNREACHABLE)
                        return ctl_fail(top->error.exit_code, "%s", top->error.text);
                r = print_one(top, i == 0);
                if (r < 0)
                        break;
        }
        /* Whoever read this has read enough. */
        if (r == -EPIPE)
                return CTL_OK;
        if (r < 0)
                return ctl_fail(CTL_FAILURE, "The screen cannot be written: %s.", strerror(-r));
        return top->connected ? CTL_OK : CTL_UNREACHABLE;
}
