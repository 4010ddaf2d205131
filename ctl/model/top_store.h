/* SPDX-License-Identifier: MIT */
/*
 * The state of each row from answer to answer: its sums, its rates, its last minutes.
 *
 * A row has a slot as long as it is in every answer; (process, key) says which row it is.  Rows come in nearly the same
 * order each time, so the slot after the last one is tried before the index is searched.  Pure: no clock, no system
 * call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TOP_HISTORY = 120 }; /* refreshes that are remembered */
#define TOP_NONE UINT32_MAX

/* In this order each is worse than the one before. */
enum top_quality {
        TOP_EXACT,
        TOP_MIGRATED,
        TOP_LOST,
        TOP_ESTIMATED,
        TOP_MIXED,
        TOP_PARTIAL,  /* of a sum: one of its processes runs and is not counted */
        TOP_UNCOUNTED /* its sums say nothing */
};

struct top_sums {
        uint64_t alloc_count, alloc_bytes, closed, open;
        int64_t net_bytes;
        uint64_t p99;   /* bytes */
        bool has_p99;   /* it was asked for */
        uint64_t calls; /* closed spans whose net is in calls_net; 0: none, or it was not asked for */
        int64_t calls_net;
        uint64_t busy_ns, timed_calls, timed_calls_ns;
        bool has_time; /* the three were asked for */
        enum top_quality quality;
};

/* The net bytes of a closed span, on average.  False: there is none. */
static inline bool top_sums_net_per_call(const struct top_sums *sums, int64_t *ret) {
        if (!sums->calls || sums->calls > INT64_MAX)
                return false;
        *ret = sums->calls_net / (int64_t)sums->calls;
        return true;
}

struct top_rates {
        bool known;                                /* there was an answer before this one */
        uint64_t alloc_count, alloc_bytes, closed; /* a second */
        int64_t net_bytes;
        uint64_t busy_ns;                     /* a second */
        bool busy_known;                      /* it was asked for in both answers */
        uint64_t timed_calls, timed_calls_ns; /* between the two answers, or all where none ended there */
};

struct top_slot {
        uint64_t process;
        uint32_t key, parent_key;
        uint32_t member;  /* which of the processes of the latest answer; TOP_NONE: none of them */
        uint32_t seen;    /* number of the answer that had it */
        uint32_t born;    /* number of the first answer that had it */
        uint32_t matched; /* number of the last filter that was applied to it */
        bool matches;     /* that filter accepted it */
        bool used;
        bool still;               /* unchanged since the answer before the latest: its rates are filled in already */
        bool uncounted;           /* the heap of its process is not counted */
        enum top_quality quality; /* as it came */
        uint16_t span_width;      /* columns of a terminal */
        char *span, *path;        /* owned */
        struct top_sums sums;
        struct top_rates rates;
};

struct top_store {
        struct top_slot *slots;
        uint32_t capacity;
        uint32_t *free_slots, n_free, n_used;
        uint32_t *order, *order_before; /* slots in the order of the latest answer, and of the one before */
        uint32_t n, n_before, room, room_before;
        uint32_t *index, index_mask; /* (process, key) to slot + 1 */
        uint32_t answers;            /* number of the latest */
        uint32_t carried;            /* of order_before: where the next process to be carried over may be */
        uint64_t answer; /* the collector's number of the latest; 0: it has none, or not all rows are known */
        uint32_t texts;  /* rises when rows come, go or change their text */
        uint64_t time_ns, time_before_ns;
        float *allocated[TOP_HISTORY], *net[TOP_HISTORY]; /* bytes a second; net bytes */
};

/* What a sum and a net grew by, in a second. */
uint64_t top_store_rate(uint64_t now, uint64_t before, uint64_t elapsed_ns);
int64_t top_store_net_rate(int64_t now, int64_t before, uint64_t elapsed_ns);

void top_store_deinit(struct top_store *store);
/* Forgets all rows: earlier sums cannot be compared with the next ones. */
void top_store_forget(struct top_store *store);

/* An answer: begin, a put for each row, end.  0 or -ENOMEM; after that, forget. */
void top_store_begin(struct top_store *store, uint64_t time_ns);
/* The slot of the row; TOP_NONE: it is new. */
uint32_t top_store_find(const struct top_store *store, uint64_t process, uint32_t key);
struct top_slot *top_store_put(struct top_store *store, uint64_t process, uint32_t key, const struct top_sums *sums,
                               const char *span, const char *path);
/* Instead of a put and top_slot_belong() for each of them: the rows of that process as the answer before had them.  In
 * each answer processes ascend. */
int top_store_carry(struct top_store *store, uint64_t process, uint32_t member, bool uncounted);
int top_store_end(struct top_store *store);

/* Sets the process of the row, an index into the latest answer to `ps`. */
static inline void top_slot_belong(struct top_slot *slot, uint32_t member, bool uncounted) {
        slot->member = member;
        if (slot->uncounted != uncounted)
                slot->sums.quality = uncounted ? TOP_UNCOUNTED : slot->quality;
        slot->uncounted = uncounted;
}

/* The slots of the latest answer, in its order. */
static inline struct top_slot *top_store_at(const struct top_store *store, uint32_t i) {
        return &store->slots[store->order[i]];
}

/* History: `back` answers ago, 0 the latest.  False: not known. */
bool top_store_history(const struct top_store *store, uint32_t slot, uint32_t back, double *ret_allocated,
                       double *ret_net);
