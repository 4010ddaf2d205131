/* SPDX-License-Identifier: MIT */
/*
 * Fills the tables into a manual page: from docs/man/PAGE.in to the page.
 *
 * What lives here: how verbs, options, columns, fields, messages and limits look in a page.  What they are, the tables
 * of the programs say, and docs/limits.md; all else stands in the .in files, in mdoc(7).  A line that begins with @:
 *
 *     @about KIND NAME … @end    text for the entry NAME: a verb, an option of spanallocctl, or a daemon's option
 *     @verbs                     all verbs, each with its arguments, its line of help, its text, the options it takes
 *     @options                   all options of spanallocctl, each with its text
 *     @keys                      the keys of `spanallocctl top`
 *     @daemon                    all options of spanallocd, each with its text
 *     @columns TABLE             all columns of a table of daemon/wire/columns.h, with what they mean
 *     @types TABLE               the same, with types and units
 *     @messages                  what spanallocd writes into the journal
 *     @limits HEADING            a table of docs/limits.md, by the heading above it
 *
 * An @about for what does not exist is an error, so that no page tells of what is gone.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/options/options.h"
#include "ctl/options/options_table.h"
#include "ctl/pages/top_ui.h"
#include "daemon/host/log.h"
#include "daemon/spanallocd/config.h"
#include "daemon/wire/columns.h"

enum { WIDTH = 60, ABOUTS = 256, LINE = 4096 };

struct about {
        char kind[16], name[64];
        char *text;
        size_t size;
        bool used;
};

static struct about abouts[ABOUTS];
static size_t n_abouts;
static const char *in_path;
static int in_line;

__attribute__((format(printf, 1, 2), noreturn)) static void die(const char *format, ...) {
        va_list args;

        fprintf(stderr, "%s:%d: ", in_path, in_line);
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
        exit(EXIT_FAILURE);
}

/* ------------------------------------------------------------------------------------------------------ text -- */

/* A word as mdoc takes it for itself, whatever is in it. */
static void put_word(const char *word, size_t length) {
        static bool bold; /* code may be several words */

        for (const char *at = word; at < word + length; at++)
                if (*at == '\\')
                        fputs("\\e", stdout);
                else if (*at == '`') /* code, in docs/limits.md */
                        fputs((bold = !bold) ? "\\fB" : "\\fR", stdout);
                else if (!strncmp(at, "…", strlen("…"))) {
                        fputs("...", stdout);
                        at += strlen("…") - 1;
                } else if (*at == '-' && at[1] == '-')
                        fputs("\\-", stdout);
                else if (*at == '-' && at > word && at[-1] == '-')
                        fputs("\\-", stdout);
                else
                        putchar(*at);
}

static bool ends_sentence(const char *word, size_t length) {
        return length && strchr(".?!", word[length - 1]);
}

/* Running text: one sentence to a line, as mdoc wants it, and lines of moderate length. */
static void put_text(const char *text) {
        size_t column = 0;

        while (*text) {
                size_t length = strcspn(text, " ");

                if (column && column + 1 + length > WIDTH) {
                        putchar('\n');
                        column = 0;
                } else if (column)
                        putchar(' ');
                if (!column && length && strchr(".'", *text))
                        fputs("\\&", stdout);
                put_word(text, length);
                column += length + 1;
                if (ends_sentence(text, length)) {
                        putchar('\n');
                        column = 0;
                }
                text += length;
                text += strspn(text, " ");
        }
        if (column)
                putchar('\n');
}

/* A line of help as a sentence.  What begins with a value ("auto (default), poll …") keeps its small letter. */
static void put_sentence(const char *text) {
        size_t length = strlen(text), first = strcspn(text, " ");
        char buf[LINE];

        snprintf(buf, sizeof(buf), "%s%s", text, ends_sentence(text, length) ? "" : ".");
        if (text[first ? first - 1 : 0] != ',' && strncmp(text + first, " (", 2) != 0)
                buf[0] = (char)toupper((unsigned char)buf[0]);
        put_text(buf);
}

/* ---------------------------------------------------------------------------------------------------- abouts -- */

static void put_about(const char *kind, const char *name) {
        for (size_t i = 0; i < n_abouts; i++)
                if (!strcmp(abouts[i].kind, kind) && !strcmp(abouts[i].name, name)) {
                        fwrite(abouts[i].text, 1, abouts[i].size, stdout);
                        abouts[i].used = true;
                }
}

static void read_about(FILE *in, const char *arguments) {
        struct about *about = &abouts[n_abouts];
        char line[LINE];
        FILE *stream;

        if (n_abouts == ABOUTS)
                die("too many @about");
        if (sscanf(arguments, "%15s %63s", about->kind, about->name) != 2)
                die("write \"@about KIND NAME\"");
        stream = open_memstream(&about->text, &about->size);
        if (!stream)
                die("out of memory");
        while (fgets(line, sizeof(line), in) && strcmp(line, "@end\n")) {
                in_line++;
                fputs(line, stream);
        }
        in_line++;
        fclose(stream);
        n_abouts++;
}

/* ----------------------------------------------------------------------------------------------- spanallocctl -- */

static void put_option_head(const struct option_entry *entry) {
        fputs(".It", stdout);
        if (entry->letter) {
                printf(" Fl %c", entry->letter);
                if (entry->argument && !entry->argument_optional) {
                        fputs(" Ar ", stdout);
                        put_word(entry->argument, strlen(entry->argument));
                }
                fputs(" ,", stdout);
        }
        printf(" Fl -%s", entry->name);
        if (entry->argument) {
                fputs(entry->argument_optional ? " Ns Op = Ns Ar " : " Ns = Ns Ar ", stdout);
                put_word(entry->argument, strlen(entry->argument));
        }
        putchar('\n');
}

/* Which verbs take it, where not all do. */
static void put_option_verbs(const struct option_entry *entry) {
        const char *separator = "";

        if (entry->verbs == OPTION_GLOBAL)
                return;
        fputs("With\n.Cm ", stdout);
        for (int i = 0; i < VERB_COUNT; i++)
                if (entry->verbs & 1u << i) {
                        printf("%s%s", separator, verbs[i].name);
                        separator = " , ";
                }
        fputs(" .\n", stdout);
}

static void put_options(bool global) {
        fputs(".Bl -tag -width Ds\n", stdout);
        for (size_t i = 0; i < options_table_size; i++) {
                if ((options_table[i].verbs == OPTION_GLOBAL) != global)
                        continue;
                put_option_head(&options_table[i]);
                put_sentence(options_table[i].help);
                put_about("option", options_table[i].name);
                put_option_verbs(&options_table[i]);
        }
        fputs(".El\n", stdout);
}

/* "-- COMMAND [ARGUMENT…]", as mdoc says it. */
static void put_arguments(const char *text) {
        while (*text) {
                size_t length = strcspn(text, " ");
                bool optional = *text == '[' && text[length - 1] == ']';

                if (length == 2 && !strncmp(text, "--", 2))
                        fputs(" Fl -", stdout);
                else {
                        fputs(optional ? " Op Ar " : " Ar ", stdout);
                        put_word(text + optional, length - 2 * optional);
                }
                text += length;
                text += strspn(text, " ");
        }
}

static void put_verb_options(int verb) {
        const char *separator = "";
        bool any = false;

        for (size_t i = 0; i < options_table_size; i++)
                if (options_table[i].verbs != OPTION_GLOBAL && (options_table[i].verbs & 1u << verb)) {
                        if (!any)
                                fputs("Options:\n.Fl ", stdout);
                        printf("%s-%s", separator, options_table[i].name);
                        separator = " , ";
                        any = true;
                }
        if (any)
                fputs(" .\n", stdout);
}

static void put_verbs(void) {
        fputs(".Bl -tag -width Ds\n", stdout);
        for (int i = 0; i < VERB_COUNT; i++) {
                printf(".It Cm %s", verbs[i].name);
                put_arguments(verbs[i].arguments);
                putchar('\n');
                put_sentence(verbs[i].help);
                put_about("verb", verbs[i].name);
                put_verb_options(i);
        }
        fputs(".El\n", stdout);
}

static void put_keys(void) {
        char line[128];

        fputs(".Bd -literal\n", stdout);
        for (const struct top_help_key *key = top_help_keys; key->keys; key++) {
                snprintf(line, sizeof(line), "%-14s%s", key->keys, key->text);
                put_word(line, strlen(line));
                putchar('\n');
        }
        fputs(".Ed\n", stdout);
}

/* ------------------------------------------------------------------------------------------------ spanallocd -- */

static void put_daemon(void) {
        struct config_option option;

        fputs(".Bl -tag -width Ds\n", stdout);
        for (size_t i = 0; config_option(i, &option); i++) {
                printf(".It Fl -%s", option.name);
                if (option.value)
                        printf(" Ar %s", option.value);
                putchar('\n');
                put_sentence(option.help);
                put_about("daemon", option.name);
        }
        fputs(".El\n", stdout);
}

static void put_messages(void) {
        static const char *const levels[] = {[LOG_LEVEL_ERROR] = "error",
                                             [LOG_LEVEL_WARNING] = "warning",
                                             [LOG_LEVEL_NOTICE] = "notice",
                                             [LOG_LEVEL_INFO] = "info",
                                             [LOG_LEVEL_DEBUG] = "debug"};

        fputs(".Bl -tag -width Ds\n", stdout);
#define X(name, level, id)                                                                                             \
        printf(".It Dv " #name " , %s , " id "\n", levels[LOG_LEVEL_##level]);                                         \
        put_about("message", #name);
        LOG_MESSAGES(X)
#undef X
        fputs(".El\n", stdout);
}

/* --------------------------------------------------------------------------------------------------- columns -- */

static const struct wire_columns *find_columns(const char *table) {
        const struct wire_columns *columns = wire_columns(table);

        if (!columns)
                die("there is no table %s", table);
        return columns;
}

static void put_columns(const char *table) {
        const struct wire_columns *columns = find_columns(table);

        fputs(".Bl -tag -width alloc_bytes_rate_10s_ -compact\n", stdout);
        for (size_t i = 0; i < columns->count; i++) {
                printf(".It Va %s\n", columns->columns[i].name);
                put_text(columns->columns[i].help);
        }
        fputs(".El\n", stdout);
}

static void put_types(const char *table) {
        static const char *const types[] = {[WIRE_COLUMN_UINT] = "unsigned",
                                            [WIRE_COLUMN_INT] = "signed",
                                            [WIRE_COLUMN_TEXT] = "text",
                                            [WIRE_COLUMN_BOOL] = "boolean",
                                            [WIRE_COLUMN_MAP] = "map"};
        static const char *const units[] = {[WIRE_UNIT_NONE] = "",
                                            [WIRE_UNIT_BYTES] = ", bytes",
                                            [WIRE_UNIT_COUNT] = ", a count",
                                            [WIRE_UNIT_RATE] = ", bytes a second",
                                            [WIRE_UNIT_TIME] = ", nanoseconds since the epoch",
                                            [WIRE_UNIT_DURATION] = ", nanoseconds"};
        _Static_assert(sizeof(units) / sizeof(units[0]) == WIRE_UNITS, "a unit has no words");
        const struct wire_columns *columns = find_columns(table);

        fputs(".Bl -tag -width alloc_bytes_rate_10s_ -compact\n", stdout);
        for (size_t i = 0; i < columns->count; i++)
                printf(".It Va %s\n%s%s\n", columns->columns[i].name, types[columns->columns[i].type],
                       units[columns->columns[i].unit]);
        fputs(".El\n", stdout);
}

/* ---------------------------------------------------------------------------------------------------- limits -- */

enum { CELLS = 5 };

/* "| a | b |" into cells, in place; how many. */
static size_t split_row(char *line, char *cells[CELLS]) {
        size_t n = 0;

        for (char *at = strtok(line, "|\n"); at && n < CELLS; at = strtok(NULL, "|\n")) {
                at += strspn(at, " ");
                for (char *end = at + strlen(at); end > at && end[-1] == ' ';)
                        *--end = 0;
                cells[n++] = at;
        }
        return n;
}

static bool says(const char *cell) {
        return *cell && strcmp(cell, "-") != 0;
}

/* Limit, default, option, what is beyond, where it is seen; of the last three there may be none. */
static void put_limit(char *cells[CELLS], size_t n) {
        char text[LINE];
        int used = 0;

        fputs(".It ", stdout);
        put_word(cells[0], strlen(cells[0]));
        putchar('\n');
        if (says(cells[1]))
                put_sentence(cells[1]);
        if (n < CELLS)
                return;
        if (says(cells[2]))
                used += snprintf(text + used, sizeof(text) - (size_t)used, "Set by: %s. ", cells[2]);
        if (says(cells[3]))
                used += snprintf(text + used, sizeof(text) - (size_t)used, "Beyond it: %s. ", cells[3]);
        if (says(cells[4]))
                used += snprintf(text + used, sizeof(text) - (size_t)used, "Seen: %s.", cells[4]);
        put_text(text);
}

static void put_limits(const char *limits_path, const char *heading) {
        FILE *file = fopen(limits_path, "re");
        char line[LINE], *cells[CELLS];
        bool here = false;
        size_t rows = 0, n;

        if (!file)
                die("%s: %s", limits_path, strerror(errno));
        fputs(".Bl -tag -width Ds\n", stdout);
        while (fgets(line, sizeof(line), file)) {
                if (!strncmp(line, "## ", 3)) {
                        line[strcspn(line, "\n")] = 0;
                        here = !strcmp(line + 3, heading);
                }
                if (!here || *line != '|')
                        continue;
                rows++;
                n = split_row(line, cells);
                if (rows > 2 && n == CELLS) /* below the heads and their rule */
                        put_limit(cells, n);
        }
        fputs(".El\n", stdout);
        fclose(file);
        if (rows < 3)
                die("%s has no table below \"## %s\"", limits_path, heading);
}

/* ------------------------------------------------------------------------------------------------------ page -- */

static void directive(FILE *in, const char *limits_path, char *line) {
        char *arguments = line + strcspn(line, " ");

        if (*arguments)
                *arguments++ = 0;
        if (!strcmp(line, "@about"))
                read_about(in, arguments);
        else if (!strcmp(line, "@verbs"))
                put_verbs();
        else if (!strcmp(line, "@options"))
                put_options(!strcmp(arguments, "all"));
        else if (!strcmp(line, "@keys"))
                put_keys();
        else if (!strcmp(line, "@daemon"))
                put_daemon();
        else if (!strcmp(line, "@columns"))
                put_columns(arguments);
        else if (!strcmp(line, "@types"))
                put_types(arguments);
        else if (!strcmp(line, "@messages"))
                put_messages();
        else if (!strcmp(line, "@limits"))
                put_limits(limits_path, arguments);
        else
                die("there is no directive %s", line);
}

int main(int argc, char **argv) {
        char line[LINE];
        FILE *in;

        if (argc != 4) {
                fputs("usage: manual PAGE.in LIMITS.md PAGE\n", stderr);
                return 2;
        }
        in_path = argv[1];
        in = fopen(in_path, "re");
        if (!in || !freopen(argv[3], "we", stdout))
                die("%s: %s", in ? argv[3] : in_path, strerror(errno));
        while (fgets(line, sizeof(line), in)) {
                in_line++;
                if (!strcmp(line, ".Os\n")) {
                        puts(".Os spanalloc " SPANALLOC_VERSION); /* at the foot of the page */
                        continue;
                }
                if (*line != '@') {
                        fputs(line, stdout);
                        continue;
                }
                line[strcspn(line, "\n")] = 0;
                directive(in, argv[2], line);
        }
        for (size_t i = 0; i < n_abouts; i++)
                if (!abouts[i].used)
                        die("there is no %s \"%s\" to tell about, or its list comes before this", abouts[i].kind,
                            abouts[i].name);
        fclose(in);
        if (fclose(stdout) == EOF)
                die("%s: %s", argv[3], strerror(errno));
        return EXIT_SUCCESS;
}
