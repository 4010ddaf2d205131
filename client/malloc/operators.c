/* SPDX-License-Identifier: MIT */
/*
 * C++'s replaceable operators new and delete, all 20 of the ABI, in C: nothing here needs a C++ run-time library.
 *
 * The operators of libstdc++ and libc++ call malloc and free, which this library counts, so calls are passed on to
 * them.  They are also passed on to any other library's operators, which may have a heap of their own.  But some
 * operators of jemalloc, tcmalloc and mimalloc reach their heap without malloc.  In place of these, this library's
 * malloc, memalign and free serve, and count.  They serve too if no later object exports operators: a program in C
 * whose plugins load a C++ run-time library that only the plugins see.  What the allocator allocates for itself goes to
 * its own operators: tcmalloc allocates in malloc_usable_size, which this library calls.
 *
 * A program's own operators come before all of this.
 *
 * Without memory, new must call the new-handler until there is some, or throw.  The run-time library's operator does
 * that, and calls malloc again.  So exceptions pass through these functions, and none catches one.
 */
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "client/gate/thread.h"
#include "client/malloc/next.h"
#include "client/malloc/objects.h"
#include "client/malloc/slots.h"

#define EXPORT __attribute__((visibility("default")))

/* This library's memalign (malloc.c), not libc's: the library is linked with -Bsymbolic-functions. */
void *memalign(size_t alignment, size_t size);

static bool resolve(void);

/* The addresses of the next allocator's object. */
static struct { uintptr_t begin, size; } allocator;

/* [B4] acquire fence, pairs with the releases in resolve(): the caller has read a pointer that was stored there.
 * Publishes: `allocator`, and its operators.  Without it: its own allocations could count, or lead it back into itself.
 * Checked by: nothing but this argument. */
#define SERVE_BEGIN() atomic_thread_fence(memory_order_acquire)

/* True if the allocator itself called this operator.  Only in an operator that was reached by jumps: then the return address
 * is the first caller's. */
#define IS_CALLED_BY_ALLOCATOR() ((uintptr_t)__builtin_return_address(0) - allocator.begin < allocator.size)

/* The operator of a run-time library, anywhere in the process: neither this library's nor the allocator's. */
static sa_cold void *runtime_operator(const char *symbol) {
        struct sa_symbol wanted = {symbol, NULL};

        sa_objects_find(&wanted, 1, false, (void *)sa_call_next(malloc));
        return wanted.address;
}

/* -------------------------------------------------------------------------------- what serves in its place -- */

#define OWN_NEW(allocation, otherwise, symbol, parameters, arguments)                                                  \
        void *block = allocation;                                                                                      \
        void *(*runtime)parameters;                                                                                    \
                                                                                                                       \
        if (sa_likely(block))                                                                                          \
                return block;                                                                                          \
        runtime = (void *(*)parameters)runtime_operator(symbol);                                                       \
        if (!runtime)                                                                                                  \
                otherwise;                                                                                             \
        return runtime arguments;

/* No run-time library is loaded that could throw: aborts, as one does for an exception that is not caught. */
#define NEW(...)                 OWN_NEW(malloc(size), abort(), __VA_ARGS__)
#define NEW_ALIGNED(...)         OWN_NEW(memalign(alignment, size), abort(), __VA_ARGS__)
#define NEW_NOTHROW(...)         OWN_NEW(malloc(size), return NULL, __VA_ARGS__)
#define NEW_ALIGNED_NOTHROW(...) OWN_NEW(memalign(alignment, size), return NULL, __VA_ARGS__)
#define DELETE(...)              free(block);

/* ------------------------------------------------------------------------------------------------ the operators -- */

/* OPERATOR(what serves in its place, result, our name, the ABI's name, parameters, arguments) */
#define OPERATORS(OPERATOR)                                                                                            \
        OPERATOR(NEW, void *, new, "_Znwm", (size_t size), (size))                                                     \
        OPERATOR(NEW, void *, new_array, "_Znam", (size_t size), (size))                                               \
        OPERATOR(NEW_NOTHROW, void *, new_nothrow, "_ZnwmRKSt9nothrow_t", (size_t size, const void *tag), (size, tag)) \
        OPERATOR(NEW_NOTHROW, void *, new_array_nothrow, "_ZnamRKSt9nothrow_t", (size_t size, const void *tag),        \
                 (size, tag))                                                                                          \
        OPERATOR(NEW_ALIGNED, void *, new_aligned, "_ZnwmSt11align_val_t", (size_t size, size_t alignment),            \
                 (size, alignment))                                                                                    \
        OPERATOR(NEW_ALIGNED, void *, new_array_aligned, "_ZnamSt11align_val_t", (size_t size, size_t alignment),      \
                 (size, alignment))                                                                                    \
        OPERATOR(NEW_ALIGNED_NOTHROW, void *, new_aligned_nothrow, "_ZnwmSt11align_val_tRKSt9nothrow_t",               \
                 (size_t size, size_t alignment, const void *tag), (size, alignment, tag))                             \
        OPERATOR(NEW_ALIGNED_NOTHROW, void *, new_array_aligned_nothrow, "_ZnamSt11align_val_tRKSt9nothrow_t",         \
                 (size_t size, size_t alignment, const void *tag), (size, alignment, tag))                             \
        OPERATOR(DELETE, void, delete, "_ZdlPv", (void *block), (block))                                               \
        OPERATOR(DELETE, void, delete_array, "_ZdaPv", (void *block), (block))                                         \
        OPERATOR(DELETE, void, delete_nothrow, "_ZdlPvRKSt9nothrow_t", (void *block, const void *tag), (block, tag))   \
        OPERATOR(DELETE, void, delete_array_nothrow, "_ZdaPvRKSt9nothrow_t", (void *block, const void *tag),           \
                 (block, tag))                                                                                         \
        OPERATOR(DELETE, void, delete_sized, "_ZdlPvm", (void *block, size_t size), (block, size))                     \
        OPERATOR(DELETE, void, delete_array_sized, "_ZdaPvm", (void *block, size_t size), (block, size))               \
        OPERATOR(DELETE, void, delete_aligned, "_ZdlPvSt11align_val_t", (void *block, size_t alignment),               \
                 (block, alignment))                                                                                   \
        OPERATOR(DELETE, void, delete_array_aligned, "_ZdaPvSt11align_val_t", (void *block, size_t alignment),         \
                 (block, alignment))                                                                                   \
        OPERATOR(DELETE, void, delete_sized_aligned, "_ZdlPvmSt11align_val_t",                                         \
                 (void *block, size_t size, size_t alignment), (block, size, alignment))                               \
        OPERATOR(DELETE, void, delete_array_sized_aligned, "_ZdaPvmSt11align_val_t",                                   \
                 (void *block, size_t size, size_t alignment), (block, size, alignment))                               \
        OPERATOR(DELETE, void, delete_aligned_nothrow, "_ZdlPvSt11align_val_tRKSt9nothrow_t",                          \
                 (void *block, size_t alignment, const void *tag), (block, alignment, tag))                            \
        OPERATOR(DELETE, void, delete_array_aligned_nothrow, "_ZdaPvSt11align_val_tRKSt9nothrow_t",                    \
                 (void *block, size_t alignment, const void *tag), (block, alignment, tag))

/* As in next.h, a pointer leads first to a function that resolves, then to the operator that serves.  It is read
 * relaxed: both are code.  During the search for the next allocator, which may run C++ code, this library's operators
 * serve: their blocks are bootstrap memory. */
#define CALL(name) ((__typeof__(own_##name) *)atomic_load_explicit(&next_##name, memory_order_relaxed))
#define DEFINE(own, result, name, symbol, parameters, arguments)                                                       \
        static result(*theirs_##name) parameters;                                                                      \
        static result own_##name parameters {                                                                          \
                SERVE_BEGIN();                                                                                         \
                if (sa_unlikely(IS_CALLED_BY_ALLOCATOR()) && theirs_##name)                                            \
                        return theirs_##name arguments;                                                                \
                own(symbol, parameters, arguments)                                                                     \
        }                                                                                                              \
        static result first_##name parameters;                                                                         \
        static void *_Atomic next_##name = (void *)first_##name;                                                       \
        static result first_##name parameters {                                                                        \
                return resolve() ? CALL(name) arguments : own_##name arguments;                                        \
        }                                                                                                              \
        EXPORT result operator_##name parameters __asm__(symbol);                                                      \
        result operator_##name parameters {                                                                            \
                return CALL(name) arguments;                                                                           \
        }

OPERATORS(DEFINE)

static const struct {
        const char *symbol;
        void *_Atomic *next;
        void **theirs;
        void *own;
} operators[] = {
#define ENTRY(own, result, name, symbol, parameters, arguments)                                                        \
        {symbol, &next_##name, (void **)&theirs_##name, (void *)own_##name},
        OPERATORS(ENTRY)};
#define N (sizeof operators / sizeof *operators)

static bool resolve(void) {
        struct sa_symbol symbols[N];
        struct sa_object object = {0};

        if (!sa_next_resolve())
                return false;
        for (size_t i = 0; i < N; i++)
                symbols[i] = (struct sa_symbol){operators[i].symbol, NULL};
        sa_objects_find(symbols, N, true, NULL);
        sa_object_of((void *)sa_call_next(malloc), &object);
        /* Two threads at once write the same here. */
        allocator.begin = object.begin;
        allocator.size = object.end - object.begin;
        for (size_t i = 0; i < N; i++)
                if (sa_object_has(&object, symbols[i].address))
                        *operators[i].theirs = symbols[i].address;
        for (size_t i = 0; i < N; i++) {
                void *next = symbols[i].address;

                if (!next || sa_object_has(&object, next))
                        next = operators[i].own;
                atomic_store_explicit(operators[i].next, next, memory_order_release); /* [B4] */
        }
        return true;
}

size_t sa_slots_of_operators(struct sa_slot_function *ret) {
        size_t n = 0;

        resolve();
        for (size_t i = 0; i < N; i++)
                if (*operators[i].theirs)
                        ret[n++] = (struct sa_slot_function){operators[i].symbol, *operators[i].theirs,
                                                             operators[i].own};
        return n;
}

/* With the rest of the start-up, so that what is loaded later, and may be unloaded, is never found here. */
__attribute__((constructor(101))) static void start(void) {
        resolve();
}
