/*
 * The beacon: the collector's page that every client maps read-only (struct shm_beacon).
 *
 * What lives here: making it or taking over the one that a predecessor left, and its two words.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct beacon;

/* In `dir`, as a file; NULL: in memory only.  The generation is a new one from here on. */
int beacon_new(struct beacon **ret, const char *dir);
/* Tells all clients that nobody serves any more. */
struct beacon *beacon_free(struct beacon *beacon);

uint32_t beacon_generation(const struct beacon *beacon);
/* A descriptor that can only be mapped read-only; borrowed. */
int beacon_fd(const struct beacon *beacon);
/* True: from here on clients ring.  Whoever says so must look at the rings again before it sleeps. */
void beacon_set_asleep(struct beacon *beacon, bool asleep);
