/* SPDX-License-Identifier: MIT */
/*
 * Whether the terminal of $TERM can move its cursor, and what stands in for a type that terminfo lacks.  Drawing is in
 * top_screen.c.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curses.h>
#include <term.h>

#include "ctl/top/top_terminal.h"

/* Entries of terminfo with the capability gn, which say only how a session came about. */
static bool is_generic(const char *term) {
        static const char *const generic[] = {"unknown",  "network", "dialup",    "switch", "arpanet",
                                              "ethernet", "patch",   "plugboard", "su",     "bussplexer"};

        for (size_t i = 0; i < sizeof(generic) / sizeof(generic[0]); i++)
                if (!strcmp(term, generic[i]))
                        return true;
        return false;
}

/* NULL: $TERM. */
static enum terminal_kind look_up(char *name) {
        char cup[] = "cup"; /* not const in every curses */
        const char *move;
        int error;

        /* 1: it is known, and is no screen.  0 is also said of a generic type, which is known, and no terminal. */
        if (setupterm(name, STDOUT_FILENO, &error) != OK)
                return error == 1 || is_generic(name ? name : getenv("TERM")) ? TERMINAL_PLAIN : TERMINAL_UNKNOWN;
        move = tigetstr(cup);
        del_curterm(cur_term);
        return move && move != (char *)-1 ? TERMINAL_DRAWS : TERMINAL_PLAIN;
}

/* Terminals that bring a terminfo entry of their own, which a remote machine or a container does not have; NULL: none of
 * them. */
static const char *stand_in_for(const char *term) {
        static const char *const like_xterm[] = {"xterm", "alacritty", "contour", "foot",   "ghostty",
                                                 "gnome", "kitty",     "konsole", "mintty", "putty",
                                                 "rio",   "st-",       "vte",     "wezterm"};

        for (size_t i = 0; i < sizeof(like_xterm) / sizeof(like_xterm[0]); i++)
                if (!strncmp(term, like_xterm[i], strlen(like_xterm[i])))
                        return "xterm-256color";
        return !strncmp(term, "tmux", 4) ? "screen-256color" : NULL;
}

enum terminal_kind terminal_choose(void) {
        const char *term = getenv("TERM"), *other;
        enum terminal_kind kind;
        char name[32];

        if (!term || !*term)
                return TERMINAL_PLAIN;
        kind = look_up(NULL);
        other = kind == TERMINAL_UNKNOWN ? stand_in_for(term) : NULL;
        if (!other)
                return kind;
        strcpy(name, other);
        if (look_up(name) != TERMINAL_DRAWS || setenv("TERM", name, 1) < 0)
                return TERMINAL_UNKNOWN;
        return TERMINAL_DRAWS;
}
