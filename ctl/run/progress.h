/* SPDX-License-Identifier: MIT */
/*
 * A line at the bottom of the terminal that says how far `run` is, while the command has the rest.
 *
 * The terminal scrolls above the line only, so that what the command prints and what stands there do not meet.  It shows
 * after a second, and not at all where there is no terminal of the right kind, or a program has taken it over.
 */
#pragma once

#include <stdbool.h>

struct progress {
        int fd;
        bool shown;
        unsigned short rows, columns;
};

/* `fd`: the terminal, borrowed. */
void progress_init(struct progress *progress, int fd);
void progress_show(struct progress *progress, const char *text);
/* Takes the line away. */
void progress_end(struct progress *progress);
