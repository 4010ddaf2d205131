/* SPDX-License-Identifier: MIT */
/*
 * Width, cutting and wrapping of text in character cells.  Numbers become text in format.c.
 */
#include <langinfo.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "ctl/output/text.h"

/* One character: its bytes and its columns.  0 at the end. */
static size_t next(const char *text, mbstate_t *state, size_t *ret_columns, bool *ret_printable) {
        wchar_t c;
        size_t n = mbrtowc(&c, text, strnlen(text, MB_LEN_MAX - 1) + 1, state);
        int columns;

        if (n == 0)
                return 0;
        if (n == (size_t)-1 || n == (size_t)-2) {
                *state = (mbstate_t){0};
                *ret_columns = 1;
                *ret_printable = false;
                return 1;
        }
        columns = wcwidth(c);
        *ret_columns = columns < 0 ? 1 : (size_t)columns;
        *ret_printable = columns >= 0;
        return n;
}

size_t text_width(const char *text) {
        mbstate_t state = {0};
        size_t width = 0, columns, n;
        bool printable;

        for (; (n = next(text, &state, &columns, &printable)); text += n)
                width += columns;
        return width;
}

static const char *cut_mark(void) {
        return strcmp(nl_langinfo(CODESET), "UTF-8") ? "+" : "…";
}

struct line {
        char *buf;
        size_t size, used;
};

static bool append(struct line *line, const char *bytes, size_t n) {
        if (line->used + n >= line->size)
                return false;
        memcpy(line->buf + line->used, bytes, n);
        line->used += n;
        line->buf[line->used] = '\0';
        return true;
}

static void append_blanks(struct line *line, size_t n) {
        while (n-- && append(line, " ", 1))
                ;
}

/* As many characters as fit into `room` columns.  Returns the columns used. */
static size_t append_within(struct line *line, const char *text, size_t room) {
        mbstate_t state = {0};
        size_t width = 0, columns, n;
        bool printable;

        for (; (n = next(text, &state, &columns, &printable)); text += n) {
                if (width + columns > room || !append(line, printable ? text : "?", printable ? n : 1))
                        break;
                width += columns;
        }
        return width;
}

void text_fit(char *buf, size_t size, const char *text, size_t width, bool right) {
        struct line line = {buf, size, strlen(buf)};
        size_t whole = text_width(text), used;

        if (whole <= width) {
                if (right)
                        append_blanks(&line, width - whole);
                append_within(&line, text, width);
                if (!right)
                        append_blanks(&line, width - whole);
                return;
        }
        if (!width)
                return;
        used = append_within(&line, text, width - 1);
        append(&line, cut_mark(), strlen(cut_mark()));
        append_blanks(&line, width - 1 - used);
}

char *text_quote(char *buf, size_t size, const char *text) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,+=@%";
        struct line line = {buf, size, 0};
        bool is_plain = *text && strspn(text, plain) == strlen(text);

        *buf = '\0';
        if (!is_plain)
                append(&line, "'", 1);
        for (; *text; text++)
                if (*text == '\'' ? !append(&line, "'\\''", 4) : !append(&line, text, 1))
                        break;
        if (!is_plain)
                append(&line, "'", 1);
        return buf;
}

void text_print_wrapped(FILE *stream, const char *text, size_t indent, size_t width) {
        size_t x = indent, n;

        for (text += strspn(text, " "); *text; text += n + strspn(text + n, " ")) {
                char word[512];
                size_t columns;

                n = strcspn(text, " ");
                snprintf(word, sizeof(word), "%.*s", (int)n, text);
                columns = text_width(word);
                if (x > indent && width && x + 1 + columns > width) {
                        fprintf(stream, "\n%*s", (int)indent, "");
                        x = indent;
                } else if (x > indent) {
                        fputc(' ', stream);
                        x++;
                }
                fprintf(stream, "%.*s", (int)n, text);
                x += columns;
        }
        fputc('\n', stream);
}

void text_vprint_wrapped(FILE *stream, size_t indent, size_t width, const char *format, va_list args) {
        char *text = NULL;

        if (vasprintf(&text, format, args) < 0)
                return;
        text_print_wrapped(stream, text, indent, width);
        free(text);
}
