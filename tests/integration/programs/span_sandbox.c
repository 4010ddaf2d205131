/* SPDX-License-Identifier: MIT */
/*
 * Installs a seccomp filter while its threads are inside calls, in ways that tests/legal does not have.
 *
 *     span_sandbox tsync      four threads open spans and claim lanes; another one installs a filter for all of them
 *     span_sandbox first      the filter comes before the first span
 *     span_sandbox child      a forked child shuts itself in; its parent works on
 *     span_sandbox exec       the filter is inherited by exec
 *     span_sandbox timed      strict mode, with timestamps
 *     span_sandbox probe      asks whether there is seccomp, as libseccomp does
 *     span_sandbox privileges sets no_new_privs only
 *
 * It ends with 0 if it lives to the end and spanalloc_stats() says why the library is quiet.  It works for a second
 * before, and after it for six and until its standard input ends, so that the collector may be replaced in between; it
 * prints a line at each step.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

/* What this program, libc's malloc and its threads call. */
static const int allowed[] = {
        SYS_read,       SYS_write,           SYS_brk,           SYS_mmap,
        SYS_munmap,     SYS_mprotect,        SYS_madvise,       SYS_exit,
        SYS_exit_group, SYS_clock_nanosleep, SYS_clock_gettime, SYS_rt_sigreturn,
        SYS_wait4,      SYS_futex,           SYS_rseq,          SYS_set_robust_list,
        SYS_execve,     SYS_prlimit64,       SYS_openat,        SYS_close,
        SYS_fstat,      SYS_newfstatat,      SYS_pread64,       SYS_faccessat,
        SYS_getrandom,  SYS_set_tid_address,
#ifdef SYS_arch_prctl
        SYS_arch_prctl,
#endif
#ifdef SYS_access
        SYS_access,
#endif
};
#define ALLOWED (sizeof allowed / sizeof *allowed)

static _Atomic bool stop;

static void say(const char *text) {
        ssize_t n = write(1, text, strlen(text));

        (void)n;
}

static void allocate(size_t bytes) {
        void *volatile block = malloc(bytes);

        free(block);
}

static void work(unsigned ms) {
        for (unsigned i = 0; i < ms / 5; i++) {
                for (int k = 0; k < 200; k++) {
                        SPANALLOC_SCOPE("work");
                        allocate(64);
                }
                nanosleep(&(struct timespec){0, 5000000}, NULL);
        }
}

static void work_on(void) {
        char byte;

        work(6000);
        while (read(0, &byte, 1) < 0) /* EAGAIN: it is open for writing */
                work(5);
}

static void *brief(void *unused) {
        (void)unused;
        SPANALLOC_SCOPE("brief");
        allocate(32);
        return NULL;
}

static void *busy(void *unused) {
        (void)unused;
        for (unsigned i = 0; !atomic_load(&stop); i++) {
                SPANALLOC_SCOPE("busy");
                allocate(100);
                if (i % 20000 == 0)
                        nanosleep(&(struct timespec){0, 1000000}, NULL);
        }
        return NULL;
}

static long shut_in(unsigned flags) {
        struct sock_filter code[2 * ALLOWED + 8];
        struct sock_fprog program = {.filter = code};
        unsigned short n = 0;

        code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
        for (size_t i = 0; i < ALLOWED; i++) {
                code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)allowed[i], 0, 1);
                code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
        }
        code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
        program.len = n;
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static unsigned quiet(void) {
        struct spanalloc_stats stats = {.size = sizeof stats};

        spanalloc_stats(&stats);
        return stats.quiet;
}

static int ends(unsigned expected) {
        unsigned is = quiet();

        say(is == expected ? "ended\n" : "the wrong reason\n");
        syscall(SYS_exit_group, is == expected ? 0 : 10 + (int)is);
        return 1;
}

static int tsync(void) {
        pthread_t threads[4], one;

        for (int i = 0; i < 4; i++)
                pthread_create(&threads[i], NULL, busy, NULL);
        for (int i = 0; i < 200; i++) {
                pthread_create(&one, NULL, brief, NULL);
                pthread_join(one, NULL);
        }
        say("before\n");
        work(1000);
        if (shut_in(SECCOMP_FILTER_FLAG_TSYNC))
                return 3;
        say("shut in\n");
        work_on();
        return ends(SPANALLOC_QUIET_INSTALLED);
}

static int child(void) {
        int status = -1;
        pid_t pid;

        work(200);
        pid = fork();
        if (!pid) {
                work(100);
                if (shut_in(0))
                        _exit(3);
                work(1000);
                return ends(SPANALLOC_QUIET_INSTALLED);
        }
        say("before\n");
        work(1000);
        say("shut in\n");
        work_on();
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        return status ? 4 : ends(SPANALLOC_QUIET_NOT);
}

/* Measured before, since strict mode allows neither sleep nor clock. */
static int timed(void) {
        struct timespec begin, now;
        unsigned rounds = 0;

        say("before\n");
        work(1000);
        clock_gettime(CLOCK_MONOTONIC, &begin);
        do {
                brief(NULL);
                rounds++;
                clock_gettime(CLOCK_MONOTONIC, &now);
        } while ((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000 < 20);
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0))
                return 3;
        say("shut in\n");
        for (unsigned i = 0; i < 300 * rounds; i++)
                brief(NULL);
        say("ended\n");
        syscall(SYS_exit, quiet() == SPANALLOC_QUIET_INSTALLED ? 0 : 5);
        return 1;
}

static int probe(void) {
        unsigned action = SECCOMP_RET_KILL_PROCESS;

        prctl(PR_GET_SECCOMP, 0, 0, 0, 0);
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0);
        syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action);
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, NULL);
        say("before\n");
        work(1000);
        say("shut in\n");
        work_on();
        return ends(SPANALLOC_QUIET_NOT);
}

int main(int argc, char **argv) {
        const char *what = argc > 1 ? argv[1] : "";

        if (strcmp(what, "inherited") != 0) /* there it has been done, and would kill */
                fcntl(0, F_SETFL, O_NONBLOCK);
        if (!strcmp(what, "tsync"))
                return tsync();
        if (!strcmp(what, "child"))
                return child();
        if (!strcmp(what, "timed"))
                return timed();
        if (!strcmp(what, "probe"))
                return probe();
        if (!strcmp(what, "inherited")) {
                say("shut in\n");
                work_on();
                return ends(SPANALLOC_QUIET_INHERITED);
        }
        if (!strcmp(what, "privileges")) {
                prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                say("before\n");
                work(1000);
                say("shut in\n");
                work_on();
                return ends(SPANALLOC_QUIET_NOT);
        }
        if (strcmp(what, "first") != 0 && strcmp(what, "exec") != 0)
                return 2;
        if (strcmp(what, "first") != 0)
                work(500);
        if (shut_in(0))
                return 3;
        say("before\n");
        if (!strcmp(what, "exec")) {
                execl("/proc/self/exe", argv[0], "inherited", NULL);
                return 6;
        }
        work(1000);
        say("shut in\n");
        work_on();
        return ends(SPANALLOC_QUIET_INSTALLED);
}
