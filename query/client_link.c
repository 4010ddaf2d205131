/* SPDX-License-Identifier: MIT */
/*
 * The bytes of a connection.  Waiting for the socket is in client_socket.c, what a message says in client.c.
 */
#include "query/client_link.h"

#include <errno.h>
#include <sys/socket.h>

#include "base/files.h"

#define READ_BYTES ((size_t)64 << 10)

void client_link_init(struct client_link *link) {
        *link = (struct client_link){
                .fd = -1,
                .out = WIRE_BUFFER_INIT(WIRE_REQUEST_MAX + WIRE_HEADER),
                .in = WIRE_BUFFER_INIT(WIRE_ANSWER_MAX + WIRE_HEADER + READ_BYTES),
        };
}

void client_link_deinit(struct client_link *link) {
        close_fd(link->fd);
        wire_buffer_deinit(&link->out);
        wire_buffer_deinit(&link->in);
}

void client_link_begin(struct client_link *link) {
        wire_buffer_consume(&link->out, link->out.size);
        link->sent = 0;
}

bool client_link_has_unsent(const struct client_link *link) {
        return link->fd >= 0 && link->sent < link->out.size;
}

int client_link_send(struct client_link *link) {
        while (client_link_has_unsent(link)) {
                ssize_t n = send(link->fd, (const char *)link->out.data + link->sent, link->out.size - link->sent,
                                 MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n >= 0)
                        link->sent += (size_t)n;
                else if (errno == EAGAIN)
                        return 0;
                else if (errno != EINTR)
                        return -errno;
        }
        return 0;
}

static int take_message(struct client_link *link, const void **ret_message, size_t *ret_size) {
        int r = link->in.size == 0 ? 0
                                   : wire_frame(link->in.data + link->taken, link->in.size - link->taken,
                                                WIRE_ANSWER_MAX, ret_message, ret_size);

        if (r > 0)
                link->taken += WIRE_HEADER + *ret_size;
        return r;
}

int client_link_read(struct client_link *link, const void **ret_message, size_t *ret_size) {
        int r = take_message(link, ret_message, ret_size);
        ssize_t n;
        void *to;

        if (r != 0)
                return r;
        if (link->fd < 0)
                return -EBADMSG;
        wire_buffer_consume(&link->in, link->taken);
        link->taken = 0;
        to = wire_buffer_reserve(&link->in, READ_BYTES);
        if (!to)
                return link->in.error;
        n = recv(link->fd, to, READ_BYTES, MSG_DONTWAIT);
        if (n == 0)
                return -ECONNRESET;
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? 0 : -errno;
        link->in.size += (size_t)n;
        return take_message(link, ret_message, ret_size);
}
