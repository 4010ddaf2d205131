/* SPDX-License-Identifier: MIT */
/*
 * What others want to know of a drain, and the few things that they may ask of it.
 */
#include "daemon/drain/drain_private.h"

bool drain_is_abandoned(const struct drain *drain) {
        uint32_t n = drain->reader.lanes;

        for (uint32_t i = 0; i < n; i++)
                if (segment_is_alive(&drain->reader, i))
                        return false;
        return n > 0 && !drain_has_new_lanes(drain);
}

bool drain_was_left(const struct drain *drain) {
        uint32_t n = drain_claimed(drain);

        for (uint32_t i = 0; i < n; i++)
                if (segment_was_left(&drain->reader, i) || segment_is_alive(&drain->reader, i))
                        return true;
        return false;
}

bool drain_has_lanes(const struct drain *drain) {
        return drain_claimed(drain) > 0;
}

uint32_t drain_threads(const struct drain *drain) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < drain->reader.lanes; i++)
                n += segment_is_alive(&drain->reader, i);
        return n;
}

uint32_t drain_lanes(const struct drain *drain) {
        return drain->reader.lanes;
}

enum shm_counting drain_counting(const struct drain *drain) {
        return segment_counting(&drain->reader);
}

uint64_t drain_refused(const struct drain *drain) {
        uint64_t threads;
        const struct shm_refused *r = books_refused(drain->books, &threads);

        return r->enters + r->enters_depth + r->opens + r->closes;
}

uint64_t drain_refused_threads(const struct drain *drain) {
        uint32_t claimed = segment_claimed(&drain->reader), read = drain_claimed(drain);
        uint64_t refused;

        (void)books_refused(drain->books, &refused);
        /* Threads that the client had no lane for, and lanes beyond its user's share.  A lane that was claimed since the
         * last look is neither. */
        return refused + (claimed > read && claimed <= books_limits(drain->books)->lanes ? claimed - read : 0);
}

uint64_t drain_activity(const struct drain *drain) {
        return segment_activity(&drain->reader);
}

bool drain_thread(const struct drain *drain, uint32_t lane, uint32_t *ret_tid) {
        if (lane >= drain->reader.lanes)
                return false;
        *ret_tid = segment_tid(&drain->reader, lane);
        return true;
}

const uint32_t *drain_bell(const struct drain *drain) {
        return segment_bell(&drain->reader);
}

void drain_ask_doorbell(struct drain *drain) {
        for (uint32_t i = 0; i < drain->reader.lanes; i++)
                if (segment_is_alive(&drain->reader, i))
                        segment_attend(&drain->reader, i, SHM_ATTENTION_DOORBELL);
}

void drain_set_filters(struct drain *drain, uint32_t filters) {
        segment_set_filters(&drain->reader, filters);
}

uint32_t drain_filters(const struct drain *drain) {
        return segment_filters(&drain->reader);
}

bool drain_exec(const struct drain *drain, uint32_t count, struct shm_exec *ret) {
        return segment_exec(&drain->reader, count, ret);
}

void drain_tell_look(struct drain *drain, bool seen) {
        segment_tell_look(&drain->reader, seen);
}

const char *drain_fault(const struct drain *drain) {
        return drain->reader.fault;
}
