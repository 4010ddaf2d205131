/* SPDX-License-Identifier: MIT */
/*
 * Moving: a thread gets its lane in the current segment, takes its frames and counts there, or gives its lane up.
 */
#pragma once

#include "client/gate/thread.h"

/* The calling thread's lane in the current attachment: claims one, or moves there from the last.  NULL if the
 * process is not attached, or has more threads than lanes.  Keeps errno. */
struct shm_lane *sa_lane_slow(struct sa_thread *self);
