/* SPDX-License-Identifier: MIT */
/*
 * Within query*.c: what a request becomes, and what its answer is made of.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/merge_sort.h"
#include "base/radix_sort.h"
#include "daemon/collector/collector.h"
#include "daemon/query/query.h"
#include "daemon/wire/columns.h"
#include "daemon/wire/wire.h"

/* Names from the root, each escaped: longer than any that books_path_text writes. */
#define QUERY_PATH_BYTES (SHM_PATH_DEPTH_MAX * 2 * (size_t)SHM_NAME_BYTES)
/* Rows of one answer.  If there are more, the answer is cut, and not complete. */
#define QUERY_ROWS_MAX (1u << 17)
/* Bytes of memory for answers that are kept from one answer to the next. */
#define QUERY_KEEP ((size_t)4 << 20)

struct query;
struct query_method;

struct query_error {
        int code; /* positive errno */
        char message[384];
        char hint[768];
};
/* Fills *ret and returns -code. */
int query_fail(struct query_error *ret, int code, const char *hint, const char *format, ...)
        __attribute__((format(printf, 4, 5)));
/* Foreign text for a message: short, printable, quoted. */
const char *query_quote(struct wire_value text, char *buf, size_t size);

/* ----------------------------------------------------------------------------------------------------- params -- */

enum query_param {
        QUERY_PARAM_PROCESS = 1 << 0,
        QUERY_PARAM_PID = 1 << 1,
        QUERY_PARAM_UNIT = 1 << 2,
        QUERY_PARAM_SPAN = 1 << 3,
        QUERY_PARAM_FILTER = 1 << 4,
        QUERY_PARAM_SORT = 1 << 5,
        QUERY_PARAM_LIMIT = 1 << 6,
        QUERY_PARAM_SINCE = 1 << 7,
        QUERY_PARAM_PROTOCOL = 1 << 8,
        QUERY_PARAM_CLIENT = 1 << 9,
        QUERY_PARAM_COLUMNS = 1 << 10,
        QUERY_PARAM_ON = 1 << 11,
        QUERY_PARAM_ANSWER = 1 << 12,
};
#define QUERY_PARAMS_PROCESS (QUERY_PARAM_PROCESS | QUERY_PARAM_PID | QUERY_PARAM_UNIT)

struct query_params {
        unsigned given; /* enum query_param */
        uint64_t process, pid, limit, since_ns, protocol, on, since_answer;
        char unit[128];
        char span[SHM_NAME_BYTES];
        char filter[256];
        char sort[64];
        char client[64];
        char columns[1024];
};

int query_params_parse(struct query_params *ret, unsigned allowed, struct wire_value map, const char *method,
                       struct query_error *ret_error);
bool query_params_select_process(const struct query_params *params, const struct query_peer *peer,
                                 const struct process *process);
/* Whether `filter` selects a process by its own texts, which is what it means for `ps`. */
bool query_params_select_texts(const struct query_params *params, const struct process *process);
/* Whether `filter` selects a span of that name on that path. */
bool query_params_select_path(const struct query_params *params, const char *name, const char *path);

/* A message in the form of a request; method and params live in *ret_document. */
struct query_call {
        uint64_t id;
        struct wire_value method, params;
};
int query_call_parse(struct query_call *ret, struct wire_document **ret_document, const void *message, size_t size);

/* ------------------------------------------------------------------------------------------------------- rows -- */

/* A value of a row, for sorting and writing alike. */
struct query_cell {
        enum wire_column_type type;
        uint64_t u; /* UINT and BOOL */
        int64_t i;
        const char *text;
};

/* What is written of a row. */
#define QUERY_ROW_BYTES 512u

struct query_rows;

/* Rows of one type, collected, sorted, cut and written by the one function for all of them.  There can be a hundred
 * thousand, so what is kept of each may be little: what it is of, and what it is sorted by. */
struct query_rows_class {
        const char *table;
        size_t size;         /* of a row, as it is kept */
        uint64_t on_request; /* columns that are left out unless they are asked for by name */
        /* NULL, or: works out what is written of a row, QUERY_ROW_BYTES at most.  NULL: the row itself is that.  False: the
         * slice is over; it is called again with the same. */
        bool (*expand)(struct query_rows *rows, const void *row, void *ret_full);
        /* NULL, or: a row that is expanded soon. */
        void (*prefetch)(const void *row);
        /* By column: where the 64 bits of a number are in what is written, plus one; 0, and all with NULL: cell() tells. */
        const uint16_t *numbers;
        /* Where a kept row has the number that it is sorted by (query_rows_key), plus one; 0: nowhere, cell() tells. */
        size_t key;
        /* Of a kept row; ret->type is set already. */
        void (*cell)(struct query *query, const void *row, int column, char *path, struct query_cell *ret);
        void (*put_map)(struct wire_buffer *out, const void *full, int column);
        /* Of kept rows: < 0, 0, > 0: the order of process, then span */
        int (*order)(const void *a, const void *b);
};

struct query_rows {
        const struct query_rows_class *class;
        struct query *query;
        void *rows;
        size_t count, allocated;
        size_t limit; /* 0: all */
        const struct wire_columns *columns;
        const struct query_params *params;
        uint64_t now_ns; /* when expand() looks */

        struct wire_buffer *out;    /* NULL, or where rows go as they come: the answer or query->unsorted */
        size_t mark;                /* in the answer, where they begin */
        struct radix_item *written; /* to query->unsorted */

        /* The rows, or what was written, while they are sorted; memory for that, or NULL: they are not being sorted. */
        void *spare;
        struct merge_sort sorting;
        struct radix_sort ordering;

        /* How a row is written: runs of numbers, whose places in what is written are in `offsets`, and single columns. */
        struct query_step {
                uint8_t column, numbers; /* numbers 0: that column */
                bool is_signed;          /* a single number, too */
        } steps[64];
        unsigned step_count;
        uint16_t offsets[64];

        uint64_t chosen;    /* bits by column */
        uint32_t width;     /* the number of columns */
        uint32_t more_keys; /* of the table's map; the method writes them after the rows */
        int sort;           /* column, or -1 */
        bool descending;
        bool complete;
        bool is_sorted;
        bool is_headed; /* The head is written, and put_count of the rows. */
        size_t put_count;
        uint32_t work;                                        /* since the last look at the clock */
        _Alignas(max_align_t) char expanded[QUERY_ROW_BYTES]; /* the row that is written next */
};

int query_rows_init(struct query_rows *rows, struct query *query, const struct query_rows_class *class,
                    const struct query_params *params, struct query_error *ret_error);
void query_rows_deinit(struct query_rows *rows);
/* After so much work, about that for a row or a path: true if the slice is over, which is looked at once in a while. */
bool query_rows_are_late(struct query_rows *rows, uint32_t work);
/* Before query_rows_add(): cuts the rows down where there are too many.  0, QUERY_AGAIN: the slice is over, or -ENOMEM. */
int query_rows_make_room(struct query_rows *rows);
/* Room for one more row, zeroed; NULL: no memory. */
void *query_rows_add(struct query_rows *rows);
/* For rows that come in the order of process and span: where all of them are asked for, in that order or in that of a
 * number, begins the table.  Then query_rows_write() takes the place of query_rows_add(). */
bool query_rows_begin(struct query_rows *rows, struct wire_buffer *out);
/* Writes a row, as it would be kept and with what expand() makes of it.  False: there are too many, or no memory
 * (out->error). */
bool query_rows_write(struct query_rows *rows, const void *row, const void *full);
/* Sorts, cuts, and writes the whole table as the value that comes next; or ends the one that was begun.  False: it goes on
 * at the next call. */
bool query_rows_put(struct query_rows *rows, struct wire_buffer *out);
/* Sorts and cuts what was added.  0, QUERY_AGAIN or -ENOMEM. */
int query_rows_sort_some(struct query_rows *rows);
/* Orders what was written to query->unsorted, and makes room for it in `out`.  0, QUERY_AGAIN or -errno. */
int query_rows_order_some(struct query_rows *rows, struct wire_buffer *out);
/* Of what is to be written of a row: the number that it is sorted by, so that smaller numbers come first; 0 where it is
 * sorted by none. */
uint64_t query_rows_key(const struct query_rows *rows, const void *full);
/* Whether a column has to be known: for the answer, or for its order. */
bool query_rows_need(const struct query_rows *rows, int column);

/* The columns that a request asks for, as bits: those that its parameter `columns` names, or without it all except
 * `on_request`.  0, or -EINVAL: an unknown column. */
int query_columns_choose(const struct wire_columns *columns, const struct query_params *params, uint64_t on_request,
                         uint64_t *ret, struct query_error *ret_error);
void query_put_columns(struct wire_buffer *out, const struct wire_columns *columns, uint64_t chosen);

const char *query_quality_text(enum books_quality quality);

/* Rows of what is outside of spans, in `spans` and `tree`: the name of the thread, and whether `filter` selects it. */
const char *query_outside_thread(const struct books *books, uint32_t index);
bool query_params_select_outside(const struct query_params *params, const struct books *books, uint32_t index);

/* In a checking build: the books of a process that is about to be shown balance. */
void query_check_books(const struct process *process);
/* Rounded, and held between 0 and UINT64_MAX: what a client counts may make a rate larger, or no number. */
static inline uint64_t query_whole_number(double value) {
        if (!(value > 0))
                return 0;
        return value < 0x1p64 ? (uint64_t)(value + 0.5) : UINT64_MAX;
}

/* -------------------------------------------------------------------------------------------------- in slices -- */

/* The answer in the making, one at a time.  An answer may take many turns; each row is of the moment when it is read.
 * A method that returns QUERY_AGAIN is called again, with the same arguments, and finds here how far it is. */
struct query_job {
        const void *owner; /* NULL: there is none */
        const struct query_method *method;
        struct query_params params;
        uint64_t id;
        size_t mark;     /* of the frame */
        bool is_sliced;  /* else it is made in one go */
        uint64_t end_ns; /* of the slice */
        bool is_fresh;   /* All rows were refreshed. */
        bool is_begun;   /* The method was called before. */
        bool is_read;    /* All rows are read: a process that attaches from here on is not in this answer. */
        struct collector_refreshing refreshing;
        size_t next;    /* the process that comes next, first to be refreshed, then to be read; it is held */
        uint32_t count; /* of processes that the method changed */
        const struct process *timed; /* of which the timing is set, and which is refreshed; NULL: none */
        struct collector_reset reset;
        struct query_rows rows;
        /* What the method keeps of the process that it reads, which is the one before `next`; NULL: nothing. */
        void *reading;
        void (*free_reading)(void *reading);
        struct query_answer {
                uint64_t now_ns, chosen;
                uint32_t rows;
                bool complete;
                size_t mark;
        } tree;
        uint64_t *unchanged; /* numbers of processes without rows */
        uint32_t unchanged_count;
        size_t unchanged_allocated;
};
#define QUERY_AGAIN 1

/* True if the slice is over. */
bool query_is_late(const struct query *query);

struct query {
        struct collector *collector;
        uint64_t queries, errors, limited, follow_dropped;
        uint64_t answer; /* number of the last one that said what is unchanged; not even a restart brings one twice */

        /* To get fresh pages for each answer took a fourth of its time. */
        struct wire_buffer unsorted; /* rows that are still to be sorted */
        struct wire_buffer spare;    /* memory only, for an answer */

        struct query_job job;

        struct query_follower *followers[QUERY_FOLLOWERS_MAX];
        struct wire_buffer event;    /* the notification that is being handed out */
        char path[QUERY_PATH_BYTES]; /* of the row or event in hand */
        char path_other[QUERY_PATH_BYTES];
};

/* ---------------------------------------------------------------------------------------------------- methods -- */

/* Each writes its result as the value that comes next.  0, QUERY_AGAIN, or -errno with *ret_error filled, or -ENOMEM. */
typedef int (*query_method_fn)(struct query *query, const struct query_peer *peer, const struct query_params *params,
                               struct wire_buffer *out, struct query_error *ret_error);
int query_method_status(struct query *query, const struct query_peer *peer, const struct query_params *params,
                        struct wire_buffer *out, struct query_error *ret_error);
int query_method_ps(struct query *query, const struct query_peer *peer, const struct query_params *params,
                    struct wire_buffer *out, struct query_error *ret_error);
int query_method_spans(struct query *query, const struct query_peer *peer, const struct query_params *params,
                       struct wire_buffer *out, struct query_error *ret_error);
int query_method_tree(struct query *query, const struct query_peer *peer, const struct query_params *params,
                      struct wire_buffer *out, struct query_error *ret_error);
int query_method_follow(struct query *query, const struct query_peer *peer, const struct query_params *params,
                        struct wire_buffer *out, struct query_error *ret_error);

void query_follow_init(struct query *query);
void query_follow_deinit(struct query *query);
