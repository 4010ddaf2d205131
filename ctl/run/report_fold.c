/* SPDX-License-Identifier: MIT */
/*
 * Sums of rows that a report shows as one.  Printing is in report.c.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/rows/counting.h"
#include "ctl/rows/outside.h"
#include "ctl/run/program_name.h"
#include "ctl/run/report_fold.h"

/* The beginning of `counting` for a process that libspanalloc-malloc counts. */
#define COUNTED "libspanalloc-malloc"

void fold_deinit(struct fold *fold) {
        free(fold->rows);
        *fold = (struct fold)FOLD_INIT;
}

static int by_keys(const void *left, const void *right) {
        const struct fold_row *a = left, *b = right;
        int r = 0;

        for (int i = 0; i < FOLD_KEYS && r == 0; i++)
                r = strcmp(a->keys[i], b->keys[i]);
        return r;
}

static int by_bytes(const void *left, const void *right) {
        const struct fold_row *a = left, *b = right;
        uint64_t x = a->values[FOLD_ALLOC_BYTES], y = b->values[FOLD_ALLOC_BYTES];

        return x != y ? (x < y) - (x > y) : by_keys(left, right);
}

static void add_row(struct fold_row *sum, const struct fold_row *row) {
        if (row->over && *row->over)
                sum->over = row->over;
        sum->images += row->images;
        for (int i = 0; i < FOLD_VALUES; i++)
                sum->values[i] += row->values[i];
}

static void merge(struct fold *fold) {
        size_t kept = 0;

        if (!fold->count)
                return;
        qsort(fold->rows, fold->count, sizeof(*fold->rows), by_keys);
        for (size_t i = 0; i < fold->count; i++) {
                add_row(&fold->total, &fold->rows[i]);
                if (kept && by_keys(&fold->rows[kept - 1], &fold->rows[i]) == 0)
                        add_row(&fold->rows[kept - 1], &fold->rows[i]);
                else
                        fold->rows[kept++] = fold->rows[i];
        }
        fold->count = kept;
        qsort(fold->rows, fold->count, sizeof(*fold->rows), by_bytes);
}

static const char *name_of(const struct table *processes, size_t row, const char *command) {
        return program_name(table_text(processes, row, "exe"), table_text(processes, row, "comm"), command);
}

static bool begins(const char *text, const char *with) {
        return !strncmp(text, with, strlen(with));
}

static void take_sums(struct fold_row *ret, const struct table *table, size_t row) {
        ret->images = 1;
        ret->values[FOLD_ALLOCS] = table_uint(table, row, "alloc_count");
        ret->values[FOLD_ALLOC_BYTES] = table_uint(table, row, "alloc_bytes");
        ret->values[FOLD_FREES] = table_uint(table, row, "dealloc_count");
        ret->values[FOLD_FREED_BYTES] = table_uint(table, row, "dealloc_bytes");
        ret->values[FOLD_NET] = ret->values[FOLD_ALLOC_BYTES] - ret->values[FOLD_FREED_BYTES];
        ret->values[FOLD_SELF_BYTES] = table_uint(table, row, "self_alloc_bytes");
}

int fold_processes(struct fold *fold, const struct table *processes, const char *command) {
        fold->rows = calloc(processes->row_count + 1, sizeof(*fold->rows));
        if (!fold->rows)
                return -ENOMEM;
        for (size_t row = 0; row < processes->row_count; row++) {
                struct fold_row *to = &fold->rows[fold->count++];
                const char *counting = table_text(processes, row, "counting");

                take_sums(to, processes, row);
                to->keys[FOLD_NAME] = name_of(processes, row, command);
                to->keys[FOLD_PROGRAM] = table_text(processes, row, "exe");
                to->keys[FOLD_NOTE] = begins(counting, COUNTED) ? "" : counting;
                to->over = begins(counting, COUNTED) ? counting + strlen(COUNTED) : "";
                to->values[FOLD_NET] = (uint64_t)table_int(processes, row, "net_bytes");
                to->values[FOLD_INHERITED] = table_uint(processes, row, "inherited_bytes");
                to->values[FOLD_UNCOUNTED] = counting_is_missing(counting);
                to->values[FOLD_OUTSIDE_BYTES] = table_uint(processes, row, "outside_alloc_bytes");
                to->values[FOLD_LOST_BYTES] = table_uint(processes, row, "lost_alloc_bytes");
                to->values[FOLD_BEFORE_BYTES] = table_uint(processes, row, "before_alloc_bytes");
                to->values[FOLD_EXECS] = !strcmp(table_text(processes, row, "ended"), "exec");
                to->values[FOLD_ALIVE] = table_bool(processes, row, "alive");
                to->values[FOLD_UNBALANCED] = !table_bool(processes, row, "balanced");
        }
        merge(fold);
        return 0;
}

static int by_number(const void *key, const void *element) {
        uint64_t a = *(const uint64_t *)key, b = *(const uint64_t *)element;

        return (a > b) - (a < b);
}

/* The collector's numbers in the table's order, which is theirs. */
static uint64_t *numbers_of(const struct table *processes) {
        uint64_t *numbers = calloc(processes->row_count + 1, sizeof(*numbers));

        for (size_t row = 0; numbers && row < processes->row_count; row++)
                numbers[row] = table_uint(processes, row, "process");
        return numbers;
}

int fold_spans(struct fold *fold, const struct table *spans, const struct table *processes, const char *command) {
        uint64_t *numbers = numbers_of(processes);

        fold->rows = calloc(spans->row_count + 1, sizeof(*fold->rows));
        if (!fold->rows || !numbers) {
                free(numbers);
                return -ENOMEM;
        }
        for (size_t row = 0; row < spans->row_count; row++) {
                struct fold_row *to;
                uint64_t number = table_uint(spans, row, "process");
                const uint64_t *at = bsearch(&number, numbers, processes->row_count, sizeof(number), by_number);

                /* fold_threads() has them. */
                if (outside_is(spans, row))
                        continue;
                to = &fold->rows[fold->count++];
                take_sums(to, spans, row);
                to->keys[FOLD_NAME] = table_text(spans, row, "span");
                to->keys[FOLD_PROGRAM] = at ? name_of(processes, (size_t)(at - numbers), command) : "";
                to->keys[FOLD_NOTE] = "";
                to->values[FOLD_CYCLES] = table_uint(spans, row, "cycles");
        }
        free(numbers);
        merge(fold);
        return 0;
}

static size_t count_threads(const struct table *processes) {
        size_t count = 0;

        for (size_t row = 0; row < processes->row_count; row++) {
                const struct table_map *map = table_map(processes, row, "outside_threads");

                count += map ? map->count : 0;
        }
        return count;
}

static void add_threads(struct fold *fold, const struct table *processes, size_t row, const char *name) {
        const struct table_map *map = table_map(processes, row, "outside_threads");

        for (size_t i = 0; map && i < map->count; i++) {
                const struct table_entry *entry = &map->entries[i];
                struct fold_row *to = &fold->rows[fold->count];

                if (!entry->values[FOLD_ALLOCS] && !entry->values[FOLD_FREES])
                        continue;
                fold->count++;
                to->images = 1;
                to->keys[FOLD_NAME] = entry->name;
                to->keys[FOLD_PROGRAM] = name;
                to->keys[FOLD_NOTE] = "";
                for (uint32_t k = 0; k < entry->count && k < 4; k++)
                        to->values[FOLD_ALLOCS + k] = entry->values[k];
                to->values[FOLD_NET] = to->values[FOLD_ALLOC_BYTES] - to->values[FOLD_FREED_BYTES];
        }
}

int fold_threads(struct fold *fold, const struct table *processes, const char *command) {
        fold->rows = calloc(count_threads(processes) + 1, sizeof(*fold->rows));
        if (!fold->rows)
                return -ENOMEM;
        for (size_t row = 0; row < processes->row_count; row++)
                add_threads(fold, processes, row, name_of(processes, row, command));
        merge(fold);
        return 0;
}
