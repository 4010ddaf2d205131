/* SPDX-License-Identifier: MIT */
/*
 * See step.h.  What is checked stands in check.c.
 *
 * The segment is a real one, but of this test's own making: it gives it to the child as the collector's ingest does, and
 * so keeps a mapping of it, to copy.
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
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "shm/handshake.h"
#include "shm/segment.h"
#include "tests/step/stage.h"

struct step_stats stats;
struct stage stage = {.listen = -1};

static const char *const op_names[OPS] = {"work",  "claim", "open",    "enter",  "exit", "close",
                                          "begin", "end",   "current", "switch", "spin", "the end of a thread"};

/* ------------------------------------------------------------------------------------------------ failing -- */

static uintptr_t instruction(pid_t tid);

void wrong(const char *format, ...) {
        char text[256];
        va_list args;

        va_start(args, format);
        vsnprintf(text, sizeof text, format, args);
        va_end(args);
        print_error("before the instruction at %#lx: ", (unsigned long)instruction(stage.tids[stage.current]));
        print_error("%s: call %u (%s, span %u), instruction %u: %s\n", stage.plan->script->title, stage.call,
                    stage.in_call ? op_names[stage.box->op] : "between calls", stage.box->slot, stage.step, text);
        fail();
        abort();
}

void must(bool condition, const char *what) {
        if (!condition)
                wrong("%s: %s", what, strerror(errno));
}

/* ------------------------------------------------------------------------------------------------- sides -- */

static const struct shm_wish wish = {.name_capacity = 32,
                                     .path_capacity = 64,
                                     .close_capacity = 16,
                                     .lane_capacity = STEP_LANES,
                                     .ring_records = STEP_RECORDS,
                                     .ring_lanes = STEP_LANES};

static void side_open(struct side *side) {
        const struct books_limits limits = {
                .names = 32, .paths = 64, .lanes = STEP_LANES, .instances = 64, .threads = 8};
        void *map;

        must(shm_segment_create(&side->memfd, &stage.geometry, 1, 0) == 0, "segment");
        must(shm_segment_map(&map, side->memfd, stage.geometry.segment_size) == 0, "map");
        side->map = map;
        must(books_new(&side->books, &limits, 1) == 0, "books");
}

static void side_close(struct side *side) {
        side->drain = drain_free(side->drain);
        side->books = books_free(side->books);
        if (side->map)
                munmap(side->map, stage.geometry.segment_size);
        if (side->memfd > 0)
                close(side->memfd);
        *side = (struct side){0};
}

char *books_data(const struct side *side) {
        return arena_data(&side->books->arena);
}

/* What can change: all but the marks. */
size_t books_bytes(const struct side *side) {
        return (size_t)((char *)side->books->baselines[0] - books_data(side));
}

struct shm_lane *lane_at(uint32_t i) {
        return shm_lane_at(stage.real.map, &stage.geometry, i);
}

uint32_t lanes(void) {
        return atomic_load(&((struct shm_header *)stage.real.map)->lanes_claimed);
}

/* ------------------------------------------------------------------------------------------------- running -- */

#if defined(__x86_64__)
/* The first byte of a breakpoint's instruction; others know none of this. */
static void put_breakpoint(void) {
        pid_t tid = stage.tids[stage.current];
        long word;

        errno = 0;
        word = ptrace(PTRACE_PEEKTEXT, tid, (void *)stage.plan->at, NULL);
        must(!errno, "text");
        word = (word & ~0xffL) | 0xcc;
        must(ptrace(PTRACE_POKETEXT, tid, (void *)stage.plan->at, (void *)word) == 0, "text");
}

/* The next that the thread will run. */
static uintptr_t instruction(pid_t tid) {
        return (uintptr_t)ptrace(PTRACE_PEEKUSER, tid, (void *)offsetof(struct user_regs_struct, rip), NULL);
}
#else
static void put_breakpoint(void) {
}

static uintptr_t instruction(pid_t tid) {
        return 0;
}
#endif

static bool is_target(void) {
        return stage.plan->call && stage.call == stage.plan->call;
}

static void look(void) {
        attribute();
        end_copy();
        if (!(stage.box->policy & STEP_QUIET) && !stage.plan->rarely)
                check();
}

static bool is_stepped(void) {
        if (!stage.in_call || !(stage.box->policy & STEP_EACH))
                return false;
        return !stage.plan->call;
}

/* Before a call and after it. */
static void look_between(void) {
        bool policy_changed = stage.box->policy != stage.policy;

        attribute();
        stage.policy = stage.box->policy;
        if (stage.box->policy & STEP_QUIET)
                return;
        /* `tail` does not move anyway; and the script counts on the room that it gets when it moves again. */
        if (stage.plan->rarely &&
            ((stage.box->policy & STEP_HOLD) || (!policy_changed && stage.box->op != OP_SPIN && stage.call % 5)))
                return;
        if (stage.plan->call)
                drain(); /* on the way to a kill: all this has been checked before */
        else
                check();
}

static void begin_call(void) {
        look_between();
        stage.call++;
        stage.step = 0;
        stage.next = stage.now;
        model_apply(&stage.next, stage.current, stage.box);
        stage.in_call = true;
        if (is_target())
                put_breakpoint();
}

static void end_call(void) {
        attribute();
        if (is_target())
                wrong("it went another way than before");
        stats.calls[stage.box->op]++;
        stats.claims += (stage.box->flags & STEP_CLAIMS) != 0;
        stats.refused += stage.next.refused - stage.now.refused;
        for (uint32_t i = 0; i < STEP_NAMES; i++)
                stats.migrated += stage.next.counts[i].migrated - stage.now.counts[i].migrated;
        stage.now = stage.next;
        stage.in_call = false;
        look_between();
}

static void on_mark(void) {
        enum step_mark mark = (enum step_mark)stage.box->mark;

        stage.box->mark = MARK_NONE;
        switch (mark) {
        case MARK_BEGIN:
                begin_call();
                break;
        case MARK_DONE:
                end_call();
                break;
        case MARK_SWITCH:
                stage.current = stage.box->slot;
                stats.switches++;
                break;
        case MARK_READY:
        case MARK_NONE:
                break;
        }
}

static void on_clone(pid_t tid) {
        unsigned long child;
        int status;

        must(ptrace(PTRACE_GETEVENTMSG, tid, NULL, &child) == 0, "event");
        must(stage.threads < STEP_THREADS, "threads");
        stage.tids[stage.threads++] = (pid_t)child;
        must(waitpid((pid_t)child, &status, __WALL) == (pid_t)child && WIFSTOPPED(status), "new thread");
}

static void on_gone(int status) {
        if (!stage.current) {
                if (!WIFEXITED(status) || WEXITSTATUS(status))
                        wrong("the program ended with status %#x", (unsigned)status);
                stage.tids[0] = 0;
                end_real();
                check_end(&stage.seen);
                return;
        }
        stage.tids[stage.current] = 0;
        end_call();
        stage.current = 0;
}

static void on_step(void) {
        if (!is_stepped())
                return;
        stage.step++;
        stats.steps++;
        stage.plan->on_step(stage.plan, stage.call, instruction(stage.tids[stage.current]));
        look();
}

static bool is_breakpoint(pid_t tid) {
        siginfo_t info;

        return stage.box->mark != MARK_NONE && ptrace(PTRACE_GETSIGINFO, tid, NULL, &info) == 0 &&
               info.si_code == SI_KERNEL;
}

static void go_on(void) {
        pid_t tid = stage.tids[stage.current];
        int status;

        if (ptrace(is_stepped() ? PTRACE_SINGLESTEP : PTRACE_CONT, tid, NULL, NULL) != 0)
                wrong("ptrace: %s", strerror(errno));
        must(waitpid(tid, &status, __WALL) == tid, "wait");
        if (!WIFSTOPPED(status))
                on_gone(status);
        else if (status >> 8 == (SIGTRAP | PTRACE_EVENT_CLONE << 8))
                on_clone(tid);
        else if (WSTOPSIG(status) != SIGTRAP)
                wrong("signal %d", WSTOPSIG(status));
        else if (is_target() && stage.in_call && instruction(tid) == stage.plan->at + 1)
                kill_for_real();
        else if (is_breakpoint(tid))
                on_mark();
        else
                on_step();
}

/* ----------------------------------------------------------------------------------------------- beginning -- */

static void listen_in(char path[static 108]) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};

        snprintf(path, 108, "%s/ingest.sock", stage.dir);
        memcpy(address.sun_path, path, strlen(path) + 1);
        stage.listen = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        must(stage.listen >= 0 && bind(stage.listen, (struct sockaddr *)&address, sizeof address) == 0 &&
                     listen(stage.listen, 4) == 0,
             path);
}

/* The collector's side of the handshake, with a segment of our own. */
static void welcome_child(void) {
        struct shm_welcome welcome = {.magic = SHM_WELCOME_MAGIC,
                                      .version = SHM_VERSION,
                                      .generation = beacon_generation(stage.beacon),
                                      .segment_size = stage.geometry.segment_size};
        int fds[2] = {stage.real.memfd, beacon_fd(stage.beacon)}, fd;
        struct shm_hello hello;
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof fds)];
        } control = {0};
        struct iovec iov = {&welcome, sizeof welcome};
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);

        fd = accept(stage.listen, NULL, NULL);
        must(fd >= 0 && recv(fd, &hello, sizeof hello, 0) == sizeof hello, "hello");
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fds);
        memcpy(CMSG_DATA(header), fds, sizeof fds);
        must(sendmsg(fd, &message, MSG_NOSIGNAL) == sizeof welcome, "welcome");
        close(fd);
}

static void start_child(void) {
        char path[108];
        pid_t pid;
        int status;

        snprintf(path, sizeof path, "%s/ingest.sock", stage.dir);
        fflush(NULL);
        pid = fork();
        must(pid >= 0, "fork");
        if (!pid) {
                ptrace(PTRACE_TRACEME, 0, NULL, NULL);
                raise(SIGSTOP);
                script_run(stage.plan->script, stage.box, path);
        }
        stage.tids[0] = pid;
        stage.threads = 1;
        must(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status), "child");
        must(ptrace(PTRACE_SETOPTIONS, pid, NULL, PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL) == 0, "options");
        must(ptrace(PTRACE_CONT, pid, NULL, NULL) == 0, "cont");
        welcome_child();
        must(waitpid(pid, &status, 0) == pid && WIFSTOPPED(status) && stage.box->mark == MARK_READY, "attach");
        stage.box->mark = MARK_NONE;
}

/* What all runs share. */
static void prepare(void) {
        char path[108];

        strcpy(stage.dir, "/tmp/spanalloc-step-XXXXXX");
        must(mkdtemp(stage.dir) != NULL, "directory");
        listen_in(path);
        must(shm_geometry_init(&stage.geometry, &wish) == 0, "geometry");
        must(beacon_new(&stage.beacon, NULL, -1, 0) == 0, "beacon");
        stage.box = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        must(stage.box != MAP_FAILED, "box");
        side_open(&stage.copy);
        stage.image = malloc(stage.geometry.segment_size);
        stage.books_image = malloc(books_bytes(&stage.copy));
        must(stage.image && stage.books_image, "memory");
}

static void forget_run(void) {
        stage.current = stage.call = stage.step = stage.policy = 0;
        stage.in_call = stage.over = false;
        stage.now = stage.next = (struct model){0};
        stage.truth = (struct truth){0};
        stage.seen = stage.end_of_copy = (struct seen){0};
        memset(stage.live, 0, sizeof stage.live);
        memset(stage.position, 0, sizeof stage.position);
        memset(stage.wrapped, 0, sizeof stage.wrapped);
        memset(stage.box, 0, sizeof *stage.box);
        memset(stage.image, 0, stage.geometry.segment_size); /* no segment looks like this */
}

void stage_run(const struct step_plan *plan) {
        stage.plan = plan;
        if (!stage.box)
                prepare();
        forget_run();
        side_open(&stage.real);
        must(drain_new(&stage.real.drain, stage.real.memfd, &stage.geometry, stage.real.books) == 0, "drain");
        start_child();
        while (!stage.over)
                go_on();
        side_close(&stage.real);
}

void stage_clean(void) {
        char path[108];

        if (stage.threads && stage.tids[0]) {
                kill(stage.tids[0], SIGKILL);
                wait_for_all();
        }
        side_close(&stage.real);
        side_close(&stage.copy);
        stage.beacon = beacon_free(stage.beacon);
        free(stage.image);
        free(stage.books_image);
        if (stage.listen >= 0)
                close(stage.listen);
        snprintf(path, sizeof path, "%s/ingest.sock", stage.dir);
        unlink(path);
        rmdir(stage.dir);
        stage = (struct stage){.listen = -1};
}
