/* SPDX-License-Identifier: MIT */
/* A scope's beginning that does nothing, in a library of its own: what a call of one costs by itself. */
#include <spanalloc/spanalloc.h>

spanalloc_span bench_empty_begin(spanalloc_site *site);

__attribute__((visibility("default"))) spanalloc_span bench_empty_begin(spanalloc_site *site) {
        (void)site;
        return (spanalloc_span)SPANALLOC_SPAN_INIT;
}
