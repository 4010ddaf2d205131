/* SPDX-License-Identifier: MIT */
/*
 * Answers: from a request's bytes to an answer's bytes, over the collector's rows.
 *
 * What lives here: the methods of docs/query-protocol.md, filters, sorting, limits, followers.  What does not: sockets
 * (query_server.h) and framing (daemon/wire/wire.h).  `spanallocctl run` calls query_answer without a socket, so that
 * a report is made of exactly what a daemon would have answered.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/collector/collector.h"

struct query;
struct wire_buffer; /* daemon/wire/wire.h */

int query_new(struct query **ret, struct collector *collector);
struct query *query_free(struct query *query);

/* The user at the other end of a connection.  Root and the group see all processes, other users their own. */
struct query_peer {
        uid_t uid;
        int sees_all;
        int greeted; /* the caller sets it after QUERY_GREETED; while it is 0, query_answer() refuses all methods but hello */
};

enum query_outcome {
        QUERY_ANSWERED = 0,   /* one framed answer was appended */
        QUERY_FOLLOWS = 1,    /* likewise, and the peer is to get events: query_follow_add */
        QUERY_GREETED = 2,    /* likewise, and the peer has said a hello that suits */
        QUERY_UNFINISHED = 3, /* a part was appended: call it again in the next turn, with the same arguments */
        QUERY_BUSY = 4,       /* nothing was done: another owner's answer is unfinished */
};

/* `message`: one whole msgpack object, already scanned (wire_scan).  Appends a framed answer or error to `out`.
 * Returns a query_outcome, or -EPROTO when the connection is to be closed, or -ENOMEM. */
int query_answer(struct query *query, const struct query_peer *peer, const void *message, size_t size,
                 struct wire_buffer *out);
/* The same in slices of a turn, for `owner`. */
int query_answer_some(struct query *query, const void *owner, const struct query_peer *peer, const void *message,
                      size_t size, struct wire_buffer *out);
/* Drops the unfinished answer of `owner`.  The caller drops the part of it that is in `out`. */
void query_cancel(struct query *query, const void *owner);

/* Memory for answers, kept from one answer to the next while a client is connected.  query_lend() gives it to `out` if that has
 * none; query_take_back() takes it from a buffer that was sent. */
void query_lend(struct query *query, struct wire_buffer *out);
void query_take_back(struct query *query, struct wire_buffer *out);
void query_release(struct query *query);

/* Counts a connection or message that was refused before it came here. */
void query_count_error(struct query *query);
/* Counts what a user's limit put off or refused. */
void query_count_limited(struct query *query);

/* ------------------------------------------------------------------------------------------------ followers -- */

#define QUERY_FOLLOWERS_MAX 64u

struct query_follower;

/* Takes one framed notification, whole or not at all.  0, or -errno when there is no room: the event is dropped and
 * counted, and the follower gets a marker before its next event.  It may remove its own follower, and no other. */
typedef int (*query_sink_fn)(void *userdata, const void *frame, size_t size);

/* After QUERY_FOLLOWS, with the same peer and message: from now on `fn` gets the events.  -EUSERS: too many. */
int query_follow_add(struct query *query, struct query_follower **ret, const struct query_peer *peer,
                     const void *message, size_t size, query_sink_fn fn, void *userdata);
struct query_follower *query_follow_remove(struct query_follower *follower);
/* The sink has room again: a marker that is owed goes out now, even when no event follows. */
void query_follow_resume(struct query_follower *follower);
