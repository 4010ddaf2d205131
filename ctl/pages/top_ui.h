/* SPDX-License-Identifier: MIT */
/*
 * The user interface of top: the open view, the meaning of each key, and the page to show.
 *
 * Keys in, pages out; no curses, no clock, no system call, so that tests can press keys and look at cells.
 */
#pragma once

#include "ctl/model/top_layout.h"
#include "ctl/model/top_model.h"
#include "ctl/pages/top_page.h"

enum top_key {
        TOP_KEY_CHARACTER, /* with the character */
        TOP_KEY_UP,
        TOP_KEY_DOWN,
        TOP_KEY_LEFT,
        TOP_KEY_RIGHT,
        TOP_KEY_PAGE_UP,
        TOP_KEY_PAGE_DOWN,
        TOP_KEY_HOME,
        TOP_KEY_END,
        TOP_KEY_ENTER,
        TOP_KEY_ESCAPE,
        TOP_KEY_BACKSPACE,
        TOP_KEY_F1,
        TOP_KEY_F3,
        TOP_KEY_F4,
        TOP_KEY_F5,
        TOP_KEY_F6,
        TOP_KEY_F10,
        TOP_KEY_OTHER,
};

enum top_mode {
        TOP_MODE_LIST,
        TOP_MODE_SORT,
        TOP_MODE_FILTER,
        TOP_MODE_SEARCH,
        TOP_MODE_HELP,
        TOP_MODE_WARNINGS,
        TOP_MODE_DETAILS,
        TOP_MODE_PROCESSES,
        TOP_MODE_PROCESS,
        TOP_MODES,
};

/* The span of the details, and the answers about it. */
struct top_details {
        uint64_t process; /* 0: all of `unit`, or of all units */
        bool all_units;
        uint32_t number; /* rises with each opening */
        uint32_t slot;
        struct top_row row; /* its text is in `span` and `title` */
        char span[256], unit[128], title[512];
        struct table *spans, *tree; /* owned; NULL until they have come */
};

/* The list of processes, and the page of one.  Numbers are the collector's. */
struct top_processes {
        uint64_t selected; /* 0: the first row */
        size_t first;      /* row that is seen */
        uint64_t page;
        enum top_mode back; /* the view under the page */
        size_t back_scroll;
};

/* Asked for with a key: of a process, or of a unit where that is 0. */
struct top_timing {
        bool wanted, on;
        bool unseen; /* no rows have come since */
        uint64_t process;
        uint64_t at_ns; /* of the key */
        char unit[128];
};

struct top_ui {
        struct top_model *model;   /* borrowed */
        enum top_mode mode, under; /* `under`: the view below help and warnings */
        bool paused, quit;
        bool ask_now;     /* the view needs data that was not queried yet */
        size_t menu;      /* of the sort menu */
        size_t scroll;    /* of help, warnings and details */
        size_t page_rows; /* of the last page drawn */
        struct top_layout layout;
        char prompt[128], before[128], search[128];
        char message[256]; /* until the next key */
        struct top_details details;
        struct top_timing timing;
        struct top_processes processes;

        uint64_t pid;     /* of --pid; 0: all */
        const char *unit; /* of --unit, borrowed; NULL: all */

        uint64_t now_ns; /* CLOCK_MONOTONIC, of the latest key */

        /* Set by the code that sends the queries. */
        bool connected, raw; /* Without a connection the last answer stays on the screen. */
        char trouble[640];   /* why it is not connected */
        unsigned silent_s;   /* for so many seconds an answer is awaited; 0: for less than is worth saying */
        char restarted[64];  /* "": the collector was not started again lately */
};

/* True if the last answer is what there is now, and not only what there was. */
static inline bool top_ui_is_current(const struct top_ui *ui) {
        return ui->connected && !ui->silent_s;
}
/* Why it is not: one line. */
char *top_ui_trouble(const struct top_ui *ui, char *buf, size_t size);
/* What the list leaves out, for the titles of other lists: "", or text that begins with a comma. */
char *top_ui_narrowing(const struct top_ui *ui, char *buf, size_t size);

void top_ui_deinit(struct top_ui *ui);
/* Opens help or warnings over the present view. */
void top_ui_open(struct top_ui *ui, enum top_mode mode);
void top_ui_key(struct top_ui *ui, enum top_key key, uint32_t character, const char *utf8);
/* The numbers of processes are no longer valid: closes the views that have one. */
void top_ui_forget_processes(struct top_ui *ui);
/* Draws everything.  0 or -ENOMEM. */
int top_ui_draw(struct top_ui *ui, struct top_page *page, size_t width, size_t height);
/* Takes the answers about the span of the details; consumed. */
void top_ui_take_details(struct top_ui *ui, struct table *spans, struct table *tree);

/* top_header.c and top_view.c: the list.  Also for a pipe. */
void top_view_header(const struct top_model *model, bool current, struct top_page *page, size_t y);
void top_view_history(const struct top_ui *ui, enum top_total total, struct top_page *page, size_t y);
/* A line of values, the latest last, with the latest and the largest beside it.  A value below zero is not known. */
struct top_graph {
        const char *label;
        bool rate, net;
        double base; /* of net bytes: what is added to each value when it is written */
        size_t count;
        double values[TOP_HISTORY];
};
enum { TOP_GRAPH_LABEL = 8 };
size_t top_view_graph_width(const struct top_page *page); /* the count for this page: at least 1 */
void top_view_graph(const struct top_graph *graph, struct top_page *page, size_t y);
void top_view_heading(const struct top_layout *layout, const struct top_model *model, struct top_page *page, size_t y);
void top_view_row(const struct top_layout *layout, const struct top_row *row, bool tree, struct top_page *page,
                  size_t y);
void top_view_list(struct top_ui *ui, struct top_page *page);

/* top_help.c, top_panels.c and top_details.c: what opens over it. */
/* The keys; NULL at the end. */
struct top_help_key {
        const char *keys, *text;
};
extern const struct top_help_key top_help_keys[];
void top_panel_help(struct top_ui *ui, struct top_page *page);
void top_panel_sort(struct top_ui *ui, struct top_page *page, size_t y, size_t height);
void top_panel_warnings(struct top_ui *ui, struct top_page *page);
/* Returns the number of warnings, and writes the text of warning `index` to `buf`.  NULL: only counts. */
size_t top_warnings(const struct top_ui *ui, size_t index, char *buf, size_t size);
void top_panel_details(struct top_ui *ui, struct top_page *page);

/* top_timing.c */
void top_timing_of_process(struct top_ui *ui, uint64_t process, bool timed);
void top_timing_of_row(struct top_ui *ui); /* the selected one */
/* The request is not sent, nor later; or it was sent, and has no answer; or it will have none. */
void top_timing_refuse(struct top_ui *ui);
void top_timing_doubt(struct top_ui *ui);
void top_timing_lose(struct top_ui *ui);

/* top_prompt.c */
void top_prompt_begin(struct top_ui *ui, enum top_mode mode);
void top_prompt_key(struct top_ui *ui, enum top_key key, const char *utf8);
void top_prompt_search_again(struct top_ui *ui, int step);

/* top_processes.c and top_process.c. */
void top_processes_open(struct top_ui *ui);
void top_processes_key(struct top_ui *ui, enum top_key key, uint32_t c);
void top_panel_processes(struct top_ui *ui, struct top_page *page);
void top_process_open(struct top_ui *ui, uint64_t process);
void top_process_close(struct top_ui *ui);
void top_panel_process(struct top_ui *ui, struct top_page *page);

enum { TOP_SORT_WIDTH = 12 };
