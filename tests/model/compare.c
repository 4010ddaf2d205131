/* SPDX-License-Identifier: MIT */
/*
 * The books against the oracle, number by number.
 */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/model/side.h"

struct verdict {
        FILE *to;
        unsigned differences;
};

static void differ(struct verdict *v, const char *who, const char *what, uint64_t got, uint64_t want) {
        if (got == want)
                return;
        v->differences++;
        if (v->to)
                fprintf(v->to, "  %s: %s is %" PRIu64 ", must be %" PRIu64 "\n", who, what, got, want);
}

static void differ_four(struct verdict *v, const char *who, const char *what, const uint64_t got[4],
                        const uint64_t want[4], const uint64_t base[4]) {
        static const char *const names[4] = {"alloc_count", "alloc_bytes", "dealloc_count", "dealloc_bytes"};
        char text[64];

        for (int c = 0; c < 4; c++) {
                snprintf(text, sizeof text, "%s %s", what, names[c]);
                differ(v, who, text, got[c], want[c] - base[c]);
        }
}

/* -------------------------------------------------------------------------------------------------- per call -- */

static int by_value(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return x < y ? -1 : x > y;
}

/* Within half a bucket of the value at the nearest rank: 1/32 of it. */
static void differ_percentile(struct verdict *v, const char *who, const char *what, uint64_t got,
                              const uint64_t *sorted, uint32_t n, unsigned permille) {
        uint64_t want = n ? sorted[((uint64_t)n * permille + 999) / 1000 - 1] : 0;

        if (got > want + want / 32 || got < want - want / 32)
                differ(v, who, what, got, want);
}

static bool is_call_of(const struct oracle *o, uint32_t span, uint32_t path, int name) {
        const struct oracle_span *s = &o->spans[span];

        return s->exists && s->counts && (name < 0 ? s->path == path : o->paths[s->path].name == name);
}

static void differ_calls(struct verdict *v, const char *who, const struct oracle *o, uint32_t path, int name,
                         const struct books_per_call *got, bool is_crowded) {
        static uint64_t values[SCHEDULE_SPANS];
        uint32_t n = 0;

        for (uint32_t i = 1; i < o->span_count; i++)
                if (is_call_of(o, i, path, name))
                        values[n++] = o->spans[i].sums[1];
        qsort(values, n, sizeof values[0], by_value);
        differ(v, who, "per_call.count", got->count, n);
        differ(v, who, "per_call.max", got->max, n ? values[n - 1] : 0);
        if (is_crowded) /* count and largest value are exact all the same */
                return;
        differ_percentile(v, who, "per_call.p50", got->p50, values, n, 500);
        differ_percentile(v, who, "per_call.p90", got->p90, values, n, 900);
        differ_percentile(v, who, "per_call.p99", got->p99, values, n, 990);
}

/* ------------------------------------------------------------------------------------------------------ rows -- */

static void differ_rate(struct verdict *v, const char *who, const struct oracle *o, const struct oracle_path *p,
                        const double got[3]) {
        static const double window[3] = {10, 60, 600};
        double age = (double)(o->now_ns - p->born_ns) / 1e9;

        for (int i = 0; i < 3; i++) {
                double want = p->decayed[i] / (window[i] * (1 - exp(-(age < 1 ? 1 : age) / window[i])));

                if (fabs(got[i] - want) <= 1e-6 * want + 1e-9)
                        continue;
                v->differences++;
                if (v->to)
                        fprintf(v->to, "  %s: rate %d is %g, must be %g\n", who, i, got[i], want);
        }
}

static enum books_quality quality_of(const struct oracle_path *p) {
        if (p->mixed)
                return BOOKS_MIXED;
        if (p->estimated)
                return BOOKS_ESTIMATED;
        if (p->touched_by_loss || p->refused)
                return BOOKS_LOST;
        return p->migrated ? BOOKS_MIGRATED : BOOKS_EXACT;
}

static void add_row(struct oracle_path *sum, const struct oracle_path *p, const struct oracle_path *base) {
        for (int c = 0; c < 4; c++) {
                sum->self[c] += p->self[c] - base->self[c];
                sum->total[c] += p->total[c] - base->total[c];
        }
        sum->cycles += p->cycles - base->cycles;
        sum->opened += p->opened - base->opened;
        sum->closed += p->closed - base->closed;
        sum->aborted += p->aborted - base->aborted;
        sum->migrated += p->migrated - base->migrated;
        sum->refused += p->refused - base->refused;
}

static void differ_row(struct verdict *v, const char *who, const struct oracle *o, const struct books_row *got,
                       const struct oracle_path *want, uint64_t open) {
        static const uint64_t zero[4];

        differ_four(v, who, "self", got->self, want->self, zero);
        differ_four(v, who, "total", got->total, want->total, zero);
        differ(v, who, "cycles", got->cycles, want->cycles);
        differ(v, who, "migrated", got->migrated, want->migrated);
        differ(v, who, "refused", got->refused, want->refused);
        /* An evicted span is closed when its close comes, entered or not; one that was opened late may be told twice. */
        if (!o->setup.is_evicting || !want->refused)
                differ(v, who, "opened", got->opened, want->opened);
        if (o->setup.is_evicting)
                return;
        differ(v, who, "closed", got->closed, want->closed);
        differ(v, who, "aborted", got->aborted, want->aborted);
        differ(v, who, "open", got->open, open);
}

static size_t path_text(const struct oracle *o, uint32_t path, char *buf, size_t size) {
        const struct oracle_path *p = &o->paths[path];
        size_t at = p->parent ? path_text(o, p->parent, buf, size) : 0;

        if (at)
                at += (size_t)snprintf(buf + at, size - at, "/");
        if (p->name == OTHER_NAME)
                return at + (size_t)snprintf(buf + at, size - at, "(other)");
        return at + (size_t)snprintf(buf + at, size - at, "n%u", p->name);
}

static uint32_t find_path(const struct books *books, const char *text, uint32_t guess) {
        char buf[512];

        if (guess && guess <= books_path_count(books)) {
                books_path_text(books, guess, buf, sizeof buf);
                if (!strcmp(buf, text))
                        return guess;
        }
        for (uint32_t path = 1; path <= books_path_count(books); path++) {
                if (!books_path_name(books, path))
                        continue;
                books_path_text(books, path, buf, sizeof buf);
                if (!strcmp(buf, text))
                        return path;
        }
        return 0;
}

/* Small tables of paths have few parts of histograms, too: where they are used up, the row says `estimated`. */
static bool is_crowded(const struct oracle *o, const struct books_row *row) {
        return o->setup.path_capacity < 128 && row->quality == BOOKS_ESTIMATED;
}

static void compare_paths(struct verdict *v, struct side *side, const struct oracle *o) {
        uint32_t known = 0, there = 0;

        for (uint32_t path = 1; path < o->path_count; path++) {
                const struct oracle_path *p = &o->paths[path];
                struct oracle_path want = {0};
                struct books_row row;
                char text[512];
                uint32_t at;

                if (!p->known)
                        continue;
                known++;
                path_text(o, path, text, sizeof text);
                at = side->path_at[path] = find_path(side->books, text, side->path_at[path]);
                differ(v, text, "there", at != 0, true);
                if (!at)
                        continue;
                books_path_row(side->books, at, o->now_ns, &row);
                add_row(&want, p, &o->base[path]);
                differ_row(v, text, o, &row, &want, p->opened - p->closed - p->aborted);
                differ_rate(v, text, o, p, row.rate);
                if (!o->setup.is_evicting) {
                        differ_calls(v, text, o, path, -1, &row.per_call, is_crowded(o, &row));
                        if (!is_crowded(o, &row))
                                differ(v, text, "quality", row.quality, quality_of(p));
                }
        }
        for (uint32_t at = 1; at <= books_path_count(side->books); at++)
                there += books_path_name(side->books, at) != 0;
        differ(v, "process", "paths", there, known);
}

static void compare_names(struct verdict *v, const struct side *side, const struct oracle *o) {
        for (uint32_t id = 1; id <= books_name_count(side->books); id++) {
                const char *text = books_name(side->books, id);
                unsigned name = *text == 'n' ? (unsigned)atoi(text + 1) : OTHER_NAME;
                struct oracle_path want = {0};
                enum books_quality quality = BOOKS_EXACT;
                uint64_t open = 0;
                uint32_t path, paths, n = 0;
                struct books_row row;

                if (!*text) /* no record has led to it */
                        continue;
                books_name_row(side->books, id, o->now_ns, &row, &path, &paths);
                for (uint32_t p = 1; p < o->path_count; p++) {
                        if (!o->paths[p].known || o->paths[p].name != name)
                                continue;
                        add_row(&want, &o->paths[p], &o->base[p]);
                        open += o->paths[p].opened - o->paths[p].closed - o->paths[p].aborted;
                        if (quality_of(&o->paths[p]) > quality)
                                quality = quality_of(&o->paths[p]);
                        n++;
                }
                differ_row(v, text, o, &row, &want, open);
                differ(v, text, "paths", paths, n);
                if (!o->setup.is_evicting) {
                        differ_calls(v, text, o, 0, (int)name, &row.per_call, is_crowded(o, &row));
                        if (!is_crowded(o, &row))
                                differ(v, text, "quality", row.quality, quality);
                }
        }
}

static void compare_process(struct verdict *v, const struct side *side, const struct oracle *o) {
        uint64_t outside[4] = {0}, base[4] = {0}, got[4];
        struct books_process_row row;
        struct books_row outside_row;
        char why[160] = "";
        const char *name;

        for (unsigned t = 0; t < SCHEDULE_THREADS; t++)
                for (int c = 0; c < 4; c++) {
                        outside[c] += o->outside[t][c];
                        base[c] += o->base_outside[t][c];
                }
        books_process_row(side->books, &row);
        differ_four(v, "process", "counted", row.counters, o->counted, o->base_counted);
        differ_four(v, "process", "outside", row.outside, outside, base);
        differ_four(v, "process", "lost", row.lost, o->lost, o->base_lost);
        differ_four(v, "process", "before", row.before, o->before, o->base_before);
        differ(v, "process", "balanced", row.balanced, true);
        differ(v, why, "the books' own check",
               books_check(side->books, why, sizeof why) && drain_check(side->drain, why, sizeof why), true);
        differ(v, "process", "refused", row.refused,
               o->refused_enters + o->refused_depth + o->refused_opens + o->refused_closes);
        if (!o->setup.is_evicting)
                differ(v, "process", "stale", row.stale, o->stale);
        for (uint32_t i = 0; books_thread_row(side->books, i, &name, got); i++) {
                if (*name != 't')
                        continue;
                differ_four(v, name, "outside", got, o->outside[atoi(name + 1)], o->base_outside[atoi(name + 1)]);
                books_outside_row(side->books, i, o->now_ns, 0, &outside_row);
                differ_four(v, name, "the row outside", outside_row.self, o->outside[atoi(name + 1)],
                            o->base_outside[atoi(name + 1)]);
        }
}

/* ---------------------------------------------------------------------------------------------------- events -- */

static uint32_t span_of(const uint64_t *instances, uint64_t instance) {
        for (uint32_t i = 1; i < SCHEDULE_SPANS; i++)
                if (instances[i] == instance)
                        return i;
        return 0;
}

/* Each closed span with a cycle, of which nothing is missing, is told of once, with its sums; nothing else is. */
static void compare_events(struct verdict *v, struct side *side, const struct oracle *o, const uint64_t *instances) {
        static const uint64_t zero[4];
        static uint8_t told[SCHEDULE_SPANS];

        memset(told, 0, sizeof told);
        for (uint32_t e = 0; e < side->event_count; e++) {
                const struct books_event *event = &side->events[e];
                uint32_t i = side->event_spans[e] ? side->event_spans[e] : span_of(instances, event->instance);
                const struct oracle_span *span = &o->spans[i];
                char who[32];

                side->event_spans[e] = i;
                snprintf(who, sizeof who, "event of span %u", i);
                /* It may have been evicted between its first enter and the sight of its opening. */
                if (o->setup.is_evicting && span->wandered)
                        continue;
                if (!i || told[i]++ || !span->closed || (span->partial && !o->setup.is_evicting)) {
                        differ(v, who, "expected", false, true);
                        continue;
                }
                differ_four(v, who, "sum of", event->sums, span->sums, zero);
                differ(v, who, "cycles", event->cycles, span->cycles);
        }
        for (uint32_t i = 1; i < o->span_count && !o->setup.is_evicting; i++)
                if (o->spans[i].closed && o->spans[i].cycles && !o->spans[i].partial && !told[i]) {
                        char who[32];

                        snprintf(who, sizeof who, "span %u", i);
                        differ(v, who, "told of", 0, 1);
                }
}

unsigned side_compare(struct side *side, const struct oracle *o, const uint64_t *instances, FILE *to) {
        struct verdict v = {.to = to};

        compare_paths(&v, side, o);
        compare_names(&v, side, o);
        compare_process(&v, side, o);
        compare_events(&v, side, o, instances);
        return v.differences;
}
