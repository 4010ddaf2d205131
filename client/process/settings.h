/* SPDX-License-Identifier: MIT */
/*
 * The settings of a process, from its environment at start-up.  A set-uid program's environment is ignored.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* SPANALLOC=0. */
bool sa_is_switched_off(void);

/* Fills the settings in sa_root: socket, ring_kib, on_full, answer_ms, run_dir_uid. */
void sa_read_settings(void);

/* The digits that `text` begins with, after blanks. */
uint64_t sa_number_of(const char *text);
