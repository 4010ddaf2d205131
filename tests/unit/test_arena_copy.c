/* SPDX-License-Identifier: MIT */
/*
 * A copy of an arena that changes between its slices: in the end it is what the arena is then.
 *
 * Labels: valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/arena/arena_copy.h"
#include "daemon/arena/arena_image.h"

#define DATA ((uint64_t)8 << 20)

static char *data(const struct arena *arena) {
        return arena->base + arena->header->data_offset;
}

/* A batch that changes `n` words anywhere below `limit`. */
static void change(struct arena *arena, unsigned n, uint64_t limit) {
        arena_begin(arena);
        while (n--) {
                uint64_t *word = (uint64_t *)(void *)(data(arena) + (uint64_t)(rand() % (int)(limit / 8)) * 8);

                arena_touch(arena, word, sizeof *word);
                *word = (uint64_t)rand() + 1;
        }
        arena_commit(arena);
}

static void expect_same(const struct arena_copy *copy, const struct arena *arena) {
        uint64_t at = arena->header->data_offset;

        assert_int_equal(copy->size, arena->size);
        assert_memory_equal(copy->base, arena->base, sizeof *arena->header);
        assert_memory_equal(copy->base + at, arena->base + at, DATA);
}

/* A batch of 16 words or less after each slice; a slice is one step. */
static void copy_while_it_changes(struct arena *arena, uint64_t limit, unsigned drop_at) {
        struct arena_copy copy;
        unsigned slices = 0;

        assert_int_equal(arena_copy_init(&copy, arena), 0);
        while (arena_copy_go_on(&copy, arena, 0) > 0) {
                assert_true(++slices < 10000);
                if (slices == drop_at)
                        arena_trim(arena);
                change(arena, slices < 400 ? 1 + (unsigned)rand() % 16 : 0, limit);
        }
        assert_true(slices > 4);
        expect_same(&copy, arena);
        arena_copy_deinit(&copy);
}

static void test_changes(void **state) {
        struct arena arena;

        srand(1);
        for (int round = 0; round < 8; round++) {
                assert_int_equal(arena_init(&arena, DATA, 4096), 0);
                for (int i = 0; i < 200; i++)
                        change(&arena, 64, DATA / 2);
                /* What is a hole now gets data while the copy is made. */
                copy_while_it_changes(&arena, DATA, 0);
                copy_while_it_changes(&arena, DATA, 10);
                arena_deinit(&arena);
        }
}

static void test_image(void **state) {
        char boot[ARENA_IMAGE_BOOT] = "boot", *bytes, *bytes_of_copy;
        struct arena_copy copy;
        struct arena arena;
        size_t size, size_of_copy;

        assert_int_equal(arena_init(&arena, DATA, 4096), 0);
        change(&arena, 1000, DATA);
        assert_int_equal(arena_image_make(&arena, boot, &bytes, &size), 0);
        assert_int_equal(arena_copy_init(&copy, &arena), 0);
        while (arena_copy_go_on(&copy, &arena, 0) > 0)
                if (copy.rounds >= 20)
                        fail();
        assert_int_equal(arena_image_of_copy(&copy, boot, &bytes_of_copy, &size_of_copy), 0);
        assert_int_equal(size, size_of_copy);
        assert_memory_equal(bytes, bytes_of_copy, size);
        arena_copy_deinit(&copy);
        free(bytes);
        free(bytes_of_copy);
        arena_deinit(&arena);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_changes),
                cmocka_unit_test(test_image),
        };

        return cmocka_run_group_tests_name("arena_copy", tests, NULL, NULL);
}
