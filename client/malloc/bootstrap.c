/* SPDX-License-Identifier: MIT */
/*
 * The bootstrap memory: a bump allocator.  Each block has its size before it.
 */
#include "client/malloc/bootstrap.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>

#define ARENA_BYTES  65536u
#define ARENA_ALIGN  16u
#define ARENA_CLOSED UINT32_MAX

static char arena[ARENA_BYTES] __attribute__((aligned(ARENA_ALIGN)));
static _Atomic uint32_t arena_used; /* bytes given away, or ARENA_CLOSED */

void *sa_bootstrap_alloc(size_t alignment, size_t size, bool *ret_closed) {
        /* [B1] acquire of ARENA_CLOSED, here and in the exchange below, pairs with the release in
         * sa_bootstrap_close(). */
        uint32_t used = atomic_load_explicit(&arena_used, memory_order_acquire);
        uintptr_t start = (uintptr_t)arena, block;

        if (alignment < ARENA_ALIGN)
                alignment = ARENA_ALIGN;
        do {
                *ret_closed = used == ARENA_CLOSED;
                if (*ret_closed || size > ARENA_BYTES || alignment > ARENA_BYTES)
                        goto none;
                block = (start + used + ARENA_ALIGN + alignment - 1) & ~(uintptr_t)(alignment - 1);
                if (block + size > start + ARENA_BYTES)
                        goto none;
        } while (!atomic_compare_exchange_weak_explicit(
                &arena_used, &used,
                (uint32_t)((block + size - start + ARENA_ALIGN - 1) & ~(uintptr_t)(ARENA_ALIGN - 1)),
                memory_order_acquire, memory_order_acquire));

        ((size_t *)block)[-1] = size;
        return (void *)block;

none:
        errno = ENOMEM;
        return NULL;
}

bool sa_bootstrap_owns(const void *block) {
        return (uintptr_t)block - (uintptr_t)arena < ARENA_BYTES;
}

size_t sa_bootstrap_usable(const void *block) {
        return ((const size_t *)block)[-1];
}

bool sa_bootstrap_close(void) {
        uint32_t unused = 0;

        /* [B1] release of ARENA_CLOSED, pairs with the acquire in sa_bootstrap_alloc().
         * Publishes: the next allocator's functions.  Without it: a thread that sees ARENA_CLOSED could still read the
         * old pointers, which call this file again.
         * Checked by: no test, since glibc's dlsym does not allocate. */
        return atomic_compare_exchange_strong_explicit(&arena_used, &unused, ARENA_CLOSED, memory_order_release,
                                                       memory_order_relaxed) ||
               unused == ARENA_CLOSED;
}
