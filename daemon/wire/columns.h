/* SPDX-License-Identifier: MIT */
/*
 * The columns of every answer, once: daemon, command, JSON, help and man page are made from these tables.
 *
 * X(name, type, unit, help).  Types: UINT and INT (64 bits), TEXT, BOOL, MAP.  Units: NONE, BYTES, COUNT, RATE (bytes
 * a second), TIME (nanoseconds since the epoch), DURATION (nanoseconds).  Within a schema number columns are only added, at the end.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define WIRE_SCHEMA 1

/* A row of `spans`: one process and one span name, over all the paths on which the name occurs; or, named
 * WIRE_OUTSIDE, one process and one name of its threads, with what these allocate outside of spans. */
#define WIRE_OUTSIDE "(outside)"
/* Keys of these rows, in `spans` and in `tree`, begin here. */
#define WIRE_OUTSIDE_KEY (UINT32_C(1) << 31)
#define WIRE_SPANS_COLUMNS(X)                                                                                          \
        X(process, UINT, NONE, "the collector's number for the process; pids are reused, this is not")                 \
        X(pid, UINT, NONE, "process id")                                                                               \
        X(uid, UINT, NONE, "user id")                                                                                  \
        X(unit, TEXT, NONE, "systemd unit, or empty")                                                                  \
        X(span, TEXT, NONE, "the span's name")                                                                         \
        X(path, TEXT, NONE, "names from the root, joined by /; of several paths, the one with most bytes")             \
        X(opened, UINT, COUNT, "spans opened")                                                                         \
        X(closed, UINT, COUNT, "spans closed")                                                                         \
        X(open, UINT, COUNT, "spans open now")                                                                         \
        X(cycles, UINT, COUNT, "completed enter/exit pairs")                                                           \
        X(alloc_count, UINT, COUNT, "allocations during outermost cycles, children included")                          \
        X(alloc_bytes, UINT, BYTES, "bytes allocated during outermost cycles, children included")                      \
        X(dealloc_count, UINT, COUNT, "frees during outermost cycles, children included")                              \
        X(dealloc_bytes, UINT, BYTES, "bytes freed during outermost cycles, children included")                        \
        X(net_bytes, INT, BYTES, "alloc_bytes - dealloc_bytes")                                                        \
        X(self_alloc_count, UINT, COUNT, "allocations while the span was innermost")                                   \
        X(self_alloc_bytes, UINT, BYTES, "bytes allocated while the span was innermost")                               \
        X(self_dealloc_count, UINT, COUNT, "frees while the span was innermost")                                       \
        X(self_dealloc_bytes, UINT, BYTES, "bytes freed while the span was innermost")                                 \
        X(alloc_bytes_rate_10s, UINT, RATE, "self bytes allocated a second, decayed over 10 s")                        \
        X(alloc_bytes_rate_1m, UINT, RATE, "the same over a minute")                                                   \
        X(alloc_bytes_rate_10m, UINT, RATE, "the same over ten minutes")                                               \
        X(migrated, UINT, COUNT, "cycles that another thread ended")                                                   \
        X(aborted, UINT, COUNT, "spans that were open when their process or thread ended")                             \
        X(refused, UINT, COUNT, "enters and opens that found no room")                                                 \
        X(quality, TEXT, NONE, "exact, migrated, lost, estimated or mixed: the worst that touched the row")            \
        X(per_call, MAP, BYTES, "bytes allocated by a closed span: count, p50, p90, p99, max")                         \
        X(paths, UINT, COUNT, "paths on which the name occurs")                                                        \
        X(site, TEXT, NONE, "file:line of the first site with that name, or empty")                                    \
        X(key, UINT, NONE, "with process: which row this is, the same in every answer")                                \
        X(per_call_p99, UINT, BYTES, "the p99 of per_call by itself; only when asked for")                             \
        X(per_call_histogram, MAP, COUNT,                                                                              \
          "closed spans by bytes allocated: from which power of two on, how many; only when asked for")                \
        X(threads, MAP, COUNT, "threads that are in it now, by name; only when asked for")                             \
        X(busy_ns, UINT, DURATION, "time in outermost cycles, children included, while the process was timed")         \
        X(self_busy_ns, UINT, DURATION, "time while the span was innermost, while the process was timed")              \
        X(timed_calls, UINT, COUNT, "spans that closed, timed from beginning to end")                                  \
        X(timed_calls_ns, UINT, DURATION, "time in the cycles of these")                                               \
        X(timed_call_max_ns, UINT, DURATION, "of the longest of these since the last reset")                           \
        X(timed_calls_per_1000s, UINT, COUNT, "these in a thousand seconds, as the last 10 s were")                    \
        X(calls_net_bytes, INT, BYTES, "net bytes of the spans in `calls`; only when asked for")                       \
        X(net_per_call, INT, BYTES, "calls_net_bytes / calls: net bytes of a closed span, on average")                 \
        X(calls, UINT, COUNT, "closed spans with a cycle, and without a refused part; only when asked for")            \
        X(net_per_call_histogram, MAP, COUNT,                                                                          \
          "closed spans by net bytes: from which power of four on, with its sign, how many; only when asked for")      \
        X(process_net_bytes, INT, BYTES, "net bytes of the whole process in the time of the row; only when asked for") \
        X(processes, UINT, COUNT, "processes in the row: 1; with --by=name, as many as it sums; only when asked for")  \
        X(thread, TEXT, NONE, "of a row (outside): the name of the threads; else empty")

/* A row of `tree`: one process and one path, parents before children; rows WIRE_OUTSIDE are roots. */
#define WIRE_TREE_COLUMNS(X)                                                                                           \
        X(process, UINT, NONE, "the collector's number for the process")                                               \
        X(pid, UINT, NONE, "process id")                                                                               \
        X(unit, TEXT, NONE, "systemd unit, or empty")                                                                  \
        X(comm, TEXT, NONE, "the process's name")                                                                      \
        X(depth, UINT, NONE, "0 for a root span")                                                                      \
        X(span, TEXT, NONE, "the span's name")                                                                         \
        X(path, TEXT, NONE, "names from the root, joined by /")                                                        \
        X(opened, UINT, COUNT, "spans opened")                                                                         \
        X(closed, UINT, COUNT, "spans closed")                                                                         \
        X(open, UINT, COUNT, "spans open now")                                                                         \
        X(cycles, UINT, COUNT, "completed enter/exit pairs")                                                           \
        X(alloc_count, UINT, COUNT, "self, and all spans opened below it")                                             \
        X(alloc_bytes, UINT, BYTES, "self, and all spans opened below it")                                             \
        X(dealloc_count, UINT, COUNT, "self, and all spans opened below it")                                           \
        X(dealloc_bytes, UINT, BYTES, "self, and all spans opened below it")                                           \
        X(net_bytes, INT, BYTES, "alloc_bytes - dealloc_bytes")                                                        \
        X(self_alloc_count, UINT, COUNT, "while the span was innermost")                                               \
        X(self_alloc_bytes, UINT, BYTES, "while the span was innermost")                                               \
        X(self_dealloc_count, UINT, COUNT, "while the span was innermost")                                             \
        X(self_dealloc_bytes, UINT, BYTES, "while the span was innermost")                                             \
        X(self_alloc_bytes_rate_10s, UINT, RATE, "self bytes allocated a second, decayed over 10 s")                   \
        X(key, UINT, NONE, "with process: which row this is, the same in every answer")                                \
        X(parent_key, UINT, NONE, "the key of the parent, 0 of a root")                                                \
        X(migrated, UINT, COUNT, "cycles that another thread ended")                                                   \
        X(aborted, UINT, COUNT, "spans that were open when their process or thread ended")                             \
        X(refused, UINT, COUNT, "enters and opens that found no room")                                                 \
        X(quality, TEXT, NONE, "exact, migrated, lost, estimated or mixed: the worst that touched the path")           \
        X(per_call_p99, UINT, BYTES, "p99 of bytes allocated by a closed span; only when asked for")                   \
        X(busy_ns, UINT, DURATION, "time in the path's outermost cycles, while the process was timed")                 \
        X(timed_calls, UINT, COUNT, "spans that closed, timed from beginning to end")                                  \
        X(timed_calls_ns, UINT, DURATION, "time in the cycles of these")                                               \
        X(processes, UINT, COUNT, "processes in the row: 1; with --by=name, as many as it sums; only when asked for")  \
        X(thread, TEXT, NONE, "of a row (outside): the name of the threads; else empty")

/* A row of `ps`. */
#define WIRE_PS_COLUMNS(X)                                                                                             \
        X(process, UINT, NONE, "the collector's number for the process; pids are reused, this is not")                 \
        X(pid, UINT, NONE, "process id")                                                                               \
        X(start_ns, UINT, TIME, "when it started, since the epoch")                                                    \
        X(comm, TEXT, NONE, "name")                                                                                    \
        X(exe, TEXT, NONE, "executable")                                                                               \
        X(uid, UINT, NONE, "user id")                                                                                  \
        X(unit, TEXT, NONE, "systemd unit, or empty")                                                                  \
        X(alive, BOOL, NONE, "whether it still runs")                                                                  \
        X(ended, TEXT, NONE, "how it ended: exited, killed, exec, detached, expelled, unknown; empty while alive")     \
        X(threads, UINT, COUNT, "threads on record now")                                                               \
        X(spans, UINT, COUNT, "span names seen")                                                                       \
        X(records, UINT, COUNT, "records drained")                                                                     \
        X(refused, UINT, COUNT, "enters, opens and closes that found no room")                                         \
        X(alloc_count, UINT, COUNT, "allocations of the whole process")                                                \
        X(alloc_bytes, UINT, BYTES, "bytes allocated by the whole process")                                            \
        X(dealloc_count, UINT, COUNT, "frees of the whole process")                                                    \
        X(dealloc_bytes, UINT, BYTES, "bytes freed by the whole process")                                              \
        X(self_alloc_count, UINT, COUNT, "in spans")                                                                   \
        X(self_alloc_bytes, UINT, BYTES, "in spans")                                                                   \
        X(self_dealloc_count, UINT, COUNT, "in spans")                                                                 \
        X(self_dealloc_bytes, UINT, BYTES, "in spans")                                                                 \
        X(outside_alloc_count, UINT, COUNT, "outside any span")                                                        \
        X(outside_alloc_bytes, UINT, BYTES, "outside any span")                                                        \
        X(outside_dealloc_count, UINT, COUNT, "outside any span")                                                      \
        X(outside_dealloc_bytes, UINT, BYTES, "outside any span")                                                      \
        X(lost_alloc_count, UINT, COUNT, "under refused enters")                                                       \
        X(lost_alloc_bytes, UINT, BYTES, "under refused enters")                                                       \
        X(lost_dealloc_count, UINT, COUNT, "under refused enters")                                                     \
        X(lost_dealloc_bytes, UINT, BYTES, "under refused enters")                                                     \
        X(before_alloc_count, UINT, COUNT, "before the books began")                                                   \
        X(before_alloc_bytes, UINT, BYTES, "before the books began")                                                   \
        X(before_dealloc_count, UINT, COUNT, "before the books began")                                                 \
        X(before_dealloc_bytes, UINT, BYTES, "before the books began")                                                 \
        X(coverage_ppm, UINT, NONE, "alloc_bytes that are not lost, of all, in millionths")                            \
        X(rss_bytes, UINT, BYTES, "resident memory, with shared pages; 0 once it ended")                               \
        X(unit_memory_bytes, UINT, BYTES, "memory of its cgroup; 0: unknown")                                          \
        X(unit_memory_limit_bytes, UINT, BYTES, "memory limit of its cgroup; 0: none or unknown")                      \
        X(counting, TEXT, NONE, "what counts its heap, or why nothing does")                                           \
        X(open, UINT, COUNT, "spans open now")                                                                         \
        X(aborted, UINT, COUNT, "spans that were open when their process or thread ended")                             \
        X(balanced, BOOL, NONE, "before + self + outside + lost equal the four counters")                              \
        X(outside_threads, MAP, BYTES,                                                                                 \
          "outside, by thread name: name to [alloc_count, alloc_bytes, dealloc_count, dealloc_bytes]")                 \
        X(last_spans, MAP, BYTES,                                                                                      \
          "open when it ended, the largest: path to [alloc_count, alloc_bytes, dealloc_count, dealloc_bytes]")         \
        X(ring_fill_ppm, UINT, NONE, "how full its fullest ring was in the last seconds, in millionths")               \
        X(evicted, UINT, COUNT, "live spans that the table had no room for")                                           \
        X(net_bytes, INT, BYTES,                                                                                       \
          "what it has of malloc's memory now: inherited, and allocated less freed since it began")                    \
        X(timed, BOOL, NONE, "whether it writes timestamps")                                                           \
        X(inherited_bytes, UINT, BYTES, "what was alive in its parent when it was forked")                             \
        X(peak_net_bytes, UINT, BYTES, "the largest net_bytes that was seen")                                          \
        X(net_quality, TEXT, NONE, "of net_bytes: exact, estimated or unknown")                                        \
        X(forks, UINT, COUNT, "calls of fork(3): a child that never allocates has no row")                             \
        X(rss_anon_bytes, UINT, BYTES, "of rss_bytes, what is neither a file's nor shared memory")                     \
        X(refused_depth, UINT, COUNT, "of refused, enters of a thread that was in 64 spans: no ring was full")

/* An event of `follow`. */
#define WIRE_FOLLOW_COLUMNS(X)                                                                                         \
        X(span, TEXT, NONE, "the span's name")                                                                         \
        X(path, TEXT, NONE, "names from the root, joined by /")                                                        \
        X(process, UINT, NONE, "the collector's number for the process")                                               \
        X(pid, UINT, NONE, "process id")                                                                               \
        X(uid, UINT, NONE, "user id")                                                                                  \
        X(unit, TEXT, NONE, "systemd unit, or empty")                                                                  \
        X(instance, UINT, NONE, "which span: unique in its process")                                                   \
        X(alloc_count, UINT, COUNT, "over all cycles, each on its own thread")                                         \
        X(alloc_bytes, UINT, BYTES, "over all cycles")                                                                 \
        X(dealloc_count, UINT, COUNT, "over all cycles")                                                               \
        X(dealloc_bytes, UINT, BYTES, "over all cycles")                                                               \
        X(net_bytes, INT, BYTES, "alloc_bytes - dealloc_bytes")                                                        \
        X(cycles, UINT, COUNT, "completed enter/exit pairs")                                                           \
        X(time_ns, UINT, TIME, "when the collector applied the close, since the epoch")                                \
        X(busy_ns, UINT, DURATION, "time in all cycles; 0 where one was not timed")

/* The fields of `status`, a single map. */
#define WIRE_STATUS_FIELDS(X)                                                                                          \
        X(version, TEXT, NONE, "of the collector")                                                                     \
        X(pid, UINT, NONE, "of the collector; in a pid namespace of its own, as seen there")                           \
        X(uid, UINT, NONE, "the collector runs as")                                                                    \
        X(uptime_ns, UINT, DURATION, "since it started")                                                               \
        X(backend, TEXT, NONE, "poll or io_uring")                                                                     \
        X(backend_why, TEXT, NONE, "why not io_uring, or empty")                                                       \
        X(generation, UINT, NONE, "of the beacon")                                                                     \
        X(processes, UINT, COUNT, "attached and alive")                                                                \
        X(processes_ended, UINT, COUNT, "ended, and still shown")                                                      \
        X(processes_seen, UINT, COUNT, "attached since the start")                                                     \
        X(threads, UINT, COUNT, "on record now")                                                                       \
        X(records, UINT, COUNT, "drained since the start")                                                             \
        X(records_rate, UINT, COUNT, "drained a second, over the last seconds")                                        \
        X(refused, UINT, COUNT, "enters, opens and closes that found no room")                                         \
        X(lost_alloc_bytes, UINT, BYTES, "under refused enters")                                                       \
        X(expelled, UINT, COUNT, "processes that broke the format")                                                    \
        X(rejected, UINT, COUNT, "attach requests that were rejected")                                                 \
        X(evicted, UINT, COUNT, "live spans that the table had no room for")                                           \
        X(follow_dropped, UINT, COUNT, "events that a slow follower missed")                                           \
        X(queries, UINT, COUNT, "requests answered")                                                                   \
        X(query_errors, UINT, COUNT, "requests or connections refused")                                                \
        X(wakeups, UINT, COUNT, "drain passes begun by a doorbell")                                                    \
        X(passes, UINT, COUNT, "drain passes")                                                                         \
        X(limited_processes, UINT, COUNT, "attach requests above a user's limit")                                      \
        X(limited_memory, UINT, COUNT, "processes forgotten, expelled or refused for a user's memory")                 \
        X(limited_threads, UINT, COUNT, "passes that left out threads above a user's limit")                           \
        X(limited_names, UINT, COUNT, "records shown as (other): a user had too many names")                           \
        X(limited_paths, UINT, COUNT, "records shown as (other): a user had too many paths")                           \
        X(limited_records, UINT, COUNT, "passes that left some of a user's records to the next")                       \
        X(limited_queries, UINT, COUNT, "queries put off, and connections refused, for a user's limit")                \
        X(memory_bytes, UINT, BYTES, "resident memory of the collector")                                               \
        X(ring_fill_ppm, UINT, NONE, "how full the fullest ring was in the last seconds, in millionths")               \
        X(took_over, UINT, NONE, "1: it went on with the processes and sums of a collector before it")                 \
        X(left_behind, UINT, COUNT, "processes of earlier collectors whose sums could not be taken over")              \
        X(log_dropped, UINT, COUNT, "lines that the log had no room for")                                              \
        X(longest_turn_ns, UINT, DURATION, "processor time of the longest turn of its loop")                           \
        X(longest_turn, TEXT, NONE, "what took most of that turn")                                                     \
        X(missed, UINT, COUNT, "attach requests of programs that ended or gave up before their turn")                  \
        X(untrusted, UINT, COUNT,                                                                                      \
          "processes that claim more than is possible: refused and lost_alloc_bytes are without them")

/* ------------------------------------------------------------------------------------------- as data at run time -- */

enum wire_column_type { WIRE_COLUMN_UINT, WIRE_COLUMN_INT, WIRE_COLUMN_TEXT, WIRE_COLUMN_BOOL, WIRE_COLUMN_MAP };
enum wire_column_unit {
        WIRE_UNIT_NONE,
        WIRE_UNIT_BYTES,
        WIRE_UNIT_COUNT,
        WIRE_UNIT_RATE,
        WIRE_UNIT_TIME,
        WIRE_UNIT_DURATION,
        WIRE_UNITS
};

struct wire_column {
        const char *name;
        enum wire_column_type type;
        enum wire_column_unit unit;
        const char *help;
};

struct wire_columns {
        const char *table;
        const struct wire_column *columns;
        size_t count;
};

/* "spans", "tree", "ps", "follow" or "status"; NULL for any other. */
const struct wire_columns *wire_columns(const char *table);
/* The index of a column, or -1. */
int wire_columns_find(const struct wire_columns *columns, const char *name);

/* Indices: WIRE_SPANS_process, WIRE_PS_pid, …, and WIRE_SPANS_COUNT, … */
#define WIRE_SPANS_INDEX(name, type, unit, help)  WIRE_SPANS_##name,
#define WIRE_TREE_INDEX(name, type, unit, help)   WIRE_TREE_##name,
#define WIRE_PS_INDEX(name, type, unit, help)     WIRE_PS_##name,
#define WIRE_FOLLOW_INDEX(name, type, unit, help) WIRE_FOLLOW_##name,
#define WIRE_STATUS_INDEX(name, type, unit, help) WIRE_STATUS_##name,
enum wire_spans_index { WIRE_SPANS_COLUMNS(WIRE_SPANS_INDEX) WIRE_SPANS_COUNT };
enum wire_tree_index { WIRE_TREE_COLUMNS(WIRE_TREE_INDEX) WIRE_TREE_COUNT };
enum wire_ps_index { WIRE_PS_COLUMNS(WIRE_PS_INDEX) WIRE_PS_COUNT };
enum wire_follow_index { WIRE_FOLLOW_COLUMNS(WIRE_FOLLOW_INDEX) WIRE_FOLLOW_COUNT };
enum wire_status_index { WIRE_STATUS_FIELDS(WIRE_STATUS_INDEX) WIRE_STATUS_COUNT };
