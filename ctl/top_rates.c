#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/top_rates.h"

#define NSEC_PER_SEC 1000000000

void top_rates_deinit(struct top_rates *rates) {
        free(rates->sums);
        *rates = (struct top_rates){0};
}

static int compare(const void *a, const void *b) {
        const struct top_sums *x = a, *y = b;

        if (x->process != y->process)
                return x->process < y->process ? -1 : 1;
        return strcmp(x->span, y->span);
}

int top_rates_init(struct top_rates *rates, const struct top_row *rows, size_t count, uint64_t time_ns) {
        struct top_sums *sums = calloc(count + 1, sizeof(*sums));

        if (!sums)
                return -ENOMEM;
        for (size_t i = 0; i < count; i++)
                sums[i] = (struct top_sums){
                        .process = rows[i].process,
                        .span = rows[i].span,
                        .alloc_count = rows[i].alloc_count,
                        .alloc_bytes = rows[i].alloc_bytes,
                        .closed = rows[i].closed,
                        .net_bytes = rows[i].net_bytes,
                };
        qsort(sums, count, sizeof(*sums), compare);
        *rates = (struct top_rates){time_ns, count, sums};
        return 0;
}

/* Sums that fell were reset in between: what is there now has come since. */
static uint64_t rate(uint64_t now, uint64_t before, uint64_t elapsed_ns) {
        uint64_t difference = now >= before ? now - before : now;

        return (uint64_t)((unsigned __int128)difference * NSEC_PER_SEC / elapsed_ns);
}

void top_rates_fill(const struct top_rates *before, struct top_row *row, uint64_t time_ns) {
        struct top_sums none = {0}, key = {.process = row->process, .span = row->span};
        const struct top_sums *sums;
        uint64_t elapsed;
        int64_t net;

        if (!before->time_ns || time_ns <= before->time_ns)
                return;
        elapsed = time_ns - before->time_ns;
        sums = bsearch(&key, before->sums, before->count, sizeof(*before->sums), compare);
        if (!sums)
                sums = &none;
        net = row->alloc_count < sums->alloc_count ? 0 : sums->net_bytes;
        row->rated = true;
        row->alloc_count_rate = rate(row->alloc_count, sums->alloc_count, elapsed);
        row->alloc_bytes_rate = rate(row->alloc_bytes, sums->alloc_bytes, elapsed);
        row->closed_rate = rate(row->closed, sums->closed, elapsed);
        row->net_bytes_rate = (int64_t)(((__int128)row->net_bytes - net) * NSEC_PER_SEC / (__int128)elapsed);
}
