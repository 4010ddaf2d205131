/* SPDX-License-Identifier: MIT */
/*
 * The page of `show '(outside)'`: what threads allocate outside of spans.
 */
#pragma once

#include "ctl/verbs/show.h"

int show_outside(const struct show *show);
