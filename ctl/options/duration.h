/* SPDX-License-Identifier: MIT */
/*
 * Durations as typed by a user.
 */
#pragma once

#include <stdint.h>

/* "90s", "10m", "1h30m", "1.5" (seconds) to nanoseconds; 0 or -EINVAL. */
int duration_parse(const char *text, uint64_t *ret_ns);
