/* SPDX-License-Identifier: MIT */
/*
 * Cleans foreign text for terminals and documents.
 *
 * What lives here: the one UTF-8 decoder, and the one list of characters that foreign text may not hold: control
 * characters, line and paragraph separators, and the controls that turn the direction of writing.  What does not: the
 * width of text on a terminal, which depends on the locale (ctl/output/text.h).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the UTF-8 character at `s`, of which `n` > 0 bytes can be read; 0: the bytes are none (overlong,
 * surrogate, beyond U+10FFFF, cut off).  `ret` may be NULL. */
size_t text_character(const char *s, size_t n, uint32_t *ret);

/* Copies at most `n` bytes of `from`, up to a zero, into `to` of `size` > n: a character that text may not hold, and a
 * byte that is not UTF-8, becomes '?'.  The result is never longer than the input.  Returns the length; empty text
 * becomes "(unnamed)" where it fits. */
size_t text_clean(char *to, size_t size, const char *from, size_t n);

/* The same in place, for all `n` bytes: a zero becomes '?', and empty text stays empty.  text[n] must be writable: the
 * result ends there at the latest. */
size_t text_clean_in_place(char *text, size_t n);
