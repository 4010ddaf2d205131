/* SPDX-License-Identifier: MIT */
/*
 * The number of records a second that the collector's core applies on one processor.  Segments are filled beforehand,
 * then drained and committed as in the daemon: records to frames to tallies to live spans.
 *
 *     collector lane        one lane, scopes of eight paths
 *     collector crowd       100 processes of 8 threads, 100 paths each
 *     collector spans       a million open spans, entered and left in random order
 *
 * The figure leaves out filling.  It is the median of many rounds, by processor time, printed as "NAME MILLIONS".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/measure.h"
#include "daemon/drain/drain.h"
#include "shm/segment.h"

#define ROUNDS   31
#define INSTANCE UINT64_C(0x100001000)
#define STEP     UINT64_C(0x1000)

struct process {
        struct shm_geometry geometry;
        void *map;
        struct books *books;
        struct drain *drain;
        uint64_t counters;
        uint64_t next;
};

static uint64_t seed = 88172645463325252u;

static uint32_t dice(uint32_t below) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        return (uint32_t)(seed % below);
}

static void fail(const char *what) {
        fprintf(stderr, "collector: %s failed\n", what);
        exit(1);
}

static void make(struct process *p, uint32_t lanes, uint32_t records, uint32_t paths, uint32_t instances) {
        struct shm_wish wish = {.name_capacity = paths + 2,
                                .path_capacity = paths + 2,
                                .close_capacity = 64,
                                .lane_capacity = lanes,
                                .ring_records = records,
                                .ring_lanes = lanes};
        struct books_limits limits = books_limits_default;
        struct shm_header *header;
        int fd;

        limits.lanes = lanes;
        limits.paths = paths + 2;
        limits.names = paths + 2;
        limits.instances = instances;
        if (shm_geometry_init(&p->geometry, &wish) < 0 || shm_segment_create(&fd, &p->geometry, 1, 0) < 0 ||
            shm_segment_map(&p->map, fd, p->geometry.segment_size) < 0)
                fail("making a segment");
        for (uint32_t i = 2; i < paths + 2; i++) {
                struct shm_name *name = &shm_names(p->map, &p->geometry)[i];

                name->name_length = (uint16_t)snprintf(name->name, sizeof name->name, "span %u", i);
                atomic_store(&name->state, SHM_NAME_READY);
                atomic_store(&shm_paths(p->map, &p->geometry)[i].key, (uint64_t)i);
        }
        header = p->map;
        atomic_store(&header->lanes_claimed, lanes);
        for (uint32_t i = 0; i < lanes; i++) {
                struct shm_lane *lane = shm_lane_at(p->map, &p->geometry, i);

                atomic_store(&lane->occupancy, 2);
                *(uint32_t *)(void *)lane->owner_pad = 1000 + i; /* alive */
        }
        if (books_new(&p->books, &limits, 1) < 0 || drain_new(&p->drain, fd, &p->geometry, p->books) < 0)
                fail("making books");
        p->next = INSTANCE;
}

static void put(struct process *p, uint32_t i, uint16_t kind, uint16_t flags, uint64_t instance, uint32_t path) {
        struct shm_lane *lane = shm_lane_at(p->map, &p->geometry, i);
        uint64_t head = atomic_load_explicit(&lane->head, memory_order_relaxed);
        uint32_t mask = shm_ring_records(&p->geometry, i) - 1;
        struct shm_record *record = &shm_ring_at(p->map, &p->geometry, i)[head & mask];

        *record = (struct shm_record){head, instance, path, kind, flags, 0, {0}};
        if (kind != SHM_KIND_OPEN) {
                p->counters++;
                for (int c = 0; c < SHM_COUNTERS; c++)
                        record->counters[c] = p->counters * (c & 1 ? 64 : 1);
        }
        atomic_store_explicit(&lane->head, head + 1, memory_order_release);
}

static void scopes(struct process *p, uint32_t lane, uint32_t n, uint32_t paths) {
        for (uint32_t i = 0; i < n; i += 2) {
                uint32_t path = 2 + dice(paths);

                p->next += STEP;
                put(p, lane, SHM_KIND_ENTER, SHM_FLAG_SCOPE, p->next | lane, path);
                put(p, lane, SHM_KIND_EXIT, SHM_FLAG_SCOPE, p->next | lane, path);
        }
}

static double drain(struct process *p, uint32_t n) {
        double begun = measure_now(CLOCK_PROCESS_CPUTIME_ID);

        for (uint32_t i = 0; i < n; i++)
                while (drain_has_records(p[i].drain))
                        if (drain_pass(p[i].drain, (uint64_t)begun) < 0)
                                fail(drain_fault(p[i].drain));
        return measure_now(CLOCK_PROCESS_CPUTIME_ID) - begun;
}

static void say(const char *name, double *rates) {
        printf("%s %.2f\n", name, measure_percentile(rates, ROUNDS, .5));
}

static void one_lane(void) {
        enum { RECORDS = 1 << 16 };
        static struct process p;
        double rates[ROUNDS];

        make(&p, 1, RECORDS, 8, 1024);
        for (int round = 0; round < ROUNDS; round++) {
                scopes(&p, 0, RECORDS, 8);
                rates[round] = RECORDS / drain(&p, 1) * 1e3;
        }
        say("collector_lane", rates);
}

static void crowd(void) {
        enum { PROCESSES = 100, LANES = 8, RECORDS = 1024, PATHS = 100 };
        static struct process p[PROCESSES];
        double rates[ROUNDS];

        for (int i = 0; i < PROCESSES; i++)
                make(&p[i], LANES, RECORDS, PATHS, 1024);
        for (int round = 0; round < ROUNDS; round++) {
                for (int i = 0; i < PROCESSES; i++)
                        for (uint32_t lane = 0; lane < LANES; lane++)
                                scopes(&p[i], lane, RECORDS, PATHS);
                rates[round] = PROCESSES * LANES * RECORDS / drain(p, PROCESSES) * 1e3;
        }
        say("collector_crowd", rates);
}

static void spans(void) {
        enum { RECORDS = 1 << 16, SPANS = 1000000, PATHS = 64 };
        static struct process p;
        static uint64_t instances[SPANS];
        double rates[ROUNDS];

        make(&p, 1, RECORDS, PATHS, SPANS + 1024);
        for (uint32_t i = 0; i < SPANS; i++) {
                p.next += STEP;
                instances[i] = p.next;
                put(&p, 0, SHM_KIND_OPEN, 0, p.next, 2 + i % PATHS);
                if (i % RECORDS == RECORDS - 1)
                        drain(&p, 1);
        }
        drain(&p, 1);
        for (int round = 0; round < ROUNDS; round++) {
                for (uint32_t i = 0; i < RECORDS; i += 2) {
                        uint32_t k = dice(SPANS);

                        put(&p, 0, SHM_KIND_ENTER, 0, instances[k], 2 + k % PATHS);
                        put(&p, 0, SHM_KIND_EXIT, 0, instances[k], 2 + k % PATHS);
                }
                rates[round] = RECORDS / drain(&p, 1) * 1e3;
        }
        say("collector_spans", rates);
}

int main(int argc, char **argv) {
        measure_pin(1);
        if (argc == 2 && strcmp(argv[1], "lane") == 0)
                one_lane();
        else if (argc == 2 && strcmp(argv[1], "crowd") == 0)
                crowd();
        else if (argc == 2 && strcmp(argv[1], "spans") == 0)
                spans();
        else {
                fprintf(stderr, "usage: collector lane|crowd|spans\n");
                return 2;
        }
        return 0;
}
