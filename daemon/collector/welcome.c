/* SPDX-License-Identifier: MIT */
/*
 * See welcome.h.
 *
 * A newcomer gets its segment once that would survive the collector.  The service manager may be slow or stopped.  The
 * reactor does not wait for it.  The connection waits, for less than a client's patience, and is then answered in any
 * case: the descriptors are in the manager's queue.  systemd reads its queue before it handles the sender's death, so
 * only systemd's own death could lose them.  If it has not answered by WAIT_NS, the log says so.
 */
#include "daemon/collector/welcome.h"
#include "base/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/collector/collector_private.h"
#include "daemon/host/log.h"
#include "daemon/processes/alert.h"
#include "daemon/processes/arrival.h"
#include "shm/handshake.h"

#define PATIENCE_NS (40 * NS_PER_MS) /* clients have 100 ms, and there may be hundreds at once */
#define WAIT_NS     (3 * NS_PER_S)

/* A connection whose answer waits for the store. */
struct welcome {
        struct collector *collector;
        struct welcome *prev, *next;
        uint64_t number; /* of the process; it may have ended, and be forgotten */
        int fd, memfd;   /* -1: handed out */
        int barrier;
        struct reactor_watch *watch;
        struct reactor_timer *timer;
};

/* The client may have ended, or read nothing: then it has no segment, and the collector does not wait for it. */
static int send_welcome(int fd, const struct shm_welcome *welcome, const int *fds, size_t n) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(2 * sizeof(int))];
        } control = {0};
        struct iovec iov = {(void *)welcome, sizeof *welcome};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
        struct cmsghdr *header;

        if (n) {
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(n * sizeof(int));
                header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(n * sizeof(int));
                memcpy(CMSG_DATA(header), fds, n * sizeof(int));
        }
        return sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static struct shm_welcome make_welcome(const struct collector *collector) {
        return (struct shm_welcome){
                .magic = SHM_WELCOME_MAGIC, .version = SHM_VERSION, .generation = beacon_generation(collector->beacon)};
}

void welcome_reject(int fd, int error) {
        const struct shm_welcome welcome = {.magic = SHM_WELCOME_MAGIC, .version = SHM_VERSION, .error = error};

        (void)send_welcome(fd, &welcome, NULL, 0);
}

static void hand_out(const struct collector *collector, struct process *process, int fd, int memfd) {
        struct log_peer peer = process_peer(process);
        struct shm_welcome welcome = make_welcome(collector);

        welcome.segment_size = process_segment_size(process);
        if (send_welcome(fd, &welcome, (int[]){memfd, beacon_fd(collector->beacon)}, 2) < 0) {
                processes_count_missed(collector->processes);
                process_undo(process);
                return;
        }
        log_event(LOG_ATTACHED, &peer, "process %d (%s) of user %u attached", (int)peer.pid, peer.comm,
                  (unsigned)peer.uid);
}

/* ---------------------------------------------------------------------------------------------------- waiting -- */

static void close_given(struct welcome *welcome) {
        if (welcome->fd < 0)
                return;
        close(welcome->fd);
        close(welcome->memfd);
        welcome->fd = welcome->memfd = -1;
}

struct welcome *welcome_free(struct welcome *welcome) {
        struct welcome *next = welcome->next;

        if (welcome->prev)
                welcome->prev->next = welcome->next;
        else
                welcome->collector->welcomes = welcome->next;
        if (welcome->next)
                welcome->next->prev = welcome->prev;
        reactor_unwatch(welcome->watch);
        reactor_timer_free(welcome->timer);
        close_fd(welcome->barrier);
        close_given(welcome);
        free(welcome);
        return next;
}

static void give(struct welcome *welcome) {
        struct process *process = processes_by_number(welcome->collector->processes, welcome->number);

        /* Its pid may have attached again meanwhile: then this row is ending. */
        if (welcome->fd >= 0 && process && process->drain && !process_is_ending(process))
                hand_out(welcome->collector, process, welcome->fd, welcome->memfd);
        close_given(welcome);
}

static void on_kept(void *userdata, int fd, unsigned events) {
        give(userdata);
        welcome_free(userdata);
}

static void tell_unkept(const struct welcome *welcome) {
        struct process *process = processes_by_number(welcome->collector->processes, welcome->number);
        struct log_peer peer = {.pid = 0};

        if (process)
                peer = process_peer(process);
        peer.reason = "the service manager does not answer";
        log_event(LOG_UNKEPT, &peer,
                  "the service manager did not confirm that it keeps the books of process number %llu",
                  (unsigned long long)welcome->number);
}

static void on_timer(void *userdata, uint64_t now_ns) {
        struct welcome *welcome = userdata;

        reactor_work(welcome->collector->reactor, "attaching");
        if (welcome->fd >= 0) {
                give(welcome);
                reactor_timer_set(welcome->timer, now_ns + WAIT_NS);
                return;
        }
        tell_unkept(welcome);
        welcome_free(welcome);
}

/* Consumes both descriptors, if it returns 0. */
static int wait_for_store(struct collector *collector, const struct process *process, int fd, int memfd) {
        struct welcome *welcome;
        int barrier, r;

        barrier = handover_barrier(collector->handover);
        if (barrier < 0)
                return barrier;
        welcome = calloc(1, sizeof *welcome);
        if (!welcome) {
                close(barrier);
                return -ENOMEM;
        }
        *welcome = (struct welcome){.collector = collector,
                                    .next = collector->welcomes,
                                    .number = process->number,
                                    .fd = fd,
                                    .memfd = memfd,
                                    .barrier = barrier};
        r = reactor_watch(collector->reactor, &welcome->watch, barrier, REACTOR_IN, on_kept, welcome);
        if (r == 0)
                r = reactor_timer(collector->reactor, &welcome->timer, on_timer, welcome);
        if (r < 0) {
                reactor_unwatch(welcome->watch);
                close(barrier);
                free(welcome);
                return r;
        }
        reactor_timer_set(welcome->timer, reactor_now(collector->reactor) + PATIENCE_NS);
        if (welcome->next)
                welcome->next->prev = welcome;
        collector->welcomes = welcome;
        return 0;
}

/* -------------------------------------------------------------------------------------------------- newcomers -- */

void welcome_newcomer(struct collector *collector, struct process *process, int fd, int memfd) {
        if (handover_keep(collector->handover, process, memfd) > 0 &&
            wait_for_store(collector, process, fd, memfd) == 0)
                return;
        hand_out(collector, process, fd, memfd);
        close(fd);
        close(memfd);
}

bool welcome_back(struct collector *collector, const struct newcomer *newcomer, uint64_t number, int fd) {
        struct process *process = processes_by_number(collector->processes, number);
        struct shm_welcome welcome = make_welcome(collector);

        if (!process || !process->drain || process_is_ending(process) || process->pid != newcomer->pid ||
            !newcomer->start_ticks || process_start_ticks(process) != newcomer->start_ticks)
                return false;
        welcome.flags = SHM_WELCOME_KEEP;
        (void)send_welcome(fd, &welcome, (int[]){beacon_fd(collector->beacon)}, 1);
        return true;
}
