/*
 * The counting allocator: each function asks the next allocator, and counts what came of it.
 *
 * Bytes are usable sizes.  A realloc that returns a block is one deallocation of the old size and one allocation of
 * the new.  What fails counts nothing.  Operators new and delete come here, or stand in operators.c.
 *
 * malloc_usable_size is not here either: what calls it finds the next allocator's.
 *
 * All of this runs in the host's every allocation, also in signal handlers that should not allocate, in constructors,
 * thread destructors and after main.  It allocates nothing itself and touches errno nowhere.
 */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/malloc/next.h"
#include "client/thread.h"

#define EXPORT __attribute__((visibility("default")))

/* Declared here and not by <malloc.h>, so that no attribute of a header lets the compiler know what malloc does. */
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

#define LOOK_MASK                                                                                                      \
        63u /* which allocations look whether there is a new collector: those of programs without spans, too */

static inline void count_alloc(size_t bytes) {
        _Atomic uint64_t *counters = sa_counters();

        sa_bump(&counters[SHM_ALLOC_COUNT], 1);
        sa_bump(&counters[SHM_ALLOC_BYTES], bytes);
        /* Relaxed, as in sa_bump(). */
        if (sa_unlikely(!(atomic_load_explicit(&counters[SHM_ALLOC_COUNT], memory_order_relaxed) & LOOK_MASK)))
                (void)sa_counters_slow();
}

static inline void count_dealloc(size_t bytes) {
        _Atomic uint64_t *counters = sa_counters();

        sa_bump(&counters[SHM_DEALLOC_COUNT], 1);
        sa_bump(&counters[SHM_DEALLOC_BYTES], bytes);
}

static inline void *counted(void *block) {
        if (sa_likely(block))
                count_alloc(sa_call_next(usable)(block));
        return block;
}

/* By a name of its own too, which start.c can tell from whatever else is called malloc. */
void *sa_malloc(size_t size);
void *sa_malloc(size_t size) {
        return counted(sa_call_next(malloc)(size));
}
EXPORT __typeof__(malloc) malloc __attribute__((alias("sa_malloc")));

EXPORT void free(void *block) {
        if (sa_unlikely(!block))
                return;
        count_dealloc(sa_call_next(usable)(block));
        sa_call_next(free)(block);
}

EXPORT void *calloc(size_t count, size_t size) {
        return counted(sa_call_next(calloc)(count, size));
}

/* realloc(block, 0): some allocators free the block and return NULL, some return a new one; and NULL may also mean
 * that there was no memory, which only errno tells. */
static sa_cold void *reallocate_to_nothing(void *block) {
        size_t old = sa_call_next(usable)(block);
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
        size_t old;
        void *moved;

        if (!block)
                return counted(sa_call_next(realloc)(NULL, size));
        if (sa_unlikely(!size))
                return reallocate_to_nothing(block);
        old = sa_call_next(usable)(block);
        moved = sa_call_next(realloc)(block, size);
        if (sa_unlikely(!moved))
                return NULL;
        count_dealloc(old);
        return counted(moved);
}

EXPORT void *realloc(void *block, size_t size) {
        return reallocate(block, size);
}

/* Not the next one's: jemalloc and tcmalloc have none, and libc's would call realloc, which is ours, or that of who
 * stands before us, whose block it then is. */
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

/* Where the next allocator lacks these two, libc's answer, and nobody here may ask for the size of such a block. */
EXPORT void *valloc(size_t size) {
        void *block = sa_call_next(valloc)(size);

        return sa_next_facts.foreign_valloc ? block : counted(block);
}

EXPORT void *pvalloc(size_t size) {
        void *block = sa_call_next(pvalloc)(size);

        return sa_next_facts.foreign_pvalloc ? block : counted(block);
}
