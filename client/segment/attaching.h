/* SPDX-License-Identifier: MIT */
/*
 * gate.attaching: one thread attaches at a time, and the others go on without waiting for it.
 *
 * It holds the number of that thread, since a thread can end anywhere, and another one must then be able to attach.
 */
#pragma once

#include <stdbool.h>

/* False if another thread attaches.  Makes system calls (quiet_process.h). */
bool sa_attaching_begin(void);
void sa_attaching_end(void);
