/* SPDX-License-Identifier: MIT */
/*
 * The undo log: whenever a writer is killed, its successor finds the books as of the last commit, and nothing else.
 *
 * A child makes batches that follow from their number alone, and is killed: by itself between two of its stores, or by
 * us at any moment.  The successor's arena must equal what the committed batches, played again, make.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/arena/arena.h"

#define LINES       512u
#define WORDS       (LINES * ARENA_LINE / sizeof(uint64_t))
#define UNDO        256u
#define KILLS_SELF  400
#define KILLS_OURS  200
#define CHANGES_MAX 100u

struct random {
        uint64_t x;
};

static uint32_t next(struct random *r) {
        r->x += UINT64_C(0x9e3779b97f4a7c15);
        uint64_t z = r->x;

        z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
        return (uint32_t)(z >> 32);
}

/* Changes of batch `number`, made by `change`, which is told the place, how many words, and what to add. */
static void play(uint64_t number, void (*change)(void *userdata, size_t word, size_t n, uint64_t by), void *userdata) {
        struct random r = {number};
        uint32_t changes = next(&r) % CHANGES_MAX;

        while (changes--) {
                size_t n = 1 + next(&r) % 12, word = next(&r) % (WORDS - n);

                change(userdata, word, n, next(&r) | UINT64_C(1) << 40);
        }
}

static void change_model(void *userdata, size_t word, size_t n, uint64_t by) {
        uint64_t *model = userdata;

        for (size_t i = 0; i < n; i++)
                model[word + i] += by;
}

struct victim {
        struct arena *arena;
        uint64_t left; /* stores until it dies; 0: not by itself */
};

static void maybe_die(struct victim *victim) {
        if (victim->left && !--victim->left)
                kill(getpid(), SIGKILL);
}

static void change_arena(void *userdata, size_t word, size_t n, uint64_t by) {
        struct victim *victim = userdata;
        volatile uint64_t *data = (uint64_t *)arena_data(victim->arena) + word;

        maybe_die(victim);
        arena_touch(victim->arena, (const void *)data, n * sizeof *data);
        for (size_t i = 0; i < n; i++) {
                maybe_die(victim);
                data[i] += by;
        }
}

static void run_batch(struct victim *victim) {
        maybe_die(victim);
        arena_begin(victim->arena);
        play(atomic_load(&victim->arena->header->commit) + 1, change_arena, victim);
        maybe_die(victim);
        arena_commit(victim->arena);
}

static _Noreturn void be_killed(int fd, uint64_t after) {
        struct arena arena;
        struct victim victim = {&arena, after};

        if (arena_init_adopt(&arena, fd) < 0)
                _exit(1);
        for (;;)
                run_batch(&victim);
}

/* Runs a child until it is dead. */
static void kill_one(const struct arena *arena, uint64_t after, long ns) {
        int fd = dup(arena->fd), status;
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (!pid)
                be_killed(fd, after);
        close(fd);
        if (!after) {
                struct timespec t = {0, ns};

                nanosleep(&t, NULL);
                kill(pid, SIGKILL);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

struct judge {
        uint64_t model[WORDS];
        uint64_t number; /* batches that the model knows */
};

/* A successor comes, and finds what the committed batches made. */
static void succeed(struct arena *arena, struct judge *judge) {
        int fd = dup(arena->fd);
        uint64_t commit;

        arena_deinit(arena);
        assert_int_equal(arena_init_adopt(arena, fd), 0);
        commit = atomic_load(&arena->header->commit);
        assert_true(commit >= judge->number);
        while (judge->number < commit)
                /* Number 0 modulo 2^32 is passed over: it would look like no batch. */
                if ((uint32_t)++judge->number)
                        play(judge->number, change_model, judge->model);
        assert_memory_equal(arena_data(arena), judge->model, sizeof judge->model);
        assert_int_equal(atomic_load(&arena->header->undo_length), 0);
}

static void torture(struct arena *arena, struct judge *judge, int self, int ours) {
        struct random r = {99};
        uint64_t begun = judge->number;

        for (int i = 0; i < self; i++) {
                kill_one(arena, 1 + next(&r) % 3000, 0);
                succeed(arena, judge);
        }
        for (int i = 0; i < ours; i++) {
                kill_one(arena, 0, next(&r) % 2000000);
                succeed(arena, judge);
        }
        assert_true(judge->number > begun);
}

static void test_killed_at_any_store(void **unused) {
        struct arena arena;
        static struct judge judge;

        assert_int_equal(arena_init(&arena, LINES * ARENA_LINE, UNDO * 8), 0);
        torture(&arena, &judge, KILLS_SELF, KILLS_OURS);
        arena_deinit(&arena);
}

/* Every single cut of one batch, one after the other. */
static void test_each_cut(void **unused) {
        struct arena arena;
        static struct judge judge;

        assert_int_equal(arena_init(&arena, LINES * ARENA_LINE, UNDO * 8), 0);
        for (uint64_t after = 1; after < 300; after++) {
                kill_one(&arena, after, 0);
                succeed(&arena, &judge);
        }
        arena_deinit(&arena);
}

static void test_batch_numbers_wrap(void **unused) {
        struct arena arena;
        static struct judge judge;

        for (int begin = -1; begin <= 4; begin++) {
                uint64_t commit = (UINT64_C(7) << 32) - (uint64_t)(int64_t)begin;

                memset(&judge, 0, sizeof judge);
                judge.number = commit;
                assert_int_equal(arena_init(&arena, LINES * ARENA_LINE, UNDO * 8), 0);
                atomic_store(&arena.header->commit, commit);
                torture(&arena, &judge, 12, 0);
                assert_true(judge.number > UINT64_C(7) << 32);
                arena_deinit(&arena);
        }
}

/* Memory is given back, and what was committed is there, and batches go on and can be undone. */
static void test_trim(void **unused) {
        struct arena arena;
        char *data;
        uint64_t before;

        assert_int_equal(arena_init(&arena, LINES * ARENA_LINE, 65536), 0);
        data = arena_data(&arena);
        for (int round = 0; round < 3; round++) {
                arena_begin(&arena);
                for (uint64_t i = 0; i < 2000; i++) {
                        arena_log_line(&arena, data + (size_t)(i % LINES) * ARENA_LINE);
                        data[i % LINES * ARENA_LINE] = (char)round;
                }
                arena_commit(&arena);
                before = arena_memory(&arena);
                arena_trim(&arena);
                assert_true(arena_memory(&arena) + 100000 < before);
                assert_int_equal(data[5 * ARENA_LINE], round);
        }
        /* Left in the middle of a batch, and taken over. */
        arena_begin(&arena);
        arena_touch(&arena, data, 1);
        data[0] = 99;
        {
                struct arena successor;

                assert_int_equal(arena_init_adopt(&successor, dup(arena.fd)), 0);
                assert_int_equal(*(char *)arena_data(&successor), 2);
                arena_deinit(&successor);
        }
        arena_deinit(&arena);
}

/* A batch with more lines than the log has room for ends the process, and is undone: nothing is written over the data. */
static void test_full_log(void **unused) {
        struct arena arena, successor;
        int status;
        pid_t child;
        char *data;

        assert_int_equal(arena_init(&arena, LINES * ARENA_LINE, UNDO), 0);
        data = arena_data(&arena);
        memset(data, 1, LINES * ARENA_LINE);
        child = fork();
        if (child == 0) {
                setrlimit(RLIMIT_CORE, &(struct rlimit){0});
                arena_begin(&arena);
                for (uint64_t i = 0; i <= UNDO; i++) {
                        arena_touch_line(&arena, data + i * ARENA_LINE);
                        data[i * ARENA_LINE] = 2;
                }
                arena_commit(&arena);
                _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        assert_int_equal(arena_init_adopt(&successor, dup(arena.fd)), 0);
        for (uint64_t i = 0; i < LINES * ARENA_LINE; i++)
                assert_int_equal(((char *)arena_data(&successor))[i], 1);
        arena_deinit(&successor);
        arena_deinit(&arena);
}

/* The same in one process: what `touched` remembers of the last round must not hide a line. */
static void test_wrap_in_one_life(void **unused) {
        struct arena arena;
        static struct judge judge;
        struct victim victim = {&arena, 0};

        memset(&judge, 0, sizeof judge);
        judge.number = (UINT64_C(1) << 32) - 5;
        assert_int_equal(arena_init(&arena, LINES * ARENA_LINE, UNDO * 8), 0);
        atomic_store(&arena.header->commit, judge.number);
        for (int i = 0; i < 10; i++)
                run_batch(&victim);
        /* And one that is not committed. */
        arena_begin(&arena);
        play(4711, change_arena, &victim);
        arena.in_batch = false;
        succeed(&arena, &judge);
        arena_deinit(&arena);
}

static void test_undo_can_be_interrupted(void **unused) {
        struct arena arena;
        static struct judge judge;
        struct victim victim = {&arena, 0};
        uint64_t length;

        memset(&judge, 0, sizeof judge);
        assert_int_equal(arena_init(&arena, LINES * ARENA_LINE, UNDO * 8), 0);
        run_batch(&victim);
        arena_begin(&arena);
        play(4711, change_arena, &victim);
        arena.in_batch = false;
        length = atomic_load(&arena.header->undo_length);
        /* The successor dies when it has put back the newest half. */
        for (uint64_t n = length; n-- > length / 2;)
                memcpy(arena.base + (arena.undo_tags[n] & UINT32_MAX) * ARENA_LINE, arena.undo_lines[n], ARENA_LINE);
        succeed(&arena, &judge);
        arena_deinit(&arena);
}

static void test_strange_arenas(void **unused) {
        struct arena arena;
        int fd;

        fd = memfd_create("empty", MFD_CLOEXEC);
        assert_int_equal(arena_init_adopt(&arena, fd), -EPROTO);
        assert_int_equal(fcntl(fd, F_GETFD), -1); /* consumed */

        fd = memfd_create("zeros", MFD_CLOEXEC);
        assert_int_equal(ftruncate(fd, 1 << 20), 0);
        assert_int_equal(arena_init_adopt(&arena, fd), -EPROTO);
        assert_int_equal(fcntl(fd, F_GETFD), -1);

        /* One that says another size must not make us unmap what is not ours. */
        assert_int_equal(arena_init(&arena, LINES * ARENA_LINE, UNDO), 0);
        fd = dup(arena.fd);
        arena.header->size += UINT64_C(1) << 30;
        arena_deinit(&arena);
        assert_int_equal(arena_init_adopt(&arena, fd), -EPROTO);

        assert_int_equal(arena_init(&arena, UINT64_C(1) << 60, UNDO), -EFBIG);
}

static void test_room(void **unused) {
        struct arena arena;
        char *data;

        assert_int_equal(arena_init(&arena, LINES * ARENA_LINE, UNDO), 0);
        data = arena_data(&arena);
        arena_begin(&arena);
        assert_int_equal(arena_logged(&arena), 0);
        for (unsigned i = 0; i < UNDO; i++) {
                assert_int_equal(arena_logged(&arena), i);
                arena_touch(&arena, data + i * ARENA_LINE + 60, 4);
                arena_touch(&arena, data + i * ARENA_LINE, ARENA_LINE); /* the same line again costs nothing */
        }
        assert_int_equal(arena_logged(&arena), UNDO);
        arena_commit(&arena);
        arena_begin(&arena);
        assert_int_equal(arena_logged(&arena), 0);
        arena_touch(&arena, data + 63, 2); /* two lines */
        assert_int_equal(arena_logged(&arena), 2);
        arena_commit(&arena);
        arena_deinit(&arena);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_killed_at_any_store),
                cmocka_unit_test(test_each_cut),
                cmocka_unit_test(test_full_log),
                cmocka_unit_test(test_trim),
                cmocka_unit_test(test_batch_numbers_wrap),
                cmocka_unit_test(test_wrap_in_one_life),
                cmocka_unit_test(test_undo_can_be_interrupted),
                cmocka_unit_test(test_strange_arenas),
                cmocka_unit_test(test_room),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
