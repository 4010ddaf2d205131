/* SPDX-License-Identifier: MIT */
/*
 * Many processes with many spans, for measuring the commands that show them.
 *
 *     span_many PROCESSES SPANS PAUSE_MS
 *
 * Each process goes through all of its spans, then pauses, until the end of stdin.  Counters are of the program's own,
 * so that nothing has to be preloaded: span N spends N + 1 allocations of 64 bytes.
 */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

static _Thread_local struct spanalloc_counters now;

static void snapshot(struct spanalloc_counters *out) {
        *out = now;
}

static void work(spanalloc_site **sites, int spans) {
        for (int i = 0; i < spans; i++) {
                spanalloc_span span = spanalloc_open(sites[i]);

                spanalloc_enter(span);
                now.alloc_count += (unsigned)i + 1;
                now.alloc_bytes += 64 * ((unsigned)i + 1);
                spanalloc_exit(span);
                spanalloc_close(span);
        }
}

static int be_one(int spans, int pause_ms) {
        spanalloc_site **sites = calloc((size_t)spans, sizeof(*sites));
        struct pollfd end = {.fd = STDIN_FILENO, .events = POLLIN};
        char name[32];

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (!sites || spanalloc_set_snapshot(snapshot) != 0)
                return 1;
        for (int i = 0; i < spans; i++) {
                snprintf(name, sizeof(name), "request-%03d", i);
                sites[i] = spanalloc_site_intern(name);
        }
        while (poll(&end, 1, pause_ms) == 0)
                work(sites, spans);
        free(sites);
        return 0;
}

int main(int argc, char **argv) {
        int processes = argc > 1 ? atoi(argv[1]) : 0, spans = argc > 2 ? atoi(argv[2]) : 0;
        int pause_ms = argc > 3 ? atoi(argv[3]) : 100;

        if (processes < 1 || spans < 1 || pause_ms < 1)
                return 2;
        for (int i = 0; i < processes; i++) {
                pid_t pid = fork();

                if (pid < 0)
                        return 1;
                if (pid == 0)
                        _exit(be_one(spans, pause_ms));
        }
        while (wait(NULL) > 0)
                ;
        return 0;
}
