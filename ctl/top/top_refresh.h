/* SPDX-License-Identifier: MIT */
/*
 * One refresh: requests one after another, and feeding their answers to the model.
 */
#pragma once

#include "ctl/top/top_state.h"

/* Begins a refresh, connecting first if needed, and goes on with it; at most one is under way.  It never waits: call
 * top_refresh_advance() whenever poll(2) says so of client_fd() and client_events().  A top_refreshed, or -errno with
 * top->error filled: it has failed, and the connection is closed.  The kind CLIENT_ERROR_UNREACHABLE there means that the
 * collector may come back. */
enum top_refreshed {
        TOP_REFRESH_PENDING = 0, /* an answer is awaited */
        TOP_REFRESH_FINISHED = 1,
        TOP_REFRESH_DISCARDED = 2, /* top is paused: the answers were read, and are not shown */
};
int top_refresh_begin(struct top *top);
int top_refresh_advance(struct top *top);
bool top_refresh_is_under_way(const struct top *top);

/* The same, and waits until it is finished.  0 or -errno. */
int top_refresh(struct top *top);

/* Says on the screen for how long an answer is awaited, once that is long.  True if that changed the screen. */
bool top_refresh_note_silence(struct top *top, uint64_t now_ns);

void top_round_deinit(struct top_round *round);
