/* SPDX-License-Identifier: MIT */
/*
 * The status line at the bottom of the terminal: reserving it, writing it, giving it back.  What it says is in
 * run_progress.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "ctl/output/text.h"
#include "ctl/run/progress.h"

enum { ROWS_MIN = 5, COLUMNS_MIN = 20 };

void progress_init(struct progress *progress, int fd) {
        *progress = (struct progress){.fd = fd};
}

/* False while another program owns the terminal: an editor in raw mode, or a shell that put this one into the
 * background. */
static bool is_ours(const struct progress *progress) {
        const char *term = getenv("TERM");
        struct termios settings;

        return term && *term && strcmp(term, "dumb") != 0 && tcgetattr(progress->fd, &settings) == 0 &&
               (settings.c_lflag & ICANON) && tcgetpgrp(progress->fd) == getpgrp();
}

static void put(const struct progress *progress, const char *text) {
        ssize_t n = write(progress->fd, text, strlen(text));

        (void)n; /* a terminal that went away needs no line */
}

/* Makes room for the line: a new one, then scrolling above it only, and the cursor back to where it was.  A '\n' in place of
 * the index (ESC D) would take the cursor to the first column. */
static void begin(struct progress *progress, const struct winsize *size) {
        char text[64];

        snprintf(text, sizeof(text), "\033D\0337\033[1;%dr\0338\033[A", size->ws_row - 1);
        put(progress, text);
        progress->shown = true;
        progress->taken = false;
        progress->rows = size->ws_row;
        progress->columns = size->ws_col;
}

void progress_show(struct progress *progress, const char *text) {
        struct winsize size;
        char fitted[1024] = "", line[1200];

        if (!is_ours(progress)) {
                progress->taken = true;
                return;
        }
        if (ioctl(progress->fd, TIOCGWINSZ, &size) < 0)
                return;
        if (progress->shown && size.ws_row != progress->rows)
                progress_end(progress);
        if (size.ws_row < ROWS_MIN || size.ws_col < COLUMNS_MIN)
                return;
        if (!progress->shown || progress->taken)
                begin(progress, &size);
        text_fit(fitted, sizeof(fitted), text, size.ws_col - 1u, false);
        snprintf(line, sizeof(line), "\0337\033[%d;1H\033[K%s\0338", size.ws_row, fitted);
        put(progress, line);
}

void progress_end(struct progress *progress) {
        char text[64];

        if (!progress->shown)
                return;
        snprintf(text, sizeof(text), "\0337\033[r\033[%d;1H\033[K\0338", progress->rows);
        put(progress, text);
        progress->shown = false;
}
