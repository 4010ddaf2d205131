/* SPDX-License-Identifier: MIT */
/*
 * The candidate that is most similar to a mistyped word, for "did you mean".
 */
#pragma once

#include <stddef.h>

struct suggest {
        const char *word;
        const char *best; /* NULL while nothing was near enough */
        size_t distance;
};
#define SUGGEST_INIT(w) ((struct suggest){.word = (w)})

/* Considers one more candidate (borrowed). */
void suggest_offer(struct suggest *suggest, const char *candidate);
