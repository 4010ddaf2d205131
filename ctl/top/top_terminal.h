/* SPDX-License-Identifier: MIT */
/*
 * The terminal's abilities.  A file of its own, because term.h defines names as common as `columns`.
 */
#pragma once

enum terminal_kind {
        TERMINAL_DRAWS,   /* Its cursor can move: curses works. */
        TERMINAL_PLAIN,   /* It prints lines. */
        TERMINAL_UNKNOWN, /* Terminfo lacks it; curses would end the program. */
};

/* What the terminal of $TERM is.  Changes $TERM to a type that stands in for it, if terminfo lacks it and it is one of those
 * known to be alike. */
enum terminal_kind terminal_choose(void);
