/* SPDX-License-Identifier: MIT */
/*
 * What the terminal can do.  By itself, because term.h defines names as common as `columns`.
 */
#pragma once

#include <stdbool.h>

/* Whether the terminal of $TERM is known and can move its cursor; curses would end the program over one that is not. */
bool terminal_can_draw(void);
