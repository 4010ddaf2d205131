/* SPDX-License-Identifier: MIT */
/*
 * The service manager's store of descriptors (systemd's FileDescriptorStoreMax=), and the descriptors it passed at the
 * start.
 *
 * What lives here: sd_notify's datagrams for it, sent without ever waiting, and the descriptors of LISTEN_FDS sorted into
 * sockets and gifts.  What does not: what is kept there, and when (daemon/collector/handover.h).
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/handover.h"

struct fdstore {
        int notify_fd; /* connected to $NOTIFY_SOCKET; -1: no manager */
        struct handover_store store;
        struct handover_gift *gifts;
        size_t gift_count;
        int *sockets; /* the descriptors without a name of ours; the caller's */
        size_t socket_count;
        char **names;
};

/* Takes what the manager handed over.  `max`: how many descriptors it keeps; 0: what $FDSTORE says.  0 or -errno. */
int fdstore_init(struct fdstore *ret, uint32_t max);
/* Closes the descriptors that no module took. */
void fdstore_deinit(struct fdstore *fdstore);
/* NULL: there is no store. */
const struct handover_store *fdstore_store(const struct fdstore *fdstore);
