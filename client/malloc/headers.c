/* SPDX-License-Identifier: MIT */
/*
 * The proof that sizes may be read from headers; see headers.h.
 */
#include "client/malloc/headers.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "client/malloc/next.h"
#include "client/malloc/objects.h"

uintptr_t sa_headers_from = UINTPTR_MAX;

#if defined(__x86_64__) && defined(__LP64__)

extern const char *gnu_get_libc_version(void) __attribute__((weak));

/* Whether all of the next allocator is in the object that says that it is glibc. */
static bool is_glibc(void) {
        void *const functions[] = {
                (void *)sa_call_next(malloc),         (void *)sa_call_next(free),
                (void *)sa_call_next(usable),         (void *)sa_call_next(calloc),
                (void *)sa_call_next(realloc),        (void *)sa_call_next(aligned_alloc),
                (void *)sa_call_next(posix_memalign), (void *)sa_call_next(memalign),
                (void *)sa_call_next(valloc),         (void *)sa_call_next(pvalloc),
        };
        struct sa_object object;

        if (!gnu_get_libc_version || !sa_object_of((void *)gnu_get_libc_version, &object))
                return false;
        for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
                if (!sa_object_has(&object, functions[i]))
                        return false; /* another library's, or this one's wrapper that handles bootstrap memory */
        return true;
}

/* A tool that puts its own allocator into glibc's functions, as valgrind's do, has its memory elsewhere, and may not
 * like the word before a block to be read. */
static bool is_told(void *block) {
        return block && (uintptr_t)block < (uintptr_t)sbrk(0) && sa_header_tells(block) &&
               sa_header_size(block) == sa_call_next(usable)(block);
}

/* Compares both sizes for blocks from each function that allocates, with the block before free or in use, which a flag
 * records. */
static bool are_told(size_t size, size_t step) {
        void *blocks[12] = {NULL};
        size_t n = 0;
        bool told = true;

        for (size_t more = 1; more <= 2; more++) {
                blocks[n++] = sa_call_next(malloc)(size);
                blocks[n++] = sa_call_next(malloc)(size + step);
                blocks[n++] = sa_call_next(calloc)(more, size);
                blocks[n++] = sa_call_next(memalign)(64, size);
                blocks[n++] = sa_call_next(aligned_alloc)(256, 256 * more);
                n += !sa_call_next(posix_memalign)(&blocks[n], 4096, size);
        }
        for (size_t i = 0; i < n; i += 3) {
                void *moved = sa_call_next(realloc)(blocks[i], i % 2 ? size / 2 + 1 : size * 3 + step);

                blocks[i] = moved ? moved : blocks[i];
        }
        for (size_t i = 0; i < n; i += 2) {
                told = told && is_told(blocks[i]);
                sa_call_next(free)(blocks[i]);
        }
        for (size_t i = 1; i < n; i += 2) {
                told = told && is_told(blocks[i]);
                sa_call_next(free)(blocks[i]);
        }
        return told;
}

void sa_headers_prove(void) {
        int error = errno;

        /* The least, and in glibc's terms the largest of tcache and the first beyond; these grow threefold, too. */
        if (is_glibc() && are_told(1, 23) && are_told(1032, 1))
                sa_headers_from = 1;
        errno = error;
}

#else

/* On other processors pointers may be tagged, and the word before a block be readable only with the tag. */
void sa_headers_prove(void) {
}

#endif
