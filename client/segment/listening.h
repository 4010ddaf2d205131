/* SPDX-License-Identifier: MIT */
/*
 * The word that the public header reads before a call: 0 while the process is certainly not attached.
 */
#pragma once

#include <stdint.h>

/* 1 before the gate opens; 0 after a detach, or in a forked child. */
void sa_set_listening(uint32_t listening);
