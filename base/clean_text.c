/* SPDX-License-Identifier: MIT */
/* See clean_text.h. */
#include "base/clean_text.h"

#include <string.h>

size_t text_character(const char *text, size_t n, uint32_t *ret) {
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        const unsigned char *s = (const unsigned char *)text;
        size_t length = s[0] < 0x80 ? 1 : s[0] >= 0xf0 && s[0] < 0xf8 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0xc0 ? 2 : 0;
        uint32_t c;

        if (!length || length > n || s[0] >= 0xf8)
                return 0;
        c = length == 1 ? s[0] : s[0] & (0xffu >> (length + 1));
        for (size_t i = 1; i < length; i++) {
                if ((s[i] & 0xc0) != 0x80)
                        return 0;
                c = c << 6 | (s[i] & 0x3f);
        }
        if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
                return 0;
        if (ret)
                *ret = c;
        return length;
}

/* C0, C1, line and paragraph separators, and Unicode's Bidi_Control. */
static bool is_harmful(uint32_t c) {
        return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) ||
               c == 0x2028 || c == 0x2029 || c == 0x200e || c == 0x200f || c == 0x061c;
}

/* `to` may be `from`: a character is written no later than it was read. */
static size_t clean(char *to, const char *from, size_t n) {
        size_t at = 0;

        for (size_t i = 0; i < n;) {
                uint32_t c = 0;
                size_t length = text_character(from + i, n - i, &c);

                if (!length || is_harmful(c)) {
                        to[at++] = '?';
                        i += length ? length : 1;
                } else {
                        memmove(to + at, from + i, length);
                        at += length;
                        i += length;
                }
        }
        to[at] = 0;
        return at;
}

size_t text_clean(char *to, size_t size, const char *from, size_t n) {
        static const char unnamed[] = "(unnamed)";

        n = strnlen(from, n);
        if (!n && size >= sizeof unnamed) {
                memcpy(to, unnamed, sizeof unnamed);
                return sizeof unnamed - 1;
        }
        return clean(to, from, n);
}

size_t text_clean_in_place(char *text, size_t n) {
        return clean(text, text, n);
}
