/* SPDX-License-Identifier: MIT */
/*
 * The number of a span, and the flags of its handle.  How numbers are chosen is client/lanes/instance.h's; what a span is,
 * the collector's.
 *
 *     bit 63           32 31           12 11          0
 *         |    block     |    counter    |    lane    |
 *
 * A block is used by one lane only, and blocks rise by one in the life of a process and of its children.  The counter
 * of a block begins at 1.  So a number is unique, the numbers of one lane rise, and neither 0 nor 2^64 - 1 is a number.
 */
#pragma once

#include <stdbool.h>

#include "shm/layout.h"

#define SHM_SPAN_LANE_BITS    12
#define SHM_SPAN_COUNTER_BITS 20
#define SHM_SPAN_BLOCK_SHIFT  (SHM_SPAN_LANE_BITS + SHM_SPAN_COUNTER_BITS)
#define SHM_SPAN_STEP         (UINT64_C(1) << SHM_SPAN_LANE_BITS) /* from one number of a lane to the next */
#define SHM_SPAN_LANE_MASK    (SHM_SPAN_STEP - 1)
#define SHM_SPAN_COUNTER_MASK (((UINT64_C(1) << SHM_SPAN_COUNTER_BITS) - 1) << SHM_SPAN_LANE_BITS)
_Static_assert(SHM_LANES_MAX <= 1u << SHM_SPAN_LANE_BITS, "a lane's index fits a number");
_Static_assert(SHM_SPAN_BLOCK_SHIFT == 32, "shm-format.md says so");

static inline uint64_t shm_span_first(uint64_t block, uint32_t lane) {
        return block << SHM_SPAN_BLOCK_SHIFT | SHM_SPAN_STEP | lane;
}

/* False for 0, and for what follows the last number of a block. */
static inline bool shm_span_is_number(uint64_t instance) {
        return instance & SHM_SPAN_COUNTER_MASK;
}

/* The lane that opened the span. */
static inline uint32_t shm_span_lane(uint64_t instance) {
        return (uint32_t)(instance & SHM_SPAN_LANE_MASK);
}

static inline uint64_t shm_span_block(uint64_t instance) {
        return instance >> SHM_SPAN_BLOCK_SHIFT;
}

/* A handle carries SHARED and LATE in the upper half of its second word, where a record has its flags. */
#define SHM_HANDLE_FLAGS_SHIFT 16

static inline uint32_t shm_handle_word(uint32_t flags) {
        return flags << SHM_HANDLE_FLAGS_SHIFT;
}

static inline uint16_t shm_handle_flags(uint32_t word) {
        return (uint16_t)(word >> SHM_HANDLE_FLAGS_SHIFT) & (SHM_FLAG_SHARED | SHM_FLAG_LATE);
}
