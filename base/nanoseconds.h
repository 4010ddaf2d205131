/* SPDX-License-Identifier: MIT */
/* Time is a number of nanoseconds everywhere.  What lives here: its units.  What does not: a clock (base/clock.h). */
#pragma once

#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)
