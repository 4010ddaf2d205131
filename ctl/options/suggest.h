/* SPDX-License-Identifier: MIT */
/*
 * "Did you mean": the nearest of several words.
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
