/* SPDX-License-Identifier: MIT */
/*
 * Two coroutines on one thread, each with spans of its own: what one allocates is in its span, however they take turns.
 *
 *     gcc coroutine.c $(pkg-config --cflags --libs spanalloc)
 *     spanallocctl run -- ./a.out
 */
#include <spanalloc/spanalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

struct coroutine {
        ucontext_t context;
        struct spanalloc_stack spans; /* all zeros before its first switch */
        char stack[65536];
};

static struct coroutine parser, writer;
static ucontext_t home;
static struct spanalloc_stack home_spans;
static size_t length;

/* The one place where the program switches: right before it, the spans are switched, too. */
static void resume(struct coroutine *coroutine) {
        spanalloc_stack_switch(&home_spans, &coroutine->spans);
        swapcontext(&home, &coroutine->context);
}

static void yield(struct coroutine *coroutine) {
        spanalloc_stack_switch(&coroutine->spans, &home_spans);
        swapcontext(&coroutine->context, &home);
}

static void parse(void) {
        for (;;) {
                SPANALLOC_SCOPE("parse");
                char *words[100];

                for (int i = 0; i < 100; i++)
                        words[i] = malloc(100);
                length += sizeof words;
                yield(&parser); /* within the scope */
                for (int i = 0; i < 100; i++)
                        free(words[i]);
        }
}

static void put(void) {
        for (;;) {
                SPANALLOC_SCOPE("write");
                char *line = malloc(100);

                length += (size_t)snprintf(line, 100, "so far %zu\n", length);
                yield(&writer);
                free(line);
        }
}

static void start(struct coroutine *coroutine, void (*function)(void)) {
        getcontext(&coroutine->context);
        coroutine->context.uc_stack.ss_sp = coroutine->stack;
        coroutine->context.uc_stack.ss_size = sizeof coroutine->stack;
        makecontext(&coroutine->context, function, 0);
}

int main(void) {
        start(&parser, parse);
        start(&writer, put);
        for (int i = 0; i < 10; i++) {
                resume(&parser);
                resume(&writer);
        }
        printf("%zu bytes\n", length);
}
