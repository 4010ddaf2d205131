/* SPDX-License-Identifier: MIT */
/*
 * A program that does one legal thing, and keeps its own books.
 *
 *     legal DEED WHERE VARIANT TIMES FLAGS LEDGER
 *
 * WHERE: between, call, malloc.  Inside a call and inside malloc's counting the driver delivers SIGUSR1 at an instruction of
 * its choice between two marks; without a driver the program raises it itself, between the marks.  FLAGS: `fill` first
 * opens scopes until a ring is full; `soak` works for more than a second after the deed; `traced` has marks stop.
 */
#define _GNU_SOURCE
#include "tests/legal/legal.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

struct legal_ledger *ledger;
struct legal_entry *mine;
volatile bool traced, is_forked, is_inside, is_in_malloc;
bool may_sleep = true;
int exit_call = SYS_exit_group;
int variant;
char **legal_argv;
sigjmp_buf legal_jump;

static const struct deed *deed;
static bool is_filled, is_soaked;
static unsigned soak_rounds;

void say(const char *text) {
        ssize_t n = write(1, text, strlen(text));

        (void)n;
}

void say_number(const char *text, long number) {
        char line[128], digits[24];
        size_t n = 0, d = 0;
        unsigned long rest = number < 0 ? -(unsigned long)number : (unsigned long)number;

        while (text[n] && n < 90) {
                line[n] = text[n];
                n++;
        }
        line[n++] = ' ';
        if (number < 0)
                line[n++] = '-';
        do
                digits[d++] = (char)('0' + rest % 10);
        while (rest /= 10);
        while (d)
                line[n++] = digits[--d];
        line[n++] = '\n';
        line[n] = 0;
        say(line);
}

void end_child(void) {
        work(10);
        look_at_stats();
        mine->done = 1;
        syscall(SYS_exit_group, 0);
}

static void mark(enum legal_mark which) {
        if (traced)
                __asm__ volatile("int3" : : "D"((unsigned long)which) : "memory");
        else if (which == MARK_END && !is_forked)
                raise(SIGUSR1);
        if (which == MARK_END && is_forked)
                end_child();
}

/* A child begins with nothing, as in the books. */
void new_entry(void) {
        uint32_t i = atomic_fetch_add(&ledger->used, 1);

        if (i >= LEGAL_ENTRIES)
                _exit(98);
        mine = &ledger->entries[i];
        mine->is_child = i > 0;
        mine->pid = (int32_t)syscall(SYS_getpid);
}

/* -------------------------------------------------------------------------------------------------- the work -- */

void *take(size_t bytes) {
        void *block = malloc(bytes);

        if (!block) {
                say("no memory\n");
                syscall(SYS_exit_group, 97);
        }
        memset(block, 1, bytes < 64 ? bytes : 64);
        mine->alloc_count++;
        mine->alloc_bytes += malloc_usable_size(block);
        return block;
}

void drop(void *block) {
        mine->dealloc_count++;
        mine->dealloc_bytes += malloc_usable_size(block);
        free(block);
}

static void check_errno(void) {
        if (errno != LEGAL_ERRNO)
                mine->errno_changed++;
}

static void scope_before(void) {
        SPANALLOC_SCOPE("before");
        drop(take(100));
        mine->before++;
}

static void scope_after(void) {
        uint64_t bytes = mine->alloc_bytes;
        SPANALLOC_SCOPE("after");

        drop(take(200));
        mine->after_bytes += mine->alloc_bytes - bytes;
        mine->after++;
}

static void scope_settle(void) {
        SPANALLOC_SCOPE("settle");
        drop(take(50));
}

void settle(int times) {
        for (int i = 0; i < times; i++) {
                errno = LEGAL_ERRNO;
                scope_settle();
                check_errno();
        }
}

void work(int times) {
        int saved = errno;

        settle(times);
        for (int i = 0; i < times; i++) {
                errno = LEGAL_ERRNO;
                scope_after();
                check_errno();
                drop(take(30));
        }
        errno = saved;
}

/* More than a second, in which the library looks for a collector.  Where the program may not sleep any more, it may not ask a
 * clock either: how much work that is was measured before.  The plain program need not wait. */
static void measure_speed(void) {
#ifndef SPANALLOC_DISABLE
        struct timespec begin, now;

        clock_gettime(CLOCK_MONOTONIC, &begin);
        do {
                settle(20);
                soak_rounds += 30; /* 50 ms are measured, 1.5 s are wanted */
                clock_gettime(CLOCK_MONOTONIC, &now);
        } while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < 50);
#endif
}

static void soak(void) {
        for (int i = 0; may_sleep && soak_rounds && i < 130; i++) {
                settle(20);
                syscall(SYS_nanosleep, &(struct timespec){0, 10000000}, NULL);
        }
        for (unsigned i = 0; !may_sleep && i < soak_rounds; i++)
                settle(20);
}

void look_at_stats(void) {
        struct spanalloc_stats stats = {.size = sizeof stats};

        spanalloc_stats(&stats);
        mine->attached = (int32_t)stats.attached;
        mine->attach_error = stats.attach_error;
        mine->attempts = stats.attach_attempts;
        mine->nested = stats.nested;
        mine->refused_threads = stats.refused_threads;
}

void finish(void) {
        if (is_soaked)
                soak();
        work(100);
        say("worked\n");
        if (deed->after)
                deed->after();
        if (mine->errno_changed)
                say("errno changed\n");
        look_at_stats();
        mine->done = 1;
        mark(MARK_WORKED);
}

/* ---------------------------------------------------------------------------------------------------- the deed -- */

static void on_signal(int number) {
        int saved = errno;

        (void)number;
        mine->handled++;
        deed->run();
        errno = saved;
}

static void op_span(void) {
        SPANALLOC_SCOPE("op");
}

static void op_malloc(void) {
        drop(take(40));
}

static void *interrupted(void *argument) {
        int times = *(int *)argument;

        for (volatile int i = 0; i < times; i++) {
                if (sigsetjmp(legal_jump, 0))
                        continue;
                errno = LEGAL_ERRNO;
                mark(MARK_BEGIN);
                if (is_in_malloc)
                        op_malloc();
                else
                        op_span();
                mark(MARK_END);
                check_errno();
        }
        return NULL;
}

static void fill(void) {
        for (int i = 0; i < 2000; i++)
                scope_settle();
}

static void *between(void *argument) {
        for (volatile int i = 0; i < *(int *)argument; i++)
                if (!sigsetjmp(legal_jump, 0))
                        deed->run();
        return NULL;
}

static void open_ledger(const char *path) {
        int fd = open(path, O_RDWR | O_CLOEXEC);

        ledger = mmap(NULL, sizeof *ledger, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (ledger == MAP_FAILED)
                _exit(96);
        close(fd);
        new_entry();
}

/* After exec: another program of the same process. */
static int again(char **argv) {
        open_ledger(argv[2]);
        work(100);
        say("executed\n");
        look_at_stats();
        mine->done = 1;
        return 0;
}

int main(int argc, char **argv) {
        struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_NODEFER};
        int times;
        pthread_t thread;

        legal_argv = argv;
        if (argc == 3 && !strcmp(argv[1], "again"))
                return again(argv);
        if (argc != 7)
                return 95;
        for (deed = deeds; deed->name && strcmp(deed->name, argv[1]) != 0;)
                deed++;
        if (!deed->name)
                return 94;
        is_inside = strcmp(argv[2], "between") != 0;
        is_in_malloc = !strcmp(argv[2], "malloc");
        variant = atoi(argv[3]);
        times = deed->is_once ? 1 : atoi(argv[4]);
        traced = strstr(argv[5], "traced");
        is_filled = strstr(argv[5], "fill");
        is_soaked = strstr(argv[5], "soak");
        open_ledger(argv[6]);
        sigaction(SIGUSR1, &action, NULL);
        spanalloc_attach(NULL);
        if (is_soaked)
                measure_speed();
        for (int i = 0; i < 100; i++)
                scope_before();

        mark(MARK_READY);
        if (is_filled)
                fill();
        if (deed->in_thread) {
                /* Each thread ends in its deed. */
                int one = 1;

                for (int i = 0; i < times; i++) {
                        pthread_create(&thread, NULL, is_inside ? interrupted : between, &one);
                        pthread_join(thread, NULL);
                }
        } else {
                (is_inside ? interrupted : between)(&times);
        }
        say_number("handled", (long)mine->handled);
        finish();
        syscall(exit_call, 0);
}
