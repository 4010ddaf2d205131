/* SPDX-License-Identifier: MIT */
/*
 * The table of live spans against a plain array, with room for few; and that one step never changes more lines than the
 * undo log has for it, whatever a client does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/books/open_spans.h"
#include "daemon/books/tally.h"
#include "tests/unit/books_fixture.h"

#define CAPACITY 24u
#define NUMBERS  60u /* different spans */

struct entry {
        uint64_t instance;
        uint32_t mark; /* kept in `cycles` */
        bool queued, later;
};

struct model {
        struct entry entries[CAPACITY];
        unsigned count;
        uint64_t queue[CAPACITY], later[CAPACITY]; /* in order */
        unsigned queued, waiting;
};

static struct entry *model_find(struct model *model, uint64_t instance) {
        for (unsigned i = 0; i < model->count; i++)
                if (model->entries[i].instance == instance)
                        return &model->entries[i];
        return NULL;
}

static void model_remove(struct model *model, uint64_t instance) {
        struct entry *entry = model_find(model, instance);

        *entry = model->entries[--model->count];
}

static struct instance *get(struct books *books, uint64_t instance, uint32_t path, bool *ret_new) {
        struct instance *entry = open_spans_find(books, instance);

        *ret_new = !entry;
        return entry ? open_spans_use(books, entry) : open_spans_make(books, instance, path);
}

static void assert_same(struct books *books, struct model *model) {
        unsigned found = 0;

        assert_int_equal(books->book->open_spans, model->count);
        for (uint32_t n = 1; n <= NUMBERS; n++) {
                uint64_t instance = span_of(n % 3, n);
                struct instance *entry = open_spans_find(books, instance);
                struct entry *want = model_find(model, instance);

                assert_int_equal(entry != NULL, want != NULL);
                if (!entry)
                        continue;
                found++;
                assert_int_equal(entry->instance, instance);
                assert_int_equal(entry->cycles, want->mark);
                assert_int_equal((entry->flags & INSTANCE_QUEUED) != 0, want->queued);
        }
        assert_int_equal(found, model->count);
}

/* A span that is missing now was evicted: it must have been one that may be. */
static void follow_eviction(struct books *books, struct model *model) {
        unsigned gone = 0, queued = model->queued + model->waiting;

        for (unsigned i = 0; i < model->count;) {
                uint64_t instance = model->entries[i].instance;

                if (open_spans_find(books, instance)) {
                        i++;
                        continue;
                }
                gone++;
                if (model->entries[i].queued) {
                        /* Only when there was nothing else; and the first of the queue. */
                        assert_int_equal(queued, CAPACITY);
                        if (model->queued) {
                                assert_int_equal(model->queue[0], instance);
                                memmove(model->queue, model->queue + 1, --model->queued * sizeof *model->queue);
                        } else {
                                assert_int_equal(model->later[0], instance);
                                memmove(model->later, model->later + 1, --model->waiting * sizeof *model->later);
                        }
                }
                model_remove(model, instance);
        }
        assert_int_equal(gone, 1);
}

static void step(struct books *books, struct model *model) {
        uint32_t n = 1 + (uint32_t)random() % NUMBERS;
        uint64_t instance = span_of(n % 3, n), evicted = books->book->evicted;
        struct entry *known = model_find(model, instance);
        struct instance *entry;
        bool is_new;

        switch (random() % 8) {
        case 0 ... 3:
                entry = get(books, instance, A, &is_new);
                assert_int_equal(is_new, !known);
                if (books->book->evicted != evicted)
                        follow_eviction(books, model);
                if (!known) {
                        assert_true(model->count < CAPACITY);
                        entry->cycles = (uint32_t)random();
                        model->entries[model->count++] = (struct entry){.instance = instance, .mark = entry->cycles};
                }
                break;
        case 4:
                if (!known || known->queued)
                        break;
                open_spans_remove(books, open_spans_find(books, instance));
                model_remove(model, instance);
                break;
        case 5:
        case 6:
                if (!known)
                        break;
                is_new = random() % 2;
                open_spans_queue_close(books, open_spans_find(books, instance), is_new);
                if (!known->queued && is_new)
                        model->later[model->waiting++] = instance;
                else if (!known->queued)
                        model->queue[model->queued++] = instance;
                known->queued = true;
                break;
        case 7:
                entry = open_spans_next_close(books);
                assert_int_equal(entry != NULL, model->queued != 0);
                if (!entry) {
                        open_spans_advance_queue(books);
                        memcpy(model->queue, model->later, sizeof model->later);
                        model->queued = model->waiting;
                        model->waiting = 0;
                        break;
                }
                assert_int_equal(entry->instance, model->queue[0]);
                memmove(model->queue, model->queue + 1, --model->queued * sizeof *model->queue);
                model_find(model, entry->instance)->queued = false;
                if (random() % 2) {
                        model_remove(model, entry->instance);
                        open_spans_remove(books, entry);
                }
                break;
        }
}

static void test_against_an_array(void **state) {
        for (unsigned seed = 1; seed <= 20; seed++) {
                struct books *books = books_small(CAPACITY);
                struct model model = {0};

                srandom(seed);
                for (int i = 0; i < 3000; i++) {
                        books_begin(books, 1);
                        step(books, &model);
                        assert_same(books, &model);
                        books_commit(books);
                }
                assert_true(books->book->evicted > 0);
                books_free(books);
        }
}

/* What a client does in one step must fit the log: here the table is full of spans that were all active just now, and one
 * more comes. */
static uint64_t lines_of_get(struct books *books, uint64_t instance) {
        uint64_t before;
        bool is_new;

        books_begin(books, 1);
        before = atomic_load(&books->arena.header->undo_length);
        get(books, instance, A, &is_new);
        before = atomic_load(&books->arena.header->undo_length) - before;
        books_commit(books);
        assert_true(is_new);
        return before;
}

static void test_an_eviction_is_a_small_step(void **state) {
        enum { MANY = 200000 };
        struct books *books = books_small(MANY);

        for (uint32_t n = 1; n <= MANY; n++)
                assert_true(lines_of_get(books, (uint64_t)n << 20) < BOOKS_LINES_PER_STEP / 8);
        for (uint32_t n = 1; n <= 2000; n++)
                assert_true(lines_of_get(books, UINT64_C(1) << 60 | n) < BOOKS_LINES_PER_STEP / 4);
        assert_int_equal(books->book->evicted, 2000);
        assert_int_equal(books->book->open_spans, MANY);
        books_free(books);
}

/* All are entered, so that each eviction looks at as many as it may: it changes none that it has passed before. */
static void test_evictions_among_entered_ones(void **state) {
        enum { MANY = 1000 };
        struct books *books = books_small(MANY);

        for (uint32_t n = 1; n <= 4 * MANY; n++) {
                uint64_t lines = lines_of_get(books, (uint64_t)n << 20);

                open_spans_find(books, (uint64_t)n << 20)->entered = 1;
                if (n > 2 * MANY)
                        assert_true(lines < 32);
        }
        assert_int_equal(books->book->evicted, 3 * MANY);
        books_free(books);
}

/* Numbers that a simple hash would put into one heap. */
static void test_numbers_of_a_strangers_choice(void **state) {
        enum { MANY = 100000 };
        struct books *books = books_small(MANY);
        uint64_t inverse = 1, x = UINT64_C(0x9e3779b97f4a7c15);

        for (int i = 0; i < 6; i++) /* Newton: modulo 2^64 */
                inverse *= 2 - x * inverse;
        assert_int_equal(inverse * x, 1);
        for (uint64_t n = 1; n <= MANY; n++)
                lines_of_get(books, n * inverse);
        for (uint64_t n = 1; n <= MANY; n++) {
                uint64_t lines;

                books_begin(books, 1);
                open_spans_remove(books, open_spans_find(books, n * inverse));
                lines = atomic_load(&books->arena.header->undo_length);
                books_commit(books);
                assert_true(lines < 64);
        }
        assert_int_equal(books->book->open_spans, 0);
        books_free(books);
}

/* Full of closes that wait for the next pass. */
static void test_all_wait_for_their_close(void **state) {
        struct books *books = books_small(CAPACITY);
        bool is_new;

        books_begin(books, 1);
        for (uint32_t n = 1; n <= 10 * CAPACITY; n++)
                open_spans_queue_close(books, get(books, span_of(0, n), A, &is_new), true);
        books_commit(books);
        assert_int_equal(books->book->open_spans, CAPACITY);
        assert_int_equal(books->book->evicted, 9 * CAPACITY);
        books_begin(books, 1);
        open_spans_advance_queue(books);
        for (uint32_t n = 9 * CAPACITY + 1; n <= 10 * CAPACITY; n++)
                assert_int_equal(open_spans_next_close(books)->instance, span_of(0, n));
        assert_null(open_spans_next_close(books));
        books_commit(books);
        books_free(books);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_against_an_array),
                cmocka_unit_test(test_an_eviction_is_a_small_step),
                cmocka_unit_test(test_evictions_among_entered_ones),
                cmocka_unit_test(test_numbers_of_a_strangers_choice),
                cmocka_unit_test(test_all_wait_for_their_close),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
