/* SPDX-License-Identifier: MIT */
/*
 * See fdstore.h.
 */
#include "daemon/spanallocd/fdstore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/files.h"
#include "daemon/spanallocd/notify.h"

/* ---------------------------------------------------------------------------------------------------- sending -- */

static int put(void *userdata, const char *name, int fd) {
        const struct fdstore *fdstore = userdata;
        char text[128];

        /* A pidfd hangs up when its process is gone, and would leave the store by that. */
        snprintf(text, sizeof text, "FDSTORE=1\nFDNAME=%s\nFDPOLL=0", name);
        return notify_send(fdstore->notify_fd, text, fd);
}

/* Lost where the manager does not read: then a successor finds what it does not need, and says so. */
static void drop(void *userdata, const char *name) {
        const struct fdstore *fdstore = userdata;
        char text[128];

        snprintf(text, sizeof text, "FDSTOREREMOVE=1\nFDNAME=%s", name);
        (void)notify_send(fdstore->notify_fd, text, -1);
}

/* The manager closes the end that it is sent once it has come to it. */
static int barrier(void *userdata) {
        const struct fdstore *fdstore = userdata;
        int ends[2], r;

        if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        r = notify_send(fdstore->notify_fd, "BARRIER=1", ends[1]);
        close(ends[1]);
        if (r < 0) {
                close(ends[0]);
                return r;
        }
        return ends[0];
}

/* -------------------------------------------------------------------------------------------------- receiving -- */

static bool is_ours(const char *name) {
        static const char *const kinds[] = {"collector", "beacon", "books.", "segment.", "pid."};

        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
                if (!strncmp(name, kinds[i], strlen(kinds[i])))
                        return true;
        return false;
}

static int take_listen_fds(struct fdstore *fdstore) {
        int n = sd_listen_fds_with_names(1, &fdstore->names);

        if (n <= 0)
                return n;
        fdstore->gifts = calloc((size_t)n, sizeof *fdstore->gifts);
        fdstore->sockets = calloc((size_t)n, sizeof *fdstore->sockets);
        if (!fdstore->gifts || !fdstore->sockets)
                return -ENOMEM;
        for (int i = 0; i < n; i++) {
                int fd = SD_LISTEN_FDS_START + i;

                if (is_ours(fdstore->names[i]))
                        fdstore->gifts[fdstore->gift_count++] = (struct handover_gift){fdstore->names[i], fd, true};
                else
                        fdstore->sockets[fdstore->socket_count++] = fd;
        }
        return 0;
}

static uint32_t capacity(uint32_t max) {
        const char *text = getenv("FDSTORE");
        unsigned long n = max;

        if (!max && text)
                n = strtoul(text, NULL, 10);
        unsetenv("FDSTORE");
        return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

int fdstore_init(struct fdstore *ret, uint32_t max) {
        uint32_t n = capacity(max);
        int r;

        *ret = (struct fdstore){.notify_fd = -1};
        r = take_listen_fds(ret);
        if (r < 0) {
                fdstore_deinit(ret);
                return r;
        }
        ret->notify_fd = n ? notify_open() : -1;
        ret->store = (struct handover_store){put, drop, barrier, ret, n};
        return 0;
}

const struct handover_store *fdstore_store(const struct fdstore *fdstore) {
        return fdstore->notify_fd >= 0 ? &fdstore->store : NULL;
}

void fdstore_deinit(struct fdstore *fdstore) {
        for (size_t i = 0; i < fdstore->gift_count; i++)
                close_fd(fdstore->gifts[i].fd);
        for (size_t i = 0; fdstore->names && fdstore->names[i]; i++)
                free(fdstore->names[i]);
        free(fdstore->names);
        free(fdstore->gifts);
        free(fdstore->sockets);
        close_fd(fdstore->notify_fd);
        *fdstore = (struct fdstore){.notify_fd = -1};
}
