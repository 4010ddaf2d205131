/* SPDX-License-Identifier: MIT */
/*
 * Text on a grid of character cells: its width, and cutting or padding it.
 *
 * A width is in terminal columns of the locale, so names of any script stay aligned.  A character that the locale
 * cannot print becomes '?'.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

size_t text_width(const char *text);

/* Appends `text` to `buf` (terminated, of `size` bytes), cut or filled with blanks to exactly `width` columns; a cut is
 * marked at its end.  When `size` does not suffice, less is appended. */
void text_fit(char *buf, size_t size, const char *text, size_t width, bool right);

/* A word as a shell takes it: quoted where it needs to be.  Cut where `size` does not suffice.  Returns `buf`. */
enum { TEXT_QUOTED_MAX = 4 * 256 };
char *text_quote(char *buf, size_t size, const char *text);

/* Prints `text`, which begins at column `indent` already, and ends the line; where it would be wider than `width` it goes
 * on in the next one at `indent`, at a blank.  Width 0: on one line. */
void text_print_wrapped(FILE *stream, const char *text, size_t indent, size_t width);
/* The same of a text that is made by `format`; without memory for it nothing is printed. */
void text_vprint_wrapped(FILE *stream, size_t indent, size_t width, const char *format, va_list args);
