/* SPDX-License-Identifier: MIT */
/*
 * Spans whose collector is stopped or does not answer: the program goes on in every case.
 *
 *     span_stalled pairs THREADS PAIRS     so many pairs of enter and exit on each thread, with counters of its own
 *     span_stalled attempts N              spans until the library has tried N times to attach
 *
 * pairs: attaches, says "ready", waits for a line, and goes.  Both print what they did and what spanalloc_stats says, a name
 * and a number to a line, then "done", and wait for the end of stdin.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <spanalloc/spanalloc.h>

static _Thread_local struct spanalloc_counters now;
static unsigned long pairs;

SPANALLOC_SITE(outer_site, "stalled-outer");

static void snapshot(struct spanalloc_counters *out) {
        *out = now;
}

/* Of each four one is a scope; each spends one allocation of 16 bytes. */
static void *work(void *userdata) {
        for (unsigned long i = 0; i < pairs; i++)
                if (i % 4) {
                        spanalloc_span span = spanalloc_open(&outer_site);

                        spanalloc_enter(span);
                        now.alloc_count++;
                        now.alloc_bytes += 16;
                        spanalloc_exit(span);
                        spanalloc_close(span);
                } else {
                        SPANALLOC_SCOPE("stalled-scope");
                        now.alloc_count++;
                        now.alloc_bytes += 16;
                }
        return userdata;
}

static int run_threads(unsigned count) {
        pthread_t threads[16];
        char line[16];

        if (!count || count > 16 || spanalloc_set_snapshot(snapshot) != 0 || spanalloc_attach(NULL) != 0)
                return -1;
        puts("ready");
        fflush(stdout);
        if (!fgets(line, sizeof line, stdin))
                return -1;
        for (unsigned i = 0; i < count; i++)
                if (pthread_create(&threads[i], NULL, work, NULL))
                        return -1;
        for (unsigned i = 0; i < count; i++)
                pthread_join(threads[i], NULL);
        printf("cycles %lu\nalloc_bytes %lu\n", count * pairs, count * pairs * 16);
        return 0;
}

static void run_attempts(unsigned long attempts) {
        struct spanalloc_stats stats = {.size = sizeof stats};
        struct timespec begin, end;
        unsigned long rounds = 0;

        clock_gettime(CLOCK_MONOTONIC, &begin);
        for (; stats.attach_attempts < attempts; rounds++) {
                SPANALLOC_SCOPE("unheard");
                nanosleep(&(struct timespec){0, 1000000}, NULL);
                spanalloc_stats(&stats);
        }
        clock_gettime(CLOCK_MONOTONIC, &end);
        printf("rounds %lu\nelapsed_ms %lld\n", rounds,
               (end.tv_sec - begin.tv_sec) * 1000LL + (end.tv_nsec - begin.tv_nsec) / 1000000);
}

int main(int argc, char **argv) {
        struct spanalloc_stats stats = {.size = sizeof stats};

        if (argc == 4 && !strcmp(argv[1], "pairs")) {
                pairs = strtoul(argv[3], NULL, 10);
                if (run_threads((unsigned)atoi(argv[2])) < 0)
                        return 2;
        } else if (argc == 3 && !strcmp(argv[1], "attempts")) {
                run_attempts(strtoul(argv[2], NULL, 10));
        } else {
                return 2;
        }
        spanalloc_stats(&stats);
        printf("attach_error %d\nattach_attempts %lu\nrefused_enters %lu\nrefused_opens %lu\nrefused_closes %lu\nwaits "
               "%lu\n",
               stats.attach_error, (unsigned long)stats.attach_attempts, (unsigned long)stats.refused_enters,
               (unsigned long)stats.refused_opens, (unsigned long)stats.refused_closes, (unsigned long)stats.waits);
        puts("done");
        fflush(stdout);
        while (getchar() != EOF)
                ;
        return 0;
}
