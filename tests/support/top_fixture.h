/* SPDX-License-Identifier: MIT */
/*
 * Answers made by hand for top: processes and rows, fed to a model that a test looks into.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ctl/pages/top_ui.h"
#include "tests/support/fake_table.h"

#define SECOND UINT64_C(1000000000)

struct fake {
        struct top_ui ui;
        struct top_page page;
        struct top_samples samples;
        struct table *status;
        const char *counting;      /* of process 3 */
        unsigned ended, uncounted; /* a bit for each number of a process */
        unsigned timed;            /* the first so many processes */
        uint64_t now_ns;           /* of the latest answer */
        uint64_t own[3];           /* bytes that each process allocated; half of them it has now; 0: as `heap` says */
        uint64_t heap;        /* process n has n times as much after the first answer, and as much more with each */
        uint64_t limit, lost; /* of each unit; of each process */
        unsigned answers;
        const char *how;  /* processes ended */
        const char *comm; /* of processes 1 and 2; NULL: www */
};

static inline int setup(void **state) {
        struct fake *fake = calloc(1, sizeof(*fake));

        fake->status = fake_table("status", 1, 0);
        fake->counting = "libspanalloc-malloc";
        fake->how = "exited 1";
        fake->ui.connected = true;
        *state = fake;
        return top_model_new(&fake->ui.model);
}

static inline int teardown(void **state) {
        struct fake *fake = *state;

        top_ui_deinit(&fake->ui);
        top_model_free(fake->ui.model);
        top_samples_deinit(&fake->samples);
        top_page_deinit(&fake->page);
        table_free(fake->status);
        free(fake);
        return 0;
}

/* Processes 1 and 2 of unit x, 3 of unit y, with pids 101 to 103. */
static inline struct table *fake_processes(struct fake *fake) {
        struct table *t = fake_table("ps", 3, fake->now_ns);

        fake->answers++;
        for (size_t i = 0; i < 3; i++) {
                uint64_t heap = fake->heap * (i + 1) * fake->answers;

                fake_int(t, i, "net_bytes", (int64_t)heap);
                fake_uint(t, i, "alloc_bytes", heap);
                fake_uint(t, i, "lost_alloc_bytes", fake->lost);
                fake_uint(t, i, "rss_bytes", fake->heap ? 3 << 20 : 0);
                fake_uint(t, i, "unit_memory_bytes",
                          fake->limit ? ((uint64_t)(i < 2 ? 10 : 30) << 20) * fake->answers : 0);
                fake_uint(t, i, "unit_memory_limit_bytes", fake->limit);
                fake_cell(t, i, "timed")->b = i < fake->timed;
                fake_uint(t, i, "process", i + 1);
                fake_uint(t, i, "pid", 101 + i);
                fake_text(t, i, "unit", i < 2 ? "x" : "y");
                fake_text(t, i, "comm", i == 2 ? "db" : fake->comm ? fake->comm : "www");
                fake_cell(t, i, "alive")->b = !(fake->ended >> (i + 1) & 1);
                fake_text(t, i, "ended", fake->ended >> (i + 1) & 1 ? fake->how : "");
                fake_uint(t, i, "coverage_ppm", fake->lost ? 990000 : 1000000);
                fake_uint(t, i, "threads", 1);
                fake_cell(t, i, "balanced")->b = true;
                if (fake->own[i]) {
                        fake_uint(t, i, "alloc_bytes", fake->own[i]);
                        fake_int(t, i, "net_bytes", (int64_t)fake->own[i] / 2);
                }
                fake_text(t, i, "counting",
                          fake->uncounted >> (i + 1) & 1 ? "nothing: it is not preloaded"
                          : i < 2                        ? "libspanalloc-malloc"
                                                         : fake->counting);
        }
        return t;
}

static inline void set_row(struct table *t, size_t row, uint64_t process, uint64_t key, const char *span,
                           uint64_t bytes) {
        fake_uint(t, row, "process", process);
        fake_uint(t, row, "key", key);
        fake_text(t, row, "span", span);
        fake_text(t, row, "path", span);
        fake_text(t, row, "quality", "exact");
        fake_uint(t, row, "alloc_bytes", bytes);
        fake_uint(t, row, "alloc_count", bytes / 10);
        fake_uint(t, row, "closed", bytes / 100);
        fake_int(t, row, "net_bytes", -(int64_t)bytes);
}

/* Consumes the rows. */
static inline void feed_table(struct fake *fake, struct table *rows) {
        fake->now_ns = rows->time_ns;
        assert_int_equal(top_samples_take(&fake->samples, rows), 0);
        assert_int_equal(top_model_feed(fake->ui.model, &fake->samples, fake_processes(fake), fake->status), 0);
        table_free(rows);
}

/* Process 1 and 2 with a, 3 with b; bytes grow by `step` times 1000, 2000, 4000. */
static inline void feed(struct fake *fake, uint64_t time_ns, uint64_t step) {
        struct table *t = fake_table("spans", 3, time_ns);

        set_row(t, 0, 1, 1, "a", 1000 * step);
        set_row(t, 1, 2, 1, "a", 2000 * step);
        set_row(t, 2, 3, 2, "b", 4000 * step);
        feed_table(fake, t);
}

static inline struct top_row row_at(const struct fake *fake, size_t index) {
        struct top_row row = {0};

        assert_true(top_model_row(fake->ui.model, index, &row));
        return row;
}

/* One node of `tree`: its sums are of the whole sub-tree. */
static inline void set_node(struct table *t, size_t row, uint64_t process, uint64_t key, uint64_t parent,
                            const char *path, uint64_t bytes) {
        const char *slash = strrchr(path, '/');

        set_row(t, row, process, key, slash ? slash + 1 : path, bytes);
        fake_text(t, row, "path", path);
        fake_uint(t, row, "parent_key", parent);
}

/* www[101]: job with index (forget below it) and read; db[103]: query, and what its thread does outside of spans.  The
 * processes have more than their rows: some was lost. */
static inline void feed_tree(struct fake *fake, uint64_t time_ns, uint64_t step) {
        struct table *t = fake_table("tree", 6, time_ns);

        set_node(t, 0, 1, 1, 0, "job", 1000 * step);
        set_node(t, 1, 1, 2, 1, "job/index", 700 * step);
        set_node(t, 2, 1, 3, 2, "job/index/forget", 300 * step);
        set_node(t, 3, 1, 4, 1, "job/read", 100 * step);
        set_node(t, 4, 3, 1, 0, "query", 5000 * step);
        set_node(t, 5, 3, WIRE_OUTSIDE_KEY, 0, WIRE_OUTSIDE, 600 * step);
        fake_text(t, 5, "thread", "main");
        fake->own[0] = 1100 * step;
        fake->own[2] = 5800 * step;
        feed_table(fake, t);
}
