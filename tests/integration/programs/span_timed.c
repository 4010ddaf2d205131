/* SPDX-License-Identifier: MIT */
/*
 * Works in spans, and measures the same times with the clock: for timing.sh.
 *
 * Reads commands from stdin, a line each, and answers with a line:
 *
 *     calls N       N times the scope `outer` around the scope `inner`, each of which works for a while; then, in nanoseconds
 *                   of CLOCK_MONOTONIC_RAW: what surely was in outer, what was around it, and the same of inner
 *     futures N     N spans `future` that are entered here and on another thread in turn, and are closed
 *     begin         enters the scope `long`; end: leaves it
 */
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <spanalloc/spanalloc.h>

static uint64_t now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC_RAW, &now);
        return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void work(uint64_t ns) {
        uint64_t begin = now_ns();

        while (now_ns() - begin < ns)
                ;
}

struct bounds {
        uint64_t least, most;
};

static void inner(struct bounds *ret) {
        uint64_t before = now_ns(), begin, end;

        {
                SPANALLOC_SCOPE("inner");
                begin = now_ns();
                work(200000);
                end = now_ns();
        }
        ret->least += end - begin;
        ret->most += now_ns() - before;
}

static void calls(unsigned n) {
        struct bounds out = {0, 0}, in = {0, 0};

        for (unsigned i = 0; i < n; i++) {
                uint64_t before = now_ns(), begin, end;

                {
                        SPANALLOC_SCOPE("outer");
                        begin = now_ns();
                        work(100000);
                        inner(&in);
                        end = now_ns();
                }
                out.least += end - begin;
                out.most += now_ns() - before;
        }
        printf("%llu %llu %llu %llu\n", (unsigned long long)out.least, (unsigned long long)out.most,
               (unsigned long long)in.least, (unsigned long long)in.most);
}

static void *poll_future(void *userdata) {
        spanalloc_span span = *(spanalloc_span *)userdata;

        spanalloc_enter(span);
        work(50000);
        spanalloc_exit(span);
        return NULL;
}

static void futures(unsigned n) {
        SPANALLOC_SITE(site, "future");

        for (unsigned i = 0; i < n; i++) {
                spanalloc_span span = spanalloc_open(&site);
                pthread_t thread;

                poll_future(&span);
                if (pthread_create(&thread, NULL, poll_future, &span) != 0)
                        abort();
                pthread_join(thread, NULL);
                spanalloc_close(span);
        }
        puts("done");
}

int main(void) {
        SPANALLOC_SITE(site, "long");
        spanalloc_span span = {0};
        char line[64];

        setlinebuf(stdout);
        puts("ready");
        while (fgets(line, sizeof line, stdin)) {
                if (!strncmp(line, "calls ", 6)) {
                        calls((unsigned)atoi(line + 6));
                } else if (!strncmp(line, "futures ", 8)) {
                        futures((unsigned)atoi(line + 8));
                } else if (!strcmp(line, "begin\n")) {
                        span = spanalloc_scope_begin(&site);
                        puts("begun");
                } else if (!strcmp(line, "end\n")) {
                        spanalloc_scope_end(span);
                        puts("ended");
                }
        }
        return 0;
}
