/* SPDX-License-Identifier: MIT */
/*
 * Processes and threads made in every way there is, each of which allocates by a ledger: ALLOCS times 1000 bytes (whose
 * usable size is 1000 too), half of them freed.  No stdio: it would allocate beside the ledger.  To be called by its
 * path.
 *
 *     run_family work ALLOCS                 this process only
 *     run_family fork COUNT ALLOCS           children that do not exec
 *     run_family vfork|spawn|thread COUNT ALLOCS   children that run `work`: by vfork, by posix_spawn, by fork from a
 *                                            second thread
 *     run_family generations COUNT ALLOCS    a chain of COUNT descendants
 *     run_family orphans COUNT ALLOCS        grandchildren whose parent is gone
 *     run_family linger MS ALLOCS            leaves a child behind that works, then sleeps
 *     run_family threads COUNT ALLOCS        threads named worker-0, worker-1, …
 *     run_family kill SIGNAL 0               ends by a signal
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE 1000

extern char **environ;
static char *const *self;
static int count, allocs;
static char allocs_text[16];

static void work(void) {
        for (int i = 0; i < allocs; i++) {
                char *volatile block = malloc(SIZE);

                if (!block)
                        _exit(99);
                *block = 1;
                if (i % 2)
                        free(block);
        }
}

static void reap(pid_t pid) {
        int status;

        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        _exit(98);
        if (status)
                _exit(97);
}

static void exec_work(void) {
        execl(self[0], self[0], "work", allocs_text, (char *)NULL);
        _exit(96);
}

static void do_fork(void) {
        for (int i = 0; i < count; i++) {
                pid_t pid = fork();

                if (pid == 0) {
                        work();
                        _exit(0);
                }
                reap(pid);
        }
}

static void vfork_one(void) {
        pid_t pid = vfork();

        if (pid == 0)
                exec_work();
        reap(pid);
}

static void do_vfork(void) {
        for (int i = 0; i < count; i++)
                vfork_one();
}

static void do_spawn(void) {
        char *argv[] = {self[0], "work", allocs_text, NULL};

        for (int i = 0; i < count; i++) {
                pid_t pid;

                if (posix_spawn(&pid, self[0], NULL, NULL, argv, environ))
                        _exit(95);
                reap(pid);
        }
}

static void *fork_and_exec(void *userdata) {
        for (int i = 0; i < count; i++) {
                pid_t pid = fork();

                if (pid == 0)
                        exec_work();
                reap(pid);
        }
        return NULL;
}

static void do_thread(void) {
        pthread_t thread;

        if (pthread_create(&thread, NULL, fork_and_exec, NULL))
                _exit(94);
        pthread_join(thread, NULL);
}

static void do_generations(void) {
        for (int i = 0; i < count; i++) {
                pid_t pid = fork();

                if (pid) {
                        reap(pid);
                        return;
                }
                work();
        }
}

static void do_orphans(void) {
        for (int i = 0; i < count; i++) {
                pid_t pid = fork();

                if (pid == 0) {
                        if (fork() == 0) {
                                usleep(20000);
                                work();
                        }
                        _exit(0);
                }
                reap(pid);
        }
}

static void do_linger(void) {
        int fds[2];
        char byte;

        if (pipe(fds) < 0)
                _exit(93);
        if (fork() == 0) {
                work();
                close(fds[0]);
                (void)!write(fds[1], "", 1);
                for (int fd = 0; fd < 10; fd++)
                        close(fd);
                usleep((useconds_t)count * 1000);
                _exit(0);
        }
        (void)!read(fds[0], &byte, 1);
}

static void *named(void *userdata) {
        char name[16];

        snprintf(name, sizeof(name), "worker-%d", (int)(long)userdata);
        pthread_setname_np(pthread_self(), name);
        work();
        return NULL;
}

static void do_threads(void) {
        static pthread_t threads[256];

        for (int i = 0; i < count && i < 256; i++)
                if (pthread_create(&threads[i], NULL, named, (void *)(long)i))
                        _exit(92);
        for (int i = 0; i < count && i < 256; i++)
                pthread_join(threads[i], NULL);
}

static void do_work(void) {
        allocs = count;
        work();
}

static void do_kill(void) {
        raise(count);
}

int main(int argc, char **argv) {
        static const struct {
                const char *name;
                void (*run)(void);
        } ways[] = {
                {"work", do_work},       {"fork", do_fork},     {"vfork", do_vfork},
                {"spawn", do_spawn},     {"thread", do_thread}, {"generations", do_generations},
                {"orphans", do_orphans}, {"linger", do_linger}, {"threads", do_threads},
                {"kill", do_kill},
        };

        if (argc < 3)
                return 2;
        self = argv;
        count = atoi(argv[2]);
        allocs = argc > 3 ? atoi(argv[3]) : 0;
        snprintf(allocs_text, sizeof(allocs_text), "%d", allocs);
        for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
                if (!strcmp(argv[1], ways[i].name)) {
                        ways[i].run();
                        return 0;
                }
        return 2;
}
