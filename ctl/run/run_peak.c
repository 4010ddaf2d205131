/* SPDX-License-Identifier: MIT */
/*
 * See run_peak.h.
 */
#include "ctl/run/run_peak.h"

#include "base/clock.h"
#include "base/nanoseconds.h"

#define LOOK_NS     (100 * NS_PER_MS)
#define COST        20 /* A look takes at most one part in so many of the time. */
#define REST_MAX_NS NS_PER_S

static void on_timer(void *userdata, uint64_t now_ns) {
        struct run_peak *peak = userdata;
        uint64_t begin_ns = clock_monotonic_ns(), end_ns, rest_ns;
        bool done = collector_refresh_some(peak->collector, &peak->index, &peak->row, true, 0);

        end_ns = clock_monotonic_ns();
        peak->cost_ns += end_ns - begin_ns;
        if (!done) {
                reactor_timer_set(peak->timer, end_ns + NS_PER_MS);
                return;
        }
        rest_ns = COST * peak->cost_ns;
        if (rest_ns > REST_MAX_NS) /* The time may have been another process's. */
                rest_ns = REST_MAX_NS;
        peak->index = 0;
        peak->cost_ns = 0;
        reactor_timer_set(peak->timer, end_ns + (rest_ns > LOOK_NS ? rest_ns : LOOK_NS));
}

int run_peak_begin(struct run_peak *peak, struct collector *collector) {
        int r;

        *peak = (struct run_peak){.collector = collector};
        r = reactor_timer(collector_reactor(collector), &peak->timer, on_timer, peak);
        if (r == 0)
                reactor_timer_set(peak->timer, clock_monotonic_ns() + LOOK_NS);
        return r;
}

void run_peak_end(struct run_peak *peak) {
        if (peak->timer)
                reactor_timer_free(peak->timer);
        peak->timer = NULL;
}
