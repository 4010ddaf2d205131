/* SPDX-License-Identifier: MIT */
/*
 * Within daemon/wire: the scan, with a count of the values.
 */
#pragma once

#include <stddef.h>

#define WIRE_SCAN_DEPTH 31u /* the most that wire_scan will follow; msgpack-c's own stack has 32 */

/* As wire_scan.  The values are those that a decoder would make: containers, and everything in them. */
int wire_scan_count(const void *message, size_t size, unsigned max_depth, size_t *ret_values);
