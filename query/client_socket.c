/* SPDX-License-Identifier: MIT */
/*
 * The client's socket: its path, the error text when no collector answers there, and waiting with a deadline.
 */
#include "query/client_socket.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "query/client_error.h"

uint64_t client_deadline(int timeout_ms) {
        return timeout_ms < 0 ? UINT64_MAX : clock_monotonic_ns() + (uint64_t)timeout_ms * NS_PER_MS;
}

int client_socket_wait(int fd, short events, uint64_t deadline, bool interruptible) {
        struct pollfd pollfd = {.fd = fd, .events = events};
        uint64_t now;
        int timeout, r;

        do {
                now = client_deadline(0);
                if (deadline == UINT64_MAX)
                        timeout = -1;
                else if (deadline <= now)
                        timeout = 0;
                else
                        timeout = (int)((deadline - now + NS_PER_MS - 1) / NS_PER_MS);

                r = poll(&pollfd, 1, timeout);
        } while (r < 0 && errno == EINTR && !interruptible);

        if (r < 0)
                return -errno;
        return r > 0 ? 0 : -ETIMEDOUT;
}

/* ------------------------------------------------------------------------------------------------ where it is -- */

static void user_path(char path[CLIENT_PATH_BYTES]) {
        const char *runtime = getenv("XDG_RUNTIME_DIR");

        if (runtime && runtime[0])
                snprintf(path, CLIENT_PATH_BYTES, "%s/spanalloc/query.sock", runtime);
        else
                snprintf(path, CLIENT_PATH_BYTES, "/run/user/%u/spanalloc/query.sock", (unsigned)getuid());
}

/* SPANALLOC_SOCKET names the socket that programs attach to; the one for questions lies beside it. */
static bool beside_ingest(char path[CLIENT_PATH_BYTES]) {
        const char *ingest = getenv("SPANALLOC_SOCKET");
        const char *slash;

        if (!ingest || !ingest[0])
                return false;

        slash = strrchr(ingest, '/');
        snprintf(path, CLIENT_PATH_BYTES, "%.*squery.sock", slash ? (int)(slash - ingest + 1) : 0, ingest);
        return true;
}

static void given_path(char path[CLIENT_PATH_BYTES], const char *given) {
        struct stat info;

        if (stat(given, &info) == 0 && S_ISDIR(info.st_mode))
                snprintf(path, CLIENT_PATH_BYTES, "%s/query.sock", given);
        else
                snprintf(path, CLIENT_PATH_BYTES, "%s", given);
}

static int open_path(int *ret_fd, const char *path, int timeout_ms) {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
        int fd, r;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, strlen(path) + 1);

        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (timeout_ms ? 0 : SOCK_NONBLOCK), 0);
        if (fd < 0)
                return -errno;

        /* A connect waits, as long as this says, while the collector's backlog is full. */
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
        do
                r = connect(fd, (struct sockaddr *)&address, sizeof(address));
        while (r < 0 && errno == EINTR);
        if (r < 0) {
                r = -errno;
                close(fd);
                return r;
        }

        *ret_fd = fd;
        return 0;
}

int client_socket_open(int *ret_fd, char ret_path[CLIENT_PATH_BYTES], const struct client_options *options,
                       int timeout_ms, struct client_error *ret_error) {
        char other[CLIENT_PATH_BYTES] = "";
        bool is_given = options->socket;
        int r;

        if (options->socket) {
                given_path(ret_path, options->socket);
        } else if (options->scope == CLIENT_USER) {
                user_path(ret_path);
        } else if (options->scope == CLIENT_ANY && beside_ingest(ret_path)) {
                is_given = true;
        } else {
                if (options->scope == CLIENT_ANY) {
                        user_path(other);
                        r = open_path(ret_fd, other, timeout_ms);
                        if (r != -ENOENT && r != -ENOTDIR && r != -ECONNREFUSED) {
                                memcpy(ret_path, other, sizeof(other));
                                return r < 0 ? client_fail_open(ret_error, r, ret_path, "", false) : 0;
                        }
                }
                snprintf(ret_path, CLIENT_PATH_BYTES, "%s", CLIENT_SYSTEM_PATH);
        }

        r = open_path(ret_fd, ret_path, timeout_ms);
        return r < 0 ? client_fail_open(ret_error, r, ret_path, other, is_given) : 0;
}
