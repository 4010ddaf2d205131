/* SPDX-License-Identifier: MIT */
/*
 * The method `ps`: a row for each process.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/processes/process_text.h"
#include "daemon/query/query_private.h"
#include "daemon/wire/columns.h"

struct ps_row {
        const struct process *process;
        struct books_process_row books;
        struct process_memory memory;
        char ended[160];
        char counting[192];
};

static bool is_counted(const struct process *process) {
        return !process->unattached && process->counting != SHM_COUNTING_NONE &&
               process->counting != SHM_COUNTING_BYPASSED;
}

/* Of all bytes that the process allocated, how many are not lost, in millionths: all of none, but nothing where
 * nothing counts. */
static uint64_t coverage_ppm(const struct ps_row *row) {
        uint64_t bytes = row->books.counters[SHM_ALLOC_BYTES], lost = row->books.lost[SHM_ALLOC_BYTES];

        if (bytes == 0)
                return is_counted(row->process) ? 1000000 : 0;
        if (lost >= bytes)
                return 0;

        return (uint64_t)((unsigned __int128)(bytes - lost) * 1000000 / bytes);
}

static uint64_t ps_number(const struct ps_row *row, int column) {
        const struct process *process = row->process;

        /* The five groups of four stand in the order of the counters. */
        if (column >= WIRE_PS_alloc_count && column <= WIRE_PS_dealloc_bytes)
                return row->books.counters[column - WIRE_PS_alloc_count];
        if (column >= WIRE_PS_self_alloc_count && column <= WIRE_PS_self_dealloc_bytes)
                return row->books.self[column - WIRE_PS_self_alloc_count];
        if (column >= WIRE_PS_outside_alloc_count && column <= WIRE_PS_outside_dealloc_bytes)
                return row->books.outside[column - WIRE_PS_outside_alloc_count];
        if (column >= WIRE_PS_lost_alloc_count && column <= WIRE_PS_lost_dealloc_bytes)
                return row->books.lost[column - WIRE_PS_lost_alloc_count];
        if (column >= WIRE_PS_before_alloc_count && column <= WIRE_PS_before_dealloc_bytes)
                return row->books.before[column - WIRE_PS_before_alloc_count];

        switch (column) {
        case WIRE_PS_process:
                return process->number;
        case WIRE_PS_pid:
                return (uint64_t)process->pid;
        case WIRE_PS_start_ns:
                return process->start_ns;
        case WIRE_PS_uid:
                return process->uid;
        case WIRE_PS_alive:
                return process->end == PROCESS_ALIVE;
        case WIRE_PS_threads:
                return row->process->threads;
        case WIRE_PS_spans:
                return row->books.names;
        case WIRE_PS_records:
                return row->books.records;
        case WIRE_PS_refused:
                return row->process->refused;
        case WIRE_PS_refused_depth:
                return row->books.refused_depth;
        case WIRE_PS_coverage_ppm:
                return coverage_ppm(row);
        case WIRE_PS_rss_bytes:
                return row->memory.rss;
        case WIRE_PS_unit_memory_bytes:
                return row->memory.unit;
        case WIRE_PS_unit_memory_limit_bytes:
                return row->memory.unit_limit;
        case WIRE_PS_open:
                return row->books.open;
        case WIRE_PS_aborted:
                return row->books.aborted;
        case WIRE_PS_balanced:
                return row->books.balanced;
        case WIRE_PS_ring_fill_ppm:
                return process->drain ? drain_fill_ppm(process->drain) : 0;
        case WIRE_PS_evicted:
                return row->books.evicted;
        case WIRE_PS_timed:
                return process->drain && books_timing(process->books);
        case WIRE_PS_inherited_bytes:
                return row->books.inherited;
        case WIRE_PS_peak_net_bytes:
                return row->books.peak_net;
        case WIRE_PS_forks:
                return row->books.forks;
        case WIRE_PS_rss_anon_bytes:
                return row->memory.rss_anon;
        }
        return 0;
}

static const char *net_quality(const struct ps_row *row) {
        if (!is_counted(row->process) || row->process->counting == SHM_COUNTING_SNAPSHOT)
                return "unknown";
        switch (row->books.net_quality) {
        case BOOKS_NET_EXACT:
                return "exact";
        case BOOKS_NET_ESTIMATED:
                return "estimated";
        case BOOKS_NET_UNKNOWN:
                break;
        }
        return "unknown";
}

static const char *ps_text(const struct ps_row *row, int column) {
        switch (column) {
        case WIRE_PS_comm:
                return row->process->comm;
        case WIRE_PS_exe:
                return row->process->exe;
        case WIRE_PS_unit:
                return row->process->unit;
        case WIRE_PS_ended:
                return row->ended;
        case WIRE_PS_counting:
                return row->counting;
        case WIRE_PS_net_quality:
                return net_quality(row);
        }
        return "";
}

static void ps_cell(struct query *query, const void *data, int column, char *path, struct query_cell *ret) {
        if (ret->type == WIRE_COLUMN_TEXT)
                ret->text = ps_text(data, column);
        else if (ret->type == WIRE_COLUMN_INT)
                ret->i = (int64_t)((const struct ps_row *)data)->books.net;
        else
                ret->u = ps_number(data, column);
}

static void put_four(struct wire_buffer *out, const uint64_t four[SHM_COUNTERS]) {
        wire_put_array(out, SHM_COUNTERS);
        for (size_t k = 0; k < SHM_COUNTERS; k++)
                wire_put_uint(out, four[k]);
}

/* Several may have the same path: their number in the list tells the second from the first. */
static void put_last_spans(struct wire_buffer *out, const struct books *books) {
        char path[QUERY_PATH_BYTES];
        struct books_last last, other;
        uint32_t count = 0, same;

        while (books && books_last_row(books, count, &last))
                count++;
        wire_put_map(out, count);
        for (uint32_t i = 0; i < count; i++) {
                books_last_row(books, i, &last);
                same = 1;
                for (uint32_t k = 0; k < i; k++)
                        same += books_last_row(books, k, &other) && other.path == last.path;
                books_path_text(books, last.path, path, sizeof(path) - 16);
                if (same > 1)
                        sprintf(path + strlen(path), " (%u)", same);
                wire_put_text(out, path);
                put_four(out, last.sums);
        }
}

static void ps_put_map(struct wire_buffer *out, const void *data, int column) {
        const struct books *books = ((const struct ps_row *)data)->process->books;
        uint64_t outside[SHM_COUNTERS];
        uint32_t count = 0;
        const char *name;

        if (column == WIRE_PS_last_spans) {
                put_last_spans(out, books);
                return;
        }
        while (books && books_thread_row(books, count, &name, outside))
                count++;

        wire_put_map(out, count);
        for (uint32_t i = 0; i < count; i++) {
                books_thread_row(books, i, &name, outside);
                wire_put_text(out, name);
                put_four(out, outside);
        }
}

static int ps_order(const void *a, const void *b) {
        const struct ps_row *x = a, *y = b;

        return x->process->number < y->process->number ? -1 : x->process->number > y->process->number;
}

static const struct query_rows_class ps_class = {
        .table = "ps",
        .size = sizeof(struct ps_row),
        .cell = ps_cell,
        .put_map = ps_put_map,
        .order = ps_order,
};

/* Asking the kernel takes longer than all the rest: not for nothing. */
static bool needs_memory(const struct query_rows *rows) {
        return query_rows_need(rows, WIRE_PS_rss_bytes) || query_rows_need(rows, WIRE_PS_rss_anon_bytes) ||
               query_rows_need(rows, WIRE_PS_unit_memory_bytes) ||
               query_rows_need(rows, WIRE_PS_unit_memory_limit_bytes);
}

static bool needs_paths(const struct query_rows *rows) {
        bool any = query_rows_need(rows, WIRE_PS_spans) || query_rows_need(rows, WIRE_PS_open) ||
                   query_rows_need(rows, WIRE_PS_aborted) || query_rows_need(rows, WIRE_PS_balanced);

        for (int c = 0; c < SHM_COUNTERS; c++)
                any |= query_rows_need(rows, WIRE_PS_self_alloc_count + c);
        return any;
}

/* The process in hand, and its sums. */
struct reading {
        const struct process *process; /* NULL: none is in hand */
        unsigned slices;
        struct books_process_row books;
};

#define PATHS_PORTION 8192u /* between two looks at the clock */
#define SLICES_MAX    64u   /* Then all paths are read in one go: they change faster than that. */

/* False: the slice is over. */
static bool read_books(const struct query_rows *rows, struct reading *reading) {
        const struct books *books = reading->process->books;

        reading->books = (struct books_process_row){.balanced = true};
        if (!books)
                return true;
        if (!needs_paths(rows)) {
                books_process_lanes(books, &reading->books);
                return true;
        }
        while (!books_process_row_some(books, reading->slices < SLICES_MAX ? PATHS_PORTION : UINT32_MAX,
                                       &reading->books)) {
                if (!query_is_late(rows->query))
                        continue;
                reading->slices++;
                return false;
        }
        return true;
}

static void fill_row(const struct query_rows *rows, struct ps_row *row, const struct reading *reading) {
        char text[sizeof(row->ended)], phrase[sizeof(row->counting)];
        const struct process *process = reading->process;

        row->process = process;
        row->books = reading->books;
        if (process->end == PROCESS_ALIVE && needs_memory(rows))
                process_memory(process, &row->memory);
        snprintf(row->ended, sizeof(row->ended), "%s", process_end_text(process, text, sizeof(text)));
        snprintf(row->counting, sizeof(row->counting), "%s", process_counting(process, phrase, sizeof(phrase)));
}

/* The process in hand.  0, QUERY_AGAIN or -ENOMEM. */
static int add_process(struct query_rows *rows, struct reading *reading) {
        struct ps_row *row;
        int r;

        if (!read_books(rows, reading))
                return QUERY_AGAIN;
        r = query_rows_make_room(rows);
        if (r != 0)
                return r;
        row = query_rows_add(rows);
        if (!row)
                return -ENOMEM;
        fill_row(rows, row, reading);
        return 0;
}

static int add_processes(struct query_job *job, const struct query_peer *peer) {
        const struct query_params *params = &job->params;
        const struct query *query = job->rows.query;
        struct reading *reading = job->reading;
        int r;

        while (reading->process || (reading->process = collector_process(query->collector, job->next++))) {
                if (!query_params_select_process(params, peer, reading->process) ||
                    !query_params_select_texts(params, reading->process)) {
                        reading->process = NULL;
                        continue;
                }
                query_check_books(reading->process);
                r = add_process(&job->rows, reading);
                if (r != 0)
                        return r;
                *reading = (struct reading){.process = NULL};
                if (query_is_late(query))
                        return QUERY_AGAIN;
        }
        job->next--;
        return 0;
}

int query_method_ps(struct query *query, const struct query_peer *peer, const struct query_params *params,
                    struct wire_buffer *out, struct query_error *ret_error) {
        struct query_job *job = &query->job;
        int r;

        if (!job->is_begun) {
                r = query_rows_init(&job->rows, query, &ps_class, params, ret_error);
                if (r < 0)
                        return r;
                job->reading = calloc(1, sizeof(struct reading));
                job->free_reading = free;
                if (!job->reading)
                        return -ENOMEM;
                job->is_begun = true;
        }
        if (!job->is_read) {
                r = add_processes(job, peer);
                if (r != 0)
                        return r;
                job->is_read = true;
        }
        return query_rows_put(&job->rows, out) ? 0 : QUERY_AGAIN;
}
