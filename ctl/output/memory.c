/* SPDX-License-Identifier: MIT */
/*
 * The books of a process beside the kernel's numbers of it: one sentence.  Both come in the row of `ps`; nothing is
 * read here.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl/output/format.h"
#include "ctl/output/memory.h"
#include "ctl/rows/counting.h"

/* Stacks and what malloc keeps in reserve are never in the books: a difference counts from here on. */
#define SLACK_BYTES (UINT64_C(64) << 20)

char *memory_of_process(const struct table *ps, size_t row, char buf[MEMORY_TEXT_MAX]) {
        const char *comm = table_text(ps, row, "comm");
        /* What of its resident memory may be malloc's.  An older collector has no such column. */
        bool is_anon = table_column(ps, "rss_anon_bytes") >= 0;
        uint64_t pid = table_uint(ps, row, "pid"), rss = table_uint(ps, row, is_anon ? "rss_anon_bytes" : "rss_bytes"),
                 net;
        int64_t books = table_int(ps, row, "net_bytes");
        char a[FORMAT_MAX], b[FORMAT_MAX];

        *buf = '\0';
        if (!table_bool(ps, row, "alive") || !rss || counting_is_missing(table_text(ps, row, "counting")))
                return buf;
        net = books > 0 ? (uint64_t)books : 0;
        if (rss > 2 * net + SLACK_BYTES)
                snprintf(buf, MEMORY_TEXT_MAX,
                         "%s[%" PRIu64 "] has %s resident%s and %s of it in its books: "
                         "the rest is not malloc's (mmap, stacks, a runtime's own heap), or free and kept by the "
                         "allocator.",
                         comm, pid, format_bytes(a, rss), is_anon ? ", without files and shared memory," : "",
                         format_bytes(b, net));
        else if (net > rss + rss / 4 + SLACK_BYTES / 4)
                snprintf(buf, MEMORY_TEXT_MAX,
                         "%s[%" PRIu64 "] has %s in its books, and only %s resident%s: the rest is swapped out, or was "
                         "never written to.",
                         comm, pid, format_bytes(a, net), format_bytes(b, rss),
                         is_anon ? ", without files and shared memory" : "");
        return buf;
}

static bool is_first_of_unit(const struct table *ps, size_t row, const char *unit) {
        for (size_t i = 0; i < row; i++)
                if (table_uint(ps, i, "unit_memory_bytes") && !strcmp(table_text(ps, i, "unit"), unit))
                        return false;
        return true;
}

char *memory_of_unit(const struct table *ps, size_t row, char buf[MEMORY_TEXT_MAX]) {
        const char *unit = table_text(ps, row, "unit");
        uint64_t memory = table_uint(ps, row, "unit_memory_bytes"), net = 0;
        uint64_t limit = table_uint(ps, row, "unit_memory_limit_bytes");
        char a[FORMAT_MAX], b[FORMAT_MAX], c[FORMAT_MAX];

        *buf = '\0';
        if (!*unit || !memory || !is_first_of_unit(ps, row, unit))
                return buf;
        for (size_t i = row; i < ps->row_count; i++)
                if (table_bool(ps, i, "alive") && !strcmp(table_text(ps, i, "unit"), unit) &&
                    table_int(ps, i, "net_bytes") > 0)
                        net += (uint64_t)table_int(ps, i, "net_bytes");
        if (limit && memory >= limit / 10 * 9)
                snprintf(buf, MEMORY_TEXT_MAX,
                         "%s uses %s of the %s that it may: near its limit the kernel reclaims, then kills.  %s of it "
                         "is "
                         "in the books here.",
                         unit, format_bytes(a, memory), format_bytes(b, limit), format_bytes(c, net));
        else if (memory > 2 * net + 2 * SLACK_BYTES)
                snprintf(
                        buf, MEMORY_TEXT_MAX,
                        "%s uses %s, and %s of it is in the books here: the rest is page cache, processes that are not "
                        "attached, or not malloc's.",
                        unit, format_bytes(a, memory), format_bytes(b, net));
        return buf;
}
