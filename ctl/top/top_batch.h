/* SPDX-License-Identifier: MIT */
/*
 * top on a pipe.
 */
#pragma once

#include "ctl/top/top_refresh.h"

/* Plain screens, or with --json documents.  Exit status. */
int top_batch(struct top *top);
