/* SPDX-License-Identifier: MIT */
/* See counters.h. */
#include "daemon/books/counters.h"

struct counters counters_since_slow(struct counters a, struct counters b) {
        uint64_t of_a[SHM_COUNTERS], of_b[SHM_COUNTERS];

        counters_store(of_a, a);
        counters_store(of_b, b);
        for (int i = 0; i < SHM_COUNTERS; i++)
                of_a[i] = of_a[i] > of_b[i] ? of_a[i] - of_b[i] : 0;
        return counters_load(of_a);
}
