/* SPDX-License-Identifier: MIT */
/*
 * See ingest.h.
 *
 * Any process on the machine may connect.  A guest may send nothing, junk or descriptors, stop reading, or connect
 * again and again.  It gets one datagram, a few seconds, and one of a limited number of places for its user.  The
 * kernel drops descriptors that it sends, as the collector offers no room for them.  Its identity comes from the
 * kernel.
 */
#include "daemon/collector/ingest.h"
#include "base/files.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/collector/collector_private.h"
#include "daemon/collector/welcome.h"
#include "daemon/host/log.h"
#include "daemon/host/procinfo.h"
#include "daemon/loop/listener.h"
#include "daemon/loop/reactor.h"
#include "daemon/processes/announced.h"
#include "daemon/processes/arrival.h"
#include "daemon/processes/user_limits.h"
#include "shm/handshake.h"

#define GUESTS_MAX     256u
#define GUESTS_UID_MAX 64u
#define GUEST_NS       (3 * NS_PER_S) /* to say hello */
#define DEFERRED_MAX   4096u
#define DEFERRED_UID   1024u

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

struct guest_list {
        struct guest *first, *last; /* oldest first */
        unsigned count;
};

/* A connection whose hello has not been read yet. */
struct guest {
        struct ingest *ingest;
        struct guest *prev, *next;
        struct reactor_watch *watch;
        int fd;
        struct ucred cred;
        uint64_t start_ticks;
        uint64_t until_ns;
        struct guest_list *list; /* in which it is */
};

struct ingest {
        struct collector *collector;
        struct ingest *next;
        struct listener *listener;
        struct reactor_timer *timer; /* the oldest guest's time */
        struct guest_list guests;    /* connections without a hello yet */
        struct guest_list deferred; /* connections with a hello, probably, whose user's share of this pass is used up */
};

/* ---------------------------------------------------------------------------------------------------- answers -- */

static void reject(struct collector *collector, int fd, const struct ucred *cred, int error, const char *why) {
        struct log_peer peer = {.pid = cred->pid, .uid = cred->uid, .reason = why};

        processes_count_rejected(collector->processes);
        log_event(error == EDQUOT ? LOG_LIMIT : LOG_REJECTED, &peer, "process %d of user %u may not attach: %s",
                  (int)cred->pid, (unsigned)cred->uid, why);
        welcome_reject(fd, error);
}

/* Ended, waited for or not. */
static bool is_dead(int pidfd) {
        struct pollfd death = {.fd = pidfd, .events = POLLIN};

        return poll(&death, 1, 0) != 0;
}

/* A descriptor of the process that connected, and its start time; or -errno.  Since Linux 6.5 the kernel gives a pidfd
 * of a peer, also of a dead one whose pid another process may have by now.  Before that there is only the pid: so the
 * start time must equal that at accept, and the user that of the connection. */
static int open_peer(const struct guest *guest, uint64_t *ret_start_ticks) {
        struct procinfo_stat stat;
        socklen_t size = sizeof(int);
        bool is_exact;
        int fd, r;
        pid_t pid;

        is_exact = getsockopt(guest->fd, SOL_SOCKET, SO_PEERPIDFD, &fd, &size) == 0;
        if (!is_exact)
                fd = (int)syscall(SYS_pidfd_open, guest->cred.pid, 0);
        if (fd < 0)
                return -errno;
        r = procinfo_pidfd(fd, &pid);
        if (r == 0)
                r = pid == guest->cred.pid ? procinfo_stat(pid, &stat) : -ESRCH;
        if (r == 0 && !is_exact && (stat.start_ticks != guest->start_ticks || !procinfo_has_uid(pid, guest->cred.uid)))
                r = -ESRCH;
        /* It lives after its start time was read, so that was its own. */
        if (r == 0 && is_dead(fd))
                r = -ESRCH;
        if (r < 0) {
                close(fd);
                return r;
        }
        *ret_start_ticks = stat.start_ticks;
        return fd;
}

static void attach(struct guest *guest, const struct shm_hello *hello) {
        struct collector *collector = guest->ingest->collector;
        struct newcomer newcomer = {.pid = guest->cred.pid, .uid = guest->cred.uid};
        struct process *process;
        int memfd, r;

        newcomer.pidfd = open_peer(guest, &newcomer.start_ticks);
        if (newcomer.pidfd == -ESRCH) {
                processes_count_missed(collector->processes);
                welcome_reject(guest->fd, ESRCH);
                return;
        }
        if (newcomer.pidfd < 0) {
                reject(collector, guest->fd, &guest->cred, EACCES, strerror(-newcomer.pidfd));
                return;
        }
        if (hello->own.former && welcome_back(collector, &newcomer, hello->own.former, guest->fd)) {
                close(newcomer.pidfd);
                return;
        }
        r = process_attach(collector->processes, &newcomer, hello, &process, &memfd);
        if (r < 0) {
                reject(collector, guest->fd, &guest->cred, -r,
                       r == -EDQUOT ? "a limit is reached: max-processes, max-processes-per-uid or max-memory-per-uid"
                                    : strerror(-r));
                return;
        }
        reactor_unwatch(guest->watch);
        guest->watch = NULL;
        welcome_newcomer(collector, process, guest->fd, memfd);
        guest->fd = -1;
}

static void hear_exec(const struct guest *guest, const struct shm_hello *hello) {
        struct collector *collector = guest->ingest->collector;
        char path[sizeof hello->path];

        if (!collector->options.eager)
                return;
        memcpy(path, hello->path, sizeof path);
        path[sizeof path - 1] = 0;
        /* A number from another namespace would name a stranger here. */
        if (hello->pid && procinfo_in_other_pidns(guest->cred.pid))
                return;
        announced_add(processes_announced(collector->processes), hello->pid > 0 ? hello->pid : guest->cred.pid,
                      hello->pid > 0 ? guest->cred.pid : 0, guest->cred.uid, path, hello->flags & SHM_HELLO_SCRUBBED,
                      hello->pid > 0);
}

/* Only of itself.  It may be heard again and again: each time it attaches again first, which is work of its user's. */
static void hear_unmapped(const struct guest *guest, const struct shm_hello *hello) {
        struct processes *processes = guest->ingest->collector->processes;
        struct newcomer newcomer = {.pid = guest->cred.pid, .uid = guest->cred.uid};
        struct log_peer peer = {.pid = newcomer.pid, .uid = newcomer.uid};
        int error = hello->error > 0 && hello->error < 4096 ? hello->error : EPROTO;

        newcomer.pidfd = open_peer(guest, &newcomer.start_ticks);
        if (newcomer.pidfd < 0 || process_set_unmapped(processes, &newcomer, error) == -ESRCH)
                return;
        peer.reason = strerror(error);
        processes_count_rejected(processes);
        log_event(LOG_REJECTED, &peer, "process %d of user %u could not map its segment: %s", (int)peer.pid,
                  (unsigned)peer.uid, peer.reason);
}

static bool guest_serve(struct guest *guest);
static void guest_free(struct guest *guest);

/* A process announces its exec on one connection and attaches on the next.  The first may have been accepted before its
 * message was sent.  By now it was, and must be read first; otherwise the program would count as one that never
 * attached. */
static void hear_earlier(const struct guest *guest) {
        struct guest *earlier, *next;

        for (earlier = guest->ingest->guests.first; earlier && earlier != guest; earlier = next) {
                next = earlier->next; /* serving one frees that one, or still earlier ones */
                if (earlier->cred.pid == guest->cred.pid && guest_serve(earlier))
                        guest_free(earlier);
        }
}

/* `run` serves each process of its own user, and each descendant of its command.  Others are refused, and not
 * counted as refused: the report is complete without them. */
static bool is_stranger(const struct guest *guest) {
        struct collector *collector = guest->ingest->collector;
        int r;

        if (!collector->options.family || guest->cred.uid == geteuid())
                return false;
        r = procinfo_descends(guest->cred.pid, collector->options.family);
        if (r < 0)
                reject(collector, guest->fd, &guest->cred, EACCES, "it ended before the collector found its parents");
        else if (r == 0)
                welcome_reject(guest->fd, EACCES);
        return r <= 0;
}

static void hear(struct guest *guest, const struct shm_hello *hello, ssize_t size, int flags) {
        struct collector *collector = guest->ingest->collector;

        if (is_stranger(guest))
                return;
        if (size != (ssize_t)sizeof *hello || (flags & (MSG_TRUNC | MSG_CTRUNC)) || hello->magic != SHM_HELLO_MAGIC)
                reject(collector, guest->fd, &guest->cred, EPROTO, "its first message is not a hello");
        else if (hello->version != SHM_VERSION)
                reject(collector, guest->fd, &guest->cred, EPROTO,
                       "its libspanalloc is of another version; restart it with the one installed here");
        else if (guest->cred.pid <= 0)
                reject(collector, guest->fd, &guest->cred, EACCES,
                       "it is in a pid namespace that the collector cannot see");
        else if (hello->kind == SHM_HELLO_ATTACH) {
                hear_earlier(guest);
                attach(guest, hello);
        } else if (hello->kind == SHM_HELLO_EXEC)
                hear_exec(guest, hello);
        else if (hello->kind == SHM_HELLO_UNMAPPED)
                hear_unmapped(guest, hello);
        else
                reject(collector, guest->fd, &guest->cred, EPROTO, "it sent an unknown request");
}

/* ----------------------------------------------------------------------------------------------------- guests -- */

static void set_timer(struct ingest *ingest) {
        reactor_timer_set(ingest->timer, ingest->guests.first ? ingest->guests.first->until_ns : 0);
}

static void guest_unlink(struct guest *guest) {
        struct guest_list *list = guest->list;

        if (guest->prev)
                guest->prev->next = guest->next;
        else
                list->first = guest->next;
        if (guest->next)
                guest->next->prev = guest->prev;
        else
                list->last = guest->prev;
        list->count--;
}

/* Inserts it after those with an earlier deadline. */
static void guest_insert(struct guest *guest, struct guest_list *list) {
        struct guest *after = list->last, *before;

        while (after && after->until_ns > guest->until_ns)
                after = after->prev;
        before = after ? after->next : list->first;
        guest->list = list;
        guest->prev = after;
        guest->next = before;
        *(after ? &after->next : &list->first) = guest;
        *(before ? &before->prev : &list->last) = guest;
        list->count++;
}

static void guest_free(struct guest *guest) {
        struct ingest *ingest = guest->ingest;

        guest_unlink(guest);
        reactor_unwatch(guest->watch);
        close_fd(guest->fd);
        free(guest);
        set_timer(ingest);
}

static bool is_full(const struct guest_list *list, uid_t uid, unsigned max, unsigned uid_max) {
        unsigned n = 0;

        for (const struct guest *guest = list->first; guest; guest = guest->next)
                n += guest->cred.uid == uid;
        return list->count > max || n > uid_max;
}

static void turn_away(struct guest *guest, const char *why) {
        reject(guest->ingest->collector, guest->fd, &guest->cred, EDQUOT, why);
        guest_free(guest);
}

/* Takes the one message and answers it.  False: it is not there yet. */
static bool guest_serve(struct guest *guest) {
        struct shm_hello hello;
        struct iovec iov = {&hello, sizeof hello};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
        ssize_t n = recvmsg(guest->fd, &message, MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return false;
        if (n > 0)
                hear(guest, &hello, n, message.msg_flags);
        return true;
}

/* To attach is work, of which each user has a share.  A connection beyond it waits unread, but not for longer than
 * it may take to say hello: then it is heard, whatever its user has used up. */
static bool is_to_wait(const struct guest *guest) {
        const struct collector *collector = guest->ingest->collector;

        return !limits_may_work(collector->processes, guest->cred.uid) &&
               reactor_now(collector->reactor) < guest->until_ns;
}

static bool guest_defer(struct guest *guest) {
        struct ingest *ingest = guest->ingest;

        if (!is_to_wait(guest))
                return false;
        guest->watch = reactor_unwatch(guest->watch);
        guest_unlink(guest);
        guest_insert(guest, &ingest->deferred);
        set_timer(ingest);
        schedule_drain_soon(ingest->collector);
        if (is_full(&ingest->deferred, guest->cred.uid, DEFERRED_MAX, DEFERRED_UID))
                turn_away(guest, "too many processes of its user attach at once");
        return true;
}

static void on_guest(void *userdata, int fd, unsigned events) {
        struct guest *guest = userdata;

        reactor_work(guest->ingest->collector->reactor, "attaching");
        if (!guest_defer(guest) && (guest_serve(guest) || (events & REACTOR_HUP)))
                guest_free(guest);
}

/* Keeps a connection whose hello has not arrived yet. */
static void guest_wait(struct guest *guest) {
        struct ingest *ingest = guest->ingest;
        struct reactor *reactor = ingest->collector->reactor;

        set_timer(ingest);
        if (is_full(&ingest->guests, guest->cred.uid, GUESTS_MAX, GUESTS_UID_MAX))
                turn_away(guest, "too many connections have not sent a hello");
        else if (reactor_watch(reactor, &guest->watch, guest->fd, REACTOR_IN, on_guest, guest) < 0)
                guest_free(guest);
}

/* Most connections have sent their hello by the time they are accepted. */
static void guest_hear(struct guest *guest) {
        if (guest_defer(guest))
                return;
        if (guest_serve(guest))
                guest_free(guest);
        else
                guest_wait(guest);
}

/* In the order in which they came, but for those of users whose share is used up: they keep their places. */
void ingest_resume(struct ingest *ingest) {
        uint64_t end_ns = reactor_slice_end();
        struct guest *guest, *next;

        for (guest = ingest->deferred.first; guest && !reactor_slice_is_over(end_ns); guest = next) {
                next = guest->next;
                if (is_to_wait(guest))
                        continue;
                guest_unlink(guest);
                guest_insert(guest, &ingest->guests);
                guest_hear(guest);
        }
        if (ingest->deferred.first)
                schedule_drain_soon(ingest->collector); /* which resumes the rest */
}

/* ---------------------------------------------------------------------------------------------------- the door -- */

/* Consumes the descriptor. */
static struct guest *guest_new(struct ingest *ingest, int fd) {
        struct guest *guest = calloc(1, sizeof *guest);
        struct procinfo_stat stat;
        struct ucred cred;
        socklen_t size = sizeof cred;

        if (!guest || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0) {
                close(fd);
                free(guest);
                return NULL;
        }
        *guest = (struct guest){.ingest = ingest, .fd = fd, .cred = cred};
        guest->until_ns = reactor_now(ingest->collector->reactor) + GUEST_NS;
        if (procinfo_stat(cred.pid, &stat) == 0)
                guest->start_ticks = stat.start_ticks;
        guest_insert(guest, &ingest->guests);
        return guest;
}

static void admit(void *userdata, int fd) {
        struct guest *guest = guest_new(userdata, fd);

        if (guest)
                guest_hear(guest);
}

static void on_timer(void *userdata, uint64_t now_ns) {
        struct ingest *ingest = userdata;

        while (ingest->guests.first && ingest->guests.first->until_ns <= now_ns) {
                processes_count_rejected(ingest->collector->processes);
                guest_free(ingest->guests.first);
        }
        set_timer(ingest);
}

int ingest_new(struct ingest **ret, struct collector *collector, int listen_fd) {
        struct ingest *ingest = calloc(1, sizeof *ingest);
        int r;

        if (!ingest) {
                close(listen_fd);
                return -ENOMEM;
        }
        ingest->collector = collector;
        r = listener_new(&ingest->listener, collector->reactor, listen_fd, admit, ingest);
        if (r == 0)
                r = reactor_timer(collector->reactor, &ingest->timer, on_timer, ingest);
        if (r < 0) {
                ingest_free(ingest);
                return r;
        }
        *ret = ingest;
        return 0;
}

struct ingest *ingest_free(struct ingest *ingest) {
        if (!ingest)
                return NULL;
        while (ingest->guests.first)
                guest_free(ingest->guests.first);
        while (ingest->deferred.first)
                guest_free(ingest->deferred.first);
        listener_free(ingest->listener);
        reactor_timer_free(ingest->timer);
        free(ingest);
        return NULL;
}

struct ingest **ingest_next(struct ingest *ingest) {
        return &ingest->next;
}
