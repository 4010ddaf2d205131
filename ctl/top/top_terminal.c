/* SPDX-License-Identifier: MIT */
/*
 * Whether the terminal of $TERM can move its cursor.  Drawing is in top_screen.c.
 */
#include <unistd.h>

#include <curses.h>
#include <term.h>

#include "ctl/top/top_terminal.h"

bool terminal_can_draw(void) {
        char name[] = "cup"; /* not const in every curses */
        const char *move;
        int error;
        bool can;

        if (setupterm(NULL, STDOUT_FILENO, &error) != OK)
                return false;
        move = tigetstr(name);
        can = move && move != (char *)-1;
        del_curterm(cur_term);
        return can;
}
