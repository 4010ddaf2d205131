/* SPDX-License-Identifier: MIT */
/*
 * The handshake with a collector: connect, say hello, receive the segment and the beacon, close.
 *
 * It trusts no answer: sizes, seals and geometry are checked before anything is read from a mapping.
 */
#pragma once

#include "client/segment/attachments.h"

enum { SA_KEPT = 1 }; /* the collector took over the segment that `former` has */

/* Connects to the socket at `path`, or to the abstract one of that name if the environment named it: the file is out of
 * reach in another root directory.  0 or -errno. */
int sa_connect(const char *path, int *ret_fd);

/* Fills `a`.  `former`: the current attachment, or NULL.  0, SA_KEPT (`a` is untouched, `former` has the new
 * beacon), or -errno.  No descriptor stays open. */
int sa_handshake(struct sa_attachment *a, struct sa_attachment *former, const char *path, uint32_t ring_kib,
                 long timeout_ms);

/* Says that the segment that was given could not be mapped, for this positive errno.  Waits for no answer. */
void sa_tell_unmapped(const char *path, int error);
