/* SPDX-License-Identifier: MIT */
/*
 * See ps_rows.h.
 */
#include "ctl/rows/ps_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The latest program of each pid. */
struct latest {
        uint64_t pid, process;
};

static int by_pid(const void *left, const void *right) {
        const struct latest *a = left, *b = right;

        return (a->pid > b->pid) - (a->pid < b->pid);
}

static int by_pid_and_process(const void *left, const void *right) {
        const struct latest *a = left, *b = right;
        int r = by_pid(a, b);

        return r ? r : (a->process > b->process) - (a->process < b->process);
}

/* Sorted by pid; NULL: no memory. */
static struct latest *find_latest(const struct table *ps, size_t *ret_count) {
        struct latest *all = calloc(ps->row_count + 1, sizeof(*all));
        size_t n = 0;

        if (!all)
                return NULL;
        for (size_t row = 0; row < ps->row_count; row++)
                all[row] = (struct latest){table_uint(ps, row, "pid"), table_uint(ps, row, "process")};
        qsort(all, ps->row_count, sizeof(*all), by_pid_and_process);
        for (size_t row = 0; row < ps->row_count; row++)
                if (row + 1 == ps->row_count || all[row + 1].pid != all[row].pid)
                        all[n++] = all[row];
        *ret_count = n;
        return all;
}

/* Such as nice(1) and a shell's exec: nothing in its row is worth a line. */
static bool is_prelude(const struct table *ps, size_t row, const struct latest *latest, size_t count) {
        struct latest key = {.pid = table_uint(ps, row, "pid")}, *found;

        if (strcmp(table_text(ps, row, "ended"), "exec") || table_uint(ps, row, "spans") ||
            table_uint(ps, row, "lost_alloc_bytes") || !table_bool(ps, row, "balanced"))
                return false;
        found = bsearch(&key, latest, count, sizeof(key), by_pid);
        return found && found->process > table_uint(ps, row, "process");
}

int ps_rows_choose(struct table *ps, const struct options *options) {
        bool *keep = calloc(ps->row_count + 1, sizeof(*keep));
        bool fold = !options->json && !options->full;
        size_t count = 0;
        struct latest *latest = find_latest(ps, &count);
        uint64_t kept = 0;
        int folded = 0;

        if (!keep || !latest) {
                free(keep);
                free(latest);
                return -ENOMEM;
        }
        for (size_t row = 0; row < ps->row_count; row++) {
                if (options->alive && !table_bool(ps, row, "alive"))
                        continue;
                if (fold && is_prelude(ps, row, latest, count)) {
                        folded++;
                        continue;
                }
                keep[row] = !options->limit || kept < options->limit;
                kept += keep[row];
                ps->complete &= keep[row];
        }
        table_keep_rows(ps, keep);
        free(latest);
        free(keep);
        return folded;
}
