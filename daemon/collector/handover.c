/* SPDX-License-Identifier: MIT */
/* See handover.h.  Labels, and how one process is taken over, are in takeover.c. */
#include "daemon/collector/handover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "daemon/arena/arena.h"
#include "daemon/collector/collector_private.h"
#include "daemon/collector/takeover.h"
#include "daemon/host/log.h"
#include "daemon/processes/alert.h"

#define PAGE_MAGIC   UINT64_C(0x4547415053415301)
#define PAGE_VERSION 1u
#define PAGE_UNDO    64u
#define PER_PROCESS  3u /* descriptors, while it lives */
#define OWN          2u /* the page's and the beacon's */
#define RETRY_NS     (5 * NS_PER_S)

/* The collector's own words.  Changed in batches, as books are.  Another version's page may end earlier or later: fields
 * are added at the end, and begin as zero.  Anything else is a new PAGE_VERSION, which others refuse. */
struct page {
        uint64_t magic;
        uint32_t version, generation;
        uint64_t number;     /* the last that was given out */
        uint64_t live;       /* processes that have, or may get, a segment */
        uint64_t seen;       /* processes that ever attached */
        uint64_t forgetting; /* the process whose sums were added below last: its books are no longer counted */
        uint64_t records, refused, lost_alloc_bytes, evicted; /* of the forgotten */
        uint64_t successions;
        uint64_t left_behind; /* books that no successor could take over */
        uint64_t untrusted;   /* of the forgotten */
};
_Static_assert(sizeof(struct page) <= 4096, "what lies behind a shorter one is zero");

struct handover {
        struct collector *collector;
        const struct handover_store *store;
        struct arena arena;
        struct page *page;
        uint32_t used;                  /* descriptors in the store */
        bool inherited;                 /* the page is another collector's */
        bool whole;                     /* every process on that page was taken over */
        uint64_t reshaped, left_behind; /* now */
        uint64_t retry_ns;              /* when a process that is not kept is put into the store again */
};

/* ------------------------------------------------------------------------------------------------- the store -- */

static int put(struct handover *handover, const char *kind, uint64_t number, int fd) {
        const struct handover_store *store = handover->store;
        char name[64];
        int r;

        snprintf(name, sizeof name, number ? "%s.%llu" : "%s", kind, (unsigned long long)number);
        r = store->put(store->userdata, name, fd);
        if (r == 0)
                handover->used++;
        return r;
}

static void drop(struct handover *handover, const char *kind, uint64_t number) {
        char name[64];

        snprintf(name, sizeof name, "%s.%llu", kind, (unsigned long long)number);
        handover->store->drop(handover->store->userdata, name);
        if (handover->used)
                handover->used--;
}

/* Of the ended, the one that ended first goes first: it is shown on, but not after a restart. */
static bool make_room(struct handover *handover) {
        struct processes *processes = handover->collector->processes;

        while (handover->used + PER_PROCESS > handover->store->capacity) {
                struct process *oldest = NULL, *process;

                for (size_t i = 0; (process = processes_at(processes, i)); i++)
                        if (process->end != PROCESS_ALIVE && process->part->kept.books &&
                            (!oldest || process->ended_ns < oldest->ended_ns))
                                oldest = process;
                if (!oldest)
                        return false;
                handover_drop_pid(handover, oldest);
                drop(handover, "books", oldest->number);
                oldest->part->kept.books = false;
        }
        return true;
}

/* -------------------------------------------------------------------------------------------------- the page -- */

static int make_page(struct handover *handover) {
        int r = arena_init(&handover->arena, sizeof(struct page), PAGE_UNDO);

        if (r < 0)
                return r;
        handover->page = arena_data(&handover->arena);
        handover->page->magic = PAGE_MAGIC;
        handover->page->version = PAGE_VERSION;
        return 0;
}

/* Consumes the descriptor. */
static int adopt_page(struct handover *handover, int fd) {
        struct page *page;
        int r = arena_init_adopt(&handover->arena, fd);

        if (r < 0)
                return r;
        page = arena_data(&handover->arena);
        if (handover->arena.header->data_offset + sizeof *page > handover->arena.size || page->magic != PAGE_MAGIC ||
            page->version != PAGE_VERSION || handover->arena.header->undo_capacity < PAGE_UNDO) {
                arena_deinit(&handover->arena);
                return -EPROTONOSUPPORT;
        }
        handover->page = page;
        handover->inherited = true;
        return 0;
}

static struct page *begin(struct handover *handover) {
        arena_begin(&handover->arena);
        arena_touch(&handover->arena, handover->page, sizeof *handover->page);
        return handover->page;
}

static void commit(struct handover *handover) {
        arena_commit(&handover->arena);
}

static int find_gift(struct handover_gift *gifts, size_t count, const char *name, bool *ret_stored) {
        for (size_t i = 0; i < count; i++)
                if (gifts[i].fd >= 0 && !strcmp(gifts[i].name, name)) {
                        int fd = gifts[i].fd;

                        gifts[i].fd = -1;
                        *ret_stored = gifts[i].is_stored;
                        return fd;
                }
        *ret_stored = false;
        return -1;
}

int handover_new(struct handover **ret, struct collector *collector, const struct handover_store *store,
                 struct handover_gift *gifts, size_t count) {
        struct handover *handover = calloc(1, sizeof *handover);
        bool is_stored;
        int fd, r = 0;

        if (!handover)
                return -ENOMEM;
        *handover = (struct handover){.collector = collector, .store = store, .arena = {.fd = -1}};
        for (size_t i = 0; i < count; i++)
                handover->used += gifts[i].fd >= 0 && gifts[i].is_stored;
        fd = find_gift(gifts, count, "collector", &is_stored);
        if (fd >= 0) {
                r = adopt_page(handover, fd);
                if (r < 0) {
                        log_event(LOG_HANDOVER, NULL,
                                  "cannot read what the last collector left: %s; all programs attach anew",
                                  strerror(-r));
                        if (is_stored)
                                store->drop(store->userdata, "collector");
                }
        }
        if (!handover->inherited)
                r = make_page(handover);
        if (r == 0 && store && !(handover->inherited && is_stored))
                r = put(handover, "collector", 0, handover->arena.fd);
        if (r < 0) {
                handover_free(handover);
                return r;
        }
        if (handover->inherited) {
                const struct page *page = handover->page;

                const struct process_sums forgotten = {.records = page->records,
                                                       .refused = page->refused,
                                                       .lost_alloc_bytes = page->lost_alloc_bytes,
                                                       .evicted = page->evicted,
                                                       .untrusted = page->untrusted};

                processes_set_history(collector->processes, page->seen, &forgotten);
        }
        *ret = handover;
        return 0;
}

struct handover *handover_free(struct handover *handover) {
        if (!handover)
                return NULL;
        arena_deinit(&handover->arena);
        free(handover);
        return NULL;
}

/* ------------------------------------------------------------------------------------------------ succession -- */

/* What belongs to one process. */
struct estate {
        uint64_t number;
        int books, segment, pid;
        bool books_stored;
};

static int by_number(const void *a, const void *b) {
        const struct estate *x = a, *y = b;

        return x->number < y->number ? -1 : x->number > y->number;
}

static struct estate *estate_of(struct estate *estates, size_t *n, uint64_t number) {
        for (size_t i = *n; i-- > 0;)
                if (estates[i].number == number)
                        return &estates[i];
        estates[*n] = (struct estate){number, -1, -1, -1, false};
        return &estates[(*n)++];
}

static void give(struct handover_gift *gift, int *place) {
        if (*place >= 0)
                return;
        *place = gift->fd;
        gift->fd = -1;
}

/* Sorts the gifts by process. */
static size_t sort_out(struct handover_gift *gifts, size_t count, struct estate *estates) {
        size_t n = 0;

        for (size_t i = 0; i < count; i++) {
                unsigned long long number;
                char kind[16];
                struct estate *estate;

                if (gifts[i].fd < 0 || sscanf(gifts[i].name, "%15[a-z].%llu", kind, &number) != 2)
                        continue;
                estate = estate_of(estates, &n, number);
                if (!strcmp(kind, "books")) {
                        estate->books_stored = gifts[i].is_stored;
                        give(&gifts[i], &estate->books);
                }
                if (!strcmp(kind, "segment"))
                        give(&gifts[i], &estate->segment);
                else if (!strcmp(kind, "pid"))
                        give(&gifts[i], &estate->pid);
        }
        qsort(estates, n, sizeof *estates, by_number);
        return n;
}

static void throw_away(struct handover *handover, const struct estate *estate) {
        if (!handover->store)
                return;
        if (estate->books >= 0 && estate->books_stored)
                drop(handover, "books", estate->number);
        if (estate->segment >= 0)
                drop(handover, "segment", estate->number);
        if (estate->pid >= 0)
                drop(handover, "pid", estate->number);
}

/* *matched: processes that lived as far as the last collector knew, and go on. */
static void take_one(struct handover *handover, const struct estate *estate, uint64_t *matched, uint64_t *alive) {
        struct process *process;
        const char *why;
        int r;

        if (estate->books < 0 || estate->number == handover->page->forgetting) {
                throw_away(handover, estate);
                close_fd(estate->books);
                close_fd(estate->segment);
                close_fd(estate->pid);
                return;
        }
        r = takeover_process(handover->collector, estate->number, estate->books, estate->segment, estate->pid, &process,
                             &why);
        if (r < 0) {
                log_event(LOG_HANDOVER, NULL, "the books of process number %llu cannot be taken over: %s%s%s",
                          (unsigned long long)estate->number, why ? why : strerror(-r), why ? "" : "; ",
                          why ? "" : "its program attaches anew");
                throw_away(handover, estate);
                handover->left_behind++;
                return;
        }
        handover->reshaped += books_were_migrated(process->books);
        *matched += process_is_inherited(process);
        process->part->kept = (struct handover_kept){.books = estate->books_stored,
                                                     .segment = estate->segment >= 0,
                                                     .pidfd = estate->pid >= 0,
                                                     .on_page = process->end == PROCESS_ALIVE};
        *alive += process->part->kept.on_page;
        if (process->part->kept.on_page)
                return;
        handover_end(handover, process);
        if (process_pidfd(process) < 0)
                handover_drop_pid(handover, process);
}

void handover_take(struct handover *handover, struct handover_gift *gifts, size_t count) {
        struct estate *estates = calloc(count + 1, sizeof *estates);
        size_t n = estates ? sort_out(gifts, count, estates) : 0;
        uint64_t matched = 0, alive = 0, highest = 0;
        struct page *page;

        for (size_t i = 0; i < n; i++) {
                take_one(handover, &estates[i], &matched, &alive);
                highest = estates[i].number;
                collector_tell_busy(handover->collector);
        }
        free(estates);
        handover->whole = handover->inherited && matched == handover->page->live;
        page = begin(handover);
        page->live = alive;
        page->successions += handover->inherited;
        page->left_behind += handover->left_behind + statefile_unreadable(handover->collector->statefile);
        if (page->number < highest)
                page->number = highest;
        commit(handover);
}

int handover_take_beacon(struct handover *handover, struct handover_gift *gifts, size_t count) {
        bool is_stored;

        return find_gift(gifts, count, "beacon", &is_stored);
}

uint32_t handover_generation(const struct handover *handover) {
        return handover->whole ? handover->page->generation : 0;
}

void handover_set_generation(struct handover *handover, uint32_t generation, int beacon_fd) {
        begin(handover)->generation = generation;
        commit(handover);
        if (handover->store && beacon_fd >= 0)
                (void)put(handover, "beacon", 0, beacon_fd);
}

const struct arena *handover_page(const struct handover *handover) {
        return &handover->arena;
}

void handover_stats(const struct handover *handover, struct collector_stats *ret) {
        ret->took_over = handover->inherited;
        ret->reshaped = handover->reshaped;
        ret->left_behind = handover->page->left_behind;
}

/* ------------------------------------------------------------------------------------------------- processes -- */

uint64_t handover_next_number(struct handover *handover) {
        uint64_t number = ++begin(handover)->number;

        commit(handover);
        return number;
}

static void count_live(struct handover *handover, int by, int seen) {
        struct page *page = begin(handover);

        page->live += (uint64_t)(int64_t)by;
        page->seen += (uint64_t)(int64_t)seen;
        commit(handover);
}

/* All three, or none.  0 or -errno. */
static int put_process(struct handover *handover, struct process *process, int segment_fd) {
        struct handover_kept *kept = &process->part->kept;
        uint64_t number = process->number;
        int r;

        takeover_relabel(process);
        r = make_room(handover) ? put(handover, "segment", number, segment_fd) : -EDQUOT;
        kept->segment = r == 0;
        if (r == 0)
                r = put(handover, "pid", number, process_pidfd(process));
        kept->pidfd = kept->segment && r == 0;
        if (r == 0)
                r = put(handover, "books", number, books_fd(process->books));
        kept->books = r == 0;
        if (r == 0)
                return 0;
        handover_drop_pid(handover, process);
        if (kept->segment)
                drop(handover, "segment", number);
        kept->segment = false;
        handover->retry_ns = reactor_now(handover->collector->reactor) + RETRY_NS;
        return r;
}

int handover_keep(struct handover *handover, struct process *process, int segment_fd) {
        struct log_peer peer;
        int r;

        /* Also of one that is not kept: a successor that misses it has not found all. */
        count_live(handover, 1, 1);
        process->part->kept.on_page = true;
        if (!handover->store)
                return 0;
        r = put_process(handover, process, segment_fd);
        if (r == 0)
                return 1;
        peer = process_peer(process);
        peer.reason = r == -EDQUOT ? "the service manager keeps no more descriptors; raise FileDescriptorStoreMax"
                                   : strerror(-r);
        log_event(LOG_UNKEPT, &peer, "the books of process %d (%s) would not survive a restart of the collector: %s",
                  (int)peer.pid, peer.comm, peer.reason);
        return 0;
}

void handover_retry(struct handover *handover, struct process *process) {
        if (!handover->store || process->part->kept.books || !process->drain || process_segment_fd(process) < 0 ||
            process_pidfd(process) < 0 || books_fd(process->books) < 0 ||
            reactor_now(handover->collector->reactor) < handover->retry_ns)
                return;
        (void)put_process(handover, process, process_segment_fd(process));
}

int handover_barrier(struct handover *handover) {
        return handover->store->barrier(handover->store->userdata);
}

void handover_end(struct handover *handover, struct process *process) {
        struct handover_kept *kept = &process->part->kept;

        if (process->books)
                takeover_relabel(process);
        if (kept->segment)
                drop(handover, "segment", process->number);
        kept->segment = false;
        if (kept->on_page)
                count_live(handover, -1, 0);
        kept->on_page = false;
}

void handover_drop_pid(struct handover *handover, struct process *process) {
        if (process->part->kept.pidfd)
                drop(handover, "pid", process->number);
        process->part->kept.pidfd = false;
}

static void drop_all(struct handover *handover, struct process *process) {
        struct handover_kept *kept = &process->part->kept;

        handover_drop_pid(handover, process);
        if (kept->segment)
                drop(handover, "segment", process->number);
        if (kept->books)
                drop(handover, "books", process->number);
        kept->books = kept->segment = false;
}

void handover_forget(struct handover *handover, struct process *process) {
        const struct process_sums *forgotten = &processes_stats(handover->collector->processes)->forgotten;
        struct page *page = begin(handover);

        page->records = forgotten->records;
        page->refused = forgotten->refused;
        page->lost_alloc_bytes = forgotten->lost_alloc_bytes;
        page->evicted = forgotten->evicted;
        page->untrusted = forgotten->untrusted;
        page->forgetting = process->number;
        commit(handover);
        drop_all(handover, process);
        if (handover->collector->statefile)
                statefile_forget(handover->collector->statefile, process->number);
}

void handover_undo(struct handover *handover, struct process *process) {
        count_live(handover, -1, -1);
        drop_all(handover, process);
        if (handover->collector->statefile)
                statefile_forget(handover->collector->statefile, process->number);
}
