/* SPDX-License-Identifier: MIT */
/* See loss.h. */
#include "ctl/rows/loss.h"

enum cause { NOT_BOOKED, RINGS, DEPTH, BOTH };

void loss_add(struct loss *loss, const struct table *ps, size_t row) {
        loss->refused += table_uint(ps, row, "refused");
        loss->depth += table_uint(ps, row, "refused_depth");
}

/* An older collector does not send how many are of depth: then rings are the cause. */
static enum cause cause_of(const struct loss *loss) {
        if (!loss->refused)
                return NOT_BOOKED;
        if (!loss->depth)
                return RINGS;
        return loss->depth < loss->refused ? BOTH : DEPTH;
}

const char *loss_cause(const struct loss *loss) {
        static const char *const texts[] = {
                [NOT_BOOKED] = "no collector had booked it",
                [RINGS] = "a ring was full",
                [DEPTH] = "a thread was in 64 spans at once",
                [BOTH] = "a ring was full, or a thread was in 64 spans at once",
        };

        return texts[cause_of(loss)];
}

const char *loss_advice(const struct loss *loss) {
        static const char *const texts[] = {
                [NOT_BOOKED] = "nothing to do",
                [RINGS] = "give it larger rings (SPANALLOC_RING_KIB=4096 in its environment), or open fewer spans",
                [DEPTH] = "nest its spans less than 64 deep, for example with no span in a recursion; larger rings do "
                          "not help",
                [BOTH] = "nest its spans less than 64 deep, and give it larger rings (SPANALLOC_RING_KIB=4096 in its "
                         "environment)",
        };

        return texts[cause_of(loss)];
}
