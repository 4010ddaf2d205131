/* SPDX-License-Identifier: MIT */
/*
 * Requests that look alike while they last: what happens to the memory differs.  For each point on the standard
 * input it works again; at another byte, or none, it ends.
 *
 *     span_keeps late COUNT SIZE       each request allocates SIZE bytes; they are freed after its span has ended
 *     span_keeps leak COUNT SIZE       they are never freed
 *     span_keeps work COUNT SIZE       they are freed within the span
 *     span_keeps deep DEPTH SIZE       spans inside one another, with SIZE bytes in each
 *     span_keeps plain COUNT SIZE      no span; COUNT times SIZE bytes, freed
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

static void *volatile sink;

static void *get(size_t size) {
        void *memory = malloc(size);

        if (!memory)
                abort();
        memset(memory, 1, size);
        sink = memory;
        return memory;
}

static void request(const char *way, size_t size) {
        SPANALLOC_SITE(site, "request");
        spanalloc_span scope;
        void *body;

        scope = spanalloc_scope_begin(&site);
        body = get(size);
        if (!strcmp(way, "work"))
                free(body);
        spanalloc_scope_end(scope);
        if (!strcmp(way, "late"))
                free(body);
}

static void nest(unsigned long depth, size_t size) {
        SPANALLOC_SITE(site, "nest");
        spanalloc_span scope;

        if (!depth)
                return;
        scope = spanalloc_scope_begin(&site);
        free(get(size));
        nest(depth - 1, size);
        spanalloc_scope_end(scope);
}

static void plain(unsigned long count, size_t size) {
        for (unsigned long i = 0; i < count; i++)
                free(get(size));
}

static void work(const char *way, unsigned long count, size_t size) {
        if (!strcmp(way, "plain"))
                plain(count, size);
        else if (!strcmp(way, "deep"))
                nest(count, size);
        else
                for (unsigned long i = 0; i < count; i++)
                        request(way, size);
        if (write(STDOUT_FILENO, "ready\n", 6) != 6)
                abort();
}

int main(int argc, char **argv) {
        unsigned long count = argc == 4 ? strtoul(argv[2], NULL, 10) : 0;
        size_t size = argc == 4 ? strtoul(argv[3], NULL, 10) : 0;
        char byte;

        if (!count || !size)
                return 2;
        do
                work(argv[1], count, size);
        while (read(STDIN_FILENO, &byte, 1) == 1 && byte == '.');
        return 0;
}
