/* SPDX-License-Identifier: MIT */
/*
 * gate.attaching: one thread attaches at a time, and the others go on without waiting for it.
 *
 * It holds the number of that thread: the thread can end at any point, and another one must then be able to attach.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* False if another thread attaches.  Makes system calls (quiet_process.h). */
bool sa_attaching_begin(void);
void sa_attaching_end(void);

/* True if the process has no such thread.  Makes system calls. */
bool sa_thread_is_gone(uint32_t tid);
