/* SPDX-License-Identifier: MIT */
/*
 * An arena as the bytes of a file, and back: its data without holes, a version, a checksum, and the boot id.
 */
#pragma once

#include <stddef.h>

#include "daemon/arena/arena.h"
#include "daemon/arena/arena_copy.h"

#define ARENA_IMAGE_BOOT 40u /* bytes of a boot id, with zeros after it */

/* The image of a whole copy, which is consumed.  From any thread.  *ret_bytes: from malloc. */
int arena_image_of_copy(const struct arena_copy *copy, const char boot[ARENA_IMAGE_BOOT], char **ret_bytes,
                        size_t *ret_size);
/* The same in one go, between two batches.  *ret_bytes: from malloc. */
int arena_image_make(const struct arena *arena, const char boot[ARENA_IMAGE_BOOT], char **ret_bytes, size_t *ret_size);
/* The descriptor of a new arena, or -errno.  -EBADMSG: damaged; -EPROTONOSUPPORT: of another version; -ESTALE: of
 * another boot; any other says nothing of the file. */
int arena_image_read(const char *bytes, size_t size, const char boot[ARENA_IMAGE_BOOT]);
