/* SPDX-License-Identifier: MIT */
/*
 * Asking a collector: over its query socket, or one that lives in this very process (`run`).
 *
 * What lives here: finding the socket, hello, requests and their answers as tables, events, and sentences for what
 * goes wrong.  What does not: verbs, printing.
 *
 * Threads: one.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "query/table.h"

struct client;

/* What went wrong, ready to be printed after the program's name: one sentence that says what to do. */
struct client_error {
        int code;      /* positive errno */
        int exit_code; /* 1 failure, 2 usage, 3 collector unreachable, 4 not found */
        char text[640];
};

enum client_scope { CLIENT_ANY, CLIENT_USER, CLIENT_SYSTEM };

struct client_options {
        const char *socket; /* a path, before all else; NULL: none given */
        enum client_scope scope;
        int timeout_ms; /* for each answer; 0: 10 seconds */
};

/* Connects and says hello.  NULL options: the defaults.  Returns 0 or -errno with *ret_error filled. */
int client_new(struct client **ret, const struct client_options *options, struct client_error *ret_error);
/* Answers one request in this process: `message` without its length in, the framed answer appended to `out`.  0 or -errno. */
typedef int (*client_answer_fn)(void *userdata, const void *message, size_t size, struct wire_buffer *out);
/* A client without a socket: each request goes to `answer`.  `userdata` is borrowed and must outlive the client. */
int client_new_local(struct client **ret, client_answer_fn answer, void *userdata);
struct client *client_free(struct client *client);

/* The path that was or would be connected to. */
const char *client_path(const struct client *client);
/* Version text of the other side. */
const char *client_peer_version(const struct client *client);
/* The socket, for poll(2); -1 when local. */
int client_fd(const struct client *client);

/* What is asked for; zero and NULL members are not sent.  A method gets only those it knows (docs/query-protocol.md);
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

/* `spans`, `tree`, `ps`: a table.  `status`, `reset`, `timing`: a table of one row.  NULL params: none.  Returns 0 or -errno
 * with *ret_error filled. */
int client_call(struct client *client, const char *method, const struct client_params *params, struct table **ret,
                struct client_error *ret_error);

/* The same without a table: *ret_result stands before the result, good until the next call. */
int client_call_raw(struct client *client, const char *method, const struct client_params *params,
                    struct wire_cursor *ret_result, struct client_error *ret_error);
/* What was read there is not of the form that it should have. */
int client_fail_form(const struct client *client, struct client_error *ret_error);

/* Asks for events.  From then on only client_next. */
int client_follow(struct client *client, const struct client_params *params, struct client_error *ret_error);

enum client_event {
        CLIENT_TIMEOUT = 0, /* nothing came */
        CLIENT_SPAN = 1,    /* *ret_table: one row with the follow columns, to be freed */
        CLIENT_MARKER = 2,  /* *ret_marker */
};
struct client_marker {
        char reason[64];
        uint64_t dropped;
};
/* Waits up to timeout_ms (-1: for ever, 0: not at all) for one event.  A client_event, or -errno with *ret_error filled;
 * -EINTR without a sentence when a signal came. */
int client_next(struct client *client, int timeout_ms, struct table **ret_table, struct client_marker *ret_marker,
                struct client_error *ret_error);
