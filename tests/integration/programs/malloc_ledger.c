/* SPDX-License-Identifier: MIT */
/*
 * Allocates by a script, in every phase of a process's life, and keeps its own ledger of the expected counts.
 *
 *     LEDGER_ROUNDS=n malloc_ledger
 *
 * prints `alloc_count alloc_bytes dealloc_count dealloc_bytes observed` at its very end.  The process does other things that
 * allocate (libc starts threads, say), but the same ones for any number of rounds: so the counters of a run with n
 * rounds, less those of a run with 0, must be exactly this ledger.
 *
 * `observed` is a digest of each call's result: whether it returned a block, and errno after it.  Allocators differ in
 * that, even on success; but for one allocator it must be the same with and without the counters.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ALLOC_COUNT, ALLOC_BYTES, DEALLOC_COUNT, DEALLOC_BYTES, COUNTERS };
enum { THREADS = 3 };

static _Atomic uint64_t ledger[COUNTERS];
static uint64_t observed = 1;
static long rounds;
static pthread_key_t key;

/* Through volatile pointers: a compiler may drop an allocation that it sees the end of. */
static void *(*volatile do_malloc)(size_t) = malloc;
static void *(*volatile do_calloc)(size_t, size_t) = calloc;
static void *(*volatile do_realloc)(void *, size_t) = realloc;
static void *(*volatile do_reallocarray)(void *, size_t, size_t) = reallocarray;
static void *(*volatile do_aligned_alloc)(size_t, size_t) = aligned_alloc;
static int (*volatile do_posix_memalign)(void **, size_t, size_t) = posix_memalign;
static void *(*volatile do_memalign)(size_t, size_t) = memalign;
static void *(*volatile do_valloc)(size_t) = valloc;
static void (*volatile do_free)(void *) = free;

static void die(const char *what) {
        static const char text[] = "malloc_ledger: wrong: ";

        (void)!write(2, text, sizeof text - 1);
        (void)!write(2, what, strlen(what));
        (void)!write(2, "\n", 1);
        _exit(3);
}

static void check(int ok, const char *what) {
        if (!ok)
                die(what);
}

static void observe(int fine) {
        observed = (observed ^ (uint64_t)(errno * 2 + fine)) * UINT64_C(0x100000001b3);
        errno = 1234;
}

static void *got(void *block) {
        observe(block != NULL);
        check(block != NULL, "an allocation failed");
        ledger[ALLOC_COUNT]++;
        ledger[ALLOC_BYTES] += malloc_usable_size(block);
        return block;
}

static void lose(void *block) {
        ledger[DEALLOC_COUNT]++;
        ledger[DEALLOC_BYTES] += malloc_usable_size(block);
}

static void drop(void *block) {
        lose(block);
        do_free(block);
        observe(1);
}

static void *resize(void *block, size_t size) {
        lose(block);
        return got(do_realloc(block, size));
}

static void failures(void) {
        volatile size_t huge = SIZE_MAX / 2, half = SIZE_MAX / 4;
        void *block = got(do_malloc(100)), *untouched = block;

        observe(do_malloc(huge) != NULL);
        observe(do_calloc(half, 8) != NULL);
        observe(do_realloc(block, huge) != NULL);
        observe(do_reallocarray(block, half, 8) != NULL);
        observe(do_aligned_alloc(64, huge) != NULL);
        observe(do_posix_memalign(&untouched, 3, 64));
        observe(do_posix_memalign(&untouched, 64, huge));
        check(untouched == block, "posix_memalign wrote where it failed");
        drop(block);
        do_free(NULL);
        observe(1);
}

/* realloc(block, 0): glibc frees; others free and return a new block. */
static void nothing(void) {
        void *block = got(do_malloc(77));

        lose(block);
        block = do_realloc(block, 0);
        observe(block != NULL);
        if (block)
                drop(got(block));
        drop(got(do_malloc(0)));
        drop(got(do_realloc(NULL, 0)));
        drop(got(do_calloc(0, 8)));
}

static void once(size_t size) {
        void *block;

        drop(got(do_malloc(size)));
        drop(got(do_calloc(3, size)));
        block = got(do_realloc(NULL, size));
        block = resize(block, size * 3);
        block = resize(block, size * 100);
        block = resize(block, 1);
        lose(block);
        block = got(do_reallocarray(block, 4, size));
        drop(block);
        drop(got(do_aligned_alloc(64, 64 * size)));
        check(!do_posix_memalign(&block, 256, size), "posix_memalign");
        check((uintptr_t)block % 256 == 0, "the alignment of posix_memalign");
        drop(got(block));
        drop(got(do_memalign(32, size)));
        drop(got(do_valloc(size)));
        got(do_malloc(size)); /* leaked, so that no two counters agree */
}

static void script(void) {
        for (long i = 0; i < rounds; i++) {
                once((size_t)(i * 37 % 5000 + 1));
                if (i % 16 == 0) {
                        failures();
                        nothing();
                }
        }
}

/* Runs twice in each thread: the first time it sets the value anew. */
static void end_of_thread(void *value) {
        script();
        if (value == &key)
                return;
        if (value != &rounds)
                drop(value);
        pthread_setspecific(key, &key);
}

static void *thread(void *handed_over) {
        void *own = &rounds;

        script();
        if (rounds) {
                drop(handed_over);
                own = got(do_malloc(500));
        }
        pthread_setspecific(key, own);
        return NULL;
}

static void at_exit(void) {
        script();
}

__attribute__((constructor)) static void before_main(void) {
        const char *text = getenv("LEDGER_ROUNDS");

        rounds = text ? atol(text) : 0;
        script();
}

__attribute__((destructor)) static void after_main(void) {
        char text[160];
        int length;

        script();
        length = snprintf(text, sizeof text, "%llu %llu %llu %llu %llx\n", (unsigned long long)ledger[ALLOC_COUNT],
                          (unsigned long long)ledger[ALLOC_BYTES], (unsigned long long)ledger[DEALLOC_COUNT],
                          (unsigned long long)ledger[DEALLOC_BYTES], (unsigned long long)observed);
        check(write(1, text, (size_t)length) == length, "the report");
}

int main(void) {
        pthread_t threads[THREADS];

        atexit(at_exit);
        pthread_key_create(&key, end_of_thread);
        script();
        for (int i = 0; i < THREADS; i++) {
                void *handed_over = rounds ? got(do_malloc(4000)) : NULL;

                check(!pthread_create(&threads[i], NULL, thread, handed_over), "pthread_create");
                check(!pthread_join(threads[i], NULL), "pthread_join");
        }
        return 0;
}
