/* SPDX-License-Identifier: MIT */
/*
 * The counting allocator: each function calls the next allocator and counts the result.
 *
 * Bytes are usable sizes.  A realloc that returns a block is one deallocation of the old size and one allocation of the
 * new.  A failed call counts nothing.  Operators new and delete call these functions, or are in operators.c.
 *
 * malloc_usable_size is not defined here: its callers get the next allocator's.
 *
 * This code runs in each allocation of the host: also in signal handlers that should not allocate, in constructors, in
 * thread destructors and after main.  It allocates nothing itself and never changes errno.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/malloc/count.h"
#include "client/malloc/headers.h"
#include "client/malloc/next.h"
#include "client/malloc/slots.h"
#include "client/process/counting.h"
#include "client/segment/left_behind.h"

#define EXPORT __attribute__((visibility("default")))

/* Declared here and not by <malloc.h>, so that the compiler gets no attribute of malloc from a header. */
void *malloc(size_t size);
void free(void *block);
void *calloc(size_t count, size_t size);
void *realloc(void *block, size_t size);
void *reallocarray(void *block, size_t count, size_t size);
void *aligned_alloc(size_t alignment, size_t size);
int posix_memalign(void **ret, size_t alignment, size_t size);
void *memalign(size_t alignment, size_t size);
void *valloc(size_t size);
void *pvalloc(size_t size);

/* One allocation of so many checks for a new collector: in programs without spans, too. */
#define LOOK_MASK 63

static sa_inline size_t size_of(void *block) {
        return sa_has_header(block) && sa_header_tells(block) ? sa_header_size(block) : sa_call_next(usable)(block);
}

/* --------------------------------------------------------------------------------------------------- counting -- */

static sa_inline bool is_time_to_look(const _Atomic uint64_t *counters) {
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
        bool is_time;

        __asm__("testb %1, %2" : "=@ccz"(is_time) : "i"(LOOK_MASK), "m"(counters[SHM_ALLOC_COUNT]));
        return is_time;
#else
        /* Relaxed, as in sa_bump(). */
        return !(atomic_load_explicit(&counters[SHM_ALLOC_COUNT], memory_order_relaxed) & LOOK_MASK);
#endif
}

/* Calls the slow path only if the gate is closed or wiped, or the collector has been replaced. */
static sa_aside void *look(void *block) {
        const struct shm_beacon *beacon = atomic_load_explicit(&sa_beacon.now, memory_order_relaxed);

        /* Relaxed, as in sa_is_stale(). */
        if (!sa_gate_epoch() ||
            atomic_load_explicit(&beacon->generation, memory_order_relaxed) !=
                    atomic_load_explicit(&sa_gate.generation, memory_order_relaxed) ||
            atomic_load_explicit(&sa_left_used, memory_order_relaxed))
                (void)sa_counters_slow();
        return block;
}

static sa_inline void add_alloc(_Atomic uint64_t *counters, size_t bytes) {
        sa_bump(&counters[SHM_ALLOC_COUNT], 1);
        sa_bump(&counters[SHM_ALLOC_BYTES], bytes);
}

static sa_inline void add_dealloc(_Atomic uint64_t *counters, size_t bytes) {
        sa_bump(&counters[SHM_DEALLOC_COUNT], 1);
        sa_bump(&counters[SHM_DEALLOC_BYTES], bytes);
}

/* Whatever is below, and whether there is a collector or not; or nothing, as there was no memory. */
static sa_aside void *count_alloc(void *block) {
        _Atomic uint64_t *counters;
        size_t bytes;

        if (!block)
                return NULL;
        bytes = size_of(block);
        counters = sa_counters();
        add_alloc(counters, bytes);
        return sa_likely(!is_time_to_look(counters)) ? block : look(block);
}

static void count_dealloc(size_t bytes) {
        add_dealloc(sa_counters(), bytes);
}

/* True if the quick way may be taken, with the number of bytes.  Two comparisons decide that for nearly every call:
 * glibc is the next allocator, the thread has a lane, and the block is an ordinary one. */
static sa_inline bool is_quick(const struct sa_thread *self, const void *block, size_t *ret_bytes) {
        if (!sa_has_header(block))
                return false;
        *ret_bytes = sa_header_and_thread(block, self);
        if (sa_likely(!(*ret_bytes & SA_HEADER_UNUSUAL)))
                return true;
        *ret_bytes ^= SA_HEADER_ARENA;
        return !(*ret_bytes & SA_HEADER_UNUSUAL);
}

/* What the next allocator answered. */
static sa_inline void *counted(void *block) {
        const struct sa_thread *self = &sa_self;
        _Atomic uint64_t *counters;
        size_t bytes;

        if (sa_unlikely(!is_quick(self, block, &bytes)))
                return count_alloc(block);
        counters = self->lane->live;
        add_alloc(counters, bytes);
        return sa_likely(!is_time_to_look(counters)) ? block : look(block);
}

/* ------------------------------------------------------------------------------------------------- the functions -- */

/* A second name of this malloc, by which start.c distinguishes it from any other malloc. */
void *sa_malloc(size_t size);
void *sa_malloc(size_t size) {
        return counted(sa_call_next(malloc)(size));
}
EXPORT __typeof__(malloc) malloc __attribute__((alias("sa_malloc")));

static sa_aside void free_aside(void *block) {
        if (!block)
                return;
        count_dealloc(size_of(block));
        sa_call_next(free)(block);
}

EXPORT void free(void *block) {
        const struct sa_thread *self = &sa_self;
        size_t bytes;

        if (sa_unlikely(!is_quick(self, block, &bytes))) {
                free_aside(block);
                return;
        }
        add_dealloc(self->lane->live, bytes);
        sa_call_next(free)(block);
}

EXPORT void *calloc(size_t count, size_t size) {
        return counted(sa_call_next(calloc)(count, size));
}

/* realloc(block, 0): some allocators free the block and return NULL, some return a new one; and NULL may also mean that
 * there was no memory, which only errno shows. */
static sa_cold void *reallocate_to_nothing(void *block) {
        size_t old = size_of(block);
        int error = errno;
        void *moved;

        errno = 0;
        moved = sa_call_next(realloc)(block, 0);
        if (!moved && errno == ENOMEM)
                return NULL;
        if (!errno)
                errno = error;
        count_dealloc(old);
        return counted(moved);
}

static inline void *reallocate(void *block, size_t size) {
        _Atomic uint64_t *counters;
        size_t old;
        void *moved;

        if (!block)
                return counted(sa_call_next(realloc)(NULL, size));
        if (sa_unlikely(!size))
                return reallocate_to_nothing(block);
        old = size_of(block);
        moved = sa_call_next(realloc)(block, size);
        if (sa_unlikely(!moved))
                return NULL;
        counters = sa_counters();
        add_dealloc(counters, old);
        add_alloc(counters, size_of(moved));
        return sa_likely(!is_time_to_look(counters)) ? moved : look(moved);
}

EXPORT void *realloc(void *block, size_t size) {
        return reallocate(block, size);
}

/* Does not call the next allocator's: jemalloc and tcmalloc have none.  libc's would call the first realloc of the
 * process, which is this library's, or that of an earlier library, which then owns the block. */
EXPORT void *reallocarray(void *block, size_t count, size_t size) {
        size_t bytes;

        if (__builtin_mul_overflow(count, size, &bytes)) {
                errno = ENOMEM;
                return NULL;
        }
        if (sa_unlikely(sa_next_facts.outer_realloc))
                return sa_next_facts.outer_realloc(block, bytes);
        return reallocate(block, bytes);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size) {
        return counted(sa_call_next(aligned_alloc)(alignment, size));
}

EXPORT int posix_memalign(void **ret, size_t alignment, size_t size) {
        int error = sa_call_next(posix_memalign)(ret, alignment, size);

        if (!error)
                counted(*ret);
        return error;
}

EXPORT void *memalign(size_t alignment, size_t size) {
        return counted(sa_call_next(memalign)(alignment, size));
}

/* If the next allocator lacks these two, libc's are called, and the library must not ask for the size of such a
 * block. */
EXPORT void *valloc(size_t size) {
        void *block = sa_call_next(valloc)(size);

        return sa_next_facts.foreign_valloc ? block : counted(block);
}

EXPORT void *pvalloc(size_t size) {
        void *block = sa_call_next(pvalloc)(size);

        return sa_next_facts.foreign_pvalloc ? block : counted(block);
}

/* ----------------------------------------------------------------------------------- for what calls past these -- */

size_t sa_size_of(void *block) {
        return size_of(block);
}

void *sa_count_block(void *block) {
        return counted(block);
}

void sa_count_free(size_t bytes) {
        count_dealloc(bytes);
}

size_t sa_slots_of_malloc(struct sa_slot_function *ret) {
        const struct sa_next *next = sa_next_found();
        const struct sa_slot_function functions[] = {
                {"malloc", (void *)next->malloc, (void *)sa_malloc},
                {"free", (void *)next->free, (void *)free},
                {"calloc", (void *)next->calloc, (void *)calloc},
                {"realloc", (void *)next->realloc, (void *)realloc},
                {"aligned_alloc", (void *)next->aligned_alloc, (void *)aligned_alloc},
                {"posix_memalign", (void *)next->posix_memalign, (void *)posix_memalign},
                {"memalign", (void *)next->memalign, (void *)memalign},
                {"valloc", (void *)next->valloc, (void *)valloc},
                {"pvalloc", (void *)next->pvalloc, (void *)pvalloc},
        };

        __builtin_memcpy(ret, functions, sizeof functions);
        return sizeof functions / sizeof *functions;
}
