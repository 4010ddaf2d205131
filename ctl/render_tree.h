/*
 * The answer of `tree` as a drawing: processes as roots, spans below the spans that opened them.
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "ctl/options.h"
#include "ctl/table.h"

/* A whole tree, or with `span` only the rows of that name, each under its path.  0 or -errno. */
int render_tree(const struct options *options, const struct table *tree, FILE *stream);
