/* SPDX-License-Identifier: MIT */
/*
 * status, reset, version and help: the verbs whose answer is a few lines.
 */
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "ctl/output/format.h"
#include "ctl/output/render.h"
#include "ctl/session/ask.h"
#include "ctl/session/help.h"
#include "ctl/session/pager.h"
#include "ctl/verbs/verbs.h"

static void print_losses(FILE *stream, const struct table *t) {
        char a[FORMAT_MAX];

        fprintf(stream, "     Refused: %" PRIu64 " enters, opens and closes; %s allocated in them is lost\n",
                table_uint(t, 0, "refused"), format_bytes(a, table_uint(t, 0, "lost_alloc_bytes")));
        if (table_uint(t, 0, "expelled"))
                fprintf(stream, "    Expelled: %" PRIu64 " processes that broke the format; see the collector's log\n",
                        table_uint(t, 0, "expelled"));
        if (table_uint(t, 0, "rejected"))
                fprintf(stream, "    Rejected: %" PRIu64 " attach requests; see the collector's log\n",
                        table_uint(t, 0, "rejected"));
        if (table_uint(t, 0, "missed"))
                fprintf(stream, "      Missed: %" PRIu64 " attach requests of programs that ended or gave up\n",
                        table_uint(t, 0, "missed"));
        if (table_uint(t, 0, "untrusted"))
                fprintf(stream,
                        "   Untrusted: %" PRIu64 " processes claim more than is possible; Refused is without them\n",
                        table_uint(t, 0, "untrusted"));
        if (table_uint(t, 0, "evicted"))
                fprintf(stream, "     Evicted: %" PRIu64 " open spans that the table had no room for\n",
                        table_uint(t, 0, "evicted"));
        if (table_uint(t, 0, "log_dropped"))
                fprintf(stream, "         Log: %" PRIu64 " lines were dropped, since its reader does not read\n",
                        table_uint(t, 0, "log_dropped"));
        if (table_uint(t, 0, "left_behind"))
                fprintf(stream,
                        " Left behind: %" PRIu64
                        " processes of an earlier collector whose sums could not be taken over; "
                        "see the collector's log\n",
                        table_uint(t, 0, "left_behind"));
        if (table_uint(t, 0, "follow_dropped"))
                fprintf(stream, "     Dropped: %" PRIu64 " events that slow followers missed\n",
                        table_uint(t, 0, "follow_dropped"));
}

static void print_status(FILE *stream, const struct ctl *ctl, const struct table *t) {
        const char *why = table_text(t, 0, "backend_why");
        char a[FORMAT_MAX];

        fprintf(stream, "spanallocd %s at %s\n", table_text(t, 0, "version"), client_path(ctl->client));
        fprintf(stream, "     Running: since %s, pid %" PRIu64 ", uid %" PRIu64 ", %s resident\n",
                format_duration(a, table_uint(t, 0, "uptime_ns")), table_uint(t, 0, "pid"), table_uint(t, 0, "uid"),
                format_bytes((char[FORMAT_MAX]){0}, table_uint(t, 0, "memory_bytes")));
        fprintf(stream, "     Backend: %s%s%s%s\n", table_text(t, 0, "backend"), *why ? " (" : "", why,
                *why ? ")" : "");
        fprintf(stream,
                "   Processes: %" PRIu64 " with %" PRIu64 " threads; %" PRIu64 " ended and still shown; %" PRIu64
                " seen\n",
                table_uint(t, 0, "processes"), table_uint(t, 0, "threads"), table_uint(t, 0, "processes_ended"),
                table_uint(t, 0, "processes_seen"));
        fprintf(stream, "     Records: %" PRIu64 ", %s a second\n", table_uint(t, 0, "records"),
                format_short_count(a, table_uint(t, 0, "records_rate")));
        if (*table_text(t, 0, "longest_turn"))
                fprintf(stream, "Longest turn: %s of processor time, most of it %s\n",
                        format_duration(a, table_uint(t, 0, "longest_turn_ns")), table_text(t, 0, "longest_turn"));
        print_losses(stream, t);
}

int verb_status(struct ctl *ctl, int argc, char **argv) {
        struct table *table = NULL;
        int r = ask_table(ctl, "status", NULL, &table);

        if (r != CTL_OK)
                return r;
        if (ctl->options.json) {
                r = ask_print_row(ctl, "status", table);
        } else {
                print_status(stdout, ctl, table);
                r = ask_flush(stdout);
        }
        table_free(table);
        return r;
}

int verb_reset(struct ctl *ctl, int argc, char **argv) {
        struct table *table = NULL;
        int r = ask_table(ctl, "reset", NULL, &table);
        uint64_t n;

        if (r != CTL_OK)
                return r;
        n = table_uint(table, 0, "processes");
        if (ctl->options.json) {
                r = ask_print_row(ctl, "reset", table);
        } else {
                if (!ctl->options.no_legend)
                        printf("All sums begin again from zero, in %" PRIu64 " process%s.\n", n, n == 1 ? "" : "es");
                r = ask_flush(stdout);
        }
        table_free(table);
        return r;
}

int verb_version(struct ctl *ctl, int argc, char **argv) {
        struct json *json = NULL;
        int r;

        if (!ctl->options.json) {
                puts("spanallocctl " SPANALLOC_VERSION);
                return ask_flush(stdout);
        }
        r = json_new(&json, clock_realtime_ns(), true);
        if (r == 0)
                r = json_add_text(json, NULL, "version", SPANALLOC_VERSION);
        if (r == 0)
                r = json_add_uint(json, NULL, "protocol", WIRE_PROTOCOL);
        if (r == 0)
                r = json_print(json, stdout, ctl->options.json);
        json_free(json);
        return ask_printed(r);
}

int verb_help(struct ctl *ctl, int argc, char **argv) {
        int verb = argc ? options_find_verb(argv[0]) : -1;
        struct pager pager;
        int r;

        if (argc && verb < 0)
                return ctl_fail(CTL_USAGE, "there is no verb \"%s\"; `spanallocctl help` lists them", argv[0]);
        r = pager_init(&pager);
        if (r < 0)
                return ask_printed(r);
        if (argc)
                help_print_verb(pager.stream, (enum verb_id)verb, render_width(&ctl->options));
        else
                help_print(pager.stream, render_width(&ctl->options));
        return ask_printed(pager_show(&pager, &ctl->options));
}
