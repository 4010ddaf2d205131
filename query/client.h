/* SPDX-License-Identifier: MIT */
/*
 * Asking a collector: over its query socket, or one in the same process (`spanallocctl run`).
 *
 * What lives here: finding the socket, hello, requests, their answers as tables, events, and a sentence for each error.  What
 * does not: what a program does with a table (table.h) or about an error.  The library neither prints nor exits, installs no
 * signal handler, and keeps no state outside of its objects.
 *
 * Returns: 0, -errno, or a positive outcome that is named.  After an error the ret_ arguments are as they were, but for
 * *ret_error, which is filled.  Arguments are borrowed for the call, unless another lifetime is named.
 *
 * Threads: a client belongs to one thread at a time; two clients share nothing.  No call is safe in a signal handler.
 * SIGPIPE is not raised.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "query/table.h"

struct client;

/* What a program may do about an error. */
enum client_error_kind {
        CLIENT_ERROR_FAILED,  /* no memory, or the collector could not: the same request may succeed later */
        CLIENT_ERROR_REFUSED, /* the request is wrong: the same one fails again */
        CLIENT_ERROR_UNREACHABLE, /* no collector, no permission, another version, or the connection ended: free the client */
        CLIENT_ERROR_NOT_FOUND, /* what was asked about is not there */
};

struct client_error {
        int code; /* positive errno */
        enum client_error_kind kind;
        char text[640]; /* one line without a full stop: what happened; what to do */
};

/* Which collector: this user's if it answers, else the system's; or only one of them. */
enum client_scope { CLIENT_ANY, CLIENT_USER, CLIENT_SYSTEM };

struct client_options {
        const char *
                socket; /* of a query.sock, or its directory; NULL: by scope, and by $SPANALLOC_SOCKET with CLIENT_ANY */
        enum client_scope scope;
        int timeout_ms;      /* for each answer; 0: 10 seconds */
        const char *program; /* name and version, for the collector; NULL: "client" */
};

/* Connects, says hello and waits for the answer.  NULL options: the defaults.  0 or -errno; *ret is to be freed with
 * client_free(). */
int client_new(struct client **ret, const struct client_options *options, struct client_error *ret_error);

/* Answers one request in this process: `message` without its length in, the framed answer appended to `out`.  0 or -errno. */
typedef int (*client_answer_fn)(void *userdata, const void *message, size_t size, struct wire_buffer *out);
/* A client without a socket: each request goes to `answer`, in the thread that asks.  `userdata` is borrowed and must outlive
 * the client.  0 or -ENOMEM. */
int client_new_local(struct client **ret, client_answer_fn answer, void *userdata);

/* Closes the connection.  Takes NULL; returns NULL.  Tables that it gave stay. */
struct client *client_free(struct client *client);

/* The path that is connected to; "" when local.  Good as long as the client. */
const char *client_path(const struct client *client);
/* The version of the collector, as text without control characters.  Good as long as the client. */
const char *client_peer_version(const struct client *client);
/* The socket, for poll(2) before client_next(); owned by the client.  -1 when local. */
int client_fd(const struct client *client);

/* The parameters of a query; zero and NULL members are not sent.  Each method takes only some (docs/query-protocol.md);
 * any other that is set is answered with an error. */
struct client_params {
        uint64_t process;
        pid_t pid;
        const char *unit, *span, *filter, *sort;
        uint64_t limit, since_ns;
        const char *columns;          /* names with commas between; NULL: those that are always sent */
        const bool *on;               /* of `timing`; NULL: not given */
        const uint64_t *since_answer; /* likewise, of `spans` */
};

/* Asks and waits for the answer.  `spans`, `tree`, `ps`: a table.  `status`, `reset`, `timing`: a table of one row.  NULL params:
 * none.  0 or -errno; *ret is to be freed with table_free(). */
int client_call(struct client *client, const char *method, const struct client_params *params, struct table **ret,
                struct client_error *ret_error);

/* The same without waiting, for a program with a loop of its own.  One request at a time:
 *
 *         client_ask()               queues the request; so does client_start(), whose request is hello
 *         client_progress()          whenever poll(2) says so of client_fd() and client_events(), until CLIENT_ANSWERED
 *         client_take(), client_take_raw(); after client_start() client_take_hello()
 *
 * There is no deadline.  After an error of kind CLIENT_ERROR_UNREACHABLE only client_free() is left. */
int client_start(struct client **ret, const struct client_options *options, struct client_error *ret_error);
/* `method` is borrowed until the answer is taken. */
int client_ask(struct client *client, const char *method, const struct client_params *params,
               struct client_error *ret_error);
enum client_progress { CLIENT_PENDING = 0, CLIENT_ANSWERED = 1 };
/* Sends what the socket takes, and reads once.  A client_progress, or -errno. */
int client_progress(struct client *client, struct client_error *ret_error);
short client_events(const struct client *client);
/* Waits for the answer, up to the timeout of the options.  0 or -errno. */
int client_wait(struct client *client, struct client_error *ret_error);

/* As client_call() gives it. */
int client_take(struct client *client, struct table **ret, struct client_error *ret_error);
/* Without a table: *ret_result stands before the result, and is good until the next request. */
int client_take_raw(struct client *client, struct wire_cursor *ret_result, struct client_error *ret_error);
int client_take_hello(struct client *client, struct client_error *ret_error);
/* Fills in the error for a malformed result.  Returns -EBADMSG. */
int client_fail_form(const struct client *client, struct client_error *ret_error);

/* Asks for events.  From then on only client_next(), client_fd() and client_free().  0 or -errno; -EOPNOTSUPP when local. */
int client_follow(struct client *client, const struct client_params *params, struct client_error *ret_error);

enum client_event {
        CLIENT_TIMEOUT = 0, /* nothing came */
        CLIENT_SPAN = 1,    /* *ret_table: one row with the follow columns, to be freed with table_free() */
        CLIENT_MARKER = 2,  /* *ret_marker */
};
struct client_marker {
        char reason[64];
        uint64_t dropped;
};
/* Waits up to timeout_ms (-1: for ever, 0: not at all) for one event.  A client_event, or -errno; -EINTR, with *ret_error as it
 * was, when a signal came. */
int client_next(struct client *client, int timeout_ms, struct table **ret_table, struct client_marker *ret_marker,
                struct client_error *ret_error);
