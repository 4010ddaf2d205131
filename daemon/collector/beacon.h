/* SPDX-License-Identifier: MIT */
/*
 * The beacon: the collector's page that every client maps read-only (struct shm_beacon).
 *
 * What lives here: making it or taking over the one that a predecessor left, and its two words.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct beacon;

/* In `dir`, as a file; NULL: in memory only.  `fd`: a beacon that is to be gone on with instead (consumed), or -1.
 * `generation`: of those who have that one mapped, or 0; where it is 0, or another collector served them meanwhile, the
 * generation is a new one from here on. */
int beacon_new(struct beacon **ret, const char *dir, int fd, uint32_t generation);
/* Writes for all clients that no collector serves any more; what it says here stays as it was. */
void beacon_retire(struct beacon *beacon);
/* Retires it first. */
struct beacon *beacon_free(struct beacon *beacon);

uint32_t beacon_generation(const struct beacon *beacon);
/* A descriptor that can only be mapped read-only; borrowed. */
int beacon_fd(const struct beacon *beacon);
/* One that can be mapped writable, to be kept for a successor; borrowed, -1 where there is none to be. */
int beacon_write_fd(const struct beacon *beacon);
/* True: from here on clients ring.  Whoever says so must look at the rings again before it sleeps. */
void beacon_set_asleep(struct beacon *beacon, bool asleep);
