/* SPDX-License-Identifier: MIT */
/*
 * Rows side by side: each by itself, or summed by unit or name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/model/top_list.h"

struct top_store *top_list_store(struct top_model *model) {
        return model->shape == TOP_TREE ? &model->tree : &model->flat;
}

int top_list_make_room(struct top_model *model, size_t rows) {
        size_t room = rows + rows / 4 + 64;

        if (rows <= model->room)
                return 0;
        free(model->items);
        free(model->ordered);
        free(model->spare);
        free(model->sums);
        free(model->scratch);
        model->items = calloc(room, sizeof(*model->items));
        model->ordered = calloc(room, sizeof(*model->ordered));
        model->spare = calloc(room, sizeof(*model->spare));
        model->sums = calloc(room, sizeof(*model->sums));
        model->scratch = calloc(4 * room, sizeof(*model->scratch));
        model->room = room;
        if (model->items && model->ordered && model->spare && model->sums && model->scratch)
                return 0;
        model->room = model->n_items = 0;
        return -ENOMEM;
}

/* ------------------------------------------------------------------------------------------------ rows -- */

static void forget_bytes(struct top_row *row) {
        row->sums.alloc_count = row->sums.alloc_bytes = row->sums.p99 = 0;
        row->sums.net_bytes = row->rates.net_bytes = row->sums.calls_net = 0;
        row->sums.calls = 0;
        row->rates.alloc_count = row->rates.alloc_bytes = 0;
}

void top_list_fill(const struct top_model *model, const struct top_slot *slot, struct top_row *ret) {
        const struct top_store *store = model->shape == TOP_TREE ? &model->tree : &model->flat;
        const struct top_member *member = slot->member == TOP_NONE ? NULL : &model->members.rows[slot->member];

        *ret = (struct top_row){
                .kind = TOP_ROW_SPAN,
                .unit = member ? member->unit : "",
                .comm = member ? member->comm : "",
                .span = slot->span ? slot->span : "",
                .path = slot->path ? slot->path : "",
                .process = slot->process,
                .pid = member ? member->pid : 0,
                .processes = 1,
                .timed = member && member->timed,
                .ended = member && member->ended,
                .slot = (uint32_t)(slot - store->slots),
                .key = slot->key,
                .sums = slot->sums,
                .rates = slot->rates,
        };
        if (ret->sums.quality == TOP_UNCOUNTED)
                forget_bytes(ret);
}

/* A process that ended, and was not counted, takes nothing from the others' sums; one that runs does. */
static enum top_quality worse(const struct top_row *sum, const struct top_row *row) {
        enum top_quality a = sum->sums.quality, b = row->sums.quality;

        if (!sum->processes)
                return b;
        if (a == TOP_UNCOUNTED && b != TOP_UNCOUNTED)
                return sum->ended || b > TOP_PARTIAL ? b : TOP_PARTIAL;
        if (b == TOP_UNCOUNTED && a != TOP_UNCOUNTED)
                return row->ended || a > TOP_PARTIAL ? a : TOP_PARTIAL;
        return a > b ? a : b;
}

void top_list_add(struct top_row *sum, const struct top_row *row) {
        sum->sums.quality = worse(sum, row);
        if (!sum->processes++)
                sum->rates.known = sum->timed = sum->ended = true;
        sum->ended &= row->ended;
        sum->sums.alloc_count += row->sums.alloc_count;
        sum->sums.alloc_bytes += row->sums.alloc_bytes;
        sum->sums.open += row->sums.open;
        sum->sums.closed += row->sums.closed;
        if (!row->ended) /* it has no memory any more */
                sum->sums.net_bytes += row->sums.net_bytes;
        sum->sums.busy_ns += row->sums.busy_ns;
        sum->timed &= row->timed || row->ended;
        sum->rates.known &= row->rates.known;
        sum->rates.alloc_count += row->rates.alloc_count;
        sum->rates.alloc_bytes += row->rates.alloc_bytes;
        sum->rates.closed += row->rates.closed;
        sum->rates.net_bytes += row->rates.net_bytes;
        sum->rates.busy_ns += row->rates.busy_ns;
        sum->rates.busy_known |= row->rates.busy_known;
        sum->sums.has_p99 |= row->sums.has_p99;
        sum->sums.calls += row->sums.calls;
        sum->sums.calls_net += row->sums.calls_net;
        sum->rates.timed_calls += row->rates.timed_calls;
        sum->rates.timed_calls_ns += row->rates.timed_calls_ns;
        if (row->sums.p99 > sum->sums.p99)
                sum->sums.p99 = row->sums.p99;
}

static uint64_t mix(uint64_t h, const char *text) {
        for (; *text; text++)
                h = (h ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
        return h * UINT64_C(0x9e3779b97f4a7c15);
}

uint64_t top_list_identity(const struct top_row *row) {
        uint64_t h = UINT64_C(0xcbf29ce484222325) + row->kind;

        switch (row->kind) {
        case TOP_ROW_SPAN:
                return (h ^ row->process << 20) * UINT64_C(0x9e3779b97f4a7c15) + row->key;
        case TOP_ROW_PROCESS:
                return (h ^ row->process) * UINT64_C(0xc2b2ae3d27d4eb4f);
        case TOP_ROW_UNIT:
                return mix(h, row->unit);
        case TOP_ROW_GROUP:
                return mix(mix(h, row->unit), row->span);
        case TOP_ROW_NAME:
                return mix(h, row->span);
        }
        return h;
}

bool top_list_contains(const char *text, const char *part) {
        return text && strcasestr(text, part);
}

bool top_list_fits_filter(const struct top_model *model, struct top_slot *slot) {
        struct top_row row;

        if (!*model->filter)
                return true;
        if (slot->matched != model->filter_number) {
                top_list_fill(model, slot, &row);
                slot->matched = model->filter_number;
                slot->matches = top_list_contains(row.span, model->filter) ||
                                top_list_contains(row.path, model->filter) ||
                                top_list_contains(row.unit, model->filter) ||
                                top_list_contains(row.comm, model->filter);
        }
        return slot->matches;
}

bool top_list_matches(const struct top_model *model, struct top_slot *slot) {
        if (model->hide_ended && slot->member != TOP_NONE && model->members.rows[slot->member].ended)
                return false;
        return top_list_fits_filter(model, slot);
}

bool top_list_is_folded(const struct top_model *model, uint64_t identity) {
        for (size_t i = 0; i < model->n_folds; i++)
                if (model->folds[i] == identity)
                        return true;
        return false;
}

/* --------------------------------------------------------------------------------------------- sorting -- */

/* Without a number it is below all others. */
static uint64_t rank_of_net_per_call(const struct top_sums *sums) {
        int64_t net;

        return top_sums_net_per_call(sums, &net) ? radix_key_of_int(net) : 0;
}

static uint64_t plain_rank(enum top_column column, uint64_t pid, const struct top_sums *sums,
                           const struct top_rates *rates) {
        switch (column) {
        case TOP_PROCESS:
                return pid;
        case TOP_ALLOC_RATE:
                return rates->alloc_bytes;
        case TOP_ALLOCS_RATE:
                return rates->alloc_count;
        case TOP_NET_RATE:
                return radix_key_of_int(rates->net_bytes);
        case TOP_ALLOC:
                return sums->alloc_bytes;
        case TOP_NET:
                return radix_key_of_int(sums->net_bytes);
        case TOP_NET_CALL:
                return rank_of_net_per_call(sums);
        case TOP_OPEN:
                return sums->open;
        case TOP_CALLS_RATE:
                return rates->closed;
        case TOP_P99:
                return sums->p99;
        case TOP_TIME:
                return rates->timed_calls ? rates->timed_calls_ns / rates->timed_calls : 0;
        case TOP_BUSY:
                return rates->busy_ns;
        case TOP_QUALITY:
                return sums->quality;
        default:
                return 0;
        }
}

uint64_t top_list_rank(const struct top_model *model, const struct top_row *row) {
        uint64_t rank = plain_rank(model->sort, row->pid, &row->sums, &row->rates);

        return model->descending ? ~rank : rank;
}

struct by_text {
        struct top_model *model;
        const struct top_row *(*row)(struct top_model *, uint32_t);
};

/* The rows of two items may share one buffer, so the text is copied before the other row is read. */
static int compare_text(const void *a, const void *b, void *userdata) {
        const struct radix_item *x = a, *y = b;
        const struct by_text *by = userdata;
        bool unit = by->model->sort == TOP_UNIT;
        const struct top_row *row = by->row(by->model, x->at);
        const char *left = unit ? row->unit : row->span;
        int order;

        row = by->row(by->model, y->at);
        order = strcmp(left, unit ? row->unit : row->span);
        if (by->model->descending)
                order = -order;
        return order ? order : x->key < y->key ? -1 : x->key > y->key;
}

static void sort_by_column(struct top_model *model, size_t count,
                           const struct top_row *(*row)(struct top_model *, uint32_t)) {
        struct by_text by = {model, row};

        for (size_t i = 0; i < count; i++)
                model->ordered[i].key = ~row(model, model->ordered[i].at)->sums.alloc_bytes;
        radix_sort(model->ordered, model->spare, count);
        if (model->sort == TOP_UNIT || model->sort == TOP_SPAN) {
                for (size_t i = 0; i < count; i++)
                        model->ordered[i].key = i;
                qsort_r(model->ordered, count, sizeof(*model->ordered), compare_text, &by);
                return;
        }
        for (size_t i = 0; i < count; i++)
                model->ordered[i].key = top_list_rank(model, row(model, model->ordered[i].at));
        radix_sort(model->ordered, model->spare, count);
}

/* Ended ones last, whatever the column is. */
void top_list_sort(struct top_model *model, size_t count, const struct top_row *(*row)(struct top_model *, uint32_t)) {
        sort_by_column(model, count, row);
        for (size_t i = 0; i < count; i++)
                model->ordered[i].key = row(model, model->ordered[i].at)->ended;
        radix_sort(model->ordered, model->spare, count);
}

/* ----------------------------------------------------------------------------------------------- flat -- */

static const struct top_row *slot_row(struct top_model *model, uint32_t item) {
        static _Thread_local struct top_row row;

        top_list_fill(model, &model->flat.slots[item], &row);
        return &row;
}

static const struct top_row *sum_row(struct top_model *model, uint32_t item) {
        return &model->sums[item];
}

/* Ranks of slots are read from where they are: there may be very many. */
static void sort_slots(struct top_model *model, size_t count) {
        for (int round = 0; round < 3; round++) {
                for (size_t i = 0; i < count; i++) {
                        const struct top_slot *slot = &model->flat.slots[model->ordered[i].at];
                        const struct top_member *member = slot->member == TOP_NONE ? NULL
                                                                                   : &model->members.rows[slot->member];
                        uint64_t rank;

                        rank = plain_rank(model->sort, member ? member->pid : 0, &slot->sums, &slot->rates);
                        model->ordered[i].key = round == 0   ? ~slot->sums.alloc_bytes
                                                : round == 1 ? (model->descending ? ~rank : rank)
                                                             : member && member->ended;
                }
                radix_sort(model->ordered, model->spare, count);
        }
}

static void take_items(struct top_model *model, size_t count, enum top_kind kind) {
        for (size_t i = 0; i < count; i++)
                model->items[i] = (struct top_item){.kind = kind, .index = model->ordered[i].at};
        model->n_items = count;
}

static size_t select_slots(struct top_model *model) {
        size_t n = 0;

        for (uint32_t i = 0; i < model->flat.n; i++)
                if (top_list_matches(model, top_store_at(&model->flat, i)))
                        model->ordered[n++].at = model->flat.order[i];
        return n;
}

static int compare_groups(const void *a, const void *b) {
        const struct top_row *x = a, *y = b;
        int order = x->kind == TOP_ROW_NAME ? 0 : strcmp(x->unit, y->unit);

        return order ? order : strcmp(x->span, y->span);
}

static size_t group(struct top_model *model, size_t count, enum top_kind kind) {
        size_t n = 0;

        for (size_t i = 0; i < count; i++) {
                top_list_fill(model, &model->flat.slots[model->ordered[i].at], &model->sums[i]);
                model->sums[i].kind = kind;
        }
        if (count)
                qsort(model->sums, count, sizeof(*model->sums), compare_groups);
        for (size_t i = 0; i < count; i++) {
                struct top_row row = model->sums[i];

                if (!n || compare_groups(&model->sums[n - 1], &row) != 0) {
                        model->sums[n] = row;
                        model->sums[n].processes = 0;
                        model->sums[n].sums = (struct top_sums){0};
                        model->sums[n++].rates = (struct top_rates){0};
                }
                if (strcmp(model->sums[n - 1].unit, row.unit) != 0)
                        model->sums[n - 1].unit = "";
                top_list_add(&model->sums[n - 1], &row);
        }
        for (size_t i = 0; i < n; i++)
                model->ordered[i].at = (uint32_t)i;
        model->n_sums = n;
        return n;
}

int top_list_build(struct top_model *model) {
        int r = top_list_make_room(model, model->flat.n);
        size_t n;

        if (r < 0)
                return r;
        n = select_slots(model);
        if (model->shape == TOP_BY_UNIT || model->shape == TOP_BY_NAME) {
                enum top_kind kind = model->shape == TOP_BY_UNIT ? TOP_ROW_GROUP : TOP_ROW_NAME;

                n = group(model, n, kind);
                top_list_sort(model, n, sum_row);
                take_items(model, n, kind);
                return 0;
        }
        if (model->sort == TOP_UNIT || model->sort == TOP_SPAN)
                top_list_sort(model, n, slot_row);
        else
                sort_slots(model, n);
        take_items(model, n, TOP_ROW_SPAN);
        return 0;
}
