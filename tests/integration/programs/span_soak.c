/* SPDX-License-Identifier: MIT */
/*
 * span_soak SECONDS PROCESSES THREADS EVERY COMMAND: keeps so many processes of so many threads running; each lives for
 * less than a second, and the next one takes its place at once.  After each EVERY that have ended, COMMAND is run, and
 * no process is started meanwhile.  At the end prints the ledger that the processes themselves kept, one line:
 *
 *     processes spans alloc_count alloc_bytes dealloc_count dealloc_bytes
 *
 * Threads come and go, too: each of a process's threads is two, one after the other.
 */
#include <pthread.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

static struct ledger { _Atomic unsigned long processes, spans, counters[4]; } * ledger;

static _Thread_local struct spanalloc_counters now;
static unsigned seed;

static void snapshot(struct spanalloc_counters *out) {
        *out = now;
}

/* ----------------------------------------------------------------------------------------------------- a process -- */

static void *work(void *userdata) {
        SPANALLOC_SITE(outer, "soak-outer");
        SPANALLOC_SITE(inner, "soak-inner");
        unsigned mine = seed ^ (unsigned)(unsigned long)userdata, rounds = 5 + rand_r(&mine) % 20;
        unsigned long spans = 0;

        for (unsigned i = 0; i < rounds; i++) {
                spanalloc_span a = spanalloc_open(&outer), b;

                spanalloc_enter(a);
                now.alloc_count++;
                now.alloc_bytes += 1 + rand_r(&mine) % 10000;
                for (unsigned k = 0; k < 20; k++, spans++) {
                        b = spanalloc_open(&inner);
                        spanalloc_enter(b);
                        now.alloc_count += k;
                        now.alloc_bytes += rand_r(&mine) % 1000;
                        now.dealloc_count++;
                        now.dealloc_bytes += rand_r(&mine) % 500;
                        spanalloc_exit(b);
                        spanalloc_close(b);
                }
                spanalloc_exit(a);
                spanalloc_close(a);
                spans++;
                nanosleep(&(struct timespec){0, 1000000 + rand_r(&mine) % 20000000}, NULL);
        }
        atomic_fetch_add(&ledger->spans, spans);
        atomic_fetch_add(&ledger->counters[0], now.alloc_count);
        atomic_fetch_add(&ledger->counters[1], now.alloc_bytes);
        atomic_fetch_add(&ledger->counters[2], now.dealloc_count);
        atomic_fetch_add(&ledger->counters[3], now.dealloc_bytes);
        return NULL;
}

static int process(int threads) {
        pthread_t ids[256];
        int r;

        seed = (unsigned)getpid() * 2654435761u;
        spanalloc_set_snapshot(snapshot);
        r = spanalloc_attach(NULL);
        if (r < 0) {
                fprintf(stderr, "span_soak: process %d has not attached: %s\n", (int)getpid(), strerror(-r));
                return 3;
        }
        for (unsigned long turn = 0; turn < 2; turn++) {
                for (int i = 0; i < threads; i++)
                        if (pthread_create(&ids[i], NULL, work, (void *)(turn << 8 | (unsigned long)i)))
                                return 4;
                for (int i = 0; i < threads; i++)
                        pthread_join(ids[i], NULL);
        }
        atomic_fetch_add(&ledger->processes, 1);
        return 0;
}

/* --------------------------------------------------------------------------------------------------- the crowd -- */

static void start(char *self, char *threads, char *fd) {
        char *arguments[] = {self, "process", threads, fd, NULL};
        extern char **environ;
        pid_t pid;

        if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, arguments, environ)) {
                perror("span_soak: posix_spawn");
                exit(1);
        }
}

int main(int argc, char **argv) {
        unsigned long ended = 0, every;
        char number[16];
        time_t until;
        int fd, status, alive;

        if (argc == 4 && !strcmp(argv[1], "process")) {
                ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED, atoi(argv[3]), 0);
                return ledger == MAP_FAILED ? 1 : process(atoi(argv[2]));
        }
        if (argc < 6)
                return 2;
        fd = memfd_create("ledger", 0);
        if (fd < 0 || ftruncate(fd, sizeof *ledger) < 0)
                return 1;
        ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        snprintf(number, sizeof number, "%d", fd);
        every = strtoul(argv[4], NULL, 10);
        until = time(NULL) + atoi(argv[1]);
        for (alive = 0; alive < atoi(argv[2]); alive++)
                start(argv[0], argv[3], number);
        while (alive) {
                if (waitpid(-1, &status, 0) < 0)
                        return 1;
                if (status) {
                        fprintf(stderr, "span_soak: a process ended with %#x\n", (unsigned)status);
                        return 1;
                }
                alive--;
                if (++ended % every == 0 && system(argv[5])) {
                        fputs("span_soak: the command failed\n", stderr);
                        return 1;
                }
                if (time(NULL) < until) {
                        start(argv[0], argv[3], number);
                        alive++;
                }
        }
        printf("%lu %lu %lu %lu %lu %lu\n", ledger->processes, ledger->spans, ledger->counters[0], ledger->counters[1],
               ledger->counters[2], ledger->counters[3]);
        return 0;
}
