/* SPDX-License-Identifier: MIT */
/*
 * See stage.h.
 *
 * What is checked at each instruction at which the collector drains and settles:
 *   - the books balance, and the process is not expelled;
 *   - no sum and no count has fallen;
 *   - where the library lets the collector see its counters (no refused frame, nothing lost that waits), or has just
 *     written a record that ends an interval: self and total of every name, outside, lost and before are exactly what the
 *     oracle says.  Else nothing at all has moved since they were;
 *   - opened, closed, cycles and migrated are those of before the call or of after it; of after it, once it is done.
 *
 * What is checked after a death, with no exception: all sums are exact, up to the last instruction; opened is closed +
 * aborted; no sum is less than it was.
 *
 * A copy of segment and books is ended in their place, since what a killed process leaves is the segment as it is.  That
 * the kernel marks the owner's mutex, and that a real death gives the very same books, is shown by real kills.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "tests/step/stage.h"

/* ----------------------------------------------------------------------------------------------- reading -- */

static void add(uint64_t to[SHM_COUNTERS], const uint64_t from[SHM_COUNTERS]) {
        for (int c = 0; c < SHM_COUNTERS; c++)
                to[c] += from[c];
}

static void read_books(const struct books *books, struct seen *seen) {
        struct books_process_row process;
        struct books_row row;

        *seen = (struct seen){0};
        for (uint32_t path = 1; path <= books_path_count(books); path++) {
                uint32_t name = books_path_name(books, path), i;

                if (!name)
                        continue;
                i = (uint32_t)(books_name(books, name)[1] - '0');
                if (i >= STEP_NAMES)
                        wrong("a name that the program has not: %s", books_name(books, name));
                books_path_row(books, path, 1, &row);
                add(seen->sums.self[i], row.self);
                add(seen->sums.total[i], row.total);
                seen->counts[i].opened += row.opened;
                seen->counts[i].closed += row.closed;
                seen->counts[i].cycles += row.cycles;
                seen->counts[i].migrated += row.migrated;
                seen->counts[i].aborted += row.aborted;
        }
        books_process_row(books, &process);
        memcpy(seen->sums.outside, process.outside, sizeof process.outside);
        memcpy(seen->sums.lost, process.lost, sizeof process.lost);
        memcpy(seen->sums.before, process.before, sizeof process.before);
        memcpy(seen->counters, process.counters, sizeof process.counters);
        seen->refused = process.refused;
        seen->stale = process.stale;
        seen->balanced = process.balanced;
}

/* ---------------------------------------------------------------------------------------------- comparing -- */

#define SUMS (sizeof(struct truth) / sizeof(uint64_t))
static const char *sum_name(size_t i) {
        static const char *const others[] = {"outside", "lost", "before"};
        static char text[32];
        size_t rest = i / SHM_COUNTERS;

        if (rest < 2 * STEP_NAMES)
                snprintf(text, sizeof text, "%s of n%zu, counter %zu", rest < STEP_NAMES ? "self" : "total",
                         rest % STEP_NAMES, i % SHM_COUNTERS);
        else
                snprintf(text, sizeof text, "%s, counter %zu", others[rest - 2 * STEP_NAMES], i % SHM_COUNTERS);
        return text;
}

static void compare_sums(const struct truth *got, const struct truth *want, const char *why) {
        const uint64_t *g = (const uint64_t *)got, *w = (const uint64_t *)want;

        for (size_t i = 0; i < SUMS; i++)
                if (g[i] != w[i])
                        wrong("%s: %s is %llu, must be %llu", why, sum_name(i), (unsigned long long)g[i],
                              (unsigned long long)w[i]);
}

static void compare_order(const struct truth *low, const struct truth *high, const char *why) {
        const uint64_t *l = (const uint64_t *)low, *h = (const uint64_t *)high;

        for (size_t i = 0; i < SUMS; i++)
                if (l[i] > h[i])
                        wrong("%s: %s, %llu and %llu", why, sum_name(i), (unsigned long long)l[i],
                              (unsigned long long)h[i]);
}

#define COUNTS (sizeof(struct model_counts) * STEP_NAMES / sizeof(uint64_t))
static void compare_counts(const struct model_counts *got, const struct model_counts *a, const struct model_counts *b,
                           const char *why) {
        static const char *const names[] = {"opened", "closed", "cycles", "migrated", "aborted"};
        const uint64_t *g = (const uint64_t *)got, *x = (const uint64_t *)a, *y = (const uint64_t *)b;

        for (size_t i = 0; i < COUNTS; i++)
                if (g[i] < (x[i] < y[i] ? x[i] : y[i]) || g[i] > (x[i] > y[i] ? x[i] : y[i]))
                        wrong("%s: %s of n%zu is %llu, must be %llu or %llu", why, names[i % 5], i / 5,
                              (unsigned long long)g[i], (unsigned long long)x[i], (unsigned long long)y[i]);
}

static void check_rising(const struct seen *was, const struct seen *is) {
        const uint64_t *a = (const uint64_t *)was->counts, *b = (const uint64_t *)is->counts;

        compare_order(&was->sums, &is->sums, "a sum fell");
        for (size_t i = 0; i < COUNTS; i++)
                if (a[i] > b[i])
                        wrong("a count of n%zu fell", i / 5);
}

/* ------------------------------------------------------------------------------------------ each instruction -- */

/* Gives what was counted since the last look to whom it belongs. */
void attribute(void) {
        bool claims = stage.in_call && (stage.box->flags & STEP_CLAIMS);

        for (uint32_t i = 0; i < lanes(); i++)
                for (int c = 0; c < SHM_COUNTERS; c++) {
                        uint64_t is = atomic_load(&lane_at(i)->live[c]), by = is - stage.live[i][c];

                        if (!by)
                                continue;
                        stage.live[i][c] = is;
                        if (claims)
                                stage.truth.before[c] += by;
                        else
                                model_count(&stage.now, stage.current, &stage.truth, c, by);
                }
}

static const struct shm_record *record_at(uint32_t i, uint64_t position) {
        return &shm_ring_at(stage.real.map, &stage.geometry, i)[position % STEP_RECORDS];
}

/* Whether the records from `from` on end an interval at the present counters. */
static bool ended_now(uint32_t i, uint64_t from) {
        for (uint64_t at = stage.position[i]; at-- > from;) {
                const struct shm_record *record = record_at(i, at);

                if (record->kind == SHM_KIND_ENTER || record->kind == SHM_KIND_EXIT || record->kind == SHM_KIND_BASE)
                        return !memcmp(record->counters, stage.live[i], sizeof record->counters);
        }
        return false;
}

static bool lane_is_exact(uint32_t i, uint64_t from) {
        const struct shm_lane *lane = lane_at(i);
        uint32_t occupancy = atomic_load(&lane->occupancy), word = shm_owner_word(lane);

        if (!occupancy || (occupancy & 1))
                return false;
        if (!(word & SHM_OWNER_TID) || (word & SHM_OWNER_DIED))
                return atomic_load(&lane->retired) == occupancy;
        return (!atomic_load(&lane->refused_frames) && !atomic_load(&lane->lost_stretches)) || ended_now(i, from);
}

static void note_records(uint32_t i, uint64_t from) {
        for (uint64_t at = from; at < stage.position[i]; at++)
                stats.lost_records += record_at(i, at)->kind == SHM_KIND_LOST;
        if (stage.position[i] / STEP_RECORDS != stage.wrapped[i]) {
                stage.wrapped[i] = stage.position[i] / STEP_RECORDS;
                stats.wraps += stage.in_call && (stage.box->policy & STEP_EACH);
        }
}

void drain(void) {
        uint64_t tails[STEP_LANES];
        bool hold = stage.box->policy & STEP_HOLD;

        for (uint32_t i = 0; i < STEP_LANES && hold; i++)
                tails[i] = atomic_load(&lane_at(i)->tail);
        if (drain_pass(stage.real.drain, 1) < 0 || drain_settle(stage.real.drain, 1) < 0)
                wrong("expelled: %s", drain_fault(stage.real.drain));
        for (uint32_t i = 0; i < STEP_LANES && hold; i++)
                atomic_store(&lane_at(i)->tail, tails[i]);
        for (uint32_t i = 0; i < lanes() && !hold; i++)
                atomic_store(&lane_at(i)->tail, stage.real.books->lanes[i].position);
}

void check(void) {
        const struct seen was = stage.seen;
        bool exact = true, moved = false;

        drain();
        read_books(stage.real.books, &stage.seen);
        if (!stage.seen.balanced)
                wrong("the books do not balance");
        for (uint32_t i = 0; i < lanes(); i++) {
                uint64_t from = stage.position[i];

                stage.position[i] = stage.real.books->lanes[i].position;
                if (stage.position[i] != atomic_load(&lane_at(i)->head))
                        wrong("lane %u was not drained", i);
                moved |= stage.position[i] != from;
                exact &= lane_is_exact(i, from);
                note_records(i, from);
        }
        check_rising(&was, &stage.seen);
        if (exact)
                compare_sums(&stage.seen.sums, &stage.truth, "books and truth differ");
        else if (moved)
                compare_order(&stage.seen.sums, &stage.truth, "more is booked than was counted");
        else
                compare_sums(&stage.seen.sums, &was.sums, "booked though nothing can be known");
        if (stage.in_call) {
                stats.drained++;
                stats.exact += exact;
                stats.held += !exact;
        }
        compare_counts(stage.seen.counts, stage.now.counts, stage.in_call ? stage.next.counts : stage.now.counts,
                       "counts");
        if (!stage.in_call && stage.seen.refused != stage.now.refused)
                wrong("%llu were refused, must be %llu", (unsigned long long)stage.seen.refused,
                      (unsigned long long)stage.now.refused);
        if (stage.seen.stale)
                wrong("something was taken for stale");
}

/* -------------------------------------------------------------------------------------------------- death -- */

void check_end(const struct seen *seen) {
        struct model a = stage.now, b = stage.in_call ? stage.next : stage.now;

        if (!seen->balanced)
                wrong("the books of the dead do not balance");
        compare_sums(&seen->sums, &stage.truth, "after death");
        for (int c = 0; c < SHM_COUNTERS; c++) {
                uint64_t live = 0;

                for (uint32_t i = 0; i < STEP_LANES; i++)
                        live += stage.live[i][c];
                if (seen->counters[c] != live)
                        wrong("after death: counter %d ends at %llu, must be %llu", c,
                              (unsigned long long)seen->counters[c], (unsigned long long)live);
        }
        model_end(&a);
        model_end(&b);
        compare_counts(seen->counts, a.counts, b.counts, "after death");
        for (uint32_t i = 0; i < STEP_NAMES; i++)
                if (seen->counts[i].opened != seen->counts[i].closed + seen->counts[i].aborted)
                        wrong("after death: a span of n%u is neither closed nor aborted", i);
        check_rising(&stage.seen, seen);
}

void end_copy(void) {
        struct side *copy = &stage.copy, *real = &stage.real;
        size_t size = stage.geometry.segment_size, bytes = books_bytes(real);

        stats.copies++;
        if (!memcmp(stage.image, real->map, size) && !memcmp(stage.books_image, books_data(real), bytes)) {
                stats.same++;
        } else {
                memcpy(stage.image, real->map, size);
                memcpy(copy->map, stage.image, size);
                memcpy(stage.books_image, books_data(real), bytes);
                memcpy(books_data(copy), stage.books_image, bytes);
                must(drain_new(&copy->drain, copy->memfd, &stage.geometry, copy->books) == 0, "drain");
                if (drain_finish(copy->drain, 1) < 0)
                        wrong("the dead is expelled: %s", drain_fault(copy->drain));
                read_books(copy->books, &stage.end_of_copy);
                copy->drain = drain_free(copy->drain);
        }
        check_end(&stage.end_of_copy);
}

void wait_for_all(void) {
        int status;

        for (uint32_t i = stage.threads; i-- > 0;) {
                if (!stage.tids[i])
                        continue;
                while (waitpid(stage.tids[i], &status, __WALL) == stage.tids[i] && WIFSTOPPED(status))
                        ;
                stage.tids[i] = 0;
        }
}

void end_real(void) {
        if (drain_finish(stage.real.drain, 1) < 0)
                wrong("the dead is expelled: %s", drain_fault(stage.real.drain));
        attribute();
        read_books(stage.real.books, &stage.seen);
        stage.over = true;
}

void kill_for_real(void) {
        uint32_t words[STEP_LANES];
        pid_t pid = stage.tids[0];
        struct seen was = stage.seen;

        for (uint32_t i = 0; i < STEP_LANES; i++)
                words[i] = shm_owner_word(lane_at(i));
        attribute();
        end_copy();
        must(kill(pid, SIGKILL) == 0, "kill");
        wait_for_all();
        for (uint32_t i = 0; i < STEP_LANES; i++)
                if ((words[i] & SHM_OWNER_TID) && !(shm_owner_word(lane_at(i)) & SHM_OWNER_DIED))
                        wrong("the kernel did not mark lane %u", i);
        end_real();
        check_rising(&was, &stage.seen);
        stage.seen = was;
        read_books(stage.real.books, &was);
        check_end(&was);
        if (memcmp(&was, &stage.end_of_copy, sizeof was) != 0)
                wrong("a real death leaves other books than its copy");
        stats.kills++;
}
