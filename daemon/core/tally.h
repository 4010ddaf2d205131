/*
 * What is summed for each path.  Pure: no system call, clock or log; time is an argument.
 *
 * Everything here runs in a batch (books_begin).
 */
#pragma once

#include "daemon/core/layout.h"

/* A tick of the rates: 2^27 ns, about an eighth of a second. */
#define TALLY_TICK_SHIFT 27

/* Bytes and counts spent while `path` was the top of a stack. */
void tally_self(struct books *books, uint32_t path, const uint64_t delta[SHM_COUNTERS]);
/* An outermost stretch of the path's name has ended. */
void tally_total(struct books *books, uint32_t path, const uint64_t delta[SHM_COUNTERS]);
void tally_cycle(struct books *books, uint32_t path, bool migrated);
void tally_opened(struct books *books, uint32_t path);
/* A span of the path is closed; `bytes` is what it allocated in all its `cycles`. */
void tally_closed(struct books *books, uint32_t path, uint64_t bytes, uint32_t cycles);
void tally_aborted(struct books *books, uint32_t path, uint64_t spans);
/* What ran on this path's account was partly lost, or guessed. */
void tally_lost(struct books *books, uint32_t path);
void tally_estimated(struct books *books, uint32_t path);

/* Bytes a second over 10 s, 1 min, 10 min, at `now_ns`.  A decayed sum S has the rate S / (T (1 - e^(-age/T))), so that
 * a young path is not told too low. */
void tally_rates(const struct books *books, const struct tally *tally, uint64_t now_ns, double ret[3]);
