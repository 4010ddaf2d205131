/* SPDX-License-Identifier: MIT */
/*
 * Help: the texts of `help`, `help VERB` and `VERB --help`.  The tables that they are made from are in ctl/options.
 */
#include <string.h>

#include "ctl/options/options_table.h"
#include "ctl/output/text.h"
#include "ctl/session/help.h"
#include "daemon/wire/columns.h"

enum { HELP_COLUMN = 33 };

/* A word and what it means, side by side. */
static void print_entry(FILE *stream, const char *word, const char *help, size_t width) {
        size_t used = 2 + text_width(word);

        fprintf(stream, "  %s%*s", word, used < HELP_COLUMN ? (int)(HELP_COLUMN - used) : 1, "");
        text_print_wrapped(stream, help, HELP_COLUMN, width);
}

static void print_option(FILE *stream, const struct option_entry *entry, size_t width) {
        char text[80];
        int n = 0;

        if (entry->letter)
                n = snprintf(text, sizeof(text), "-%c, ", entry->letter);
        else
                n = snprintf(text, sizeof(text), "    ");
        n += snprintf(text + n, sizeof(text) - (size_t)n, "--%s", entry->name);
        if (entry->argument)
                snprintf(text + n, sizeof(text) - (size_t)n, entry->argument_optional ? "[=%s]" : "=%s",
                         entry->argument);
        print_entry(stream, text, entry->help, width);
}

/* A letter that means the same for every verb is global; the rest is shown with its verb. */
static void print_options(FILE *stream, bool global, unsigned verb_mask, size_t width) {
        for (size_t i = 0; i < options_table_size; i++) {
                const struct option_entry *entry = &options_table[i];

                if ((entry->verbs == OPTION_GLOBAL) == global && (entry->verbs & verb_mask))
                        print_option(stream, entry, width);
        }
}

void help_print(FILE *stream, size_t width) {
        fputs("spanallocctl [OPTION…] [VERB]\n\n"
              "Shows which unit of work, in which process, allocates heap.\n\n"
              "Verbs:\n",
              stream);
        for (int i = 0; i < VERB_COUNT; i++) {
                char text[64];

                snprintf(text, sizeof(text), "%s%s%s", verbs[i].name, *verbs[i].arguments ? " " : "",
                         i == VERB_RUN ? "-- COMMAND…" : verbs[i].arguments);
                print_entry(stream, text, verbs[i].help, width);
        }
        fputs("\nOptions, before or after the verb:\n", stream);
        print_options(stream, true, OPTION_GLOBAL, width);
        fputs("\n`spanallocctl help VERB` shows the options and columns of a verb.\n"
              "Exit status: 0, 1 failure, 2 usage, 3 collector unreachable, 4 not found.\n",
              stream);
}

static void print_columns(FILE *stream, const struct wire_columns *columns, size_t width) {
        fprintf(stream, "\n%s:\n", !strcmp(columns->table, "status") ? "Fields" : "Columns");
        for (size_t i = 0; i < columns->count; i++)
                print_entry(stream, columns->columns[i].name, columns->columns[i].help, width);
}

void help_print_verb(FILE *stream, enum verb_id verb, size_t width) {
        const struct verb *v = &verbs[verb];
        unsigned mask = 1u << verb, any = 0;

        fprintf(stream, "spanallocctl %s [OPTION…]%s%s\n\n%s.\n", v->name, *v->arguments ? " " : "", v->arguments,
                v->help);
        for (size_t i = 0; i < options_table_size; i++)
                any |= options_table[i].verbs != OPTION_GLOBAL && options_table[i].verbs & mask;
        if (any) {
                fputs("\nOptions:\n", stream);
                print_options(stream, false, mask, width);
        }
        fputs("\nOptions of all verbs:\n", stream);
        print_options(stream, true, mask, width);
        if (v->columns)
                print_columns(stream, wire_columns(v->columns), width);
}
