/* SPDX-License-Identifier: MIT */
/*
 * A program that shuts itself in: from then on the kernel kills it for any system call but its own few.
 *
 * The filter is installed in three ways, by the run's variant: prctl(), libc's syscall(), and a system call of the program's
 * own, which no library can see.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/legal/legal.h"

/* What this program and libc's malloc, fork and threads do here. */
static const int allowed[] = {
        SYS_read,         SYS_write,           SYS_brk,           SYS_mmap,
        SYS_munmap,       SYS_mremap,          SYS_mprotect,      SYS_madvise,
        SYS_exit,         SYS_exit_group,      SYS_futex,         SYS_rt_sigreturn,
        SYS_clone,        SYS_wait4,           SYS_clock_gettime, SYS_rt_sigprocmask,
        SYS_getpid,       SYS_set_robust_list, SYS_rseq,          SYS_sched_getaffinity,
        SYS_rt_sigaction, SYS_nanosleep,
};
#define ALLOWED (sizeof allowed / sizeof *allowed)

static long own_prctl(long option, long a, const void *b) {
#if defined(__x86_64__)
        long r = SYS_prctl;
        register long c __asm__("r10") = 0, d __asm__("r8") = 0;

        __asm__ volatile("syscall" : "+a"(r) : "D"(option), "S"(a), "d"(b), "r"(c), "r"(d) : "rcx", "r11", "memory");
        return r;
#else
        return prctl((int)option, a, b, 0, 0);
#endif
}

void deed_seccomp(void) {
        struct sock_filter code[2 * ALLOWED + 8];
        struct sock_fprog program = {.filter = code};
        unsigned short n = 0;
        long r;

        code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
        for (size_t i = 0; i < ALLOWED; i++) {
                code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], 0, 1);
                code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        }
        /* libc makes threads by it, and falls back to clone. */
        code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
        program.len = n;
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        if (variant % 3 == 0)
                r = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
        else if (variant % 3 == 1)
                r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
        else
                r = own_prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
        if (r)
                say_number("seccomp", r);
}

static void *be_thread(void *unused) {
        (void)unused;
        work(20);
        return NULL;
}

/* A thread and a child, in the sandbox. */
void after_seccomp(void) {
        pthread_t thread;
        int status = -1;
        pid_t pid;

        if (pthread_create(&thread, NULL, be_thread, NULL) || pthread_join(thread, NULL))
                say("no thread\n");
        pid = fork();
        if (!pid) {
                traced = false;
                new_entry();
                end_child();
        }
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (status)
                say_number("the child in the sandbox ended with", status);
}

static void spin(unsigned long rounds) {
        for (volatile unsigned long i = 0; i < rounds; i++)
                ;
}

/* No library sees it; but the collector does, when it looks next, at most a second later.  In strict mode there is neither
 * sleep nor clock, so the time is measured before. */
static long strict_unseen(void) {
        struct timespec begin, now;
        unsigned long rounds = 0;
        long r;

        clock_gettime(CLOCK_MONOTONIC, &begin);
        do {
                spin(100000);
                rounds += 100000;
                clock_gettime(CLOCK_MONOTONIC, &now);
        } while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < 50);
        r = own_prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, NULL);
        spin(120 * rounds);
        return r;
}

void deed_strict(void) {
        unsigned ways = getenv("LEGAL_SEEN_ONLY") ? 2 : 3;
        long r;

        exit_call = SYS_exit;
        may_sleep = false;
        if ((unsigned)variant % ways == 0)
                r = prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0);
        else if ((unsigned)variant % ways == 1)
                r = syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL);
        else
                r = strict_unseen();
        if (r)
                say_number("strict mode", r);
}

/* The collector falls asleep; then there are enough records that the library has reason to wake it. */
void after_strict(void) {
        for (volatile unsigned i = 0; i < 60000000; i++)
                ;
        settle(20000);
}
