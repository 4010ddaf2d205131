/* SPDX-License-Identifier: MIT */
/*
 * Decides whether output has colours.  The caller chooses the colour of each part.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl/output/color.h"

bool color_wanted(enum color_mode mode, int fd) {
        const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

        if (mode != COLOR_AUTO)
                return mode == COLOR_ALWAYS;
        return (!none || !*none) && term && *term && strcmp(term, "dumb") != 0 && isatty(fd);
}
