/* SPDX-License-Identifier: MIT */
/*
 * follow: one line for each span, as it closes; over a restart of the collector, too.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "ctl/output/format.h"
#include "ctl/output/render.h"
#include "ctl/output/text.h"
#include "ctl/session/ask.h"
#include "ctl/verbs/verbs.h"

/* Reasons of markers that this program makes; the collector has neither. */
#define RESTARTED    "restarted"
#define DISCONNECTED "disconnected"

/* Which collector it is: what is followed, and over which socket. */
struct followed {
        struct ctl *ctl;
        char *socket;
        uint64_t pid, generation, seen;
};

/* Fixed widths: there is no end to wait for, and what is longer moves its line only.  The name comes last. */
static const struct {
        const char *column, *heading;
        int width; /* below zero: to the left */
} view[] = {
        {"time_ns", "TIME", -12},      {"pid", "PID", 7},
        {"alloc_bytes", "ALLOC", 7},   {"alloc_count", "BLOCKS", 6},
        {"dealloc_bytes", "FREED", 7}, {"net_bytes", "NET", 8},
        {"cycles", "CYCLES", 6},       {"path", "SPAN", 0},
};
enum { VIEW_N = sizeof(view) / sizeof(view[0]), CHOSEN_WIDTH = 12, BEFORE_NAME = 60 };

static int print_cell(const char *text, int width, bool last) {
        return printf("%*s%s", last && width <= 0 ? 0 : width, text, last ? "\n" : " ");
}

/* The path if it fits, else the name alone, cut if needed. */
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

/* Always on one line, for every form of JSON. */
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
        struct json *json = NULL;
        int r;

        if (!options->json) {
                if (!strcmp(marker->reason, RESTARTED))
                        r = printf("-- the collector was restarted; what closed meanwhile is not shown --\n");
                else if (!strcmp(marker->reason, DISCONNECTED))
                        r = printf("-- the connection was lost; what closed meanwhile is not shown --\n");
                else
                        r = printf("-- %s: %" PRIu64
                                   " closed spans are missing here; --filter, --pid and --unit choose fewer --\n",
                                   marker->reason, marker->dropped);
                return r < 0 || fflush(stdout) == EOF ? -errno : 0;
        }
        r = json_new(&json, clock_realtime_ns(), false);
        if (r == 0)
                r = json_add_text(json, "marker", "reason", marker->reason);
        if (r == 0)
                r = json_add_uint(json, "marker", "dropped", marker->dropped);
        if (r == 0)
                r = json_print(json, stdout, JSON_SHORT);
        json_free(json);
        return r;
}

/* Queries the collector's identity, then subscribes to its events. */
static int begin(struct followed *followed, struct client_error *ret_error) {
        struct client_params params = ask_params(&followed->ctl->options);
        struct table *status = NULL;
        int r = client_call(followed->ctl->client, "status", NULL, &status, ret_error);

        if (r < 0)
                return r;
        followed->pid = table_uint(status, 0, "pid");
        followed->generation = table_uint(status, 0, "generation");
        table_free(status);
        params.limit = 0; /* this program ends by itself; the collector has no such limit */
        return client_follow(followed->ctl->client, &params, ret_error);
}

/* True if the collector has ended and may come back; false if it is of another version or refuses this user. */
static bool may_come_back(const struct client_error *error) {
        return error->kind == CLIENT_ERROR_UNREACHABLE && error->code != EBADMSG && error->code != EACCES &&
               error->code != EPERM;
}

/* Waits for a collector at the same socket, however long it takes, and says that something is missing.  Exit status. */
static int begin_again(struct followed *followed) {
        struct client_options options = {.socket = followed->socket, .program = ASK_PROGRAM};
        struct client_marker marker = {.reason = DISCONNECTED};
        uint64_t pid = followed->pid, generation = followed->generation;
        struct timespec pause = {0, 50000000};
        struct client_error error;
        int r;

        for (;;) {
                followed->ctl->client = client_free(followed->ctl->client);
                r = client_new(&followed->ctl->client, &options, &error);
                if (r >= 0)
                        r = begin(followed, &error);
                if (r >= 0)
                        break;
                if (!may_come_back(&error))
                        return ctl_fail_client(&error);
                nanosleep(&pause, NULL);
                pause.tv_nsec = pause.tv_nsec < 400000000 ? pause.tv_nsec * 2 : 800000000;
        }
        if (followed->pid != pid || followed->generation != generation)
                snprintf(marker.reason, sizeof(marker.reason), RESTARTED);
        return ask_printed(print_marker(&followed->ctl->options, &marker));
}

/* Waits for one event and prints it.  Exit status. */
static int show_next(struct followed *followed) {
        struct ctl *ctl = followed->ctl;
        struct client_marker marker;
        struct client_error error;
        struct table *event = NULL;
        int r = client_next(ctl->client, -1, &event, &marker, &error);

        if (r == -EINTR)
                return CTL_OK;
        if (r < 0)
                return may_come_back(&error) ? begin_again(followed) : ctl_fail_client(&error);
        if (r == CLIENT_SPAN) {
                followed->seen++;
                r = print_span(&ctl->options, event);
        } else if (r == CLIENT_MARKER) {
                r = print_marker(&ctl->options, &marker);
        }
        table_free(event);
        return ask_printed(r < 0 ? r : 0);
}

int verb_follow(struct ctl *ctl, int argc, char **argv) {
        struct followed followed = {.ctl = ctl};
        struct client_error error;
        int r = ask_connect(ctl);

        if (r != CTL_OK)
                return r;
        if (begin(&followed, &error) < 0)
                return ctl_fail_client(&error);
        followed.socket = strdup(client_path(ctl->client));
        if (!followed.socket)
                return ctl_fail(CTL_FAILURE, "out of memory; end other programs and try again");
        if (!ctl->options.json && !ctl->options.no_legend)
                r = ask_printed(print_legend(&ctl->options));
        while (r == CTL_OK && (!ctl->options.limit || followed.seen < ctl->options.limit))
                r = show_next(&followed);
        free(followed.socket);
        return r;
}
