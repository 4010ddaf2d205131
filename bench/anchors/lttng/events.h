/* SPDX-License-Identifier: MIT */
/* clang-format off */
#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER spanalloc_bench
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./events.h"

#if !defined(SPANALLOC_BENCH_EVENTS_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define SPANALLOC_BENCH_EVENTS_H
#include <lttng/tracepoint.h>

LTTNG_UST_TRACEPOINT_EVENT(spanalloc_bench, cycle,
        LTTNG_UST_TP_ARGS(uint64_t, span, uint64_t, kind, uint64_t *, counters),
        LTTNG_UST_TP_FIELDS(
                lttng_ust_field_integer(uint64_t, span, span)
                lttng_ust_field_integer(uint64_t, kind, kind)
                lttng_ust_field_array(uint64_t, counters, counters, 4)))
#endif

#include <lttng/tracepoint-event.h>
