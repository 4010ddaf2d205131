/* SPDX-License-Identifier: MIT */
/*
 * Start-up of the library, once in a process for each copy.
 */
#pragma once

#include "client/gate/root.h"

/* Makes the copy ready: settings, the gate's page, the leader.  Any number of times; cheap after the first.  Runs as a
 * constructor, and from any call that comes before it. */
void sa_library_init(void);

/* The copy to forward to, or NULL if this one leads.  Starts the library if it has not started yet. */
static inline const struct sa_api *sa_forward(void) {
        sa_library_init();
        return sa_leader();
}
