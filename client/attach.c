/* SPDX-License-Identifier: MIT */
/*
 * See attach.h.
 *
 * A thread attaches at most once a second, alone, and in one go: connect, say hello, take the segment, close.  Nothing
 * is left open, so that nothing is there for the host to close, to reuse or to inherit.  A collector that does not
 * answer costs a span 100 ms, and then twice as long a pause each time, up to a minute.  SPANALLOC_ATTACH_MS gives it more
 * time: `run` sets it, whose collector is there for sure, but may have hundreds of processes to answer at once.
 *
 * System calls go through syscall(2), which unlike libc's wrappers is no cancellation point: a thread that is
 * cancelled in here would leave the gate closed.
 */
#include "client/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client/intern.h"
#include "client/lane.h"
#include "client/root_private.h"
#include "shm/handshake.h"
#include "shm/segment.h"

#define ASKED_TIMEOUT_MS 5000 /* where the program asks for it, or waits for room anyway */
#define BACK_OFF_MAX_S   60u
#define ERRNO_MAX        4095

enum { KEPT = 1 }; /* the collector has the segment that we have */

static struct sa_attachment attachments[SA_ATTACHMENTS];

static uint64_t now_ns(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
        return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* --------------------------------------------------------------------------------------------- handshake -- */

static void close_fd(int fd) {
        if (fd >= 0)
                syscall(SYS_close, fd);
}

/* The collector may be root, ourselves, or whoever owns /run/spanalloc, which only root can have given away. */
static bool is_trusted(int fd) {
        struct ucred cred;
        socklen_t n = sizeof cred;

        if (syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
                return false;
        return cred.uid == 0 || cred.uid == geteuid() || cred.uid == sa_root.run_dir_uid;
}

static int connect_to(const char *path, int *ret_fd) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int fd, r;

        if (strlen(path) >= sizeof address.sun_path)
                return -EINVAL;
        strcpy(address.sun_path, path);
        fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (syscall(SYS_connect, fd, &address, sizeof address) < 0) {
                r = -errno;
                close_fd(fd);
                return r;
        }
        *ret_fd = fd;
        return 0;
}

static int wait_readable(int fd, long timeout_ms) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        struct timespec left = {timeout_ms / 1000, timeout_ms % 1000 * 1000000l};
        long r;

        do /* the kernel counts `left` down, so that signals cannot stretch the wait */
                r = syscall(SYS_ppoll, &p, 1, &left, NULL, 0);
        while (r < 0 && errno == EINTR);
        if (r < 0)
                return -errno;
        return r ? 0 : -ETIMEDOUT;
}

static int receive(int fd, struct shm_welcome *welcome, int ret_fds[2]) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(2 * sizeof(int))];
        } control;
        struct iovec iov = {welcome, sizeof *welcome};
        struct msghdr msg = {
                .msg_iov = &iov,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof control,
        };
        long n = syscall(SYS_recvmsg, fd, &msg, MSG_CMSG_CLOEXEC);

        if (n < 0)
                return -errno;
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c; c = CMSG_NXTHDR(&msg, c))
                if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
                        memcpy(ret_fds, CMSG_DATA(c),
                               c->cmsg_len >= CMSG_LEN(2 * sizeof(int)) ? 2 * sizeof(int) : sizeof(int));
        if (n == 0)
                return -ECONNRESET;
        if (n != (long)sizeof *welcome || welcome->magic != SHM_WELCOME_MAGIC || welcome->version != SHM_VERSION)
                return -EPROTO;
        if (welcome->error < 0 || welcome->error > ERRNO_MAX)
                return -EPROTO;
        return -welcome->error;
}

/* A file that is shorter than what we read of it would kill us by SIGBUS, at any call. */
static int check_beacon(int fd) {
        struct shm_beacon beacon;

        if (syscall(SYS_pread64, fd, &beacon, sizeof beacon, (off_t)0) != (long)sizeof beacon)
                return -EPROTO;
        return beacon.magic == SHM_BEACON_MAGIC && beacon.version == SHM_VERSION ? 0 : -EPROTO;
}

static int map_beacon(struct sa_attachment *a, int fd, uint32_t generation) {
        struct shm_beacon *beacon;

        /* Never unmapped, only replaced by the next: a thread may have loaded its address and be about to read. */
        beacon = mmap((void *)a->beacon, SHM_PAGE, PROT_READ, MAP_SHARED | (a->beacon ? MAP_FIXED : 0), fd, 0);
        if (beacon == MAP_FAILED)
                return -errno;
        a->beacon = beacon;
        a->generation = generation;
        return 0;
}

static int map_segment(struct sa_attachment *a, const struct shm_welcome *welcome, const int fds[2]) {
        uint64_t size;
        int r;

        r = shm_segment_check_fd(fds[0], welcome->segment_size, &size);
        if (r >= 0)
                r = check_beacon(fds[1]);
        if (r < 0)
                return r;
        r = shm_segment_map(&a->map, fds[0], size);
        if (r < 0)
                return r;
        a->header = a->map;
        a->geometry = a->header->geometry;
        if (a->header->magic != SHM_MAGIC || a->header->version != SHM_VERSION || a->geometry.segment_size != size ||
            shm_geometry_check(&a->geometry) < 0) {
                r = -EPROTO;
                goto unmap;
        }
        /* Our own lanes only: a child must neither see nor inherit them. */
        if (madvise(a->map, size, MADV_DONTFORK) < 0) {
                r = -errno;
                goto unmap;
        }
        r = map_beacon(a, fds[1], welcome->generation);
        if (r < 0)
                goto unmap;
        return 0;

unmap:
        munmap(a->map, size);
        return r;
}

/* Another collector has taken over the segment that we have.  It may have another beacon. */
static int keep_segment(struct sa_attachment *former, const struct shm_welcome *welcome, int beacon_fd) {
        int r;

        if (!former)
                return -EPROTO;
        r = check_beacon(beacon_fd);
        if (r >= 0)
                r = map_beacon(former, beacon_fd, welcome->generation);
        if (r < 0)
                return r;
        atomic_store(&sa_gate.generation, former->generation);
        return KEPT;
}

/* Receives the answer and takes what came with it; no descriptor is left open. */
static int take_welcome(struct sa_attachment *a, struct sa_attachment *former, int fd) {
        struct shm_welcome welcome;
        int fds[2] = {-1, -1}, r;

        r = receive(fd, &welcome, fds);
        if (r >= 0 && (welcome.flags & SHM_WELCOME_KEEP))
                r = keep_segment(former, &welcome, fds[0]);
        else if (r >= 0)
                r = fds[1] < 0 ? -EPROTO : map_segment(a, &welcome, fds);
        close_fd(fds[0]);
        close_fd(fds[1]);
        return r;
}

/* `former`: the attachment that we have, or NULL.  0, or KEPT, or -errno. */
static int handshake(struct sa_attachment *a, struct sa_attachment *former, const char *path, uint32_t ring_kib,
                     long timeout_ms) {
        struct shm_hello hello = {
                .magic = SHM_HELLO_MAGIC,
                .version = SHM_VERSION,
                .kind = SHM_HELLO_ATTACH,
                .flags = sa_gate.child ? SHM_HELLO_CHILD : 0,
                .ring_kib = ring_kib,
                .counting = atomic_load(&sa_root.counting),
                .former = {former ? former->header->process : 0},
        };
        int fd = -1, r;

        r = connect_to(path, &fd);
        if (r < 0)
                return r;
        if (!is_trusted(fd))
                r = -EPERM;
        else if (syscall(SYS_sendto, fd, &hello, sizeof hello, MSG_NOSIGNAL, NULL, 0) < 0)
                r = -errno;
        if (r >= 0)
                r = wait_readable(fd, timeout_ms);
        if (r >= 0)
                r = take_welcome(a, former, fd);
        close_fd(fd);
        return r;
}

/* ------------------------------------------------------------------------------------------- life of a segment -- */

struct sa_attachment *sa_attachment_get(uint32_t *ret_epoch) {
        for (;;) {
                /* [G2] seq_cst: `users` is raised, then the gate is read again; reap() takes the attachment out of the
                 * gate, then reads `users`.  One of the two sees the other. */
                struct sa_attachment *a = atomic_load(&sa_gate.attachment);

                if (!a)
                        return NULL;
                atomic_fetch_add(&a->users, 1);
                if (atomic_load(&sa_gate.attachment) == a) {
                        *ret_epoch = a->epoch;
                        return a;
                }
                atomic_fetch_sub(&a->users, 1);
        }
}

struct sa_attachment *sa_attachment_nth(uint32_t i) {
        struct sa_attachment *a = &attachments[i];

        if (atomic_load(&a->in_use) != SA_MAPPED)
                return NULL;
        /* [G2] the same, by `in_use`. */
        atomic_fetch_add(&a->users, 1);
        if (atomic_load(&a->in_use) == SA_MAPPED)
                return a;
        atomic_fetch_sub(&a->users, 1);
        return NULL;
}

void sa_attachment_put(struct sa_attachment *a) {
        atomic_fetch_sub(&a->users, 1);
}

static bool has_owner(const struct sa_attachment *a) {
        uint32_t n = atomic_load(&a->header->lanes_claimed);

        for (uint32_t i = 0; i < n && i < a->geometry.lane_capacity; i++) {
                const struct shm_lane *lane = shm_lane_at(a->map, &a->geometry, i);
                uint32_t word = shm_owner_word(lane);

                if ((word & SHM_OWNER_TID) && !(word & SHM_OWNER_DIED))
                        return true;
                if (atomic_load(&lane->occupancy) & 1)
                        return true;
        }
        return false;
}

/* Unmaps what no thread uses any more. */
static void reap(void) {
        for (int i = 0; i < (int)SA_ATTACHMENTS; i++) {
                struct sa_attachment *a = &attachments[i];

                if (atomic_load(&a->in_use) != SA_MAPPED || atomic_load(&sa_gate.attachment) == a)
                        continue;
                atomic_store(&a->in_use, SA_UNMAPPING);
                /* [G2] */
                if (atomic_load(&a->users) || has_owner(a)) {
                        atomic_store(&a->in_use, SA_MAPPED);
                        continue;
                }
                munmap(a->map, a->geometry.segment_size);
                atomic_store(&a->in_use, SA_UNUSED);
        }
}

static struct sa_attachment *vacant(void) {
        for (int i = 0; i < (int)SA_ATTACHMENTS; i++)
                if (!atomic_load(&attachments[i].in_use))
                        return &attachments[i];
        return NULL;
}

static void lower(_Atomic uint32_t *limit, uint32_t to) {
        uint32_t old = atomic_load(limit);

        while (to < old && !atomic_compare_exchange_weak(limit, &old, to))
                ;
}

/* The library's own definition of what the header looks at.  A program may have a copy of it in its place, by a copy
 * relocation, to which the name leads, but not for objects that the loader binds to us alone (RTLD_DEEPBIND). */
uint32_t spanalloc_listening_;
extern uint32_t own_listening __attribute__((alias("spanalloc_listening_"), visibility("hidden")));

static void tell_header(uint32_t listening) {
        /* [G3] store of `listening` before the epoch's release, pairs with the load in spanalloc_is_alone_().  Without it:
         * a thread is told that the process is attached, and what it opens goes by. */
        __atomic_store_n(&spanalloc_listening_, listening, __ATOMIC_SEQ_CST);
        __atomic_store_n(&own_listening, listening, __ATOMIC_SEQ_CST);
}

void sa_attach_rest(void) {
        uint32_t nobody = 0;

        if (!atomic_compare_exchange_strong(&sa_gate.attaching, &nobody, 1))
                return;
        if (!atomic_load(&sa_gate.epoch))
                tell_header(0);
        atomic_store(&sa_gate.attaching, 0);
}

static int attach(const char *path, uint32_t ring_kib, long timeout_ms) {
        struct sa_attachment *a, *old;
        int r;

        reap();
        a = vacant();
        if (!a)
                return -EAGAIN;
        old = atomic_load(&sa_gate.attachment);
        r = handshake(a, old, path, ring_kib, timeout_ms);
        if (r < 0 || r == KEPT)
                return r < 0 ? r : 0;

        lower(&sa_root.name_limit, a->geometry.name_capacity);
        lower(&sa_root.path_limit, a->geometry.path_capacity);
        atomic_store(&a->header->counting, atomic_load(&sa_root.counting));
        atomic_store(&a->header->instance_floor, atomic_load(&sa_root.next_block));
        atomic_store(&sa_root.options, a->header->options);
        a->epoch = sa_nth_epoch(atomic_fetch_add(&sa_root.epoch, 1));
        atomic_store(&a->in_use, SA_MAPPED);
        atomic_store(&sa_gate.attachment, a); /* [N1] */
        r = sa_intern_copy(a);
        if (r < 0) {
                atomic_store(&sa_gate.attachment, old);
                return r;
        }
        atomic_store(&sa_gate.generation, a->generation);
        atomic_store(&sa_gate.beacon, a->beacon);
        tell_header(1);
        atomic_store(&sa_gate.quick, 0);
        /* [G1] release of `epoch`, pairs with the acquire in sa_lane_slow().  Publishes: the attachment, with all
         * names and paths; and that `quick` is not an older one's, which a newer thread must not be compared with. */
        atomic_store_explicit(&sa_gate.epoch, a->epoch, memory_order_release);
        atomic_store(&sa_gate.quick, atomic_load(&sa_root.quick) ? sa_quick_of(a->epoch) : 0);
        return 0;
}

/* After a failure: when to try again. */
static void back_off(int error) {
        uint32_t seconds = 1;

        if (error == -ETIMEDOUT || error == -EPROTO || error == -EPERM || error == -EDQUOT) {
                seconds = atomic_load(&sa_root.back_off) * 2;
                seconds = seconds < 1 ? 1 : seconds > BACK_OFF_MAX_S ? BACK_OFF_MAX_S : seconds;
        }
        atomic_store(&sa_root.back_off, seconds);
        atomic_store(&sa_root.next_try_ns, now_ns() + seconds * UINT64_C(1000000000));
}

static bool is_current(void) {
        return atomic_load(&sa_gate.epoch) && !sa_is_stale();
}

/* Opens between two looks at the clock.  A thread that opens ten spans a second looks again within 1.6 s.  One that opens
 * so many that the lesser number is a matter of milliseconds is lazier; should it grow slow, it is for those few more. */
#define PATIENCE       16u
#define PATIENCE_BUSY  64u
#define PATIENCE_EVER  (1u << 20) /* where there is nothing to look for */
#define LOOK_TICK_BITS 24         /* 17 ms */

bool sa_attach_is_due(struct sa_thread *self) {
        uint32_t state = atomic_load(&sa_root.state);
        uint8_t tick;
        uint64_t now;

        if (state != SA_READY) {
                if (state == SA_NEW || atomic_load_explicit(&sa_leader_api, memory_order_acquire)) /* [I1] */
                        return true; /* sa_attach() or the copy that leads has to see to it */
                self->patience = PATIENCE_EVER;
                return false;
        }
        now = now_ns();
        tick = (uint8_t)(now >> LOOK_TICK_BITS);
        self->patience = tick == self->look_tick ? PATIENCE_BUSY : PATIENCE;
        self->look_tick = tick;
        return now >= atomic_load_explicit(&sa_root.next_try_ns, memory_order_relaxed);
}

/* A raw clone() leaves the child without a robust list: nobody would tell of its threads' deaths, and libc's own list
 * still points into the parent's segment.  Such a child stays out of the books. */
static bool has_robust_list(void) {
        void *head = NULL;
        size_t n;

        return syscall(SYS_get_robust_list, 0, &head, &n) == 0 && head;
}

int sa_attach(const struct spanalloc_options *options, bool asked) {
        const char *path = options && options->socket ? options->socket : sa_root.socket;
        uint32_t ring_kib = options && options->ring_kib ? options->ring_kib : sa_root.ring_kib;
        uint32_t nobody = 0;
        long timeout_ms = sa_root.answer_ms;
        int saved = errno, r;

        if (atomic_load(&sa_root.state) != SA_READY)
                return -EPERM;
        sa_notice_fork();
        if (atomic_load(&sa_gate.alive) != 1)
                return -EAGAIN; /* another thread of a forked child is at forgetting */
        if (is_current())
                return 0;
        if ((asked || sa_root.on_full == SPANALLOC_WAIT) && timeout_ms < ASKED_TIMEOUT_MS)
                timeout_ms = ASKED_TIMEOUT_MS;
        if (!asked && now_ns() < atomic_load(&sa_root.next_try_ns))
                return -EAGAIN;
        if (!atomic_compare_exchange_strong(&sa_gate.attaching, &nobody, 1))
                return -EAGAIN;
        if (is_current()) {
                r = 0;
        } else {
                atomic_fetch_add(&sa_root.attach_attempts, 1);
                r = !has_robust_list() ? -EOPNOTSUPP : attach(path, ring_kib, timeout_ms);
                atomic_store(&sa_root.attach_error, r);
                back_off(r);
        }
        atomic_store(&sa_gate.attaching, 0);
        errno = saved;
        return r;
}

void sa_attach_forget(void) {
        for (int i = 0; i < (int)SA_ATTACHMENTS; i++) {
                const struct shm_beacon *beacon = attachments[i].beacon;

                /* The beacons are inherited: their places can be used again. */
                attachments[i] = (struct sa_attachment){.beacon = beacon};
        }
        tell_header(0);
}
