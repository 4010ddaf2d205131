/* SPDX-License-Identifier: MIT */
/*
 * Start of the counting allocator: it finds the next allocator, tests whether the program's calls reach this one, and attaches
 * to a collector for the first time.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>

#include "client/malloc/headers.h"
#include "client/malloc/next.h"
#include "client/malloc/objects.h"
#include "client/malloc/quiet.h"
#include "client/malloc/slots.h"
#include "client/process/counting.h"

/* Our malloc, whatever that name means to the rest of the process. */
extern void *sa_malloc(size_t size) __attribute__((visibility("hidden")));

/* Only glibc has it.  Under another libc (musl's loader takes a preload that was made for glibc as well) the robust
 * mutexes of the segment have another shape: then the allocator just passes everything on. */
extern const char *gnu_get_libc_version(void) __attribute__((weak));
extern __typeof__(dladdr1) dladdr1 __attribute__((weak));

/* Tells this copy of the library from others in the process: it is the one that shall lead (client/process/election.c). */
const char sa_counter_marker __attribute__((visibility("hidden"))) = 1;

/* True if the process calls this library's malloc.  dlsym does not always return the function itself: an executable at
 * a fixed address that takes malloc's address contains a jump to it, which represents malloc everywhere as an undefined
 * symbol with a value (for example Debian's python3).  Then another function of the family decides. */
static bool is_called(void) {
        static const char *const names[] = {"malloc", "calloc", "realloc", "memalign", "posix_memalign"};
        Dl_info ours, theirs;
        ElfW(Sym) * symbol;

        if (dlsym(RTLD_DEFAULT, names[0]) == (void *)sa_malloc)
                return !sa_outer_function(names[0]);
        if (!dladdr((void *)sa_malloc, &ours))
                return true;
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
                symbol = NULL;
                if (!dladdr1(dlsym(RTLD_DEFAULT, names[i]), &theirs, (void **)&symbol, RTLD_DL_SYMENT))
                        continue;
                if (!symbol || symbol->st_shndx != SHN_UNDEF)
                        return theirs.dli_fbase == ours.dli_fbase;
        }
        return true;
}

/* True if an earlier library's malloc calls this one, as a preload that only observes does. */
static bool is_passed_on(void) {
        void *(*their_malloc)(size_t) = (void *(*)(size_t))sa_outer_function("malloc");
        void (*their_free)(void *) = (void (*)(void *))sa_outer_function("free");
        struct sa_quiet quiet;

        if (!their_malloc)
                return false;
        if (!their_free)
                their_free = (void (*)(void *))dlsym(RTLD_DEFAULT, "free"); /* ours */
        if (!their_free)
                return false;
        sa_quiet_begin(&quiet);
        their_free(their_malloc(1));
        return sa_quiet_end(&quiet) > 0;
}

/* 101: before the rest of the library, and before any constructor of the program. */
__attribute__((constructor(101))) static void start(void) {
        bool counts;

        sa_next_resolve();
        if (!gnu_get_libc_version)
                return;
        sa_headers_prove();
        if (sa_headers_from == 1)
                sa_root_set_quick();
        counts = is_called() || is_passed_on();
        sa_root_set_counting(counts ? SHM_COUNTING_MALLOC : SHM_COUNTING_BYPASSED);
        if (counts)
                sa_slots_start();
        sa_root_attach_early();
}
