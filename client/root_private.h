/* SPDX-License-Identifier: MIT */
/*
 * What the files of the client share about the process; ordinary memory, inherited by a forked child.
 */
#pragma once

#include "client/api.h"
#include "client/root.h"
#include "client/thread.h"

/* What one copy of the library offers to another in the same process.  Only appended to; `size` says how far. */
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
};

enum sa_state { SA_NEW, SA_READY, SA_OFF };

struct sa_root {
        uint64_t magic;
        const struct sa_api *api;
        const void *counter;            /* not NULL: this copy is the counting allocator's */
        struct sa_root *_Atomic leader; /* the copy that does the work; NULL: not decided */
        _Atomic uint32_t state;         /* enum sa_state */

        /* settings, from the environment at start-up */
        char socket[108];
        uint32_t ring_kib;
        uint32_t on_full;
        uint32_t answer_ms;   /* how long a collector may take to answer */
        uint64_t run_dir_uid; /* owner of /run/spanalloc, who may be the collector; UINT64_MAX: nobody */

        _Atomic uint32_t counting;
        _Atomic uint32_t early;   /* attach without a span: the counting allocator is here */
        _Atomic uint32_t quick;   /* the gate says so with its epoch */
        _Atomic uint32_t options; /* enum shm_option, of the last collector */
        spanalloc_snapshot_fn _Atomic snapshot;

        _Atomic uint32_t epoch;                  /* how many attachments there were */
        _Atomic uint64_t next_block;             /* of instances */
        _Atomic uint64_t next_try_ns;            /* no attempt to attach before that */
        _Atomic uint32_t back_off;               /* seconds; grows while a collector does not answer */
        _Atomic uint32_t name_limit, path_limit; /* ids below these fit every segment so far */

        /* statistics that no lane has */
        _Atomic int32_t attach_error;
        _Atomic uint64_t attach_attempts, threads, refused_threads, other_names, other_paths, truncated_names;
};
/* Defined by libspanalloc-malloc only. */
extern const char sa_counter_marker __attribute__((weak, visibility("hidden")));

extern struct sa_root sa_root __attribute__((visibility("hidden")));

/* The interface of the copy that leads, where that is another one. */
extern const struct sa_api *_Atomic sa_leader_api __attribute__((visibility("hidden")));

int sa_root_set_snapshot(spanalloc_snapshot_fn fn);
int sa_root_attach(const struct spanalloc_options *options);
void sa_root_detach(void);
void sa_root_stats(struct spanalloc_stats *out);

#define SA_ROOT_MAGIC UINT64_C(0x31544f4f52415301)

/* The copy to forward to, or NULL when this one leads.  Starts the library if nothing has yet. */
static inline const struct sa_api *sa_forward(void) {
        sa_root_init();
        return atomic_load_explicit(&sa_leader_api, memory_order_acquire); /* [I1] */
}
