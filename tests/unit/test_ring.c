/* SPDX-License-Identifier: MIT */
/*
 * The ring of a lane: a consumer copies published records whole and in order, while the producer runs; and the number
 * of free slots.
 *
 * Labels: tsan valgrind
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "shm/ring.h"

#define RECORDS 256u
#define COUNT   (RECORDS * 2000u) /* the ring wraps 2000 times */

struct fixture {
        struct shm_lane *lane;
        struct shm_record *ring;
        uint32_t reserve; /* slots that the producer leaves free, as for owed exits */
        uint64_t refusals;
};

static int setup(void **state) {
        struct fixture *fixture = calloc(1, sizeof *fixture);

        fixture->lane = aligned_alloc(SHM_PAGE, sizeof *fixture->lane);
        fixture->ring = aligned_alloc(SHM_PAGE, RECORDS * sizeof *fixture->ring);
        memset(fixture->lane, 0, sizeof *fixture->lane);
        memset(fixture->ring, 0, RECORDS * sizeof *fixture->ring);
        fixture->lane->limit = RECORDS;
        *state = fixture;
        return 0;
}

static int teardown(void **state) {
        struct fixture *fixture = *state;

        free(fixture->lane);
        free(fixture->ring);
        free(fixture);
        return 0;
}

/* Every byte of a record follows from its position. */
static struct shm_record record_at(uint64_t position) {
        struct shm_record r = {
                .sequence = position,
                .instance = position * UINT64_C(0x9e3779b97f4a7c15),
                .path = (uint32_t)position * 7,
                .kind = (uint16_t)(position % SHM_KIND_MAX + 1),
                .flags = (uint16_t)(position % SHM_FLAGS_ALL),
                .timestamp = ~position,
        };

        for (unsigned c = 0; c < SHM_COUNTERS; c++)
                r.counters[c] = position * (c + 3);
        return r;
}

static void *produce(void *userdata) {
        struct fixture *fixture = userdata;
        uint64_t head = 0;

        while (head < COUNT) {
                if (!ring_has_room(fixture->lane, head, 1 + fixture->reserve, RECORDS)) {
                        fixture->refusals++;
                        sched_yield();
                        continue;
                }
                *ring_slot(fixture->ring, head, RECORDS - 1) = record_at(head);
                ring_publish(fixture->lane, ++head);
        }
        return NULL;
}

static void run(struct fixture *fixture, unsigned batch) {
        uint64_t position = 0, released = 0;
        pthread_t producer;

        assert_int_equal(pthread_create(&producer, NULL, produce, fixture), 0);
        while (position < COUNT) {
                uint64_t head = ring_head(fixture->lane);

                assert_true(head >= position);
                /* Slots that are not given back yet are never written again, nor those that were reserved. */
                assert_true(head - released <= RECORDS - fixture->reserve);
                if (head == position) {
                        sched_yield();
                        continue;
                }
                for (; position < head; position++) {
                        struct shm_record got = fixture->ring[position & (RECORDS - 1)], want = record_at(position);

                        assert_memory_equal(&got, &want, sizeof got);
                        if (position + 1 - released >= batch) {
                                released = position + 1;
                                ring_release(fixture->lane, released);
                        }
                }
                released = position;
                ring_release(fixture->lane, released);
        }
        pthread_join(producer, NULL);
        assert_int_equal(ring_head(fixture->lane), COUNT);
}

static void test_every_record_whole_and_in_order(void **state) {
        run(*state, 1);
}

static void test_in_batches(void **state) {
        run(*state, 100);
}

static void test_with_a_reservation(void **state) {
        struct fixture *fixture = *state;

        fixture->reserve = 2 * SHM_DEPTH;
        run(fixture, 7);
}

/* The remembered limit may lag behind the consumer, never run ahead of it. */
static void test_room(void **state) {
        struct fixture *fixture = *state;
        struct shm_lane *lane = fixture->lane;
        uint64_t head = UINT64_C(1) << 40, tail = head;

        ring_release(lane, tail);
        lane->limit = tail + RECORDS;
        srandom(1);
        for (int i = 0; i < 200000; i++) {
                uint64_t need = (uint64_t)random() % (RECORDS + 10), used = head - tail;
                bool room = ring_has_room(lane, head, need, RECORDS);

                assert_true(lane->limit <= tail + RECORDS);
                assert_int_equal(room, used + need <= RECORDS);
                if (room)
                        head += need;
                else
                        assert_int_equal(lane->limit, tail + RECORDS);
                if (random() % 2) {
                        tail += (uint64_t)random() % (head - tail + 1);
                        ring_release(lane, tail);
                }
        }
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_every_record_whole_and_in_order, setup, teardown),
                cmocka_unit_test_setup_teardown(test_in_batches, setup, teardown),
                cmocka_unit_test_setup_teardown(test_with_a_reservation, setup, teardown),
                cmocka_unit_test_setup_teardown(test_room, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
