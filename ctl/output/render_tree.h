/* SPDX-License-Identifier: MIT */
/*
 * The answer of `tree` as a drawing: processes as roots, spans below the spans that opened them, and what
 * threads allocate outside of spans below their process.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "ctl/options/options.h"
#include "query/table.h"

/* As many spans as options->limit allows; *ret_left: how many rows come after those.  `processes`: rows of `ps`, the sums
 * of which a process is drawn with; NULL: it is drawn with the sums of its roots.  0 or -errno. */
int render_tree(const struct options *options, const struct table *tree, const struct table *processes, FILE *stream,
                size_t *ret_left);
