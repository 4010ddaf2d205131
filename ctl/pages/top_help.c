/* SPDX-License-Identifier: MIT */
/*
 * The help of top: its keys, and what its numbers are.  The manual prints the same keys.
 */
#include <stdio.h>

#include "ctl/pages/top_lines.h"
#include "ctl/pages/top_ui.h"

/* On a screen of 80 columns the second half stands beside the first, where a text has 21 columns. */
const struct top_help_key top_help_keys[] = {
        {"Up Down k j", "select a row"},
        {"PgUp PgDn", "a screen up, down"},
        {"g Home G End", "first row, last row"},
        {"Enter", "details of the row"},
        {"p", "processes, by heap in use"},
        {"t F5", "tree"},
        {"u b", "sum by systemd unit, by name"},
        {"e", "hide rows of ended processes"},
        {"s F6", "menu: sort by"},
        {"a n l c", "by ALLOC/s NET/s ALLOC CALLS/s"},
        {"< >", "by the column left, right"},
        {"+ - *", "unfold, fold one, all"},
        {"I", "the other way round"},
        {"/  F3", "search, next one"},
        {"\\ F4", "filter"},
        {"F", "follow the row"},
        {"T", "timing on, off"},
        {"w", "warnings, collector"},
        {"Space", "pause"},
        {"h F1 ?", "this help"},
        {"Esc", "close what is open"},
        {"q F10", "quit"},
        {NULL, NULL},
};

static const char *const paragraphs[] = {
        "The first line is of the processes of --pid and --unit, else of all: heap is what they have of malloc's "
        "memory "
        "now (~ estimated), and how it grows; RSS their resident memory, shared pages count in each process; unit the "
        "memory of their unit, and its limit; alloc what they allocate a second.",
        "ALLOC and NET, also per second and per call, are bytes; BLOCKS/s is how many blocks are allocated a second. "
        "Rows overlap, so do not add them up: they count a span's children too; in the tree, all that was opened below "
        "it. NET is what it allocated less what it freed on its own threads: the rest may be in use, or "
        "freed elsewhere. If NET is larger than the heap, the span around it frees the memory. NET/CALL is that of a "
        "closed span, on average. P99/CALL: of 100 closed spans 99 allocated at most so many bytes.",
        "QUALITY is empty where numbers are exact. migrated: cycles that another thread ended; lost: a part is lost; "
        "estimated; mixed with other spans; partial: a process of the unit is not counted; uncounted: nothing counts "
        "the "
        "heap of this process.",
        "TIME/CALL and BUSY% (of one processor) need timing: T. Rows of ended processes are dim, and come last.",
};

enum { KEYS = 14, LEFT = 32, RIGHT = 21 };

static void put_keys_wide(struct top_lines *lines) {
        size_t n = sizeof(top_help_keys) / sizeof(top_help_keys[0]) - 1, rows = (n + 1) / 2;

        for (size_t i = 0; i < rows; i++) {
                size_t y = top_lines_next(lines);

                for (size_t k = i; k < n; k += rows) {
                        top_page_fit(lines->page, y, TOP_STYLE_KEY, top_help_keys[k].keys, KEYS, false);
                        top_page_fit(lines->page, y, TOP_STYLE_NORMAL, top_help_keys[k].text, k == i ? LEFT : RIGHT,
                                     false);
                }
        }
}

static void put_keys(struct top_lines *lines) {
        char mark[KEYS + 1];

        if (lines->page->width >= KEYS + LEFT + KEYS + RIGHT) {
                put_keys_wide(lines);
                return;
        }
        for (const struct top_help_key *key = top_help_keys; key->keys; key++) {
                snprintf(mark, sizeof(mark), "%-*s", KEYS, key->keys);
                top_lines_wrap(lines, TOP_STYLE_KEY, mark, key->text);
        }
}

void top_panel_help(struct top_ui *ui, struct top_page *page) {
        struct top_lines lines = top_lines_begin(ui, page);

        top_lines_title(&lines, ui, "spanallocctl top: Esc closes, j k scroll");
        put_keys(&lines);
        for (size_t i = 0; i < sizeof(paragraphs) / sizeof(paragraphs[0]); i++) {
                top_lines_put(&lines, TOP_STYLE_NORMAL, "%s", "");
                top_lines_wrap(&lines, TOP_STYLE_NORMAL, "", paragraphs[i]);
        }
        top_lines_end(&lines, ui);
}
