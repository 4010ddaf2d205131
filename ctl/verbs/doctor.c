/* SPDX-License-Identifier: MIT */
/*
 * The findings of `doctor`: what is checked in the answers, and the advice.  Asking and looking at the machine are in
 * verb_doctor.c.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/output/format.h"
#include "ctl/output/memory.h"
#include "ctl/output/text.h"
#include "ctl/rows/counting.h"
#include "ctl/rows/loss.h"
#include "ctl/verbs/doctor.h"

enum { PROCESSES_MAX = 100 /* that are told of one by one */ };

void doctor_deinit(struct doctor *doctor) {
        free(doctor->findings);
        *doctor = (struct doctor){0};
}

void doctor_add(struct doctor *doctor, const char *check, enum doctor_state state, const char *format, ...) {
        struct doctor_finding *finding;
        va_list args;

        if (doctor->count == doctor->room) {
                size_t room = doctor->room ? 2 * doctor->room : 16;
                void *more = reallocarray(doctor->findings, room, sizeof(*doctor->findings));

                if (!more) {
                        doctor->failed = true;
                        return;
                }
                doctor->findings = more;
                doctor->room = room;
        }
        finding = &doctor->findings[doctor->count++];
        *finding = (struct doctor_finding){.check = check, .state = state};
        va_start(args, format);
        vsnprintf(finding->text, sizeof(finding->text), format, args);
        va_end(args);
}

void doctor_advise(struct doctor *doctor, const char *format, ...) {
        struct doctor_finding *finding;
        va_list args;

        if (!doctor->count || doctor->failed)
                return;
        finding = &doctor->findings[doctor->count - 1];
        va_start(args, format);
        vsnprintf(finding->advice, sizeof(finding->advice), format, args);
        va_end(args);
}

void doctor_kernel(struct doctor *doctor, const char *release) {
        unsigned major = 0, minor = 0;

        if (sscanf(release, "%u.%u", &major, &minor) != 2)
                doctor_add(doctor, "kernel", DOCTOR_NOTE, "the kernel's release \"%s\" has no version that can be read",
                           release);
        else if (major < 5 || (major == 5 && minor < 16)) {
                doctor_add(doctor, "kernel", DOCTOR_PROBLEM, "Linux %s has no futex_waitv", release);
                doctor_advise(doctor, "run Linux 5.16 or newer, as Debian 12 does");
        } else
                doctor_add(doctor, "kernel", DOCTOR_OK, "Linux %s", release);
}

/* ------------------------------------------------------------------------------------------- collector -- */

static void check_backend(struct doctor *doctor, const struct table *status) {
        const char *backend = table_text(status, 0, "backend"), *why = table_text(status, 0, "backend_why");

        if (!strcmp(backend, "io_uring")) {
                doctor_add(doctor, "backend", DOCTOR_OK, "the collector waits with io_uring");
                return;
        }
        doctor_add(doctor, "backend", DOCTOR_NOTE, "the collector waits with %s%s%s", backend, *why ? ": " : "", why);
        doctor_advise(doctor, "nothing to do: poll gives the same numbers; a container or kernel.io_uring_disabled "
                              "often refuses io_uring");
}

static void check_version(struct doctor *doctor, const struct table *status, const char *version) {
        const char *theirs = table_text(status, 0, "version");

        if (!strcmp(theirs, version)) {
                doctor_add(doctor, "versions", DOCTOR_OK, "spanallocd and spanallocctl are both %s", version);
                return;
        }
        doctor_add(doctor, "versions", DOCTOR_PROBLEM, "spanallocd is %s, spanallocctl is %s", theirs, version);
        doctor_advise(doctor, "install the same version of both, then `systemctl restart spanallocd`");
}

static void check_counter(struct doctor *doctor, const struct table *status, const char *field, const char *what,
                          const char *advice) {
        uint64_t n = table_uint(status, 0, field);

        if (!n)
                return;
        doctor_add(doctor, "limits", DOCTOR_PROBLEM, "%" PRIu64 " %s", n, what);
        doctor_advise(doctor, "%s", advice);
}

static void check_drops(struct doctor *doctor, const struct table *status) {
        uint64_t refused = table_uint(status, 0, "refused"), fill = table_uint(status, 0, "ring_fill_ppm");
        char lost[FORMAT_MAX], percent[FORMAT_MAX];

        if (refused) {
                doctor_add(doctor, "drops", DOCTOR_PROBLEM,
                           "%" PRIu64 " enters, opens and closes were refused; %s allocated in them is in no span",
                           refused, format_bytes(lost, table_uint(status, 0, "lost_alloc_bytes")));
                doctor_advise(doctor,
                              "`spanallocctl ps --sort -refused --columns pid,comm,refused,refused_depth` shows the "
                              "processes; refused_depth is for more than 64 nested spans; for the rest set a larger "
                              "ring-kib in spanallocd.conf, reload spanallocd and restart the program, or open fewer "
                              "spans");
        } else {
                doctor_add(doctor, "drops", DOCTOR_OK, "nothing was refused, nothing is lost");
        }
        if (fill < 800000)
                doctor_add(doctor, "rings", DOCTOR_OK, "the fullest ring of the last seconds was %s full",
                           format_ppm(percent, fill));
        else {
                doctor_add(doctor, "rings", DOCTOR_PROBLEM, "the fullest ring of the last seconds was %s full",
                           format_ppm(percent, fill));
                doctor_advise(doctor,
                              "give spanallocd more processor time, or set a larger ring-kib in spanallocd.conf, "
                              "reload spanallocd and restart the programs");
        }
}

void doctor_collector(struct doctor *doctor, const struct table *status, const char *version) {
        size_t before;

        check_version(doctor, status, version);
        check_backend(doctor, status);
        check_drops(doctor, status);
        before = doctor->count;
        check_counter(doctor, status, "rejected", "attach requests were rejected",
                      "the collector's log says which limit it was; spanallocd(8) has the option for it");
        check_counter(doctor, status, "expelled", "processes broke the format of their segment and were expelled",
                      "the collector's log says how; look for a library of another version, or a program that writes "
                      "where it should not");
        check_counter(doctor, status, "evicted",
                      "open spans are no longer followed, because too many were open at once",
                      "look with `spanallocctl ps --sort -open` for a program that does not close its spans");
        check_counter(doctor, status, "left_behind",
                      "processes began new rows at a restart, because their books could not be taken over",
                      "nothing to do: they are counted again; restart their units only if you need rows that are "
                      "complete from the start");
        check_counter(doctor, status, "follow_dropped", "events did not reach a follower that read too slowly",
                      "follow less, with --filter, --pid or --unit");
        check_counter(doctor, status, "query_errors", "queries were refused",
                      "most likely mistyped ones, or a program with another version of the protocol; the collector's "
                      "log has more");
        if (doctor->count == before)
                doctor_add(doctor, "limits", DOCTOR_OK, "no limit of the collector was reached");
}

/* A pidfd and the memfd of its books for each process, one more memfd while it attaches, and some of its own. */
void doctor_descriptors(struct doctor *doctor, const struct table *status, uint64_t limit) {
        uint64_t needed = 3 * table_uint(status, 0, "processes") + 128;

        if (!limit)
                return;
        if (needed <= limit / 10 * 8) {
                doctor_add(doctor, "files", DOCTOR_OK,
                           "the collector may have %" PRIu64 " descriptors, and needs about %" PRIu64, limit, needed);
                return;
        }
        doctor_add(doctor, "files", DOCTOR_PROBLEM,
                   "the collector may have %" PRIu64 " descriptors, and needs about %" PRIu64, limit, needed);
        doctor_advise(doctor, "raise LimitNOFILE= with `systemctl edit spanallocd`, then restart it");
}

/* ------------------------------------------------------------------------------------------- processes -- */

static void check_process(struct doctor *doctor, const struct table *ps, size_t row) {
        const char *comm = table_text(ps, row, "comm"), *counting = table_text(ps, row, "counting");
        uint64_t pid = table_uint(ps, row, "pid");
        char text[MEMORY_TEXT_MAX];
        struct loss loss = {0};

        if (counting_is_missing(counting)) {
                doctor_add(doctor, "process", DOCTOR_PROBLEM, "%s[%" PRIu64 "]: %s", comm, pid, counting);
                doctor_advise(doctor, "start it with LD_PRELOAD=libspanalloc-malloc.so.0, or link "
                                      "libspanalloc-malloc; a static program can only count for itself "
                                      "(spanalloc_set_snapshot)");
        } else if (counting_is_in_filter(counting)) {
                doctor_add(doctor, "process", DOCTOR_NOTE, "%s[%" PRIu64 "]: counted by %s", comm, pid, counting);
                doctor_advise(doctor,
                              "nothing to do while this collector runs; after a restart of the collector it may be "
                              "unable to attach: then restart the program");
        } else {
                doctor_add(doctor, "process", DOCTOR_OK, "%s[%" PRIu64 "]: counted by %s", comm, pid, counting);
        }
        if (!table_bool(ps, row, "balanced")) {
                doctor_add(doctor, "books", DOCTOR_PROBLEM,
                           "%s[%" PRIu64 "]: its books do not balance: its sums may be wrong", comm, pid);
                doctor_advise(
                        doctor,
                        "this is an error in spanalloc: please report it, with the output of `spanallocctl --json ps`");
        }
        if (table_uint(ps, row, "coverage_ppm") < 990000 && table_uint(ps, row, "lost_alloc_bytes")) {
                loss_add(&loss, ps, row);
                doctor_add(doctor, "coverage", DOCTOR_PROBLEM,
                           "%s[%" PRIu64 "]: more than 1%% of its bytes are lost, since %s", comm, pid,
                           loss_cause(&loss));
                doctor_advise(doctor, "%s", loss_advice(&loss));
        }
        if (*memory_of_unit(ps, row, text))
                doctor_add(doctor, "memory", DOCTOR_NOTE, "%s", text);
        if (*memory_of_process(ps, row, text))
                doctor_add(doctor, "memory", DOCTOR_NOTE, "%s", text);
}

void doctor_processes(struct doctor *doctor, const struct table *ps) {
        size_t alive = 0;

        for (size_t row = 0; row < ps->row_count; row++)
                if (table_bool(ps, row, "alive") && ++alive <= PROCESSES_MAX)
                        check_process(doctor, ps, row);
        if (alive > PROCESSES_MAX)
                doctor_add(doctor, "process", DOCTOR_NOTE, "and %zu more processes, which `spanallocctl ps` shows",
                           alive - PROCESSES_MAX);
        if (alive)
                return;
        doctor_add(doctor, "process", DOCTOR_NOTE, "no process is attached");
        doctor_advise(doctor, "start one with LD_PRELOAD=libspanalloc-malloc.so.0, or try `spanallocctl demo`");
}

void doctor_spans(struct doctor *doctor, const struct table *spans) {
        size_t n = 0, first = 0;

        for (size_t row = 0; row < spans->row_count; row++)
                if (!strcmp(table_text(spans, row, "quality"), "mixed") && !n++)
                        first = row;
        if (!n)
                return;
        doctor_add(doctor, "spans", DOCTOR_NOTE,
                   "%zu rows of spans are mixed, \"%s\" of process %" PRIu64
                   " among them: counts are in the wrong span, since a thread left a scope by a jump, or went on with "
                   "another coroutine",
                   n, table_text(spans, first, "span"), table_uint(spans, first, "pid"));
        doctor_advise(doctor,
                      "call spanalloc_stack_switch() at each switch between coroutines, and end scopes before a "
                      "longjmp(); `spanallocctl spans` shows the quality of each");
}

/* ------------------------------------------------------------------------------------------- one program -- */

/* As client/segment/attach.c: a program trusts a collector of root, of its own user, or of the owner of /run/spanalloc. */
static bool trusts(const struct program_facts *facts) {
        return facts->collector == 0 || facts->collector == facts->uid || facts->collector == facts->owner;
}

static void program_lacks_library(struct doctor *doctor, const struct program_facts *facts) {
        char unit[TEXT_QUOTED_MAX];
        const char *suffix = strrchr(facts->unit, '.');

        if (facts->names_counters) {
                doctor_add(doctor, "program", DOCTOR_PROBLEM,
                           "%s[%d]: LD_PRELOAD names libspanalloc-malloc, but it was not loaded", facts->comm,
                           (int)facts->pid);
                doctor_advise(doctor,
                              "it may be static or setuid, or its root directory (chroot, container) has no such "
                              "library: install the library there, or link libspanalloc-malloc");
                return;
        }
        doctor_add(doctor, "program", DOCTOR_PROBLEM, "%s[%d]: neither libspanalloc nor libspanalloc-malloc is in it",
                   facts->comm, (int)facts->pid);
        if (suffix && !strcmp(suffix, ".service"))
                doctor_advise(doctor, "to count it: `spanallocctl enable --now %s`, which restarts the service",
                              text_quote(unit, sizeof(unit), facts->unit));
        else
                doctor_advise(doctor, "restart it with `spanallocctl run -- COMMAND`, or with "
                                      "LD_PRELOAD=libspanalloc-malloc.so.0");
}

static void program_lacks_socket(struct doctor *doctor, const struct program_facts *facts) {
        doctor_add(doctor, "program", DOCTOR_PROBLEM, "%s[%d]: it looks for a collector at %s, where none is",
                   facts->comm, (int)facts->pid, facts->socket);
        doctor_advise(doctor, "mount the directory of the collector's sockets where the program looks (in its chroot "
                              "or container), or restart it with SPANALLOC_SOCKET=DIR/ingest.sock");
}

static void program_lacks_trust(struct doctor *doctor, const struct program_facts *facts) {
        doctor_add(doctor, "program", DOCTOR_PROBLEM,
                   "%s[%d]: it does not trust the collector: for this program the collector is user %u%s, and a "
                   "program trusts "
                   "only root, its own user (%u), and the owner of /run/spanalloc as it sees it",
                   facts->comm, (int)facts->pid, (unsigned)facts->collector,
                   facts->other_user_namespace ? " (it is in a user namespace)" : "", (unsigned)facts->uid);
        doctor_advise(doctor, "mount the directory of the collector's sockets at /run/spanalloc of the program's "
                              "container, or run a collector in its user namespace");
}

/* The library makes no system call in a program that has installed a filter, nor in one that came with a filter, unless that
 * is known not to kill: client/process/inherited_filter.h. */
static void program_is_in_filter(struct doctor *doctor, const struct program_facts *facts) {
        char unit[TEXT_QUOTED_MAX];
        const char *comm = facts->comm, *suffix = strrchr(facts->unit, '.');
        bool is_strict = facts->seccomp_mode == 1, is_service = suffix && !strcmp(suffix, ".service");
        int pid = (int)facts->pid;

        if (is_strict) {
                doctor_add(doctor, "program", DOCTOR_PROBLEM,
                           "%s[%d]: it is in seccomp's strict mode, and cannot attach any more", comm, pid);
                doctor_advise(doctor, "restart it while the collector runs: it attaches before it enters the mode");
                return;
        }
        if (facts->calls_pass) {
                doctor_add(
                        doctor, "program", DOCTOR_NOTE,
                        "%s[%d]: it has not attached, and has a seccomp filter: either it installed the filter before "
                        "it attached, or the filter forbids system calls that the library needs",
                        comm, pid);
                doctor_advise(doctor,
                              "restart it while the collector runs: it attaches before it installs the filter%s%s%s",
                              is_service ? "; `spanallocctl enable " : "", is_service ? facts->unit : "",
                              is_service ? "` says what its unit forbids" : "");
                return;
        }
        doctor_add(doctor, "program", DOCTOR_PROBLEM,
                   "%s[%d]: its seccomp filter could kill it for a system call of the library, so the library makes "
                   "none, and does not "
                   "attach; the program is not in danger",
                   comm, pid);
        if (is_service)
                doctor_advise(doctor,
                              "`spanallocctl enable %s` says whether its SystemCallFilter= lets it be counted; if the "
                              "program installs the filter itself, restart it while the collector runs",
                              text_quote(unit, sizeof(unit), facts->unit));
        else
                doctor_advise(
                        doctor,
                        "if the program installs the filter itself: restart it while the collector runs; if it is "
                        "started with the filter, and the filter answers with an errno: restart it with "
                        "SPANALLOC_SECCOMP=allow; if the filter kills: do not, the program would be killed");
}

void doctor_program(struct doctor *doctor, const struct program_facts *facts) {
        const char *comm = facts->comm;
        int pid = (int)facts->pid;

        if (!facts->seen) {
                doctor_add(doctor, "program", DOCTOR_NOTE, "%s[%d]: no permission to read its files in /proc", comm,
                           pid);
                doctor_advise(doctor, "run this command as its user, or as root");
        } else if (!facts->has_spans && !facts->has_counters) {
                program_lacks_library(doctor, facts);
        } else if (facts->is_off) {
                doctor_add(doctor, "program", DOCTOR_PROBLEM, "%s[%d]: it runs with SPANALLOC=0", comm, pid);
                doctor_advise(doctor, "restart it without SPANALLOC=0 in its environment");
        } else if (facts->seccomp_mode == 1 || (facts->seccomp_mode && !facts->calls_pass)) {
                program_is_in_filter(doctor, facts);
        } else if (!facts->socket_exists) {
                program_lacks_socket(doctor, facts);
        } else if (facts->socket_is_other) {
                doctor_add(doctor, "program", DOCTOR_NOTE, "%s[%d]: its collector is another one, at %s", comm, pid,
                           facts->socket);
                doctor_advise(doctor, "run this command with --socket=PATH of that one");
        } else if (!trusts(facts)) {
                program_lacks_trust(doctor, facts);
        } else if (facts->seccomp_mode) { /* which may be harmless: what is certain comes before it */
                program_is_in_filter(doctor, facts);
        } else if (facts->no_new_privs) {
                /* The library expects a filter, and the collector does not look for one: docs/decisions/sandboxes.md. */
                doctor_add(
                        doctor, "program", DOCTOR_NOTE,
                        "%s[%d]: it has not attached yet; if it set no_new_privs while it had no collector, it cannot",
                        comm, pid);
                doctor_advise(doctor, "wait until it has opened a span or allocated 64 times; if it is still not "
                                      "attached, restart it "
                                      "while the collector runs");
        } else {
                doctor_add(doctor, "program", DOCTOR_NOTE,
                           "%s[%d]: it is able to attach to %s, and has not done so yet", comm, pid, facts->socket);
                doctor_advise(doctor,
                              "it attaches at its next span, or within 64 allocations; if the collector rejected "
                              "it, the log says why");
        }
}
