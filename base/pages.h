/* SPDX-License-Identifier: MIT */
/* The page that files and mappings of the books are laid out by: the same on every machine, so that a file can move. */
#pragma once

#include <stdint.h>

#define PAGE_BYTES 4096u

static inline uint64_t page_round_up(uint64_t n) {
        return (n + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;
}
