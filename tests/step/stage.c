/*
 * See step.h.
 *
 * What is checked at each instruction at which the collector drains and settles:
 *   - the books balance, and nobody is expelled;
 *   - no sum and no count has fallen;
 *   - where the library lets the collector see its counters (no refused frame, nothing lost that waits), or has just
 *     written a record that ends an interval: self and total of every name, outside, lost and before are exactly what the
 *     oracle says.  Else nothing at all has moved since they were;
 *   - opened, closed, cycles and migrated are those of before the call or of after it; of after it, once it is done.
 *
 * What is checked after a death, with no exception: all sums are exact, up to the last instruction; opened is closed +
 * aborted; no sum is less than it was.
 *
 * A copy of segment and books is ended in their place, since what a killed process leaves is the segment as it is.  That
 * the kernel marks the owner's mutex, and that a real death gives the very same books, is shown by real kills.
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

#include "daemon/core/beacon.h"
#include "daemon/core/drain.h"
#include "daemon/core/layout.h"
#include "shm/handshake.h"
#include "shm/segment.h"
#include "tests/step/step.h"

struct step_stats stats;

/* What the books say. */
struct seen {
        struct truth sums;
        struct model_counts counts[STEP_NAMES];
        uint64_t counters[SHM_COUNTERS], refused, stale;
        bool balanced;
};

/* A collector's end: segment, books, drain. */
struct side {
        int memfd;
        char *map;
        struct books *books;
        struct drain *drain;
};

static struct stage {
        const struct step_plan *plan;
        struct shm_geometry geometry;
        struct side real, copy;
        struct beacon *beacon;
        struct box *box;
        char *image, *books_image; /* of which the copy was made last */
        struct seen end_of_copy;
        char dir[64];
        int listen;

        pid_t tids[STEP_THREADS];
        uint32_t threads, current;
        bool in_call;
        uint32_t call, step, policy; /* the policy of the last call */

        struct model now, next;
        struct truth truth;
        struct seen seen;
        uint64_t live[STEP_LANES][SHM_COUNTERS], position[STEP_LANES], wrapped[STEP_LANES];
        bool over;
} stage = {.listen = -1};

static const char *const op_names[OPS] = {
        "work", "claim", "open", "enter", "exit", "close", "begin", "end", "current", "spin", "the end of a thread"};

/* ------------------------------------------------------------------------------------------------ failing -- */

static uintptr_t instruction(pid_t tid);

static void __attribute__((format(printf, 1, 2), noreturn)) wrong(const char *format, ...) {
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

static void must(bool condition, const char *what) {
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

static char *books_data(const struct side *side) {
        return state_data(&side->books->state);
}

/* What can change: all but the marks. */
static size_t books_bytes(const struct side *side) {
        return (size_t)((char *)side->books->baselines[0] - books_data(side));
}

static struct shm_lane *lane_at(uint32_t i) {
        return shm_lane_at(stage.real.map, &stage.geometry, i);
}

static uint32_t lanes(void) {
        return atomic_load(&((struct shm_header *)stage.real.map)->lanes_claimed);
}

/* ----------------------------------------------------------------------------------------------- reading -- */

static void add(uint64_t to[SHM_COUNTERS], const uint64_t from[SHM_COUNTERS]) {
        for (int c = 0; c < SHM_COUNTERS; c++)
                to[c] += from[c];
}

static void read_books(const struct books *books, struct seen *seen) {
        struct books_process_row process;
        struct books_row row;

        *seen = (struct seen){0};
        for (uint32_t path = 1; path <= books_path_count(books); path++) {
                uint32_t name = books_path_name(books, path), i;

                if (!name)
                        continue;
                i = (uint32_t)(books_name(books, name)[1] - '0');
                if (i >= STEP_NAMES)
                        wrong("a name that the program has not: %s", books_name(books, name));
                books_path_row(books, path, 1, &row);
                add(seen->sums.self[i], row.self);
                add(seen->sums.total[i], row.total);
                seen->counts[i].opened += row.opened;
                seen->counts[i].closed += row.closed;
                seen->counts[i].cycles += row.cycles;
                seen->counts[i].migrated += row.migrated;
                seen->counts[i].aborted += row.aborted;
        }
        books_process_row(books, &process);
        memcpy(seen->sums.outside, process.outside, sizeof process.outside);
        memcpy(seen->sums.lost, process.lost, sizeof process.lost);
        memcpy(seen->sums.before, process.before, sizeof process.before);
        memcpy(seen->counters, process.counters, sizeof process.counters);
        seen->refused = process.refused;
        seen->stale = process.stale;
        seen->balanced = process.balanced;
}

/* ---------------------------------------------------------------------------------------------- comparing -- */

#define SUMS (sizeof(struct truth) / sizeof(uint64_t))
static const char *sum_name(size_t i) {
        static const char *const others[] = {"outside", "lost", "before"};
        static char text[32];
        size_t rest = i / SHM_COUNTERS;

        if (rest < 2 * STEP_NAMES)
                snprintf(text, sizeof text, "%s of n%zu, counter %zu", rest < STEP_NAMES ? "self" : "total",
                         rest % STEP_NAMES, i % SHM_COUNTERS);
        else
                snprintf(text, sizeof text, "%s, counter %zu", others[rest - 2 * STEP_NAMES], i % SHM_COUNTERS);
        return text;
}

static void compare_sums(const struct truth *got, const struct truth *want, const char *why) {
        const uint64_t *g = (const uint64_t *)got, *w = (const uint64_t *)want;

        for (size_t i = 0; i < SUMS; i++)
                if (g[i] != w[i])
                        wrong("%s: %s is %llu, must be %llu", why, sum_name(i), (unsigned long long)g[i],
                              (unsigned long long)w[i]);
}

static void compare_order(const struct truth *low, const struct truth *high, const char *why) {
        const uint64_t *l = (const uint64_t *)low, *h = (const uint64_t *)high;

        for (size_t i = 0; i < SUMS; i++)
                if (l[i] > h[i])
                        wrong("%s: %s, %llu and %llu", why, sum_name(i), (unsigned long long)l[i],
                              (unsigned long long)h[i]);
}

#define COUNTS (sizeof(struct model_counts) * STEP_NAMES / sizeof(uint64_t))
static void compare_counts(const struct model_counts *got, const struct model_counts *a, const struct model_counts *b,
                           const char *why) {
        static const char *const names[] = {"opened", "closed", "cycles", "migrated", "aborted"};
        const uint64_t *g = (const uint64_t *)got, *x = (const uint64_t *)a, *y = (const uint64_t *)b;

        for (size_t i = 0; i < COUNTS; i++)
                if (g[i] < (x[i] < y[i] ? x[i] : y[i]) || g[i] > (x[i] > y[i] ? x[i] : y[i]))
                        wrong("%s: %s of n%zu is %llu, must be %llu or %llu", why, names[i % 5], i / 5,
                              (unsigned long long)g[i], (unsigned long long)x[i], (unsigned long long)y[i]);
}

static void check_rising(const struct seen *was, const struct seen *is) {
        const uint64_t *a = (const uint64_t *)was->counts, *b = (const uint64_t *)is->counts;

        compare_order(&was->sums, &is->sums, "a sum fell");
        for (size_t i = 0; i < COUNTS; i++)
                if (a[i] > b[i])
                        wrong("a count of n%zu fell", i / 5);
}

/* ------------------------------------------------------------------------------------------ each instruction -- */

/* Gives what was counted since the last look to whom it belongs. */
static void attribute(void) {
        bool claims = stage.in_call && (stage.box->flags & STEP_CLAIMS);

        for (uint32_t i = 0; i < lanes(); i++)
                for (int c = 0; c < SHM_COUNTERS; c++) {
                        uint64_t is = atomic_load(&lane_at(i)->live[c]), by = is - stage.live[i][c];

                        if (!by)
                                continue;
                        stage.live[i][c] = is;
                        if (claims)
                                stage.truth.before[c] += by;
                        else
                                model_count(&stage.now, stage.current, &stage.truth, c, by);
                }
}

static const struct shm_record *record_at(uint32_t i, uint64_t position) {
        return &shm_ring_at(stage.real.map, &stage.geometry, i)[position % STEP_RECORDS];
}

/* Whether the records from `from` on end an interval at the present counters. */
static bool ended_now(uint32_t i, uint64_t from) {
        for (uint64_t at = stage.position[i]; at-- > from;) {
                const struct shm_record *record = record_at(i, at);

                if (record->kind == SHM_KIND_ENTER || record->kind == SHM_KIND_EXIT || record->kind == SHM_KIND_BASE)
                        return !memcmp(record->counters, stage.live[i], sizeof record->counters);
        }
        return false;
}

static bool lane_is_exact(uint32_t i, uint64_t from) {
        const struct shm_lane *lane = lane_at(i);
        uint32_t occupancy = atomic_load(&lane->occupancy), word = shm_owner_word(lane);

        if (!occupancy || (occupancy & 1))
                return false;
        if (!(word & SHM_OWNER_TID) || (word & SHM_OWNER_DIED))
                return atomic_load(&lane->retired) == occupancy;
        return (!atomic_load(&lane->refused_frames) && !atomic_load(&lane->lost_stretches)) || ended_now(i, from);
}

static void note_records(uint32_t i, uint64_t from) {
        for (uint64_t at = from; at < stage.position[i]; at++)
                stats.lost_records += record_at(i, at)->kind == SHM_KIND_LOST;
        if (stage.position[i] / STEP_RECORDS != stage.wrapped[i]) {
                stage.wrapped[i] = stage.position[i] / STEP_RECORDS;
                stats.wraps += stage.in_call && (stage.box->policy & STEP_EACH);
        }
}

static void drain(void) {
        uint64_t tails[STEP_LANES];
        bool hold = stage.box->policy & STEP_HOLD;

        for (uint32_t i = 0; i < STEP_LANES && hold; i++)
                tails[i] = atomic_load(&lane_at(i)->tail);
        if (drain_pass(stage.real.drain, 1) < 0 || drain_settle(stage.real.drain, 1) < 0)
                wrong("expelled: %s", drain_fault(stage.real.drain));
        for (uint32_t i = 0; i < STEP_LANES && hold; i++)
                atomic_store(&lane_at(i)->tail, tails[i]);
        for (uint32_t i = 0; i < lanes() && !hold; i++)
                atomic_store(&lane_at(i)->tail, stage.real.books->lanes[i].position);
}

static void check(void) {
        const struct seen was = stage.seen;
        bool exact = true, moved = false;

        drain();
        read_books(stage.real.books, &stage.seen);
        if (!stage.seen.balanced)
                wrong("the books do not balance");
        for (uint32_t i = 0; i < lanes(); i++) {
                uint64_t from = stage.position[i];

                stage.position[i] = stage.real.books->lanes[i].position;
                if (stage.position[i] != atomic_load(&lane_at(i)->head))
                        wrong("lane %u was not drained", i);
                moved |= stage.position[i] != from;
                exact &= lane_is_exact(i, from);
                note_records(i, from);
        }
        check_rising(&was, &stage.seen);
        if (exact)
                compare_sums(&stage.seen.sums, &stage.truth, "books and truth differ");
        else if (moved)
                compare_order(&stage.seen.sums, &stage.truth, "more is booked than was counted");
        else
                compare_sums(&stage.seen.sums, &was.sums, "booked though nothing can be known");
        if (stage.in_call) {
                stats.drained++;
                stats.exact += exact;
                stats.held += !exact;
        }
        compare_counts(stage.seen.counts, stage.now.counts, stage.in_call ? stage.next.counts : stage.now.counts,
                       "counts");
        if (!stage.in_call && stage.seen.refused != stage.now.refused)
                wrong("%llu were refused, must be %llu", (unsigned long long)stage.seen.refused,
                      (unsigned long long)stage.now.refused);
        if (stage.seen.stale)
                wrong("something was taken for stale");
}

/* -------------------------------------------------------------------------------------------------- death -- */

static void check_end(const struct seen *seen) {
        struct model a = stage.now, b = stage.in_call ? stage.next : stage.now;

        if (!seen->balanced)
                wrong("the books of the dead do not balance");
        compare_sums(&seen->sums, &stage.truth, "after death");
        for (int c = 0; c < SHM_COUNTERS; c++) {
                uint64_t live = 0;

                for (uint32_t i = 0; i < STEP_LANES; i++)
                        live += stage.live[i][c];
                if (seen->counters[c] != live)
                        wrong("after death: counter %d ends at %llu, must be %llu", c,
                              (unsigned long long)seen->counters[c], (unsigned long long)live);
        }
        model_end(&a);
        model_end(&b);
        compare_counts(seen->counts, a.counts, b.counts, "after death");
        for (uint32_t i = 0; i < STEP_NAMES; i++)
                if (seen->counts[i].opened != seen->counts[i].closed + seen->counts[i].aborted)
                        wrong("after death: a span of n%u is neither closed nor aborted", i);
        check_rising(&stage.seen, seen);
}

static void end_copy(void) {
        struct side *copy = &stage.copy, *real = &stage.real;
        size_t size = stage.geometry.segment_size, bytes = books_bytes(real);

        stats.copies++;
        if (!memcmp(stage.image, real->map, size) && !memcmp(stage.books_image, books_data(real), bytes)) {
                stats.same++;
        } else {
                memcpy(stage.image, real->map, size);
                memcpy(copy->map, stage.image, size);
                memcpy(stage.books_image, books_data(real), bytes);
                memcpy(books_data(copy), stage.books_image, bytes);
                must(drain_new(&copy->drain, copy->memfd, &stage.geometry, copy->books) == 0, "drain");
                if (drain_finish(copy->drain, 1) < 0)
                        wrong("the dead is expelled: %s", drain_fault(copy->drain));
                read_books(copy->books, &stage.end_of_copy);
                copy->drain = drain_free(copy->drain);
        }
        check_end(&stage.end_of_copy);
}

static void wait_for_all(void) {
        int status;

        for (uint32_t i = stage.threads; i-- > 0;) {
                if (!stage.tids[i])
                        continue;
                while (waitpid(stage.tids[i], &status, __WALL) == stage.tids[i] && WIFSTOPPED(status))
                        ;
                stage.tids[i] = 0;
        }
}

static void end_real(void) {
        if (drain_finish(stage.real.drain, 1) < 0)
                wrong("the dead is expelled: %s", drain_fault(stage.real.drain));
        attribute();
        read_books(stage.real.books, &stage.seen);
        stage.over = true;
}

static void kill_for_real(void) {
        uint32_t words[STEP_LANES];
        pid_t pid = stage.tids[0];
        struct seen was = stage.seen;

        for (uint32_t i = 0; i < STEP_LANES; i++)
                words[i] = shm_owner_word(lane_at(i));
        attribute();
        end_copy();
        must(kill(pid, SIGKILL) == 0, "kill");
        wait_for_all();
        for (uint32_t i = 0; i < STEP_LANES; i++)
                if ((words[i] & SHM_OWNER_TID) && !(shm_owner_word(lane_at(i)) & SHM_OWNER_DIED))
                        wrong("the kernel did not mark lane %u", i);
        end_real();
        check_rising(&was, &stage.seen);
        stage.seen = was;
        read_books(stage.real.books, &was);
        check_end(&was);
        if (memcmp(&was, &stage.end_of_copy, sizeof was) != 0)
                wrong("a real death leaves other books than its copy");
        stats.kills++;
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
