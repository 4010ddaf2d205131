/* SPDX-License-Identifier: MIT */
/*
 * top on a terminal.
 */
#pragma once

#include "ctl/top/top_state.h"

/* Exit status, or -ENOTTY when this terminal cannot be drawn on. */
int top_screen(struct top *top);
