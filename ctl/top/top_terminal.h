/* SPDX-License-Identifier: MIT */
/*
 * The terminal's abilities.  A file of its own, because term.h defines names as common as `columns`.
 */
#pragma once

#include <stdbool.h>

/* True if terminfo has the terminal of $TERM and its cursor can move; on any other, curses would end the program. */
bool terminal_can_draw(void);
