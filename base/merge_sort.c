/* SPDX-License-Identifier: MIT */
/* See merge_sort.h. */
#include "base/merge_sort.h"

#include <string.h>

static size_t least(size_t a, size_t b) {
        return a < b ? a : b;
}

/* The two runs that begin at `at`, of which the second may be short or missing. */
static void take_runs(struct merge_sort *sort, size_t at) {
        sort->left = at;
        sort->left_end = sort->right = least(at + sort->run, sort->count);
        sort->right_end = least(at + 2 * sort->run, sort->count);
        sort->next = at;
}

void merge_sort_begin(struct merge_sort *sort, void *entries, void *spare, size_t count, size_t size) {
        *sort = (struct merge_sort){.from = entries, .to = spare, .count = count, .size = size, .run = 1};
        take_runs(sort, 0);
}

static bool takes_left(const struct merge_sort *sort, merge_sort_fn compare, void *userdata) {
        if (sort->left == sort->left_end || sort->right == sort->right_end)
                return sort->right == sort->right_end;
        return compare(sort->from + sort->left * sort->size, sort->from + sort->right * sort->size, userdata) <= 0;
}

bool merge_sort_some(struct merge_sort *sort, size_t portion, merge_sort_fn compare, void *userdata) {
        while (sort->run < sort->count) {
                size_t at;

                if (!portion--)
                        return false;
                at = takes_left(sort, compare, userdata) ? sort->left++ : sort->right++;
                memcpy(sort->to + sort->next++ * sort->size, sort->from + at * sort->size, sort->size);
                if (sort->next < sort->right_end)
                        continue;
                if (sort->next == sort->count) {
                        char *merged = sort->to;

                        sort->to = sort->from;
                        sort->from = merged;
                        sort->run *= 2;
                        sort->next = 0;
                }
                take_runs(sort, sort->next);
        }
        return true;
}

void *merge_sort_result(const struct merge_sort *sort) {
        return sort->from;
}
