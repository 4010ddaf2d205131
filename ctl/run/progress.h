/* SPDX-License-Identifier: MIT */
/*
 * A line at the bottom of the terminal with the progress of `run`; the command uses the rest.
 *
 * The terminal scrolls above the line only, so the command's output does not overwrite it.  The line appears after a
 * second, and never on a terminal that cannot show it or that another program has taken over.
 */
#pragma once

#include <stdbool.h>

struct progress {
        int fd;
        bool shown;
        bool taken; /* another program owned the terminal since the line was shown, and may have changed the region */
        unsigned short rows, columns;
};

/* `fd`: the terminal, borrowed. */
void progress_init(struct progress *progress, int fd);
void progress_show(struct progress *progress, const char *text);
/* Removes the line. */
void progress_end(struct progress *progress);
