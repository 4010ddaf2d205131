/* SPDX-License-Identifier: MIT */
/*
 * A hostile collector, or another program: its answer to a hello, and the descriptors with it, come from the input.
 *
 * The client's own code receives the answer from a socket pair, checks it and maps the segment.  For every input: no
 * crash; no descriptor and no mapping stays after a refusal; and an accepted segment is sealed, has the stated size,
 * and can be read to its last byte.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/segment/handshake.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
        do {                                                                                                           \
                if (!(condition)) {                                                                                    \
                        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
                        abort();                                                                                       \
                }                                                                                                      \
        } while (0)

enum {
        SEGMENT,
        SEGMENT_SPOILT, /* its header comes from the input */
        UNSEALED,
        HALF_SEALED,
        SEALED_WRITE,
        SHORT,
        BEACON,
        BEACON_EMPTY,
        BEACON_FOREIGN,
        DIRECTORY,
        DEVICE,
        PIPE,
        SOCKET,
        KINDS,
};
enum { DESCRIPTORS_MAX = 253 };

static int offered[KINDS], ends[2];
static struct shm_geometry geometry;
static struct shm_header good_header;

static int make_memfd(size_t size, int seals) {
        int fd = memfd_create("stranger", MFD_CLOEXEC | MFD_ALLOW_SEALING);

        REQUIRE(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
        if (seals)
                REQUIRE(fcntl(fd, F_ADD_SEALS, seals) == 0);
        return fd;
}

static void make_scene(void) {
        const struct shm_wish wish = {16, 16, 8, 4, 256, 4};
        const struct shm_beacon beacon = {.magic = SHM_BEACON_MAGIC, .version = SHM_VERSION, .generation = 1};
        size_t size;
        int pipe_fds[2];

        REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
        REQUIRE(shm_geometry_init(&geometry, &wish) == 0);
        size = geometry.segment_size;
        REQUIRE(shm_segment_create(&offered[SEGMENT], &geometry, 1, 0) == 0);
        REQUIRE(shm_segment_create(&offered[SEGMENT_SPOILT], &geometry, 1, 0) == 0);
        REQUIRE(pread(offered[SEGMENT], &good_header, sizeof good_header, 0) == sizeof good_header);
        offered[UNSEALED] = make_memfd(size, 0);
        offered[HALF_SEALED] = make_memfd(size, F_SEAL_GROW | F_SEAL_SEAL);
        offered[SEALED_WRITE] = make_memfd(size, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_WRITE | F_SEAL_SEAL);
        offered[SHORT] = make_memfd(100, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL);
        offered[BEACON] = make_memfd(SHM_PAGE, 0);
        REQUIRE(pwrite(offered[BEACON], &beacon, sizeof beacon, 0) == sizeof beacon);
        offered[BEACON_EMPTY] = make_memfd(0, 0);
        offered[BEACON_FOREIGN] = make_memfd(SHM_PAGE, 0);
        offered[DIRECTORY] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        offered[DEVICE] = open("/dev/null", O_RDWR | O_CLOEXEC);
        REQUIRE(pipe2(pipe_fds, O_CLOEXEC) == 0);
        offered[PIPE] = pipe_fds[0];
        offered[SOCKET] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        for (int kind = 0; kind < KINDS; kind++)
                REQUIRE(offered[kind] >= 0);
}

static uint8_t take(const uint8_t **data, size_t *size) {
        if (!*size)
                return 0;
        --*size;
        return *(*data)++;
}

/* A good message with some bytes changed. */
static void spoil(void *message, size_t length, const uint8_t **data, size_t *size) {
        for (unsigned n = take(data, size) % 8; n && *size; n--) {
                unsigned at = take(data, size);

                at |= (unsigned)take(data, size) << 8;
                ((uint8_t *)message)[at % length] ^= take(data, size);
        }
}

static void answer(const uint8_t *data, size_t size) {
        struct shm_welcome welcome = {.magic = SHM_WELCOME_MAGIC,
                                      .version = SHM_VERSION,
                                      .generation = 1,
                                      .segment_size = geometry.segment_size};
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
        } control = {0};
        uint8_t bytes[sizeof welcome + 64] = {0};
        struct iovec iov = {bytes, sizeof welcome};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
        unsigned first = take(&data, &size), second = take(&data, &size), count = take(&data, &size);
        struct shm_header header = good_header;
        int fds[DESCRIPTORS_MAX];

        count = count < 160 ? 2 : count < 250 ? count % 5 : DESCRIPTORS_MAX;
        for (unsigned i = 0; i < count; i++)
                fds[i] = offered[(i == 0 ? first : i == 1 ? second : first + i) % KINDS];
        if (count) {
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(count * sizeof(int));
                CMSG_FIRSTHDR(&message)->cmsg_level = SOL_SOCKET;
                CMSG_FIRSTHDR(&message)->cmsg_type = SCM_RIGHTS;
                CMSG_FIRSTHDR(&message)->cmsg_len = CMSG_LEN(count * sizeof(int));
                memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), fds, count * sizeof(int));
        }
        if (take(&data, &size) > 250)
                iov.iov_len = take(&data, &size) % sizeof bytes;
        spoil(&welcome, sizeof welcome, &data, &size);
        memcpy(bytes, &welcome, sizeof welcome);
        spoil(&header, sizeof header, &data, &size);
        REQUIRE(pwrite(offered[SEGMENT_SPOILT], &header, sizeof header, 0) == sizeof header);
        REQUIRE(sendmsg(ends[1], &message, MSG_NOSIGNAL) >= 0);
}

/* What was accepted is used: the geometry lies inside the mapping, and the beacon can be read. */
static void use(struct sa_attachment *a) {
        const struct shm_geometry *g = &a->geometry;
        uint64_t last = g->segment_size - g->rings_offset - 1;
        volatile char *end = sa_map_more(&a->map, SA_REGION_RINGS, last);

        REQUIRE(g->segment_size == geometry.segment_size);
        REQUIRE(shm_ring_offset(g, g->lane_capacity) <= g->segment_size);
        REQUIRE(g->lanes_offset + g->lane_capacity * sizeof(struct shm_lane) <= g->rings_offset);
        REQUIRE(end);
        *end = 0;
        (void)atomic_load(&a->beacon->generation);
        REQUIRE(a->beacon->magic == SHM_BEACON_MAGIC);
        sa_segment_unmap(&a->map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static struct sa_attachment a, former;
        bool has_former = size && (data[0] & 0x80), is_given = false;
        int lowest, got, r;

        if (!offered[SEGMENT])
                make_scene();
        lowest = dup(ends[0]);
        close(lowest);
        answer(data, size);
        a.map = (struct sa_segment_map){0};
        r = take_welcome(&a, has_former ? &former : NULL, ends[0], &is_given);
        REQUIRE(r <= 0 || (r == SA_KEPT && has_former));
        REQUIRE(r != 0 || is_given);
        if (r == 0)
                use(&a);
        if (r == SA_KEPT)
                REQUIRE(former.beacon->magic == SHM_BEACON_MAGIC && !a.map.header);
        got = dup(ends[0]);
        REQUIRE(got == lowest);
        close(got);
        return 0;
}
