/* SPDX-License-Identifier: MIT */
/*
 * The method `status`: the collector about itself.
 */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/host/log.h"
#include "daemon/loop/reactor.h"
#include "daemon/query/query_private.h"
#include "daemon/wire/columns.h"

static uint64_t resident_bytes(void) {
        unsigned long long total, resident = 0;
        FILE *file;

        file = fopen("/proc/self/statm", "re");
        if (!file)
                return 0;

        if (fscanf(file, "%llu %llu", &total, &resident) != 2)
                resident = 0;
        fclose(file);
        return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static const char *status_text(const struct reactor *reactor, int field) {
        switch (field) {
        case WIRE_STATUS_version:
                return SPANALLOC_VERSION;
        case WIRE_STATUS_backend:
                return reactor_backend_name(reactor);
        case WIRE_STATUS_backend_why:
                return reactor_backend_why(reactor);
        case WIRE_STATUS_longest_turn:
                return reactor_longest(reactor).work;
        }
        return "";
}

static uint64_t status_number(const struct query *query, const struct collector_stats *stats, int field) {
        switch (field) {
        case WIRE_STATUS_pid:
                return (uint64_t)getpid();
        case WIRE_STATUS_uid:
                return geteuid();
        case WIRE_STATUS_uptime_ns:
                return clock_monotonic_ns() - stats->started_ns;
        case WIRE_STATUS_generation:
                return stats->generation;
        case WIRE_STATUS_processes:
                return stats->processes;
        case WIRE_STATUS_processes_ended:
                return stats->processes_ended;
        case WIRE_STATUS_processes_seen:
                return stats->processes_seen;
        case WIRE_STATUS_threads:
                return stats->threads;
        case WIRE_STATUS_records:
                return stats->records;
        case WIRE_STATUS_records_rate:
                return query_whole_number(stats->records_rate);
        case WIRE_STATUS_refused:
                return stats->refused;
        case WIRE_STATUS_lost_alloc_bytes:
                return stats->lost_alloc_bytes;
        case WIRE_STATUS_expelled:
                return stats->expelled;
        case WIRE_STATUS_rejected:
                return stats->rejected;
        case WIRE_STATUS_missed:
                return stats->missed;
        case WIRE_STATUS_untrusted:
                return stats->untrusted;
        case WIRE_STATUS_evicted:
                return stats->evicted;
        case WIRE_STATUS_follow_dropped:
                return query->follow_dropped;
        case WIRE_STATUS_queries:
                return query->queries;
        case WIRE_STATUS_query_errors:
                return query->errors;
        case WIRE_STATUS_wakeups:
                return stats->wakeups;
        case WIRE_STATUS_passes:
                return stats->passes;
        case WIRE_STATUS_took_over:
                return stats->took_over;
        case WIRE_STATUS_log_dropped:
                return log_missing();
        case WIRE_STATUS_left_behind:
                return stats->left_behind;
        case WIRE_STATUS_ring_fill_ppm:
                return stats->ring_fill_ppm;
        case WIRE_STATUS_limited_processes:
                return stats->limited[QUOTA_PROCESSES];
        case WIRE_STATUS_limited_memory:
                return stats->limited[QUOTA_MEMORY];
        case WIRE_STATUS_limited_threads:
                return stats->limited[QUOTA_THREADS];
        case WIRE_STATUS_limited_names:
                return stats->limited[QUOTA_NAMES];
        case WIRE_STATUS_limited_paths:
                return stats->limited[QUOTA_PATHS];
        case WIRE_STATUS_limited_records:
                return stats->limited[QUOTA_RECORDS];
        case WIRE_STATUS_limited_queries:
                return query->limited;
        case WIRE_STATUS_longest_turn_ns:
                return reactor_longest(collector_reactor(query->collector)).ns;
        case WIRE_STATUS_memory_bytes:
                return resident_bytes();
        }
        return 0;
}

int query_method_status(struct query *query, const struct query_peer *peer, const struct query_params *params,
                        struct wire_buffer *out, struct query_error *ret_error) {
        const struct wire_columns *fields = wire_columns("status");
        struct collector_stats stats;

        collector_stats(query->collector, &stats);

        wire_put_map(out, (uint32_t)fields->count);
        for (size_t i = 0; i < fields->count; i++) {
                wire_put_text(out, fields->columns[i].name);
                if (fields->columns[i].type == WIRE_COLUMN_TEXT)
                        wire_put_text(out, status_text(collector_reactor(query->collector), (int)i));
                else
                        wire_put_uint(out, status_number(query, &stats, (int)i));
        }
        return 0;
}
