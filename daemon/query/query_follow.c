/* SPDX-License-Identifier: MIT */
/*
 * Followers: connections that receive each closed span when the close is applied.
 *
 * An event is written once for all followers.  A follower whose sink is full loses events.  A marker before its next
 * event has the number of lost ones.  Nothing waits for a follower.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/query/query_private.h"
#include "daemon/wire/columns.h"

#define EVENT_BYTES_MAX (UINT32_C(256) << 10)

struct query_follower {
        struct query *query;
        struct query_peer peer;
        struct query_params params;
        query_sink_fn fn;
        void *userdata;
        uint64_t dropped; /* since its last marker */
};

static bool follower_is_there(const struct query *query, size_t slot, const struct query_follower *follower) {
        return query->followers[slot] == follower;
}

static size_t find_slot(const struct query *query, const struct query_follower *follower) {
        size_t slot = 0;

        while (slot < QUERY_FOLLOWERS_MAX && query->followers[slot] != follower)
                slot++;
        return slot;
}

static int write_marker(struct wire_buffer *out, uint64_t dropped) {
        size_t mark = wire_begin(out);

        wire_put_array(out, 3);
        wire_put_uint(out, WIRE_MESSAGE_NOTIFICATION);
        wire_put_text(out, "marker");
        wire_put_map(out, 2);
        wire_put_text(out, "reason");
        wire_put_text(out, "dropped");
        wire_put_text(out, "dropped");
        wire_put_uint(out, dropped);
        return wire_end(out, mark);
}

/* The marker that is owed, if any.  Returns whether the follower can take more; it may be gone after a false. */
static bool give_marker(struct query_follower *follower) {
        struct wire_buffer marker = WIRE_BUFFER_INIT(256);
        struct query *query = follower->query;
        size_t slot = find_slot(query, follower);
        uint64_t dropped = follower->dropped;
        bool given;

        if (dropped == 0)
                return true;

        given = write_marker(&marker, dropped) >= 0 &&
                follower->fn(follower->userdata, marker.data, marker.size) >= 0 &&
                follower_is_there(query, slot, follower);
        if (given)
                follower->dropped = 0;

        wire_buffer_deinit(&marker);
        return given;
}

static int write_event(struct query *query, const struct process *process, const struct books_event *event) {
        struct wire_buffer *out = &query->event;
        size_t mark = wire_begin(out);

        wire_put_array(out, 3);
        wire_put_uint(out, WIRE_MESSAGE_NOTIFICATION);
        wire_put_text(out, "span");
        wire_put_array(out, WIRE_FOLLOW_COUNT);
        wire_put_text(out, books_name(process->books, books_path_name(process->books, event->path)));
        wire_put_text(out, query->path);
        wire_put_uint(out, process->number);
        wire_put_uint(out, (uint64_t)process->pid);
        wire_put_uint(out, process->uid);
        wire_put_text(out, process->unit);
        wire_put_uint(out, event->instance);
        for (size_t i = 0; i < SHM_COUNTERS; i++)
                wire_put_uint(out, event->sums[i]);
        wire_put_int(out, (int64_t)(event->sums[SHM_ALLOC_BYTES] - event->sums[SHM_DEALLOC_BYTES]));
        wire_put_uint(out, event->cycles);
        wire_put_uint(out, clock_realtime_ns());
        wire_put_uint(out, books_to_ns(process->books, event->ticks));
        return wire_end(out, mark);
}
/* write_event writes what columns.h lists, in that order. */
_Static_assert(WIRE_FOLLOW_alloc_count == 7 && WIRE_FOLLOW_net_bytes == 11 && WIRE_FOLLOW_COUNT == 15,
               "columns.h has another order");

static void give_event(struct query *query, size_t slot) {
        struct query_follower *follower = query->followers[slot];

        if (!give_marker(follower) || follower->fn(follower->userdata, query->event.data, query->event.size) < 0) {
                query->follow_dropped++;
                if (follower_is_there(query, slot, follower))
                        follower->dropped++;
        }
}

static void on_event(void *userdata, const struct process *process, const struct books_event *event) {
        struct query *query = userdata;
        bool path_is_known = false, event_is_written = false;
        const char *name;

        for (size_t slot = 0; slot < QUERY_FOLLOWERS_MAX; slot++) {
                const struct query_follower *follower = query->followers[slot];

                if (!follower || !query_params_select_process(&follower->params, &follower->peer, process))
                        continue;

                if (!path_is_known) {
                        books_path_text(process->books, event->path, query->path, sizeof(query->path));
                        path_is_known = true;
                }
                name = books_name(process->books, books_path_name(process->books, event->path));
                if (!query_params_select_path(&follower->params, name, query->path))
                        continue;

                if (!event_is_written) {
                        wire_buffer_consume(&query->event, query->event.size);
                        if (write_event(query, process, event) < 0)
                                return;
                        event_is_written = true;
                }
                give_event(query, slot);
        }
}

void query_follow_init(struct query *query) {
        query->event = WIRE_BUFFER_INIT(EVENT_BYTES_MAX);
}

void query_follow_deinit(struct query *query) {
        for (size_t slot = 0; slot < QUERY_FOLLOWERS_MAX; slot++)
                query_follow_remove(query->followers[slot]);
        wire_buffer_deinit(&query->event);
}

int query_method_follow(struct query *query, const struct query_peer *peer, const struct query_params *params,
                        struct wire_buffer *out, struct query_error *ret_error) {
        if (find_slot(query, NULL) == QUERY_FOLLOWERS_MAX)
                return query_fail(ret_error, EUSERS, "end one of them", "the collector has %u followers already",
                                  QUERY_FOLLOWERS_MAX);

        wire_put_nil(out);
        return 0;
}

int query_follow_add(struct query *query, struct query_follower **ret, const struct query_peer *peer,
                     const void *message, size_t size, query_sink_fn fn, void *userdata) {
        struct query_follower *follower;
        struct wire_document *document;
        struct query_error error;
        struct query_call call;
        size_t slot;
        int r;

        slot = find_slot(query, NULL);
        if (slot == QUERY_FOLLOWERS_MAX)
                return -EUSERS;

        r = query_call_parse(&call, &document, message, size);
        if (r < 0)
                return r;

        follower = calloc(1, sizeof(*follower));
        if (!follower) {
                wire_document_free(document);
                return -ENOMEM;
        }

        *follower = (struct query_follower){.query = query, .peer = *peer, .fn = fn, .userdata = userdata};
        r = query_params_parse(&follower->params, QUERY_PARAMS_PROCESS | QUERY_PARAM_FILTER, call.params, "follow",
                               &error);
        wire_document_free(document);
        if (r < 0) {
                free(follower);
                return r;
        }

        query->followers[slot] = follower;
        collector_on_event(query->collector, on_event, query);
        *ret = follower;
        return 0;
}

static bool has_followers(const struct query *query) {
        for (size_t slot = 0; slot < QUERY_FOLLOWERS_MAX; slot++)
                if (query->followers[slot])
                        return true;
        return false;
}

struct query_follower *query_follow_remove(struct query_follower *follower) {
        struct query *query;
        size_t slot;

        if (!follower)
                return NULL;

        query = follower->query;
        slot = find_slot(query, follower);
        if (slot < QUERY_FOLLOWERS_MAX)
                query->followers[slot] = NULL;
        if (!has_followers(query))
                collector_on_event(query->collector, NULL, NULL);
        free(follower);
        return NULL;
}

void query_follow_resume(struct query_follower *follower) {
        give_marker(follower);
}
