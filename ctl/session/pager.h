/* SPDX-License-Identifier: MIT */
/*
 * The output of a verb: collected first, then shown at once, through a pager if it is longer than the terminal.
 */
#pragma once

#include <stdio.h>

#include "ctl/options/options.h"

struct pager {
        FILE *stream; /* write here */
        char *text;
        size_t size;
};

/* 0 or -errno. */
int pager_init(struct pager *pager);
/* Shows the text and frees everything.  0 or -errno; a reader that closes the pipe early is no error. */
int pager_show(struct pager *pager, const struct options *options);
