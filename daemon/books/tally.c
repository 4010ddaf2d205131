/* SPDX-License-Identifier: MIT */
/* See tally.h. */
#include "daemon/books/tally.h"

#include "daemon/books/books_layout.h"

void tally_log(struct books *books, struct tally *t) {
        arena_touch(&books->arena, t, offsetof(struct tally, hist.octave));
}

void tally_rates(const struct books *books, const struct tally *t, uint64_t now_ns, double ret[3]) {
        const struct decayed decayed = {t->decayed, t->tick, t->this_tick, t->born_ns};

        decayed_rates(books, &decayed, now_ns, ret);
}
