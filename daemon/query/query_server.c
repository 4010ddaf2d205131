/* SPDX-License-Identifier: MIT */
/*
 * Connections to the query socket.
 *
 * A peer may send anything, in any portions, and stop reading at any point.  So: one request at a time and one in a
 * turn, none while an answer waits to be taken; a message is scanned before anything decodes it; what waits for a peer
 * is bounded for each and in all; and who takes nothing for half a minute is shown out.
 */
#include "daemon/query/query_server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/host/log.h"
#include "daemon/loop/listener.h"
#include "daemon/wire/wire.h"

#define FOLLOW_BYTES_MAX  ((size_t)1 << 20)
#define WAITING_BYTES_MAX ((size_t)256 << 20) /* answers that wait to be taken, over all connections */
#define READ_BYTES        16384u
#define TURNS             64u
#define TURN_SHARE        3         /* after a query of one user, its next one waits so many times as long */
#define TURN_FREE_NS      NS_PER_MS /* what takes no longer is free */
#define TAKE_NS           (30 * NS_PER_S)
#define LOOK_NS           (TAKE_NS / 8) /* between two looks at those that have output waiting */

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

struct connection {
        struct query_server *server;
        struct connection *prev, *next;
        struct reactor_watch *watch;
        int fd;
        pid_t pid;
        struct query_peer peer;
        struct wire_buffer in, out;
        size_t sent; /* of out: what the socket took */
        struct query_follower *follower;
        uint64_t moved_ns; /* when the peer last took something, or had nothing to take */
        bool ended;        /* it sends no more; what it asked for is still answered */
        bool waits;        /* for its user's turn */
        bool unfinished;   /* Its answer is in the making: `out` has a part of it. */
        bool is_queued;    /* Its request waits for the end of another one's answer. */
        uint64_t took_ns;  /* by that answer so far */
};

/* A user whose last answer took long, and the time of the next answer. */
struct turn {
        uid_t uid;
        uint64_t at_ns;
};

struct query_server {
        struct reactor *reactor;
        struct query *query;
        struct listener *listener;
        struct reactor_timer *slow_timer; /* the next look at those that have output waiting */
        gid_t gid;                        /* the group whose members see all; -1: none */
        struct query_server_limits limits;
        struct turn turns[TURNS];
        struct reactor_timer *turn_timer;
        struct reactor_timer *job_timer; /* the next slice of the unfinished answer */
        struct connection *connections;
        unsigned count;
};

const struct query_server_limits query_server_limits_default = {.connections = 64, .connections_uid = 16};

/* ------------------------------------------------------------------------------------------------------- turns -- */

/* The collector has one thread, and drains nothing while it answers.  So after an answer to a user who may not see all, that
 * user's next answer is delayed by three times the duration of the last one. */

static struct turn *find_turn(struct query_server *server, uid_t uid) {
        struct turn *found = &server->turns[0];

        for (unsigned i = 0; i < TURNS; i++) {
                if (server->turns[i].uid == uid && server->turns[i].at_ns)
                        return &server->turns[i];
                if (server->turns[i].at_ns < found->at_ns)
                        found = &server->turns[i];
        }
        return found;
}

/* The time from which the peer may be answered; 0: now. */
static uint64_t turn_of(struct query_server *server, const struct query_peer *peer) {
        const struct turn *turn = find_turn(server, peer->uid);

        return !peer->sees_all && turn->uid == peer->uid ? turn->at_ns : 0;
}

static void end_turn(struct query_server *server, const struct query_peer *peer, uint64_t took_ns) {
        uint64_t now_ns = clock_monotonic_ns();

        if (!peer->sees_all && took_ns > TURN_FREE_NS)
                *find_turn(server, peer->uid) = (struct turn){peer->uid, now_ns + TURN_SHARE * took_ns};
}

/* ------------------------------------------------------------------------------------------------ connections -- */

static void set_events(struct connection *connection);

/* The answer that was in the making is done, or given up. */
static void wake_queued(struct query_server *server) {
        for (struct connection *c = server->connections; c; c = c->next) {
                if (!c->is_queued)
                        continue;
                c->is_queued = false;
                set_events(c);
        }
}

static void connection_free(struct connection *connection) {
        struct query_server *server = connection->server;
        bool was_unfinished = connection->unfinished;

        query_cancel(server->query, connection);
        query_follow_remove(connection->follower);
        reactor_unwatch(connection->watch);
        if (connection->prev)
                connection->prev->next = connection->next;
        else
                server->connections = connection->next;
        if (connection->next)
                connection->next->prev = connection->prev;
        server->count--;
        close(connection->fd);
        wire_buffer_deinit(&connection->in);
        wire_buffer_deinit(&connection->out);
        free(connection);
        if (!server->count)
                query_release(server->query);
        if (was_unfinished)
                wake_queued(server);
}

/* It broke a rule. */
static void drop(struct connection *connection, const char *why) {
        struct log_peer peer = {.pid = connection->pid, .uid = connection->peer.uid, .reason = why};

        query_count_error(connection->server->query);
        log_event(LOG_QUERY_DROPPED, &peer, "closed the query connection of process %d: %s", (int)connection->pid, why);
        connection_free(connection);
}

static size_t waiting(const struct connection *connection) {
        return connection->unfinished ? 0 : connection->out.size - connection->sent;
}

static size_t waiting_in_all(const struct query_server *server) {
        size_t sum = 0;

        for (const struct connection *c = server->connections; c; c = c->next)
                sum += c->out.size;
        return sum;
}

static bool has_frame(const struct connection *connection) {
        const void *message;
        size_t size;

        return wire_frame(connection->in.data, connection->in.size, WIRE_REQUEST_MAX, &message, &size) != 0;
}

/* What to be told of next: room while an answer waits or a request is at hand, else bytes. */
static void set_events(struct connection *connection) {
        bool output = waiting(connection) || (!connection->follower && has_frame(connection));
        unsigned events = output ? REACTOR_OUT : REACTOR_IN;

        if (connection->waits || connection->is_queued)
                events = waiting(connection) ? REACTOR_OUT : 0;
        /* It goes on by a timer: whether the peer has room for more is not to decide how long others wait. */
        if (connection->unfinished) {
                events = 0;
                reactor_timer_set(connection->server->job_timer, reactor_now(connection->server->reactor));
        }
        if (connection->follower && !connection->ended)
                events |= REACTOR_IN; /* to learn that it left */
        reactor_watch_set(connection->watch, events);
        if (waiting(connection) && !connection->follower)
                reactor_timer_bring_forward(connection->server->slow_timer,
                                            reactor_now(connection->server->reactor) + LOOK_NS);
}

/* Writes what waits.  0: go on, also when some still waits; -errno: the peer is gone. */
static int flush(struct connection *connection) {
        ssize_t n;

        if (connection->unfinished)
                return 0;
        while (waiting(connection)) {
                n = send(connection->fd, connection->out.data + connection->sent, waiting(connection),
                         MSG_NOSIGNAL | MSG_DONTWAIT);
                if (n < 0 && errno == EAGAIN)
                        return 0;
                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n > 0) {
                        connection->sent += (size_t)n;
                        connection->moved_ns = reactor_now(connection->server->reactor);
                }
                /* A follower's buffer may never be empty: its front is given back once it is most of it. */
                if (connection->follower && connection->sent > FOLLOW_BYTES_MAX / 2) {
                        wire_buffer_consume(&connection->out, connection->sent);
                        connection->sent = 0;
                }
        }
        query_take_back(connection->server->query, &connection->out);
        connection->sent = 0;
        return 0;
}

static int on_follow(void *userdata, const void *frame, size_t size) {
        struct connection *connection = userdata;
        int r;

        if (waiting(connection) + size > FOLLOW_BYTES_MAX)
                return -ENOBUFS;
        r = wire_buffer_append(&connection->out, frame, size);
        if (r == 0)
                reactor_watch_set(connection->watch, REACTOR_IN | REACTOR_OUT);
        return r;
}

/* The time of the first turn that a connection waits for; 0: none waits. */
static uint64_t next_turn(struct query_server *server) {
        uint64_t next_ns = 0, at_ns;

        for (const struct connection *c = server->connections; c; c = c->next) {
                at_ns = c->waits ? turn_of(server, &c->peer) + 1 : 0;
                if (at_ns && (!next_ns || at_ns < next_ns))
                        next_ns = at_ns;
        }
        return next_ns;
}

/* --------------------------------------------------------------------------------------------------- requests -- */

static int answer(struct connection *connection, const void *message, size_t size) {
        struct query_server *server = connection->server;
        size_t all = waiting_in_all(server), room = all < WAITING_BYTES_MAX ? WAITING_BYTES_MAX - all : 0;
        size_t limit = WIRE_ANSWER_MAX + WIRE_HEADER;
        int r;

        if (!connection->unfinished) {
                /* Never so little that an error could not be told. */
                connection->out.limit = room < limit ? room + FOLLOW_BYTES_MAX : limit;
                query_lend(server->query, &connection->out);
        }
        r = query_answer_some(server->query, connection, &connection->peer, message, size, &connection->out);
        connection->unfinished = r == QUERY_UNFINISHED;
        if (r == QUERY_GREETED)
                connection->peer.greeted = 1;
        if (r != QUERY_FOLLOWS)
                return r < 0 || r == QUERY_BUSY ? r : 0;
        r = query_follow_add(server->query, &connection->follower, &connection->peer, message, size, on_follow,
                             connection);
        connection->out.limit = 2 * FOLLOW_BYTES_MAX;
        return r;
}

static void wait_for_turn(struct connection *connection) {
        struct query_server *server = connection->server;

        if (!connection->waits)
                query_count_limited(server->query);
        connection->waits = true;
        reactor_timer_set(server->turn_timer, next_turn(server));
}

static void on_turn(void *userdata, uint64_t now_ns) {
        struct query_server *server = userdata;
        uint64_t next_ns;

        reactor_work(server->reactor, "queries that wait");
        for (struct connection *c = server->connections; c; c = c->next) {
                if (!c->waits || turn_of(server, &c->peer) > now_ns)
                        continue;
                c->waits = false;
                set_events(c);
        }
        next_ns = next_turn(server);
        if (next_ns)
                reactor_timer_set(server->turn_timer, next_ns);
}

/* Serves one request, if one is there.  False: the connection is gone. */
static bool serve(struct connection *connection) {
        const void *message;
        uint64_t begun_ns;
        size_t size;
        int r;

        r = wire_frame(connection->in.data, connection->in.size, WIRE_REQUEST_MAX, &message, &size);
        if (r == 0)
                return true;
        if (r < 0 || wire_scan(message, size, WIRE_DEPTH_MAX) < 0) {
                drop(connection, "it sent no valid message");
                return false;
        }
        if (connection->follower) {
                drop(connection, "it sent another request while it follows");
                return false;
        }
        connection->moved_ns = reactor_now(connection->server->reactor);
        begun_ns = clock_monotonic_ns(); /* the reactor's time stands still within a turn */
        if (!connection->unfinished && turn_of(connection->server, &connection->peer) > begun_ns) {
                wait_for_turn(connection);
                return true;
        }
        r = answer(connection, message, size);
        connection->took_ns += clock_monotonic_ns() - begun_ns;
        connection->is_queued = r == QUERY_BUSY;
        if (connection->unfinished || connection->is_queued)
                return true;
        wake_queued(connection->server);
        end_turn(connection->server, &connection->peer, connection->took_ns);
        connection->took_ns = 0;
        if (r < 0) {
                drop(connection, r == -EPROTO ? "it sent no valid request" : strerror(-r));
                return false;
        }
        wire_buffer_consume(&connection->in, WIRE_HEADER + size);
        return true;
}

/* Reads a portion.  0, or -errno: the peer is gone. */
static int receive(struct connection *connection) {
        size_t room = connection->in.limit - connection->in.size;
        void *at;
        ssize_t n;

        if (room > READ_BYTES)
                room = READ_BYTES;
        if (room == 0)
                return 0; /* a whole message is there */
        at = wire_buffer_reserve(&connection->in, room);
        if (!at)
                return -ENOMEM;
        n = recv(connection->fd, at, room, MSG_DONTWAIT);
        if (n > 0)
                connection->in.size += (size_t)n;
        else if (n == 0)
                connection->ended = true;
        else if (errno != EAGAIN && errno != EINTR)
                return -errno;
        return 0;
}

/* Whether it asked for all that it ever will, and has it. */
static bool is_over(const struct connection *connection) {
        return connection->ended && (connection->follower || (!waiting(connection) && !has_frame(connection)));
}

static void go_on(struct connection *connection, unsigned events) {
        if ((events & REACTOR_IN) && receive(connection) < 0) {
                connection_free(connection);
                return;
        }
        if (flush(connection) < 0) {
                connection_free(connection);
                return;
        }
        if (connection->follower && !waiting(connection))
                query_follow_resume(connection->follower);
        if ((!waiting(connection) || connection->follower) && !connection->waits && !serve(connection))
                return;
        if (flush(connection) < 0 || is_over(connection) || (events & (REACTOR_HUP | REACTOR_IN)) == REACTOR_HUP) {
                connection_free(connection);
                return;
        }
        set_events(connection);
}

static void on_connection(void *userdata, int fd, unsigned events) {
        struct connection *connection = userdata;

        reactor_work(connection->server->reactor, "query");
        go_on(connection, events);
}

static void on_job(void *userdata, uint64_t now_ns) {
        struct query_server *server = userdata;
        struct connection *connection = server->connections;

        reactor_work(server->reactor, "query");
        while (connection && !connection->unfinished)
                connection = connection->next;
        if (connection)
                go_on(connection, 0);
}

/* ------------------------------------------------------------------------------------------------------- door -- */

static bool is_member(int fd, gid_t own, gid_t gid) {
        gid_t groups[256];
        socklen_t size = sizeof groups;

        if (gid == (gid_t)-1)
                return false;
        if (own == gid)
                return true;
        if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
                return false; /* so many groups that we do not look through them */
        for (size_t i = 0; i < size / sizeof *groups; i++)
                if (groups[i] == gid)
                        return true;
        return false;
}

static int connection_new(struct query_server *server, int fd, const struct ucred *cred) {
        struct connection *connection = calloc(1, sizeof *connection);
        int r;

        if (!connection)
                return -ENOMEM;
        connection->server = server;
        connection->fd = fd;
        connection->pid = cred->pid;
        connection->peer.uid = cred->uid;
        connection->peer.sees_all = cred->uid == 0 || cred->uid == geteuid() || is_member(fd, cred->gid, server->gid);
        connection->in = WIRE_BUFFER_INIT(WIRE_REQUEST_MAX + WIRE_HEADER);
        connection->out = WIRE_BUFFER_INIT(WIRE_ANSWER_MAX + WIRE_HEADER);
        r = reactor_watch(server->reactor, &connection->watch, fd, REACTOR_IN, on_connection, connection);
        if (r < 0) {
                free(connection);
                return r;
        }
        connection->next = server->connections;
        if (connection->next)
                connection->next->prev = connection;
        server->connections = connection;
        server->count++;
        return 0;
}

static void admit(void *userdata, int fd) {
        struct query_server *server = userdata;
        struct ucred cred = {.uid = (uid_t)-1};
        socklen_t size = sizeof cred;
        struct log_peer peer;
        unsigned of_uid = 0;
        const char *why;
        int r;

        r = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size) < 0 ? -errno : 0;
        for (const struct connection *c = server->connections; c; c = c->next)
                of_uid += c->peer.uid == cred.uid;
        if (r == 0 && of_uid >= server->limits.connections_uid)
                query_count_limited(server->query);
        if (r == 0 && (server->count >= server->limits.connections || of_uid >= server->limits.connections_uid))
                r = -EUSERS;
        if (r == 0)
                r = connection_new(server, fd, &cred);
        if (r == 0)
                return;
        why = r != -EUSERS ? strerror(-r)
              : of_uid >= server->limits.connections_uid
                      ? "its user has too many connections (--max-connections-per-uid)"
                      : "there are too many connections (--max-connections)";
        peer = (struct log_peer){.pid = cred.pid, .uid = cred.uid, .reason = why};
        query_count_error(server->query);
        log_event(LOG_QUERY_REFUSED, &peer, "refused a query connection of process %d: %s", (int)cred.pid, peer.reason);
        close(fd);
}

static void on_slow_timer(void *userdata, uint64_t now_ns) {
        struct query_server *server = userdata;
        struct connection *connection, *next;
        bool slow = false;

        reactor_work(server->reactor, "queries that wait");
        for (connection = server->connections; connection; connection = next) {
                next = connection->next;
                if (connection->follower || !waiting(connection))
                        continue;
                if (now_ns - connection->moved_ns >= TAKE_NS)
                        drop(connection, "it does not read its answer");
                else
                        slow = true;
        }
        if (slow)
                reactor_timer_set(server->slow_timer, now_ns + LOOK_NS);
}

static gid_t group_of(int listen_fd) {
        struct sockaddr_un address = {0};
        socklen_t size = sizeof address - 1;
        struct stat st;

        if (getsockname(listen_fd, (struct sockaddr *)&address, &size) < 0 || address.sun_path[0] != '/' ||
            stat(address.sun_path, &st) < 0)
                return (gid_t)-1;
        return st.st_gid;
}

int query_server_new(struct query_server **ret, struct reactor *reactor, struct query *query, int listen_fd,
                     struct query_server_limits limits) {
        struct query_server *server = calloc(1, sizeof *server);
        int r;

        if (!server) {
                close(listen_fd);
                return -ENOMEM;
        }
        server->reactor = reactor;
        server->query = query;
        server->gid = group_of(listen_fd);
        server->limits = limits;
        r = listener_new(&server->listener, reactor, listen_fd, admit, server);
        if (r == 0)
                r = reactor_timer(reactor, &server->slow_timer, on_slow_timer, server);
        if (r == 0)
                r = reactor_timer(reactor, &server->turn_timer, on_turn, server);
        if (r == 0)
                r = reactor_timer(reactor, &server->job_timer, on_job, server);
        if (r < 0) {
                query_server_free(server);
                return r;
        }
        *ret = server;
        return 0;
}

void query_server_set_limits(struct query_server *server, struct query_server_limits limits) {
        server->limits = limits;
}

struct query_server *query_server_free(struct query_server *server) {
        if (!server)
                return NULL;
        while (server->connections)
                connection_free(server->connections);
        listener_free(server->listener);
        reactor_timer_free(server->slow_timer);
        reactor_timer_free(server->turn_timer);
        reactor_timer_free(server->job_timer);
        free(server);
        return NULL;
}
