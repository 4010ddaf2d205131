/* SPDX-License-Identifier: MIT */
/*
 * Finding the next allocator, and what its functions are before it is found.
 *
 * A pointer of sa_next has up to three values, in this order (that of malloc_usable_size has one more, for a moment):
 *     first_*     resolves, then calls what the pointer leads to by then; from inside a resolution, bootstrap memory
 *     careful_*   free, realloc and malloc_usable_size while blocks of the bootstrap memory may be about
 *     the next allocator's own
 */
#include "client/malloc/next.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/gate/thread.h"
#include "client/malloc/bootstrap.h"
#include "client/malloc/objects.h"
#include "client/malloc/quiet.h"

/* The functions as found: written before any of them is published in sa_next, read by careful_*. */
static struct sa_next found;
struct sa_next_facts sa_next_facts;

static _Atomic uint32_t state;
enum {
        UNKNOWN,
        LOOKING,
        FOUND,
};

/* ------------------------------------------------------------------------- until the next allocator is known -- */

/* Bootstrap memory, unless another thread has found the next allocator by now. */
#define RETURN_BOOTSTRAP(alignment, size, function, ...)                                                               \
        do {                                                                                                           \
                bool closed = false;                                                                                   \
                void *block = sa_bootstrap_alloc(alignment, size, &closed);                                            \
                return closed ? sa_call_next(function)(__VA_ARGS__) : block;                                           \
        } while (0)

static void *first_malloc(size_t size) {
        if (sa_next_resolve())
                return sa_call_next(malloc)(size);
        RETURN_BOOTSTRAP(1, size, malloc, size);
}

static void *first_calloc(size_t count, size_t size) {
        size_t bytes;

        if (sa_next_resolve())
                return sa_call_next(calloc)(count, size);
        if (__builtin_mul_overflow(count, size, &bytes))
                bytes = SIZE_MAX;
        RETURN_BOOTSTRAP(1, bytes, calloc, count, size);
}

static void *first_aligned_alloc(size_t alignment, size_t size) {
        if (sa_next_resolve())
                return sa_call_next(aligned_alloc)(alignment, size);
        RETURN_BOOTSTRAP(alignment, size, aligned_alloc, alignment, size);
}

static void *first_memalign(size_t alignment, size_t size) {
        if (sa_next_resolve())
                return sa_call_next(memalign)(alignment, size);
        RETURN_BOOTSTRAP(alignment, size, memalign, alignment, size);
}

static void *first_valloc(size_t size) {
        if (sa_next_resolve())
                return sa_call_next(valloc)(size);
        RETURN_BOOTSTRAP((size_t)getpagesize(), size, valloc, size);
}

static void *first_pvalloc(size_t size) {
        if (sa_next_resolve())
                return sa_call_next(pvalloc)(size);
        RETURN_BOOTSTRAP((size_t)getpagesize(), size, pvalloc, size);
}

static int first_posix_memalign(void **ret, size_t alignment, size_t size) {
        void *block;
        bool closed;

        if (sa_next_resolve())
                return sa_call_next(posix_memalign)(ret, alignment, size);
        block = sa_bootstrap_alloc(alignment, size, &closed);
        if (closed)
                return sa_call_next(posix_memalign)(ret, alignment, size);
        if (!block)
                return ENOMEM;
        *ret = block;
        return 0;
}

/* While a thread resolves, every block of the process is a bootstrap block: the program made no other before, and the
 * functions are published before the first other block is made. */
static void first_free(void *block) {
        int error = errno;

        if (!sa_bootstrap_owns(block) && sa_next_resolve())
                sa_call_next(free)(block);
        errno = error;
}

static size_t first_usable(void *block) {
        if (sa_bootstrap_owns(block))
                return sa_bootstrap_usable(block);
        return sa_next_resolve() ? sa_call_next(usable)(block) : 0;
}

/* Moves a bootstrap block; the old one just stays where it is. */
static void *move_bootstrap(void *block, size_t size) {
        size_t old = sa_bootstrap_usable(block);
        void *moved;

        if (!size)
                return NULL;
        moved = sa_call_next(malloc)(size);
        return moved ? memcpy(moved, block, old < size ? old : size) : NULL;
}

static void *first_realloc(void *block, size_t size) {
        if (!block)
                return sa_call_next(malloc)(size);
        if (sa_bootstrap_owns(block))
                return move_bootstrap(block, size);
        return sa_next_resolve() ? sa_call_next(realloc)(block, size) : NULL;
}

struct sa_next sa_next = {
        .malloc = first_malloc,
        .free = first_free,
        .usable = first_usable,
        .calloc = first_calloc,
        .realloc = first_realloc,
        .aligned_alloc = first_aligned_alloc,
        .posix_memalign = first_posix_memalign,
        .memalign = first_memalign,
        .valloc = first_valloc,
        .pvalloc = first_pvalloc,
};

/* ----------------------------------------------------------------------- while bootstrap blocks may be about -- */

static size_t no_usable(void *block) {
        return 0;
}

/* [B3] acquire fence, pairs with the releases of PUBLISH: the caller has read a pointer that was stored there.
 * Publishes: `found`.  Without it: a null pointer could be called on a machine that reorders loads.
 * Checked by: nothing but this argument. */
#define CAREFUL_FOUND() atomic_thread_fence(memory_order_acquire)

/* In warm_up() only. */
static size_t warming_usable(void *block) {
        return sa_bootstrap_owns(block) ? sa_bootstrap_usable(block) : 0;
}

static void careful_free(void *block) {
        CAREFUL_FOUND();
        if (!sa_bootstrap_owns(block))
                found.free(block);
}

static size_t careful_usable(void *block) {
        CAREFUL_FOUND();
        return sa_bootstrap_owns(block) ? sa_bootstrap_usable(block) : found.usable(block);
}

static void *careful_realloc(void *block, size_t size) {
        CAREFUL_FOUND();
        return sa_bootstrap_owns(block) ? move_bootstrap(block, size) : found.realloc(block, size);
}

/* What a libc without pvalloc or valloc has for it; nothing that was linked against that libc gets here. */
static void *absent_alloc(size_t size) {
        errno = ENOMEM;
        return NULL;
}

/* ---------------------------------------------------------------------------------------------- looking it up -- */

static void note_name(const char *name) {
        const char *slash = strrchr(name, '/');

        strncpy(sa_next_facts.object, slash ? slash + 1 : name, sizeof sa_next_facts.object - 1);
}

static void look_up(void) {
        void *(*find)(const char *) = sa_next_function;
        struct sa_object object = {0};

        /* Nearly always the same function, so it is searched once: a search walks over all objects. */
        found.malloc = sa_next_allocator_function("malloc");
        if ((void *)found.malloc != find("malloc"))
                find = sa_next_allocator_function;
        found.free = find("free");
        found.usable = find("malloc_usable_size");
        found.calloc = find("calloc");
        found.realloc = find("realloc");
        found.aligned_alloc = find("aligned_alloc");
        found.posix_memalign = find("posix_memalign");
        found.memalign = find("memalign");
        found.valloc = find("valloc");
        found.pvalloc = find("pvalloc");

        if (sa_object_of((void *)found.malloc, &object))
                note_name(object.name);
        sa_next_facts.outer_realloc = (void *(*)(void *, size_t))sa_outer_function("realloc");
        sa_next_facts.sizes = sa_object_has(&object, (void *)found.usable);
        sa_next_facts.foreign_valloc = !sa_object_has(&object, (void *)found.valloc);
        sa_next_facts.foreign_pvalloc = !sa_object_has(&object, (void *)found.pvalloc);
        if (!sa_next_facts.sizes)
                found.usable = no_usable;
        if (!found.valloc)
                found.valloc = absent_alloc;
        if (!found.pvalloc)
                found.pvalloc = absent_alloc;
}

#define PUBLISH(function, value) __atomic_store_n(&sa_next.function, value, __ATOMIC_RELEASE) /* [B3] */

/* tcmalloc's malloc_usable_size allocates when it is called first, with `new`, which may be the program's own and
 * call malloc: that reaches this library, which would call malloc_usable_size.  The block is a real one, since
 * mimalloc 3 crashes on a null pointer before its first allocation.  Nothing here is counted.  errno is as the
 * first allocation left it: the program's first would have. */
static void warm_up(void) {
        struct sa_quiet quiet;
        void *block;
        int error;

        sa_quiet_begin(&quiet);
        block = found.malloc(1);
        error = errno;
        if (block) {
                found.usable(block);
                found.free(block);
        }
        sa_quiet_end(&quiet);
        errno = error;
}

static void publish(void) {
        PUBLISH(usable, warming_usable);
        PUBLISH(free, careful_free);
        PUBLISH(realloc, careful_realloc);
        PUBLISH(malloc, found.malloc);
        PUBLISH(calloc, found.calloc);
        PUBLISH(aligned_alloc, found.aligned_alloc);
        PUBLISH(posix_memalign, found.posix_memalign);
        PUBLISH(memalign, found.memalign);
        PUBLISH(valloc, found.valloc);
        PUBLISH(pvalloc, found.pvalloc);
        warm_up();
        PUBLISH(usable, careful_usable);
        if (!sa_bootstrap_close())
                return;
        PUBLISH(usable, found.usable);
        PUBLISH(free, found.free);
        PUBLISH(realloc, found.realloc);
}

bool sa_next_resolve(void) {
        uint32_t unknown = UNKNOWN;
        int error = errno;

        /* [B2] acquire of `state`, pairs with the release below.
         * Publishes: sa_next.  Without the pair: first_malloc could read its own address from sa_next, and would be
         * called a second time; nothing worse can happen.
         * Checked by: no test. */
        if (!atomic_compare_exchange_strong_explicit(&state, &unknown, LOOKING, memory_order_acquire,
                                                     memory_order_acquire))
                return unknown == FOUND;
        look_up();
        errno = error;
        publish();
        atomic_store_explicit(&state, FOUND, memory_order_release); /* [B2] */
        return true;
}

const struct sa_next *sa_next_found(void) {
        return &found;
}
