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

/* In `dir`, as a file; NULL: in memory only.  `fd`: a predecessor's beacon to take over instead (consumed), or -1.
 * `generation`: that of the clients that map this beacon, or 0.  If it is 0, or another collector has served these
 * clients meanwhile, the beacon gets a new generation. */
int beacon_new(struct beacon **ret, const char *dir, int fd, uint32_t generation);
/* Writes into the page that no collector serves; beacon_generation() stays as it was. */
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
