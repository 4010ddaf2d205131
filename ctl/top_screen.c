/*
 * top on a terminal.  With top_terminal.c, the home of ncurses.
 *
 * Curses compares screens and sends differences, so every change draws everything.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include <curses.h>

#include "ctl/text.h"
#include "ctl/top.h"
#include "ctl/top_terminal.h"
#include "ctl/top_view.h"

enum { KEY_ESCAPE = 27, KEY_CTRL_L = 12, KEY_DELETE = 127, FOOTER_FROM_HEIGHT = 6 };
#define FIRST_DELAY_NS UINT64_C(500000000)

struct screen {
        struct top *top;
        SCREEN *curses;
        bool paused, help, prompt, quit;
        char filter_before[128];
        char line[TOP_LINE_MAX];
};

/* --------------------------------------------------------------------------------------------- drawing -- */

static bool has_heading(void) {
        return LINES >= 3;
}

static bool has_footer(const struct screen *screen) {
        return LINES >= FOOTER_FROM_HEIGHT || (screen->prompt && LINES >= 2);
}

static size_t visible_rows(const struct screen *screen) {
        int rows = LINES - 1 - has_heading() - has_footer(screen);

        return rows > 0 ? (size_t)rows : 0;
}

static void draw_line(struct screen *screen, int y, attr_t attributes) {
        char fitted[TOP_LINE_MAX] = "";

        text_fit(fitted, sizeof(fitted), screen->line, (size_t)COLS, false);
        attrset(attributes);
        mvaddstr(y, 0, fitted);
        attrset(A_NORMAL);
}

static void draw_header(struct screen *screen) {
        struct top *top = screen->top;

        if (top->connected) {
                top_view_header(top->model, (size_t)COLS, screen->line);
                draw_line(screen, 0, A_NORMAL);
        } else {
                snprintf(screen->line, sizeof(screen->line), "Trying again: %s", top->error.text);
                draw_line(screen, 0, A_BOLD);
        }
}

static void draw_heading(struct screen *screen, const struct top_layout *layout) {
        enum top_column sorted = top_model_sorted_by(screen->top->model);

        top_view_heading(layout, screen->line);
        draw_line(screen, 1, A_REVERSE);
        for (size_t i = 0; i < layout->count; i++)
                if (layout->columns[i].column == sorted)
                        mvchgat(1, (int)layout->columns[i].x, (int)layout->columns[i].width,
                                A_REVERSE | A_BOLD | A_UNDERLINE, 0, NULL);
}

static void draw_rows(struct screen *screen, const struct top_layout *layout) {
        const struct top_model *model = screen->top->model;
        size_t visible = visible_rows(screen), first = top_model_first(model);

        for (size_t i = 0; i < visible && first + i < top_model_count(model); i++) {
                top_view_row(layout, top_model_row(model, first + i), screen->line);
                draw_line(screen, 1 + has_heading() + (int)i,
                          first + i == top_model_selected(model) ? A_REVERSE : A_NORMAL);
        }
        if (visible && !top_model_count(model)) {
                snprintf(screen->line, sizeof(screen->line), "%s",
                         *top_model_filter_text(model) ? "No span matches the filter." : "No spans yet.");
                draw_line(screen, 1 + has_heading(), A_NORMAL);
        }
}

static void draw_footer(struct screen *screen) {
        const struct top_model *model = screen->top->model;

        if (screen->prompt)
                snprintf(screen->line, sizeof(screen->line), "Filter: %s", top_model_filter_text(model));
        else
                top_view_footer(model, (size_t)COLS, screen->paused, screen->line);
        draw_line(screen, LINES - 1, screen->prompt ? A_BOLD : A_DIM);
        if (screen->prompt) {
                size_t x = text_width(screen->line);

                move(LINES - 1, x < (size_t)COLS ? (int)x : COLS - 1);
        }
}

static void draw_help(struct screen *screen) {
        int y = 0;

        for (; top_view_help[y] && y < LINES; y++) {
                snprintf(screen->line, sizeof(screen->line), "%s", top_view_help[y]);
                draw_line(screen, y, y == 0 ? A_BOLD : A_NORMAL);
        }
}

static void draw(struct screen *screen) {
        struct top_layout layout;

        erase();
        top_model_set_visible(screen->top->model, visible_rows(screen));
        if (screen->help) {
                draw_help(screen);
        } else {
                top_layout_init(&layout, (size_t)COLS);
                draw_header(screen);
                if (has_heading())
                        draw_heading(screen, &layout);
                draw_rows(screen, &layout);
                if (has_footer(screen))
                        draw_footer(screen);
        }
        curs_set(screen->prompt && !screen->help);
        refresh();
}

/* ------------------------------------------------------------------------------------------------ keys -- */

static void begin_prompt(struct screen *screen) {
        screen->prompt = true;
        snprintf(screen->filter_before, sizeof(screen->filter_before), "%s", top_model_filter_text(screen->top->model));
}

/* The filter works while it is typed; Esc brings back what was there before. */
static void prompt_key(struct screen *screen, wint_t key, bool is_function) {
        struct top_model *model = screen->top->model;
        char text[128], bytes[MB_LEN_MAX];
        mbstate_t state = {0};
        size_t used, n;

        snprintf(text, sizeof(text), "%s", top_model_filter_text(model));
        used = strlen(text);
        if (key == KEY_ESCAPE && !is_function) {
                top_model_filter(model, screen->filter_before);
                screen->prompt = false;
        } else if (key == L'\n' || key == L'\r' || (is_function && key == KEY_ENTER)) {
                screen->prompt = false;
        } else if ((is_function && key == KEY_BACKSPACE) || (!is_function && (key == L'\b' || key == KEY_DELETE))) {
                while (used && ((unsigned char)text[--used] & 0xc0) == 0x80)
                        ;
                text[used] = '\0';
                top_model_filter(model, text);
        } else if (!is_function && iswprint(key)) {
                n = wcrtomb(bytes, (wchar_t)key, &state);
                if (n != (size_t)-1 && used + n < sizeof(text)) {
                        memcpy(text + used, bytes, n);
                        text[used + n] = '\0';
                        top_model_filter(model, text);
                }
        }
}

/* The next shown column to the right or left of the one that sorts, round the ends. */
static void step_sort(struct screen *screen, int step) {
        struct top_model *model = screen->top->model;
        struct top_layout layout;
        size_t at = 0;

        top_layout_init(&layout, (size_t)COLS);
        for (size_t i = 0; i < layout.count; i++)
                if (layout.columns[i].column == top_model_sorted_by(model))
                        at = i;
        at = (at + layout.count + (size_t)step) % layout.count;
        top_model_sort(model, layout.columns[at].column);
}

static void function_key(struct screen *screen, wint_t key) {
        struct top_model *model = screen->top->model;
        long page = (long)visible_rows(screen);

        switch (key) {
        case KEY_UP:
                top_model_move(model, -1);
                break;
        case KEY_DOWN:
                top_model_move(model, 1);
                break;
        case KEY_PPAGE:
                top_model_move(model, -page);
                break;
        case KEY_NPAGE:
                top_model_move(model, page);
                break;
        case KEY_HOME:
                top_model_move(model, -LONG_MAX);
                break;
        case KEY_END:
                top_model_move(model, LONG_MAX);
                break;
        case KEY_F(1):
                screen->help = true;
                break;
        case KEY_F(4):
                begin_prompt(screen);
                break;
        case KEY_F(6):
                step_sort(screen, 1);
                break;
        case KEY_F(10):
                screen->quit = true;
                break;
        default:
                break;
        }
}

static void character_key(struct screen *screen, wint_t key) {
        static const struct {
                wint_t key;
                enum top_column column;
        } direct[] = {{L'a', TOP_ALLOC_RATE}, {L'n', TOP_NET_RATE}, {L'l', TOP_ALLOC}, {L'c', TOP_CALLS_RATE}};
        struct top_model *model = screen->top->model;

        for (size_t i = 0; i < sizeof(direct) / sizeof(direct[0]); i++)
                if (direct[i].key == key)
                        top_model_sort(model, direct[i].column);
        switch (key) {
        case L'k':
                top_model_move(model, -1);
                break;
        case L'j':
                top_model_move(model, 1);
                break;
        case L'g':
                top_model_move(model, -LONG_MAX);
                break;
        case L'G':
                top_model_move(model, LONG_MAX);
                break;
        case L'<':
                step_sort(screen, -1);
                break;
        case L'>':
                step_sort(screen, 1);
                break;
        case L'I':
                top_model_invert(model);
                break;
        case L'/':
        case L'\\':
                begin_prompt(screen);
                break;
        case L' ':
                screen->paused = !screen->paused;
                break;
        case L'u':
                top_model_group(model, !top_model_is_grouped(model));
                break;
        case L'h':
        case L'?':
                screen->help = true;
                break;
        case KEY_CTRL_L:
                clearok(curscr, TRUE);
                break;
        case L'q':
        case KEY_ESCAPE:
                screen->quit = true;
                break;
        default:
                break;
        }
}

static void handle_key(struct screen *screen, wint_t key, bool is_function) {
        if (is_function && key == KEY_RESIZE)
                return;
        if (screen->help)
                screen->help = false;
        else if (screen->prompt)
                prompt_key(screen, key, is_function);
        else if (is_function)
                function_key(screen, key);
        else
                character_key(screen, key);
}

/* ------------------------------------------------------------------------------------------------ loop -- */

static int begin(struct screen *screen) {
        if (!terminal_can_draw())
                return -ENOTTY;
        screen->curses = newterm(NULL, stdout, stdin);
        if (!screen->curses)
                return -ENOTTY;
        cbreak();
        noecho();
        nonl();
        keypad(stdscr, TRUE);
        set_escdelay(50);
        return 0;
}

static void end(struct screen *screen) {
        endwin();
        delscreen(screen->curses);
}

static int wait_ms(const struct screen *screen, uint64_t next_ns) {
        uint64_t now = top_now();

        if (screen->paused)
                return 1000;
        return now >= next_ns ? 0 : (int)((next_ns - now) / 1000000) + 1;
}

int top_screen(struct top *top) {
        struct screen screen = {.top = top};
        uint64_t next = top_now() + (top->delay_ns < FIRST_DELAY_NS ? top->delay_ns : FIRST_DELAY_NS);
        int r = begin(&screen);

        if (r < 0)
                return r;
        while (!screen.quit && !top_interrupted()) {
                wint_t key;

                draw(&screen);
                timeout(wait_ms(&screen, next));
                r = get_wch(&key);
                if (r != ERR)
                        handle_key(&screen, key, r == KEY_CODE_YES);
                if (screen.paused || top_now() < next)
                        continue;
                if (top_refresh(top) < 0 && top->error.exit_code != CTL_UNREACHABLE)
                        break;
                next = top_now() + top->delay_ns;
        }
        end(&screen);
        if (!top->connected && top->error.exit_code != CTL_UNREACHABLE)
                return ctl_fail(top->error.exit_code, "%s", top->error.text);
        return CTL_OK;
}
