/* SPDX-License-Identifier: MIT */
/*
 * See alert.h.  Each of these lines is logged at once when it begins, then at most once a minute.
 */
#include "daemon/processes/alert.h"

#include "daemon/books/books.h"
#include "daemon/drain/drain.h"
#include "daemon/processes/process_private.h"

#define QUIET_NS (60 * NS_PER_S)

/* Coverage is told as it falls below each of these, in millionths. */
static const uint32_t steps[] = {1000000, 990000, 950000, 900000, 750000, 500000, 250000, 0};

struct log_peer process_peer(const struct process *process) {
        return (struct log_peer){
                .pid = process->pid, .uid = process->uid, .comm = process->comm, .unit = process->unit};
}

static void tell_dropped(struct process *process, uint64_t refused) {
        struct alert *alert = &process->inside->alert;
        struct log_peer peer = process_peer(process);

        peer.count = refused - alert->refused;
        log_event(LOG_DROPPED, &peer, "process %d (%s): %llu enters, opens and closes were refused, %llu in all",
                  (int)peer.pid, peer.comm, (unsigned long long)peer.count, (unsigned long long)refused);
        alert->refused = refused;
}

static uint32_t step_of(uint32_t coverage_ppm) {
        uint32_t i = 0;

        while (steps[i + 1] > coverage_ppm)
                i++;
        return steps[i];
}

static void tell_coverage(struct process *process, const struct books_process_row *row) {
        struct alert *alert = &process->inside->alert;
        uint64_t lost = row->lost[SHM_ALLOC_BYTES], all = row->counters[SHM_ALLOC_BYTES];
        struct log_peer peer = process_peer(process);
        uint32_t ppm, step;

        if (!lost || lost > all)
                return;
        ppm = (uint32_t)((double)(all - lost) / (double)all * 1e6);
        if (ppm >= 1000000)
                ppm = 999999;
        step = step_of(ppm);
        if (alert->coverage_ppm && step >= alert->coverage_ppm)
                return;
        alert->coverage_ppm = step;
        peer.count = lost;
        log_event(LOG_COVERAGE, &peer,
                  "process %d (%s): %.2f %% of what it allocated is in the books, %llu bytes are lost", (int)peer.pid,
                  peer.comm, ppm / 1e4, (unsigned long long)lost);
}

static void tell_limits(struct process *process, const struct books_process_row *row) {
        struct alert *alert = &process->inside->alert;
        uint64_t threads = process->drain ? drain_refused_threads(process->drain) : process->refused_threads;
        struct log_peer peer = process_peer(process);

        if (threads && !alert->refused_threads) {
                peer.count = threads;
                peer.reason = "it has more threads than a process may have in the books (--max-threads)";
                log_event(LOG_LIMIT, &peer, "process %d (%s): %s; %llu threads are not counted", (int)peer.pid,
                          peer.comm, peer.reason, (unsigned long long)threads);
        }
        if (row->evicted && !alert->evicted) {
                peer.count = row->evicted;
                peer.reason = "it has more open spans than the collector follows";
                log_event(LOG_LIMIT, &peer, "process %d (%s): %s; %llu have no value per call", (int)peer.pid,
                          peer.comm, peer.reason, (unsigned long long)row->evicted);
        }
        alert->refused_threads = threads;
        alert->evicted = row->evicted;
}

void process_alert(struct process *process, uint64_t now_ns, bool last) {
        struct alert *alert = &process->inside->alert;
        struct books_process_row row;
        uint64_t refused;

        if (!process->books || (!process->drain && !last))
                return;
        refused = process->drain ? drain_refused(process->drain) : process->refused;
        if (refused > alert->refused && (last || now_ns - alert->dropped_ns >= QUIET_NS)) {
                tell_dropped(process, refused);
                alert->dropped_ns = now_ns;
        }
        /* To read the row costs a look at every lane: when something was refused, else once in a while. */
        if (!last && refused == alert->seen && now_ns - alert->looked_ns < QUIET_NS)
                return;
        alert->seen = refused;
        alert->looked_ns = now_ns;
        books_process_lanes(process->books, &row);
        if (!last)
                post_mortem_sample(process, now_ns);
        tell_coverage(process, &row);
        tell_limits(process, &row);
}
