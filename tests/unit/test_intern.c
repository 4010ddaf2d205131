/* SPDX-License-Identifier: MIT */
/*
 * Names and paths: the same id for the same path, for any thread, any order and any number of others; no two paths
 * share an id; full tables.  Each case in a process of its own, since the tables are the process's.
 *
 * Labels: tsan
 * Timeout: 900
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/process/library.h"
#include "client/segment/intern.h"

#define must(condition)                                                                                                \
        do {                                                                                                           \
                if (!(condition)) {                                                                                    \
                        fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition);                                \
                        _exit(1);                                                                                      \
                }                                                                                                      \
        } while (0)

static void in_a_process(void (*run)(void)) {
        int status;
        pid_t pid = fork();

        if (!pid) {
                sa_library_init();
                run();
                _exit(0);
        }
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
}

/* --------------------------------------------------------------------------------------- a grid of paths -- */

enum { PARENTS = 128, NAMES = 96 };

struct grid {
        spanalloc_site sites[NAMES];
        uint32_t parents[PARENTS];
        uint32_t ids[PARENTS][NAMES];
};
static char texts[NAMES][24];

static void grid_init(struct grid *grid) {
        for (int n = 0; n < NAMES; n++) {
                snprintf(texts[n], sizeof texts[n], "name %d", n);
                grid->sites[n] = (spanalloc_site){.abi = SPANALLOC_ABI, .name = texts[n], .file = "f.c", .line = 1};
        }
        for (int p = 0; p < PARENTS; p++) {
                char name[24];

                snprintf(name, sizeof name, "parent %d", p);
                grid->parents[p] = sa_path_intern(sa_site_intern(name), 0);
        }
}

/* The i-th of all in an order of its own for each `step`, which is odd. */
static void grid_ask(struct grid *grid, unsigned i, unsigned step) {
        unsigned at = i * step % (PARENTS * NAMES), p = at / NAMES, n = at % NAMES;
        uint32_t id = sa_path_intern(&grid->sites[n], grid->parents[p]);

        must(id > SHM_PATH_OTHER && id < SA_PATHS);
        must(!grid->ids[p][n] || grid->ids[p][n] == id);
        grid->ids[p][n] = id;
}

static void grid_ask_all(struct grid *grid, unsigned step) {
        for (unsigned i = 0; i < PARENTS * NAMES; i++)
                grid_ask(grid, i, step);
}

/* Each id is there once: with those of the parents and (other) they are all that there are. */
static void must_be_all(const struct grid *grid) {
        static bool seen[SA_PATHS];
        enum { ALL = 1 + PARENTS + PARENTS * NAMES };
        unsigned n = 1; /* (other) */

        memset(seen, 0, sizeof seen);
        for (int p = 0; p < PARENTS; p++) {
                must(grid->parents[p] <= ALL && !seen[grid->parents[p]]);
                seen[grid->parents[p]] = true;
                n++;
                for (int i = 0; i < NAMES; i++) {
                        must(grid->ids[p][i] <= ALL && !seen[grid->ids[p][i]]);
                        seen[grid->ids[p][i]] = true;
                        n++;
                }
        }
        must(n == ALL);
}

static struct grid first, others[4];

/* New ones all the time, and of the old ones some are asked for as often as the index has grown, some never. */
static void ids_stay_while_there_are_more(void) {
        grid_init(&first);
        for (unsigned i = 0; i < PARENTS * NAMES; i++) {
                grid_ask(&first, i, 5);
                if (i % 7 == 0)
                        grid_ask(&first, i / 3, 5);
        }
        grid_ask_all(&first, 1);
        must_be_all(&first);
}

/* Another site of the same name, and one that is named at run time, lead to the same path. */
static void sites_of_one_name_are_one(void) {
        grid_init(&first);
        grid_init(&others[0]);
        grid_ask_all(&first, 1);
        for (int n = 0; n < NAMES; n += 2)
                others[0].sites[n] = *sa_site_intern(texts[n]);
        grid_ask_all(&others[0], 11);
        must(!memcmp(first.ids, others[0].ids, sizeof first.ids));
        must_be_all(&first);
}

/* a > b > c, and under it a, b and c again; also from a site that has been elsewhere meanwhile. */
static void a_name_on_the_path_folds_back(void) {
        struct grid *g = &first;
        uint32_t a, b, c;

        grid_init(g);
        for (int turn = 0; turn < 3; turn++) {
                a = sa_path_intern(&g->sites[0], g->parents[turn]);
                b = sa_path_intern(&g->sites[1], a);
                c = sa_path_intern(&g->sites[2], b);
                must(a != b && b != c && a != c);
                for (int again = 0; again < 2; again++) {
                        must(sa_path_intern(&g->sites[0], c) == a);
                        must(sa_path_intern(&g->sites[1], c) == b);
                        must(sa_path_intern(&g->sites[2], c) == c);
                }
                grid_ask_all(g, 1); /* so that there are more tables */
                must(sa_path_intern(&g->sites[0], c) == a);
        }
}

static void what_is_no_path_is_a_root(void) {
        uint32_t root, id;

        grid_init(&first);
        root = sa_path_intern(&first.sites[0], 0);
        must(sa_path_intern(&first.sites[0], SA_PATHS - 1) == root);
        must(sa_path_intern(&first.sites[0], SA_PATHS) == root);
        must(sa_path_intern(&first.sites[0], UINT32_MAX) == root);
        must(first.sites[0].cache == root);
        id = root + 1; /* of the next one: not for ever */
        must(sa_path_intern(&first.sites[0], id) == root);
        must(sa_path_intern(&first.sites[1], id) == id);
        must(sa_path_intern(&first.sites[0], id) == id + 1);
}

/* ------------------------------------------------------------------------------------------------ full tables -- */

static void a_full_table_of_paths_says_other_each_time(void) {
        uint32_t id = 0, parent = SHM_PATH_OTHER, last = 0;
        uint64_t n;

        grid_init(&first);
        grid_ask_all(&first, 1);
        while (id != SHM_PATH_OTHER) {
                parent++;
                for (n = 0; n < NAMES && id != SHM_PATH_OTHER; n++) {
                        last = id;
                        id = sa_path_intern(&first.sites[n], parent);
                }
        }
        must(last == SA_PATHS - 1);
        must(atomic_load(&sa_root.other_paths) == 1);
        for (uint64_t i = 2; i < 5; i++) {
                must(sa_path_intern(&first.sites[n - 1], parent) == SHM_PATH_OTHER);
                must(atomic_load(&sa_root.other_paths) == i);
        }
        grid_ask_all(&first, 5); /* what is there is still found */
        must(sa_path_intern(&first.sites[n - 2], parent) == last);
        must(atomic_load(&sa_root.other_paths) == 4);
}

static void a_full_table_of_names_says_other_each_time(void) {
        spanalloc_site late = {.abi = SPANALLOC_ABI, .name = "too late"}, *site = NULL;
        uint32_t other;
        char name[16];

        for (unsigned i = 0; i < SA_NAMES; i++) {
                snprintf(name, sizeof name, "%u", i);
                site = sa_site_intern(name);
                must(site == sa_site_intern(name) || !strcmp(site->name, "(other)"));
        }
        must(!strcmp(site->name, "(other)"));
        other = sa_path_intern(site, 0);
        must(other == SHM_PATH_OTHER);
        for (uint64_t i = 0, before = atomic_load(&sa_root.other_names); i < 3; i++) {
                must(sa_path_intern(&late, 0) == other);
                must(atomic_load(&sa_root.other_names) == before + i + 1);
        }
        for (unsigned i = 0; i < SA_NAMES - 2; i++) {
                snprintf(name, sizeof name, "%u", i);
                must(!strcmp(sa_site_intern(name)->name, name));
        }
}

/* ------------------------------------------------------------------------------------------- all at once -- */

static pthread_barrier_t barrier;

/* Again and again, or one would be done before the next is there. */
static void start_together(unsigned i) {
        if (i % 64 == 0)
                pthread_barrier_wait(&barrier);
}

static void *ask_in_some_order(void *userdata) {
        static const unsigned steps[] = {1, 5, 7, 11};
        struct grid *grid = userdata;

        for (unsigned i = 0; i < PARENTS * NAMES; i++) {
                start_together(i);
                grid_ask(grid, i, steps[grid - others]);
        }
        grid_ask_all(grid, 1);
        return NULL;
}

/* Each by sites of its own, but for the parents. */
static void threads_agree(void) {
        pthread_t threads[4];

        must(pthread_barrier_init(&barrier, NULL, 4) == 0);
        for (int i = 0; i < 4; i++)
                grid_init(&others[i]);
        for (int i = 0; i < 4; i++)
                must(pthread_create(&threads[i], NULL, ask_in_some_order, &others[i]) == 0);
        for (int i = 0; i < 4; i++)
                must(pthread_join(threads[i], NULL) == 0);
        for (int i = 1; i < 4; i++)
                must(!memcmp(others[0].ids, others[i].ids, sizeof first.ids));
        must_be_all(&others[0]);
}

/* The sites are the same, so are their caches. */
static void *ask_by_shared_sites(void *userdata) {
        struct grid *own = userdata;

        for (unsigned i = 0; i < PARENTS * NAMES; i++) {
                unsigned at = i * (own == others ? 1 : 5) % (PARENTS * NAMES), p = at / NAMES, n = at % NAMES;

                start_together(i);
                own->ids[p][n] = sa_path_intern(&first.sites[n], first.parents[p]);
        }
        return NULL;
}

static void threads_share_sites(void) {
        pthread_t threads[2];

        must(pthread_barrier_init(&barrier, NULL, 2) == 0);
        grid_init(&first);
        for (int i = 0; i < 2; i++)
                must(pthread_create(&threads[i], NULL, ask_by_shared_sites, &others[i]) == 0);
        for (int i = 0; i < 2; i++)
                must(pthread_join(threads[i], NULL) == 0);
        memcpy(others[0].parents, first.parents, sizeof first.parents);
        must(!memcmp(others[0].ids, others[1].ids, sizeof first.ids));
        must_be_all(&others[0]);
}

/* A handler asks for the path that the thread is asking for, or the next. */
static atomic_uint asking, handled;

static void ask_in_a_handler(int signal) {
        unsigned at = atomic_load(&asking) + atomic_load(&handled) % 2, p = at / NAMES % PARENTS, n = at % NAMES;
        uint32_t id = sa_path_intern(&others[0].sites[n], others[0].parents[p]);

        must(!others[0].ids[p][n] || others[0].ids[p][n] == id);
        others[0].ids[p][n] = id;
        atomic_fetch_add(&handled, 1);
}

static void *interrupt(void *userdata) {
        pthread_t *thread = userdata;

        while (atomic_load(&handled) < 500 && !pthread_kill(*thread, SIGUSR1))
                usleep(10);
        return NULL;
}

static void handlers_agree(void) {
        struct sigaction action = {.sa_handler = ask_in_a_handler};
        pthread_t self = pthread_self(), thread;

        grid_init(&first);
        grid_init(&others[0]);
        must(sigaction(SIGUSR1, &action, NULL) == 0);
        must(pthread_create(&thread, NULL, interrupt, &self) == 0);
        for (unsigned i = 0; i < PARENTS * NAMES || atomic_load(&handled) < 500; i++) {
                atomic_store(&asking, i);
                grid_ask(&first, i, 1);
        }
        must(pthread_join(thread, NULL) == 0);
        for (int p = 0; p < PARENTS; p++)
                for (int n = 0; n < NAMES; n++)
                        must(!others[0].ids[p][n] || others[0].ids[p][n] == first.ids[p][n]);
        must_be_all(&first);
}

/* ------------------------------------------------------------------------------------------------------ fork -- */

static atomic_bool stop;

static void *ask_until_told(void *userdata) {
        struct grid *grid = userdata;

        for (unsigned i = 0; !atomic_load(&stop); i = (i + 1) % (PARENTS * NAMES))
                grid_ask(grid, i, 5);
        return NULL;
}

/* Children that are made while another thread appends: what this thread knew holds there, and there is no second one of
 * what was half done. */
static void children_go_on(void) {
        pthread_t thread;

        grid_init(&first);
        grid_init(&others[0]);
        must(pthread_create(&thread, NULL, ask_until_told, &others[0]) == 0);
        for (unsigned i = 0, done = 0; i < 24; i++) {
                int status;
                pid_t pid;

                for (unsigned end = (i + 1) * PARENTS * NAMES / 24; done < end; done++)
                        grid_ask(&first, done, 7);
                pid = fork();
                must(pid >= 0);
                if (!pid) {
                        grid_ask_all(&first, 1);
                        must_be_all(&first);
                        _exit(0);
                }
                must(waitpid(pid, &status, 0) == pid && status == 0);
        }
        atomic_store(&stop, true);
        must(pthread_join(thread, NULL) == 0);
        grid_ask_all(&first, 1);
        must_be_all(&first);
}

#define CASE(name)                                                                                                     \
        static void test_##name(void **state) {                                                                        \
                in_a_process(name);                                                                                    \
        }
CASE(ids_stay_while_there_are_more)
CASE(sites_of_one_name_are_one)
CASE(a_name_on_the_path_folds_back)
CASE(what_is_no_path_is_a_root)
CASE(a_full_table_of_paths_says_other_each_time)
CASE(a_full_table_of_names_says_other_each_time)
CASE(threads_agree)
CASE(threads_share_sites)
CASE(handlers_agree)
CASE(children_go_on)

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ids_stay_while_there_are_more),
                cmocka_unit_test(test_sites_of_one_name_are_one),
                cmocka_unit_test(test_a_name_on_the_path_folds_back),
                cmocka_unit_test(test_what_is_no_path_is_a_root),
                cmocka_unit_test(test_a_full_table_of_paths_says_other_each_time),
                cmocka_unit_test(test_a_full_table_of_names_says_other_each_time),
                cmocka_unit_test(test_threads_agree),
                cmocka_unit_test(test_threads_share_sites),
                cmocka_unit_test(test_handlers_agree),
                cmocka_unit_test(test_children_go_on),
        };

        return cmocka_run_group_tests_name("intern", tests, NULL, NULL);
}
