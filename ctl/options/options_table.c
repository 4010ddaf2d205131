/* SPDX-License-Identifier: MIT */
/*
 * The tables themselves.
 */
#include "ctl/options/options_table.h"
#include "ctl/options/options.h"

const struct verb verbs[VERB_COUNT] = {
        [VERB_STATUS] = {"status", "", "Is a collector running, and how is it", 0, 0, "status"},
        [VERB_PS] = {"ps", "", "Processes and their books", 0, 0, "ps"},
        [VERB_SPANS] = {"spans", "", "What each span allocated, by process", 0, 0, "spans"},
        [VERB_TREE] = {"tree", "", "Spans below the spans that opened them", 0, 0, "tree"},
        [VERB_SHOW] = {"show", "NAME", "One span: sums, per call, where and in which processes", 1, 1, NULL},
        [VERB_TOP] = {"top", "", "What allocates now, live", 0, 0, NULL},
        [VERB_FOLLOW] = {"follow", "", "One line per closed span, as it closes", 0, 0, "follow"},
        [VERB_RUN] = {"run", "-- COMMAND [ARGUMENT…]", "Run a command and report; needs no daemon", 1, -1, NULL},
        [VERB_ENABLE] = {"enable", "UNIT", "Let a service count, from its next start on", 1, 1, NULL},
        [VERB_DISABLE] = {"disable", "UNIT", "Undo that", 1, 1, NULL},
        [VERB_TIMING] = {"timing", "on|off", "Let programs write timestamps, or no longer", 1, 1, NULL},
        [VERB_RESET] = {"reset", "", "Begin all sums again from zero", 0, 0, NULL},
        [VERB_DOCTOR] = {"doctor", "", "Is everything as it should be, and what to do if not", 0, 0, NULL},
        [VERB_DEMO] = {"demo", "", "Top over a collector and an example workload of its own", 0, 0, NULL},
        [VERB_VERSION] = {"version", "", "The version of this program", 0, 0, NULL},
        [VERB_HELP] = {"help", "[VERB]", "This text, or the options of a verb", 0, 1, NULL},
};

#define ON(verb) (1u << VERB_##verb)
#define ROWS     (ON(PS) | ON(SPANS) | ON(TREE) | ON(TOP) | ON(FOLLOW))
#define GLOBAL   OPTION_GLOBAL

const struct option_entry options_table[OPTIONS_N] = {
        [OPTION_SYSTEM] = {"system", NULL, false, 0, GLOBAL, "Ask the collector of the system"},
        [OPTION_USER] = {"user", NULL, false, 0, GLOBAL, "Ask the collector of this user's session"},
        [OPTION_SOCKET] = {"socket", "PATH", false, 0, GLOBAL, "Ask the collector behind this query.sock"},
        [OPTION_JSON] = {"json", "off|short|pretty", true, 0, GLOBAL, "Documents for programs (alone: short)"},
        [OPTION_NO_PAGER] = {"no-pager", NULL, false, 0, GLOBAL, "Do not pipe long output into a pager"},
        [OPTION_NO_LEGEND] = {"no-legend", NULL, false, 0, GLOBAL, "Do not print headings and hints"},
        [OPTION_FULL] = {"full", NULL, false, 'l', GLOBAL,
                         "Do not shorten names to the width of the terminal; ps: no row is folded"},
        [OPTION_RAW] = {"raw", NULL, false, 0, GLOBAL, "Whole numbers of bytes, not 1.5K"},
        [OPTION_COLOR] = {"color", "auto|always|never", false, 0, GLOBAL, "Colours on a terminal (NO_COLOR: none)"},
        [OPTION_HELP] = {"help", NULL, false, 'h', GLOBAL, "Show help"},
        [OPTION_VERSION] = {"version", NULL, false, 0, GLOBAL, "Show the version"},
        [OPTION_PID] = {"pid", "PID", false, 'p', ROWS | ON(SHOW) | ON(TIMING) | ON(DOCTOR), "Only this process"},
        [OPTION_UNIT] = {"unit", "UNIT", false, 'u', ROWS | ON(SHOW) | ON(TIMING),
                         "Only processes of this systemd unit"},
        [OPTION_FILTER] = {"filter", "TEXT", false, 'f', ROWS,
                           "Only spans with this in name or path; ps: name, exe, unit"},
        [OPTION_BY] = {"by", "process|name", false, 0, ON(SPANS) | ON(TREE) | ON(TOP),
                       "A row for each process, or one for all processes with the name"},
        [OPTION_ALIVE] = {"alive", NULL, false, 'a', ON(PS), "Only processes that run"},
        [OPTION_SINCE] = {"since", "TIME", false, 0, ON(SPANS) | ON(TREE) | ON(SHOW),
                          "Only the last so long: 30s, 5m, at most 10m"},
        [OPTION_MIN_PERCENT] = {"min-percent", "N", false, 0, ON(TREE),
                                "Fold what is below N % of its process (default 1; 0: nothing)"},
        [OPTION_SORT] = {"sort", "[-]COLUMN", false, 's', ON(PS) | ON(SPANS) | ON(TREE) | ON(TOP),
                         "Sort by this column, with - from large to small"},
        [OPTION_LIMIT] = {"limit", "N", false, 0, ROWS, "Print at most N rows"},
        [OPTION_COLUMNS] = {"columns", "A,B,…|all", false, 'c', ON(PS) | ON(SPANS) | ON(TREE) | ON(FOLLOW),
                            "Show these columns"},
        [OPTION_BATCH] = {"batch", NULL, false, 'b', ON(TOP) | ON(DEMO), "Print plain screens one after another"},
        [OPTION_ONCE] = {"once", NULL, false, '1', ON(TOP) | ON(DEMO), "Print one screen and end"},
        [OPTION_COUNT] = {"count", "N", false, 'n', ON(TOP) | ON(DEMO), "Print N screens and end"},
        [OPTION_DELAY] = {"delay", "SECONDS", false, 'd', ON(TOP) | ON(DEMO), "Time between screens (default 1)"},
        [OPTION_OUTPUT] = {"output", "FILE", false, 'o', ON(RUN), "Write the report to FILE, not to stderr"},
        [OPTION_PRELOAD] = {"preload", "PATH", false, 0, ON(RUN) | ON(ENABLE), "Count with this libspanalloc-malloc"},
        [OPTION_ON_FULL] = {"on-full", "refuse|wait", false, 0, ON(RUN), "What a thread does when its ring is full"},
        [OPTION_RING_KIB] = {"ring-kib", "N", false, 0, ON(RUN) | ON(ENABLE), "KiB of ring for each thread"},
        [OPTION_LINGER] = {"linger", "TIME", false, 0, ON(RUN),
                           "Wait so long for what the command left running (default 1)"},
        [OPTION_NOW] = {"now", NULL, false, 0, ON(ENABLE) | ON(DISABLE), "Restart the service, if it runs"},
};

const size_t options_table_size = OPTIONS_N;
