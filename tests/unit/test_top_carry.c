/* SPDX-License-Identifier: MIT */
/*
 * Answers with changes only, against whole answers: top shows the same, for rows that are added, removed or unchanged.
 *
 * Labels: valgrind
 */
#include <stdio.h>

#include "ctl/model/top_list.h"
#include "ctl/rows/counting.h"
#include "tests/support/top_fixture.h"

enum { PROCESSES = 3, SPANS = 4 };

/* What there is: of each process its first so many spans. */
struct world {
        uint64_t time_ns;
        size_t spans[PROCESSES];
        uint64_t bytes[PROCESSES][SPANS];
        bool changed[PROCESSES], gone[PROCESSES];
        char names[PROCESSES][SPANS][16];
};

static void step(struct world *world) {
        world->time_ns += random() % 20 ? SECOND : 0; /* a clock that stands still makes rates unknown */
        for (int p = 0; p < PROCESSES; p++) {
                world->changed[p] = random() % 2;
                if (!world->changed[p])
                        continue;
                world->gone[p] = random() % 10 == 0;
                world->spans[p] = (size_t)random() % (SPANS + 1);
                for (int s = 0; s < SPANS; s++)
                        world->bytes[p][s] = random() % 10 ? world->bytes[p][s] + 100 * (uint64_t)(random() % 50) : 0;
        }
}

/* All of it, or without what is unchanged. */
static void tell(const struct world *world, struct top_samples *samples, bool all) {
        samples->time_ns = world->time_ns;
        samples->complete = true;
        samples->count = samples->unchanged_count = 0;
        samples->answer = all ? 0 : 7;
        for (int p = 0; p < PROCESSES; p++) {
                if (world->gone[p])
                        continue;
                if (!all && !world->changed[p])
                        samples->unchanged[samples->unchanged_count++] = (uint64_t)p + 1;
                for (size_t s = 0; (all || world->changed[p]) && s < world->spans[p]; s++)
                        samples->rows[samples->count++] = (struct top_sample){
                                .process = (uint64_t)p + 1,
                                .key = (uint32_t)s + 1,
                                .span = world->names[p][s],
                                .path = world->names[p][s],
                                .sums = {.alloc_bytes = world->bytes[p][s],
                                         .alloc_count = world->bytes[p][s] / 10,
                                         .closed = world->bytes[p][s] / 100,
                                         .net_bytes = -(int64_t)world->bytes[p][s],
                                         .timed_calls = world->bytes[p][s] / 100,
                                         .timed_calls_ns = world->bytes[p][s],
                                         .calls = world->bytes[p][s] / 100,
                                         .calls_net = 500 - (int64_t)world->bytes[p][s],
                                         .busy_ns = 3 * world->bytes[p][s],
                                         .has_time = true,
                                         .quality = s == 2 ? TOP_LOST : TOP_EXACT},
                        };
        }
}

static void assert_same_row(const struct fake *whole, const struct fake *part, size_t i) {
        struct top_row a = row_at(whole, i), b = row_at(part, i);
        double x[2], y[2];

        assert_int_equal(a.process, b.process);
        assert_int_equal(a.key, b.key);
        assert_int_equal(a.pid, b.pid);
        assert_string_equal(a.unit, b.unit);
        assert_string_equal(a.span, b.span);
        assert_int_equal(a.sums.quality == TOP_UNCOUNTED, a.process == 3 && counting_is_missing(whole->counting));
        assert_memory_equal(&a.sums, &b.sums, sizeof(a.sums));
        assert_memory_equal(&a.rates, &b.rates, sizeof(a.rates));
        for (uint32_t back = 0; back < 6; back++) {
                bool known = top_model_history(whole->ui.model, a.slot, back, &x[0], &x[1]);

                assert_int_equal(known, top_model_history(part->ui.model, b.slot, back, &y[0], &y[1]));
                if (known)
                        assert_memory_equal(x, y, sizeof(x));
        }
}

static void feed_both(struct world *world, struct fake *whole, struct fake *part, bool all) {
        tell(world, &whole->samples, true);
        tell(world, &part->samples, all);
        assert_int_equal(top_model_feed(whole->ui.model, &whole->samples, fake_processes(whole), whole->status), 0);
        assert_int_equal(top_model_feed(part->ui.model, &part->samples, fake_processes(part), part->status), 0);
        assert_int_equal(top_model_answer(part->ui.model), all ? 0 : 7);
        assert_int_equal(top_model_count(whole->ui.model), top_model_count(part->ui.model));
        for (size_t i = 0; i < top_model_count(whole->ui.model); i++)
                assert_same_row(whole, part, i);
}

static void make_room(struct top_samples *samples) {
        samples->rows = calloc(PROCESSES * SPANS, sizeof(*samples->rows));
        samples->unchanged = calloc(PROCESSES, sizeof(*samples->unchanged));
        assert_true(samples->rows && samples->unchanged);
        samples->room = PROCESSES * SPANS;
        samples->unchanged_room = PROCESSES;
}

static void test_the_same_is_shown(void **state) {
        struct fake *whole = *state, *part;
        struct world world = {.time_ns = SECOND};
        void *other = NULL;

        assert_int_equal(setup(&other), 0);
        part = other;
        make_room(&whole->samples);
        make_room(&part->samples);
        for (int p = 0; p < PROCESSES; p++)
                for (int s = 0; s < SPANS; s++)
                        snprintf(world.names[p][s], sizeof(world.names[p][s]), "span %d", (p + s) % 3);
        srandom(1);
        for (int round = 0; round < 3000; round++) {
                /* That a process is not counted may become known later. */
                whole->counting = part->counting = random() % 5 ? "libspanalloc-malloc"
                                                                : "not counted: static executable";
                step(&world);
                feed_both(&world, whole, part, round == 0);
                if (random() % 8 == 0) {
                        enum top_column column = (enum top_column)(random() % TOP_COLUMNS);

                        top_model_sort(whole->ui.model, column);
                        top_model_sort(part->ui.model, column);
                        top_model_filter(whole->ui.model, random() % 2 ? "" : "span 1");
                        top_model_filter(part->ui.model, top_model_filter_text(whole->ui.model));
                }
        }
        teardown(&other);
}

/* What is forgotten, cut, or of another shape is no answer to ask for the changes of. */
static void test_when_all_is_needed(void **state) {
        struct fake *fake = *state;
        struct world world = {.time_ns = SECOND, .spans = {1, 1, 1}, .changed = {true, true, true}};

        make_room(&fake->samples);
        tell(&world, &fake->samples, false);
        assert_int_equal(top_model_feed(fake->ui.model, &fake->samples, fake_processes(fake), fake->status), 0);
        assert_int_equal(top_model_answer(fake->ui.model), 7);
        top_model_set_shape(fake->ui.model, TOP_BY_UNIT);
        assert_int_equal(top_model_answer(fake->ui.model), 7);
        top_model_set_shape(fake->ui.model, TOP_TREE);
        assert_int_equal(top_model_answer(fake->ui.model), 0);
        top_model_set_shape(fake->ui.model, TOP_FLAT);
        assert_int_equal(top_model_answer(fake->ui.model), 0);
        fake->samples.complete = false;
        assert_int_equal(top_model_feed(fake->ui.model, &fake->samples, fake_processes(fake), fake->status), 0);
        assert_int_equal(top_model_answer(fake->ui.model), 0);
        fake->samples.complete = true;
        assert_int_equal(top_model_feed(fake->ui.model, &fake->samples, fake_processes(fake), fake->status), 0);
        assert_int_equal(top_model_answer(fake->ui.model), 7);
        top_model_forget(fake->ui.model);
        assert_int_equal(top_model_answer(fake->ui.model), 0);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_the_same_is_shown, setup, teardown),
                cmocka_unit_test_setup_teardown(test_when_all_is_needed, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
