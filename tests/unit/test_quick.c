/* SPDX-License-Identifier: MIT */
/*
 * The sum that lets malloc and free count the quick way: it is a size if all three conditions hold, and never within
 * the range of sizes otherwise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/malloc/headers.h"

/* What the sum tells of a block with this header, of a thread and under a gate of these epochs: a size, or UINT64_MAX. */
static uint64_t told(size_t header, uint32_t own, uint32_t gate) {
        struct sa_thread self = {.epoch = own, .patience = 12345};
        size_t words[2] = {header}, sum;

        atomic_store(&sa_gate.quick, sa_quick_of(gate));
        sum = sa_header_and_thread(&words[1], &self);
        atomic_store(&sa_gate.quick, 0);
        if (!(sum & SA_HEADER_UNUSUAL))
                return sum;
        sum ^= SA_HEADER_ARENA;
        return sum & SA_HEADER_UNUSUAL ? UINT64_MAX : sum;
}

static const uint32_t attachments[] = {0, 1, 2, 3, 100, SA_QUICK_EPOCHS - 2, SA_QUICK_EPOCHS - 1};
enum { ATTACHMENTS = sizeof attachments / sizeof *attachments };

static void test_usual_blocks_are_told(void **state) {
        for (int i = 0; i < ATTACHMENTS; i++)
                for (size_t size = 32, epoch = sa_nth_epoch(attachments[i]); size <= SA_USUAL_BLOCKS; size += 16) {
                        assert_int_equal(told(size | 1, (uint32_t)epoch, (uint32_t)epoch), size - 8);
                        assert_int_equal(told(size | 5, (uint32_t)epoch, (uint32_t)epoch), size - 8);
                }
}

static void test_others_are_not(void **state) {
        static const size_t flags[] = {0, 2, 3, 4, 6, 7};
        uint32_t epoch = sa_nth_epoch(3);

        for (size_t size = 32; size < 4 * SA_EPOCH_STEP; size += 16)
                for (int i = 0; i < 6; i++)
                        assert_true(told(size | flags[i], epoch, epoch) == UINT64_MAX);
        for (size_t size = 2 * SA_EPOCH_STEP; size; size <<= 1) {
                assert_true(told(size | 1, epoch, epoch) == UINT64_MAX);
                assert_true(told((size + SA_EPOCH_STEP) | 5, epoch, epoch) == UINT64_MAX);
        }
}

/* A thread that has not been here since another collector; one without a lane; a gate that is wiped, or not quick. */
static void test_who_is_behind_never_is(void **state) {
        static const size_t flags[] = {1, 5, 2, 0, 7};

        for (int newer = 0; newer <= ATTACHMENTS; newer++) {
                uint32_t gate = newer < ATTACHMENTS ? sa_nth_epoch(attachments[newer]) : 0;

                for (int older = 0; older <= newer; older++) {
                        uint32_t own = older < newer ? sa_nth_epoch(attachments[older]) : SA_NO_EPOCH;

                        for (size_t size = 32; size < 4 * SA_EPOCH_STEP; size += 16)
                                for (int i = 0; i < 5; i++)
                                        assert_true(told(size | flags[i], own, gate) == UINT64_MAX);
                        for (uint64_t size = 1 << 12; size < UINT64_C(1) << 47; size <<= 1) {
                                assert_true(told(size | 1, own, gate) == UINT64_MAX);
                                assert_true(told((own - gate + size) | 2, own, gate) == UINT64_MAX);
                        }
                }
        }
}

/* More attachments than there are quick epochs: all are different, and none is taken for a quick one. */
static void test_when_they_are_used_up(void **state) {
        for (uint32_t n = SA_QUICK_EPOCHS; n < SA_QUICK_EPOCHS + 300000; n++) {
                uint32_t epoch = sa_nth_epoch(n);

                assert_true(epoch > SA_EPOCH_STEP && epoch < sa_nth_epoch(n + 1));
                assert_int_equal(epoch % 2, 1);
                assert_int_equal(sa_quick_of(epoch), 0);
                if (n % 1000 == 0)
                        for (size_t size = 32; size < 2 * SA_EPOCH_STEP; size += 16)
                                assert_true(told(size | 1, epoch, epoch) == UINT64_MAX);
        }
        for (uint32_t n = 1; n < SA_QUICK_EPOCHS; n++)
                assert_int_equal(sa_nth_epoch(n - 1) - sa_nth_epoch(n), SA_EPOCH_STEP);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_usual_blocks_are_told),
                cmocka_unit_test(test_others_are_not),
                cmocka_unit_test(test_who_is_behind_never_is),
                cmocka_unit_test(test_when_they_are_used_up),
        };

        return cmocka_run_group_tests_name("quick", tests, NULL, NULL);
}
