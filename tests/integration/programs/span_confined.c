/* SPDX-License-Identifier: MIT */
/*
 * Works, shuts itself in as programs do today, and works on.  usage: span_confined seccomp|landlock|none SECONDS
 *
 *     seccomp   libseccomp installs a filter that kills for what this program does not call
 *     landlock  no file may be opened any more
 *
 * Writes "shut in", and at its end, which SIGTERM brings early, a ledger of the span "work": how often it was opened, and
 * the reason of spanalloc_stats() for which the library is quiet.  77: the kernel has no landlock.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

/* Of the first version of <linux/landlock.h>, which older headers lack. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self  446
#endif
#define LANDLOCK_ALL_OF_VERSION_1 ((1ull << 13) - 1)

/* What this program, libc's malloc, its threads and its end call. */
static const char *const calls[] = {
        "read",
        "write",
        "brk",
        "mmap",
        "munmap",
        "mprotect",
        "madvise",
        "exit",
        "exit_group",
        "clock_gettime",
        "rt_sigreturn",
        "futex",
        "rseq",
        "set_robust_list",
        "clone",
        "clone3",
        "rt_sigprocmask",
        "clock_nanosleep",
        "newfstatat",
        "fstat",
        "sched_getaffinity",
        "rt_sigaction",
        "mremap",
        "gettid",
        "lseek",
};

static unsigned long opened;
static volatile sig_atomic_t never, is_told;

static void on_term(int number) {
        (void)number;
        is_told = 1;
}

static void work(unsigned ms, const volatile sig_atomic_t *is_over) {
        for (unsigned i = 0; i < ms / 10 && !*is_over; i++) {
                for (int k = 0; k < 20; k++) {
                        SPANALLOC_SCOPE("work");
                        void *volatile block = malloc(64);

                        free(block);
                        opened++;
                }
                nanosleep(&(struct timespec){0, 10000000}, NULL);
        }
}

static void *be_thread(void *unused) {
        work(100, &never);
        return NULL;
}

static int install_filter(void) {
        scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
        int r = filter ? 0 : -ENOMEM;

        for (size_t i = 0; i < sizeof calls / sizeof *calls && r == 0; i++) {
                int call = seccomp_syscall_resolve_name(calls[i]);

                if (call >= 0)
                        r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 0);
        }
        if (r == 0)
                r = seccomp_load(filter);
        seccomp_release(filter);
        return r;
}

static int restrict_files(void) {
        uint64_t handled = LANDLOCK_ALL_OF_VERSION_1;
        long ruleset = syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0);
        int r = 0;

        if (ruleset < 0)
                return errno == ENOSYS || errno == EOPNOTSUPP ? 77 : -errno;
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
                r = -errno;
        close((int)ruleset);
        if (r == 0 && (open("/etc/passwd", O_RDONLY) >= 0 || errno != EACCES))
                r = -EXDEV; /* landlock does nothing */
        return r;
}

int main(int argc, char **argv) {
        struct spanalloc_stats stats = {.size = sizeof stats};
        pthread_t thread;
        int r = 0;

        if (argc != 3)
                return 125;
        setvbuf(stdout, NULL, _IONBF, 0);
        signal(SIGTERM, on_term);
        work(500, &never);
        if (!strcmp(argv[1], "seccomp"))
                r = install_filter();
        else if (!strcmp(argv[1], "landlock"))
                r = restrict_files();
        if (r > 0)
                return r;
        if (r < 0) {
                fprintf(stderr, "span_confined: %s\n", strerror(-r));
                return 1;
        }
        puts("shut in");
        work((unsigned)atoi(argv[2]) * 1000, &is_told);
        if (pthread_create(&thread, NULL, be_thread, NULL) || pthread_join(thread, NULL))
                return 2;
        spanalloc_stats(&stats);
        printf("work %lu quiet %u\n", opened, stats.quiet);
        return 0;
}
