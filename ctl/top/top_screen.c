/* SPDX-License-Identifier: MIT */
/*
 * top on a terminal.  With top_terminal.c, the home of ncurses: pages go out, keys come in.
 *
 * Curses compares screens and sends differences, so every change draws everything.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>
#include <wctype.h>

#include <curses.h>

#include "base/clock.h"
#include "ctl/output/color.h"
#include "ctl/session/fail.h"
#include "ctl/top/top_refresh.h"
#include "ctl/top/top_screen.h"
#include "ctl/top/top_signals.h"
#include "ctl/top/top_terminal.h"

#define FIRST_DELAY_NS UINT64_C(500000000)

struct screen {
        struct top *top;
        SCREEN *curses;
        struct top_page page;
        bool colors;
};

/* --------------------------------------------------------------------------------------------- drawing -- */

/* Looks stay apart without colours too. */
static attr_t attributes_of(enum top_style style, bool colors, short *ret_pair) {
        static const struct {
                attr_t plain, colored;
                short pair;
        } looks[TOP_STYLES] = {
                [TOP_STYLE_NORMAL] = {A_NORMAL, A_NORMAL, 0},
                [TOP_STYLE_BOLD] = {A_BOLD, A_BOLD, 0},
                [TOP_STYLE_DIM] = {A_DIM, A_DIM, 0},
                [TOP_STYLE_HEADING] = {A_REVERSE, A_REVERSE, 2},
                [TOP_STYLE_SORTED] = {A_REVERSE | A_BOLD | A_UNDERLINE, A_REVERSE | A_BOLD, 3},
                [TOP_STYLE_SELECTED] = {A_REVERSE, A_REVERSE, 3},
                [TOP_STYLE_NUMBER] = {A_BOLD, A_BOLD, 0},
                [TOP_STYLE_GRAPH] = {A_NORMAL, A_NORMAL, 2},
                [TOP_STYLE_NAME] = {A_NORMAL, A_NORMAL, 3},
                [TOP_STYLE_GROW] = {A_NORMAL, A_NORMAL, 1},
                [TOP_STYLE_FALL] = {A_NORMAL, A_NORMAL, 2},
                [TOP_STYLE_WARNING] = {A_BOLD, A_BOLD, 1},
                [TOP_STYLE_KEY] = {A_BOLD, A_BOLD, 3},
        };

        *ret_pair = colors ? looks[style].pair : 0;
        return colors ? looks[style].colored : looks[style].plain;
}

static void draw_line(const struct screen *screen, size_t y) {
        const struct top_page_line *line = &screen->page.lines[y];

        mvaddstr((int)y, 0, line->text);
        for (size_t x = 0, end; x < screen->page.width; x = end) {
                attr_t attributes;
                short pair;

                for (end = x + 1; end < screen->page.width && line->styles[end] == line->styles[x];)
                        end++;
                attributes = attributes_of((enum top_style)line->styles[x], screen->colors, &pair);
                if (attributes != A_NORMAL || pair)
                        mvchgat((int)y, (int)x, (int)(end - x), attributes, pair, NULL);
        }
}

static int draw(struct screen *screen) {
        struct top_page *page = &screen->page;
        int r = top_ui_draw(&screen->top->ui, page, (size_t)COLS, (size_t)LINES);

        if (r < 0)
                return r;
        erase();
        for (size_t y = 0; y < page->height; y++)
                draw_line(screen, y);
        curs_set(page->has_cursor);
        if (page->has_cursor)
                move((int)page->cursor_y, (int)page->cursor_x);
        refresh();
        return 0;
}

/* ------------------------------------------------------------------------------------------------ keys -- */

static enum top_key function_key(wint_t key) {
        switch (key) {
        case KEY_UP:
                return TOP_KEY_UP;
        case KEY_DOWN:
                return TOP_KEY_DOWN;
        case KEY_LEFT:
                return TOP_KEY_LEFT;
        case KEY_RIGHT:
                return TOP_KEY_RIGHT;
        case KEY_PPAGE:
                return TOP_KEY_PAGE_UP;
        case KEY_NPAGE:
                return TOP_KEY_PAGE_DOWN;
        case KEY_HOME:
                return TOP_KEY_HOME;
        case KEY_END:
                return TOP_KEY_END;
        case KEY_ENTER:
                return TOP_KEY_ENTER;
        case KEY_BACKSPACE:
                return TOP_KEY_BACKSPACE;
        case KEY_F(1):
                return TOP_KEY_F1;
        case KEY_F(3):
                return TOP_KEY_F3;
        case KEY_F(4):
                return TOP_KEY_F4;
        case KEY_F(5):
                return TOP_KEY_F5;
        case KEY_F(6):
                return TOP_KEY_F6;
        case KEY_F(10):
                return TOP_KEY_F10;
        default:
                return TOP_KEY_OTHER;
        }
}

static void character_key(struct top_ui *ui, wint_t key) {
        enum { ESCAPE = 27, CONTROL_L = 12, DELETE = 127 };
        char bytes[MB_LEN_MAX + 1] = "";
        mbstate_t state = {0};
        size_t n;

        if (key == ESCAPE) {
                top_ui_key(ui, TOP_KEY_ESCAPE, 0, "");
        } else if (key == L'\n' || key == L'\r') {
                top_ui_key(ui, TOP_KEY_ENTER, 0, "");
        } else if (key == L'\b' || key == DELETE) {
                top_ui_key(ui, TOP_KEY_BACKSPACE, 0, "");
        } else if (key == CONTROL_L) {
                clearok(curscr, TRUE);
        } else if (iswprint(key)) {
                n = wcrtomb(bytes, (wchar_t)key, &state);
                if (n != (size_t)-1)
                        bytes[n] = '\0';
                top_ui_key(ui, TOP_KEY_CHARACTER, (uint32_t)key, n == (size_t)-1 ? "" : bytes);
        }
}

/* All keys that have come: a screen is drawn for the last of them.  False when the terminal is gone. */
static bool take_keys(struct screen *screen) {
        struct top_ui *ui = &screen->top->ui;
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        wint_t key;
        int r;

        timeout(0);
        ui->now_ns = clock_monotonic_ns();
        while (!ui->quit && (r = get_wch(&key)) != ERR)
                if (r != KEY_CODE_YES)
                        character_key(ui, key);
                else if (key != KEY_RESIZE)
                        top_ui_key(ui, function_key(key), 0, "");
        return poll(&input, 1, 0) <= 0 || !(input.revents & (POLLHUP | POLLERR | POLLNVAL));
}

/* ------------------------------------------------------------------------------------------------ loop -- */

static void begin_colors(struct screen *screen) {
        static const short pairs[][2] = {{1, COLOR_YELLOW}, {2, COLOR_GREEN}, {3, COLOR_CYAN}};

        if (!color_wanted(screen->top->ctl->options.color, STDOUT_FILENO) || !has_colors() || start_color() == ERR)
                return;
        use_default_colors();
        for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
                init_pair(pairs[i][0], pairs[i][1], -1);
        screen->colors = true;
}

static int begin(struct screen *screen) {
        enum terminal_kind kind = terminal_choose();

        if (kind != TERMINAL_DRAWS)
                return kind == TERMINAL_PLAIN ? -ENOTTY : -ENODEV;
        screen->curses = newterm(NULL, stdout, stdin);
        if (!screen->curses)
                return -ENOTTY;
        cbreak();
        noecho();
        nonl();
        keypad(stdscr, TRUE);
        set_escdelay(50);
        begin_colors(screen);
        return 0;
}

/* Another program, most often a shell, had the terminal and changed its settings: all is set and drawn again. */
static void take_back(void) {
        endwin();
        clearok(curscr, TRUE);
}

static void end(struct screen *screen) {
        endwin();
        delscreen(screen->curses);
        top_page_deinit(&screen->page);
}

/* When the screen changes without a key or an answer; UINT64_MAX: not before one comes. */
static uint64_t wake_time(const struct top *top, uint64_t next_ns) {
        if (top_refresh_is_under_way(top))
                return clock_monotonic_ns() + NS_PER_S / 4;
        if (top->ui.ask_now)
                return 0;
        return top->ui.paused ? UINT64_MAX : next_ns;
}

/* Until then, or until a key, an answer or a signal comes, or the size changes.  True if it was not only an answer. */
static bool wait_until(const struct top *top, uint64_t at_ns, const sigset_t *open) {
        struct pollfd fds[2] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = -1}};
        uint64_t now = clock_monotonic_ns(), ns = now >= at_ns ? 0 : at_ns - now;
        struct timespec timeout = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
        int r;

        if (top_refresh_is_under_way(top))
                fds[1] = (struct pollfd){.fd = client_fd(top->ctl->client), .events = client_events(top->ctl->client)};
        r = ppoll(fds, 2, at_ns == UINT64_MAX ? NULL : &timeout, open);
        return r < 0 || fds[0].revents;
}

/* Goes on with the refresh, or begins one that is due.  True if one came to its end. */
static bool refresh_step(struct top *top, uint64_t *next_ns) {
        int r;

        if (top_refresh_is_under_way(top)) {
                r = top_refresh_advance(top);
        } else {
                if (!top->ui.ask_now && (top->ui.paused || clock_monotonic_ns() < *next_ns))
                        return false;
                r = top_refresh_begin(top);
        }
        if (r == TOP_REFRESH_DISCARDED)
                *next_ns = 0; /* at once when the pause ends */
        else if (r != TOP_REFRESH_PENDING)
                *next_ns = clock_monotonic_ns() + top->delay_ns;
        return r != TOP_REFRESH_PENDING;
}

/* True if the collector, or one that is started again, may still answer. */
static bool may_go_on(const struct top *top) {
        return top->ui.connected || top->error.kind == CLIENT_ERROR_UNREACHABLE;
}

static int run(struct screen *screen, uint64_t next_ns) {
        struct top *top = screen->top;
        bool changed = true;
        sigset_t open;
        int r = 0;

        sigprocmask(SIG_SETMASK, NULL, &open);
        while (r == 0 && !top->ui.quit && may_go_on(top)) {
                top_signals_hold(&open);
                if (top_interrupted())
                        break;
                if (top_continued()) {
                        take_back();
                        changed = true;
                }
                if (changed)
                        r = draw(screen);
                if (r < 0)
                        break;
                changed = wait_until(top, wake_time(top, next_ns), &open);
                top_signals_release(&open);
                if (!take_keys(screen))
                        break;
                changed |= refresh_step(top, &next_ns);
                changed |= top_refresh_note_silence(top, clock_monotonic_ns());
        }
        top_signals_release(&open);
        return r;
}

int top_screen(struct top *top) {
        struct screen screen = {.top = top};
        int r = begin(&screen);

        if (r == -ENODEV)
                return ctl_fail(CTL_FAILURE,
                                "terminfo does not have the terminal \"%.60s\"; set TERM=xterm-256color if it is like "
                                "xterm, or use `spanallocctl top --batch`",
                                getenv("TERM"));
        if (r < 0)
                return r;
        r = run(&screen, clock_monotonic_ns() + (top->delay_ns < FIRST_DELAY_NS ? top->delay_ns : FIRST_DELAY_NS));
        end(&screen);
        if (r < 0)
                return ctl_fail(CTL_FAILURE, "out of memory");
        if (!may_go_on(top))
                return ctl_fail_client(&top->error);
        return CTL_OK;
}
