/* SPDX-License-Identifier: MIT */
/*
 * Load for an allocator, compared with the allocator's own statistics.
 *
 *     malloc_load [SECONDS]
 *
 * Two threads allocate, resize and free blocks for that time (default 0: one round) and hold some.  Then one line goes
 * to stdout, and the program waits until stdin ends:
 *
 *     ALLOCATOR moved BYTES held HELD allocs N
 *
 * BYTES is the growth of the allocator's bytes in use by its own statistics, HELD the usable size of the blocks that
 * the program holds.
 */
#include <dlfcn.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCKS = 4096, BLOCK_BYTES = 5000 };

static _Atomic uint64_t allocs, held;

/* ------------------------------------------------------------------------------------ what the allocator says -- */

typedef int mallctl_fn(const char *, void *, size_t *, void *, size_t);
typedef int property_fn(const char *, size_t *);
typedef void process_info_fn(size_t *, size_t *, size_t *, size_t *, size_t *, size_t *, size_t *, size_t *);

static const char *name = "glibc";

static uint64_t by_jemalloc(mallctl_fn *mallctl) {
        uint64_t epoch = 1;
        size_t value = 0, size = sizeof value;

        mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
        mallctl("stats.allocated", &value, &size, NULL, 0);
        return value;
}

static uint64_t in_use(void) {
        mallctl_fn *mallctl = (mallctl_fn *)dlsym(RTLD_DEFAULT, "mallctl");
        property_fn *property = (property_fn *)dlsym(RTLD_DEFAULT, "MallocExtension_GetNumericProperty");
        process_info_fn *process_info = (process_info_fn *)dlsym(RTLD_DEFAULT, "mi_process_info");
        size_t value = 0, ignored;

        if (mallctl) {
                name = "jemalloc";
                return by_jemalloc(mallctl);
        }
        if (property) {
                name = "tcmalloc";
                property("generic.current_allocated_bytes", &value);
                return value;
        }
        if (process_info) {
                name = "mimalloc";
                process_info(&ignored, &ignored, &ignored, &ignored, &ignored, &value, &ignored, &ignored);
                return value;
        }
        return mallinfo2().uordblks + mallinfo2().hblkhd;
}

/* --------------------------------------------------------------------------------------------------- the load -- */

static void *volatile blocks[2][BLOCKS];

static void *load(void *userdata) {
        void *volatile *mine = userdata;
        uint64_t made = 0, bytes = 0;

        for (int i = 0; i < BLOCKS; i++) {
                void *block = i % 2 ? malloc(BLOCK_BYTES) : calloc(10, BLOCK_BYTES / 10), *aligned;

                block = realloc(block, BLOCK_BYTES * 2);
                free(mine[i]);
                mine[i] = block;
                bytes += malloc_usable_size(block);
                if (posix_memalign(&aligned, 64, BLOCK_BYTES))
                        abort();
                memset(aligned, 1, BLOCK_BYTES);
                free(aligned);
                made += 3;
        }
        allocs += made;
        held += bytes;
        return NULL;
}

static void round_of_load(void) {
        pthread_t threads[2];

        held = 0;
        for (int i = 0; i < 2; i++)
                if (pthread_create(&threads[i], NULL, load, (void *)blocks[i]))
                        abort();
        for (int i = 0; i < 2; i++)
                pthread_join(threads[i], NULL);
}

int main(int argc, char **argv) {
        time_t end = time(NULL) + (argc > 1 ? atol(argv[1]) : 0);
        uint64_t before = in_use(), after;

        do
                round_of_load();
        while (time(NULL) < end);
        after = in_use();
        printf("%s moved %lld held %llu allocs %llu\n", name, (long long)(after - before), (unsigned long long)held,
               (unsigned long long)allocs);
        fflush(stdout);
        while (getchar() != EOF)
                ;
        return 0;
}
