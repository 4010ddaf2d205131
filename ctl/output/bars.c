/* SPDX-License-Identifier: MIT */
/*
 * Levels and bars of characters.  Colours and places on a page are the caller's.
 */
#include <langinfo.h>
#include <string.h>

#include "ctl/output/bars.h"

bool bars_utf8(void) {
        return !strcmp(nl_langinfo(CODESET), "UTF-8");
}

/* Which of `n` steps: the first for nothing, the second for next to nothing. */
static size_t step(double share, size_t n) {
        size_t at = share > 0 ? 1 + (size_t)(share * (double)(n - 1) - 0.001) : 0;

        return at < n ? at : n - 1;
}

const char *bars_level(double share) {
        static const char *const blocks[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
        static const char *const plain[] = {"_", ".", ":", "-", "=", "+", "*", "#"};

        return (bars_utf8() ? blocks : plain)[step(share, 8)];
}

char *bars_fill(char buf[BARS_MAX], double share, size_t width) {
        static const char *const parts[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
        const char *full = bars_utf8() ? "█" : "#";
        size_t eighths, used = 0, size = strlen(full);

        if (width > BARS_MAX / 4 - 1)
                width = BARS_MAX / 4 - 1;
        if (share > 1)
                share = 1;
        eighths = share > 0 ? (size_t)(share * (double)width * 8 + 0.5) : 0;
        if (share > 0 && !eighths)
                eighths = 1;
        if (!bars_utf8())
                eighths = (eighths + 7) / 8 * 8;
        for (size_t i = 0; i < eighths / 8; i++, used += size)
                memcpy(buf + used, full, size);
        strcpy(buf + used, parts[eighths % 8]);
        return buf;
}
