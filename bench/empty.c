/* SPDX-License-Identifier: MIT */
/* An empty spanalloc_scope_begin() in a library of its own: the cost of the call alone. */
#include <spanalloc/spanalloc.h>

spanalloc_span bench_empty_begin(spanalloc_site *site);

__attribute__((visibility("default"))) spanalloc_span bench_empty_begin(spanalloc_site *site) {
        (void)site;
        return (spanalloc_span)SPANALLOC_SPAN_INIT;
}
