/* SPDX-License-Identifier: MIT */
/*
 * A signal that comes between top's look at what came and its wait ends the wait, also one that has no end.
 *
 * Labels: valgrind
 */
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ctl/top/top_signals.h"

static void test_between(void **state) {
        static const int signals[] = {SIGCONT, SIGINT};
        sigset_t open, before, after;

        top_signals();
        sigprocmask(SIG_SETMASK, NULL, &before);
        for (size_t i = 0; i < 2; i++) {
                top_signals_hold(&open);
                assert_false(top_continued());
                assert_false(top_interrupted());
                raise(signals[i]);
                assert_false(top_continued());
                assert_false(top_interrupted());
                assert_int_equal(ppoll(NULL, 0, NULL, &open), -1);
                assert_int_equal(errno, EINTR);
                assert_int_equal(top_continued(), signals[i] == SIGCONT);
                assert_false(top_continued());
                assert_int_equal(top_interrupted(), signals[i] == SIGINT);
                top_signals_release(&open);
        }
        sigprocmask(SIG_SETMASK, NULL, &after);
        for (int i = 1; i < SIGRTMIN; i++)
                assert_int_equal(sigismember(&before, i), sigismember(&after, i));
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_between),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
