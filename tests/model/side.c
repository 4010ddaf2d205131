/* SPDX-License-Identifier: MIT */
/* See side.h. */
#include "tests/model/side.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/collector/beacon.h"
#include "shm/handshake.h"
#include "shm/segment.h"

int side_init(struct side *side) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        int r;

        *side = (struct side){.listen = -1, .now_ns = UINT64_C(1000000000000)};
        snprintf(side->socket, sizeof side->socket, "/tmp/spanalloc-oracle-%d", (int)getpid());
        strcpy(address.sun_path, side->socket);
        r = beacon_new(&side->beacon, NULL, -1, 0);
        if (r < 0)
                return r;
        side->events = calloc(SCHEDULE_SPANS, sizeof *side->events);
        side->event_spans = calloc(SCHEDULE_SPANS, sizeof *side->event_spans);
        side->listen = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        unlink(side->socket);
        if (!side->events || !side->event_spans || side->listen < 0 ||
            bind(side->listen, (struct sockaddr *)&address, sizeof address) < 0 || listen(side->listen, 1) < 0)
                return -errno;
        return 0;
}

void side_deinit(struct side *side) {
        unlink(side->socket);
        close(side->listen);
        drain_free(side->drain);
        books_free(side->books);
        beacon_free(side->beacon);
        free(side->events);
        free(side->event_spans);
}

static void on_event(void *userdata, const struct books_event *event) {
        struct side *side = userdata;

        if (side->event_count < SCHEDULE_SPANS)
                side->events[side->event_count++] = *event;
}

static int make(struct side *side, const struct setup *setup, int *ret_memfd) {
        const struct shm_wish wish = {.name_capacity = setup->name_capacity,
                                      .path_capacity = setup->path_capacity,
                                      .close_capacity = setup->close_capacity,
                                      .lane_capacity = 256,
                                      .ring_records = SHM_RING_RECORDS_MIN,
                                      .ring_lanes = 1};
        struct shm_geometry geometry;
        struct books_limits limits = books_limits_default;
        int r;

        r = shm_geometry_init(&geometry, &wish);
        if (r < 0)
                return r;
        limits.names = geometry.name_capacity;
        limits.paths = geometry.path_capacity;
        limits.lanes = geometry.lane_capacity;
        limits.instances = setup->instances;
        r = books_new(&side->books, &limits, side->now_ns);
        if (r < 0)
                return r;
        books_on_event(side->books, on_event, side);
        r = shm_segment_create(ret_memfd, &geometry, 1, 0);
        if (r < 0)
                return r;
        return drain_new(&side->drain, *ret_memfd, &geometry, side->books);
}

static int welcome(struct side *side, int fd, int memfd) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(2 * sizeof(int))];
        } control = {0};
        struct shm_welcome message = {
                .magic = SHM_WELCOME_MAGIC, .version = SHM_VERSION, .generation = beacon_generation(side->beacon)};
        struct iovec iov = {&message, sizeof message};
        struct msghdr header = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
        struct stat st;

        if (fstat(memfd, &st) < 0)
                return -errno;
        message.segment_size = (uint64_t)st.st_size;
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(2 * sizeof(int));
        memcpy(CMSG_DATA(rights), (int[]){memfd, beacon_fd(side->beacon)}, 2 * sizeof(int));
        return sendmsg(fd, &header, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int side_attach(struct side *side, const struct setup *setup) {
        struct shm_hello hello;
        int fd, memfd = -1, r;

        fd = accept(side->listen, NULL, NULL);
        if (fd < 0)
                return -errno;
        if (recv(fd, &hello, sizeof hello, 0) != sizeof hello)
                r = -EPROTO;
        else
                r = make(side, setup, &memfd);
        if (r == 0)
                r = welcome(side, fd, memfd);
        if (memfd >= 0)
                close(memfd);
        close(fd);
        return r;
}
