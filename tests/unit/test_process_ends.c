/* SPDX-License-Identifier: MIT */
/*
 * Another program gets the pid of a process with very many threads, by an exec or by an attach anew.  The end of the
 * former one does not fit in a slice: it goes on pass by pass, beside the new one, also in a successor.
 *
 * Wrap: reactor_slice_is_over
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/books/books.h"
#include "daemon/collector/collector_private.h"
#include "daemon/collector/takeover.h"
#include "daemon/drain/drain.h"
#include "daemon/processes/arrival.h"
#include "daemon/processes/process_private.h"
#include "daemon/processes/user_limits.h"
#include "shm/handshake.h"

enum { LANES = 3000, RING = 64, OPEN = 20, BYTES = 10, USER = 61001, PASSES_MAX = 2000 };

static bool is_late;
static unsigned cuts; /* slices that were over when they were asked */

bool __wrap_reactor_slice_is_over(uint64_t end_ns);
bool __wrap_reactor_slice_is_over(uint64_t end_ns) {
        cuts += is_late;
        return is_late;
}

struct fixture {
        struct reactor *reactor;
        struct collector *collector;
        struct process *first, *second;
        unsigned passes;
};

static void start(struct fixture *f) {
        struct collector_options options = collector_options_default;

        options.wish.lane_capacity = options.wish.ring_lanes = LANES;
        options.wish.ring_records = RING;
        options.processes_max = 1;
        options.uid_max[QUOTA_PROCESSES] = 1;
        assert_int_equal(reactor_new(&f->reactor, REACTOR_POLL), 0);
        assert_int_equal(collector_new(&f->collector, f->reactor, &options), 0);
}

static void stop(struct fixture *f) {
        collector_free(f->collector);
        reactor_free(f->reactor);
}

static struct process *attach(struct fixture *f) {
        const struct shm_hello hello = {.magic = SHM_HELLO_MAGIC, .version = SHM_VERSION, .kind = SHM_HELLO_ATTACH};
        const struct newcomer newcomer = {
                .pid = getpid(), .uid = USER, .pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0)};
        struct process *process;
        int memfd;

        assert_true(newcomer.pidfd >= 0);
        assert_int_equal(process_attach(f->collector->processes, &newcomer, &hello, &process, &memfd), 0);
        close(memfd);
        return process;
}

/* Lane `i` of a thread that is gone, as an exec leaves it: spans that it entered, and bytes in the innermost. */
static void fill_lane(char *map, const struct shm_geometry *geometry, uint32_t i) {
        struct shm_lane *lane = shm_lane_at(map, geometry, i);
        struct shm_record *ring = shm_ring_at(map, geometry, i);

        ring[0] = (struct shm_record){.kind = SHM_KIND_BASE};
        for (uint64_t n = 1; n <= OPEN; n++) {
                uint64_t instance = (UINT64_C(1) << 32) | ((i * OPEN + n) << 12);

                ring[2 * n - 1] = (struct shm_record){
                        .sequence = 2 * n - 1, .kind = SHM_KIND_OPEN, .instance = instance, .path = 2};
                ring[2 * n] = (struct shm_record){
                        .sequence = 2 * n, .kind = SHM_KIND_ENTER, .instance = instance, .path = 2};
        }
        atomic_store(&lane->live[SHM_ALLOC_COUNT], 1);
        atomic_store(&lane->live[SHM_ALLOC_BYTES], BYTES);
        atomic_store(&lane->head, 2 * OPEN + 1);
        atomic_store(&lane->occupancy, 2);
        lane->past[1].occupancy = 2;
        *(uint32_t *)(void *)lane->owner_pad = SHM_OWNER_DIED;
}

static void fill(const struct process *process) {
        struct process_facts facts;
        struct shm_name *name;
        char *map;

        process_facts(process, &facts);
        map = mmap(NULL, facts.geometry.segment_size, PROT_READ | PROT_WRITE, MAP_SHARED, process_segment_fd(process),
                   0);
        assert_true(map != MAP_FAILED);
        for (uint32_t id = 1; id <= 2; id++) {
                name = &shm_names(map, &facts.geometry)[id];
                strcpy(name->name, id == 1 ? "(other)" : "span");
                name->name_length = (uint16_t)strlen(name->name);
                atomic_store(&name->state, SHM_NAME_READY);
                atomic_store(&shm_paths(map, &facts.geometry)[id].key, id);
        }
        atomic_store(&((struct shm_header *)(void *)map)->lanes_claimed, LANES);
        for (uint32_t i = 0; i < LANES; i++)
                fill_lane(map, &facts.geometry, i);
        munmap(map, facts.geometry.segment_size);
}

static void begin(struct fixture *f) {
        is_late = false;
        start(f);
        f->first = attach(f);
        fill(f->first);
        is_late = true;
}

static bool is_going(const struct process *process) {
        return process && process->drain && process_is_ending(process);
}

static void on_work(void *userdata, enum collector_work work, uint64_t now_ns) {
        struct fixture *f = userdata;

        f->passes += work == COLLECTOR_PASS;
        if ((!f->first->drain && !is_going(f->second)) || f->passes == PASSES_MAX)
                reactor_stop(f->reactor);
}

/* The loop runs until the first one has ended, and the second, if it is replaced as well.  Work of either kind may
 * make the last portion: on a busy machine housekeeping comes before a pass is whole. */
static void run(struct fixture *f) {
        struct books_process_row row;
        struct books_row path;

        collector_on_work(f->collector, on_work, f);
        assert_int_equal(reactor_run(f->reactor), 0);
        collector_on_work(f->collector, NULL, NULL);
        assert_int_equal(f->first->end, PROCESS_EXEC);
        assert_null(f->first->drain);
        books_process_row(f->first->books, &row);
        assert_int_equal(row.counters[SHM_ALLOC_BYTES], LANES * BYTES);
        assert_true(row.balanced);
        books_path_row(f->first->books, 2, 1, &path);
        assert_int_equal(path.aborted, LANES * OPEN);
        assert_int_equal(path.open, 0);
        assert_int_equal(f->collector->processes->replaced, 0);
}

static void test_exec(void **unused) {
        struct fixture f = {0};

        begin(&f);
        f.second = attach(&f); /* for which there is a place, though only one may be attached */
        assert_int_equal(f.first->end, PROCESS_ALIVE);
        assert_true(process_is_ending(f.first));
        assert_false(process_is_ending(f.second));
        assert_int_equal(limits_quota(f.first)->used[QUOTA_PROCESSES], 1);

        cuts = 0;
        run(&f);
        assert_true(cuts > 1);
        assert_int_equal(f.second->end, PROCESS_ALIVE);
        assert_ptr_equal(collector_process(f.collector, 0), f.first);
        assert_ptr_equal(collector_process(f.collector, 1), f.second);
        assert_int_equal(processes_stats(f.collector->processes)->live, 1);
        assert_int_equal(limits_quota(f.second)->used[QUOTA_PROCESSES], 1);
        stop(&f);
}

/* A third program has the pid before the end of the first is made. */
static void test_exec_again(void **unused) {
        struct fixture f = {0};
        const struct process *third;

        begin(&f);
        f.second = attach(&f);
        third = attach(&f);
        assert_true(process_is_ending(f.first));
        assert_true(process_is_ending(f.second));
        run(&f);
        assert_int_equal(third->end, PROCESS_ALIVE);
        stop(&f);
}

/* Very many frames are open in the former one: each of the two is reset once. */
static void test_reset(void **unused) {
        struct fixture f = {0};
        struct collector_reset reset = {0};
        size_t index = 0;

        begin(&f);
        while (process_drain(f.first, 1) == DRAIN_CUT)
                ;
        f.second = attach(&f);
        while (!collector_reset_some(f.collector, &index, &reset))
                ;
        assert_int_equal(reset.count, 2);
        assert_int_equal(index, 2);
        run(&f);
        stop(&f);
}

/* The former one is taken back while it is ending, as if no client had got its welcome: its place is not free twice. */
static void test_undone(void **unused) {
        struct fixture f = {0};

        begin(&f);
        f.second = attach(&f);
        assert_true(process_is_ending(f.first));
        process_undo(f.first);
        f.first = f.second;
        process_end(f.second, PROCESS_DETACHED, 0);
        assert_int_equal(processes_stats(f.collector->processes)->live, 0);
        assert_int_equal(f.collector->processes->replaced, 0);
        f.second = attach(&f);
        assert_int_equal(processes_stats(f.collector->processes)->live, 1);
        stop(&f);
}

/* A question is answered with the end. */
static void test_refresh(void **unused) {
        struct fixture f = {0};

        begin(&f);
        f.second = attach(&f);
        is_late = false;
        collector_refresh(f.collector);
        assert_int_equal(f.first->end, PROCESS_EXEC);
        run(&f);
        stop(&f);
}

/* The collector is replaced meanwhile: its successor ends the first one as it would have. */
static void test_successor(void **unused) {
        struct fixture f = {0};
        const char *why;
        int books, segment;
        uint64_t number;

        begin(&f);
        f.second = attach(&f);
        number = f.first->number;
        books = fcntl(books_fd(f.first->books), F_DUPFD_CLOEXEC, 0);
        segment = fcntl(process_segment_fd(f.first), F_DUPFD_CLOEXEC, 0);
        assert_true(books >= 0 && segment >= 0);
        stop(&f);
        f.second = NULL;

        start(&f);
        assert_int_equal(takeover_process(f.collector, number, books, segment, -1, &f.first, &why), 0);
        assert_true(process_is_ending(f.first));
        run(&f);
        stop(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_exec),   cmocka_unit_test(test_exec_again), cmocka_unit_test(test_reset),
                cmocka_unit_test(test_undone), cmocka_unit_test(test_refresh),    cmocka_unit_test(test_successor),
        };

        return cmocka_run_group_tests_name("process_ends", tests, NULL, NULL);
}
