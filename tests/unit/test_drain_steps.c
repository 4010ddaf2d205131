/* SPDX-License-Identifier: MIT */
/*
 * A collector that is killed after any instruction of a pass: its successor ends up with the same books.
 *
 * A child drains, settles and finishes a segment, one instruction at a time.  After each one that changed the arena or
 * the segment, both are copied, as a SIGKILL would leave them, and a successor takes the copies over and goes on to the
 * end.  Every number must be what it is without a kill.  The client must never have read a tail beyond what was
 * committed, and no closed span may be sent to followers twice.  A reset in the same way: it has happened, or it has
 * not.
 *
 * Timeout: 900
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/books/books_layout.h"
#include "daemon/drain/drain.h"
#include "shm/segment.h"

#define LANES 3u
#define NAMES 4u
#define PAGE  4096u
#define TOLD  64u

static const uint64_t factor[SHM_COUNTERS] = {1, 100, 3, 70};

/* An arena and a segment, and what makes them two that a successor can take over. */
struct pair {
        int books, segment;
        char *map; /* of the segment */
};

struct fixture {
        struct shm_geometry geometry;
        struct pair first, copy;
        struct books *books;
        struct drain *drain;
        unsigned char *told; /* by closed span, shared with the child: how often */
        char *arena;         /* of `first`, mapped here as well */
        uint64_t arena_size;
        unsigned char *seen_arena, *seen_segment; /* as they were when last tried */
};

/* --------------------------------------------------------------------------------------------------- a segment -- */

static struct shm_lane *lane(struct pair *pair, const struct shm_geometry *g, uint32_t i) {
        return shm_lane_at(pair->map, g, i);
}

static void claim(struct fixture *f, uint32_t i) {
        struct shm_lane *l = lane(&f->first, &f->geometry, i);

        atomic_store(&((struct shm_header *)(void *)f->first.map)->lanes_claimed, i + 1);
        atomic_store(&l->occupancy, 2);
        *(uint32_t *)(void *)l->owner_pad = 1000 + i; /* alive */
        snprintf(l->comm, sizeof l->comm, "worker%u", i);
        l->past[1].occupancy = 2;
        memcpy(l->past[1].comm, l->comm, sizeof l->comm);
}

static void put(struct fixture *f, uint32_t i, int kind, int flags, uint64_t instance, uint32_t path, uint64_t n) {
        struct shm_lane *l = lane(&f->first, &f->geometry, i);
        uint64_t head = atomic_load(&l->head);
        struct shm_record *record = &shm_ring_at(f->first.map, &f->geometry, i)[head % SHM_RING_RECORDS_MIN];

        *record = (struct shm_record){head, instance, path, (uint16_t)kind, (uint16_t)flags, 0, {0}};
        for (int c = 0; c < SHM_COUNTERS; c++) {
                record->counters[c] = n * factor[c];
                if (kind != SHM_KIND_LOST && kind != SHM_KIND_OPEN && kind != SHM_KIND_CLOSE && kind != SHM_KIND_BEFORE)
                        atomic_store(&l->live[c], n * factor[c]);
        }
        atomic_store(&l->head, head + 1);
}

static uint64_t span_of(uint32_t l, uint32_t n) {
        return UINT64_C(1) << 32 | (uint64_t)n << 12 | l;
}

static void post_close(struct fixture *f, uint32_t slot, uint64_t instance, uint32_t path) {
        struct shm_close *close = &shm_closes(f->first.map, &f->geometry)[slot];

        close->path = path;
        atomic_store(&close->instance, instance);
        atomic_fetch_add(&((struct shm_header *)(void *)f->first.map)->closes_posted, 1);
}

static void put_tables(struct fixture *f) {
        static const char *const names[NAMES] = {"", "(other)", "request", "query"};

        for (uint32_t id = 1; id < NAMES; id++) {
                struct shm_name *name = &shm_names(f->first.map, &f->geometry)[id];

                strcpy(name->name, names[id]);
                name->name_length = (uint16_t)strlen(names[id]);
                atomic_store(&name->state, SHM_NAME_READY);
        }
        atomic_store(&shm_paths(f->first.map, &f->geometry)[1].key, 1);
        atomic_store(&shm_paths(f->first.map, &f->geometry)[2].key, 2);
        atomic_store(&shm_paths(f->first.map, &f->geometry)[3].key, UINT64_C(2) << 32 | 3);
}

/* Scopes in scopes, a span that two lanes enter, a migrated cycle, losses, closes that overflowed, spans left open. */
static void fill(struct fixture *f) {
        put_tables(f);
        for (uint32_t i = 0; i < LANES; i++) {
                claim(f, i);
                put(f, i, SHM_KIND_BEFORE, 0, 2, 0, 5);
                put(f, i, SHM_KIND_BASE, 0, 2, 0, 12);
        }
        put(f, 0, SHM_KIND_OPEN, 0, span_of(0, 1), 2, 0);
        put(f, 0, SHM_KIND_ENTER, 0, span_of(0, 1), 2, 20);
        put(f, 0, SHM_KIND_ENTER, SHM_FLAG_SCOPE, span_of(0, 2), 3, 23);
        put(f, 0, SHM_KIND_LOST, 0, 1, 0, 4);
        put(f, 0, SHM_KIND_EXIT, SHM_FLAG_SCOPE, span_of(0, 2), 3, 40);
        put(f, 1, SHM_KIND_ENTER, 0, span_of(0, 1), 2, 31);
        put(f, 1, SHM_KIND_CLOSE, 0, span_of(0, 1), 2, 0); /* while it is entered on two lanes */
        put(f, 1, SHM_KIND_EXIT, 0, span_of(0, 1), 2, 38);
        put(f, 0, SHM_KIND_EXIT, SHM_FLAG_MIGRATED, span_of(0, 1), 2, 47);
        for (uint32_t n = 1; n <= 3; n++) {
                put(f, 2, SHM_KIND_OPEN, 0, span_of(2, n), 3, 0);
                put(f, 2, SHM_KIND_ENTER, 0, span_of(2, n), 3, 12 + 10 * n);
                put(f, 2, SHM_KIND_EXIT, 0, span_of(2, n), 3, 15 + 10 * n);
        }
        post_close(f, 0, span_of(2, 1), 3);
        post_close(f, 1, span_of(2, 2), 3);
        put(f, 1, SHM_KIND_ENTER, SHM_FLAG_SCOPE, span_of(1, 1), 2,
            50); /* aborted at the end, as span 3 of lane 2 is */
}

/* Records whose lanes, paths and spans the books already hold: nothing is logged for being new. */
static void fill_more(struct fixture *f) {
        put(f, 0, SHM_KIND_ENTER, SHM_FLAG_SCOPE, span_of(0, 3), 2, 60);
        put(f, 0, SHM_KIND_EXIT, SHM_FLAG_SCOPE, span_of(0, 3), 2, 70);
        put(f, 0, SHM_KIND_ENTER, SHM_FLAG_SCOPE, span_of(0, 4), 2, 75);
        put(f, 0, SHM_KIND_ENTER, SHM_FLAG_SCOPE, span_of(0, 5), 3, 80);
        put(f, 0, SHM_KIND_EXIT, SHM_FLAG_SCOPE, span_of(0, 5), 3, 90);
        put(f, 0, SHM_KIND_EXIT, SHM_FLAG_SCOPE, span_of(0, 4), 2, 95);
        put(f, 1, SHM_KIND_EXIT, SHM_FLAG_SCOPE, span_of(1, 1), 2, 66);
        put(f, 2, SHM_KIND_ENTER, 0, span_of(2, 3), 3, 50);
        put(f, 2, SHM_KIND_EXIT, 0, span_of(2, 3), 3, 58);
}

/* ------------------------------------------------------------------------------------------------- collectors -- */

static void on_event(void *userdata, const struct books_event *event) {
        unsigned char *told = userdata;

        told[(event->instance & 0xfff) * 16 + (event->instance >> 12 & 0xf)]++;
}

/* What the child does, and what a successor does from wherever it finds things. */
static void work(struct drain *drain) {
        assert_true(drain_pass(drain, 10) >= 0);
        assert_true(drain_settle(drain, 11) >= 0);
        assert_true(drain_pass(drain, 12) >= 0);
        assert_true(drain_finish(drain, 13) >= 0);
}

struct numbers {
        struct books_process_row process;
        struct books_row names[NAMES];
};

static void read_sums(struct books *books, struct numbers *ret) {
        memset(ret, 0, sizeof *ret);
        books_process_row(books, &ret->process);
        for (uint32_t id = 1; id < NAMES; id++) {
                struct books_row row = {0};
                uint32_t path, paths;

                books_name_row(books, id, 13, &row, &path, &paths);
                memset(row.rate, 0, sizeof row.rate); /* they decay with the time of a pass */
                ret->names[id] = row;
        }
        assert_true(ret->process.balanced);
}

/* A successor on the copy. */
static void succeed(struct fixture *f, unsigned char told[TOLD], struct numbers *ret) {
        struct books *books;
        struct drain *drain;

        assert_int_equal(books_adopt(&books, dup(f->copy.books)), 0);
        books_on_event(books, on_event, told);
        assert_int_equal(drain_new(&drain, f->copy.segment, &f->geometry, books), 0);
        for (uint32_t i = 0; i < LANES; i++) {
                assert_true(atomic_load(&lane(&f->copy, &f->geometry, i)->tail) <= books->lanes[i].position);
                assert_true(atomic_load(&lane(&f->copy, &f->geometry, i)->retired) <= books->lanes[i].retired);
        }
        drain_resume(drain);
        work(drain);
        for (uint32_t i = 0; i < LANES; i++)
                assert_int_equal(atomic_load(&lane(&f->copy, &f->geometry, i)->tail),
                                 atomic_load(&lane(&f->copy, &f->geometry, i)->head));
        for (uint32_t slot = 0; slot < f->geometry.close_capacity; slot++)
                assert_int_equal(atomic_load(&shm_closes(f->copy.map, &f->geometry)[slot].instance), 0);
        read_sums(books, ret);
        drain_free(drain);
        books_free(books);
}

/* ---------------------------------------------------------------------------------------------------- the steps -- */

/* Whether `map` is not what it was; `seen` is, then.  Holes are not touched. */
static bool has_changed(const char *map, uint64_t size, int fd, unsigned char *seen) {
        off_t at = 0, end;
        bool any = false;

        while ((at = lseek(fd, at, SEEK_DATA)) >= 0 && (uint64_t)at < size) {
                end = lseek(fd, at, SEEK_HOLE);
                for (; at < end; at += PAGE) {
                        if (!memcmp(map + at, seen + at, PAGE))
                                continue;
                        memcpy(seen + at, map + at, PAGE);
                        any = true;
                }
        }
        return any;
}

/* The last successor has written into the copy: all of it anew. */
static void copy(const char *map, uint64_t size, int from, int to) {
        off_t at = 0, end;

        assert_int_equal(fallocate(to, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)size), 0);
        for (; (at = lseek(from, at, SEEK_DATA)) >= 0 && (uint64_t)at < size; at = end) {
                end = lseek(from, at, SEEK_HOLE);
                assert_int_equal(pwrite(to, map + at, (size_t)(end - at), at), end - at);
        }
}

static bool anything_changed(struct fixture *f) {
        bool arena = has_changed(f->arena, f->arena_size, f->first.books, f->seen_arena);
        bool segment = has_changed(f->first.map, f->geometry.segment_size, f->first.segment, f->seen_segment);

        if (!arena && !segment)
                return false;
        copy(f->arena, f->arena_size, f->first.books, f->copy.books);
        copy(f->first.map, f->geometry.segment_size, f->first.segment, f->copy.segment);
        return true;
}

static void *zeros(uint64_t size) {
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        assert_true(p != MAP_FAILED);
        return p;
}

static void begin(struct fixture *f) {
        const struct shm_wish wish = {.name_capacity = NAMES,
                                      .path_capacity = NAMES,
                                      .close_capacity = 4,
                                      .lane_capacity = LANES,
                                      .ring_records = SHM_RING_RECORDS_MIN,
                                      .ring_lanes = LANES};
        const struct books_limits limits = {
                .names = NAMES, .paths = NAMES, .lanes = LANES, .instances = 8, .threads = LANES + 1};
        struct stat st;

        assert_int_equal(shm_geometry_init(&f->geometry, &wish), 0);
        assert_int_equal(shm_segment_create(&f->first.segment, &f->geometry, 1, 0), 0);
        assert_int_equal(shm_segment_create(&f->copy.segment, &f->geometry, 1, 0), 0);
        assert_int_equal(shm_segment_map((void **)&f->first.map, f->first.segment, f->geometry.segment_size), 0);
        assert_int_equal(shm_segment_map((void **)&f->copy.map, f->copy.segment, f->geometry.segment_size), 0);
        assert_int_equal(books_new(&f->books, &limits, 1), 0);
        f->first.books = books_fd(f->books);
        assert_int_equal(fstat(f->first.books, &st), 0);
        f->arena_size = (uint64_t)st.st_size;
        f->arena = mmap(NULL, f->arena_size, PROT_READ, MAP_SHARED, f->first.books, 0);
        assert_true(f->arena != MAP_FAILED);
        f->copy.books = memfd_create("copy", MFD_CLOEXEC);
        assert_int_equal(ftruncate(f->copy.books, st.st_size), 0);
        f->seen_arena = zeros(f->arena_size);
        f->seen_segment = zeros(f->geometry.segment_size);
        f->told = mmap(NULL, TOLD, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_true(f->told != MAP_FAILED);
        assert_int_equal(drain_new(&f->drain, f->first.segment, &f->geometry, f->books), 0);
        books_on_event(f->books, on_event, f->told);
        fill(f);
}

static void end(struct fixture *f) {
        drain_free(f->drain);
        books_free(f->books);
        munmap(f->arena, f->arena_size);
        munmap(f->seen_arena, f->arena_size);
        munmap(f->seen_segment, f->geometry.segment_size);
        munmap(f->first.map, f->geometry.segment_size);
        munmap(f->copy.map, f->geometry.segment_size);
        munmap(f->told, TOLD);
        close(f->first.segment);
        close(f->copy.segment);
        close(f->copy.books);
}

static pid_t start(struct fixture *f, void (*fn)(struct fixture *f)) {
        pid_t pid = fork();
        int status;

        assert_true(pid >= 0);
        if (!pid) {
                if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
                        _exit(1);
                raise(SIGSTOP);
                fn(f);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSTOPPED(status)); /* else ptrace is refused here */
        return pid;
}

/* One instruction.  False when that was the last. */
static bool step(pid_t pid) {
        int status;

        assert_int_equal(ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL), 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status)) {
                assert_int_equal(WEXITSTATUS(status), 0);
                return false;
        }
        assert_true(WIFSTOPPED(status));
        assert_true(WSTOPSIG(status) == SIGTRAP || WSTOPSIG(status) == SIGSTOP);
        return true;
}

/* What the numbers must be, told by hand. */
static void assert_right(const struct numbers *sums) {
        const struct books_row *request = &sums->names[2], *query = &sums->names[3];

        assert_int_equal(sums->process.records, 25);
        assert_int_equal(sums->process.counters[0], 47 + 50 + 45);
        assert_int_equal(sums->process.before[0], 15);
        assert_int_equal(sums->process.lost[0], 4);
        assert_int_equal(request->opened, 2);
        assert_int_equal(request->closed, 1);
        assert_int_equal(request->aborted, 1);
        assert_int_equal(request->cycles, 2);
        assert_int_equal(request->migrated, 1);
        assert_int_equal(request->total[0], 27 + 7);
        assert_int_equal(request->per_call.count, 1);
        assert_int_equal(query->opened, 4);
        assert_int_equal(query->closed, 3);
        assert_int_equal(query->aborted, 1);
        assert_int_equal(query->total[0], 17 + 9);
        assert_int_equal(query->self[0], 17 - 4 + 9);
        assert_int_equal(query->per_call.count, 3);
}

/* The sums are right after fill_more(), too. */
static void assert_more_right(const struct numbers *sums) {
        const struct books_row *request = &sums->names[2], *query = &sums->names[3];

        assert_int_equal(sums->process.records, 25 + 9);
        assert_int_equal(sums->process.counters[0], 95 + 66 + 58);
        assert_int_equal(request->opened, 4);
        assert_int_equal(request->closed, 4);
        assert_int_equal(request->total[0], 27 + 7 + 10 + 20 + 16);
        assert_int_equal(query->opened, 5);
        assert_int_equal(query->closed, 4);
        assert_int_equal(query->aborted, 1);
        assert_int_equal(query->self[0], 17 - 4 + 9 + 10 + 8);
}

static void drain_it(struct fixture *f) {
        work(f->drain);
}

/* Killed at each instruction from here on. */
static void try_each(struct fixture *f, void (*assert_numbers)(const struct numbers *)) {
        unsigned char told[TOLD];
        struct numbers want, got;
        unsigned long steps = 0, tried = 0;
        pid_t pid;

        assert_true(anything_changed(f));
        memcpy(told, f->told, sizeof told);
        succeed(f, told, &want);
        assert_numbers(&want);
        for (pid = start(f, drain_it); step(pid); steps++) {
                if (!anything_changed(f))
                        continue;
                memcpy(told, f->told, sizeof told);
                succeed(f, told, &got);
                tried++;
                assert_memory_equal(&got, &want, sizeof got);
                for (unsigned i = 0; i < TOLD; i++)
                        assert_true(told[i] <= 1);
        }
        print_message("%lu instructions, %lu of them changed something\n", steps, tried);
        assert_true(tried > 250);
        end(f);
}

static void test_each_instruction(void **state) {
        struct fixture f = {0};

        begin(&f);
        try_each(&f, assert_right);
}

static void test_each_instruction_of_a_later_pass(void **state) {
        struct fixture f = {0};

        begin(&f);
        assert_true(drain_pass(f.drain, 9) >= 0);
        fill_more(&f);
        try_each(&f, assert_more_right);
}

static void reset_it(struct fixture *f) {
        books_reset(f->books, 14);
}

static void test_each_instruction_of_a_reset(void **state) {
        struct fixture f = {0};
        struct numbers before, got, first = {0};
        bool is_reset = false;
        unsigned long tried = 0;
        pid_t pid;

        begin(&f);
        work(f.drain);
        read_sums(f.books, &before);
        assert_right(&before);
        for (pid = start(&f, reset_it); step(pid);) {
                struct books *books;

                if (!anything_changed(&f))
                        continue;
                assert_int_equal(books_adopt(&books, dup(f.copy.books)), 0);
                read_sums(books, &got);
                books_free(books);
                tried++;
                if (!is_reset && memcmp(&got, &before, sizeof got) != 0) {
                        is_reset = true;
                        first = got;
                        assert_int_equal(got.process.counters[0], 0);
                        assert_int_equal(got.names[3].closed, 0);
                        assert_int_equal(got.names[3].per_call.count, 0);
                }
                if (is_reset)
                        assert_memory_equal(&got, &first, sizeof got);
        }
        assert_true(is_reset);
        assert_true(tried > 20);
        end(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_instruction),
                cmocka_unit_test(test_each_instruction_of_a_later_pass),
                cmocka_unit_test(test_each_instruction_of_a_reset),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
