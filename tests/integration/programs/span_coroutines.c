/* SPDX-License-Identifier: MIT */
/*
 * Two coroutines that do not say when they switch.
 *
 *     span_coroutines up       the second has the higher stack; they end their scopes out of order
 *     span_coroutines down     the lower one
 *     span_coroutines inner    scopes end in the order of a stack; the first has opened others meanwhile
 *     span_coroutines nested   the second ends its scope before it switches back
 *
 * Prints its pid.
 */
#include <spanalloc/spanalloc.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK 131072

static ucontext_t home, first, second;
static char stacks[2][STACK];
static bool is_inner, is_nested;

static void allocate(int n) {
        for (int i = 0; i < n; i++) {
                void *volatile block = malloc(100);

                free(block);
        }
}

static void inner(void) {
        SPANALLOC_SCOPE("first");
        allocate(1);
}

static void run_first(void) {
        {
                SPANALLOC_SCOPE("first");
                for (int i = 0; i < 3; i++) {
                        allocate(100);
                        if (is_inner && i)
                                inner();
                        swapcontext(&first, &second);
                }
                if (is_inner)
                        swapcontext(&first, &second);
        }
        swapcontext(&first, &home);
}

static void run_second(void) {
        if (is_nested) {
                for (;;) {
                        {
                                SPANALLOC_SCOPE("second");
                                allocate(1);
                        }
                        swapcontext(&second, &first);
                }
        }
        {
                SPANALLOC_SCOPE("second");
                for (int i = 0; i < 3; i++) {
                        allocate(1);
                        swapcontext(&second, &first);
                }
        }
        swapcontext(&second, &first);
}

static void start(ucontext_t *context, char *stack, void (*function)(void)) {
        getcontext(context);
        context->uc_stack.ss_sp = stack;
        context->uc_stack.ss_size = STACK;
        makecontext(context, function, 0);
}

int main(int argc, char **argv) {
        bool is_down = argc > 1 && !strcmp(argv[1], "down");

        if (argc < 2)
                return 2;
        is_inner = !strcmp(argv[1], "inner");
        is_nested = !strcmp(argv[1], "nested");
        printf("%d\n", (int)getpid());
        start(&first, stacks[is_down], run_first);
        start(&second, stacks[!is_down], run_second);
        swapcontext(&home, &first);
        return 0;
}
