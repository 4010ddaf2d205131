/* SPDX-License-Identifier: MIT */
/*
 * Runs a program (legal.c) under ptrace, and delivers SIGUSR1 to it before the n-th instruction of an operation.
 *
 *     legal_step WHERE FIRST TIMES REPORT PROGRAM ARG...
 *
 * An operation is what runs between MARK_BEGIN and MARK_END.  Instructions count where WHERE says: `call`: outside the
 * executable, so in the library and in what it calls; `malloc`: in the libraries of spanalloc only, so in the counting and
 * not in libc's own malloc, which no handler may enter again.  The first operation is interrupted before instruction
 * FIRST; the second is measured; the following ones are interrupted at TIMES - 2 places,
 * spread over what was measured, in another order for each FIRST.  An
 * operation that ends before its place is interrupted at its end, counted as beyond, and is the new measure.
 *
 * At MARK_READY the program stands until there is a file `go` beside REPORT, at MARK_WORKED until there is `go2`.  REPORT
 * gets a line each:
 *
 *     ready | worked
 *     end exit|signal|hang N inside I beyond B longest T
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/legal/legal.h"

#define RANGES     32
#define PATIENCE_S 200

struct range {
        uint64_t from, to;
};

static struct {
        bool in_malloc;
        long first, times;
        int report, directory;
        pid_t pid;
        struct range own[RANGES], skipped[RANGES]; /* spanalloc's; the executable's and the loader's */
        int owns, skips;
        pid_t stepped; /* the thread inside an operation that was not interrupted yet */
        long operation, at, target, measured;
        long inside, beyond, longest;
} s;

static void report(const char *text) {
        if (write(s.report, text, strlen(text)) < 0)
                _exit(90);
}

static void read_maps(void) {
        char path[64], line[512];
        char exe[256] = "";
        FILE *maps;
        ssize_t n;

        snprintf(path, sizeof path, "/proc/%d/exe", s.pid);
        n = readlink(path, exe, sizeof exe - 1);
        exe[n > 0 ? n : 0] = 0;
        snprintf(path, sizeof path, "/proc/%d/maps", s.pid);
        maps = fopen(path, "re");
        while (maps && fgets(line, sizeof line, maps)) {
                struct range r;
                char access[8], *name;

                line[strcspn(line, "\n")] = 0;
                if (sscanf(line, "%lx-%lx %7s", &r.from, &r.to, access) != 3 || !strchr(access, 'x'))
                        continue;
                name = strchr(line, '/');
                if (name && strstr(name, "/libspanalloc") && s.owns < RANGES)
                        s.own[s.owns++] = r;
                if (name && (!strcmp(name, exe) || strstr(name, "/ld-linux")) && s.skips < RANGES)
                        s.skipped[s.skips++] = r;
        }
        if (maps)
                fclose(maps);
}

static bool is_in(const struct range *ranges, int count, uint64_t at) {
        for (int i = 0; i < count; i++)
                if (at >= ranges[i].from && at < ranges[i].to)
                        return true;
        return false;
}

static bool counts(uint64_t rip) {
        return s.in_malloc ? is_in(s.own, s.owns, rip) : !is_in(s.skipped, s.skips, rip);
}

static struct user_regs_struct registers(pid_t tid) {
        struct user_regs_struct r = {0};

        ptrace(PTRACE_GETREGS, tid, NULL, &r);
        return r;
}

/* Until there is such a file beside the report. */
static void wait_for_file(const char *name) {
        alarm(0);
        while (faccessat(s.directory, name, F_OK, 0) < 0)
                nanosleep(&(struct timespec){0, 2000000}, NULL);
        alarm(PATIENCE_S);
}

static void resume(pid_t tid, int signal) {
        ptrace(s.stepped == tid && !signal ? PTRACE_SINGLESTEP : PTRACE_CONT, tid, NULL, (void *)(long)signal);
}

static void interrupt(pid_t tid, bool is_inside) {
        *(is_inside ? &s.inside : &s.beyond) += 1;
        s.stepped = 0;
        resume(tid, SIGUSR1);
}

static void begin_operation(pid_t tid) {
        long spread = s.times > 2 ? s.measured / (s.times - 2) : 1;

        if (s.operation == 0)
                s.target = s.first;
        else if (s.operation == 1 || !s.measured)
                s.target = -1;
        else
                s.target = (s.operation - 2 + s.first) * (spread > 1 ? spread : 1) % s.measured;
        s.at = 0;
        s.operation++;
        s.stepped = tid;
        resume(tid, 0);
}

static void end_operation(pid_t tid) {
        if (s.stepped != tid) {
                resume(tid, 0);
                return;
        }
        if (s.operation > 1) /* an attachment may have been in the one that was measured before */
                s.measured = s.at;
        if (s.at > s.longest)
                s.longest = s.at;
        interrupt(tid, false);
}

static void on_mark(pid_t tid, enum legal_mark mark) {
        switch (mark) {
        case MARK_READY:
                read_maps();
                report("ready\n");
                wait_for_file("go");
                break;
        case MARK_WORKED:
                report("worked\n");
                wait_for_file("go2");
                break;
        case MARK_BEGIN:
                begin_operation(tid);
                return;
        case MARK_END:
                end_operation(tid);
                return;
        }
        resume(tid, 0);
}

static void on_step(pid_t tid) {
        if (s.stepped == tid && counts(registers(tid).rip) && s.at++ == s.target)
                interrupt(tid, true);
        else
                resume(tid, 0);
}

static void on_stop(pid_t tid, int status) {
        int signal = WSTOPSIG(status), event = status >> 16;
        siginfo_t info;

        if (event == PTRACE_EVENT_EXEC)
                s.stepped = 0;
        if (event || signal == SIGSTOP) {
                resume(tid, 0);
        } else if (signal != SIGTRAP) {
                s.stepped = 0;
                resume(tid, signal);
        } else if (ptrace(PTRACE_GETSIGINFO, tid, NULL, &info) == 0 && info.si_code == SI_KERNEL) {
                on_mark(tid, (enum legal_mark)registers(tid).rdi);
        } else {
                on_step(tid);
        }
}

static void on_end(const char *how, int number) {
        char line[160];

        snprintf(line, sizeof line, "end %s %d inside %ld beyond %ld longest %ld\n", how, number, s.inside, s.beyond,
                 s.longest);
        report(line);
}

static void on_alarm(int number) {
        (void)number;
}

static int drive(void) {
        int status;

        for (;;) {
                pid_t tid = waitpid(-1, &status, __WALL);

                if (tid < 0 && errno == EINTR) {
                        kill(s.pid, SIGKILL);
                        on_end("hang", 0);
                        return 1;
                }
                if (tid < 0)
                        return 91;
                if (WIFSTOPPED(status)) {
                        on_stop(tid, status);
                        continue;
                }
                if (s.stepped == tid)
                        s.stepped = 0;
                if (tid != s.pid)
                        continue;
                if (WIFSIGNALED(status))
                        on_end("signal", WTERMSIG(status));
                else
                        on_end("exit", WEXITSTATUS(status));
                return 0;
        }
}

int main(int argc, char **argv) {
        int status;

        if (argc < 6)
                return 92;
        s.in_malloc = !strcmp(argv[1], "malloc");
        s.first = atol(argv[2]);
        s.times = atol(argv[3]);
        s.report = open(argv[4], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        s.directory = open(dirname(strdup(argv[4])), O_PATH | O_CLOEXEC);
        sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, NULL);
        s.pid = fork();
        if (!s.pid) {
                ptrace(PTRACE_TRACEME, 0, NULL, NULL);
                if (getenv("LEGAL_PRELOAD"))
                        setenv("LD_PRELOAD", getenv("LEGAL_PRELOAD"), 1);
                raise(SIGSTOP);
                execv(argv[5], argv + 5);
                _exit(93);
        }
        if (waitpid(s.pid, &status, 0) != s.pid || !WIFSTOPPED(status))
                return 93;
        ptrace(PTRACE_SETOPTIONS, s.pid, NULL, PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC);
        alarm(PATIENCE_S);
        resume(s.pid, 0);
        return drive();
}
