/* SPDX-License-Identifier: MIT */
/*
 * The query socket: connections, frames, and how much of us one of them may take.
 *
 * What lives here: accepting, reading, writing, limits (docs/query-protocol.md).  What does not: what is answered
 * (query.h).
 */
#pragma once

#include "daemon/loop/reactor.h"
#include "daemon/query/query.h"

struct query_server;

struct query_server_limits {
        unsigned connections, connections_uid; /* in all, and of one user */
};
extern const struct query_server_limits query_server_limits_default;

/* Serves a listening stream socket; the descriptor is consumed.  Root, our own user and the members of the group that
 * the socket's file belongs to see all processes, others their own. */
int query_server_new(struct query_server **ret, struct reactor *reactor, struct query *query, int listen_fd,
                     struct query_server_limits limits);
/* For connections from now on. */
void query_server_set_limits(struct query_server *server, struct query_server_limits limits);
struct query_server *query_server_free(struct query_server *server);
