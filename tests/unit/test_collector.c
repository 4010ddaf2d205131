/* SPDX-License-Identifier: MIT */
/*
 * A collector with books on disk: a file that cannot be written keeps no other from being written, an end's status that
 * comes late is saved, what ended ones take is their user's also after a restart, and a listener may ask for figures
 * until the collector is freed.
 *
 * Wrap: ioctl
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/collector/collector_private.h"
#include "daemon/processes/arrival.h"
#include "daemon/processes/user_limits.h"
#include "shm/handshake.h"

enum { EXIT_CODE = 7, LOOKS_MAX = 100 };

static pid_t zombie;

/* As Linux 6.15 answers a pidfd's holder: how it ended, once its parent has waited for it. */
int __wrap_ioctl(int fd, unsigned long request, ...);
int __wrap_ioctl(int fd, unsigned long request, ...) {
        struct {
                uint64_t mask, rest[6];
                uint32_t last, status;
        } * info;
        va_list arguments;

        assert_int_equal(_IOC_SIZE(request), sizeof *info);
        if (zombie > 0 && kill(zombie, 0) == 0) {
                errno = ESRCH;
                return -1;
        }
        va_start(arguments, request);
        info = va_arg(arguments, void *);
        va_end(arguments);
        info->mask = 1 << 3;
        info->status = EXIT_CODE << 8;
        return 0;
}

struct fixture {
        struct reactor *reactor;
        struct collector *collector;
        char dir[64];
        ino_t page;      /* of the page's file, which every round replaces */
        unsigned rounds; /* how often it was replaced */
        unsigned ended, looks;
        struct collector_stats stats; /* at the end of a process */
};

static char *in_dir(const struct fixture *f, const char *name, char path[512]) {
        snprintf(path, 512, "%s/%s", f->dir, name);
        return path;
}

static bool exists(const struct fixture *f, const char *name) {
        char path[512];

        return access(in_dir(f, name, path), F_OK) == 0;
}

/* One descriptor of the segment, the caller's. */
static int attach_with(struct fixture *f, pid_t pid, pid_t of, struct process **ret) {
        const struct shm_hello hello = {.magic = SHM_HELLO_MAGIC, .version = SHM_VERSION, .kind = SHM_HELLO_ATTACH};
        const struct newcomer newcomer = {.pid = pid, .uid = getuid(), .pidfd = (int)syscall(SYS_pidfd_open, of, 0)};
        int memfd;

        assert_true(newcomer.pidfd >= 0);
        assert_int_equal(process_attach(f->collector->processes, &newcomer, &hello, ret, &memfd), 0);
        return memfd;
}

static int attach(struct fixture *f, pid_t pid) {
        struct process *process;

        return attach_with(f, pid, getpid(), &process);
}

static unsigned busy;

static void count_busy(void) {
        busy++;
}

static void start(struct fixture *f) {
        struct collector_options options = collector_options_default;

        options.state_dir = f->dir;
        options.state_ns = NS_PER_MS;
        options.eager = true;
        options.still_busy = count_busy;
        assert_int_equal(reactor_new(&f->reactor, REACTOR_POLL), 0);
        assert_int_equal(collector_new(&f->collector, f->reactor, &options), 0);
}

static void stop(struct fixture *f) {
        collector_free(f->collector);
        reactor_free(f->reactor);
}

static void begin(struct fixture *f) {
        strcpy(f->dir, "/tmp/spanalloc-collector.XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        start(f);
}

static void end(struct fixture *f) {
        char path[512];
        const struct dirent *entry;
        DIR *dir;

        stop(f);
        dir = opendir(f->dir);
        assert_non_null(dir);
        while ((entry = readdir(dir)))
                (void)remove(in_dir(f, entry->d_name, path));
        closedir(dir);
        assert_int_equal(rmdir(f->dir), 0);
}

/* After each pass.  In each round the page is written first, so that by the fifth page four rounds are over. */
static void look(void *userdata, enum collector_work work, uint64_t now_ns) {
        struct fixture *f = userdata;
        char path[512];
        struct stat st;

        if (stat(in_dir(f, "collector", path), &st) == 0 && st.st_ino != f->page) {
                f->page = st.st_ino;
                f->rounds++;
        }
        if (exists(f, "books.2") || f->rounds > 4)
                reactor_stop(f->reactor);
}

static void test_a_file_that_cannot_be_written(void **unused) {
        struct fixture f = {0};
        char path[512];

        begin(&f);
        /* Where the first one's file is written to there is a directory. */
        assert_int_equal(mkdir(in_dir(&f, "books.1.new", path), 0700), 0);
        close(attach(&f, getpid()));
        close(attach(&f, getppid()));
        collector_on_work(f.collector, look, &f);
        assert_int_equal(reactor_run(f.reactor), 0);
        assert_true(exists(&f, "books.2"));
        assert_false(exists(&f, "books.1"));
        assert_true(exists(&f, "books.1.new"));
        end(&f);
}

/* At each housekeeping. */
static void look_at_saved(void *userdata, enum collector_work work, uint64_t now_ns) {
        struct fixture *f = userdata;
        const struct process *process = collector_process(f->collector, 0);

        if (work != COLLECTOR_HOUSEKEEPING)
                return;
        schedule_tend_soon(f->collector);
        if (++f->looks == LOOKS_MAX)
                reactor_stop(f->reactor);
        if (process->part->saved.end != process->end)
                return;
        /* Its file says that it ended.  Now its parent waits, and then its file says how. */
        if (process->end == PROCESS_EXITED && zombie > 0) {
                assert_int_equal(waitpid(zombie, NULL, 0), zombie);
                zombie = 0;
        } else if (process->end == PROCESS_EXIT_CODE && process_pidfd(process) < 0 && books_fd(process->books) < 0) {
                reactor_stop(f->reactor);
        }
}

static void test_a_status_that_comes_late(void **unused) {
        struct fixture f = {0};
        const struct process *process;
        struct process *row;

        begin(&f);
        zombie = fork();
        if (!zombie)
                _exit(EXIT_CODE);
        close(attach_with(&f, zombie, zombie, &row));
        collector_on_work(f.collector, look_at_saved, &f);
        assert_int_equal(reactor_run(f.reactor), 0);
        stop(&f);

        start(&f);
        process = collector_process(f.collector, 0);
        assert_non_null(process);
        assert_int_equal(process->end, PROCESS_EXIT_CODE);
        assert_int_equal(process->end_status, EXIT_CODE);
        end(&f);
}

static void test_ended_ones_that_were_taken_over_count(void **unused) {
        struct fixture f = {0};
        const struct process *process;
        struct process *row;

        begin(&f);
        close(attach_with(&f, getpid(), getpid(), &row));
        process_end(row, PROCESS_DETACHED, 0);
        busy = 0;
        stop(&f);
        assert_int_equal(busy, 1 + 1); /* at the begin, and for each of its files */

        busy = 0;
        start(&f);
        assert_int_equal(busy, 2 + 1); /* it has read two files, and taken over one process */
        process = collector_process(f.collector, 0);
        assert_non_null(process);
        assert_int_equal(process->end, PROCESS_DETACHED);
        assert_true(limits_quota(process)->used[QUOTA_MEMORY] > 0);
        end(&f);
}

static void on_end(void *userdata, const struct process *process) {
        struct fixture *f = userdata;

        assert_int_equal(process->end, PROCESS_EXPELLED);
        f->ended++;
        collector_stats(f->collector, &f->stats);
}

/* The last drain, while the collector is freed, finds a broken segment. */
static void test_figures_until_the_end(void **unused) {
        struct fixture f = {0};
        struct shm_header *header;
        uint32_t generation;
        int memfd;

        begin(&f);
        memfd = attach(&f, getpid());
        header = mmap(NULL, sizeof *header, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
        assert_ptr_not_equal(header, MAP_FAILED);
        close(memfd);
        header->lanes_claimed = UINT32_MAX;
        munmap(header, sizeof *header);
        collector_stats(f.collector, &f.stats);
        generation = f.stats.generation;
        collector_on_end(f.collector, on_end, &f);
        end(&f);
        assert_int_equal(f.ended, 1);
        assert_int_equal(f.stats.expelled, 1);
        assert_int_equal(f.stats.generation, generation);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_file_that_cannot_be_written),
                cmocka_unit_test(test_a_status_that_comes_late),
                cmocka_unit_test(test_ended_ones_that_were_taken_over_count),
                cmocka_unit_test(test_figures_until_the_end),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
