/* SPDX-License-Identifier: MIT */
/*
 * The parser: from argv to struct options, and the sentence that refuses a word.  The tables of verbs and options are
 * in options_table.c, what a verb does is in ctl/verbs.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/nanoseconds.h"
#include "ctl/options/duration.h"
#include "ctl/options/options.h"
#include "ctl/options/options_table.h"
#include "ctl/options/suggest.h"
#include "daemon/wire/columns.h"

/* getopt_long's values for options: above any letter. */
enum { VALUE_BASE = 256 };

struct parser {
        struct options *options;
        char *error;
        size_t error_size;
        uint64_t given; /* by option */
        const char *columns;
        struct option longs[OPTIONS_N + 1];
        char shorts[3 * OPTIONS_N + 3];
};

__attribute__((format(printf, 2, 3))) static int wrong(struct parser *parser, const char *format, ...) {
        va_list args;

        va_start(args, format);
        vsnprintf(parser->error, parser->error_size, format, args);
        va_end(args);
        return -EINVAL;
}

static void parser_fill(struct parser *parser) {
        char *s = parser->shorts;

        /* '+': stop at what is no option; the verb decides what follows.  ':': tell a missing argument apart. */
        *s++ = '+';
        *s++ = ':';
        for (int i = 0; i < OPTIONS_N; i++) {
                int has_argument = options_table[i].argument_optional ? optional_argument : required_argument;

                if (!options_table[i].argument)
                        has_argument = no_argument;
                parser->longs[i] = (struct option){options_table[i].name, has_argument, NULL, VALUE_BASE + i};
                if (!options_table[i].letter)
                        continue;
                *s++ = options_table[i].letter;
                if (options_table[i].argument)
                        *s++ = ':';
        }
}

int options_find_verb(const char *name) {
        for (int i = 0; i < VERB_COUNT; i++)
                if (!strcmp(verbs[i].name, name))
                        return i;
        return -ENOENT;
}

static int parse_verb(struct parser *parser, const char *name) {
        struct suggest suggest = SUGGEST_INIT(name);
        int verb = options_find_verb(name);

        if (verb >= 0) {
                parser->options->verb = (enum verb_id)verb;
                parser->options->verb_given = true;
                return 0;
        }
        for (int i = 0; i < VERB_COUNT; i++)
                suggest_offer(&suggest, verbs[i].name);
        if (suggest.best)
                return wrong(parser, "there is no verb \"%s\"; did you mean \"%s\"?", name, suggest.best);
        return wrong(parser, "there is no verb \"%s\"; `spanallocctl help` lists them", name);
}

static int parse_number(struct parser *parser, int id, const char *text, uint64_t min, uint64_t *ret) {
        uint64_t value;
        char *end;

        errno = 0;
        value = strtoull(text, &end, 10);
        if (errno || *end || *text < '0' || *text > '9' || value < min)
                return wrong(parser, "--%s must be a whole number%s, not \"%s\"", options_table[id].name,
                             min ? " from 1" : "", text);
        *ret = value;
        return 0;
}

static int parse_time(struct parser *parser, int id, const char *text, uint64_t *ret_ns) {
        uint64_t ns;

        if (duration_parse(text, &ns) < 0 || !ns)
                return wrong(parser, "--%s must be a time such as 30s or 5m, not \"%s\"", options_table[id].name, text);
        *ret_ns = ns;
        return 0;
}

/* The collector sets a mark each minute, and keeps ten of them. */
static int parse_since(struct parser *parser, const char *text) {
        uint64_t ns = 0;
        int r = parse_time(parser, OPTION_SINCE, text, &ns);

        if (r == 0 && ns > 10 * 60 * NS_PER_S)
                return wrong(parser, "--since is at most 10m, not \"%s\"; the collector keeps no more", text);
        if (r == 0)
                parser->options->since_ns = ns;
        return r;
}

/* What the collector's option of this name takes. */
static int parse_ring(struct parser *parser, const char *text) {
        uint64_t kib = 0;
        int r = parse_number(parser, OPTION_RING_KIB, text, 1, &kib);

        if (r == 0 && (kib < 16 || kib > 65536))
                return wrong(parser, "--ring-kib must be from 16 to 65536, not \"%s\"", text);
        if (r == 0)
                parser->options->ring_kib = kib;
        return r;
}

static int parse_json(struct parser *parser, const char *text) {
        static const char *const modes[] = {[JSON_OFF] = "off", [JSON_SHORT] = "short", [JSON_PRETTY] = "pretty"};

        if (!text)
                text = modes[JSON_SHORT];
        for (int i = 0; i < 3; i++)
                if (!strcmp(modes[i], text)) {
                        parser->options->json = (enum json_mode)i;
                        return 0;
                }
        return wrong(parser, "--json must be off, short or pretty, not \"%s\"", text);
}

static int parse_percent(struct parser *parser, const char *text) {
        char *end;
        double percent = strtod(text, &end);

        if (end == text || *end || strspn(text, "0123456789.") != strlen(text) || !(percent <= 100))
                return wrong(parser, "--min-percent must be a number from 0 to 100, not \"%s\"", text);
        parser->options->min_ppm = (uint64_t)(percent * 10000 + 0.5);
        return 0;
}

static int parse_color(struct parser *parser, const char *text) {
        static const char *const modes[] = {[COLOR_AUTO] = "auto", [COLOR_ALWAYS] = "always", [COLOR_NEVER] = "never"};

        for (int i = 0; i < 3; i++)
                if (!strcmp(modes[i], text)) {
                        parser->options->color = (enum color_mode)i;
                        return 0;
                }
        return wrong(parser, "--color must be auto, always or never, not \"%s\"", text);
}

static int parse_option(struct parser *parser, int id, const char *text) {
        struct options *o = parser->options;

        parser->given |= UINT64_C(1) << id;
        switch (id) {
        case OPTION_SYSTEM:
                o->system = true;
                o->user = false;
                return 0;
        case OPTION_USER:
                o->user = true;
                o->system = false;
                return 0;
        case OPTION_SOCKET:
                o->socket = text;
                return *text ? 0 : wrong(parser, "--socket needs the path of a query.sock");
        case OPTION_JSON:
                return parse_json(parser, text);
        case OPTION_NO_PAGER:
                o->no_pager = true;
                return 0;
        case OPTION_NO_LEGEND:
                o->no_legend = true;
                return 0;
        case OPTION_FULL:
                o->full = true;
                return 0;
        case OPTION_RAW:
                o->raw = true;
                return 0;
        case OPTION_COLOR:
                return parse_color(parser, text);
        case OPTION_HELP:
                o->help = true;
                return 0;
        case OPTION_PID:
                return parse_number(parser, id, text, 1, &o->pid);
        case OPTION_UNIT:
                o->unit = text;
                return 0;
        case OPTION_FILTER:
                o->filter = text;
                return 0;
        case OPTION_SINCE:
                return parse_since(parser, text);
        case OPTION_MIN_PERCENT:
                return parse_percent(parser, text);
        case OPTION_SORT:
                o->sort = text;
                return 0;
        case OPTION_LIMIT:
                return parse_number(parser, id, text, 0, &o->limit);
        case OPTION_COLUMNS:
                parser->columns = text;
                return 0;
        case OPTION_ONCE:
                o->count = 1;
                o->batch = true;
                return 0;
        case OPTION_BATCH:
                o->batch = true;
                return 0;
        case OPTION_COUNT:
                o->batch = true;
                return parse_number(parser, id, text, 1, &o->count);
        case OPTION_DELAY:
                o->batch = true;
                return parse_time(parser, id, text, &o->delay_ns);
        case OPTION_OUTPUT:
                o->output = text;
                return 0;
        case OPTION_PRELOAD:
                o->preload = text;
                return 0;
        case OPTION_ON_FULL:
                o->on_full = text;
                if (strcmp(text, "refuse") && strcmp(text, "wait"))
                        return wrong(parser, "--on-full must be refuse or wait, not \"%s\"", text);
                return 0;
        case OPTION_RING_KIB:
                return parse_ring(parser, text);
        case OPTION_BY:
                o->by_name = !strcmp(text, "name");
                if (!o->by_name && strcmp(text, "process"))
                        return wrong(parser, "--by must be process or name, not \"%s\"", text);
                return 0;
        case OPTION_ALIVE:
                o->alive = true;
                return 0;
        case OPTION_NOW:
                o->now = true;
                return 0;
        case OPTION_LINGER:
                if (!strcmp(text, "0")) {
                        o->linger_ns = 0;
                        return 0;
                }
                return parse_time(parser, id, text, &o->linger_ns);
        default:
                return 0;
        }
}

static int parse_getopt(struct parser *parser, int value, char *word) {
        struct suggest suggest = SUGGEST_INIT(word);

        if (value >= VALUE_BASE)
                return parse_option(parser, value - VALUE_BASE, optarg);
        for (int i = 0; i < OPTIONS_N; i++)
                if (value != '?' && value != ':' && options_table[i].letter == value)
                        return parse_option(parser, i, optarg);
        if (value == ':')
                return wrong(parser, "%s needs an argument; see `spanallocctl help`", word);
        if (optopt >= VALUE_BASE)
                return wrong(parser, "--%s takes no argument", options_table[optopt - VALUE_BASE].name);
        if (optopt)
                return wrong(parser, "there is no option -%c; see `spanallocctl help`", optopt);
        suggest.word = word + strspn(word, "-");
        for (int i = 0; i < OPTIONS_N; i++)
                suggest_offer(&suggest, options_table[i].name);
        if (suggest.best)
                return wrong(parser, "there is no option %s; did you mean --%s?", word, suggest.best);
        return wrong(parser, "there is no option %s; see `spanallocctl help`", word);
}

/* top sorts by the columns of spans, of which its rows are made. */
static const struct wire_columns *columns_of(enum verb_id verb) {
        return wire_columns(verbs[verb].columns ? verbs[verb].columns : "spans");
}

/* What says which process a row is of: with --by=name it is of several. */
static bool is_of_process(const struct options *o, const char *name) {
        static const char *const columns[] = {"process", "pid", "uid", "comm", "key", "parent_key", "paths"};

        for (size_t i = 0; o->by_name && i < sizeof(columns) / sizeof(*columns); i++)
                if (!strcmp(columns[i], name))
                        return true;
        return false;
}

static int no_column(struct parser *parser, const char *name) {
        const struct wire_columns *known = columns_of(parser->options->verb);
        struct suggest suggest = SUGGEST_INIT(name);

        if (is_of_process(parser->options, name))
                return wrong(parser, "there is no column \"%s\" with --by=name: a row is of several processes", name);

        for (size_t i = 0; i < known->count; i++)
                suggest_offer(&suggest, known->columns[i].name);
        if (suggest.best)
                return wrong(parser, "there is no column \"%s\"; did you mean \"%s\"?", name, suggest.best);
        return wrong(parser, "there is no column \"%s\"; `spanallocctl help %s` lists them", name,
                     verbs[parser->options->verb].name);
}

static int add_column(struct parser *parser, const char *name) {
        struct options *o = parser->options;
        const struct wire_columns *known = columns_of(o->verb);
        int index = wire_columns_find(known, name);

        if (index < 0 || is_of_process(o, name))
                return no_column(parser, name);
        if (o->n_columns == OPTIONS_COLUMNS_MAX)
                return wrong(parser, "--columns takes at most %d columns", OPTIONS_COLUMNS_MAX);
        o->columns[o->n_columns++] = known->columns[index].name;
        return 0;
}

static int parse_columns(struct parser *parser) {
        const struct wire_columns *known = columns_of(parser->options->verb);
        const char *text = parser->columns;
        int r = 0;

        if (!strcmp(text, "all")) {
                for (size_t i = 0; i < known->count && r == 0; i++)
                        if (!is_of_process(parser->options, known->columns[i].name))
                                r = add_column(parser, known->columns[i].name);
                return r;
        }
        for (;;) {
                size_t length = strcspn(text, ",");
                char name[64];

                snprintf(name, sizeof(name), "%.*s", (int)(length < sizeof(name) ? length : sizeof(name) - 1), text);
                r = add_column(parser, name);
                if (r < 0 || !text[length])
                        return r;
                text += length + 1;
        }
}

static int parse_sort(struct parser *parser) {
        const char *name = parser->options->sort;

        name += *name == '-';
        if (wire_columns_find(columns_of(parser->options->verb), name) < 0 || is_of_process(parser->options, name))
                return no_column(parser, name);
        return 0;
}

/* Checks that need the verb, since options may precede it. */
static int parser_check(struct parser *parser) {
        struct options *o = parser->options;
        const struct verb *verb = &verbs[o->verb];

        /* `run --pid`: main() has a sentence for it. */
        if (o->verb == VERB_RUN && o->pid)
                return 0;
        for (int i = 0; i < OPTIONS_N; i++)
                if ((parser->given & UINT64_C(1) << i) && !(options_table[i].verbs & 1u << o->verb))
                        return wrong(parser, "--%s is not an option of %s; see `spanallocctl help %s`",
                                     options_table[i].name, verb->name, verb->name);
        if (o->help)
                return 0;
        if (o->argc < verb->arguments_min)
                return wrong(parser, "%s needs %s; see `spanallocctl help %s`", verb->name, verb->arguments,
                             verb->name);
        if (verb->arguments_max >= 0 && o->argc > verb->arguments_max)
                return wrong(parser, "%s takes no argument \"%s\"", verb->name, o->argv[verb->arguments_max]);
        if (o->sort && parse_sort(parser) < 0)
                return -EINVAL;
        return parser->columns ? parse_columns(parser) : 0;
}

/* What is no option: the verb, then its arguments, which move to the front of argv. */
static int take_word(struct parser *parser, char *word) {
        struct options *o = parser->options;

        if (!o->verb_given)
                return parse_verb(parser, word);
        o->argv[o->argc++] = word;
        return 0;
}

int options_parse(struct options *ret, int argc, char **argv, char *error, size_t error_size) {
        struct options options = {
                .verb = VERB_STATUS,
                .linger_ns = OPTIONS_LINGER_NS,
                .min_ppm = OPTIONS_MIN_PPM,
                .argv = argv + 1,
        };
        struct parser parser = {.options = &options, .error = error, .error_size = error_size};
        bool rest = false; /* the rest holds no option of this program, and getopt must not be called again */
        int r = 0;

        parser_fill(&parser);
        optind = 0; /* glibc: begin afresh */
        opterr = 0;
        while (r == 0) {
                int before = optind ? optind : 1;
                int value = rest ? -1 : getopt_long(argc, argv, parser.shorts, parser.longs, NULL);

                if (value != -1) {
                        r = parse_getopt(&parser, value, argv[before]);
                        continue;
                }
                if (optind >= argc)
                        break;
                rest = rest || optind > before; /* it went over "--" */
                r = take_word(&parser, argv[optind++]);
                if (options.argc && verbs[options.verb].arguments_max < 0)
                        rest = true;
        }
        if (r < 0)
                return r;
        if (options.argc + 1 < argc)
                options.argv[options.argc] = NULL;
        if (parser.given & UINT64_C(1) << OPTION_VERSION)
                options.verb = VERB_VERSION;
        r = parser_check(&parser);
        if (r < 0)
                return r;
        *ret = options;
        return 0;
}
