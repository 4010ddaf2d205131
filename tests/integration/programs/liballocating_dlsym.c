/* SPDX-License-Identifier: MIT */
/*
 * A dlsym that allocates, as glibc's did before 2.34, to be preloaded behind the counters: their search for the next
 * allocator then calls them again.  It resizes blocks, keeps some, and frees these only at exit.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static void *(*volatile do_malloc)(size_t) = malloc;
static void *kept[64];
static unsigned count;

static void check(const char *block, char with, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (!block || block[i] != with)
                        abort();
}

__attribute__((visibility("default"))) void *dlsym(void *handle, const char *name) {
        static void *(*next)(void *, const char *);
        char *block = do_malloc(100), *zero = calloc(3, 40), *aligned = NULL;

        if (!next)
                next = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.34");
        if (!next)
                next = (void *(*)(void *, const char *))dlvsym(RTLD_NEXT, "dlsym", "GLIBC_2.2.5");
        if (!next || !block || posix_memalign((void **)&aligned, 256, 10) || (unsigned long)aligned % 256)
                abort();
        check(zero, 0, 120);
        memset(block, 'x', 100);
        block = realloc(block, 3000);
        check(block, 'x', 100);
        free(zero);
        free(aligned);
        if (count < sizeof kept / sizeof *kept)
                kept[count++] = block;
        return next(handle, name);
}

__attribute__((destructor)) static void give_back(void) {
        for (unsigned i = 0; i < count; i++) {
                kept[i] = realloc(kept[i], 5000);
                check(kept[i], 'x', 100);
                free(kept[i]);
        }
}
