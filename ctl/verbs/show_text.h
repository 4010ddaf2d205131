/* SPDX-License-Identifier: MIT */
/*
 * `show` for a person.
 */
#pragma once

#include "ctl/verbs/show.h"

/* Exit status. */
int show_text(const struct show *show);
