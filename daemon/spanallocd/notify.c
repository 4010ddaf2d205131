/* SPDX-License-Identifier: MIT */
/*
 * Datagrams are sent without sd_notify(3), which waits for a manager that does not read: a stopped manager must not
 * stop the programs that this daemon serves.
 */
#include "daemon/spanallocd/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int notify_open(void) {
        const char *path = getenv("NOTIFY_SOCKET");
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        size_t length = path ? strlen(path) : 0;
        int fd, r;

        if ((length == 0 || (path[0] != '/' && path[0] != '@')) || length >= sizeof address.sun_path)
                return -ENOENT;
        memcpy(address.sun_path, path, length);
        if (path[0] == '@')
                address.sun_path[0] = 0;
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return -errno;
        if (connect(fd, (struct sockaddr *)&address,
                    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] == '/'))) < 0) {
                r = -errno;
                close(fd);
                return r;
        }
        return fd;
}

int notify_send(int notify_fd, const char *text, int fd) {
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = {0};
        struct iovec iov = {(void *)text, strlen(text)};
        struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
        struct cmsghdr *header;

        if (fd >= 0) {
                message.msg_control = &control;
                message.msg_controllen = sizeof control;
                header = CMSG_FIRSTHDR(&message);
                header->cmsg_level = SOL_SOCKET;
                header->cmsg_type = SCM_RIGHTS;
                header->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(header), &fd, sizeof fd);
        }
        return sendmsg(notify_fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}
