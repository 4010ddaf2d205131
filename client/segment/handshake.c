/* SPDX-License-Identifier: MIT */
/*
 * See handshake.h.
 *
 * System calls go through syscall(2), which unlike libc's wrappers is no cancellation point: a thread that is cancelled
 * in here would leave the gate closed.
 */
#include "client/segment/handshake.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "client/gate/root.h"
#include "client/segment/inherited.h"
#include "shm/handshake.h"
#include "shm/segment.h"

#define ERRNO_MAX 4095

static void close_fd(int fd) {
        if (fd >= 0)
                syscall(SYS_close, fd);
}

/* The collector may run as root, as this process does, or as the owner of /run/spanalloc, which only root can give
 * away. */
static bool is_trusted(int fd) {
        struct ucred cred;
        socklen_t n = sizeof cred;

        if (syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) < 0)
                return false;
        return cred.uid == 0 || cred.uid == geteuid() || cred.uid == sa_root.run_dir_uid;
}

static int connect_at(int fd, const char *path, bool abstract) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        size_t n = strlen(path), size = abstract ? offsetof(struct sockaddr_un, sun_path) + 1 + n : sizeof address;

        if (n >= sizeof address.sun_path)
                return -EINVAL;
        memcpy(address.sun_path + abstract, path, n);
        return syscall(SYS_connect, fd, &address, (socklen_t)size) < 0 ? -errno : 0;
}

int sa_connect(const char *path, int *ret_fd) {
        int fd, r;

        fd = (int)syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        r = connect_at(fd, path, false);
        if ((r == -ENOENT || r == -EACCES || r == -ECONNREFUSED) && path == sa_root.socket && sa_root.socket_is_told)
                r = connect_at(fd, path, true);
        if (r < 0) {
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

/* A read beyond the end of a mapped file is a SIGBUS, so the beacon is read as a file first. */
static int check_beacon(int fd) {
        struct shm_beacon beacon;

        if (syscall(SYS_pread64, fd, &beacon, sizeof beacon, (off_t)0) != (long)sizeof beacon)
                return -EPROTO;
        return beacon.magic == SHM_BEACON_MAGIC && beacon.version == SHM_VERSION ? 0 : -EPROTO;
}

static int map_beacon(struct sa_attachment *a, int fd, uint32_t generation) {
        struct shm_beacon *beacon;

        /* Never unmapped, only mapped over by the next: a thread may have loaded its address and read it later. */
        beacon = mmap((void *)a->beacon, SHM_PAGE, PROT_READ, MAP_SHARED | (a->beacon ? MAP_FIXED : 0), fd, 0);
        if (beacon == MAP_FAILED)
                return -errno;
        a->beacon = beacon;
        a->generation = generation;
        return 0;
}

/* Reads the header as a file, and checks it: what is mapped depends on the geometry. */
static int read_geometry(struct shm_geometry *ret, int fd, uint64_t size) {
        struct shm_header header;

        if (syscall(SYS_pread64, fd, &header, sizeof header, (off_t)0) != (long)sizeof header)
                return -EPROTO;
        if (header.magic != SHM_MAGIC || header.version != SHM_VERSION || header.geometry.segment_size != size ||
            shm_geometry_check(&header.geometry) < 0)
                return -EPROTO;
        *ret = header.geometry;
        return 0;
}

static int map_segment(struct sa_attachment *a, const struct shm_welcome *welcome, const int fds[2]) {
        struct shm_geometry geometry;
        uint64_t size;
        int r;

        r = shm_segment_check_fd(fds[0], welcome->segment_size, &size);
        if (r >= 0)
                r = check_beacon(fds[1]);
        if (r >= 0)
                r = read_geometry(&geometry, fds[0], size);
        if (r >= 0)
                r = sa_segment_map(&a->map, fds[0], &geometry);
        if (r < 0)
                return r;
        a->header = a->map.header;
        a->geometry = geometry;
        r = map_beacon(a, fds[1], welcome->generation);
        if (r < 0)
                sa_segment_unmap(&a->map);
        return r;
}

/* Another collector has taken over the current segment.  It may have another beacon. */
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
        return SA_KEPT;
}

/* Receives the answer and maps the descriptors that came with it; closes them all. */
static int take_welcome(struct sa_attachment *a, struct sa_attachment *former, int fd, bool *ret_is_given) {
        struct shm_welcome welcome;
        int fds[2] = {-1, -1}, r;

        r = receive(fd, &welcome, fds);
        if (r >= 0 && (welcome.flags & SHM_WELCOME_KEEP))
                r = keep_segment(former, &welcome, fds[0]);
        else if (r >= 0) {
                *ret_is_given = true;
                r = fds[1] < 0 ? -EPROTO : map_segment(a, &welcome, fds);
        }
        close_fd(fds[0]);
        close_fd(fds[1]);
        return r;
}

void sa_tell_unmapped(const char *path, int error) {
        const struct shm_hello hello = {
                .magic = SHM_HELLO_MAGIC, .version = SHM_VERSION, .kind = SHM_HELLO_UNMAPPED, .error = error};
        int fd;

        if (sa_connect(path, &fd) < 0)
                return;
        syscall(SYS_sendto, fd, &hello, sizeof hello, MSG_NOSIGNAL, NULL, 0);
        close_fd(fd);
}

int sa_handshake(struct sa_attachment *a, struct sa_attachment *former, const char *path, uint32_t ring_kib,
                 long timeout_ms) {
        struct shm_hello hello = {
                .magic = SHM_HELLO_MAGIC,
                .version = SHM_VERSION,
                .kind = SHM_HELLO_ATTACH,
                .flags = sa_gate.child ? SHM_HELLO_CHILD : 0,
                .ring_kib = ring_kib,
                .filters = sa_root.filters,
                .counting = atomic_load(&sa_root.counting),
                .own.former = former ? former->header->process : 0,
        };
        bool is_given = false;
        int fd = -1, r;

        sa_inherited_fill(&hello);
        r = sa_connect(path, &fd);
        if (r < 0)
                return r;
        if (!is_trusted(fd))
                r = -EPERM;
        else if (syscall(SYS_sendto, fd, &hello, sizeof hello, MSG_NOSIGNAL, NULL, 0) < 0)
                r = -errno;
        if (r >= 0)
                r = wait_readable(fd, timeout_ms);
        if (r >= 0)
                r = take_welcome(a, former, fd, &is_given);
        close_fd(fd);
        if (r < 0 && is_given)
                sa_tell_unmapped(path, -r);
        return r;
}
