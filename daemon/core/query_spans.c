/*
 * The method `spans`: a row for each process and span name.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/core/query_private.h"
#include "daemon/wire/columns.h"

struct span_row {
        const struct process *process;
        uint32_t name, path, paths;
        struct books_row books;
};

static uint64_t rate(double a_second) {
        return a_second > 0 ? (uint64_t)(a_second + 0.5) : 0;
}

static uint64_t span_time(const struct books_time *time, int column) {
        switch (column) {
        case WIRE_SPANS_busy_ns:
                return time->total_ns;
        case WIRE_SPANS_self_busy_ns:
                return time->self_ns;
        case WIRE_SPANS_timed_calls:
                return time->calls;
        case WIRE_SPANS_timed_calls_ns:
                return time->calls_ns;
        case WIRE_SPANS_timed_call_max_ns:
                return time->longest_ns;
        case WIRE_SPANS_timed_calls_per_1000s:
                return rate(time->calls_rate * 1000);
        }
        return 0;
}

static uint64_t span_number(const struct span_row *row, int column) {
        if (column >= WIRE_SPANS_alloc_count && column <= WIRE_SPANS_dealloc_bytes)
                return row->books.total[column - WIRE_SPANS_alloc_count];
        if (column >= WIRE_SPANS_self_alloc_count && column <= WIRE_SPANS_self_dealloc_bytes)
                return row->books.self[column - WIRE_SPANS_self_alloc_count];
        if (column >= WIRE_SPANS_alloc_bytes_rate_10s && column <= WIRE_SPANS_alloc_bytes_rate_10m)
                return rate(row->books.rate[column - WIRE_SPANS_alloc_bytes_rate_10s]);

        switch (column) {
        case WIRE_SPANS_process:
                return row->process->number;
        case WIRE_SPANS_pid:
                return (uint64_t)row->process->pid;
        case WIRE_SPANS_uid:
                return row->process->uid;
        case WIRE_SPANS_opened:
                return row->books.opened;
        case WIRE_SPANS_closed:
                return row->books.closed;
        case WIRE_SPANS_open:
                return row->books.open;
        case WIRE_SPANS_cycles:
                return row->books.cycles;
        case WIRE_SPANS_migrated:
                return row->books.migrated;
        case WIRE_SPANS_aborted:
                return row->books.aborted;
        case WIRE_SPANS_refused:
                return row->books.refused;
        case WIRE_SPANS_paths:
                return row->paths;
        case WIRE_SPANS_key:
                return row->name;
        case WIRE_SPANS_per_call_p99:
                return row->books.per_call.p99;
        }
        return span_time(&row->books.time, column);
}

const char *query_quality_text(enum books_quality quality) {
        switch (quality) {
        case BOOKS_EXACT:
                return "exact";
        case BOOKS_MIGRATED:
                return "migrated";
        case BOOKS_LOST:
                return "lost";
        case BOOKS_ESTIMATED:
                return "estimated";
        }
        return "estimated";
}

static const char *span_site(const struct span_row *row, char *buf) {
        uint32_t line = 0;
        const char *file;

        file = books_name_file(row->process->books, row->name, &line);
        if (!file || !file[0])
                return "";

        snprintf(buf, QUERY_PATH_BYTES, "%s:%u", file, line);
        return buf;
}

static const char *span_text(const struct span_row *row, int column, char *buf) {
        switch (column) {
        case WIRE_SPANS_unit:
                return row->process->unit;
        case WIRE_SPANS_span:
                return books_name(row->process->books, row->name);
        case WIRE_SPANS_path:
                books_path_text(row->process->books, row->path, buf, QUERY_PATH_BYTES);
                return buf;
        case WIRE_SPANS_quality:
                return query_quality_text(row->books.quality);
        case WIRE_SPANS_site:
                return span_site(row, buf);
        }
        return "";
}

static void span_cell(struct query *query, const void *data, int column, char *path, struct query_cell *ret) {
        const struct span_row *row = data;

        if (ret->type == WIRE_COLUMN_TEXT)
                ret->text = span_text(row, column, path);
        else if (ret->type == WIRE_COLUMN_INT)
                ret->i = (int64_t)(row->books.total[SHM_ALLOC_BYTES] - row->books.total[SHM_DEALLOC_BYTES]);
        else
                ret->u = span_number(row, column);
}

static void put_per_call(struct wire_buffer *out, const struct books_per_call *per_call) {
        const struct {
                const char *name;
                uint64_t value;
        } entries[] = {
                {"count", per_call->count}, {"p50", per_call->p50}, {"p90", per_call->p90},
                {"p99", per_call->p99},     {"max", per_call->max},
        };

        wire_put_map(out, sizeof(entries) / sizeof(entries[0]));
        for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
                wire_put_text(out, entries[i].name);
                wire_put_uint(out, entries[i].value);
        }
}

static void put_histogram(struct wire_buffer *out, const struct span_row *row) {
        uint64_t counts[64];
        uint32_t used = 0;
        char from[24];

        books_name_histogram(row->process->books, row->name, counts);
        for (unsigned i = 0; i < 64; i++)
                used += counts[i] > 0;
        wire_put_map(out, used);
        for (unsigned i = 0; i < 64; i++) {
                if (!counts[i])
                        continue;
                snprintf(from, sizeof(from), "%llu", i ? 1ULL << i : 0ULL);
                wire_put_text(out, from);
                wire_put_uint(out, counts[i]);
        }
}

static void put_threads(struct wire_buffer *out, const struct span_row *row) {
        const struct books *books = row->process->books;
        uint64_t outside[SHM_COUNTERS], n;
        uint32_t used = 0;
        const char *name;

        for (uint32_t i = 0; books_thread_row(books, i, &name, outside); i++)
                used += books_threads_in(books, i, row->name) > 0;
        wire_put_map(out, used);
        for (uint32_t i = 0; books_thread_row(books, i, &name, outside); i++) {
                n = books_threads_in(books, i, row->name);
                if (!n)
                        continue;
                wire_put_text(out, name);
                wire_put_uint(out, n);
        }
}

static void span_put_map(struct wire_buffer *out, const void *data, int column) {
        const struct span_row *row = data;

        if (column == WIRE_SPANS_per_call)
                put_per_call(out, &row->books.per_call);
        else if (column == WIRE_SPANS_per_call_histogram)
                put_histogram(out, row);
        else
                put_threads(out, row);
}

static int span_order(const void *a, const void *b) {
        const struct span_row *x = a, *y = b;
        int order;

        if (x->process->number != y->process->number)
                return x->process->number < y->process->number ? -1 : 1;

        order = strcmp(books_name(x->process->books, x->name), books_name(y->process->books, y->name));
        if (order != 0)
                return order;
        return x->name < y->name ? -1 : x->name > y->name;
}

static const struct query_rows_class spans_class = {
        .table = "spans",
        .size = sizeof(struct span_row),
        .on_request = UINT64_C(1) << WIRE_SPANS_per_call_p99 | UINT64_C(1) << WIRE_SPANS_per_call_histogram |
                      UINT64_C(1) << WIRE_SPANS_threads,
        .cell = span_cell,
        .put_map = span_put_map,
        .order = span_order,
};

/* A name that is only known, such as one from before a reset, is no row. */
static bool row_is_empty(const struct books_row *row) {
        uint64_t any = row->opened | row->closed | row->open | row->cycles | row->aborted | row->refused;

        for (size_t i = 0; i < SHM_COUNTERS; i++)
                any |= row->self[i] | row->total[i];
        return any == 0;
}

/* Whether that name is to be shown; *ret is filled if so. */
static bool read_name(struct query_rows *rows, const struct query_params *params, const struct process *process,
                      uint32_t name, uint64_t now_ns, struct span_row *ret) {
        const char *text = books_name(process->books, name);
        uint64_t since_ns = params->given & QUERY_PARAM_SINCE ? params->since_ns + !params->since_ns : 0;
        struct span_row row = {.process = process, .name = name};
        char *path_text = rows->query->path;

        if ((params->given & QUERY_PARAM_SPAN) && strcmp(text, params->span) != 0)
                return false;

        if (!books_name_sums(process->books, name, now_ns, since_ns, &row.books, &row.path, &row.paths))
                rows->complete = false;
        if (row_is_empty(&row.books))
                return false;

        if (params->given & QUERY_PARAM_FILTER) {
                books_path_text(process->books, row.path, path_text, QUERY_PATH_BYTES);
                if (!query_params_select_path(params, text, path_text))
                        return false;
        }
        if (query_rows_need(rows, WIRE_SPANS_per_call) || query_rows_need(rows, WIRE_SPANS_per_call_p99))
                books_name_per_call(process->books, name, &row.books.per_call);

        *ret = row;
        return true;
}

static int add_process(const struct query_params *params, const struct process *process, uint64_t now_ns,
                       struct query_rows *rows) {
        uint32_t names = books_name_count(process->books);
        struct span_row found, *row;

        query_check_books(process);
        for (uint32_t name = 1; name <= names; name++) {
                if (!read_name(rows, params, process, name, now_ns, &found))
                        continue;

                row = query_rows_add(rows);
                if (!row)
                        return -ENOMEM;
                *row = found;
        }
        return 0;
}

int query_method_spans(struct query *query, const struct query_peer *peer, const struct query_params *params,
                       struct wire_buffer *out, struct query_error *ret_error) {
        const struct process *process;
        struct query_rows rows;
        uint64_t now_ns;
        int r;

        r = query_rows_init(&rows, query, &spans_class, params, ret_error);
        if (r < 0)
                return r;

        query_refresh(query, peer);
        now_ns = query_now_ns();
        for (size_t i = 0; (process = collector_process(query->collector, i)); i++) {
                if (!process->books || !query_params_select_process(params, peer, process))
                        continue;

                r = add_process(params, process, now_ns, &rows);
                if (r < 0) {
                        query_rows_deinit(&rows);
                        return r;
                }
        }

        query_rows_put(&rows, out);
        query_rows_deinit(&rows);
        return 0;
}
