/* SPDX-License-Identifier: MIT */
/*
 * One pass over the rows of `ps`, and differences between two of them.
 */
#include <stdio.h>
#include <string.h>

#include "base/nanoseconds.h"
#include "ctl/model/top_summary.h"
#include "ctl/rows/counting.h"

static bool is_exact(const char *quality) {
        return !*quality || !strcmp(quality, "exact");
}

static void add_alive(struct top_summary *summary, const struct table *ps, size_t row) {
        summary->processes++;
        summary->threads += table_uint(ps, row, "threads");
        summary->timed += table_bool(ps, row, "timed");
        summary->rss_bytes += table_uint(ps, row, "rss_bytes");
        if (counting_is_missing(table_text(ps, row, "counting"))) {
                summary->uncounted++;
                return;
        }
        summary->heap_known = true;
        summary->heap_bytes += table_int(ps, row, "net_bytes");
        summary->heap_estimated |= !is_exact(table_text(ps, row, "net_quality"));
}

/* Of two units the one that uses more of its limit counts. */
static void find_unit(struct top_summary *summary, const struct table *ps) {
        const char *nearest = "", *first = NULL;
        bool alone = true;

        for (size_t row = 0; row < ps->row_count; row++) {
                uint64_t limit = table_uint(ps, row, "unit_memory_limit_bytes");
                uint64_t bytes = table_uint(ps, row, "unit_memory_bytes");
                const char *unit = table_text(ps, row, "unit");

                if (!table_bool(ps, row, "alive"))
                        continue;
                first = first ? first : unit;
                alone &= !strcmp(first, unit);
                if (!limit || !*unit ||
                    (*nearest &&
                     (double)bytes / (double)limit <= (double)summary->unit_bytes / (double)summary->unit_limit))
                        continue;
                nearest = unit;
                summary->unit_bytes = bytes;
                summary->unit_limit = limit;
        }
        snprintf(summary->unit, sizeof(summary->unit), "%s", nearest);
        summary->unit_alone = alone;
}

struct top_summary top_summary_read(uint64_t time_ns, const struct table *processes, const struct table *status) {
        struct top_summary summary = {
                .time_ns = time_ns,
                .all_processes = table_uint(status, 0, "processes"),
                .all_threads = table_uint(status, 0, "threads"),
                .records_rate = table_uint(status, 0, "records_rate"),
                .all_refused = table_uint(status, 0, "refused"),
                .ring_fill_ppm = table_uint(status, 0, "ring_fill_ppm"),
                .collector = table_uint(status, 0, "pid"),
                .started = table_uint(status, 0, "generation"),
                .took_over = table_uint(status, 0, "took_over"),
                .rss_known = table_column(processes, "rss_bytes") >= 0,
        };
        unsigned __int128 all = 0, lost = 0;

        for (size_t row = 0; row < processes->row_count; row++) {
                all += table_uint(processes, row, "alloc_bytes");
                lost += table_uint(processes, row, "lost_alloc_bytes");
                summary.refused += table_uint(processes, row, "refused");
                if (table_bool(processes, row, "alive"))
                        add_alive(&summary, processes, row);
        }
        find_unit(&summary, processes);
        summary.alloc_bytes = (uint64_t)all;
        summary.coverage_ppm = all ? (uint64_t)((all - (lost < all ? lost : all)) * 1000000 / all) : 1000000;
        return summary;
}

/* Bytes of the heap that is in use: none of a process that ended. */
static int64_t heap_of(const struct top_member *member) {
        return member->ended || member->uncounted ? 0 : member->net_bytes;
}

static int64_t per_second(__int128 difference, uint64_t elapsed_ns) {
        return (int64_t)(difference * (__int128)NS_PER_S / (__int128)elapsed_ns);
}

struct difference {
        __int128 count, alloc, heap;
};

static struct difference difference_of(const struct top_member *now, const struct top_member *before) {
        /* Sums that fell were reset in between. */
        if (before)
                return (struct difference){
                        now->alloc_count - (now->alloc_count >= before->alloc_count ? before->alloc_count : 0),
                        now->alloc_bytes - (now->alloc_bytes >= before->alloc_bytes ? before->alloc_bytes : 0),
                        (__int128)heap_of(now) - heap_of(before),
                };
        /* Of a process that attached in between, what it had before is no growth. */
        return (struct difference){
                now->alloc_count - (now->before_count < now->alloc_count ? now->before_count : now->alloc_count),
                now->alloc_bytes - (now->before_bytes < now->alloc_bytes ? now->before_bytes : now->alloc_bytes),
                now->before_bytes ? 0 : heap_of(now),
        };
}

/* What a member's row was; the heap of those before it that are gone is taken off.  Both are in the order of their
 * numbers, and `at` is the next of the older ones. */
static const struct top_member *find_before(const struct top_members *before, size_t *at, uint64_t process,
                                            struct difference *sum) {
        for (; *at < before->count && before->rows[*at].process < process; (*at)++)
                sum->heap -= heap_of(&before->rows[*at]);
        if (*at == before->count || before->rows[*at].process != process)
                return NULL;
        return &before->rows[(*at)++];
}

static void keep_memory(struct top_summary *now, const struct top_summary *before) {
        now->rss_known = true;
        now->rss_bytes = before->rss_bytes;
        memcpy(now->unit, before->unit, sizeof(now->unit));
        now->unit_bytes = before->unit_bytes;
        now->unit_limit = before->unit_limit;
        now->unit_alone = before->unit_alone;
}

void top_summary_compare(struct top_summary *now, struct top_members *members, const struct top_summary *before,
                         const struct top_members *members_before) {
        struct difference sum = {0};
        uint64_t elapsed = now->time_ns - before->time_ns;
        size_t at = 0;

        if (!now->rss_known && before->rss_known)
                keep_memory(now, before);
        if (!before->time_ns || now->time_ns <= before->time_ns)
                return;
        for (size_t i = 0; i < members->count; i++) {
                struct top_member *member = &members->rows[i];
                struct difference difference = difference_of(member,
                                                             find_before(members_before, &at, member->process, &sum));

                member->rates.known = true;
                member->rates.alloc_count = (uint64_t)per_second(difference.count, elapsed);
                member->rates.alloc_bytes = (uint64_t)per_second(difference.alloc, elapsed);
                member->rates.net_bytes = per_second(difference.heap, elapsed);
                sum.alloc += difference.alloc;
                sum.heap += difference.heap;
        }
        find_before(members_before, &at, UINT64_MAX, &sum);
        now->rates_known = true;
        now->alloc_rate = (uint64_t)per_second(sum.alloc, elapsed);
        now->heap_rate = per_second(sum.heap, elapsed);
}
