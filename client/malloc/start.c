/*
 * Start-up of the counting allocator: which allocator is under it, whether anything comes to it at all, and the first
 * meeting with a collector.
 */
#include <dlfcn.h>
#include <stddef.h>

#include "client/malloc/next.h"
#include "client/root.h"

/* Our malloc, whatever that name means to the rest of the process. */
extern void *sa_malloc(size_t size) __attribute__((visibility("hidden")));

/* Only glibc has it.  Under another libc (musl's loader takes a preload that was made for glibc as well) the robust
 * mutexes of the segment have another shape: then the allocator just passes everything on. */
extern const char *gnu_get_libc_version(void) __attribute__((weak));

/* Tells this copy of the library from others in the process: it is the one that shall lead (client/root.c). */
const char sa_counter_marker __attribute__((visibility("hidden"))) = 1;

/* 101: before the rest of the library, and before any constructor of the program. */
__attribute__((constructor(101))) static void start(void) {
        sa_next_resolve();
        if (!gnu_get_libc_version)
                return;
        sa_root_set_counting(dlsym(RTLD_DEFAULT, "malloc") == (void *)sa_malloc ? SHM_COUNTING_MALLOC
                                                                                 : SHM_COUNTING_BYPASSED);
        sa_root_attach_early();
}
