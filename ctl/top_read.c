#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/counting.h"
#include "ctl/top_read.h"

/* Where the columns are in this answer; looked up once, because there may be very many rows. */
struct places {
        int unit, span, path, process, pid, alloc_count, alloc_bytes, open, closed, net_bytes, quality, per_call;
};

static struct places find_places(const struct table *table) {
        return (struct places){
                .unit = table_column(table, "unit"),
                .span = table_column(table, "span"),
                .path = table_column(table, "path"),
                .process = table_column(table, "process"),
                .pid = table_column(table, "pid"),
                .alloc_count = table_column(table, "alloc_count"),
                .alloc_bytes = table_column(table, "alloc_bytes"),
                .open = table_column(table, "open"),
                .closed = table_column(table, "closed"),
                .net_bytes = table_column(table, "net_bytes"),
                .quality = table_column(table, "quality"),
                .per_call = table_column(table, "per_call"),
        };
}

static uint64_t uint_at(const struct table *table, size_t row, int column) {
        const struct table_cell *cell = table_at(table, row, column);

        return cell && cell->type == WIRE_COLUMN_UINT ? cell->u : 0;
}

static int64_t int_at(const struct table *table, size_t row, int column) {
        const struct table_cell *cell = table_at(table, row, column);

        return cell && cell->type == WIRE_COLUMN_INT ? cell->i : 0;
}

static const char *text_at(const struct table *table, size_t row, int column) {
        const struct table_cell *cell = table_at(table, row, column);

        return cell && cell->type == WIRE_COLUMN_TEXT ? cell->text : "";
}

static uint64_t p99_at(const struct table *table, size_t row, int column) {
        const struct table_cell *cell = table_at(table, row, column);

        return cell && cell->type == WIRE_COLUMN_MAP ? table_map_uint(&cell->map, "p99") : 0;
}

static enum top_quality parse_quality(const char *text) {
        static const char *const names[] = {
                [TOP_EXACT] = "exact",
                [TOP_MIGRATED] = "migrated",
                [TOP_LOST] = "lost",
                [TOP_ESTIMATED] = "estimated",
        };

        for (int i = TOP_EXACT; i <= TOP_ESTIMATED; i++)
                if (!strcmp(names[i], text))
                        return (enum top_quality)i;
        return TOP_ESTIMATED;
}

static struct top_row read_row(const struct table *table, size_t row, const struct places *at) {
        return (struct top_row){
                .unit = text_at(table, row, at->unit),
                .span = text_at(table, row, at->span),
                .path = text_at(table, row, at->path),
                .process = uint_at(table, row, at->process),
                .pid = uint_at(table, row, at->pid),
                .processes = 1,
                .index = row,
                .alloc_count = uint_at(table, row, at->alloc_count),
                .alloc_bytes = uint_at(table, row, at->alloc_bytes),
                .open = uint_at(table, row, at->open),
                .closed = uint_at(table, row, at->closed),
                .net_bytes = int_at(table, row, at->net_bytes),
                .p99 = p99_at(table, row, at->per_call),
                .quality = parse_quality(text_at(table, row, at->quality)),
        };
}

static int compare_numbers(const void *a, const void *b) {
        uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

        return (x > y) - (x < y);
}

/* The processes whose heap nobody counts, sorted. */
static size_t find_uncounted(const struct table *processes, uint64_t *ret) {
        size_t n = 0;

        for (size_t row = 0; row < processes->row_count; row++)
                if (counting_is_missing(table_text(processes, row, "counting")))
                        ret[n++] = table_uint(processes, row, "process");
        qsort(ret, n, sizeof(*ret), compare_numbers);
        return n;
}

int top_read_rows(struct top_row *rows, const struct table *spans, const struct table *processes) {
        struct places places = find_places(spans);
        uint64_t *uncounted = calloc(processes->row_count + 1, sizeof(*uncounted));
        size_t n;

        if (!uncounted)
                return -ENOMEM;
        n = find_uncounted(processes, uncounted);
        for (size_t i = 0; i < spans->row_count; i++) {
                rows[i] = read_row(spans, i, &places);
                if (n && bsearch(&rows[i].process, uncounted, n, sizeof(*uncounted), compare_numbers))
                        rows[i].quality = TOP_UNCOUNTED;
        }
        free(uncounted);
        return 0;
}

struct top_summary top_read_summary(uint64_t time_ns, const struct table *processes, const struct table *status) {
        struct top_summary summary = {
                .time_ns = time_ns,
                .processes = table_uint(status, 0, "processes"),
                .threads = table_uint(status, 0, "threads"),
                .records_rate = table_uint(status, 0, "records_rate"),
                .refused = table_uint(status, 0, "refused"),
        };
        unsigned __int128 all = 0, lost = 0;

        for (size_t row = 0; row < processes->row_count; row++) {
                all += table_uint(processes, row, "alloc_bytes");
                lost += table_uint(processes, row, "lost_alloc_bytes");
                summary.uncounted += table_bool(processes, row, "alive") &&
                                     counting_is_missing(table_text(processes, row, "counting"));
        }
        summary.coverage_ppm = all ? (uint64_t)((all - (lost < all ? lost : all)) * 1000000 / all) : 1000000;
        return summary;
}
