/* See tally.h. */
#include "daemon/core/tally.h"

#include <math.h>

static const double rate_seconds[3] = {10, 60, 600};

static double tick_seconds(uint64_t ticks) {
        return (double)ticks * (double)(UINT64_C(1) << TALLY_TICK_SHIFT) / 1e9;
}

/* At most once a tick for each path, so the cost of exp() does not count. */
void tally_decay(struct tally *t, uint64_t tick) {
        double seconds = tick_seconds(tick - t->tick);

        for (int i = 0; i < 3; i++)
                t->decayed[i] = (t->decayed[i] + (double)t->this_tick) * exp(-seconds / rate_seconds[i]);
        t->this_tick = 0;
        t->tick = tick;
}

void tally_rates(const struct books *books, const struct tally *t, uint64_t now_ns, double ret[3]) {
        uint64_t tick = now_ns >> TALLY_TICK_SHIFT;
        double since = tick > t->tick ? tick_seconds(tick - t->tick) : 0;
        double age = now_ns > t->born_ns ? (double)(now_ns - t->born_ns) / 1e9 : 0;

        /* Below a second there is no rate to speak of; above, the window is at most as long as the path is old. */
        if (age < 1)
                age = 1;
        for (int i = 0; i < 3; i++) {
                double window = rate_seconds[i], sum = t->decayed[i] + (double)t->this_tick;

                ret[i] = sum * exp(-since / window) / (window * (1 - exp(-age / window)));
        }
}
