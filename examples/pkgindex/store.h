/* SPDX-License-Identifier: MIT */
/* A full-text index in memory.  One thread each. */
#pragma once

#include <stddef.h>

#include "changelog.h"

struct store;

struct hit {
        char *package, *version, *excerpt;
        double rank; /* the smaller the better */
};

/* All return 0 or -EIO; store_error() has the words. */
int store_new(struct store **ret);
struct store *store_free(struct store *store);
/* Replaces what was known about the package. */
int store_put(struct store *store, const struct changelog *changelog);
/* At most `limit` best hits; the caller frees them with hits_free. */
int store_search(struct store *store, const char *phrase, size_t limit, struct hit **ret, size_t *ret_count);
void hits_free(struct hit *hits, size_t count);
const char *store_error(const struct store *store);
