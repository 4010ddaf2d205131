/* SPDX-License-Identifier: MIT */
/* The files to index, and reading them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct corpus {
        char **files;
        size_t count;
        char *made_in; /* the directory of a corpus that was made here, else NULL */
};

/* The changelogs of the packages on this machine; where there are hardly any, or with `make`, files of the same form
 * in a temporary directory.  Returns 0 or -errno. */
int corpus_find(struct corpus *corpus, bool make);
/* Removes what was made. */
void corpus_deinit(struct corpus *corpus);

struct bytes {
        unsigned char *data;
        size_t size;
};

/* Both return 0 or -errno; the caller frees ret->data. */
int corpus_read(struct bytes *ret, const char *file);
int corpus_inflate(struct bytes *ret, const struct bytes *compressed);
