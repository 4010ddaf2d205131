/* SPDX-License-Identifier: MIT */
/*
 * What allocators have beside malloc and its kin: jemalloc's mallocx, tcmalloc's tc_malloc, mimalloc's mi_malloc, C23's
 * free_sized.  None is exported: calls are led here by their slots (slots.h), only where the next allocator has it.
 *
 * What does not live here: names by which an allocator calls a function of malloc.c or operators.c, which have the same
 * address there.  Not counted: what frees many blocks at once (mi_heap_destroy).
 */
#include <stdbool.h>
#include <stdint.h>

#include "client/malloc/count.h"
#include "client/malloc/next.h"
#include "client/malloc/objects.h"
#include "client/malloc/slots.h"

/* ALLOCATE(name, parameters, arguments): returns a new block.
 * RESIZE(…): the block is freed where it returns another or the same.
 * RELEASE(…): frees it. */
#define FUNCTIONS(ALLOCATE, RESIZE, RELEASE)                                                                           \
        ALLOCATE(mallocx, (size_t size, int flags), (size, flags))                                                     \
        RESIZE(rallocx, (void *block, size_t size, int flags), (block, size, flags))                                   \
        RELEASE(dallocx, (void *block, int flags), (block, flags))                                                     \
        RELEASE(sdallocx, (void *block, size_t size, int flags), (block, size, flags))                                 \
                                                                                                                       \
        RELEASE(free_sized, (void *block, size_t size), (block, size))                                                 \
        RELEASE(free_aligned_sized, (void *block, size_t alignment, size_t size), (block, alignment, size))            \
        RELEASE(cfree, (void *block), (block))                                                                         \
                                                                                                                       \
        ALLOCATE(tc_malloc, (size_t size), (size))                                                                     \
        ALLOCATE(tc_malloc_skip_new_handler, (size_t size), (size))                                                    \
        ALLOCATE(tc_calloc, (size_t count, size_t size), (count, size))                                                \
        ALLOCATE(tc_memalign, (size_t alignment, size_t size), (alignment, size))                                      \
        ALLOCATE(tc_valloc, (size_t size), (size))                                                                     \
        ALLOCATE(tc_pvalloc, (size_t size), (size))                                                                    \
        RESIZE(tc_realloc, (void *block, size_t size), (block, size))                                                  \
        RELEASE(tc_free, (void *block), (block))                                                                       \
        RELEASE(tc_free_sized, (void *block, size_t size), (block, size))                                              \
        RELEASE(tc_cfree, (void *block), (block))                                                                      \
        RELEASE(tc_free_aligned_sized, (void *block, size_t alignment, size_t size), (block, alignment, size))         \
        ALLOCATE(tc_new, (size_t size), (size))                                                                        \
        ALLOCATE(tc_new_nothrow, (size_t size, const void *tag), (size, tag))                                          \
        ALLOCATE(tc_new_aligned, (size_t size, size_t alignment), (size, alignment))                                   \
        ALLOCATE(tc_new_aligned_nothrow, (size_t size, size_t alignment, const void *tag), (size, alignment, tag))     \
        ALLOCATE(tc_newarray, (size_t size), (size))                                                                   \
        ALLOCATE(tc_newarray_nothrow, (size_t size, const void *tag), (size, tag))                                     \
        ALLOCATE(tc_newarray_aligned, (size_t size, size_t alignment), (size, alignment))                              \
        ALLOCATE(tc_newarray_aligned_nothrow, (size_t size, size_t alignment, const void *tag),                        \
                 (size, alignment, tag))                                                                               \
        RELEASE(tc_delete, (void *block), (block))                                                                     \
        RELEASE(tc_delete_nothrow, (void *block, const void *tag), (block, tag))                                       \
        RELEASE(tc_delete_sized, (void *block, size_t size), (block, size))                                            \
        RELEASE(tc_delete_aligned, (void *block, size_t alignment), (block, alignment))                                \
        RELEASE(tc_delete_aligned_nothrow, (void *block, size_t alignment, const void *tag), (block, alignment, tag))  \
        RELEASE(tc_delete_sized_aligned, (void *block, size_t size, size_t alignment), (block, size, alignment))       \
        RELEASE(tc_deletearray, (void *block), (block))                                                                \
        RELEASE(tc_deletearray_nothrow, (void *block, const void *tag), (block, tag))                                  \
        RELEASE(tc_deletearray_sized, (void *block, size_t size), (block, size))                                       \
        RELEASE(tc_deletearray_aligned, (void *block, size_t alignment), (block, alignment))                           \
        RELEASE(tc_deletearray_aligned_nothrow, (void *block, size_t alignment, const void *tag),                      \
                (block, alignment, tag))                                                                               \
        RELEASE(tc_deletearray_sized_aligned, (void *block, size_t size, size_t alignment), (block, size, alignment))  \
                                                                                                                       \
        ALLOCATE(mi_malloc, (size_t size), (size))                                                                     \
        ALLOCATE(mi_malloc_small, (size_t size), (size))                                                               \
        ALLOCATE(mi_zalloc, (size_t size), (size))                                                                     \
        ALLOCATE(mi_zalloc_small, (size_t size), (size))                                                               \
        ALLOCATE(mi_calloc, (size_t count, size_t size), (count, size))                                                \
        ALLOCATE(mi_mallocn, (size_t count, size_t size), (count, size))                                               \
        ALLOCATE(mi_strdup, (const char *text), (text))                                                                \
        ALLOCATE(mi_strndup, (const char *text, size_t size), (text, size))                                            \
        ALLOCATE(mi_malloc_aligned, (size_t size, size_t alignment), (size, alignment))                                \
        ALLOCATE(mi_malloc_aligned_at, (size_t size, size_t alignment, size_t offset), (size, alignment, offset))      \
        ALLOCATE(mi_zalloc_aligned, (size_t size, size_t alignment), (size, alignment))                                \
        ALLOCATE(mi_zalloc_aligned_at, (size_t size, size_t alignment, size_t offset), (size, alignment, offset))      \
        ALLOCATE(mi_calloc_aligned, (size_t count, size_t size, size_t alignment), (count, size, alignment))           \
        ALLOCATE(mi_memalign, (size_t alignment, size_t size), (alignment, size))                                      \
        ALLOCATE(mi_aligned_alloc, (size_t alignment, size_t size), (alignment, size))                                 \
        ALLOCATE(mi_valloc, (size_t size), (size))                                                                     \
        ALLOCATE(mi_pvalloc, (size_t size), (size))                                                                    \
        ALLOCATE(mi_new, (size_t size), (size))                                                                        \
        ALLOCATE(mi_new_nothrow, (size_t size), (size))                                                                \
        ALLOCATE(mi_new_aligned, (size_t size, size_t alignment), (size, alignment))                                   \
        ALLOCATE(mi_new_aligned_nothrow, (size_t size, size_t alignment), (size, alignment))                           \
        ALLOCATE(mi_new_n, (size_t count, size_t size), (count, size))                                                 \
        ALLOCATE(mi_heap_malloc, (void *heap, size_t size), (heap, size))                                              \
        ALLOCATE(mi_heap_malloc_small, (void *heap, size_t size), (heap, size))                                        \
        ALLOCATE(mi_heap_zalloc, (void *heap, size_t size), (heap, size))                                              \
        ALLOCATE(mi_heap_calloc, (void *heap, size_t count, size_t size), (heap, count, size))                         \
        ALLOCATE(mi_heap_mallocn, (void *heap, size_t count, size_t size), (heap, count, size))                        \
        ALLOCATE(mi_heap_strdup, (void *heap, const char *text), (heap, text))                                         \
        ALLOCATE(mi_heap_malloc_aligned, (void *heap, size_t size, size_t alignment), (heap, size, alignment))         \
        ALLOCATE(mi_heap_zalloc_aligned, (void *heap, size_t size, size_t alignment), (heap, size, alignment))         \
        RESIZE(mi_heap_realloc, (void *heap, void *block, size_t size), (heap, block, size))                           \
        RESIZE(mi_realloc, (void *block, size_t size), (block, size))                                                  \
        RESIZE(mi_reallocn, (void *block, size_t count, size_t size), (block, count, size))                            \
        RESIZE(mi_reallocarray, (void *block, size_t count, size_t size), (block, count, size))                        \
        RESIZE(mi_rezalloc, (void *block, size_t size), (block, size))                                                 \
        RESIZE(mi_recalloc, (void *block, size_t count, size_t size), (block, count, size))                            \
        RESIZE(mi_realloc_aligned, (void *block, size_t size, size_t alignment), (block, size, alignment))             \
        RESIZE(mi_rezalloc_aligned, (void *block, size_t size, size_t alignment), (block, size, alignment))            \
        RESIZE(mi_new_realloc, (void *block, size_t size), (block, size))                                              \
        RESIZE(mi_new_reallocn, (void *block, size_t count, size_t size), (block, count, size))                        \
        RELEASE(mi_free, (void *block), (block))                                                                       \
        RELEASE(mi_cfree, (void *block), (block))                                                                      \
        RELEASE(mi_free_size, (void *block, size_t size), (block, size))                                               \
        RELEASE(mi_free_size_aligned, (void *block, size_t size, size_t alignment), (block, size, alignment))          \
        RELEASE(mi_free_aligned, (void *block, size_t alignment), (block, alignment))

static struct {
#define MEMBER(name, parameters, arguments)      void *(*name)parameters;
#define MEMBER_VOID(name, parameters, arguments) void(*name) parameters;
        FUNCTIONS(MEMBER, MEMBER, MEMBER_VOID)
        size_t (*xallocx)(void *block, size_t size, size_t extra, int flags);
        void *(*reallocf)(void *block, size_t size);
        void *(*mi_reallocf)(void *block, size_t size);
        int (*tc_posix_memalign)(void **ret, size_t alignment, size_t size);
        int (*mi_posix_memalign)(void **ret, size_t alignment, size_t size);
} next;

#define DEFINE_ALLOCATE(name, parameters, arguments)                                                                   \
        static void *own_##name parameters {                                                                           \
                return sa_count_block(next.name arguments);                                                            \
        }

#define DEFINE_RESIZE(name, parameters, arguments)                                                                     \
        static void *own_##name parameters {                                                                           \
                size_t old = block ? sa_size_of(block) : 0;                                                            \
                void *moved = next.name arguments;                                                                     \
                                                                                                                       \
                if (moved && block)                                                                                    \
                        sa_count_free(old);                                                                            \
                return sa_count_block(moved);                                                                          \
        }

#define DEFINE_RELEASE(name, parameters, arguments)                                                                    \
        static void own_##name parameters {                                                                            \
                if (block)                                                                                             \
                        sa_count_free(sa_size_of(block));                                                              \
                next.name arguments;                                                                                   \
        }

FUNCTIONS(DEFINE_ALLOCATE, DEFINE_RESIZE, DEFINE_RELEASE)

/* In place, or not at all: it returns the size. */
static size_t own_xallocx(void *block, size_t size, size_t extra, int flags) {
        size_t old = sa_size_of(block), now = next.xallocx(block, size, extra, flags);

        if (now != old) {
                sa_count_free(old);
                sa_count_block(block);
        }
        return now;
}

/* Without memory, the block is freed. */
static void *resize_or_free(void *(*resize)(void *, size_t), void *block, size_t size) {
        size_t old = block ? sa_size_of(block) : 0;
        void *moved = resize(block, size);

        if (block)
                sa_count_free(old);
        return sa_count_block(moved);
}

static void *own_reallocf(void *block, size_t size) {
        return resize_or_free(next.reallocf, block, size);
}

static void *own_mi_reallocf(void *block, size_t size) {
        return resize_or_free(next.mi_reallocf, block, size);
}

static int own_tc_posix_memalign(void **ret, size_t alignment, size_t size) {
        int error = next.tc_posix_memalign(ret, alignment, size);

        if (!error)
                sa_count_block(*ret);
        return error;
}

static int own_mi_posix_memalign(void **ret, size_t alignment, size_t size) {
        int error = next.mi_posix_memalign(ret, alignment, size);

        if (!error)
                sa_count_block(*ret);
        return error;
}

/* ---------------------------------------------------------------------------------------------------- the table -- */

static const struct {
        const char *name;
        void **next;
        void *own;
} functions[] = {
#define ENTRY(name, parameters, arguments) {#name, (void **)&next.name, (void *)own_##name},
        FUNCTIONS(ENTRY, ENTRY, ENTRY) ENTRY(xallocx, , ) ENTRY(reallocf, , ) ENTRY(mi_reallocf, , )
                ENTRY(tc_posix_memalign, , ) ENTRY(mi_posix_memalign, , )};
#define N (sizeof functions / sizeof *functions)
_Static_assert(N + 40 <= SA_SLOTS_MAX, "with malloc's kin and the operators");

size_t sa_slots_of_extensions(struct sa_slot_function *ret) {
        struct sa_symbol symbols[N];
        struct sa_object object;
        size_t n = 0;

        if (!sa_next_facts.sizes || !sa_object_of((void *)sa_call_next(malloc), &object))
                return 0;
        for (size_t i = 0; i < N; i++)
                symbols[i] = (struct sa_symbol){functions[i].name, NULL};
        sa_objects_find(symbols, N, false, NULL); /* as a call is bound */
        for (size_t i = 0; i < N; i++) {
                if (!sa_object_has(&object, symbols[i].address))
                        continue;
                *functions[i].next = symbols[i].address;
                ret[n++] = (struct sa_slot_function){functions[i].name, symbols[i].address, functions[i].own};
        }
        return n;
}
