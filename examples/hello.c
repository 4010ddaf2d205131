/* SPDX-License-Identifier: MIT */
/* The smallest program with a span: gcc hello.c $(pkg-config --cflags --libs spanalloc) */
#include <spanalloc/spanalloc.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
        SPANALLOC_SCOPE("hello");
        char *greeting = malloc(64);
        snprintf(greeting, 64, "hello, heap\n");
        fputs(greeting, stdout);
        free(greeting);
}
