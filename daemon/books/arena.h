/* SPDX-License-Identifier: MIT */
/*
 * The arena: flat memory that survives its process, changed in batches that happen wholly or not at all.
 *
 * What lives here: the mapping, and the undo log that makes a batch atomic.  What does not: what is in it (books.h).
 *
 * Protocol.  A batch b = commit + 1 begins with an empty log.  Before a line (64 bytes) is first changed in the batch,
 * its old bytes go to the log, tagged b, and the log's length is raised.  The batch ends by storing commit = b.  A
 * process that is killed leaves a prefix of its stores in program order; its successor puts back, newest first, what is
 * tagged commit + 1.  docs/decisions/undo-log.md has the measurement against a redo log.
 *
 * An arena can move within its file: a successor that needs it in another shape makes that behind it, and the file's first
 * header says from then on where the arena begins.  So whoever keeps the descriptor need not be told.
 *
 * Threads: one.  The stores are ordered for the compiler only: a successor reads them after the writer's death.
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define STATE_LINE 64u

struct state_header {
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
_Static_assert(sizeof(struct state_header) == 4096, "a page");

struct state {
        char *base;
        struct state_header *header;
        uint64_t *undo_tags; /* batch << 32 | line */
        unsigned char (*undo_lines)[STATE_LINE];
        uint32_t *touched;      /* for each line, the batch that logged it last; private memory */
        uintptr_t marks_origin; /* where `touched` would begin for address 0 */
        uint32_t batch;         /* its low 32 bits */
        bool in_batch;
        uint64_t at;   /* where in the file it begins */
        uint64_t size; /* of the mapping */
        uint64_t memory;
        int fd;
};

/* Makes an arena of `data_size` bytes of zeros, with room for `undo_capacity` changed lines in a batch. */
int state_init(struct state *state, uint64_t data_size, uint64_t undo_capacity);
/* Takes over the arena behind `fd` (consumed, also on failure) and undoes what was not committed.  -EPROTO,
 * -EPROTONOSUPPORT. */
int state_init_adopt(struct state *state, int fd);
void state_deinit(struct state *state);

/* Makes an arena as state_init() does, in the file of `old`.  Until state_move() a successor finds `old`, as it is. */
int state_init_beside(struct state *state, const struct state *old, uint64_t data_size, uint64_t undo_capacity);
/* From now on a successor finds `state`, which goes on with the descriptor; what `old` took is given back, and it is
 * deinitialised.  0 or -errno, and nothing has changed. */
int state_move(struct state *state, struct state *old);

static inline void *state_data(const struct state *state) {
        return state->base + state->header->data_offset;
}

/* Outside a batch: gives back the memory of the log, which the next batch takes again. */
void state_trim(struct state *state);
/* Likewise of whole pages in [p, p + n) that hold nothing but zeros. */
void state_drop(struct state *state, void *p, uint64_t n);
/* What the arena takes, in bytes; what it took when it was last asked, once the descriptor is closed. */
uint64_t state_memory(struct state *state);

void state_begin(struct state *state);
void state_commit(struct state *state);

/* Lines that the batch, or the last one, has changed. */
static inline uint64_t state_logged(const struct state *state) {
        return atomic_load_explicit(&state->header->undo_length, memory_order_relaxed);
}

/* The n-th of them, as it is now; state->undo_lines[n] is what it was. */
static inline const char *state_line(const struct state *state, uint64_t n) {
        return state->base + (state->undo_tags[n] & UINT32_MAX) * STATE_LINE;
}

void state_log_line(struct state *state, const void *p);

/* The mark of the line that `p` is in.  Counted from address 0, so that it takes no subtraction. */
static inline uint32_t *state_mark(const struct state *state, const void *p) {
        return (uint32_t *)(state->marks_origin + (uintptr_t)p / STATE_LINE * sizeof(uint32_t));
}

/* Has the mark fetched that state_touch() will look at for `p`. */
static inline void state_expect(const struct state *state, const void *p) {
        __builtin_prefetch(state_mark(state, p), 1);
}

/* Whether the line that `p` is in was logged in this batch. */
static inline bool state_is_touched(const struct state *state, const void *p) {
        return *state_mark(state, p) == state->batch;
}

/* To be called before changing what lies in the one line that `p` is in. */
static inline void state_touch_line(struct state *state, const void *p) {
        if (__builtin_expect(!state_is_touched(state, p), 0))
                state_log_line(state, p);
}

/* To be called before changing [p, p + n) of the arena. */
static inline void state_touch(struct state *state, const void *p, size_t n) {
        const char *line = (const char *)((uintptr_t)p / STATE_LINE * STATE_LINE), *end = (const char *)p + n;

        for (; line < end; line += STATE_LINE)
                state_touch_line(state, line);
}
