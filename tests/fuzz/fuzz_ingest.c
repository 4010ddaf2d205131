/* SPDX-License-Identifier: MIT */
/*
 * Untrusted processes at the ingest socket: connections that send nothing, junk, half a hello, an exec notice or a good
 * hello, with descriptors and without, read the answer or not, and end at any moment.
 *
 * A real collector with a real socket; ingest.c is compiled into this file, so that its turns run one by one.  For
 * every input: no crash, no descriptor sent with a message is kept, every guest is removed after its time, each answer
 * is well formed, and the collector has as many descriptors as before once its processes are forgotten.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "daemon/collector/ingest.c"
#include "daemon/processes/housekeeping.h"
#include "daemon/processes/process_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)                                                                                             \
        do {                                                                                                           \
                if (!(condition)) {                                                                                    \
                        fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
                        abort();                                                                                       \
                }                                                                                                      \
        } while (0)

enum { DESCRIPTORS_MAX = 253, PEERS = 4 };

struct input {
        const uint8_t *data;
        size_t size;
};

static struct reactor *reactor;
static struct collector *collector;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_size;
static int descriptors[DESCRIPTORS_MAX], silent;
static int peers[PEERS], listen_fd;
static bool may_attach;

static uint64_t take(struct input *input, size_t width) {
        uint64_t value = 0;

        for (size_t i = 0; i < width && input->size; i++, input->data++, input->size--)
                value |= (uint64_t)*input->data << 8 * i;
        return value;
}

static void make_scene(void) {
        struct collector_options options = collector_options_default;
        int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), pipe_fds[2];

        options.wish = (struct shm_wish){16, 16, 8, 4, 256, 4};
        options.keep_max = 4;
        options.eager = true;
        address_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
                                   (size_t)snprintf(address.sun_path + 1, sizeof address.sun_path - 1,
                                                    "spanalloc-fuzz-%d", (int)getpid()));
        REQUIRE(fd >= 0 && bind(fd, (struct sockaddr *)&address, address_size) == 0 && listen(fd, 64) == 0);
        REQUIRE(reactor_new(&reactor, REACTOR_POLL) == 0);
        REQUIRE(collector_new(&collector, reactor, &options) == 0);
        REQUIRE(collector_listen(collector, fd) == 0);
        listen_fd = fd;
        REQUIRE(pipe2(pipe_fds, O_CLOEXEC) == 0);
        descriptors[0] = pipe_fds[0];
        descriptors[1] = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        descriptors[2] = memfd_create("sealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        REQUIRE(fcntl(descriptors[2], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0);
        descriptors[3] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        descriptors[4] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        for (int i = 5; i < DESCRIPTORS_MAX; i++)
                descriptors[i] = descriptors[i % 5];
        for (int i = 0; i < PEERS; i++)
                peers[i] = -1;
        /* Lines about strangers are not what is looked for here. */
        silent = open("/dev/null", O_WRONLY | O_CLOEXEC);
        log_open(LOG_LEVEL_ERROR);
}

/* ------------------------------------------------------------------------------------------------------ a stranger -- */

static void arrive(struct input *input) {
        int *peer = &peers[take(input, 1) % PEERS];

        if (*peer >= 0)
                return;
        *peer = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        REQUIRE(*peer >= 0);
        if (connect(*peer, (struct sockaddr *)&address, address_size) < 0) {
                close(*peer);
                *peer = -1;
        }
}

static void leave(struct input *input) {
        int *peer = &peers[take(input, 1) % PEERS];

        if (*peer >= 0)
                close(*peer);
        *peer = -1;
}

static void make_hello(struct shm_hello *hello, struct input *input) {
        unsigned how = (unsigned)take(input, 1);

        *hello = (struct shm_hello){.magic = SHM_HELLO_MAGIC, .version = SHM_VERSION};
        hello->kind = how % 64 == 0 && may_attach ? SHM_HELLO_ATTACH
                      : how % 4 == 1              ? SHM_HELLO_EXEC
                                                  : (uint32_t)take(input, 1);
        if (hello->kind == SHM_HELLO_EXEC) {
                hello->pid = how & 0x80 ? (int32_t)take(input, 4) : 0;
                for (size_t n = take(input, 2) % (sizeof hello->path + 1), i = 0; i < n; i++)
                        hello->path[i] = (char)take(input, 1);
        } else {
                hello->ring_kib = (uint32_t)take(input, 4);
                hello->counting = (uint32_t)take(input, 1);
        }
        hello->flags = (uint32_t)take(input, 1);
        for (unsigned n = (unsigned)take(input, 1) / 64; n; n--) {
                size_t at = take(input, 1);

                ((uint8_t *)hello)[at] ^= (uint8_t)take(input, 1);
        }
}

static void speak(struct input *input) {
        static const unsigned counts[] = {0, 0, 0, 1, 2, 3, 64, DESCRIPTORS_MAX};
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
        } control = {0};
        union {
                struct shm_hello hello;
                uint8_t bytes[512];
        } said = {.bytes = {0}};
        struct iovec iov = {&said, sizeof said.hello};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
        int peer = peers[take(input, 1) % PEERS];
        unsigned how = (unsigned)take(input, 1), count = counts[how % 8];

        make_hello(&said.hello, input);
        if (how >= 224)
                iov.iov_len = take(input, 2) % sizeof said;
        if (count) {
                message.msg_control = &control;
                message.msg_controllen = CMSG_SPACE(count * sizeof(int));
                CMSG_FIRSTHDR(&message)->cmsg_level = SOL_SOCKET;
                CMSG_FIRSTHDR(&message)->cmsg_type = SCM_RIGHTS;
                CMSG_FIRSTHDR(&message)->cmsg_len = CMSG_LEN(count * sizeof(int));
                memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), descriptors, count * sizeof(int));
        }
        if (peer >= 0)
                (void)sendmsg(peer, &message, MSG_NOSIGNAL);
}

static void listen_to_answer(struct input *input) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(4 * sizeof(int))];
        } control;
        struct shm_welcome welcome;
        struct iovec iov = {&welcome, sizeof welcome};
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
        int peer = peers[take(input, 1) % PEERS], fds[2];
        struct cmsghdr *header;
        struct stat st;
        ssize_t n = peer < 0 ? 0 : recvmsg(peer, &message, MSG_CMSG_CLOEXEC);

        if (n <= 0)
                return;
        REQUIRE(n == sizeof welcome && welcome.magic == SHM_WELCOME_MAGIC && welcome.version == SHM_VERSION);
        REQUIRE(welcome.error >= 0);
        header = CMSG_FIRSTHDR(&message);
        REQUIRE((welcome.error == 0) == (header != NULL));
        if (!header)
                return;
        REQUIRE(header->cmsg_len == CMSG_LEN(sizeof fds));
        memcpy(fds, CMSG_DATA(header), sizeof fds);
        REQUIRE(fstat(fds[0], &st) == 0 && (uint64_t)st.st_size == welcome.segment_size);
        close(fds[0]);
        close(fds[1]);
}

/* --------------------------------------------------------------------------------------------- the collector's turns -- */

static void door(struct input *input) {
        int fd;

        while ((fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0)
                admit(collector->ingests, fd);
}

static void turn(struct input *input) {
        unsigned nth = (unsigned)take(input, 1) % (PEERS + 1);
        struct guest *guest = collector->ingests->guests.first;

        while (guest && nth--)
                guest = guest->next;
        if (guest)
                on_guest(guest, guest->fd, take(input, 1) & 1 ? REACTOR_HUP | REACTOR_IN : REACTOR_IN);
}

static void time_passes(struct input *input) {
        on_timer(collector->ingests, reactor_now(reactor) + take(input, 1) * (GUEST_NS / 128));
}

static void forget_all(void) {
        struct processes *processes = collector->processes;

        processes_forget(processes, UINT64_MAX / 2);
        for (size_t i = 0; i < processes->count; i++)
                process_end(processes->rows[i], PROCESS_EXITED, 0);
        while (processes->count) {
                struct process *process = processes->rows[processes->count - 1];

                processes_remove(process);
                process_free(process);
        }
        processes->stats.ended = 0;
        (void)announced_free(processes->announced);
        REQUIRE(announced_new(&processes->announced, processes) == 0);
}

static bool is_divisible(const uint8_t *data, size_t size) {
        unsigned sum = 0;

        while (size--)
                sum += data[size];
        return sum % 8 == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static void (*const steps[])(struct input *) = {arrive,           speak, door,       turn, speak,
                                                        listen_to_answer, leave, time_passes};
        struct input input = {data, size};
        int lowest;

        if (!collector)
                make_scene();
        /* To attach costs so much more than all else that one input in eight is let do it. */
        may_attach = is_divisible(data, size);
        lowest = dup(silent);
        close(lowest);
        for (unsigned n = 0; input.size && n < 24; n++)
                steps[take(&input, 1) % (sizeof steps / sizeof *steps)](&input);
        door(&input);
        for (int i = 0; i < PEERS; i++) {
                if (peers[i] >= 0)
                        close(peers[i]);
                peers[i] = -1;
        }
        on_timer(collector->ingests, UINT64_MAX / 2);
        door(&input);
        on_timer(collector->ingests, UINT64_MAX / 2);
        REQUIRE(!collector->ingests->guests.first && collector->ingests->guests.count == 0);
        if (collector->processes->count || !announced_is_empty(collector->processes->announced))
                forget_all();
        REQUIRE(collector->processes->stats.live == 0);
        for (int fd = lowest, got = dup(silent); got >= 0; got = -1) {
                close(got);
                REQUIRE(got == fd);
        }
        return 0;
}
