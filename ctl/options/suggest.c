/* SPDX-License-Identifier: MIT */
/*
 * Finds the candidate with the smallest edit distance to a mistyped word.  The caller writes "did you mean".
 */
#include <string.h>

#include "ctl/options/suggest.h"

enum { WORD_MAX = 63 };

static size_t least(size_t a, size_t b, size_t c) {
        size_t m = a < b ? a : b;

        return m < c ? m : c;
}

/* Insertions, deletions, replacements, and exchanges of neighbours ("tpo") between two words: the optimal string alignment
 * distance, of whose matrix the last three rows are kept. */
static size_t edit_distance(const char *a, const char *b) {
        size_t rows[3][WORD_MAX + 1];
        size_t na = strlen(a), nb = strlen(b);

        if (na > WORD_MAX || nb > WORD_MAX)
                return WORD_MAX;
        for (size_t j = 0; j <= nb; j++)
                rows[0][j] = j;
        for (size_t i = 1; i <= na; i++) {
                size_t *row = rows[i % 3];
                const size_t *above = rows[(i + 2) % 3], *above_that = rows[(i + 1) % 3];

                row[0] = i;
                for (size_t j = 1; j <= nb; j++) {
                        row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (a[i - 1] != b[j - 1]));
                        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                            row[j] > above_that[j - 2])
                                row[j] = least(row[j], above_that[j - 2] + 1, row[j]);
                }
        }
        return rows[na % 3][nb];
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
