/* SPDX-License-Identifier: MIT */
/*
 * What lets this library, made for glibc, be loaded by another libc's loader, which takes LD_PRELOAD as it comes:
 * every symbol that it needs must be there.  musl has all of them but one.  tests/integration/musl.sh holds the list.
 */
#include <pthread.h>

extern int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void), void *dso)
        __attribute__((weak));
extern void *__dso_handle __attribute__((visibility("hidden")));

/* In place of the one that glibc links into every object, whose need of __register_atfork is not weak. */
__attribute__((visibility("hidden"))) int pthread_atfork(void (*prepare)(void), void (*parent)(void),
                                                         void (*child)(void)) {
        return __register_atfork ? __register_atfork(prepare, parent, child, __dso_handle) : 0;
}
