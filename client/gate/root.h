/* SPDX-License-Identifier: MIT */
/*
 * The data that the files of the client share about the process.  It lies in ordinary memory, which a forked child
 * inherits. copy.c defines it.  The first four fields are what other copies of the library read.
 */
#pragma once

#include <stdbool.h>

#include "client/gate/api.h"
#include "client/gate/quiet_process.h"
#include "shm/layout.h"

/* The functions that one copy of the library offers to another in the same process.  Fields are only appended;
 * `size` says how many there are. */
struct sa_api {
        uint32_t size;
        uint32_t version;
        void (*init)(void);
        spanalloc_span (*open)(spanalloc_site *);
        spanalloc_span (*open_under)(spanalloc_site *, spanalloc_span);
        void (*enter)(spanalloc_span);
        void (*exit)(spanalloc_span);
        void (*close)(spanalloc_span);
        spanalloc_span (*current)(void);
        spanalloc_site *(*site_intern)(const char *);
        int (*set_snapshot)(spanalloc_snapshot_fn);
        int (*attach)(const struct spanalloc_options *);
        void (*detach)(void);
        void (*stats)(struct spanalloc_stats *);
        spanalloc_span (*scope_begin)(spanalloc_site *);
        void (*scope_end)(spanalloc_span);
        _Atomic uint64_t *(*counters)(void);
        void (*set_counting)(enum shm_counting);
        void (*attach_early)(void);
        bool (*is_eager)(void);
        void (*tell_exec)(int32_t, const char *, bool);
        void (*filter_comes)(enum sa_quiet);
        void (*stack_switch)(struct spanalloc_stack *, struct spanalloc_stack *);
};

enum sa_state { SA_NEW, SA_READY, SA_OFF };

struct sa_root {
        uint64_t magic;
        const struct sa_api *api;
        const void *counter;            /* not NULL: this copy is the counting allocator's */
        struct sa_root *_Atomic leader; /* the copy that does the work; NULL: not elected yet */
        _Atomic uint32_t state;         /* enum sa_state */

        /* settings, from the environment at start-up */
        char socket[108];
        bool socket_is_told; /* by SPANALLOC_SOCKET */
        uint32_t ring_kib;
        uint32_t on_full;
        uint32_t answer_ms;   /* how long a collector may take to answer */
        uint32_t filters;     /* so many seccomp filters let the library's system calls pass */
        uint64_t run_dir_uid; /* owner of /run/spanalloc, trusted as a collector; UINT64_MAX: none */

        _Atomic uint32_t counting;
        _Atomic uint32_t early;   /* attach without a span: the counting allocator is here */
        _Atomic uint32_t quick;   /* the counting allocator may take the quick way: gate.quick follows the epoch */
        _Atomic uint32_t options; /* enum shm_option, of the last collector */
        spanalloc_snapshot_fn _Atomic snapshot;

        _Atomic uint32_t epoch;                  /* how many attachments there were */
        _Atomic uint64_t next_block;             /* of instances */
        _Atomic uint64_t next_try_ns;            /* no attempt to attach before that */
        _Atomic uint32_t back_off;               /* seconds; grows while a collector does not answer */
        _Atomic uint32_t name_limit, path_limit; /* ids below these fit every segment so far */

        /* statistics that no lane has */
        _Atomic int32_t attach_error;
        _Atomic uint64_t attach_attempts, threads, refused_threads, other_names, other_paths, truncated_names,
                abandoned;
};
/* Defined by libspanalloc-malloc only. */
extern const char sa_counter_marker __attribute__((weak, visibility("hidden")));

extern struct sa_root sa_root __attribute__((visibility("hidden")));

#define SA_ROOT_MAGIC UINT64_C(0x31544f4f52415301)

/* The interface of the copy that leads, if that is another one; else NULL. */
extern const struct sa_api *_Atomic sa_leader_api __attribute__((visibility("hidden")));

static inline const struct sa_api *sa_leader(void) {
        /* [I1] acquire of the leader's interface, pairs with the release in sa_library_init().  Publishes: the start
         * of the other copy. */
        return atomic_load_explicit(&sa_leader_api, memory_order_acquire);
}
