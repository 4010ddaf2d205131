/* SPDX-License-Identifier: MIT */
/*
 * Whether the heap of a process is counted at all, from the `counting` column of `ps`.
 */
#pragma once

#include <stdbool.h>

/* The collector says why when it is not: "nothing: …" or "not counted: …". */
bool counting_is_missing(const char *counting);
