/* SPDX-License-Identifier: MIT */
/*
 * The arena: flat memory that survives its process, changed in batches that happen wholly or not at all.
 *
 * What lives here: the mapping, and the undo log that makes a batch atomic.  What does not: the data (books.h).
 *
 * Protocol.  A batch b = commit + 1 begins with an empty log.  Before a line (64 bytes) is first changed in the batch,
 * its old bytes go to the log, tagged b, and the log's length is raised.  The batch ends by storing commit = b.  A
 * process that is killed leaves a prefix of its stores in program order; its successor puts back, newest first, what is
 * tagged commit + 1.  docs/decisions/undo-log.md has the measurement against a redo log.
 *
 * An arena can move within its file: a successor that needs another layout writes a new arena behind the old one, and
 * then sets its offset in the file's first header.  The descriptor stays the same, so the store that keeps it changes
 * nothing.
 *
 * Threads: one.  The stores are ordered for the compiler only: a successor reads them after the writer's death.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define ARENA_LINE 64u

struct arena_header {
        uint64_t magic;
        uint32_t version;
        uint32_t reserved;
        uint64_t size; /* of the arena */
        _Atomic uint64_t commit;
        _Atomic uint64_t undo_length;
        uint64_t undo_capacity; /* entries */
        uint64_t undo_tags_offset, undo_lines_offset;
        uint64_t data_offset;      /* what the log covers begins here */
        uint8_t owner[4096 - 80];  /* the layout's own words, outside the log */
        _Atomic uint64_t moved_to; /* of the file's first header: where in the file the arena is now; 0: here */
};
_Static_assert(sizeof(struct arena_header) == 4096, "a page");

struct arena {
        char *base;
        struct arena_header *header;
        uint64_t *undo_tags; /* batch << 32 | line */
        unsigned char (*undo_lines)[ARENA_LINE];
        uint32_t *touched;      /* for each line, the batch that logged it last; private memory */
        uintptr_t marks_origin; /* where `touched` would begin for address 0 */
        uint32_t batch;         /* its low 32 bits */
        bool in_batch;
        uint64_t at;   /* where in the file it begins */
        uint64_t size; /* of the mapping */
        uint64_t memory;
        uint64_t released;  /* by arena_release_some() */
        uint32_t untracked; /* how often it was changed outside of the log, which `touched` does not say */
        uint32_t cleared;   /* how often `touched` was cleared */
        int fd;
};

/* Makes an arena of `data_size` bytes of zeros, with room for `undo_capacity` changed lines in a batch. */
int arena_init(struct arena *arena, uint64_t data_size, uint64_t undo_capacity);
/* Takes over the arena behind `fd` (consumed, also on failure) and undoes what was not committed.  -EPROTO,
 * -EPROTONOSUPPORT. */
int arena_init_adopt(struct arena *arena, int fd);
void arena_deinit(struct arena *arena);
/* Frees some of the memory of an arena that will not be read again, so that arena_deinit() is short.  True if all is free. */
bool arena_release_some(struct arena *arena);

/* Makes an arena as arena_init() does, in the file of `old`.  Until arena_move() a successor finds `old`, as it is. */
int arena_init_beside(struct arena *arena, const struct arena *old, uint64_t data_size, uint64_t undo_capacity);
/* From now on a successor finds `arena`, which takes the descriptor.  Frees the memory of `old` and deinitialises it.
 * 0; or -errno, and nothing has changed. */
int arena_move(struct arena *arena, struct arena *old);

static inline void *arena_data(const struct arena *arena) {
        return arena->base + arena->header->data_offset;
}

/* Outside a batch: frees the memory of the log.  The next batch allocates it again. */
void arena_trim(struct arena *arena);
/* Frees the whole pages in [p, p + n) that hold only zeros. */
void arena_drop(struct arena *arena, void *p, uint64_t n);
/* The memory of the arena in bytes; once the descriptor is closed, the last known value. */
uint64_t arena_memory(struct arena *arena);

void arena_begin(struct arena *arena);
void arena_commit(struct arena *arena);

/* Lines that the batch, or the last one, has changed. */
static inline uint64_t arena_logged(const struct arena *arena) {
        return atomic_load_explicit(&arena->header->undo_length, memory_order_relaxed);
}

/* The n-th of them, as it is now; arena->undo_lines[n] is what it was. */
static inline const char *arena_line(const struct arena *arena, uint64_t n) {
        return arena->base + (arena->undo_tags[n] & UINT32_MAX) * ARENA_LINE;
}

void arena_log_line(struct arena *arena, const void *p);

/* The mark of the line that `p` is in.  Counted from address 0, so that it takes no subtraction. */
static inline uint32_t *arena_mark(const struct arena *arena, const void *p) {
        return (uint32_t *)(arena->marks_origin + (uintptr_t)p / ARENA_LINE * sizeof(uint32_t));
}

/* Prefetches the mark that arena_touch() will read for `p`. */
static inline void arena_expect(const struct arena *arena, const void *p) {
        __builtin_prefetch(arena_mark(arena, p), 1);
}

/* True if the line that holds `p` was logged in this batch. */
static inline bool arena_is_touched(const struct arena *arena, const void *p) {
        return *arena_mark(arena, p) == arena->batch;
}

/* Call before a change within the one line that holds `p`. */
static inline void arena_touch_line(struct arena *arena, const void *p) {
        if (__builtin_expect(!arena_is_touched(arena, p), 0))
                arena_log_line(arena, p);
}

/* Call before a change of [p, p + n) of the arena. */
static inline void arena_touch(struct arena *arena, const void *p, size_t n) {
        const char *line = (const char *)((uintptr_t)p / ARENA_LINE * ARENA_LINE), *end = (const char *)p + n;

        for (; line < end; line += ARENA_LINE)
                arena_touch_line(arena, line);
}
