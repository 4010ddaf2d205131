/* SPDX-License-Identifier: MIT */
/*
 * Only spans: opens, enters, exits and closes them, and allocates nothing.  All counts between "ready" and "done" come
 * from the library.
 *
 *     span_silent plain|crowded ROUNDS THREADS
 *
 * plain: in each round two spans by hand and two scopes, one in the other each time.  crowded: names and paths by the
 * thousand, more than the tables hold, and scopes deeper than the stack.  With one thread it is main's.
 *
 * Says "ready" and waits for a line; warms up, so that every thread has its place and every site its path; then goes its
 * rounds, between two system calls that do nothing (sched_get_priority_max of BEGIN and of END), by which a trace can be
 * cut.  Prints the names with how often each was opened, what spanalloc_stats says has been added since the warm-up, and
 * "done", and waits for the end of stdin.  Ends with 3 if errno was touched.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

enum { THREADS_MAX = 64, BEGIN = 7701, END = 7702, UNTOUCHED = 4711 };
enum { CROWD_NAMES = 20000, CROWD_SQUARE = 400, TOO_DEEP = 100 };

static unsigned long rounds, thread_count;
static int is_crowded;
static pthread_barrier_t barrier;
static struct spanalloc_stats before;

SPANALLOC_SITE(first_site, "first");
SPANALLOC_SITE(second_site, "second");
SPANALLOC_SITE(third_site, "third");
SPANALLOC_SITE(inner_site, "inner");
static spanalloc_site *const sites[] = {&first_site, &second_site, &third_site};
enum { SITES = sizeof sites / sizeof *sites };

static void check(void) {
        if (errno != UNTOUCHED)
                _exit(3);
}

static void by_hand(spanalloc_site *site) {
        spanalloc_span outer, inner;

        outer = spanalloc_open(site);
        check();
        spanalloc_enter(outer);
        check();
        inner = spanalloc_open(&inner_site);
        spanalloc_enter(inner);
        spanalloc_exit(inner);
        check();
        spanalloc_close(inner);
        check();
        spanalloc_exit(outer);
        spanalloc_close(outer);
        check();
}

static void by_scope(void) {
        SPANALLOC_SCOPE("scope");
        check();
        {
                SPANALLOC_SCOPE("in scope");
                check();
        }
        check();
}

static void plain(unsigned long n) {
        for (unsigned long i = 0; i < n; i++) {
                by_hand(sites[i % SITES]);
                by_scope();
        }
}

static spanalloc_site *name_of(unsigned i) {
        char name[32];

        snprintf(name, sizeof name, "name %u", i);
        return spanalloc_site_intern(name);
}

static void deep(unsigned depth) {
        SPANALLOC_SCOPE("deep");
        check();
        if (depth > 1)
                deep(depth - 1);
}

/* Scopes beyond the stack; then more names than there can be; then more paths of two names. */
static void crowded(void) {
        spanalloc_span outer, inner;

        for (unsigned long i = 0; i < rounds; i++)
                deep(TOO_DEEP);
        for (unsigned i = 0; i < CROWD_NAMES; i++) {
                outer = spanalloc_open(name_of(i));
                spanalloc_enter(outer);
                spanalloc_exit(outer);
                spanalloc_close(outer);
                check();
        }
        for (unsigned i = 0; i < CROWD_SQUARE; i++) {
                outer = spanalloc_open(name_of(i));
                for (unsigned k = 0; k < CROWD_SQUARE; k++) {
                        inner = spanalloc_open_under(name_of(k), outer);
                        spanalloc_enter(inner);
                        spanalloc_exit(inner);
                        spanalloc_close(inner);
                        check();
                }
                spanalloc_close(outer);
        }
}

static void *run(void *userdata) {
        unsigned long me = (unsigned long)userdata;

        errno = UNTOUCHED;
        if (!is_crowded && rounds)
                plain(SITES);
        pthread_barrier_wait(&barrier);
        if (!me)
                spanalloc_stats(&before);
        pthread_barrier_wait(&barrier);
        syscall(SYS_sched_get_priority_max, BEGIN);
        errno = UNTOUCHED;
        if (!is_crowded)
                plain(rounds / thread_count);
        else if (rounds)
                crowded();
        check();
        syscall(SYS_sched_get_priority_max, END);
        return NULL;
}

static void run_all(void) {
        pthread_t threads[THREADS_MAX];

        pthread_barrier_init(&barrier, NULL, (unsigned)thread_count);
        if (thread_count == 1) {
                run(NULL);
                return;
        }
        for (unsigned long i = 0; i < thread_count; i++)
                if (pthread_create(&threads[i], NULL, run, (void *)i) != 0)
                        abort();
        for (unsigned long i = 0; i < thread_count; i++)
                pthread_join(threads[i], NULL);
}

static void print(void) {
        struct spanalloc_stats after = {.size = sizeof after};
        unsigned long n = rounds ? thread_count * (rounds / thread_count + SITES) : 0,
                      left = rounds / thread_count % SITES;

        spanalloc_stats(&after);
        if (is_crowded) {
                printf("deep %lu\n", thread_count * rounds * TOO_DEEP);
        } else {
                for (unsigned i = 0; i < SITES; i++)
                        printf("%s %lu\n", sites[i]->name,
                               rounds ? thread_count * (rounds / thread_count / SITES + 1 + (i < left)) : 0);
                printf("inner %lu\nscope %lu\nin_scope %lu\n", n, n, n);
        }
        printf("doorbells %lu\n", (unsigned long)(after.doorbells - before.doorbells));
        printf("waits %lu\n", (unsigned long)(after.waits - before.waits));
        printf("refused_enters %lu\n", (unsigned long)(after.refused_enters - before.refused_enters));
        printf("refused_depth %lu\n", (unsigned long)(after.refused_depth - before.refused_depth));
        printf("refused %lu\n", (unsigned long)(after.refused_enters + after.refused_depth + after.refused_opens +
                                                after.refused_closes));
        printf("unmatched %lu\n", (unsigned long)(after.unmatched_exits + after.nested));
        printf("other_names %lu\nother_paths %lu\n", (unsigned long)after.other_names,
               (unsigned long)after.other_paths);
}

static void wait_line(const char *say) {
        char line[64];

        puts(say);
        fflush(stdout);
        if (!fgets(line, sizeof line, stdin))
                exit(1);
}

int main(int argc, char **argv) {
        if (argc != 4)
                return 2;
        is_crowded = !strcmp(argv[1], "crowded");
        rounds = strtoul(argv[2], NULL, 10);
        thread_count = strtoul(argv[3], NULL, 10);
        before.size = sizeof before;
        if (!thread_count || thread_count > THREADS_MAX || spanalloc_attach(NULL) != 0)
                return 2;
        wait_line("ready");
        run_all();
        print();
        wait_line("done");
        return 0;
}
