/* SPDX-License-Identifier: MIT */
/*
 * Makes this library, built for glibc, loadable by another libc's loader, which obeys LD_PRELOAD for any library: every
 * symbol that it needs must exist.  musl has all of them but one.  tests/integration/musl.sh holds the list.
 */
#include <pthread.h>

extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *dso)
        __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

/* Replaces the function that glibc links into every object and that needs __register_atfork by a strong reference. */
__attribute__((visibility("hidden"))) int pthread_atfork(void (*prepare)(void), void (*parent)(void),
                                                         void (*child)(void)) {
        return __register_atfork ? __register_atfork(prepare, parent, child, __dso_handle) : 0;
}
