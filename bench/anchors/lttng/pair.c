/* SPDX-License-Identifier: MIT */
/*
 * What two events with the payload of a span's two records cost in LTTng-UST: "lttng_pair NS", the median of many
 * batches.  The starter of the program makes the session: scripts/bench makes a snapshot session, which drops the
 * oldest.
 */
#define LTTNG_UST_TRACEPOINT_CREATE_PROBES
#define LTTNG_UST_TRACEPOINT_DEFINE
#include "events.h"

#include <stdio.h>

#include "bench/measure.h"

enum { BATCH = 200, BATCHES = 1500 };

int main(void) {
        static double costs[BATCHES];
        uint64_t counters[4] = {0};

        measure_pin(0);
        for (int i = 0; i < BATCHES; i++) {
                double begun;

                measure_work(200000);
                begun = measure_now(CLOCK_MONOTONIC);
                for (uint64_t k = 0; k < BATCH; k++) {
                        counters[0]++;
                        lttng_ust_tracepoint(spanalloc_bench, cycle, k, 0, counters);
                        lttng_ust_tracepoint(spanalloc_bench, cycle, k, 1, counters);
                }
                costs[i] = (measure_now(CLOCK_MONOTONIC) - begun) / BATCH;
        }
        printf("lttng_pair %.2f\n", measure_percentile(costs, BATCHES, .5));
        return 0;
}
