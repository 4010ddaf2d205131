/* SPDX-License-Identifier: MIT */
/*
 * Where a verb's text goes: gathered first, then shown at once, through a pager when it is longer than the terminal.
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
/* Shows what was written, and frees everything.  0 or -errno; that a reader left early is no error. */
int pager_show(struct pager *pager, const struct options *options);
