/* SPDX-License-Identifier: MIT */
/*
 * A copy of an arena, made in slices while its owner goes on to change it.
 *
 * What does not live here: the file that is made of it (arena_image.h).
 *
 * First all data is copied.  Then lines that batches changed since are copied again, in rounds, until one round takes
 * one slice: then the copy is what the arena is between two batches.  `touched` has the batch of each line's last
 * change; where it was changed outside of the log (arena->untracked), the copy begins again.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/arena/arena.h"

/* Data, from the beginning of the arena. */
struct arena_extent {
        uint64_t offset, length;
};

struct arena_copy {
        char *base; /* as long as the arena; what is not in an extent means nothing */
        uint64_t size;
        struct arena_extent *extents;
        uint32_t extent_count, extents_allocated;

        /* For arena_copy.c only. */
        uint64_t at;          /* where the slice begins */
        uint32_t since, next; /* batches: lines changed after `since` are copied; `next`: that of the next round */
        uint32_t untracked;   /* arena->untracked at the beginning */
        unsigned rounds;
        bool is_round; /* All data was copied once. */
        bool is_cut;   /* The round did not take one slice. */
};

int arena_copy_init(struct arena_copy *copy, const struct arena *arena);
void arena_copy_deinit(struct arena_copy *copy);
/* Between two batches.  Goes on until `end_ns` (monotonic).  0: it is whole; 1: call it again; or -errno. */
int arena_copy_go_on(struct arena_copy *copy, const struct arena *arena, uint64_t end_ns);
