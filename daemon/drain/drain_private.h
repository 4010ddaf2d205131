/* SPDX-License-Identifier: MIT */
/*
 * Inside the drain: its state, and what its files ask of one another.
 *
 *     drain.c           batches and passes: from the rings into the books
 *     lane_owners.c     the owner of a lane, and counts that its last thread had not reported
 *     live_counters.c   live counters, dead threads, the end of a process
 *     drain_facts.c     answers about a drain
 */
#pragma once

#include "daemon/attribution/frames.h"
#include "daemon/books/open_spans.h"
#include "daemon/drain/drain.h"
#include "daemon/drain/segment_reader.h"

struct drain {
        struct segment_reader reader;
        struct books *books;
        uint64_t *released;                /* for each lane, the position that its producer knows */
        uint64_t (*booked)[SHM_COUNTERS];  /* for each lane, the booked counters that its producer knows */
        uint64_t *targets;                 /* heads of the second look */
        uint32_t changed_from, changed_to; /* lanes, of which this batch may have changed some */
        uint64_t peak_ns;                  /* when drain_note_peak() last read the counters */
        uint32_t *closes;                  /* slots of the overflow list that were taken in this batch */
        uint32_t close_count;
        uint32_t lanes_wanted; /* lanes that this pass, with those that go on with it, has to meet */
        uint32_t first;        /* the lane with which the next first look begins */
        uint32_t target_count; /* lanes of a second look that is not at its end; 0: none is */
        uint32_t heads_read;   /* of the second look's lanes, whose targets are known */
        uint32_t next_partial; /* the lane with which note_partials() goes on */
        uint32_t settled;      /* lanes, of a round of settling that is not at its end; 0: none is */
        uint64_t rounds;       /* of settling, that are at their ends */
        uint64_t slice;        /* records that this call may still drain */
        bool is_applying;      /* the second look's closes; all of its records are drained */
        bool is_finishing;     /* the process is dead: its user's share does not count */
        uint64_t now_ns;
        uint64_t moved, moved_ns; /* what is refused and done by all threads; when that was last seen to differ */
        uint32_t refused_path;    /* whose refused enters were read last */
        uint32_t refused_left;    /* paths of which they are still to be read */
        /* The next step of the end, where it is, and how often it looked for closes. */
        enum {
                FINISH_LOOK,
                FINISH_LANES,
                FINISH_REFUSED,
                FINISH_CLOSES,
                FINISH_OPEN,
                FINISH_RINGS,
                FINISH_DONE
        } finish;
        bool finish_has_heads; /* targets[] are where the records of the dead process end */
        uint32_t finish_lane, finish_ring;
        struct frames_finishing finish_open;
        unsigned finish_looks;
        int finish_result;
        uint64_t fill_ns; /* when fill[0] began */
        uint32_t fill[2]; /* the fill of the fullest ring, in millionths: in this period, in the period before */
};

/* drain.c: a batch.  The commit tells the producers how far their records are in the books. */
void drain_begin(struct drain *drain, uint64_t now_ns);
void drain_commit(struct drain *drain);
/* In a batch: what the process has of the heap at this moment may be its peak. */
void drain_note_peak(struct drain *drain);
void drain_next_batch(struct drain *drain);
/* In a batch, before the lane is changed: the commit looks at such lanes only. */
void drain_changes_lane(struct drain *drain, uint32_t lane);
/* Of these lanes, frees those of threads that have ended, after the commit with the last of their counts. */
void drain_publish_retired(struct drain *drain, uint32_t from, uint32_t to);

/* drain.c: in a batch.  Each returns 0, -EBADMSG or another -errno. */
int drain_look_at_lanes(struct drain *drain);
/* True if it is to be called again: of very many lanes each call meets some. */
/* Whether there are lanes that were claimed when this pass began, and are not met yet. */
bool drain_lacks_lanes(const struct drain *drain);
bool drain_has_new_lanes(const struct drain *drain);
/* One lane up to `to`, or as far as its user's share reaches. */
int drain_some(struct drain *drain, uint32_t lane, uint64_t to, enum spans_pass pass);
/* Both looks of a pass; *any: whether there were records. */
int drain_look(struct drain *drain, bool *any);
/* The second one: until target_count is 0, it reads the heads of all lanes that are claimed at its begin, goes on to them,
 * and applies closes. */
void drain_begin_second_look(struct drain *drain);
int drain_second_look(struct drain *drain);
/* Takes the closes that found no room in a ring. */
void drain_take_overflow(struct drain *drain, enum spans_pass pass);

bool drain_has_closes(const struct drain *drain);  /* that wait for the next look */
uint32_t drain_claimed(const struct drain *drain); /* lanes, as the segment says at this moment */

/* lane_owners.c: in a batch. */
void drain_receive(struct drain *drain, uint32_t lane, const struct lane_owner *owner);
void drain_receive_at_before(struct drain *drain, uint32_t lane, uint64_t occupancy);
