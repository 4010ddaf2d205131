/* SPDX-License-Identifier: MIT */
/*
 * Help, made from the tables of verbs, options and columns.
 */
#pragma once

#include <stdio.h>

#include "ctl/options/options.h"

/* Help: of everything, or of one verb; in lines of at most `width` columns, 0: of any length. */
void help_print(FILE *stream, size_t width);
void help_print_verb(FILE *stream, enum verb_id verb, size_t width);
