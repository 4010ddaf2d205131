/* SPDX-License-Identifier: MIT */
/*
 * Attaching: when a thread tries, and how a new segment becomes the process's current one.
 */
#pragma once

#include "client/gate/api.h"
#include "client/gate/gate.h"

/* Connects, and makes the new attachment current.  0, or -errno; -EAGAIN while another thread attaches.  Keeps errno.
 * asked: the program has called for it, and it waits up to 5 s for an answer.  Otherwise it begins only after the pause
 * (-EAGAIN before), and waits at most 100 ms. */
int sa_attach(const struct spanalloc_options *options, bool asked);

/* For a thread whose patience is used up, while the process is not attached: true if it should call sa_attach().
 * Otherwise refills its patience. */
bool sa_attach_is_due(struct sa_thread *self);

/* After a detach: the header may skip calls again, unless another thread attaches at the moment. */
void sa_attach_rest(void);
