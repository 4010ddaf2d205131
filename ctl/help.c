/*
 * Help, made from the tables of options.c.
 */
#include <string.h>

#include "ctl/options.h"
#include "ctl/options_table.h"
#include "daemon/wire/columns.h"

enum { HELP_COLUMN = 30 };

static void print_option(FILE *stream, const struct option_entry *entry) {
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
        fprintf(stream, "  %-*s %s\n", HELP_COLUMN, text, entry->help);
}

/* A letter that means the same for every verb is global; the rest is shown with its verb. */
static void print_options(FILE *stream, bool global, unsigned verb_mask) {
        for (size_t i = 0; i < options_table_size; i++) {
                const struct option_entry *entry = &options_table[i];

                if ((entry->verbs == OPTION_GLOBAL) == global && (entry->verbs & verb_mask))
                        print_option(stream, entry);
        }
}

void options_print_help(FILE *stream) {
        fputs("spanallocctl [OPTION…] [VERB]\n\n"
              "Which unit of work, in which process, allocates heap: what the collector knows.\n\n"
              "Verbs:\n",
              stream);
        for (int i = 0; i < VERB_COUNT; i++) {
                char text[64];

                snprintf(text, sizeof(text), "%s%s%s", verbs[i].name, *verbs[i].arguments ? " " : "",
                         i == VERB_RUN ? "-- COMMAND…" : verbs[i].arguments);
                /* The ellipsis is three bytes and one column. */
                fprintf(stream, "  %-*s %s\n", HELP_COLUMN + (i == VERB_RUN ? 2 : 0), text, verbs[i].help);
        }
        fputs("\nOptions, before or after the verb:\n", stream);
        print_options(stream, true, OPTION_GLOBAL);
        fputs("\n\"spanallocctl help VERB\" shows the options and columns of a verb.\n"
              "Exit status: 0, 1 failure, 2 usage, 3 collector unreachable, 4 not found.\n",
              stream);
}

static void print_columns(FILE *stream, const struct wire_columns *columns) {
        fprintf(stream, "\n%s:\n", !strcmp(columns->table, "status") ? "Fields" : "Columns");
        for (size_t i = 0; i < columns->count; i++)
                fprintf(stream, "  %-*s %s\n", HELP_COLUMN, columns->columns[i].name, columns->columns[i].help);
}

void options_print_verb_help(FILE *stream, enum verb_id verb) {
        const struct verb *v = &verbs[verb];
        unsigned mask = 1u << verb, any = 0;

        fprintf(stream, "spanallocctl %s [OPTION…]%s%s\n\n%s.\n", v->name, *v->arguments ? " " : "", v->arguments,
                v->help);
        for (size_t i = 0; i < options_table_size; i++)
                any |= options_table[i].verbs != OPTION_GLOBAL && options_table[i].verbs & mask;
        if (any) {
                fputs("\nOptions:\n", stream);
                print_options(stream, false, mask);
        }
        fputs("\nOptions of all verbs:\n", stream);
        print_options(stream, true, mask);
        if (v->columns)
                print_columns(stream, wire_columns(v->columns));
}
