/* SPDX-License-Identifier: MIT */
/*
 * See post_mortem.h.
 *
 * The kernel counts per cgroup how often it killed a process because memory ran out, and does not name the process.  So
 * a SIGKILL is attributed to that only where the count rose since it was last read, and one death takes one rise.
 * Where the cgroup went with the process, the kernel's own message is searched for.
 */
#include "daemon/processes/post_mortem.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/books/books.h"
#include "daemon/host/log.h"
#include "daemon/host/procinfo.h"
#include "daemon/processes/process_private.h"
#include "daemon/processes/process_text.h"

#define SPANS_TOLD    5u
#define NAMES_TOLD    3u
#define RATES_PORTION 8192u /* paths */
#define MINUTE_NS     (60 * NS_PER_S)

void post_mortem_watch(struct process *process) {
        (void)procinfo_oom_kills(process->cgroup, &process->inside->post_mortem.oom_kills);
}

void post_mortem_look(struct process *process) {
        const struct processes *processes = process->inside->processes;
        struct post_mortem *own = &process->inside->post_mortem;
        uint64_t kills;

        if (procinfo_oom_kills(process->cgroup, &kills) < 0 || kills <= own->oom_kills)
                return;
        own->maybe_oom = true;
        kills = own->oom_kills + 1;
        for (size_t i = 0; i < processes->count; i++)
                if (!strcmp(processes->rows[i]->cgroup, process->cgroup) &&
                    processes->rows[i]->inside->post_mortem.oom_kills < kills)
                        processes->rows[i]->inside->post_mortem.oom_kills = kills;
}

/* ------------------------------------------------------------------------------------------------------ texts -- */

static size_t add(char *buf, size_t size, size_t at, const char *text) {
        if (at < size)
                snprintf(buf + at, size - at, "%s", text);
        return at + strlen(text);
}

static void amount(char buf[32], double bytes) {
        static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
        unsigned unit = 0;

        for (; bytes >= 1024 && unit < 4; unit++)
                bytes /= 1024;
        snprintf(buf, 32, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

/* "request/query 12.0 MiB, request 3 B" */
static void list_spans(const struct books *books, char *buf, size_t size) {
        char path[256], bytes[32];
        struct books_last last;
        size_t at = 0;

        *buf = 0;
        for (uint32_t i = 0; i < SPANS_TOLD && books_last_row(books, i, &last); i++) {
                books_path_text(books, last.path, path, sizeof path);
                amount(bytes, (double)last.sums[SHM_ALLOC_BYTES]);
                at = add(buf, size, at, i ? ", " : "");
                at = add(buf, size, at, path);
                at = add(buf, size, at, " ");
                at = add(buf, size, at, bytes);
        }
}

struct post_mortem_rates {
        uint64_t now_ns;
        uint32_t path; /* the last that is summed */
        uint32_t names;
        double of_name[]; /* bytes a second over a minute, by name; [0]: of all */
};

bool post_mortem_rate_some(struct process *process, uint64_t now_ns) {
        struct post_mortem *own = &process->inside->post_mortem;
        const struct books *books = process->books;
        double rate[3];
        uint32_t name;

        if (!own->rates) {
                uint32_t names = books_name_count(books);

                own->rates = calloc(1, sizeof *own->rates + (names + 1) * sizeof(double));
                if (!own->rates)
                        return true;
                own->rates->now_ns = now_ns;
                own->rates->names = names;
        }
        for (uint32_t n = 0; own->rates->path < books_path_count(books); n++) {
                if (n == RATES_PORTION)
                        return false;
                name = books_path_name(books, ++own->rates->path);
                if (!name || name > own->rates->names)
                        continue;
                books_path_rates(books, own->rates->path, own->rates->now_ns, rate);
                own->rates->of_name[name] += rate[1];
                own->rates->of_name[0] += rate[1];
        }
        return true;
}

void post_mortem_deinit(struct process *process) {
        free(process->inside->post_mortem.rates);
        process->inside->post_mortem.rates = NULL;
}

static uint64_t allocated_since_attach(const struct process *process) {
        uint64_t counted[SHM_COUNTERS];

        books_process_counted(process->books, counted);
        return counted[SHM_ALLOC_BYTES];
}

void post_mortem_sample(struct process *process, uint64_t now_ns) {
        struct post_mortem *own = &process->inside->post_mortem;

        if (own->latest.ns && now_ns - own->latest.ns < MINUTE_NS)
                return;
        own->before = own->latest;
        own->latest = (struct post_mortem_sample){now_ns, allocated_since_attach(process)};
}

/* Bytes a second, in spans and outside, over the last minute or two; since it attached, where that was later, or where the
 * collector has been restarted since and has no older sample. */
static double own_rate(const struct process *process) {
        const struct post_mortem *own = &process->inside->post_mortem;
        struct post_mortem_sample from = own->latest;
        uint64_t age_ns;

        if (process->ended_ns - from.ns < MINUTE_NS / 2)
                from = own->before;
        if (!from.ns)
                from.ns = process->inside->attached_ns;
        age_ns = process->ended_ns > from.ns + NS_PER_S ? process->ended_ns - from.ns : NS_PER_S;
        return (double)(allocated_since_attach(process) - from.alloc_bytes) * (double)NS_PER_S / (double)age_ns;
}

/* The names with the highest rates, the highest first; 0: no more. */
static void find_top(const struct post_mortem_rates *rates, uint32_t top[NAMES_TOLD]) {
        for (uint32_t name = 1; name <= rates->names; name++) {
                uint32_t one = name;

                for (unsigned i = 0; i < NAMES_TOLD && rates->of_name[one] > 0; i++)
                        if (!top[i] || rates->of_name[one] > rates->of_name[top[i]]) {
                                uint32_t other = top[i];

                                top[i] = one;
                                one = other;
                                if (!one)
                                        break;
                        }
        }
}

/* The process, then names of spans: "4.0 MiB/s, query 3.9 MiB/s, parse 10 B/s" */
static void list_rates(struct process *process, char *buf, size_t size) {
        const struct books *books = process->books;
        const struct post_mortem_rates *rates;
        uint32_t top[NAMES_TOLD] = {0};
        double all = own_rate(process);
        char bytes[32];
        size_t at;

        while (!post_mortem_rate_some(process, process->ended_ns))
                ;
        rates = process->inside->post_mortem.rates;
        if (rates)
                find_top(rates, top);
        if (rates && rates->of_name[0] > all)
                all = rates->of_name[0];
        amount(bytes, all);
        at = add(buf, size, 0, bytes);
        at = add(buf, size, at, "/s");
        for (unsigned i = 0; i < NAMES_TOLD && top[i] && rates->of_name[top[i]] >= 0.5; i++) {
                amount(bytes, rates->of_name[top[i]]);
                at = add(buf, size, at, ", ");
                at = add(buf, size, at, books_name(books, top[i]));
                at = add(buf, size, at, " ");
                at = add(buf, size, at, bytes);
                at = add(buf, size, at, "/s");
        }
}

/* ----------------------------------------------------------------------------------------------------- report -- */

static bool was_oom(const struct process *process) {
        if (process->end != PROCESS_EXITED && (process->end != PROCESS_KILLED || process->end_status != SIGKILL))
                return false;
        return process->inside->post_mortem.maybe_oom || procinfo_oom_told(process->pid, process->inside->attached_ns);
}

/* A signal by which programs are asked to end: of itself no failure. */
static bool is_request(const struct process *process) {
        return process->end == PROCESS_KILLED &&
               (process->end_status == SIGTERM || process->end_status == SIGINT || process->end_status == SIGHUP);
}

static const char *cause(const struct process *process) {
        const char *name = process->end == PROCESS_KILLED ? sigabbrev_np(process->end_status) : NULL;

        if (process->out_of_memory)
                return "out of memory";
        if (is_request(process))
                return "a request to end";
        /* Who sends a SIGKILL does not say so. */
        return name && process->end_status != SIGKILL ? sigdescr_np(process->end_status) : "unknown";
}

bool post_mortem_is_reported(const struct process *process) {
        return process->inside->post_mortem.is_reported;
}

void post_mortem_skip(struct process *process) {
        process->inside->post_mortem.is_reported = true;
}

static void report(struct process *process) {
        char spans[1024], rates[512], ended[64];
        struct books_last last;

        if (process->inside->post_mortem.is_reported)
                return;
        process->inside->post_mortem.is_reported = true;
        if (!process->books || (process->end != PROCESS_KILLED && process->end != PROCESS_EXITED))
                return;
        if (was_oom(process)) {
                process->out_of_memory = true;
                process->end = PROCESS_KILLED;
                process->end_status = SIGKILL;
        }
        /* With nothing open a request to end is an ordinary end, and so is an end without a status. */
        if ((process->end == PROCESS_EXITED || is_request(process)) && !books_last_row(process->books, 0, &last))
                return;
        list_spans(process->books, spans, sizeof spans);
        list_rates(process, rates, sizeof rates);
        log_event(LOG_KILLED,
                  &(struct log_peer){.pid = process->pid,
                                     .uid = process->uid,
                                     .comm = process->comm,
                                     .unit = process->unit,
                                     .reason = cause(process),
                                     .spans = spans,
                                     .rates = rates,
                                     .is_object = true},
                  "process %d (%s) of %s: %s, cause %s; open then: %.500s; last minute: %.200s", (int)process->pid,
                  process->comm, *process->unit ? process->unit : "no unit",
                  process_end_text(process, ended, sizeof ended), cause(process), *spans ? spans : "nothing", rates);
}

void post_mortem_report(struct process *process) {
        report(process);
        post_mortem_deinit(process);
}
