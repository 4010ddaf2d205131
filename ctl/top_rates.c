#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/top_rates.h"

#define NSEC_PER_SEC 1000000000

void top_rates_deinit(struct top_rates *rates) {
        table_free(rates->table);
        free(rates->order);
        *rates = (struct top_rates){0};
}

static int compare(const struct table *table, uint32_t row, uint64_t process, const char *span) {
        uint64_t other = table_uint(table, row, "process");

        if (other != process)
                return other < process ? -1 : 1;
        return strcmp(table_text(table, row, "span"), span);
}

static int compare_rows(const void *a, const void *b, void *userdata) {
        const struct table *table = userdata;
        uint32_t other = *(const uint32_t *)b;

        return compare(table, *(const uint32_t *)a, table_uint(table, other, "process"),
                       table_text(table, other, "span"));
}

int top_rates_set(struct top_rates *rates, struct table *table) {
        uint32_t *order = calloc(table->row_count + 1, sizeof(*order));

        top_rates_deinit(rates);
        if (!order) {
                table_free(table);
                return -ENOMEM;
        }
        for (uint32_t i = 0; i < table->row_count; i++)
                order[i] = i;
        qsort_r(order, table->row_count, sizeof(*order), compare_rows, table);
        rates->table = table;
        rates->order = order;
        return 0;
}

static ssize_t find(const struct top_rates *rates, uint64_t process, const char *span) {
        size_t low = 0, high = rates->table->row_count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = compare(rates->table, rates->order[middle], process, span);

                if (order == 0)
                        return rates->order[middle];
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return -1;
}

/* Sums that fell were reset in between: what is there now has come since. */
static uint64_t rate(uint64_t now, uint64_t before, uint64_t elapsed_ns) {
        uint64_t difference = now >= before ? now - before : now;

        return (uint64_t)((unsigned __int128)difference * NSEC_PER_SEC / elapsed_ns);
}

void top_rates_fill(const struct top_rates *before, struct top_row *row, uint64_t time_ns) {
        const struct table *table = before->table;
        uint64_t counts = 0, bytes = 0, closed = 0, elapsed;
        int64_t net = 0;
        ssize_t i;

        if (!table || time_ns <= table->time_ns)
                return;
        elapsed = time_ns - table->time_ns;
        i = find(before, row->process, row->span);
        if (i >= 0) {
                counts = table_uint(table, (size_t)i, "alloc_count");
                bytes = table_uint(table, (size_t)i, "alloc_bytes");
                closed = table_uint(table, (size_t)i, "closed");
                net = table_int(table, (size_t)i, "net_bytes");
        }
        if (row->alloc_count < counts)
                net = 0;
        row->rated = true;
        row->alloc_count_rate = rate(row->alloc_count, counts, elapsed);
        row->alloc_bytes_rate = rate(row->alloc_bytes, bytes, elapsed);
        row->closed_rate = rate(row->closed, closed, elapsed);
        row->net_bytes_rate = (int64_t)((__int128)(row->net_bytes - net) * NSEC_PER_SEC / elapsed);
}
