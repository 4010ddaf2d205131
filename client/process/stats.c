/* SPDX-License-Identifier: MIT */
/*
 * spanalloc_stats(): what the process could not record, summed over the lanes of the current segment.
 */
#include <errno.h>
#include <string.h>

#include "client/gate/api.h"
#include "client/process/library.h"
#include "client/segment/attachments.h"

#define EXPORT __attribute__((visibility("default")))

static void add_lanes(struct spanalloc_stats *s, struct sa_attachment *a) {
        uint32_t n = atomic_load(&a->header->lanes_claimed);

        for (uint32_t i = 0; i < n && i < a->geometry.lane_capacity; i++) {
                const struct shm_lane *lane = sa_lane_at(a, i);
                const struct shm_refused *r;

                if (!lane)
                        continue;
                r = &lane->refused;
                s->refused_enters += shm_load(r->enters);
                s->refused_depth += shm_load(r->enters_depth);
                s->refused_opens += shm_load(r->opens);
                s->refused_closes += shm_load(r->closes);
                s->unmatched_exits += shm_load(r->exits);
                s->nested += shm_load(r->nested);
                s->waits += shm_load(r->waits);
                s->doorbells += shm_load(r->doorbells);
        }
}

static uint32_t quiet_reason(void) {
        switch (sa_quiet()) {
        case SA_NOT_QUIET:
                return 0;
        case SA_QUIET_INSTALLED:
        case SA_QUIET_STRICT:
                return SPANALLOC_QUIET_INSTALLED;
        case SA_QUIET_INHERITED:
                return SPANALLOC_QUIET_INHERITED;
        case SA_QUIET_SEEN:
                break;
        }
        return SPANALLOC_QUIET_SEEN;
}

/* True if a quiet process has no collector, and so will never have one. */
static bool is_cut_off(void) {
        return sa_quiet() && (!atomic_load(&sa_gate.epoch) || sa_is_stale());
}

static void fill(struct spanalloc_stats *out) {
        struct spanalloc_stats s = {
                .size = out->size,
                .attached = atomic_load(&sa_gate.epoch) != 0,
                .attach_error = is_cut_off() ? -EPERM : atomic_load(&sa_root.attach_error),
                .attach_attempts = atomic_load(&sa_root.attach_attempts),
                .threads = atomic_load(&sa_root.threads),
                .refused_threads = atomic_load(&sa_root.refused_threads),
                .other_names = atomic_load(&sa_root.other_names),
                .other_paths = atomic_load(&sa_root.other_paths),
                .truncated_names = atomic_load(&sa_root.truncated_names),
                .quiet = quiet_reason(),
                .abandoned = atomic_load(&sa_root.abandoned),
        };
        struct sa_attachment *a;
        uint32_t epoch;

        if (out->size < sizeof out->size)
                return;
        a = sa_attachment_get(&epoch);
        if (a) {
                add_lanes(&s, a);
                sa_attachment_put(a);
        }
        memcpy(out, &s, out->size < sizeof s ? out->size : sizeof s);
}

EXPORT void spanalloc_stats(struct spanalloc_stats *out) {
        const struct sa_api *api = sa_forward();

        if (api)
                api->stats(out);
        else
                fill(out);
}
