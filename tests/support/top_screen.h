/* SPDX-License-Identifier: MIT */
/*
 * A fake top that is drawn on a page: keys are pressed, and lines looked at.
 */
#pragma once

#include "tests/support/top_fixture.h"

static inline void draw(struct fake *fake, size_t width, size_t height) {
        assert_int_equal(top_ui_draw(&fake->ui, &fake->page, width, height), 0);
        assert_int_equal(fake->page.width, width);
        assert_int_equal(fake->page.height, height);
}

/* The line, without blanks at its end. */
static inline const char *line(struct fake *fake, size_t y) {
        static char text[TOP_PAGE_BYTES];
        size_t n;

        assert_true(y < fake->page.height);
        strcpy(text, fake->page.lines[y].text);
        for (n = strlen(text); n && text[n - 1] == ' ';)
                text[--n] = '\0';
        return text;
}

static inline bool page_has(struct fake *fake, const char *text) {
        for (size_t y = 0; y < fake->page.height; y++)
                if (strstr(fake->page.lines[y].text, text))
                        return true;
        return false;
}

static inline void press(struct fake *fake, const char *characters) {
        for (; *characters; characters++)
                top_ui_key(&fake->ui, TOP_KEY_CHARACTER, (unsigned char)*characters, (char[]){*characters, '\0'});
}

static inline void hit(struct fake *fake, enum top_key key) {
        top_ui_key(&fake->ui, key, 0, "");
}

static inline void feed_two(struct fake *fake) {
        fake_uint(fake->status, 0, "processes", 3);
        fake_uint(fake->status, 0, "threads", 1);
        fake_uint(fake->status, 0, "records_rate", 12345);
        fake_uint(fake->status, 0, "ring_fill_ppm", 25000);
        feed(fake, 1 * SECOND, 1);
        feed(fake, 2 * SECOND, 2);
}
