/* SPDX-License-Identifier: MIT */
/* What every benchmark program shares: a clock, a pinned processor, and percentiles of many short batches. */
#pragma once

#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static inline double measure_now(clockid_t clock) {
        struct timespec t;

        clock_gettime(clock, &t);
        return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The processor of that number among those that the process may use. */
static inline void measure_pin(int number) {
        cpu_set_t may, one;

        if (sched_getaffinity(0, sizeof may, &may) < 0)
                return;
        number %= CPU_COUNT(&may);
        for (int i = 0; i < CPU_SETSIZE; i++)
                if (CPU_ISSET(i, &may) && number-- == 0) {
                        CPU_ZERO(&one);
                        CPU_SET(i, &one);
                        sched_setaffinity(0, sizeof one, &one);
                        return;
                }
}

/* Work that has nothing to do with spans: waits, awake. */
static inline void measure_work(double ns) {
        double until = measure_now(CLOCK_MONOTONIC) + ns;

        while (measure_now(CLOCK_MONOTONIC) < until)
                ;
}

static inline int measure_by_value(const void *a, const void *b) {
        double x = *(const double *)a, y = *(const double *)b;

        return (x > y) - (x < y);
}

static inline double measure_percentile(double *values, int n, double share) {
        qsort(values, (size_t)n, sizeof *values, measure_by_value);
        return values[(int)((double)(n - 1) * share)];
}
