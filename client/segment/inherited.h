/* SPDX-License-Identifier: MIT */
/*
 * Net bytes of a process that no lane of its segment holds: those alive in the parent at the fork, and those that ended
 * threads counted in earlier segments.
 *
 * The hello carries both sums to the collector, modulo 2^64.  They lie in ordinary memory: a forked child inherits
 * them.
 */
#pragma once

#include <stdbool.h>

#include "client/gate/gate.h"

struct shm_hello;

/* Before fork(3), in the parent: sums the net bytes of the process at this moment.  Async-signal-safe, as fork is. */
void sa_inherited_before_fork(void);
/* After fork(3), in the parent: counts the fork.  Its result is not known here. */
void sa_inherited_after_fork(void);
/* In the child, once: takes the parent's sum.  Without one (a raw clone) the child does not know what it inherited. */
void sa_inherited_begin(void);

/* In a hello of kind ATTACH. */
void sa_inherited_fill(struct shm_hello *hello);

struct sa_attachment;
/* The segment is about to be unmapped: no thread uses it. */
void sa_inherited_keep(const struct sa_attachment *attachment);
