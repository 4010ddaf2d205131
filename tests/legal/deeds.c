/* SPDX-License-Identifier: MIT */
/*
 * What a program may do to itself.  Each deed runs between calls, or in a signal handler that came within a call or within
 * malloc's counting; there it does only what is allowed in a handler.  What shuts the process in is in sandbox.c.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <spanalloc/spanalloc.h>

#include "tests/legal/legal.h"

#define NOBODY     65534
#define AS_LIMIT   ((rlim_t)128 << 20)
#define BLOCK      ((size_t)32 << 20)
#define STACK_SIZE 65536

static void reap(pid_t pid) {
        int status = -1;

        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
                ;
        if (pid < 0 || status)
                say_number("the child ended with", pid < 0 ? -1 : status);
}

/* A child that a handler made returns into what the handler interrupted, and works on. */
static void after_fork(pid_t pid) {
        if (pid) {
                reap(pid);
                return;
        }
        traced = false;
        is_forked = true;
        new_entry();
        if (!is_inside)
                end_child();
}

static void deed_fork(void) {
        after_fork(fork());
}

static void deed_clone(void) {
        after_fork((pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
}

static void deed_vfork(void) {
        static char *const arguments[] = {"true", NULL};
        static char *const none[] = {NULL};
        pid_t pid = vfork();

        if (!pid) {
                execve("/bin/true", arguments, none);
                _exit(1);
        }
        reap(pid);
}

static void deed_handler(void) {
        SPANALLOC_SCOPE("handler");
}

static void deed_siglongjmp(void) {
        SPANALLOC_SCOPE("jumped over");
        siglongjmp(legal_jump, 1);
}

static void deed_setuid(void) {
        if (syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) ||
            syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY))
                say_number("setuid", -errno);
}

static void deed_chroot(void) {
        if (chroot(getenv("LEGAL_ROOT")) || chdir("/"))
                say_number("chroot", -errno);
}

static void after_mlockall(void) {
        char text[4096], *at;
        ssize_t n;
        int fd = open("/proc/self/status", O_RDONLY);

        n = read(fd, text, sizeof text - 1);
        close(fd);
        text[n > 0 ? n : 0] = 0;
        at = strstr(text, "VmLck:");
        mine->locked_kib = at ? strtoul(at + 6, NULL, 10) : 0;
}

/* What is mapped later only, or what is there, too, as most programs do. */
static void deed_mlockall(void) {
        if (mlockall(variant % 2 ? MCL_CURRENT | MCL_FUTURE : MCL_FUTURE))
                say_number("mlockall", -errno);
}

static void limit(int what, rlim_t to) {
        struct rlimit l;

        getrlimit(what, &l);
        l.rlim_cur = to;
        if (setrlimit(what, &l))
                say_number("setrlimit", -errno);
}

static void deed_rlimit_as(void) {
        limit(RLIMIT_AS, AS_LIMIT);
}

static void after_rlimit_as(void) {
        drop(take(BLOCK));
}

static void deed_rlimit_nofile(void) {
        limit(RLIMIT_NOFILE, 0);
}

/* Two coroutines on one thread, each in a scope of its own, take turns. */
static ucontext_t home, coroutines[2];
static char stacks[2][STACK_SIZE];

static void coroutine(int which) {
        SPANALLOC_SCOPE("coroutine");

        for (int i = 0; i < 3; i++) {
                if (!is_inside)
                        free(malloc(10));
                swapcontext(&coroutines[which], which ? &coroutines[0] : &coroutines[1]);
        }
}

static void deed_ucontext(void) {
        for (volatile int i = 0; i < 2; i++) {
                getcontext(&coroutines[i]);
                coroutines[i].uc_stack.ss_sp = stacks[i];
                coroutines[i].uc_stack.ss_size = STACK_SIZE;
                coroutines[i].uc_link = &home;
                makecontext(&coroutines[i], (void (*)(void))coroutine, 1, i);
        }
        swapcontext(&home, &coroutines[0]);
}

static void deed_dlopen(void) {
        void *plugin = dlopen(getenv("LEGAL_PLUGIN"), RTLD_NOW | RTLD_LOCAL | RTLD_DEEPBIND);
        char *(*make)(void), *text;
        void (*drop)(char *);

        if (!plugin) {
                say("no plugin\n");
                return;
        }
        make = (char *(*)(void))dlsym(plugin, "legal_make");
        drop = (void (*)(char *))dlsym(plugin, "legal_drop");
        for (int i = 0; i < 100; i++) {
                drop(make());
                free(make());
                text = strdup("ours");
                drop(text);
        }
        dlclose(plugin);
}

static void deed_thread_exit(void) {
        if (is_inside)
                syscall(SYS_exit, 0);
        pthread_exit(NULL);
}

static void deed_exec(void) {
        char *const arguments[] = {legal_argv[0], "again", legal_argv[6], NULL};

        execv("/proc/self/exe", arguments);
        say_number("exec", -errno);
}

const struct deed deeds[] = {
        {.name = "fork", .run = deed_fork},
        {.name = "vfork", .run = deed_vfork},
        {.name = "clone", .run = deed_clone},
        {.name = "handler", .run = deed_handler},
        {.name = "siglongjmp", .run = deed_siglongjmp},
        {.name = "seccomp", .run = deed_seccomp, .after = after_seccomp, .is_once = true},
        {.name = "strict", .run = deed_strict, .after = after_strict, .is_once = true},
        {.name = "setuid", .run = deed_setuid, .is_once = true},
        {.name = "chroot", .run = deed_chroot, .is_once = true},
        {.name = "mlockall", .run = deed_mlockall, .after = after_mlockall, .is_once = true},
        {.name = "rlimit_as", .run = deed_rlimit_as, .after = after_rlimit_as, .is_once = true},
        {.name = "rlimit_nofile", .run = deed_rlimit_nofile, .is_once = true},
        {.name = "ucontext", .run = deed_ucontext},
        {.name = "dlopen", .run = deed_dlopen},
        {.name = "thread_exit", .run = deed_thread_exit, .in_thread = true},
        {.name = "exec", .run = deed_exec, .is_once = true},
        {.name = NULL},
};
