/* SPDX-License-Identifier: MIT */
/*
 * The runtime directory and the two sockets in it: made here, or handed over by systemd.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "daemon/spanallocd/config.h"

struct sockets {
        char dir[4096];
        int ingest_fd, query_fd;    /* the caller's; -1: none */
        bool own_ingest, own_query; /* made here: removed at the end */
};

/* `fds`: what systemd handed over (consumed).  0, or -errno after telling on stderr or the journal what is wrong and what
 * to do. */
int sockets_open(struct sockets *ret, const struct config *config, const int *fds, size_t count);
/* Removes what was made here.  The descriptors are not touched. */
void sockets_unlink(const struct sockets *sockets);
