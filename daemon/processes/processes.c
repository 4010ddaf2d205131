/* SPDX-License-Identifier: MIT */
/* See processes.h. */
#include "daemon/processes/processes.h"
#include "daemon/books/books.h"
#include "daemon/drain/drain.h"
#include "daemon/loop/reactor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "daemon/processes/announced.h"
#include "daemon/processes/process_private.h"

int processes_new(struct processes **ret, struct reactor *reactor, struct waker *waker,
                  const struct processes_options *options, const struct process_owner *owner, void *userdata) {
        struct processes *processes = calloc(1, sizeof *processes);
        int r;

        if (!processes)
                return -ENOMEM;
        *processes = (struct processes){
                .reactor = reactor, .waker = waker, .owner = owner, .userdata = userdata, .options = *options};
        r = announced_new(&processes->announced, processes);
        if (r < 0) {
                processes_free(processes);
                return r;
        }
        *ret = processes;
        return 0;
}

struct processes *processes_free(struct processes *processes) {
        if (!processes)
                return NULL;
        processes->announced = announced_free(processes->announced);
        processes_hold(processes, NULL);
        while (processes->count)
                process_free(processes->rows[--processes->count]);
        processes_free_buried(processes, UINT64_MAX);
        free(processes->rows);
        free(processes);
        return NULL;
}

void processes_set_options(struct processes *processes, const struct processes_options *options) {
        processes->options = *options;
        limits_set(processes);
}

/* ---------------------------------------------------------------------------------------------------- rows -- */

int processes_insert(struct process *process) {
        struct processes *processes = process->inside->processes;
        size_t capacity = processes->capacity ? processes->capacity * 2 : 64;
        void *rows;

        if (processes->count == processes->capacity) {
                rows = reallocarray(processes->rows, capacity, sizeof *processes->rows);
                if (!rows)
                        return -ENOMEM;
                processes->rows = rows;
                processes->capacity = capacity;
        }
        processes->rows[processes->count++] = process;
        return 0;
}

void processes_count_ended(struct process *process) {
        struct processes *processes = process->inside->processes;
        struct process *after = processes->last_ended, *before;

        /* Only what an earlier collector left comes out of order. */
        while (after && after->ended_ns > process->ended_ns)
                after = after->inside->prev_ended;
        before = after ? after->inside->next_ended : processes->first_ended;
        process->inside->prev_ended = after;
        process->inside->next_ended = before;
        *(after ? &after->inside->next_ended : &processes->first_ended) = process;
        *(before ? &before->inside->prev_ended : &processes->last_ended) = process;
        process->inside->is_ended = true;
        processes->stats.ended++;
}

static void uncount_ended(struct process *process) {
        struct processes *processes = process->inside->processes;
        struct process *after = process->inside->prev_ended, *before = process->inside->next_ended;

        *(after ? &after->inside->next_ended : &processes->first_ended) = before;
        *(before ? &before->inside->prev_ended : &processes->last_ended) = after;
        process->inside->is_ended = false;
        processes->stats.ended--;
}

void processes_remove(struct process *process) {
        struct processes *processes = process->inside->processes;
        size_t i = 0;

        if (process->inside->is_ended)
                uncount_ended(process);
        while (processes->rows[i] != process)
                i++;
        if (processes->reader && i < *processes->reader)
                --*processes->reader;
        memmove(processes->rows + i, processes->rows + i + 1, (--processes->count - i) * sizeof *processes->rows);
}

void processes_hold(struct processes *processes, size_t *index) {
        processes->reader = index;
}

bool processes_free_buried(struct processes *processes, uint64_t end_ns) {
        struct process *process;

        while ((process = processes->buried) && !processes->reader) {
                if (reactor_slice_is_over(end_ns))
                        return false;
                if (process->books && !books_release_some(process->books))
                        continue;
                processes->buried = process->inside->next_ended;
                process_destroy(process);
        }
        return !process;
}

size_t processes_count(const struct processes *processes) {
        return processes->count;
}

struct process *processes_at(const struct processes *processes, size_t index) {
        return index < processes->count ? processes->rows[index] : NULL;
}

struct process *processes_by_number(const struct processes *processes, uint64_t number) {
        for (size_t i = processes->count; i-- > 0;)
                if (processes->rows[i]->number == number)
                        return processes->rows[i];
        return NULL;
}

struct process *processes_by_pid(const struct processes *processes, pid_t pid) {
        for (size_t i = processes->count; i-- > 0;)
                if (processes->rows[i]->pid == pid)
                        return processes->rows[i];
        return NULL;
}

/* -------------------------------------------------------------------------------------------------- figures -- */

struct announced *processes_announced(const struct processes *processes) {
        return processes->announced;
}

const struct processes_stats *processes_stats(const struct processes *processes) {
        return &processes->stats;
}

void processes_set_history(struct processes *processes, uint64_t seen, const struct process_sums *forgotten) {
        processes->stats.seen = seen;
        processes->stats.forgotten = *forgotten;
}

/* More than any program does on a processor, in a nanosecond. */
#define REFUSED_MOST 1u
#define LOST_MOST    1024u /* bytes */

/* Cached, since each question takes at least one system call. */
static uint64_t processors(void) {
        static uint64_t n;

        if (!n)
                n = (uint64_t)get_nprocs_conf();
        return n;
}

/* The most that all processors can do at that rate in this time and one second more. */
static uint64_t most(uint64_t rate, uint64_t age_ns) {
        unsigned __int128 n = (unsigned __int128)rate * ((unsigned __int128)age_ns + NS_PER_S) * processors();

        return n < UINT64_MAX ? (uint64_t)n : UINT64_MAX;
}

/* A client may write any count.  An impossible count is in no sum: one process could make a sum over all processes overflow. */
static bool is_possible(const struct process_sums *sums, uint64_t refused, uint64_t lost, uint64_t age_ns) {
        return refused <= most(REFUSED_MOST, age_ns) && lost <= most(LOST_MOST, age_ns) &&
               sums->refused + refused >= refused && sums->lost_alloc_bytes + lost >= lost;
}

void processes_add(struct process_sums *sums, const struct process *process, uint64_t now_ns) {
        uint64_t refused = process->drain ? drain_refused(process->drain) : process->refused;
        uint64_t from_ns = process->inside->attached_ns, to_ns = process->drain ? now_ns : process->ended_ns;
        struct books_process_row row;

        if (!process->books)
                return;
        books_process_lanes(process->books, &row);
        sums->records += row.records;
        sums->evicted += row.evicted;
        if (!is_possible(sums, refused, row.lost[SHM_ALLOC_BYTES], to_ns > from_ns ? to_ns - from_ns : 0)) {
                sums->untrusted++;
                return;
        }
        sums->refused += refused;
        sums->lost_alloc_bytes += row.lost[SHM_ALLOC_BYTES];
}

void processes_count_rejected(struct processes *processes) {
        processes->stats.rejected++;
}

void processes_count_missed(struct processes *processes) {
        processes->stats.missed++;
}
