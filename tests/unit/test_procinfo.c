/* SPDX-License-Identifier: MIT */
/*
 * What /proc says about this process and a child, units from cgroup paths, and names that must not be printed as they
 * are.
 *
 * Labels: valgrind
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/host/procinfo.h"

static void test_units(void **state) {
        static const struct {
                const char *cgroup, *unit;
        } cases[] = {
                {"/system.slice/nginx.service", "nginx.service"},
                {"/system.slice/foo.service/worker-3", "foo.service"},
                {"/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service", "foo.service"},
                {"/user.slice/user-1000.slice/session-3.scope", "session-3.scope"},
                {"/system.slice/_cgroup.service", "cgroup.service"},
                {"/", ""},
                {"", ""},
                {"/.service", ""},
                {"//a.service//", "a.service"},
        };
        char unit[128];

        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
                procinfo_unit(cases[i].cgroup, unit, sizeof unit);
                assert_string_equal(unit, cases[i].unit);
        }
}

static void test_self(void **state) {
        struct procinfo_stat stat;
        struct timespec now;
        char exe[256], link[256], cgroup[256];
        uint64_t start_ns, anon;
        ssize_t n;

        assert_int_equal(procinfo_stat(getpid(), &stat), 0);
        assert_int_equal(stat.parent, getppid());
        clock_gettime(CLOCK_REALTIME, &now);
        start_ns = procinfo_start_ns(stat.start_ticks);
        assert_in_range((uint64_t)now.tv_sec - start_ns / 1000000000, 0, 120);
        n = readlink("/proc/self/exe", link, sizeof link - 1);
        link[n] = 0;
        assert_int_equal(procinfo_exe(getpid(), exe, sizeof exe), 0);
        assert_string_equal(exe, link);
        assert_int_equal(procinfo_cgroup(getpid(), cgroup, sizeof cgroup), 0);
        assert_int_equal(cgroup[0], '/');
        assert_true(procinfo_rss(getpid(), &anon) > 100000);
        assert_true(anon > 0 && anon < procinfo_rss(getpid(), &anon));
}

/* Whatever a process calls itself, the fields behind its name are found. */
static void test_hostile_name(void **state) {
        int ready[2], done[2];
        struct procinfo_stat stat;
        char c = 0, comm[16];
        pid_t pid;

        assert_int_equal(pipe(ready) | pipe(done), 0);
        pid = fork();
        if (pid == 0) {
                prctl(PR_SET_NAME, ") R 1\n(x)\033\xe2\x80\xae");
                (void)!write(ready[1], &c, 1);
                (void)!read(done[0], &c, 1);
                _exit(0);
        }
        assert_int_equal(read(ready[0], &c, 1), 1);
        assert_int_equal(procinfo_stat(pid, &stat), 0);
        assert_int_equal(stat.parent, getpid());
        assert_string_equal(stat.comm, ") R 1?(x)??");
        assert_int_equal(procinfo_thread_comm(pid, (uint32_t)pid, comm), 0);
        assert_string_equal(comm, ") R 1?(x)??");
        assert_int_equal(write(done[1], &c, 1), 1);
        waitpid(pid, NULL, 0);
        assert_int_equal(procinfo_stat(pid, &stat), -ESRCH);
        for (int i = 0; i < 2; i++) {
                close(ready[i]);
                close(done[i]);
        }
}

/* The path of an executable comes out clean, whatever its file is named. */
static void test_hostile_path(void **state) {
        char directory[] = "/tmp/test_procinfo.XXXXXX", path[64], seen[64], wanted[64], command[128];
        pid_t pid;

        assert_non_null(mkdtemp(directory));
        snprintf(path, sizeof path,
                 "%s/a\xe2\x80\xae"
                 "b\nc",
                 directory);
        snprintf(wanted, sizeof wanted, "%s/a?b?c", directory);
        snprintf(command, sizeof command, "cp \"$(command -v sleep)\" '%s'", path);
        assert_int_equal(system(command), 0);
        pid = fork();
        if (pid == 0) {
                execl(path, path, "1000", (char *)NULL);
                _exit(1);
        }
        do /* until the child is that program */
                assert_int_equal(procinfo_exe(pid, seen, sizeof seen), 0);
        while (strncmp(seen, directory, strlen(directory)) != 0);
        assert_string_equal(seen, wanted);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        unlink(path);
        rmdir(directory);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_units),
                cmocka_unit_test(test_self),
                cmocka_unit_test(test_hostile_name),
                cmocka_unit_test(test_hostile_path),
        };

        return cmocka_run_group_tests_name("procinfo", tests, NULL, NULL);
}
