/* SPDX-License-Identifier: MIT */
/*
 * Waiting for room: only with SPANALLOC_ON_FULL=wait, for tests and for measurements that must not lose a record.
 */
#pragma once

#include <stdbool.h>

#include "client/thread.h"

/* Sleeps until `need` records fit after `head`.  False after 10 seconds; then this lane refuses at once until there is
 * room again, so that a dead collector costs 10 seconds and not 10 for each call. */
bool sa_wait_for_room(struct sa_thread *self, struct shm_lane *lane, uint64_t head, uint64_t need);
