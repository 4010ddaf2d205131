#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/top_model.h"
#include "ctl/top_rates.h"
#include "ctl/top_read.h"

struct top_model {
        struct table *table;     /* the latest answer; rows borrow its text */
        struct top_rates before; /* the sums of this answer, for the rates of the next one */
        struct top_row *all;     /* a row for each of the table */
        size_t n_all;
        struct top_row *shown; /* copies: filtered, grouped, sorted; room for n_all */
        size_t n_shown;
        struct top_summary summary;
        enum top_column sort;
        bool descending, by_unit;
        char filter[128];
        size_t visible, selected, first;
};

int top_model_new(struct top_model **ret) {
        struct top_model *model = calloc(1, sizeof(*model));

        if (!model)
                return -ENOMEM;
        model->visible = SIZE_MAX;
        top_model_sort(model, TOP_ALLOC_RATE);
        *ret = model;
        return 0;
}

struct top_model *top_model_free(struct top_model *model) {
        if (model) {
                top_rates_deinit(&model->before);
                table_free(model->table);
                free(model->all);
                free(model->shown);
                free(model);
        }
        return NULL;
}

/* -------------------------------------------------------------------------------------------- sorting -- */

static int compare_uint(uint64_t a, uint64_t b) {
        return (a > b) - (a < b);
}

static int compare_int(int64_t a, int64_t b) {
        return (a > b) - (a < b);
}

static int compare_by(enum top_column column, const struct top_row *a, const struct top_row *b) {
        switch (column) {
        case TOP_UNIT:
                return strcmp(a->unit, b->unit);
        case TOP_PID:
                return compare_uint(a->pid, b->pid);
        case TOP_SPAN:
                return strcmp(a->span, b->span);
        case TOP_ALLOC_RATE:
                return compare_uint(a->alloc_bytes_rate, b->alloc_bytes_rate);
        case TOP_ALLOCS_RATE:
                return compare_uint(a->alloc_count_rate, b->alloc_count_rate);
        case TOP_NET_RATE:
                return compare_int(a->net_bytes_rate, b->net_bytes_rate);
        case TOP_ALLOC:
                return compare_uint(a->alloc_bytes, b->alloc_bytes);
        case TOP_NET:
                return compare_int(a->net_bytes, b->net_bytes);
        case TOP_OPEN:
                return compare_uint(a->open, b->open);
        case TOP_CALLS_RATE:
                return compare_uint(a->closed_rate, b->closed_rate);
        case TOP_P99:
                return compare_uint(a->p99, b->p99);
        case TOP_QUALITY:
                return compare_uint(a->quality, b->quality);
        case TOP_COLUMNS:
                break;
        }
        return 0;
}

/* Ties go by what was allocated, then in an order that does not change from screen to screen. */
static int compare_rows(const void *a, const void *b, void *userdata) {
        const struct top_model *model = userdata;
        const struct top_row *x = a, *y = b;
        int order = compare_by(model->sort, x, y);

        if (order)
                return model->descending ? -order : order;
        order = compare_uint(y->alloc_bytes, x->alloc_bytes);
        if (!order)
                order = compare_uint(x->process, y->process);
        return order ? order : strcmp(x->span, y->span);
}

/* --------------------------------------------------------------------------------- filter and grouping -- */

static bool matches(const struct top_model *model, const struct top_row *row) {
        const char *text = model->filter;

        return !*text || strcasestr(row->span, text) || strcasestr(row->path, text) || strcasestr(row->unit, text);
}

static void add_row(struct top_row *sum, const struct top_row *row) {
        sum->processes += row->processes;
        sum->alloc_count += row->alloc_count;
        sum->alloc_bytes += row->alloc_bytes;
        sum->open += row->open;
        sum->closed += row->closed;
        sum->net_bytes += row->net_bytes;
        sum->alloc_count_rate += row->alloc_count_rate;
        sum->alloc_bytes_rate += row->alloc_bytes_rate;
        sum->closed_rate += row->closed_rate;
        sum->net_bytes_rate += row->net_bytes_rate;
        sum->rated &= row->rated;
        if (row->p99 > sum->p99)
                sum->p99 = row->p99;
        if (row->quality > sum->quality)
                sum->quality = row->quality;
}

static int compare_groups(const void *a, const void *b) {
        const struct top_row *x = a, *y = b;
        int order = strcmp(x->unit, y->unit);

        return order ? order : strcmp(x->span, y->span);
}

static void group(struct top_model *model) {
        size_t n = 0;

        qsort(model->shown, model->n_shown, sizeof(*model->shown), compare_groups);
        for (size_t i = 0; i < model->n_shown; i++)
                if (n && compare_groups(&model->shown[n - 1], &model->shown[i]) == 0)
                        add_row(&model->shown[n - 1], &model->shown[i]);
                else
                        model->shown[n++] = model->shown[i];
        model->n_shown = n;
}

static void keep_selection_inside(struct top_model *model) {
        size_t last = model->n_shown ? model->n_shown - 1 : 0;
        size_t visible = model->visible ? model->visible : 1;

        if (model->selected > last)
                model->selected = last;
        if (model->first > model->selected)
                model->first = model->selected;
        if (model->selected - model->first >= visible)
                model->first = model->selected - visible + 1;
        /* No empty lines at the end while there are rows above. */
        if (model->n_shown <= visible)
                model->first = 0;
        else if (model->first > model->n_shown - visible)
                model->first = model->n_shown - visible;
}

static void rebuild(struct top_model *model) {
        model->n_shown = 0;
        for (size_t i = 0; i < model->n_all; i++)
                if (matches(model, &model->all[i]))
                        model->shown[model->n_shown++] = model->all[i];
        if (model->by_unit)
                group(model);
        if (model->n_shown)
                qsort_r(model->shown, model->n_shown, sizeof(*model->shown), compare_rows, model);
        keep_selection_inside(model);
}

/* --------------------------------------------------------------------------------------------- feeding -- */

int top_model_feed(struct top_model *model, struct table *spans, const struct table *processes,
                   const struct table *status) {
        struct top_row *all = calloc(spans->row_count + 1, sizeof(*all));
        struct top_row *shown = calloc(spans->row_count + 1, sizeof(*shown));
        struct top_rates now = {0};
        int r = all && shown ? top_read_rows(all, spans, processes) : -ENOMEM;

        if (r == 0)
                r = top_rates_init(&now, all, spans->row_count, spans->time_ns);
        if (r < 0) {
                free(all);
                free(shown);
                table_free(spans);
                return r;
        }
        for (size_t i = 0; i < spans->row_count; i++)
                top_rates_fill(&model->before, &all[i], spans->time_ns);
        top_rates_deinit(&model->before);
        free(model->all);
        free(model->shown);
        table_free(model->table);
        model->before = now;
        model->table = spans;
        model->all = all;
        model->n_all = spans->row_count;
        model->shown = shown;
        model->summary = top_read_summary(spans->time_ns, processes, status);
        rebuild(model);
        return 0;
}

void top_model_forget(struct top_model *model) {
        top_rates_deinit(&model->before);
}

/* --------------------------------------------------------------------------------------------- reading -- */

const struct top_summary *top_model_summary(const struct top_model *model) {
        return &model->summary;
}

const struct table *top_model_table(const struct top_model *model) {
        return model->table;
}

size_t top_model_count(const struct top_model *model) {
        return model->n_shown;
}

const struct top_row *top_model_row(const struct top_model *model, size_t index) {
        return index < model->n_shown ? &model->shown[index] : NULL;
}

/* -------------------------------------------------------------------------------------------- settings -- */

void top_model_sort(struct top_model *model, enum top_column column) {
        model->sort = column;
        model->descending = column != TOP_UNIT && column != TOP_PID && column != TOP_SPAN;
        rebuild(model);
}

void top_model_invert(struct top_model *model) {
        top_model_set_descending(model, !model->descending);
}

void top_model_set_descending(struct top_model *model, bool descending) {
        model->descending = descending;
        rebuild(model);
}

enum top_column top_model_sorted_by(const struct top_model *model) {
        return model->sort;
}

bool top_model_is_descending(const struct top_model *model) {
        return model->descending;
}

int top_model_find_column(const char *spans_column) {
        static const char *const names[TOP_COLUMNS] = {
                [TOP_UNIT] = "unit",
                [TOP_PID] = "pid",
                [TOP_SPAN] = "span",
                [TOP_ALLOC_RATE] = "alloc_bytes_rate_10s",
                [TOP_ALLOCS_RATE] = "alloc_count",
                [TOP_ALLOC] = "alloc_bytes",
                [TOP_NET] = "net_bytes",
                [TOP_OPEN] = "open",
                [TOP_CALLS_RATE] = "closed",
                [TOP_P99] = "per_call",
                [TOP_QUALITY] = "quality",
        };

        for (int i = 0; i < TOP_COLUMNS; i++)
                if (names[i] && !strcmp(names[i], spans_column))
                        return i;
        return -1;
}

void top_model_filter(struct top_model *model, const char *text) {
        model->filter[0] = '\0';
        strncat(model->filter, text, sizeof(model->filter) - 1);
        rebuild(model);
}

const char *top_model_filter_text(const struct top_model *model) {
        return model->filter;
}

void top_model_group(struct top_model *model, bool by_unit) {
        model->by_unit = by_unit;
        rebuild(model);
}

bool top_model_is_grouped(const struct top_model *model) {
        return model->by_unit;
}

void top_model_set_visible(struct top_model *model, size_t visible) {
        model->visible = visible;
        keep_selection_inside(model);
}

void top_model_move(struct top_model *model, long rows) {
        size_t last = model->n_shown ? model->n_shown - 1 : 0;

        if (rows < 0)
                model->selected = (size_t)-rows > model->selected ? 0 : model->selected - (size_t)-rows;
        else
                model->selected = (size_t)rows > last - model->selected ? last : model->selected + (size_t)rows;
        keep_selection_inside(model);
}

size_t top_model_selected(const struct top_model *model) {
        return model->selected;
}

size_t top_model_first(const struct top_model *model) {
        return model->first;
}
