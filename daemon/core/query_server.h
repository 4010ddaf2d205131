/*
 * The query socket: connections, frames, and how much of us one of them may take.
 *
 * What lives here: accepting, reading, writing, limits (docs/query-protocol.md).  What does not: what is answered
 * (query.h).
 */
#pragma once

#include "daemon/core/query.h"
#include "daemon/core/reactor.h"

struct query_server;

/* Serves a listening stream socket; the descriptor is consumed.  Root, our own user and the members of the group that
 * the socket's file belongs to see all processes, others their own. */
int query_server_new(struct query_server **ret, struct reactor *reactor, struct query *query, int listen_fd);
struct query_server *query_server_free(struct query_server *server);
