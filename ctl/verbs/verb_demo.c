/* SPDX-License-Identifier: MIT */
/*
 * demo: a collector of its own, the example workload, and top over both; all of it gone again at the end.
 */
#include <errno.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ctl/rows/outside.h"
#include "ctl/run/run_preload.h"
#include "ctl/session/ask.h"
#include "ctl/top/top.h"
#include "ctl/verbs/verbs.h"

extern char **environ;

enum { ANSWER_TRIES = 200, WORK_TRIES = 1200, TRY_US = 25000, DEMO_SCREENS = 5 };

struct demo {
        char directory[64], query[96], ingest[96];
        char collector[PATH_MAX], workload[PATH_MAX], library[PATH_MAX];
        pid_t collector_pid, workload_pid;
};

/* Beside this program: in a build tree, or as installed. */
static int find_beside(char ret[PATH_MAX], const char *const *places) {
        char self[PATH_MAX], path[2 * PATH_MAX];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        char *slash;

        if (n < 0)
                return -errno;
        self[n] = '\0';
        slash = strrchr(self, '/');
        if (slash)
                *slash = '\0';
        for (; *places; places++) {
                snprintf(path, sizeof(path), "%s/%s", self, *places);
                if (access(path, X_OK) == 0 && realpath(path, ret))
                        return 0;
        }
        return -ENOENT;
}

static int find_all(struct demo *demo, const struct options *options) {
        static const char *const collectors[] = {"spanallocd", "../daemon/spanallocd/spanallocd", "../sbin/spanallocd",
                                                 NULL};
        static const char *const workloads[] = {"../examples/pkgindex", "../lib/spanalloc/pkgindex",
                                                "../libexec/spanalloc/pkgindex", "pkgindex", NULL};
        char error[PATH_MAX + 1024];

        if (find_beside(demo->collector, collectors) < 0)
                return ctl_fail(CTL_FAILURE, "there is no spanallocd beside this program; install the package "
                                             "spanallocd");
        if (find_beside(demo->workload, workloads) < 0)
                return ctl_fail(CTL_FAILURE, "the example workload, pkgindex, is not installed; build spanalloc's "
                                             "examples, or watch a program of your own with `spanallocctl run -- CMD`");
        if (preload_find(demo->library, options->preload, error, sizeof(error)) < 0)
                return ctl_fail(CTL_FAILURE, "%s", error);
        return CTL_OK;
}

static int make_directory(struct demo *demo) {
        const char *base = getenv("TMPDIR");

        if (!base || strlen(base) > 30)
                base = "/tmp";
        snprintf(demo->directory, sizeof(demo->directory), "%s/spanalloc-demo.XXXXXX", base);
        if (!mkdtemp(demo->directory)) {
                *demo->directory = '\0';
                return ctl_fail(CTL_FAILURE, "cannot make a directory in %s: %s; set TMPDIR to one that can be written",
                                base, strerror(errno));
        }
        snprintf(demo->query, sizeof(demo->query), "%s/query.sock", demo->directory);
        snprintf(demo->ingest, sizeof(demo->ingest), "%s/ingest.sock", demo->directory);
        return CTL_OK;
}

/* Without output, since top owns the screen.  The child ends with this process, however that ends. */
static pid_t spawn(char *const *argv, char *const *environment) {
        pid_t parent = getpid(), pid = fork();

        if (pid != 0)
                return pid;
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent || !freopen("/dev/null", "r", stdin) || !freopen("/dev/null", "w", stdout) ||
            !freopen("/dev/null", "w", stderr))
                _exit(127);
        execve(argv[0], argv, environment);
        _exit(127);
}

static int start_collector(struct ctl *ctl, struct demo *demo) {
        char state[96];
        char *argv[] = {demo->collector,
                        (char[]){"--user"},
                        (char[]){"--runtime-dir"},
                        demo->directory,
                        (char[]){"--state-dir"},
                        state,
                        NULL};
        struct client_options options = {.socket = demo->query, .program = ASK_PROGRAM};
        struct client_error error = {.kind = CLIENT_ERROR_UNREACHABLE};

        snprintf(state, sizeof(state), "%s/state", demo->directory);
        demo->collector_pid = spawn(argv, environ);
        if (demo->collector_pid < 0)
                return ctl_fail(CTL_FAILURE, "cannot start the collector: %s", strerror(errno));
        for (int i = 0; i < ANSWER_TRIES; i++) {
                if (client_new(&ctl->client, &options, &error) == 0)
                        return CTL_OK;
                if (waitpid(demo->collector_pid, NULL, WNOHANG) == demo->collector_pid) {
                        demo->collector_pid = 0;
                        return ctl_fail(CTL_FAILURE,
                                        "the collector ended at once; `%s --user --runtime-dir %s` shows why",
                                        demo->collector, "DIR");
                }
                usleep(TRY_US);
        }
        return ctl_fail_client(&error);
}

static int start_workload(struct demo *demo) {
        char *argv[] = {demo->workload, (char[]){"--made"}, (char[]){"--seconds"}, (char[]){"86400"}, NULL};
        struct preload_settings settings = {.library = demo->library, .socket = demo->ingest};
        char **environment = NULL;

        if (preload_environment(&environment, environ, &settings) < 0)
                return ctl_fail(CTL_FAILURE, "out of memory");
        demo->workload_pid = spawn(argv, environment);
        preload_environment_free(environment);
        return demo->workload_pid < 0 ? ctl_fail(CTL_FAILURE, "cannot start the workload: %s", strerror(errno))
                                      : CTL_OK;
}

/* The workload makes itself something to work on first: a screen without a span would show nothing. */
static int wait_for_spans(struct ctl *ctl, const struct demo *demo) {
        const struct client_params params = {.columns = "thread"};

        for (int i = 0; i < WORK_TRIES; i++) {
                struct table *spans = NULL;
                bool any = false;
                int r = ask_table(ctl, "spans", &params, &spans);

                if (r != CTL_OK)
                        return r;
                for (size_t row = 0; row < spans->row_count && !any; row++)
                        any = !outside_is(spans, row);
                table_free(spans);
                if (any)
                        return CTL_OK;
                if (waitpid(demo->workload_pid, NULL, WNOHANG) != 0)
                        break;
                usleep(TRY_US);
        }
        return ctl_fail(CTL_FAILURE, "the workload, %s, does not work; run it by hand to see why", demo->workload);
}

static void end(pid_t pid) {
        if (pid <= 0)
                return;
        kill(pid, SIGTERM);
        for (int i = 0; i < ANSWER_TRIES; i++) {
                if (waitpid(pid, NULL, WNOHANG) != 0)
                        return;
                usleep(TRY_US);
        }
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where) {
        remove(path);
        return 0;
}

static void tidy(struct demo *demo) {
        end(demo->workload_pid);
        end(demo->collector_pid);
        /* With what the collector keeps for one that comes after it. */
        if (*demo->directory)
                nftw(demo->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int verb_demo(struct ctl *ctl, int argc, char **argv) {
        struct demo demo = {0};
        int r = find_all(&demo, &ctl->options);

        if (r == CTL_OK)
                r = make_directory(&demo);
        if (r == CTL_OK)
                r = start_collector(ctl, &demo);
        if (r == CTL_OK)
                r = start_workload(&demo);
        if (r == CTL_OK)
                r = wait_for_spans(ctl, &demo);
        if (r == CTL_OK) {
                ctl->options.socket = demo.query;
                /* On a pipe it has an end of its own. */
                if (!ctl->options.count && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
                        ctl->options.count = DEMO_SCREENS;
                r = verb_top(ctl, argc, argv);
        }
        ctl->client = client_free(ctl->client);
        tidy(&demo);
        return r;
}
