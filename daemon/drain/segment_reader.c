/* SPDX-License-Identifier: MIT */
/* See segment_reader.h. */
#include "daemon/drain/segment_reader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include "base/clean_text.h"
#include "base/pages.h"
#include "shm/ring.h"
#include "shm/segment.h"

#define FORGET_PORTION (UINT64_C(8) << 20)

static int fault(struct segment_reader *reader, const char *format, ...) {
        va_list args;

        va_start(args, format);
        vsnprintf(reader->fault, sizeof reader->fault, format, args);
        va_end(args);
        return -EBADMSG;
}

static struct shm_header *header(const struct segment_reader *reader) {
        return reader->map;
}

static struct shm_lane *lane_at(const struct segment_reader *reader, uint32_t lane) {
        return shm_lane_at(reader->map, &reader->geometry, lane);
}

int segment_init(struct segment_reader *reader, int memfd, const struct shm_geometry *geometry) {
        *reader = (struct segment_reader){.geometry = *geometry};
        return shm_segment_map(&reader->map, memfd, geometry->segment_size);
}

void segment_deinit(struct segment_reader *reader) {
        if (reader->map)
                munmap(reader->map, reader->geometry.segment_size);
        *reader = (struct segment_reader){0};
}

bool segment_forget_rings(const struct segment_reader *reader, uint32_t *ring) {
        const struct shm_geometry *geometry = &reader->geometry;
        uint64_t begin = page_round_up(shm_ring_offset(geometry, *ring)), end = begin;

        for (; *ring < reader->lanes && end - begin < FORGET_PORTION; ++*ring)
                end = page_round_up(shm_ring_offset(geometry, *ring + 1));
        /* They would be read in again.  Where it fails, all of it is left to segment_deinit(). */
        if (end > begin)
                (void)madvise((char *)reader->map + begin, end - begin, MADV_DONTNEED);
        return *ring >= reader->lanes;
}

uint32_t segment_claimed(const struct segment_reader *reader) {
        return atomic_load_explicit(&header(reader)->lanes_claimed, memory_order_acquire);
}

int segment_lanes(struct segment_reader *reader) {
        uint32_t n = segment_claimed(reader);

        if (n < reader->lanes || n > reader->geometry.lane_capacity)
                return fault(reader, "it says that %u of %u lanes are claimed, after %u", n,
                             reader->geometry.lane_capacity, reader->lanes);
        reader->lanes = n;
        return 0;
}

int segment_head(struct segment_reader *reader, uint32_t lane, uint64_t position, uint64_t *ret_head) {
        uint64_t head = ring_head(lane_at(reader, lane));

        if (head < position || head - position > shm_ring_records(&reader->geometry, lane))
                return fault(reader, "lane %u's head is %llu, with %llu drained and %u slots", lane,
                             (unsigned long long)head, (unsigned long long)position,
                             shm_ring_records(&reader->geometry, lane));
        *ret_head = head;
        return 0;
}

bool segment_has_records(const struct segment_reader *reader, uint32_t lane, uint64_t position) {
        return ring_head(lane_at(reader, lane)) != position;
}

struct segment_ring segment_ring(const struct segment_reader *reader, uint32_t lane) {
        return (struct segment_ring){
                .records = shm_ring_at(reader->map, &reader->geometry, lane),
                .mask = shm_ring_records(&reader->geometry, lane) - 1,
                .lane = lane,
        };
}

int segment_fail_record(struct segment_reader *reader, uint32_t lane, uint64_t position,
                        const struct shm_record *record) {
        if (record->sequence != position)
                return fault(reader, "lane %u's record %llu carries the sequence %llu", lane,
                             (unsigned long long)position, (unsigned long long)record->sequence);
        return fault(reader, "lane %u's record %llu has kind %u, flags %#x and instance %llu", lane,
                     (unsigned long long)position, record->kind, record->flags, (unsigned long long)record->instance);
}

void segment_release(struct segment_reader *reader, uint32_t lane, uint64_t position) {
        ring_release(lane_at(reader, lane), position);
}

/* --------------------------------------------------------------------------------------------- names and paths -- */

/* True if the books have the name, which is read for it.  False: the segment has none there, or its user no room. */
static bool learn_name(struct segment_reader *reader, struct books *books, uint32_t id) {
        char name[SHM_NAME_BYTES], file[SHM_FILE_BYTES];
        struct book_name clean = {0};
        const struct shm_name *from;

        if (!id || id >= books_limits(books)->names || id >= reader->geometry.name_capacity)
                return false;
        if (names_have(books, id))
                return true;
        from = &shm_names(reader->map, &reader->geometry)[id];
        /* [N2] acquire of `state`, pairs with the release in copy_name(). */
        if (atomic_load_explicit(&from->state, memory_order_acquire) == SHM_NAME_EMPTY)
                return false;
        if (!quota_take(reader->quota, QUOTA_NAMES, 1))
                return false;
        shm_load_text(name, from->name, sizeof name);
        shm_load_text(file, from->file, sizeof file);
        clean.name_length = (uint16_t)text_clean(clean.name, sizeof clean.name, name, sizeof name - 1);
        if (file[0])
                clean.file_length = (uint16_t)text_clean(clean.file, sizeof clean.file, file, sizeof file - 1);
        clean.line = shm_load(from->line);
        names_add(books, id, &clean);
        return true;
}

/* The reserved path, which the client's table may lack. */
static uint32_t other_path(struct segment_reader *reader, struct books *books) {
        if (names_have_path(books, SHM_PATH_OTHER))
                return SHM_PATH_OTHER;
        quota_add(reader->quota, QUOTA_NAMES, !names_have(books, SHM_NAME_OTHER));
        quota_add(reader->quota, QUOTA_PATHS, 1);
        names_add_other(books);
        return SHM_PATH_OTHER;
}

uint32_t segment_learn_path(struct segment_reader *reader, struct books *books, uint32_t path) {
        uint32_t chain[SHM_PATH_DEPTH_MAX + 1], names[SHM_PATH_DEPTH_MAX], n = 0, at = path;

        /* Down to the root, or to a path that is known; ids fall on the way, so there is no circle. */
        do {
                uint64_t key;

                if (!at || at >= books_limits(books)->paths || at >= reader->geometry.path_capacity ||
                    n == SHM_PATH_DEPTH_MAX)
                        return other_path(reader, books);
                /* Relaxed: published before the record that named it ([R1]). */
                key = atomic_load_explicit(&shm_paths(reader->map, &reader->geometry)[at].key, memory_order_relaxed);
                if ((uint32_t)(key >> 32) >= at || !learn_name(reader, books, (uint32_t)key))
                        return other_path(reader, books);
                chain[n] = at;
                names[n++] = (uint32_t)key;
                at = (uint32_t)(key >> 32);
        } while (at && !names_have_path(books, at));

        if ((at && books_path_depth(books, at) + n >= SHM_PATH_DEPTH_MAX) || !quota_take(reader->quota, QUOTA_PATHS, n))
                return other_path(reader, books);
        chain[n] = at;
        while (n--)
                names_add_path(books, chain[n], chain[n + 1], names[n]);
        return path;
}

uint64_t segment_path_refused(const struct segment_reader *reader, uint32_t path) {
        if (path >= reader->geometry.path_capacity)
                return 0;
        return atomic_load_explicit(&shm_paths(reader->map, &reader->geometry)[path].refused, memory_order_relaxed);
        /* Relaxed: a count by itself. */
}

/* -------------------------------------------------------------------------------------------------------- closes -- */

uint32_t segment_posted_closes(const struct segment_reader *reader) {
        /* [C1] acquire of the count, pairs with the release in sa_foreign_close(). */
        return atomic_load_explicit(&header(reader)->closes_posted, memory_order_acquire);
}

bool segment_has_closes(struct segment_reader *reader) {
        uint32_t posted = segment_posted_closes(reader);

        if (posted == reader->closes_posted)
                return false;
        reader->closes_posted = posted;
        return true;
}

bool segment_close(const struct segment_reader *reader, uint32_t slot, struct shm_close *ret) {
        const struct shm_close *close = &shm_closes(reader->map, &reader->geometry)[slot];
        /* [C1] acquire of the slot, pairs with the release in sa_foreign_close(). */
        uint64_t instance = atomic_load_explicit(&close->instance, memory_order_acquire);

        if (!instance || instance == SHM_CLOSE_CLAIMED)
                return false;
        atomic_store_explicit(&ret->instance, instance, memory_order_relaxed); /* Relaxed: ours. */
        ret->path = close->path;
        ret->flags = close->flags;
        SEGMENT_COPIED();
        return true;
}

void segment_free_close(struct segment_reader *reader, uint32_t slot) {
        struct shm_close *close = &shm_closes(reader->map, &reader->geometry)[slot];

        /* [C2] release of an empty slot, pairs with the acquire in sa_foreign_close(): its path has been read. */
        atomic_store_explicit(&close->instance, 0, memory_order_release);
}

/* ----------------------------------------------------------------------------------------------- lanes and owners --
 * */

static bool word_is_alive(uint32_t word) {
        return (word & SHM_OWNER_TID) && !(word & SHM_OWNER_DIED);
}

/* 0 while the lane's first owner has not made its mutex, which is not read before. */
static uint32_t owner_word(const struct shm_lane *lane) {
        /* [O3] acquire of the occupancy, pairs with the release in begin(). */
        return atomic_load_explicit(&lane->occupancy, memory_order_acquire) > 1 ? shm_owner_word(lane) : 0;
}

bool segment_is_alive(const struct segment_reader *reader, uint32_t lane) {
        return word_is_alive(owner_word(lane_at(reader, lane)));
}

bool segment_was_left(const struct segment_reader *reader, uint32_t i) {
        const struct shm_lane *lane = lane_at(reader, i);
        /* Relaxed: nothing that the thread wrote is read for it.  Odd: claimed, and perhaps not yet locked. */
        uint32_t occupancy = atomic_load_explicit(&lane->occupancy, memory_order_relaxed);

        return occupancy && !(occupancy & 1) && !(shm_owner_word(lane) & (SHM_OWNER_TID | SHM_OWNER_DIED));
}

uint64_t segment_activity(const struct segment_reader *reader) {
        uint64_t sum = reader->lanes;

        /* Relaxed: only compared.  A client that hides its doings hides them from its own row. */
        for (uint32_t i = 0; i < reader->lanes; i++) {
                const struct shm_lane *lane = lane_at(reader, i);

                sum += owner_word(lane) + ring_head(lane);
                for (int c = 0; c < SHM_COUNTERS; c++)
                        sum += atomic_load_explicit(&lane->live[c], memory_order_relaxed);
        }
        return sum;
}

uint32_t segment_tid(const struct segment_reader *reader, uint32_t lane) {
        return segment_is_alive(reader, lane) ? shm_load(lane_at(reader, lane)->tid) : 0;
}

bool segment_past_owner(const struct segment_reader *reader, uint32_t i, uint32_t occupancy, struct lane_owner *ret) {
        const struct shm_past *past = &lane_at(reader, i)->past[occupancy / 2 % SHM_PAST];
        uint32_t is = shm_load(past->occupancy);

        *ret = (struct lane_owner){.occupancy = occupancy};
        shm_load_text(ret->comm, past->comm, sizeof ret->comm);
        shm_load_counters(ret->before, past->before);
        shm_load_counters(ret->gap, past->gap);
        shm_load_counters(ret->offset, past->offset);
        return is == occupancy;
}

bool segment_lane_owner(const struct segment_reader *reader, uint32_t i, struct lane_owner *ret) {
        const struct shm_lane *lane = lane_at(reader, i);
        /* [O3] acquire of the occupancy, pairs with the release in begin(). */
        uint32_t occupancy = atomic_load_explicit(&lane->occupancy, memory_order_acquire);

        ret->occupancy = occupancy;
        ret->alive = word_is_alive(owner_word(lane));
        ret->tid = shm_load(lane->tid);
        shm_load_text(ret->comm, lane->comm, sizeof ret->comm);
        shm_load_counters(ret->before, lane->before);
        shm_load_counters(ret->gap, lane->gap);
        shm_load_counters(ret->offset, lane->offset);
        return !(occupancy & 1) && segment_is_still(reader, i, occupancy);
}

bool segment_is_still(const struct segment_reader *reader, uint32_t i, uint32_t occupancy) {
        const struct shm_lane *lane = lane_at(reader, i);

        /* [O3] acquire fence, pairs with the release fence in begin(): what the next occupant wrote shows us that it is
         * there. */
        atomic_thread_fence(memory_order_acquire);
        return atomic_load_explicit(&lane->occupancy, memory_order_relaxed) == occupancy;
}

void segment_last_counters(const struct segment_reader *reader, uint32_t i, uint64_t ret[SHM_COUNTERS]) {
        const struct shm_lane *lane = lane_at(reader, i);

        for (int c = 0; c < SHM_COUNTERS; c++)
                ret[c] = atomic_load_explicit(&lane->live[c], memory_order_relaxed);
}

bool segment_live_counters(const struct segment_reader *reader, uint32_t i, uint64_t position,
                           uint64_t ret[SHM_COUNTERS]) {
        const struct shm_lane *lane = lane_at(reader, i);

        if (ring_head(lane) != position)
                return false;
        segment_last_counters(reader, i, ret);
        /* [L1] and [L2] acquire fence, pairs with the release fences in ring_publish() and refuse(): counters of after
         * a record, or of under a refused frame, show us that record, or that frame. */
        atomic_thread_fence(memory_order_acquire);
        /* [L3] acquire of `refused_frames`, pairs with the releases in take_out() and exit_beyond(). */
        if (atomic_load_explicit(&lane->refused_frames, memory_order_acquire) ||
            atomic_load_explicit(&lane->lost_stretches, memory_order_acquire))
                return false;
        return ring_head(lane) == position;
}

/* A mark that was cleared and whose EXIT is not among the records is still one. */
static void put_taken(const struct shm_lane *lane, uint64_t position, uint64_t marks[SHM_DEPTH]) {
        /* Relaxed: the thread is dead ([O1]). */
        uint64_t taken = atomic_load_explicit(&lane->taken, memory_order_relaxed);
        uint64_t until = atomic_load_explicit(&lane->taken_until, memory_order_relaxed);

        if (!taken || (until && until <= position))
                return;
        for (unsigned m = 0; m < SHM_DEPTH; m++)
                if (marks[m] == taken) /* not cleared yet */
                        return;
        for (unsigned m = 0; m < SHM_DEPTH; m++)
                if (!marks[m]) {
                        marks[m] = taken;
                        return;
                }
}

void segment_remains(const struct segment_reader *reader, uint32_t i, uint64_t position,
                     const uint64_t live[SHM_COUNTERS], struct frames_remains *ret) {
        const struct shm_lane *lane = lane_at(reader, i);
        /* Relaxed, all of it: the thread is dead ([O1]). */
        uint32_t depth = atomic_load_explicit(&lane->depth, memory_order_relaxed), beyond = shm_load(lane->beyond);
        uint32_t turn = atomic_load_explicit(&lane->lost_turn, memory_order_relaxed);
        uint64_t until = atomic_load_explicit(&lane->lost_until, memory_order_relaxed);
        struct shm_lost lost;
        bool is_refused;

        shm_load_counters(lost.waiting, lane->lost[turn & 1].waiting);
        shm_load_counters(lost.since, lane->lost[turn & 1].since);
        for (unsigned m = 0; m < SHM_DEPTH; m++)
                ret->marks[m] = atomic_load_explicit(&lane->marks[m], memory_order_relaxed);
        put_taken(lane, position, ret->marks);
        is_refused = beyond || (depth && depth <= SHM_DEPTH &&
                                (shm_load(lane->stack[depth - 1].state) & SHM_FRAME_STATE_MASK) == SHM_FRAME_REFUSED);
        for (int c = 0; c < SHM_COUNTERS; c++) {
                /* What the LOST said that was the last record is not said again. */
                ret->lost[c] = until && until <= position ? 0 : lost.waiting[c];
                if (is_refused && live[c] > lost.since[c])
                        ret->lost[c] += live[c] - lost.since[c];
        }
}

void segment_refused(const struct segment_reader *reader, uint32_t i, struct shm_refused *add) {
        const struct shm_refused *r = &lane_at(reader, i)->refused;

        add->enters += shm_load(r->enters);
        add->enters_depth += shm_load(r->enters_depth);
        add->opens += shm_load(r->opens);
        add->closes += shm_load(r->closes);
        add->exits += shm_load(r->exits);
        add->nested += shm_load(r->nested);
        add->waits += shm_load(r->waits);
        add->doorbells += shm_load(r->doorbells);
}

uint32_t segment_partials(const struct segment_reader *reader, uint32_t i, uint32_t *from, uint64_t ret[SHM_PARTIALS]) {
        struct shm_lane *lane = lane_at(reader, i);
        /* [P1] acquire of `partial_count`, pairs with the release in note_partial(). */
        uint32_t count = atomic_load_explicit(&lane->partial_count, memory_order_acquire);

        if (count - *from > SHM_PARTIALS)
                *from = count - SHM_PARTIALS;
        for (uint32_t at = *from, n = 0; at != count; at++)
                ret[n++] = shm_load(*shm_partial(lane, at));
        return count - *from;
}

uint64_t segment_refused_threads(const struct segment_reader *reader) {
        return atomic_load_explicit(&header(reader)->refused_threads, memory_order_relaxed);
}

enum shm_counting segment_counting(const struct segment_reader *reader) {
        uint32_t counting = atomic_load_explicit(&header(reader)->counting, memory_order_relaxed);

        return counting <= SHM_COUNTING_BYPASSED ? (enum shm_counting)counting : SHM_COUNTING_NONE;
}

void segment_set_retired(struct segment_reader *reader, uint32_t lane, uint32_t occupancy) {
        /* [O2] release of `retired`, pairs with the acquire in is_vacant(): the stack has been read. */
        atomic_store_explicit(&lane_at(reader, lane)->retired, occupancy, memory_order_release);
}

void segment_set_booked(struct segment_reader *reader, uint32_t lane, const uint64_t booked[SHM_COUNTERS]) {
        /* Relaxed: read when this collector is gone, or asked no more. */
        for (int c = 0; c < SHM_COUNTERS; c++)
                atomic_store_explicit(&lane_at(reader, lane)->booked[c], booked[c], memory_order_relaxed);
}

void segment_attend(struct segment_reader *reader, uint32_t lane, uint32_t bits) {
        atomic_fetch_or_explicit(&lane_at(reader, lane)->attention, bits, memory_order_relaxed);
}

void segment_ask_timing_of_all(struct segment_reader *reader, bool on) {
        uint32_t bits = on ? SHM_ATTENTION_TIMING : 0;

        if (atomic_load_explicit(&header(reader)->attention, memory_order_relaxed) != bits)
                atomic_store_explicit(&header(reader)->attention, bits, memory_order_relaxed);
}

void segment_set_filters(struct segment_reader *reader, uint32_t filters) {
        shm_store(header(reader)->filters, filters);
}

uint32_t segment_filters(const struct segment_reader *reader) {
        return shm_load(header(reader)->filters);
}

bool segment_exec(const struct segment_reader *reader, uint32_t count, struct shm_exec *ret) {
        const struct shm_exec *exec = &header(reader)->exec;
        /* Acquire: the rest was stored before.  A client that writes another one meanwhile spoils its own row's name. */
        uint32_t now = atomic_load_explicit(&exec->count, memory_order_acquire);

        if (now == count || now % 2)
                return false;
        atomic_store_explicit(&ret->count, now, memory_order_relaxed);
        ret->flags = shm_load(exec->flags);
        ret->pid = shm_load(exec->pid);
        shm_load_text(ret->path, exec->path, sizeof ret->path);
        ret->path[sizeof ret->path - 1] = 0;
        return true;
}

void segment_tell_look(struct segment_reader *reader, bool seen) {
        /* Relaxed: the client reads what was the case a while ago. */
        if (seen)
                atomic_store_explicit(&header(reader)->sandbox, SHM_SANDBOX_SEEN, memory_order_relaxed);
        atomic_fetch_add_explicit(&header(reader)->looks, 1, memory_order_relaxed);
}

/* To be looked at again and again: a thread that just comes may not have seen it. */
void segment_ask_timing(struct segment_reader *reader, uint32_t i, bool on) {
        struct shm_lane *lane = lane_at(reader, i);
        /* Relaxed: nothing is published by it. */
        uint32_t bits = atomic_load_explicit(&lane->attention, memory_order_relaxed);

        if (on && !(bits & SHM_ATTENTION_TIMING))
                atomic_fetch_or_explicit(&lane->attention, SHM_ATTENTION_TIMING, memory_order_relaxed);
        else if (!on && (bits & SHM_ATTENTION_TIMING))
                atomic_fetch_and_explicit(&lane->attention, ~(uint32_t)SHM_ATTENTION_TIMING, memory_order_relaxed);
}

uint64_t segment_forks(const struct segment_reader *reader) {
        return atomic_load_explicit(&header(reader)->forks, memory_order_relaxed);
}

uint64_t segment_instance_floor(const struct segment_reader *reader) {
        return atomic_load_explicit(&header(reader)->instance_floor, memory_order_relaxed);
}

const uint32_t *segment_bell(const struct segment_reader *reader) {
        return (const uint32_t *)&header(reader)->bell;
}
