/* SPDX-License-Identifier: MIT */
/*
 * The method `spans`: a row for each process and span name.  How a row is read is in query_spans_read.c.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/query/query_spans.h"
#include "daemon/wire/columns.h"

/* The most that `per_call` takes. */
#define PER_CALL_BYTES (1 + 6 + 4 * 4 + 5 * WIRE_PACKED_NUMBER)

#define AT(field)      (offsetof(struct span_numbers, field) + 1)
static const uint16_t span_numbers[WIRE_SPANS_COUNT] = {
        [WIRE_SPANS_process] = AT(number),
        [WIRE_SPANS_pid] = AT(pid),
        [WIRE_SPANS_uid] = AT(uid),
        [WIRE_SPANS_opened] = AT(books.opened),
        [WIRE_SPANS_closed] = AT(books.closed),
        [WIRE_SPANS_open] = AT(books.open),
        [WIRE_SPANS_cycles] = AT(books.cycles),
        [WIRE_SPANS_alloc_count] = AT(books.total[SHM_ALLOC_COUNT]),
        [WIRE_SPANS_alloc_bytes] = AT(books.total[SHM_ALLOC_BYTES]),
        [WIRE_SPANS_dealloc_count] = AT(books.total[SHM_DEALLOC_COUNT]),
        [WIRE_SPANS_dealloc_bytes] = AT(books.total[SHM_DEALLOC_BYTES]),
        [WIRE_SPANS_net_bytes] = AT(net_bytes),
        [WIRE_SPANS_self_alloc_count] = AT(books.self[SHM_ALLOC_COUNT]),
        [WIRE_SPANS_self_alloc_bytes] = AT(books.self[SHM_ALLOC_BYTES]),
        [WIRE_SPANS_self_dealloc_count] = AT(books.self[SHM_DEALLOC_COUNT]),
        [WIRE_SPANS_self_dealloc_bytes] = AT(books.self[SHM_DEALLOC_BYTES]),
        [WIRE_SPANS_alloc_bytes_rate_10s] = AT(rate[0]),
        [WIRE_SPANS_alloc_bytes_rate_1m] = AT(rate[1]),
        [WIRE_SPANS_alloc_bytes_rate_10m] = AT(rate[2]),
        [WIRE_SPANS_migrated] = AT(books.migrated),
        [WIRE_SPANS_aborted] = AT(books.aborted),
        [WIRE_SPANS_refused] = AT(books.refused),
        [WIRE_SPANS_paths] = AT(paths),
        [WIRE_SPANS_key] = AT(name),
        [WIRE_SPANS_per_call_p99] = AT(books.per_call.p99),
        [WIRE_SPANS_busy_ns] = AT(books.time.total_ns),
        [WIRE_SPANS_self_busy_ns] = AT(books.time.self_ns),
        [WIRE_SPANS_timed_calls] = AT(books.time.calls),
        [WIRE_SPANS_timed_calls_ns] = AT(books.time.calls_ns),
        [WIRE_SPANS_timed_call_max_ns] = AT(books.time.longest_ns),
        [WIRE_SPANS_timed_calls_per_1000s] = AT(timed_calls_per_1000s),
        [WIRE_SPANS_calls_net_bytes] = AT(books.calls_net),
        [WIRE_SPANS_net_per_call] = AT(net_per_call),
        [WIRE_SPANS_calls] = AT(books.calls),
        [WIRE_SPANS_process_net_bytes] = AT(process_net_bytes),
        [WIRE_SPANS_processes] = AT(processes),
};

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
        case BOOKS_MIXED:
                return "mixed";
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

static const char *outside_text(const struct span_row *row, uint32_t thread, int column) {
        switch (column) {
        case WIRE_SPANS_unit:
                return row->process->unit;
        case WIRE_SPANS_span:
        case WIRE_SPANS_path:
                return WIRE_OUTSIDE;
        case WIRE_SPANS_quality:
                return query_quality_text(row->quality);
        case WIRE_SPANS_thread:
                return query_outside_thread(row->process->books, thread);
        }
        return "";
}

static const char *span_text(const struct span_row *row, int column, char *buf) {
        uint32_t thread;

        if (query_spans_outside(row->name, &thread))
                return outside_text(row, thread, column);
        switch (column) {
        case WIRE_SPANS_unit:
                return row->process->unit;
        case WIRE_SPANS_span:
                return books_name(row->process->books, row->name);
        case WIRE_SPANS_path:
                books_path_text(row->process->books, row->path, buf, QUERY_PATH_BYTES);
                return buf;
        case WIRE_SPANS_quality:
                return query_quality_text(row->quality);
        case WIRE_SPANS_site:
                return span_site(row, buf);
        }
        return "";
}

static void span_cell(struct query *query, const void *data, int column, char *path, struct query_cell *ret) {
        ret->text = span_text(data, column, path);
}

static void put_per_call(struct wire_buffer *out, const struct books_per_call *per_call) {
        unsigned char *begin = wire_buffer_reserve(out, PER_CALL_BYTES), *at = begin;

        if (!begin)
                return;
        at = wire_pack_map(at, 5);
        at = wire_pack_uint(wire_pack_key(at, "count", 5), per_call->count);
        at = wire_pack_uint(wire_pack_key(at, "p50", 3), per_call->p50);
        at = wire_pack_uint(wire_pack_key(at, "p90", 3), per_call->p90);
        at = wire_pack_uint(wire_pack_key(at, "p99", 3), per_call->p99);
        at = wire_pack_uint(wire_pack_key(at, "max", 3), per_call->max);
        out->size += (size_t)(at - begin);
}

static void put_histogram(struct wire_buffer *out, const struct span_numbers *row) {
        uint64_t counts[64];
        uint32_t used = 0;
        char from[24];

        if (!row->walk) {
                wire_put_map(out, 0);
                return;
        }
        books_name_walk_histogram(row->walk, counts);
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

static void put_net(struct wire_buffer *out, const char *sign, unsigned bucket, uint64_t count) {
        char from[32];

        if (!count)
                return;
        snprintf(from, sizeof(from), "%s%llu", sign, bucket ? 1ULL << 2 * (bucket + 1) : 1ULL);
        wire_put_text(out, from);
        wire_put_uint(out, count);
}

/* From the lowest to the highest.  A row (outside) has no calls. */
static void put_nets(struct wire_buffer *out, const struct span_numbers *row) {
        const struct hist_nets *nets = row->walk ? &row->walk->nets : &(const struct hist_nets){0};
        uint32_t used = nets->zero > 0;

        for (unsigned b = 0; b < HIST_SUB; b++)
                used += (nets->sides[0][b] > 0) + (nets->sides[1][b] > 0);
        wire_put_map(out, used);
        for (unsigned b = HIST_SUB; b-- > 0;)
                put_net(out, "-", b, nets->sides[1][b]);
        if (nets->zero) {
                wire_put_text(out, "0");
                wire_put_uint(out, nets->zero);
        }
        for (unsigned b = 0; b < HIST_SUB; b++)
                put_net(out, "", b, nets->sides[0][b]);
}

static void put_threads(struct wire_buffer *out, const struct span_numbers *row) {
        const struct books *books = row->process->books;
        const struct books_threads *threads;
        uint32_t n = row->walk ? books_threads_in(books, (uint32_t)row->name, &threads) : 0;

        wire_put_map(out, n);
        for (uint32_t i = 0; i < n; i++) {
                wire_put_text(out, books_thread_name(books, threads[i].thread));
                wire_put_uint(out, threads[i].count);
        }
}

static void span_put_map(struct wire_buffer *out, const void *data, int column) {
        const struct span_numbers *row = data;

        if (column == WIRE_SPANS_per_call)
                put_per_call(out, &row->books.per_call);
        else if (column == WIRE_SPANS_per_call_histogram)
                put_histogram(out, row);
        else if (column == WIRE_SPANS_net_per_call_histogram)
                put_nets(out, row);
        else
                put_threads(out, row);
}

static int span_order(const void *a, const void *b) {
        const struct span_row *x = a, *y = b;

        if (x->process != y->process)
                return x->process->number < y->process->number ? -1 : 1;
        return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static void span_prefetch(const void *data) {
        const struct span_row *row = data;
        uint32_t thread;

        if (!query_spans_outside(row->name, &thread))
                books_name_prefetch(row->process->books, row->name, row->path);
}

static const struct query_rows_class spans_class = {
        .table = "spans",
        .size = sizeof(struct span_row),
        .on_request = UINT64_C(1) << WIRE_SPANS_per_call_p99 | UINT64_C(1) << WIRE_SPANS_per_call_histogram |
                      UINT64_C(1) << WIRE_SPANS_threads | UINT64_C(1) << WIRE_SPANS_calls_net_bytes |
                      UINT64_C(1) << WIRE_SPANS_calls | UINT64_C(1) << WIRE_SPANS_net_per_call_histogram |
                      UINT64_C(1) << WIRE_SPANS_process_net_bytes | UINT64_C(1) << WIRE_SPANS_processes,
        .expand = query_spans_expand,
        .prefetch = span_prefetch,
        .numbers = span_numbers,
        .key = offsetof(struct span_row, key) + 1,
        .cell = span_cell,
        .put_map = span_put_map,
        .order = span_order,
};

/* Those that were taken over from another collector may come later than their numbers. */
static bool are_in_order(const struct collector *collector) {
        const struct process *process;
        uint64_t last = 0;

        for (size_t i = 0; (process = collector_process(collector, i)); i++) {
                if (process->number < last)
                        return false;
                last = process->number;
        }
        return true;
}

/* Whether its rows are the same as in the answer that the asker has, or were before that. */
static bool is_unchanged(const struct query_rows *rows, const struct process *process) {
        return (rows->params->given & QUERY_PARAM_ANSWER) &&
               books_seen(process->books, rows->query->answer) <= rows->params->since_answer;
}

static bool is_selected(const struct query_rows *rows, const struct query_peer *peer, const struct process *process) {
        return process->books && query_params_select_process(rows->params, peer, process);
}

static void put_unchanged(const struct query_job *job, struct wire_buffer *out) {
        wire_put_text(out, "answer");
        wire_put_uint(out, job->rows.query->answer);
        wire_put_text(out, "unchanged");
        wire_put_array(out, job->unchanged_count);
        for (uint32_t i = 0; i < job->unchanged_count; i++)
                wire_put_uint(out, job->unchanged[i]);
}

static int note_unchanged(struct query_job *job, const struct process *process) {
        size_t allocated = job->unchanged_allocated ? job->unchanged_allocated * 2 : 64;
        uint64_t *more = job->unchanged;

        if (job->unchanged_count == job->unchanged_allocated) {
                more = reallocarray(job->unchanged, allocated, sizeof(*more));
                if (!more)
                        return -ENOMEM;
                job->unchanged = more;
                job->unchanged_allocated = allocated;
        }
        job->unchanged[job->unchanged_count++] = process->number;
        return 0;
}

enum { QUERY_LATE = 2 };
/* Turns to the next process with rows to read.  1; 0: there is none; QUERY_LATE: go on in the next turn; or -ENOMEM. */
static int next_process(struct query_job *job, const struct query_peer *peer) {
        const struct query_rows *rows = &job->rows;
        const struct process *process;
        int r;

        while ((process = collector_process(rows->query->collector, job->next))) {
                job->next++;
                if (!is_selected(rows, peer, process))
                        continue;
                if (!is_unchanged(rows, process)) {
                        r = query_spans_begin_process(job->reading, process);
                        return r < 0 ? r : 1;
                }
                r = note_unchanged(job, process);
                if (r < 0)
                        return r;
                if (query_is_late(rows->query))
                        return QUERY_LATE;
        }
        return 0;
}

static int add_processes(struct query_job *job, const struct query_peer *peer) {
        struct spans_reading *reading = job->reading;
        int r;

        for (;;) {
                if (!reading->process) {
                        r = next_process(job, peer);
                        if (r <= 0)
                                return r;
                        if (r == QUERY_LATE)
                                return QUERY_AGAIN;
                }
                r = query_spans_add_process(&job->rows, reading);
                if (r != 0)
                        return r;
                reading->process = NULL;
                if (query_is_late(job->rows.query))
                        return QUERY_AGAIN;
        }
}

static int begin_spans(struct query *query, const struct query_params *params, struct wire_buffer *out,
                       struct query_error *ret_error) {
        struct query_rows *rows = &query->job.rows;
        int r;

        if ((params->given & QUERY_PARAM_ANSWER) &&
            (params->given & (QUERY_PARAM_SORT | QUERY_PARAM_LIMIT | QUERY_PARAM_SINCE)))
                return query_fail(ret_error, EINVAL, "ask for all rows, and sort them yourself",
                                  "since_answer goes with no sort, limit or since_ns");
        r = query_rows_init(rows, query, &spans_class, params, ret_error);
        if (r < 0)
                return r;
        query->job.reading = calloc(1, sizeof(struct spans_reading));
        query->job.free_reading = free;
        if (!query->job.reading)
                return -ENOMEM;
        rows->now_ns = clock_monotonic_ns();
        if (params->given & QUERY_PARAM_ANSWER) {
                query->answer++;
                rows->more_keys = 2;
        }
        if (are_in_order(query->collector))
                query_rows_begin(rows, out);
        return 0;
}

int query_method_spans(struct query *query, const struct query_peer *peer, const struct query_params *params,
                       struct wire_buffer *out, struct query_error *ret_error) {
        struct query_job *job = &query->job;
        int r;

        if (!job->is_begun) {
                r = begin_spans(query, params, out, ret_error);
                if (r < 0)
                        return r;
                job->is_begun = true;
        }
        if (!job->is_read) {
                r = add_processes(job, peer);
                if (r != 0)
                        return r;
                job->is_read = true;
        }
        if (!query_rows_put(&job->rows, out))
                return QUERY_AGAIN;
        if (job->rows.more_keys)
                put_unchanged(job, out);
        return 0;
}
