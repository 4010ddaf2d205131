/* SPDX-License-Identifier: MIT */
/*
 * How a row of the method `spans` is read: in portions, and only the columns that are selected, sorted or shown.
 */
#include <errno.h>
#include <string.h>

#include "daemon/query/query_spans.h"
#include "daemon/wire/columns.h"

#define ORDER_PORTION 1024u /* names between two looks at the clock */
#define WALK_PORTION  512u  /* paths */

static bool is_rate(int column) {
        return column >= WIRE_SPANS_alloc_bytes_rate_10s && column <= WIRE_SPANS_alloc_bytes_rate_10m;
}

static struct spans_reading *reading_of(const struct query_rows *rows) {
        return rows->query->job.reading;
}

static bool needs_per_call(const struct query_rows *rows) {
        return query_rows_need(rows, WIRE_SPANS_per_call) || query_rows_need(rows, WIRE_SPANS_per_call_p99);
}

/* What costs most, and only a row that is shown needs. */
static unsigned parts_to_show(const struct query_rows *rows) {
        const uint64_t rates = UINT64_C(7) << WIRE_SPANS_alloc_bytes_rate_10s;
        unsigned parts = 0;

        if ((rows->chosen & rates) || is_rate(rows->sort))
                parts |= BOOKS_RATES;
        if (needs_per_call(rows))
                parts |= BOOKS_PER_CALL;
        if (query_rows_need(rows, WIRE_SPANS_per_call_histogram))
                parts |= BOOKS_HISTOGRAM;
        if (query_rows_need(rows, WIRE_SPANS_net_per_call_histogram))
                parts |= BOOKS_NETS;
        return parts;
}

static unsigned parts_to_sort(const struct query_rows *rows) {
        return is_rate(rows->sort) ? BOOKS_RATES : rows->sort == WIRE_SPANS_per_call_p99 ? BOOKS_PER_CALL : 0;
}

static uint64_t since_of(const struct query_rows *rows) {
        const struct query_params *params = rows->params;

        return params->given & QUERY_PARAM_SINCE ? params->since_ns + !params->since_ns : 0;
}

static void begin_numbers(const struct query_rows *rows, const struct process *process, uint32_t name,
                          struct span_numbers *full) {
        full->process = process;
        full->number = process->number;
        full->pid = (uint64_t)process->pid;
        full->uid = process->uid;
        full->name = name;
        full->processes = 1;
        full->rate[0] = full->rate[1] = full->rate[2] = 0;
        full->process_net_bytes = query_rows_need(rows, WIRE_SPANS_process_net_bytes)
                                          ? books_process_growth(process->books, rows->now_ns, since_of(rows))
                                          : 0;
}

static void begin_sums(const struct query_rows *rows, struct span_reader *reader, const struct process *process,
                       uint32_t name, struct span_numbers *full) {
        begin_numbers(rows, process, name, full);
        full->walk = &reader->walk;
        books_name_walk_begin(&reader->walk, process->books, name, rows->now_ns, since_of(rows), &full->books);
        reader->stage = READ_SUMS;
}

static int64_t net_per_call(const struct books_row *row) {
        return row->calls && row->calls <= INT64_MAX ? row->calls_net / (int64_t)row->calls : 0;
}

static void set_rates(struct span_numbers *full) {
        for (int i = 0; i < 3; i++)
                full->rate[i] = query_whole_number(full->books.rate[i]);
}

static void set_net(struct span_numbers *full) {
        full->net_bytes = (int64_t)(full->books.total[SHM_ALLOC_BYTES] - full->books.total[SHM_DEALLOC_BYTES]);
        full->net_per_call = net_per_call(&full->books);
}

/* A whole row, which has no paths and no calls.  False: the sums do not go back as far as asked for. */
static bool read_outside(const struct query_rows *rows, const struct process *process, uint32_t thread,
                         struct span_numbers *full) {
        bool reaches;

        begin_numbers(rows, process, WIRE_OUTSIDE_KEY | thread, full);
        full->walk = NULL;
        full->path = 0;
        full->paths = full->timed_calls_per_1000s = 0;
        reaches = books_outside_row(process->books, thread, rows->now_ns, since_of(rows), &full->books);
        set_net(full);
        set_rates(full);
        return reaches;
}

static void end_sums(struct span_reader *reader, struct span_numbers *full) {
        full->path = reader->walk.path;
        full->paths = reader->walk.paths;
        set_net(full);
        full->timed_calls_per_1000s = query_whole_number(full->books.time.calls_rate * 1000);
        reader->stage = READ_THREADS;
}

static void begin_rest(struct span_reader *reader, const struct span_numbers *full, unsigned parts) {
        if (!parts)
                return;
        books_name_walk_again(&reader->walk, full->process->books, parts);
        reader->stage = READ_REST;
}

static void end_rest(struct span_reader *reader, struct span_numbers *full) {
        set_rates(full);
        reader->stage = READ_THREADS;
}

typedef bool (*walk_fn)(struct books_name_walk *walk, const struct books *books, uint32_t portion);

/* False: the slice is over. */
static bool go_on(struct query_rows *rows, struct span_reader *reader, const struct books *books, walk_fn walk) {
        while (!walk(&reader->walk, books, WALK_PORTION))
                if (query_is_late(rows->query))
                        return false;
        rows->work += reader->walk.paths < WALK_PORTION ? reader->walk.paths : WALK_PORTION;
        return true;
}

/* Where the row is shown with its threads: their table, of this answer.  False: the slice is over. */
static bool make_threads(struct query_rows *rows, const struct books *books) {
        if (!query_rows_need(rows, WIRE_SPANS_threads))
                return true;
        while (!books_threads_in_some(books, rows->now_ns))
                if (query_is_late(rows->query))
                        return false;
        return true;
}

bool query_spans_expand(struct query_rows *rows, const void *data, void *ret_full) {
        const struct books *books = ((const struct span_row *)data)->process->books;
        struct span_reader *reader = &reading_of(rows)->reader;
        const struct span_row *row = data;
        uint32_t thread;

        if (query_spans_outside(row->name, &thread)) {
                (void)read_outside(rows, row->process, thread, ret_full);
                return true;
        }
        if (reader->stage == READ_NOTHING)
                begin_sums(rows, reader, row->process, row->name, ret_full);
        if (reader->stage == READ_SUMS) {
                if (!go_on(rows, reader, books, books_name_walk_sums))
                        return false;
                end_sums(reader, ret_full);
                begin_rest(reader, ret_full, parts_to_show(rows));
        }
        if (reader->stage == READ_REST) {
                if (!go_on(rows, reader, books, books_name_walk_parts))
                        return false;
                end_rest(reader, ret_full);
        }
        if (!make_threads(rows, books))
                return false;
        reader->stage = READ_NOTHING;
        return true;
}

/* A name that is only known, such as one from before a reset, is no row. */
static bool row_is_empty(const struct books_row *row) {
        uint64_t any = row->opened | row->closed | row->open | row->cycles | row->aborted | row->refused;

        for (size_t i = 0; i < SHM_COUNTERS; i++)
                any |= row->self[i] | row->total[i];
        return any == 0;
}

static const char *name_in_hand(const struct spans_reading *reading) {
        return books_name(reading->process->books, reading->names[reading->rank]);
}

static bool begin_row(struct query_rows *rows, struct spans_reading *reading) {
        const struct query_params *params = rows->params;

        books_names_prefetch(reading->process->books, reading->names, reading->rank, reading->count,
                             rows->out && needs_per_call(rows));
        if ((params->given & QUERY_PARAM_SPAN) && strcmp(name_in_hand(reading), params->span) != 0)
                return false;
        begin_sums(rows, &reading->reader, reading->process, reading->names[reading->rank], &reading->full);
        return true;
}

/* Whether the row, of which the sums are there, is to be shown. */
static bool is_shown(struct query_rows *rows, const struct spans_reading *reading) {
        char *path = rows->query->path;

        if (!reading->reader.walk.reaches)
                rows->complete = false;
        if (row_is_empty(&reading->full.books))
                return false;
        if (!(rows->params->given & QUERY_PARAM_FILTER))
                return true;
        books_path_text(reading->process->books, reading->full.path, path, QUERY_PATH_BYTES);
        return query_params_select_path(rows->params, name_in_hand(reading), path);
}

/* 0 or -ENOMEM. */
static int end_row(struct query_rows *rows, struct spans_reading *reading) {
        const struct span_numbers *full = &reading->full;
        const struct span_row found = {
                .process = reading->process,
                .key = query_rows_key(rows, full),
                .name = (uint32_t)full->name,
                .rank = reading->rank,
                .path = full->path,
                .quality = full->books.quality,
        };
        struct span_row *row;

        if (rows->out) {
                if (!query_rows_write(rows, &found, full))
                        reading->rank = reading->end;
                return 0;
        }
        row = query_rows_add(rows);
        if (!row)
                return -ENOMEM;
        *row = found;
        return 0;
}

/* The row of a thread's name.  0 or -ENOMEM. */
static int read_outside_row(struct query_rows *rows, struct spans_reading *reading) {
        const struct query_params *params = rows->params;
        uint32_t thread = reading->rank - reading->count;

        if ((params->given & QUERY_PARAM_SPAN) && strcmp(WIRE_OUTSIDE, params->span) != 0)
                return 0;
        if (!read_outside(rows, reading->process, thread, &reading->full))
                rows->complete = false;
        if (row_is_empty(&reading->full.books) || !query_params_select_outside(params, reading->process->books, thread))
                return 0;
        return end_row(rows, reading);
}

/* The row in hand.  0, QUERY_AGAIN or -ENOMEM. */
static int read_row(struct query_rows *rows, struct spans_reading *reading) {
        struct span_reader *reader = &reading->reader;
        const struct books *books = reading->process->books;

        if (reader->stage == READ_NOTHING && !begin_row(rows, reading))
                return 0;
        if (reader->stage == READ_SUMS) {
                if (!go_on(rows, reader, books, books_name_walk_sums))
                        return QUERY_AGAIN;
                end_sums(reader, &reading->full);
                if (!is_shown(rows, reading)) {
                        reader->stage = READ_NOTHING;
                        return 0;
                }
                begin_rest(reader, &reading->full, rows->out ? parts_to_show(rows) : parts_to_sort(rows));
        }
        if (reader->stage == READ_REST) {
                if (!go_on(rows, reader, books, books_name_walk_parts))
                        return QUERY_AGAIN;
                end_rest(reader, &reading->full);
        }
        if (rows->out && !make_threads(rows, books))
                return QUERY_AGAIN;
        reader->stage = READ_NOTHING;
        return end_row(rows, reading);
}

/* Where the names are in the order of their texts: 0, QUERY_AGAIN or -ENOMEM. */
static int order_names(const struct query_rows *rows, struct spans_reading *reading) {
        const struct books *books = reading->process->books;

        while (!books_order_names_some(books, ORDER_PORTION))
                if (query_is_late(rows->query))
                        return QUERY_AGAIN;
        reading->names = books_names_ordered(books, &reading->count);
        reading->end = reading->count + books_thread_count(books);
        return 0;
}

int query_spans_add_process(struct query_rows *rows, struct spans_reading *reading) {
        int r = reading->end ? 0 : order_names(rows, reading);

        if (r != 0)
                return r;
        while (reading->rank < reading->end) {
                r = query_rows_make_room(rows);
                if (r == 0)
                        r = reading->rank < reading->count ? read_row(rows, reading) : read_outside_row(rows, reading);
                if (r != 0)
                        return r;
                reading->rank += reading->rank < reading->end;
                if (query_rows_are_late(rows, 8))
                        return QUERY_AGAIN;
        }
        return 0;
}

int query_spans_begin_process(struct spans_reading *reading, const struct process *process) {
        query_check_books(process);
        reading->names = NULL;
        reading->count = reading->rank = reading->end = 0;
        reading->reader.stage = READ_NOTHING;
        reading->process = process;
        return books_order_names(process->books);
}
