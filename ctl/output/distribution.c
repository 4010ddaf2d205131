/* SPDX-License-Identifier: MIT */
/*
 * The histogram of bytes per call: its buckets and its drawing.  Percentiles come from the collector.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/output/bars.h"
#include "ctl/output/distribution.h"
#include "ctl/output/format.h"
#include "ctl/output/text.h"

void distribution_add(struct distribution *d, const struct table_map *map) {
        for (size_t i = 0; map && i < map->count; i++) {
                uint64_t from = strtoull(map->entries[i].name, NULL, 10), n = map->entries[i].values[0];
                unsigned at = from ? 63 - (unsigned)__builtin_clzll(from) : 0;

                if (!n)
                        continue;
                if (!d->total || at < d->first)
                        d->first = at;
                if (!d->total || at > d->last)
                        d->last = at;
                d->counts[at] += n;
                d->total += n;
                if (d->counts[at] > d->most)
                        d->most = d->counts[at];
        }
}

char *distribution_line(const struct distribution *d, unsigned n, size_t width, char buf[DISTRIBUTION_LINE_MAX]) {
        char from[FORMAT_MAX], bar[BARS_MAX], fitted[BARS_MAX] = "";
        uint64_t share = d->total ? (uint64_t)((unsigned __int128)d->counts[n] * 1000 / d->total) : 0;

        text_fit(fitted, sizeof(fitted), bars_fill(bar, d->most ? (double)d->counts[n] / (double)d->most : 0, width),
                 width, false);
        snprintf(buf, DISTRIBUTION_LINE_MAX, "%8s  %s %8" PRIu64 " %3" PRIu64 ".%" PRIu64 "%%",
                 format_bytes(from, n ? UINT64_C(1) << n : 0), fitted, d->counts[n], share / 10, share % 10);
        return buf;
}
