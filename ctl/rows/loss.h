/* SPDX-License-Identifier: MIT */
/*
 * Why bytes of a process are lost, in words.  Each cause and its remedy are named here, for every screen that speaks of a
 * loss.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "query/table.h"

struct loss {
        uint64_t refused; /* enters, opens and closes */
        uint64_t depth;   /* enters of a thread that was in 64 spans: part of `refused` */
};

/* Adds a row of `ps`. */
void loss_add(struct loss *loss, const struct table *ps, size_t row);
/* "a ring was full", "a thread was in 64 spans at once", or both; if nothing was refused, "no collector had booked it". */
const char *loss_cause(const struct loss *loss);
/* One clause: what to change. */
const char *loss_advice(const struct loss *loss);
