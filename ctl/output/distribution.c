/* SPDX-License-Identifier: MIT */
/*
 * The histograms of bytes and of net bytes per call: their buckets and drawings.  Percentiles come from the collector.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "ctl/output/bars.h"
#include "ctl/output/distribution.h"
#include "ctl/output/format.h"
#include "ctl/output/text.h"

static void count(struct distribution *d, unsigned at, uint64_t n) {
        if (!n)
                return;
        if (!d->total || at < d->first)
                d->first = at;
        if (!d->total || at > d->last)
                d->last = at;
        d->counts[at] += n;
        d->total += n;
        if (d->counts[at] > d->most)
                d->most = d->counts[at];
}

void distribution_add(struct distribution *d, const struct table_map *map) {
        for (size_t i = 0; map && i < map->count; i++) {
                uint64_t from = strtoull(map->entries[i].name, NULL, 10);

                count(d, from ? 63 - (unsigned)__builtin_clzll(from) : 0, map->entries[i].values[0]);
        }
}

static unsigned index_of_net(int64_t from) {
        uint64_t size = from < 0 ? -(uint64_t)from : (uint64_t)from;
        unsigned bucket = size < 16 ? 0 : (63 - (unsigned)__builtin_clzll(size)) / 2 - 1;

        if (!from)
                return DISTRIBUTION_NET_ZERO;
        if (bucket >= DISTRIBUTION_NET_SIDE)
                bucket = DISTRIBUTION_NET_SIDE - 1;
        return from < 0 ? DISTRIBUTION_NET_ZERO - 1 - bucket : DISTRIBUTION_NET_ZERO + 1 + bucket;
}

/* From where on bucket `n` is: the least that is not zero, of either sign. */
static int64_t net_from(unsigned n) {
        unsigned bucket = n < DISTRIBUTION_NET_ZERO ? DISTRIBUTION_NET_ZERO - 1 - n : n - DISTRIBUTION_NET_ZERO - 1;
        int64_t from;

        if (n == DISTRIBUTION_NET_ZERO)
                return 0;
        from = bucket ? INT64_C(1) << 2 * (bucket + 1) : 1;
        return n < DISTRIBUTION_NET_ZERO ? -from : from;
}

void distribution_net_add(struct distribution *d, const struct table_map *map) {
        for (size_t i = 0; map && i < map->count; i++)
                count(d, index_of_net(strtoll(map->entries[i].name, NULL, 10)), map->entries[i].values[0]);
}

static char *line_of(char buf[DISTRIBUTION_LINE_MAX], const char *from, uint64_t count, uint64_t total, uint64_t most,
                     size_t width) {
        char bar[BARS_MAX], fitted[BARS_MAX] = "";
        uint64_t share = total ? (uint64_t)((unsigned __int128)count * 1000 / total) : 0;

        text_fit(fitted, sizeof(fitted), bars_fill(bar, most ? (double)count / (double)most : 0, width), width, false);
        snprintf(buf, DISTRIBUTION_LINE_MAX, "%8s  %s %8" PRIu64 " %3" PRIu64 ".%" PRIu64 "%%", from, fitted, count,
                 share / 10, share % 10);
        return buf;
}

char *distribution_line(const struct distribution *d, unsigned n, size_t width, char buf[DISTRIBUTION_LINE_MAX]) {
        char from[FORMAT_MAX];

        return line_of(buf, format_bytes(from, n ? UINT64_C(1) << n : 0), d->counts[n], d->total, d->most, width);
}

char *distribution_net_line(const struct distribution *d, unsigned n, size_t width, char buf[DISTRIBUTION_LINE_MAX]) {
        char from[FORMAT_MAX];

        return line_of(buf, format_net_bytes(from, net_from(n)), d->counts[n], d->total, d->most, width);
}
