/* SPDX-License-Identifier: MIT */
/*
 * Answers to samples and members.  What is kept from answer to answer is in top_store.c.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clean_text.h"
#include "ctl/model/top_read.h"
#include "ctl/output/text.h"
#include "ctl/rows/counting.h"

enum field {
        FIELD_OTHER,
        FIELD_PROCESS,
        FIELD_KEY,
        FIELD_PARENT,
        FIELD_ALLOC_COUNT,
        FIELD_ALLOC_BYTES,
        FIELD_NET,
        FIELD_OPEN,
        FIELD_CLOSED,
        FIELD_QUALITY,
        FIELD_P99,
        FIELD_CALLS,
        FIELD_CALLS_NET,
        FIELD_BUSY,
        FIELD_TIMED_CALLS,
        FIELD_TIMED_CALLS_NS,
        FIELD_SPAN,
        FIELD_PATH,
        FIELD_THREAD,
};
enum { FIELDS_MAX = 64 };

static enum field field_of(const char *name, size_t size) {
        static const char *const names[] = {
                [FIELD_PROCESS] = "process",
                [FIELD_KEY] = "key",
                [FIELD_PARENT] = "parent_key",
                [FIELD_ALLOC_COUNT] = "alloc_count",
                [FIELD_ALLOC_BYTES] = "alloc_bytes",
                [FIELD_NET] = "net_bytes",
                [FIELD_OPEN] = "open",
                [FIELD_CLOSED] = "closed",
                [FIELD_QUALITY] = "quality",
                [FIELD_P99] = "per_call_p99",
                [FIELD_CALLS] = "calls",
                [FIELD_CALLS_NET] = "calls_net_bytes",
                [FIELD_BUSY] = "busy_ns",
                [FIELD_TIMED_CALLS] = "timed_calls",
                [FIELD_TIMED_CALLS_NS] = "timed_calls_ns",
                [FIELD_SPAN] = "span",
                [FIELD_PATH] = "path",
                [FIELD_THREAD] = "thread",
        };

        for (int i = FIELD_OTHER + 1; i <= FIELD_THREAD; i++)
                if (strlen(names[i]) == size && !memcmp(names[i], name, size))
                        return (enum field)i;
        return FIELD_OTHER;
}

/* An unknown quality is shown as estimated. */
static enum top_quality quality_of(const char *text, size_t size) {
        static const char *const names[] = {
                [TOP_EXACT] = "exact",         [TOP_MIGRATED] = "migrated", [TOP_LOST] = "lost",
                [TOP_ESTIMATED] = "estimated", [TOP_MIXED] = "mixed",
        };

        for (int i = TOP_EXACT; i <= TOP_MIXED; i++)
                if (strlen(names[i]) == size && !memcmp(names[i], text, size))
                        return (enum top_quality)i;
        return TOP_ESTIMATED;
}

void top_samples_deinit(struct top_samples *samples) {
        free(samples->rows);
        free(samples->unchanged);
        free(samples->arena);
        *samples = (struct top_samples){0};
}

static int make_room(struct top_samples *samples, size_t rows, size_t bytes) {
        void *more;

        samples->count = samples->arena_used = samples->unchanged_count = 0;
        if (rows > samples->room) {
                more = reallocarray(samples->rows, rows, sizeof(*samples->rows));
                if (!more)
                        return -ENOMEM;
                samples->rows = more;
                samples->room = rows;
        }
        if (bytes > samples->arena_size) {
                more = realloc(samples->arena, bytes);
                if (!more)
                        return -ENOMEM;
                samples->arena = more;
                samples->arena_size = bytes;
        }
        return 0;
}

/* ----------------------------------------------------------------------------------------- from a message -- */

/* A text takes one byte more here, and at least that in the message: an arena of its size holds them all. */
static const char *keep_text(struct top_samples *samples, const struct wire_item *item) {
        char *to = samples->arena + samples->arena_used;

        if (item->type != WIRE_TEXT || item->size >= samples->arena_size - samples->arena_used)
                return NULL;
        memcpy(to, item->text, item->size);
        to[item->size] = '\0';
        text_clean_in_place(to, item->size);
        samples->arena_used += item->size + 1;
        return to;
}

static int64_t int_of(const struct wire_item *item) {
        return item->type == WIRE_INT ? item->i : (int64_t)item->u;
}

static void set_field(struct top_samples *samples, struct top_sample *row, enum field field,
                      const struct wire_item *item) {
        switch (field) {
        case FIELD_PROCESS:
                row->process = item->u;
                break;
        case FIELD_KEY:
                row->key = (uint32_t)item->u;
                break;
        case FIELD_PARENT:
                row->parent_key = (uint32_t)item->u;
                break;
        case FIELD_ALLOC_COUNT:
                row->sums.alloc_count = item->u;
                break;
        case FIELD_ALLOC_BYTES:
                row->sums.alloc_bytes = item->u;
                break;
        case FIELD_NET:
                row->sums.net_bytes = int_of(item);
                break;
        case FIELD_OPEN:
                row->sums.open = item->u;
                break;
        case FIELD_CLOSED:
                row->sums.closed = item->u;
                break;
        case FIELD_QUALITY:
                row->sums.quality = item->type == WIRE_TEXT ? quality_of(item->text, item->size) : TOP_ESTIMATED;
                break;
        case FIELD_P99:
                row->sums.p99 = item->u;
                row->sums.has_p99 = true;
                break;
        case FIELD_CALLS:
                row->sums.calls = item->u;
                break;
        case FIELD_CALLS_NET:
                row->sums.calls_net = int_of(item);
                break;
        case FIELD_BUSY:
                row->sums.busy_ns = item->u;
                row->sums.has_time = true;
                break;
        case FIELD_TIMED_CALLS:
                row->sums.timed_calls = item->u;
                break;
        case FIELD_TIMED_CALLS_NS:
                row->sums.timed_calls_ns = item->u;
                break;
        case FIELD_SPAN:
                row->span = keep_text(samples, item);
                break;
        case FIELD_PATH:
                row->path = keep_text(samples, item);
                break;
        case FIELD_THREAD:
                row->thread = keep_text(samples, item);
                break;
        case FIELD_OTHER:
                break;
        }
}

static bool read_row(struct top_samples *samples, struct wire_cursor *at, const enum field *fields, uint64_t n) {
        struct top_sample *row = &samples->rows[samples->count++];
        struct wire_item item;

        if (!wire_cursor_next(at, &item) || item.type != WIRE_ARRAY || item.u != n)
                return false;
        *row = (struct top_sample){0};
        for (uint64_t i = 0; i < n; i++) {
                if (fields[i] == FIELD_OTHER) {
                        if (!wire_cursor_skip(at))
                                return false;
                        continue;
                }
                if (!wire_cursor_next(at, &item) || item.type == WIRE_ARRAY || item.type == WIRE_MAP)
                        return false;
                set_field(samples, row, fields[i], &item);
        }
        return true;
}

static int read_rows(struct top_samples *samples, struct wire_cursor at, const enum field *fields, uint64_t n) {
        size_t bytes = at.left;
        struct wire_item item;
        int r;

        if (!wire_cursor_next(&at, &item) || item.type != WIRE_ARRAY)
                return -EBADMSG;
        r = make_room(samples, (size_t)item.u, bytes + 1);
        for (uint64_t i = 0; i < item.u && r == 0; i++)
                if (!read_row(samples, &at, fields, n))
                        r = -EBADMSG;
        return r;
}

static int read_unchanged(struct top_samples *samples, struct wire_cursor at) {
        struct wire_item item;

        if (!wire_cursor_next(&at, &item) || item.type != WIRE_ARRAY)
                return -EBADMSG;
        if (item.u > samples->unchanged_room) {
                void *more = reallocarray(samples->unchanged, (size_t)item.u, sizeof(*samples->unchanged));

                if (!more)
                        return -ENOMEM;
                samples->unchanged = more;
                samples->unchanged_room = (size_t)item.u;
        }
        for (uint64_t left = item.u; left > 0; left--) {
                if (!wire_cursor_next(&at, &item) || item.type != WIRE_UINT)
                        return -EBADMSG;
                samples->unchanged[samples->unchanged_count++] = item.u;
        }
        return 0;
}

static bool read_columns(struct wire_cursor at, enum field fields[FIELDS_MAX], uint64_t *ret_n) {
        struct wire_item list, name;

        if (!wire_cursor_next(&at, &list) || list.type != WIRE_ARRAY || list.u > FIELDS_MAX)
                return false;
        for (uint64_t i = 0; i < list.u; i++) {
                if (!wire_cursor_next(&at, &name) || name.type != WIRE_TEXT)
                        return false;
                fields[i] = field_of(name.text, name.size);
        }
        *ret_n = list.u;
        return true;
}

int top_samples_read(struct top_samples *samples, struct wire_cursor answer) {
        struct wire_cursor columns = {0}, rows = {0}, unchanged = {0}, value;
        enum field fields[FIELDS_MAX];
        struct wire_item map, key, item;
        uint64_t n = 0;
        int r;

        samples->time_ns = samples->answer = 0;
        samples->complete = true;
        if (!wire_cursor_next(&answer, &map) || map.type != WIRE_MAP)
                return -EBADMSG;
        for (uint64_t i = 0; i < map.u; i++) {
                if (!wire_cursor_next(&answer, &key) || key.type != WIRE_TEXT)
                        return -EBADMSG;
                value = answer;
                if (key.size == 7 && !memcmp(key.text, "columns", 7))
                        columns = value;
                else if (key.size == 4 && !memcmp(key.text, "rows", 4))
                        rows = value;
                else if (key.size == 9 && !memcmp(key.text, "unchanged", 9))
                        unchanged = value;
                else if (key.size == 6 && !memcmp(key.text, "answer", 6) && wire_cursor_next(&value, &item))
                        samples->answer = item.u;
                else if (key.size == 7 && !memcmp(key.text, "time_ns", 7) && wire_cursor_next(&value, &item))
                        samples->time_ns = item.u;
                else if (key.size == 8 && !memcmp(key.text, "complete", 8) && wire_cursor_next(&value, &item))
                        samples->complete = item.u;
                if (!wire_cursor_skip(&answer))
                        return -EBADMSG;
        }
        if (!columns.at || !rows.at || !read_columns(columns, fields, &n))
                return -EBADMSG;
        r = read_rows(samples, rows, fields, n);
        return r == 0 && unchanged.at ? read_unchanged(samples, unchanged) : r;
}

/* ------------------------------------------------------------------------------------------- from a table -- */

/* An answer without names of columns has the average only: enough for rows that are not summed. */
static void take_calls(const struct table *table, size_t row, struct top_sums *sums) {
        if (table_column(table, "calls") >= 0) {
                sums->calls = table_uint(table, row, "calls");
                sums->calls_net = table_int(table, row, "calls_net_bytes");
        } else if (table_column(table, "net_per_call") >= 0) {
                sums->calls = sums->closed > 0;
                sums->calls_net = table_int(table, row, "net_per_call");
        }
}

int top_samples_take(struct top_samples *samples, const struct table *table) {
        int r = make_room(samples, table->row_count, 0);

        if (r < 0)
                return r;
        samples->answer = 0;
        samples->time_ns = table->time_ns;
        samples->complete = table->complete;
        for (size_t i = 0; i < table->row_count; i++) {
                const char *quality = table_text(table, i, "quality");

                samples->rows[samples->count++] = (struct top_sample){
                        .process = table_uint(table, i, "process"),
                        .key = (uint32_t)table_uint(table, i, "key"),
                        .parent_key = (uint32_t)table_uint(table, i, "parent_key"),
                        .span = table_text(table, i, "span"),
                        .path = table_text(table, i, "path"),
                        .thread = table_text(table, i, "thread"),
                        .sums = {.alloc_count = table_uint(table, i, "alloc_count"),
                                 .alloc_bytes = table_uint(table, i, "alloc_bytes"),
                                 .net_bytes = table_int(table, i, "net_bytes"),
                                 .open = table_uint(table, i, "open"),
                                 .closed = table_uint(table, i, "closed"),
                                 .quality = quality_of(quality, strlen(quality)),
                                 .p99 = table_map_uint(table_map(table, i, "per_call"), "p99"),
                                 .has_p99 = true,
                                 .busy_ns = table_uint(table, i, "busy_ns"),
                                 .timed_calls = table_uint(table, i, "timed_calls"),
                                 .timed_calls_ns = table_uint(table, i, "timed_calls_ns"),
                                 .has_time = true},
                };
                take_calls(table, i, &samples->rows[i].sums);
        }
        return 0;
}

/* ---------------------------------------------------------------------------------------------- processes -- */

void top_members_deinit(struct top_members *members) {
        table_free(members->table);
        free(members->rows);
        *members = (struct top_members){0};
}

static int compare_members(const void *a, const void *b) {
        const struct top_member *x = a, *y = b;

        return x->process < y->process ? -1 : x->process > y->process;
}

uint32_t top_members_find(const struct top_members *members, uint64_t process) {
        struct top_member key = {.process = process}, *found;

        found = members->count ? bsearch(&key, members->rows, members->count, sizeof(*members->rows), compare_members)
                               : NULL;
        return found ? (uint32_t)(found - members->rows) : TOP_NONE;
}

static struct top_member read_member(const struct table *table, size_t row) {
        struct top_member member = {
                .process = table_uint(table, row, "process"),
                .pid = table_uint(table, row, "pid"),
                .alloc_count = table_uint(table, row, "alloc_count"),
                .alloc_bytes = table_uint(table, row, "alloc_bytes"),
                .before_count = table_uint(table, row, "before_alloc_count"),
                .before_bytes = table_uint(table, row, "before_alloc_bytes"),
                .net_bytes = table_int(table, row, "net_bytes"),
                .unit = table_text(table, row, "unit"),
                .comm = table_text(table, row, "comm"),
                .uncounted = counting_is_missing(table_text(table, row, "counting")),
                .timed = table_bool(table, row, "timed"),
                .ended = !table_bool(table, row, "alive"),
                .row = (uint32_t)row,
        };
        char pid[24];

        member.unit_width = (uint16_t)text_width(member.unit);
        member.process_width = (uint16_t)(text_width(member.comm) +
                                          (size_t)snprintf(pid, sizeof(pid), "[%" PRIu64 "]", member.pid));
        return member;
}

int top_members_take(struct top_members *members, struct table *table) {
        struct top_member *rows = calloc(table->row_count + 1, sizeof(*rows));

        if (!rows) {
                table_free(table);
                return -ENOMEM;
        }
        for (size_t i = 0; i < table->row_count; i++)
                rows[i] = read_member(table, i);
        qsort(rows, table->row_count, sizeof(*rows), compare_members);
        top_members_deinit(members);
        *members = (struct top_members){table, rows, table->row_count};
        return 0;
}
