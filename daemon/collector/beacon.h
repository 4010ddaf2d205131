/* SPDX-License-Identifier: MIT */
/*
 * The beacon: the collector's page that every client maps read-only (struct shm_beacon).
 *
 * What lives here: making it or taking over a predecessor's, and its two words.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct beacon;

/* Makes a beacon: a file in `dir`, or with NULL a page of memory without a name.  `fd`: the beacon of the former collector,
 * which is taken over in place of a new one and whose descriptor is then the beacon's, or -1.  `generation`: the one that
 * the clients of this beacon attached with, or 0.  The beacon gets a new generation if that is 0, or if another collector
 * has served these clients since. */
int beacon_new(struct beacon **ret, const char *dir, int fd, uint32_t generation);
/* Writes "no collector serves" into the page.  beacon_generation() still returns the same number. */
void beacon_retire(struct beacon *beacon);
/* Retires it first. */
struct beacon *beacon_free(struct beacon *beacon);

uint32_t beacon_generation(const struct beacon *beacon);
/* A descriptor that can only be mapped read-only; borrowed. */
int beacon_fd(const struct beacon *beacon);
/* One that can be mapped writable, to be kept for a successor; borrowed, -1 where there is none to be. */
int beacon_write_fd(const struct beacon *beacon);
/* True: from here on clients ring.  The caller then reads the rings once more before it sleeps. */
void beacon_set_asleep(struct beacon *beacon, bool asleep);
