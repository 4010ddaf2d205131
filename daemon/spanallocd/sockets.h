/* SPDX-License-Identifier: MIT */
/*
 * The runtime directory and the two sockets in it: made here, or handed over by systemd.
 */
#pragma once

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

#include "daemon/spanallocd/config.h"

/* A socket's file that this process made; inode 0: it did not. */
struct socket_file {
        dev_t device;
        ino_t inode;
};

struct sockets {
        char dir[4096];
        int ingest_fd, query_fd; /* the caller's; -1: none */
        struct socket_file own_ingest, own_query;
        int lock_fd; /* holds the lock of the directory until the process ends */
};

/* `fds`: descriptors from systemd (consumed).  0, or -errno after a line on stderr or in the journal that says what is
 * wrong and what to do. */
int sockets_open(struct sockets *ret, const struct config *config, const int *fds, size_t count);
/* Removes the files that sockets_open() made.  Leaves the descriptors alone. */
void sockets_unlink(const struct sockets *sockets);
