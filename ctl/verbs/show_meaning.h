/* SPDX-License-Identifier: MIT */
/*
 * The sentences of `show`: what net means and what it does not, and what is moved or missing in the numbers.
 */
#pragma once

#include <stdio.h>

#include "ctl/verbs/show.h"

void show_meaning(const struct show *show, FILE *stream);
/* Whether the spans keep bytes, and their processes grow by about that. */
bool show_may_grow_on(const struct show *show);
