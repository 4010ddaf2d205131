/* SPDX-License-Identifier: MIT */
/*
 * show NAME: one span over all processes.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/options/suggest.h"
#include "ctl/rows/outside.h"
#include "ctl/verbs/show_outside.h"
#include "ctl/verbs/show_text.h"
#include "ctl/verbs/verbs.h"

/* Includes the columns that are sent only if named. */
#define COLUMNS                                                                                                        \
        "process,pid,uid,unit,span,path,opened,closed,open,cycles,alloc_count,alloc_bytes,dealloc_count,"              \
        "dealloc_bytes,net_bytes,self_alloc_count,self_alloc_bytes,self_dealloc_count,self_dealloc_bytes,"             \
        "alloc_bytes_rate_10s,alloc_bytes_rate_1m,alloc_bytes_rate_10m,migrated,aborted,refused,quality,per_call,"     \
        "paths,site,key,per_call_histogram,threads,busy_ns,self_busy_ns,timed_calls,timed_calls_ns,timed_call_max_ns," \
        "timed_calls_per_1000s,calls_net_bytes,net_per_call,calls,net_per_call_histogram,process_net_bytes,thread"

#define PS_COLUMNS "process,pid,ended,last_spans,refused,refused_depth"

/* The columns that can be summed over processes, in the order of a row. */
static const char *const summed[] = {
        "opened",
        "closed",
        "open",
        "cycles",
        "alloc_count",
        "alloc_bytes",
        "dealloc_count",
        "dealloc_bytes",
        "net_bytes",
        "self_alloc_count",
        "self_alloc_bytes",
        "self_dealloc_count",
        "self_dealloc_bytes",
        "alloc_bytes_rate_10s",
        "alloc_bytes_rate_1m",
        "alloc_bytes_rate_10m",
        "migrated",
        "aborted",
        "refused",
        "busy_ns",
        "self_busy_ns",
        "timed_calls",
        "timed_calls_ns",
        "timed_calls_per_1000s",
};
static const char *const per_call_names[] = {"count", "p50", "p90", "p99", "max"};

static void merge_per_call(struct show *show) {
        for (size_t row = 0; row < show->spans->row_count; row++) {
                const struct table_map *map = table_map(show->spans, row, "per_call");

                for (int i = 0; i < SHOW_PER_CALL; i++) {
                        uint64_t value = table_map_uint(map, per_call_names[i]);

                        if (i == SHOW_COUNT)
                                show->per_call[i] += value;
                        else if (value > show->per_call[i])
                                show->per_call[i] = value;
                }
        }
}

static int add_sums(const struct show *show, struct json *json) {
        int r = 0;

        for (int i = 0; i < SHOW_PER_CALL && r == 0; i++)
                r = json_add_uint(json, "per_call", per_call_names[i], show->per_call[i]);
        for (size_t i = 0; i < sizeof(summed) / sizeof(summed[0]) && r == 0; i++)
                r = strcmp(summed[i], "net_bytes") ? json_add_uint(json, "total", summed[i], show_sum(show, summed[i]))
                                                   : json_add_int(json, "total", summed[i], show_net(show));
        return r;
}

/* Of those of the processes that have ended, as ps says it. */
static int add_ends(const struct show *show, struct json *json) {
        int r = json_add_array(json, "ended");

        for (size_t row = 0; row < show->spans->row_count && r == 0; row++) {
                size_t at;

                if (show_end(show, row, &at))
                        r = json_append_row(json, "ended", show->ps, at, NULL);
        }
        return r;
}

static int show_json(const struct show *show) {
        struct json *json = NULL;
        int r = json_new(&json, show->spans->time_ns, show->spans->complete && show->tree->complete);

        if (r == 0)
                r = json_add_text(json, NULL, "span", show->name);
        if (r == 0)
                r = add_sums(show, json);
        if (r == 0)
                r = json_add_table(json, "processes", show->spans, NULL);
        if (r == 0)
                r = add_ends(show, json);
        if (r == 0)
                r = json_add_array(json, "tree");
        for (size_t row = 0; row < show->tree->row_count && r == 0; row++)
                if (show_is_named(show, row))
                        r = json_append_row(json, "tree", show->tree, row, NULL);
        if (r == 0)
                r = json_print(json, stdout, show->ctl->options.json);
        json_free(json);
        return ask_printed(r);
}

/* No such span: the nearest of those that there are. */
static int not_found(const struct show *show) {
        struct suggest suggest = SUGGEST_INIT(show->name);
        struct table *all = NULL;
        int r = ask_table(show->ctl, "spans", NULL, &all);

        if (r != CTL_OK)
                return r;
        for (size_t row = 0; row < all->row_count; row++)
                suggest_offer(&suggest, table_text(all, row, "span"));
        if (suggest.best && strcmp(suggest.best, show->name))
                r = ctl_fail(CTL_NOT_FOUND, "no span is called \"%s\"; did you mean \"%s\"?", show->name, suggest.best);
        else
                r = ctl_fail(CTL_NOT_FOUND, "no span is called \"%s\"%s; `spanallocctl spans` lists them", show->name,
                             suggest.best ? " there" : "");
        table_free(all);
        return r;
}

/* "(outside) worker", as other screens show it: the rows of threads of that name. */
static int ask_thread(struct show *show, struct client_params params) {
        char label[OUTSIDE_LABEL_MAX];
        struct table *spans = NULL;
        bool *keep;
        int r;

        params.span = WIRE_OUTSIDE;
        r = ask_table(show->ctl, "spans", &params, &spans);
        if (r != CTL_OK)
                return r;
        keep = calloc(spans->row_count + 1, sizeof(*keep));
        for (size_t row = 0; keep && row < spans->row_count; row++)
                keep[row] = outside_is(spans, row) && !strcmp(outside_or_span(spans, row, label), show->name);
        if (keep)
                table_keep_rows(spans, keep);
        table_free(show->spans);
        show->spans = spans;
        free(keep);
        return keep ? CTL_OK : ctl_fail(CTL_FAILURE, "out of memory");
}

/* True: all rows are of what is outside of spans.  A span may bear that name too; then the page is of the span. */
static int is_outside(struct show *show, bool *ret) {
        struct table *spans = show->spans;
        bool *keep = calloc(spans->row_count + 1, sizeof(*keep));
        size_t outside = 0;

        if (!keep)
                return ctl_fail(CTL_FAILURE, "out of memory");
        for (size_t row = 0; row < spans->row_count; row++) {
                keep[row] = !outside_is(spans, row);
                outside += !keep[row];
        }
        *ret = outside && outside == spans->row_count;
        if (!*ret && outside)
                table_keep_rows(spans, keep);
        free(keep);
        return CTL_OK;
}

int verb_show(struct ctl *ctl, int argc, char **argv) {
        struct client_params params = {.pid = (pid_t)ctl->options.pid,
                                       .unit = ctl->options.unit,
                                       .span = argv[0],
                                       .since_ns = ctl->options.since_ns,
                                       .columns = COLUMNS};
        struct show show = {.ctl = ctl, .name = argv[0]};
        bool outside = false;
        int r = ask_table(ctl, "spans", &params, &show.spans);

        if (r == CTL_OK && !show.spans->row_count && !strncmp(show.name, WIRE_OUTSIDE " ", sizeof(WIRE_OUTSIDE)))
                r = ask_thread(&show, params);
        if (r != CTL_OK) {
                table_free(show.spans);
                return r;
        }
        params.span = params.columns = NULL;
        params.filter = show.name;
        r = show.spans->row_count ? ask_table(ctl, "tree", &params, &show.tree) : not_found(&show);
        if (r == CTL_OK) {
                params = (struct client_params){.pid = params.pid, .unit = params.unit, .columns = PS_COLUMNS};
                r = ask_table(ctl, "ps", &params, &show.ps);
        }
        if (r == CTL_OK && !ctl->options.json)
                r = ask_hide_uncounted(ctl, show.spans);
        if (r == CTL_OK && !ctl->options.json)
                r = ask_hide_uncounted(ctl, show.tree);
        if (r == CTL_OK)
                r = is_outside(&show, &outside);
        if (r == CTL_OK) {
                merge_per_call(&show);
                r = ctl->options.json ? show_json(&show) : outside ? show_outside(&show) : show_text(&show);
        }
        table_free(show.ps);
        table_free(show.tree);
        table_free(show.spans);
        return r;
}
