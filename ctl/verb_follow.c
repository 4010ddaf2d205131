/*
 * follow: one line for each span, as it closes.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "ctl/ask.h"
#include "ctl/format.h"
#include "ctl/render.h"
#include "ctl/text.h"

/* Fixed widths: there is no end to wait for, and what is longer moves its line only.  The name comes last. */
static const struct {
        const char *column, *heading;
        int width; /* below zero: to the left */
} view[] = {
        {"time_ns", "TIME", -12},      {"pid", "PID", 7},
        {"alloc_bytes", "ALLOC", 7},   {"alloc_count", "ALLOCS", 6},
        {"dealloc_bytes", "FREED", 7}, {"net_bytes", "NET", 8},
        {"cycles", "CYCLES", 6},       {"path", "SPAN", 0},
};
enum { VIEW_N = sizeof(view) / sizeof(view[0]), CHOSEN_WIDTH = 12, BEFORE_NAME = 60 };

static int print_cell(const char *text, int width, bool last) {
        return printf("%*s%s", last && width <= 0 ? 0 : width, text, last ? "\n" : " ");
}

/* The path where there is room for it, else the name alone, cut if it must be. */
static const char *fit_name(const struct options *options, const struct table *event, char buf[RENDER_CELL_MAX]) {
        const char *path = table_text(event, 0, "path"), *span = table_text(event, 0, "span");
        size_t width = render_width(options), room = width > BEFORE_NAME + 8 ? width - BEFORE_NAME : 8;

        if (!width || text_width(path) <= room)
                return path;
        if (text_width(span) <= room)
                return span;
        *buf = '\0';
        text_fit(buf, RENDER_CELL_MAX, span, room, false);
        return buf;
}

static int print_view(const struct options *options, const struct table *event) {
        char buf[RENDER_CELL_MAX], clock[FORMAT_MAX];
        int r = 0;

        for (size_t i = 0; i < VIEW_N && r >= 0; i++) {
                const char *text;

                if (i == VIEW_N - 1)
                        text = fit_name(options, event, buf);
                else if (i == 0)
                        text = format_clock(clock, table_uint(event, 0, "time_ns"));
                else
                        text = render_cell(event, 0, view[i].column, buf);
                r = print_cell(text, view[i].width, i == VIEW_N - 1);
        }
        return r < 0 ? -errno : 0;
}

static int print_chosen(const struct options *options, const struct table *event) {
        char buf[RENDER_CELL_MAX];
        int r = 0;

        for (size_t i = 0; i < options->n_columns && r >= 0; i++)
                r = print_cell(render_cell(event, 0, options->columns[i], buf), -CHOSEN_WIDTH,
                               i == options->n_columns - 1);
        return r < 0 ? -errno : 0;
}

static int print_legend(const struct options *options) {
        char heading[RENDER_HEADING_MAX];

        if (!options->n_columns)
                for (size_t i = 0; i < VIEW_N; i++)
                        print_cell(view[i].heading, view[i].width, i == VIEW_N - 1);
        for (size_t i = 0; i < options->n_columns; i++)
                print_cell(render_heading(options->columns[i], heading), -CHOSEN_WIDTH, i == options->n_columns - 1);
        return fflush(stdout) == EOF ? -errno : 0;
}

/* Always on one line, whatever form of JSON was asked for. */
static int print_span(const struct options *options, const struct table *event) {
        struct json_columns columns = {options->columns, options->n_columns};
        struct json *json = NULL;
        int r;

        if (!options->json) {
                r = options->n_columns ? print_chosen(options, event) : print_view(options, event);
                return r == 0 && fflush(stdout) == EOF ? -errno : r;
        }
        r = json_new(&json, table_uint(event, 0, "time_ns"), true);
        if (r == 0)
                r = json_add_row(json, NULL, event, 0, &columns);
        if (r == 0)
                r = json_print(json, stdout, JSON_SHORT);
        json_free(json);
        return r;
}

static int print_marker(const struct options *options, const struct client_marker *marker) {
        struct timespec now;
        struct json *json = NULL;
        int r;

        if (!options->json) {
                r = printf("-- %s: %" PRIu64 " closed spans are missing here\n", marker->reason, marker->dropped);
                return r < 0 || fflush(stdout) == EOF ? -errno : 0;
        }
        clock_gettime(CLOCK_REALTIME, &now);
        r = json_new(&json, (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec, false);
        if (r == 0)
                r = json_add_text(json, "marker", "reason", marker->reason);
        if (r == 0)
                r = json_add_uint(json, "marker", "dropped", marker->dropped);
        if (r == 0)
                r = json_print(json, stdout, JSON_SHORT);
        json_free(json);
        return r;
}

/* Waits for one event and prints it.  Exit status. */
static int show_next(struct ctl *ctl, uint64_t *seen) {
        struct client_marker marker;
        struct client_error error;
        struct table *event = NULL;
        int r = client_next(ctl->client, -1, &event, &marker, &error);

        if (r == -EINTR)
                return CTL_OK;
        if (r < 0)
                return ctl_fail(error.exit_code, "%s", error.text);
        if (r == CLIENT_SPAN) {
                ++*seen;
                r = print_span(&ctl->options, event);
        } else if (r == CLIENT_MARKER) {
                r = print_marker(&ctl->options, &marker);
        }
        table_free(event);
        return ask_printed(r < 0 ? r : 0);
}

int verb_follow(struct ctl *ctl, int argc, char **argv) {
        struct client_params params = ask_params(&ctl->options);
        struct client_error error;
        uint64_t seen = 0;
        int r = ask_connect(ctl);

        if (r != CTL_OK)
                return r;
        params.limit = 0; /* an end of our own; the collector knows of none */
        if (client_follow(ctl->client, &params, &error) < 0)
                return ctl_fail(error.exit_code, "%s", error.text);
        if (!ctl->options.json && !ctl->options.no_legend)
                r = ask_printed(print_legend(&ctl->options));
        while (r == CTL_OK && (!ctl->options.limit || seen < ctl->options.limit))
                r = show_next(ctl, &seen);
        return r;
}
