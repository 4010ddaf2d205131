/* SPDX-License-Identifier: MIT */
/*
 * Looking after rows: threads' names, programs that became others, how the dead have died, and who is forgotten.
 */
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "daemon/processes/process_private.h"

#define ABANDONED_NS   (100 * NS_PER_MS) /* without a thread, before it is asked whether it became another program */
#define NAMES_PER_TURN 128u
#define MOVES          2              /* seconds in which a process is looked after fully, after it did something */
#define STILL_NS       (8 * NS_PER_S) /* … and how often all the same */
#define AUTOPSY_NS     (5 * NS_PER_S) /* how long we ask the kernel how a process ended: as long as a parent may take */

/* The beginning of Linux's struct pidfd_info (6.13, exit status since 6.15), which older headers lack. */
struct exit_info {
        uint64_t mask, cgroup;
        uint32_t ids[11];
        int32_t status;
};
_Static_assert(sizeof(struct exit_info) == 64, "the size is part of the request's number");
#define EXIT_INFO_ASK    _IOWR(0xff, 11, struct exit_info)
#define EXIT_INFO_STATUS (UINT64_C(1) << 3)

/* Everything that had a lane is gone.  That may be a program whose one counted thread ended; or another program. */
static void look_whether_exec(struct member *member, uint64_t now_ns) {
        char exe[sizeof member->process.exe];

        if (!drain_is_abandoned(member->process.drain)) {
                member->abandoned_ns = 0;
                return;
        }
        if (!member->abandoned_ns)
                member->abandoned_ns = now_ns;
        if (now_ns - member->abandoned_ns < ABANDONED_NS)
                return;
        if (procinfo_exe(member->process.pid, exe, sizeof exe) == 0 && strcmp(exe, member->process.exe) != 0)
                member_end(member, PROCESS_EXEC, 0);
}

void member_name_threads(struct member *member, uint64_t now_ns) {
        struct drain *drain = member->process.drain;
        char comm[16];
        uint64_t activity = drain_activity(drain);
        uint32_t tid;

        member->named_ns = now_ns;
        /* A name that changes while its thread does nothing moves nothing in the books. */
        if (member->other_pidns || (activity == member->activity && !member->next_lane))
                return;
        member->activity = activity;
        for (uint32_t n = 0; n < NAMES_PER_TURN; n++) {
                if (!drain_thread(drain, member->next_lane, &tid)) {
                        member->next_lane = 0;
                        return;
                }
                if (tid && procinfo_thread_comm(member->process.pid, tid, comm) == 0)
                        drain_name_thread(drain, member->next_lane, tid, comm);
                member->next_lane++;
        }
}

/* A number that changes when a thread comes, goes, allocates or writes a record. */
static uint64_t moved(const struct drain *drain) {
        return drain_activity(drain) + drain_refused_threads(drain);
}

/* To settle means to look at every path and lane.  One that lies still has nothing to settle but what it has refused
 * without a record, and that can wait.  Twice after it moved: of a lane that was busy just then it was left out. */
static bool is_to_settle(struct member *member, uint64_t now_ns) {
        uint64_t now = moved(member->process.drain);

        if (now_ns - member->settled_ns < NS_PER_S)
                return false;
        if (now != member->moved)
                member->moves = MOVES + 1;
        member->moved = now;
        if (member->moves)
                member->moves--;
        return member->moves || now_ns - member->settled_ns >= STILL_NS;
}

/* The undo log is as long as the largest batch was, which was the first of all: it brought every name and path. */
static void rest(struct member *member) {
        if (!member_moves(member) && !member->rests)
                books_trim(member->process.books);
        member->rests = !member_moves(member);
}

void member_tend(struct member *member, uint64_t now_ns) {
        struct procinfo_stat stat;

        if (!member->process.drain)
                return;
        if (!member->settled && now_ns - member->attached_ns >= NS_PER_S) {
                /* It attached before main: since then it may have taken a name, and loaded an allocator. */
                member->settled = true;
                if (procinfo_stat(member->process.pid, &stat) == 0)
                        memcpy(member->process.comm, stat.comm, sizeof stat.comm);
                member->process.allocator = procinfo_allocator(member->process.pid);
                handover_relabel(member);
        }
        if (now_ns - member->named_ns >= NS_PER_S)
                member_name_threads(member, now_ns);
        if (is_to_settle(member, now_ns)) {
                int r = drain_settle(member->process.drain, now_ns);

                /* So dead threads' lanes come free, and closes that waited for them are told, with nobody asking. */
                member->settled_ns = now_ns;
                if (r < 0) {
                        member_expel(member, r);
                        return;
                }
        }
        rest(member);
        member_alert(member, now_ns, false);
        look_whether_exec(member, now_ns);
}

/* ------------------------------------------------------------------------------------------------ the ended -- */

void member_set_status(struct member *member, int wait_status) {
        struct process *process = &member->process;

        if (process->end != PROCESS_EXITED)
                return;
        if (WIFEXITED(wait_status)) {
                process->end = PROCESS_EXIT_CODE;
                process->end_status = WEXITSTATUS(wait_status);
        } else if (WIFSIGNALED(wait_status)) {
                process->end = PROCESS_KILLED;
                process->end_status = WTERMSIG(wait_status);
        }
}

/* Newer kernels tell a pidfd's holder how the process ended, once its parent has waited for it. */
void member_autopsy(struct member *member, uint64_t now_ns) {
        struct exit_info info = {.mask = EXIT_INFO_STATUS};
        bool refused;

        if (member->process.end == PROCESS_ALIVE || (member->pidfd < 0 && member->is_reported))
                return;
        if (member->process.end == PROCESS_EXITED && member->pidfd >= 0) {
                refused = ioctl(member->pidfd, EXIT_INFO_ASK, &info) < 0;
                if (!refused && (info.mask & EXIT_INFO_STATUS))
                        member_set_status(member, info.status);
                else if ((!refused || errno == ESRCH) && now_ns - member->process.ended_ns < AUTOPSY_NS)
                        return; /* nobody has waited for it yet */
        }
        close_fd(member->pidfd);
        member->pidfd = -1;
        death_report(member);
        if (member->process.books)
                handover_relabel(member);
        handover_drop_pid(member);
}

void member_forget(struct member *member) {
        struct collector *collector = member->collector;
        struct books_process_row row;

        if (member->process.books) {
                books_process_row(member->process.books, &row);
                collector->forgotten.records += row.records;
                collector->forgotten.lost_alloc_bytes += row.lost[SHM_ALLOC_BYTES];
                collector->forgotten.evicted += row.evicted;
                collector->forgotten.refused += member->process.refused;
                handover_forget(member);
        }
        collector->ended--;
        member_take_out(member);
        member_free(member);
}

/* Of too many, the oldest of the user who has most of them goes first: nobody drives out the others' rows. */
static struct member *one_too_many(const struct collector *collector) {
        const struct member *newest = NULL;
        struct member *oldest = NULL, *oldest_of_uid = NULL;
        size_t of_uid = 0;

        for (size_t i = 0; i < collector->count; i++)
                if (collector->members[i]->process.end != PROCESS_ALIVE &&
                    (!newest || collector->members[i]->process.ended_ns >= newest->process.ended_ns))
                        newest = collector->members[i];
        for (size_t i = 0; i < collector->count; i++) {
                struct member *member = collector->members[i];

                if (member->process.end == PROCESS_ALIVE)
                        continue;
                if (!oldest || member->process.ended_ns < oldest->process.ended_ns)
                        oldest = member;
                if (member->process.uid != newest->process.uid)
                        continue;
                of_uid++;
                if (!oldest_of_uid || member->process.ended_ns < oldest_of_uid->process.ended_ns)
                        oldest_of_uid = member;
        }
        return of_uid > collector->options.keep_max / 4 ? oldest_of_uid : oldest;
}

uint64_t members_forget(struct collector *collector, uint64_t now_ns) {
        uint64_t keep_ns = collector->options.keep_ns, next = 0, at;

        while (collector->ended > collector->options.keep_max)
                member_forget(one_too_many(collector));
        if (keep_ns == UINT64_MAX)
                return 0;
        for (size_t i = 0; i < collector->count;) {
                struct member *member = collector->members[i];

                at = member->process.ended_ns + keep_ns;
                if (member->process.end != PROCESS_ALIVE && at <= now_ns) {
                        member_forget(member);
                        continue;
                }
                if (member->process.end != PROCESS_ALIVE && (!next || at < next))
                        next = at;
                i++;
        }
        return next;
}
