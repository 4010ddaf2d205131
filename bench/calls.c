/* SPDX-License-Identifier: MIT */
/*
 * Runs one kind of call N times, for valgrind to count instructions.
 *
 *     calls KIND N
 *
 * The cost of a call is the difference between two runs, divided by the difference of their N: that leaves out start
 * and end.  N must be small enough for the records to fit the ring.
 */
#include <spanalloc/spanalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

SPANALLOC_SITE(calls_site, "calls");

static void nothing(long n, spanalloc_span span) {
        (void)span;
        for (long i = 0; i < n; i++)
                __asm__ volatile("" ::: "memory");
}

static void pair(long n, spanalloc_span span) {
        for (long i = 0; i < n; i++) {
                spanalloc_enter(span);
                spanalloc_exit(span);
        }
}

static void scope(long n, spanalloc_span span) {
        (void)span;
        for (long i = 0; i < n; i++) {
                SPANALLOC_SCOPE("scope");
        }
}

/* Scopes inside one another: what is on the stack must not cost. */
static void nested(long n, spanalloc_span span) {
        (void)span;
        for (long i = 0; i < n; i += 4) {
                SPANALLOC_SCOPE("one");
                SPANALLOC_SCOPE("two");
                SPANALLOC_SCOPE("three");
                SPANALLOC_SCOPE("four");
        }
}

static void inside(void) {
        spanalloc_span span = spanalloc_scope_begin(&calls_site);

        spanalloc_scope_end(span);
}

/* One site under two parents in turn, so that it has another path each time; two scopes for each of n. */
static void turns(long n, spanalloc_span span) {
        (void)span;
        for (long i = 0; i < n; i += 2) {
                {
                        SPANALLOC_SCOPE("even");
                        inside();
                }
                {
                        SPANALLOC_SCOPE("odd");
                        inside();
                }
        }
}

static void life(long n, spanalloc_span span) {
        (void)span;
        for (long i = 0; i < n; i++) {
                spanalloc_span one = spanalloc_open(&calls_site);

                spanalloc_enter(one);
                spanalloc_exit(one);
                spanalloc_close(one);
        }
}

/* The address is hidden, or the compiler would leave both out. */
static void heap(long n, spanalloc_span span) {
        (void)span;
        for (long i = 0; i < n; i++) {
                void *block = malloc(64);

                __asm__ volatile("" : "+r"(block)::"memory");
                free(block);
        }
}

static const struct {
        const char *name;
        void (*run)(long n, spanalloc_span span);
} kinds[] = {{"nothing", nothing}, {"pair", pair}, {"scope", scope}, {"nested", nested},
             {"turns", turns},     {"life", life}, {"malloc", heap}};

int main(int argc, char **argv) {
        spanalloc_span span;
        long n = argc == 3 ? strtol(argv[2], NULL, 10) : 0;

        for (size_t i = 0; n > 0 && i < sizeof kinds / sizeof *kinds; i++) {
                if (strcmp(kinds[i].name, argv[1]) != 0)
                        continue;
                spanalloc_attach(NULL); /* an error means that there is no collector; that has its cost, too */
                span = spanalloc_open(&calls_site);
                kinds[i].run(8, span);
                kinds[i].run(n, span);
                spanalloc_close(span);
                return 0;
        }
        fprintf(stderr, "usage: calls nothing|pair|scope|nested|turns|life|malloc N\n");
        return 2;
}
