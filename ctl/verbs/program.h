/* SPDX-License-Identifier: MIT */
/*
 * A running program: why it is not counted, as far as /proc shows; and the sentence for a user who wants to attach to
 * it.
 *
 * What does not live here: the findings (doctor.h).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct program_facts {
        pid_t pid;
        char comm[16], unit[256];
        bool seen;                    /* its environment and maps may be read; nothing below is known else */
        bool is_off;                  /* SPANALLOC=0 */
        bool names_counters;          /* LD_PRELOAD names libspanalloc-malloc */
        bool has_spans, has_counters; /* which library it has mapped */
        char socket[256];             /* where it looks for a collector */
        bool socket_exists;           /* in its own root directory */
        bool socket_is_other;         /* another than the one beside the query socket that was asked */
        bool other_user_namespace;
        bool no_new_privs;
        uint32_t seccomp_mode; /* 1: a thread is in strict mode; 2: one is in a filter */
        bool says_container;   /* container= */
        bool calls_pass;       /* It came with SPANALLOC_SECCOMP=allow, or with the filter of a container engine. */
        uid_t uid;       /* its own, collector_uid and owner as it sees them: 65534 for what its user namespace lacks */
        uid_t collector; /* of the collector's socket */
        uid_t owner;     /* of its /run/spanalloc; -1: it has none */
};

/* `query`: the path of the query socket; `collector`: the uid behind it, as seen here.  0, or -ESRCH. */
int program_look(struct program_facts *ret, pid_t pid, const char *query, uid_t collector);

/* Calls `found` for each process that has one of the libraries and is in a seccomp filter, until `found` returns false.  Skips
 * processes whose files in /proc it may not read. */
void program_each_in_filter(const char *query, uid_t collector,
                            bool (*found)(void *userdata, const struct program_facts *facts), void *userdata);

/* Says that a running program cannot be attached to, and which command counts it.  Returns an exit code. */
int program_cannot_attach(uint64_t pid);
