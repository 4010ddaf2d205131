/* SPDX-License-Identifier: MIT */
/*
 * Whether the heap of a process is counted at all, from the `counting` column of `ps`.
 */
#pragma once

#include <stdbool.h>

/* The collector says why when it is not: "nothing: …" or "not counted: …". */
bool counting_is_missing(const char *counting);
/* It is counted, and has shut itself in: it will not attach to another collector. */
bool counting_is_in_filter(const char *counting);
