/* SPDX-License-Identifier: MIT */
/*
 * Sorting in portions, for a thread that must not be held up: the sort goes on where it was left.
 *
 * What lives here: the sort.  What does not: when a portion is over, and what an entry is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* < 0, 0, > 0.  It may change its mind between two portions: then the order is another one, and nothing is lost. */
typedef int (*merge_sort_fn)(const void *a, const void *b, void *userdata);

struct merge_sort {
        char *from, *to; /* From runs of `from`, longer ones are made in `to`. */
        size_t count, size;
        size_t run;              /* entries of a sorted run in `from` */
        size_t left, left_end;   /* what is not merged yet of the first of two runs */
        size_t right, right_end; /* and of the second */
        size_t next;             /* where the next entry goes in `to` */
};

/* Begins to sort `count` entries of `size` bytes.  `entries` and `spare`, with room for as many, are borrowed until the
 * sort is over. */
void merge_sort_begin(struct merge_sort *sort, void *entries, void *spare, size_t count, size_t size);
/* Moves `portion` entries at most.  False: call it again.  Equal entries keep their order. */
bool merge_sort_some(struct merge_sort *sort, size_t portion, merge_sort_fn compare, void *userdata);
/* Of a sort that is over: where the entries are, in the order of `compare`: `entries` or `spare`. */
void *merge_sort_result(const struct merge_sort *sort);
