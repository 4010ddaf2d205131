/* SPDX-License-Identifier: MIT */
/*
 * Counting, for an allocator's functions beside malloc's own (malloc.c has these and the counting itself).
 */
#pragma once

#include <stddef.h>

/* The usable size of a block of the next allocator. */
size_t sa_size_of(void *block) __attribute__((visibility("hidden")));

/* A block that the next allocator returned; NULL counts nothing.  Returns it. */
void *sa_count_block(void *block) __attribute__((visibility("hidden")));

/* Counts a free of this size. */
void sa_count_free(size_t bytes) __attribute__((visibility("hidden")));
