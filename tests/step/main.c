/* SPDX-License-Identifier: MIT */
/*
 * A program single-stepped from before its first open through lane claim, ring wrap and refusal, while the collector
 * drains at each instruction; and killed at each.
 *
 * Every script runs twice under the stepper: with a collector that drains and settles at each instruction, and with one
 * that drains rarely, so that much is undrained at a death.  At each instruction of both, a copy of segment and books
 * is ended as if the program had been killed there.  Then the program is killed for real: before each instruction at
 * which none was killed yet, of the client, of the C library beneath it, and of the program itself.  Its books must be
 * those of the copy.  check.c has the checks; mutants.cmake shows that they can fail.
 *
 * Optional: it sets breakpoints on x86-64 only.
 *
 * Timeout: 1800
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/step/step.h"

/* Where to kill. */
struct place {
        bool rarely;
        uint32_t call;
        uintptr_t at;
};
#define PLACES 32768u
static struct place places[PLACES];
static uint32_t place_count;

/* Addresses at which a kill is planned, or was. */
#define KNOWN 65536u
static uintptr_t known[KNOWN];

static struct step_stats sums;

static void on_step(const struct step_plan *plan, uint32_t call, uintptr_t instruction) {
        size_t i = instruction * UINT64_C(0x9e3779b97f4a7c15) >> 48;

        while (known[i % KNOWN] && known[i % KNOWN] != instruction)
                i++;
        if (known[i % KNOWN] || place_count == PLACES)
                return;
        known[i % KNOWN] = instruction;
        places[place_count++] = (struct place){plan->rarely, call, instruction};
}

static int clean(void **state) {
        (void)state;
        stage_clean();
        return 0;
}

static void add_stats(void) {
        const uint64_t *from = (const uint64_t *)&stats;
        uint64_t *to = (uint64_t *)&sums;

        for (size_t i = 0; i < sizeof stats / sizeof *from; i++)
                to[i] += from[i];
}

static void tell(const char *title, const struct step_stats *s) {
        print_message("%s: stepped %llu instructions; drained at %llu of them, %llu exact to the byte, %llu held back; "
                      "killed "
                      "at each (%llu by copy, %llu for real)\n",
                      title, (unsigned long long)s->steps, (unsigned long long)s->drained, (unsigned long long)s->exact,
                      (unsigned long long)s->held, (unsigned long long)s->copies, (unsigned long long)s->kills);
        print_message("    %llu claims, %llu refused, %llu LOST, %llu migrated, %llu times round the ring\n",
                      (unsigned long long)s->claims, (unsigned long long)s->refused,
                      (unsigned long long)s->lost_records, (unsigned long long)s->migrated,
                      (unsigned long long)s->wraps);
}

static void test_script(void **state) {
        const struct script *script = *state;
        struct step_plan plan = {.script = script, .on_step = on_step};
        struct step_stats stepped;

        stats = (struct step_stats){0};
        place_count = 0;
        stage_run(&plan);
        plan.rarely = true;
        stage_run(&plan);
        assert_true(place_count < PLACES);
        stepped = stats;
        for (uint32_t i = 0; i < place_count; i++) {
                plan.rarely = places[i].rarely;
                plan.call = places[i].call;
                plan.at = places[i].at;
                stage_run(&plan);
        }
        stepped.kills = stats.kills;
        stats = stepped;
        assert_int_equal(stats.kills, place_count);
        tell(script->title, &stats);
        add_stats();
}

/* That there was something to prove. */
static void test_sums(void **state) {
        (void)state;
        tell("all", &sums);
        assert_true(sums.steps > 50000);
        assert_true(sums.drained > 40000 && sums.exact > 30000 && sums.held > 10000);
        assert_true(sums.copies >= sums.steps && sums.kills > 2000);
        assert_true(sums.claims > 20 && sums.refused > 20 && sums.lost_records > 10 && sums.migrated > 4);
        assert_true(sums.wraps > 6 && sums.switches > 16);
        for (int op = 0; op < OPS; op++)
                assert_true(sums.calls[op] > 2);
}

int main(int argc, char **argv) {
        struct CMUnitTest tests[32];
        unsigned n;

#if !defined(__x86_64__)
        printf("stepping knows the breakpoint of x86-64 only\n");
        return 77;
#endif
        if (argc > 1)
                cmocka_set_test_filter(argv[1]);
        for (n = 0; n < script_count; n++)
                tests[n] = (struct CMUnitTest){scripts[n].title, test_script, NULL, clean, (void *)&scripts[n]};
        tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_sums);
        return _cmocka_run_group_tests("step", tests, n, NULL, NULL);
}
