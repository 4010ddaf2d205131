/* SPDX-License-Identifier: MIT */
/*
 * What a thread counts while a refused frame is the top of its stack, until it is written as LOST.
 *
 * lane->lost collects it from the moment when the refused frame became the top to the moment when it no longer is.
 * LOST is written right before the next record that ends an interval.  The process may be killed between any two
 * instructions, and the collector then reads lane->lost: so each change of it is one store.  `since` is set before a
 * refused frame can become the top; `waiting` and `since` change together, by `lost_turn`; and a LOST that was
 * published is recognised by its position, `lost_until`.
 */
#pragma once

#include "client/gate/thread.h"

/* The stack of a lane begins anew at these counters. */
void sa_lost_begin(struct shm_lane *lane, const uint64_t at[SHM_COUNTERS]);

/* To be called before the top of the stack changes.  If the top is a refused frame, adds what was counted since it became
 * the top to the lost counts; else notes the counters, in case the next top is a refused frame. */
void sa_leave_top(struct shm_lane *lane, const uint64_t at[SHM_COUNTERS]);
/* To be called after the top of the stack has changed: clears SHM_ATTENTION_REFUSED if no refused frame is on the stack
 * and no LOST record waits. */
void sa_reach_top(struct shm_lane *lane);

/* If a LOST record waits, writes it at `head` and publishes it.  Returns the head after that. */
uint64_t sa_flush_lost(struct sa_thread *self, struct shm_lane *lane, uint64_t head);

/* Completes a LOST that was published, and forgets one that was not: its call was left (jumped.h). */
void sa_lost_settle(struct shm_lane *lane);
