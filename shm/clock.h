/* SPDX-License-Identifier: MIT */
/*
 * The clock of timestamps: the processor's own counter.
 *
 * Cheap (about 10 ns), the same on all processors where the kernel calls it steady, and with a rate that only the
 * collector needs to know.  0 where there is none.
 */
#pragma once

#include <stdint.h>

static inline uint64_t shm_clock(void) {
#if defined(__x86_64__)
        return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
        uint64_t t;

        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(t));
        return t;
#else
        return 0;
#endif
}
