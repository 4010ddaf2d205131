/* SPDX-License-Identifier: MIT */
/*
 * The library and the collector as threads of one process, for the thread sanitizer, which cannot see across processes:
 * producers that enter, exit, hand over, exit elsewhere, close at once, name, come and go; and the collector's own drain
 * of the same segment, in its reactor, behind its real socket.  The sums are exact too.
 *
 * Both sides would map the segment at addresses of their own, and the sanitizer would take it for two.  So the second
 * mapping of a segment is the first one again (--wrap); nothing else of either side is replaced.  The library maps all
 * of it at once, as where mremap(2) makes no second mapping.
 *
 * Labels: tsan valgrind
 * Timeout: 1300
 * Wrap: shm_segment_map munmap mremap
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/process/counting.h"
#include "client/segment/attachments.h"
#include "daemon/collector/collector.h"
#include "spanalloc/spanalloc.h"

#define must(condition)                                                                                                \
        do {                                                                                                           \
                if (!(condition)) {                                                                                    \
                        fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition);                                \
                        _exit(1);                                                                                      \
                }                                                                                                      \
        } while (0)

/* ---------------------------------------------------------------------------------------- one mapping for both -- */

int __real_shm_segment_map(void **ret_map, int fd, uint64_t size);
int __wrap_shm_segment_map(void **ret_map, int fd, uint64_t size);
int __real_munmap(void *address, size_t size);
int __wrap_munmap(void *address, size_t size);
void *__wrap_mremap(void *address, size_t old_size, size_t size, int flags);

static struct {
        pthread_mutex_t lock;
        void *map;
        ino_t inode;
        unsigned users;
} mapping = {.lock = PTHREAD_MUTEX_INITIALIZER};
static unsigned shared_mappings;

int __wrap_shm_segment_map(void **ret_map, int fd, uint64_t size) {
        struct stat st;
        int r = 0;

        must(fstat(fd, &st) == 0);
        pthread_mutex_lock(&mapping.lock);
        if (mapping.users && mapping.inode == st.st_ino) {
                mapping.users++;
                shared_mappings++;
        } else {
                must(!mapping.users);
                r = __real_shm_segment_map(&mapping.map, fd, size);
                mapping.users = r == 0;
                mapping.inode = st.st_ino;
        }
        if (r == 0)
                *ret_map = mapping.map;
        pthread_mutex_unlock(&mapping.lock);
        return r;
}

void *__wrap_mremap(void *address, size_t old_size, size_t size, int flags) {
        must(old_size == 0); /* the library's: the collector has none */
        errno = EINVAL;
        return MAP_FAILED;
}

int __wrap_munmap(void *address, size_t size) {
        bool last = true;

        pthread_mutex_lock(&mapping.lock);
        if (mapping.users && address == mapping.map)
                last = !--mapping.users;
        pthread_mutex_unlock(&mapping.lock);
        return last ? __real_munmap(address, size) : 0;
}

/* --------------------------------------------------------------------------------------------- the collector -- */

static struct {
        struct reactor *reactor;
        struct collector *collector;
        struct reactor_watch *watch;
        int control[2]; /* ours, the collector's */
        pthread_t thread;
        char dir[64], socket[108];
} server;

struct totals {
        struct books_row local, inner, handed, shared, named, all;
        struct books_process_row process;
        uint32_t lanes;
};
static struct totals seen;

static void add_row(struct books_row *to, const struct books_row *row) {
        to->cycles += row->cycles;
        to->opened += row->opened;
        to->closed += row->closed;
        to->migrated += row->migrated;
        to->refused += row->refused;
        for (int c = 0; c < SHM_COUNTERS; c++)
                to->self[c] += row->self[c], to->total[c] += row->total[c];
}

static void read_rows(void) {
        const struct process *process = collector_process(server.collector, 0);
        struct books *books;

        memset(&seen, 0, sizeof seen);
        must(process && process->books && process->drain);
        books = process->books;
        books_process_row(books, &seen.process);
        seen.lanes = drain_lanes(process->drain);
        for (uint32_t id = 1; id <= books_name_count(books); id++) {
                const char *name = books_name(books, id);
                struct books_row row;
                uint32_t path, paths;

                books_name_row(books, id, 0, &row, &path, &paths);
                add_row(&seen.all, &row);
                if (!strcmp(name, "local"))
                        seen.local = row;
                else if (!strcmp(name, "inner"))
                        seen.inner = row;
                else if (!strcmp(name, "handed"))
                        seen.handed = row;
                else if (!strcmp(name, "shared"))
                        seen.shared = row;
                else if (!strncmp(name, "name ", 5))
                        add_row(&seen.named, &row);
        }
}

static void on_control(void *userdata, int fd, unsigned events) {
        char what;

        if (read(fd, &what, 1) != 1) {
                reactor_stop(server.reactor);
                return;
        }
        collector_refresh(server.collector);
        if (what == 'r')
                read_rows();
        must(write(fd, "", 1) == 1);
}

static void ask(char what) {
        must(write(server.control[0], &what, 1) == 1);
        must(read(server.control[0], &what, 1) == 1);
}

static void *serve(void *unused) {
        must(reactor_run(server.reactor) == 0);
        server.watch = reactor_unwatch(server.watch);
        server.collector = collector_free(server.collector);
        server.reactor = reactor_free(server.reactor);
        return NULL;
}

static void start_collector(uint32_t ring_records) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct collector_options options = collector_options_default;
        int fd;

        strcpy(server.dir, "/tmp/spanalloc-test-XXXXXX");
        must(mkdtemp(server.dir));
        snprintf(server.socket, sizeof server.socket, "%s/ingest.sock", server.dir);
        options.runtime_dir = server.dir;
        options.wish.ring_records = ring_records;
        options.wish.close_capacity = 64;
        must(reactor_new(&server.reactor, REACTOR_POLL) == 0);
        must(collector_new(&server.collector, server.reactor, &options) == 0);
        strcpy(address.sun_path, server.socket);
        fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        must(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 && listen(fd, 8) == 0);
        must(collector_listen(server.collector, fd) == 0);
        must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, server.control) == 0);
        must(reactor_watch(server.reactor, &server.watch, server.control[1], REACTOR_IN, on_control, NULL) == 0);
        must(pthread_create(&server.thread, NULL, serve, NULL) == 0);
}

static void stop_collector(void) {
        char path[128];

        close(server.control[0]);
        must(pthread_join(server.thread, NULL) == 0);
        close(server.control[1]);
        snprintf(path, sizeof path, "%s/beacon", server.dir);
        unlink(path);
        unlink(server.socket);
        rmdir(server.dir);
}

/* --------------------------------------------------------------------------------------------- the producers -- */

enum { WORKERS = 4, HOSTS = 2, WAVES = 3, ROUNDS = 4000, VISITS = 150, NAMES = 150, PARCELS = 64 };

struct sums {
        uint64_t closed, cycles, allocs, migrated;
};

enum parcel_kind { TO_GO_ON, TO_EXIT, TO_CLOSE, PARCEL_KINDS };

/* A span on its way to another thread. */
struct parcel {
        spanalloc_span span;
        enum parcel_kind kind;
};

static struct worker {
        pthread_t thread;
        unsigned number;
        struct sums local, inner, handed, shared, named;
        pthread_mutex_t lock;
        struct parcel parcels[PARCELS];
        unsigned count;
} workers[WORKERS + HOSTS]; /* the last ones are the ledgers of visitors */

static _Atomic unsigned through, running;
static spanalloc_span shared_span;

SPANALLOC_SITE(handed_site, "handed");
SPANALLOC_SITE(shared_site, "shared");

/* Counts as the counting allocator does: in the lane's live counters. */
static void spend(struct sums *sums, unsigned allocs) {
        _Atomic uint64_t *counters = sa_counters();

        sa_bump(&counters[SHM_ALLOC_COUNT], allocs);
        sa_bump(&counters[SHM_ALLOC_BYTES], 3 * (uint64_t)allocs);
        sa_bump(&counters[SHM_DEALLOC_COUNT], 5 * (uint64_t)allocs);
        sa_bump(&counters[SHM_DEALLOC_BYTES], 7 * (uint64_t)allocs);
        sums->allocs += allocs;
}

static void work_here(struct worker *w, unsigned i) {
        SPANALLOC_SCOPE("local");

        spend(&w->local, 1 + i % 5);
        {
                SPANALLOC_SCOPE("inner");
                spend(&w->inner, 1 + i % 3);
        }
        spend(&w->local, 1);
        w->inner.cycles++;
        w->local.cycles++;
}

/* Everybody asks for the same new names at about the same time. */
static void work_under_a_name(struct worker *w, unsigned i) {
        char name[32];
        spanalloc_span span;

        snprintf(name, sizeof name, "name %u", i % NAMES);
        span = spanalloc_scope_begin(spanalloc_site_intern(name));
        spend(&w->named, 2);
        spanalloc_scope_end(span);
        w->named.cycles++;
}

static void work_together(struct worker *w) {
        spanalloc_enter(shared_span);
        spend(&w->shared, 1);
        spanalloc_exit(shared_span);
        w->shared.cycles++;
}

static bool give(struct worker *to, struct parcel parcel) {
        bool given;

        pthread_mutex_lock(&to->lock);
        given = to->count < PARCELS;
        if (given)
                to->parcels[to->count++] = parcel;
        pthread_mutex_unlock(&to->lock);
        return given;
}

static bool take(struct worker *w, struct parcel *parcel) {
        bool taken;

        pthread_mutex_lock(&w->lock);
        taken = w->count > 0;
        if (taken)
                *parcel = w->parcels[--w->count];
        pthread_mutex_unlock(&w->lock);
        return taken;
}

static void finish(struct worker *w, struct parcel parcel) {
        if (parcel.kind == TO_EXIT) {
                spanalloc_exit(parcel.span);
        } else if (parcel.kind == TO_GO_ON) {
                spanalloc_enter(parcel.span);
                spend(&w->handed, 2);
                spanalloc_exit(parcel.span);
                w->handed.cycles++;
        }
        spanalloc_close(parcel.span);
        w->handed.closed++;
}

static void finish_all(struct worker *w) {
        struct parcel parcel;

        while (take(w, &parcel))
                finish(w, parcel);
}

static void hand_over(struct worker *w, unsigned i) {
        struct parcel parcel = {spanalloc_open(&handed_site), i % PARCEL_KINDS};
        bool given;

        spanalloc_enter(parcel.span);
        spend(&w->handed, 4);
        w->handed.cycles++;
        if (parcel.kind != TO_EXIT)
                spanalloc_exit(parcel.span);
        given = give(&workers[(w->number + 1 + i % (WORKERS - 1)) % WORKERS], parcel);
        if (!given)
                finish(w, parcel);
        if (!given || parcel.kind != TO_EXIT)
                return;
        w->handed.migrated++;
        /* What this thread did before the other has exited would be in the span. */
        while (spanalloc_current().instance == parcel.span.instance) {
                finish_all(w);
                usleep(20);
        }
}

static void *work(void *userdata) {
        struct worker *w = userdata;

        for (unsigned i = 0; i < ROUNDS; i++) {
                if (i % 8 == 0)
                        hand_over(w, i / 8);
                if (i % 16 == 1)
                        work_under_a_name(w, i / 16);
                if (i % 4 == 2)
                        work_together(w);
                work_here(w, i);
                if (i % 8 == 4)
                        finish_all(w);
        }
        through++;
        while (through % WORKERS) { /* others may still wait for us */
                finish_all(w);
                usleep(100);
        }
        finish_all(w);
        running--;
        return NULL;
}

/* Claims a lane whose last owner died in it, and dies there as well. */
static void *visit(void *userdata) {
        struct worker *w = userdata;

        for (unsigned i = 0; i < 3; i++)
                work_here(w, i);
        return NULL;
}

/* Two of these: one's visitors know nothing of the other's but by the lane. */
static void *host(void *userdata) {
        pthread_t visitor;

        for (unsigned i = 0; i < VISITS; i++) {
                must(pthread_create(&visitor, NULL, visit, userdata) == 0);
                must(pthread_join(visitor, NULL) == 0);
        }
        running--;
        return NULL;
}

static void wave(void) {
        running = WORKERS + HOSTS;
        for (unsigned i = 0; i < WORKERS + HOSTS; i++)
                must(pthread_create(&workers[i].thread, NULL, i < WORKERS ? work : host, &workers[i]) == 0);
        while (running) {
                ask('s'); /* settles, too */
                usleep(500);
        }
        for (unsigned i = 0; i < WORKERS + HOSTS; i++)
                must(pthread_join(workers[i].thread, NULL) == 0);
}

/* ------------------------------------------------------------------------------------------------ comparisons -- */

static struct sums sum_of(size_t offset) {
        struct sums all = {0};

        for (unsigned i = 0; i < WORKERS + HOSTS; i++) {
                const struct sums *s = (const void *)((const char *)&workers[i] + offset);

                all.closed += s->closed;
                all.cycles += s->cycles;
                all.allocs += s->allocs;
                all.migrated += s->migrated;
        }
        return all;
}
#define SUM(name) sum_of(offsetof(struct worker, name))

static void compare(const struct books_row *row, struct sums want, uint64_t closed, uint64_t children) {
        const uint64_t factor[SHM_COUNTERS] = {1, 3, 5, 7};

        must(row->cycles == want.cycles);
        must(row->opened == closed && row->closed == closed);
        must(row->migrated == want.migrated);
        for (int c = 0; c < SHM_COUNTERS; c++) {
                must(row->self[c] == factor[c] * want.allocs);
                must(row->total[c] == factor[c] * (want.allocs + children));
        }
}

static void compare_exactly(void) {
        struct sums local = SUM(local), inner = SUM(inner), handed = SUM(handed), shared = SUM(shared),
                    named = SUM(named);

        compare(&seen.local, local, local.cycles, inner.allocs);
        compare(&seen.inner, inner, inner.cycles, 0);
        compare(&seen.handed, handed, handed.closed, 0);
        compare(&seen.shared, shared, 1, 0);
        compare(&seen.named, named, named.cycles, 0);
        must(seen.process.refused == 0 && seen.process.lost[SHM_ALLOC_COUNT] == 0);
}

/* What was refused is in `refused`; nothing else is gone. */
static void compare_with_refusals(void) {
        uint64_t enters = SUM(local).cycles + SUM(inner).cycles + SUM(handed).cycles + SUM(shared).cycles +
                          SUM(named).cycles;
        uint64_t allocs = SUM(local).allocs + SUM(inner).allocs + SUM(handed).allocs + SUM(shared).allocs +
                          SUM(named).allocs;
        struct spanalloc_stats stats = {.size = sizeof stats};

        spanalloc_stats(&stats);
        must(seen.all.cycles + stats.refused_enters == enters);
        must(stats.unmatched_exits == 0 && stats.nested == 0);
        must(seen.process.refused == stats.refused_enters + stats.refused_opens + stats.refused_closes);
        must(seen.process.self[SHM_ALLOC_COUNT] + seen.process.lost[SHM_ALLOC_COUNT] == allocs);
}

static uint32_t closes_posted(void) {
        uint32_t epoch, n;
        struct sa_attachment *a = sa_attachment_get(&epoch);

        must(a);
        n = a->header->closes_posted;
        sa_attachment_put(a);
        return n;
}

struct scenario {
        uint32_t ring_records, on_full;
};

/* In a child of its own: a process has one library. */
static void together(const struct scenario *scenario) {
        struct spanalloc_options options = {
                .size = sizeof options, .socket = server.socket, .on_full = scenario->on_full};

        start_collector(scenario->ring_records);
        must(spanalloc_attach(&options) == 0);
        must(shared_mappings == 1);
        for (unsigned i = 0; i < WORKERS; i++) {
                pthread_mutex_init(&workers[i].lock, NULL);
                workers[i].number = i;
        }
        shared_span = spanalloc_open(&shared_site);
        for (unsigned i = 0; i < WAVES; i++)
                wave();
        spanalloc_close(shared_span);
        ask('s');
        ask('r');
        must(seen.process.balanced);
        must(seen.lanes < VISITS * HOSTS); /* the dead have left their lanes to the living */
        if (scenario->on_full == SPANALLOC_WAIT)
                compare_exactly();
        else
                compare_with_refusals();
        if (scenario->on_full == SPANALLOC_REFUSE && scenario->ring_records == SHM_RING_RECORDS_MIN)
                must(closes_posted() > 0 && seen.process.refused > 0);
        stop_collector();
}

static void test_together(void **state) {
        int status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (!pid) {
                alarm(400);
                together(*state);
                exit(0); /* not _exit: the sanitizer has the last word */
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
}

static struct scenario waiting = {SHM_RING_RECORDS_MIN, SPANALLOC_WAIT};
static struct scenario refusing = {SHM_RING_RECORDS_MIN, SPANALLOC_REFUSE};
static struct scenario roomy = {1 << 14, SPANALLOC_REFUSE};

int main(void) {
        const struct CMUnitTest tests[] = {
                {"small rings, waiting", test_together, NULL, NULL, &waiting},
                {"small rings, refusing", test_together, NULL, NULL, &refusing},
                {"large rings", test_together, NULL, NULL, &roomy},
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
