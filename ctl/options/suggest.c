/* SPDX-License-Identifier: MIT */
/*
 * The nearest of several words, by edit distance.  The sentence "did you mean" is the caller's.
 */
#include <string.h>

#include "ctl/options/suggest.h"

enum { WORD_MAX = 63 };

static size_t least(size_t a, size_t b, size_t c) {
        size_t m = a < b ? a : b;

        return m < c ? m : c;
}

/* Insertions, deletions and replacements between two words, by one row of the usual matrix. */
static size_t edit_distance(const char *a, const char *b) {
        size_t row[WORD_MAX + 1];
        size_t na = strlen(a), nb = strlen(b);

        if (na > WORD_MAX || nb > WORD_MAX)
                return WORD_MAX;
        for (size_t j = 0; j <= nb; j++)
                row[j] = j;
        for (size_t i = 1; i <= na; i++) {
                size_t diagonal = row[0];

                row[0] = i;
                for (size_t j = 1; j <= nb; j++) {
                        size_t above = row[j];

                        row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
                        diagonal = above;
                }
        }
        return row[nb];
}

void suggest_offer(struct suggest *suggest, const char *candidate) {
        size_t length = strlen(suggest->word);
        size_t distance = edit_distance(suggest->word, candidate);

        /* A beginning of the candidate counts as near, whatever is missing at its end. */
        if (length >= 2 && !strncmp(suggest->word, candidate, length))
                distance = 1;
        if (distance > 1 + length / 4)
                return;
        if (!suggest->best || distance < suggest->distance) {
                suggest->best = candidate;
                suggest->distance = distance;
        }
}
