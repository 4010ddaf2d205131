/* SPDX-License-Identifier: MIT */
/*
 * The rare calls of a program: attach, detach, its own counters, sites for run-time names.  Each goes to the copy that
 * leads.
 */
#include <errno.h>
#include <string.h>

#include "client/gate/api.h"
#include "client/lanes/lane_move.h"
#include "client/process/library.h"
#include "client/segment/attach.h"
#include "client/segment/attachments.h"
#include "client/segment/fork.h"
#include "client/segment/intern.h"

#define EXPORT __attribute__((visibility("default")))

static int set_snapshot(spanalloc_snapshot_fn fn) {
        if (!fn)
                return -EINVAL;
        if (atomic_load(&sa_root.threads))
                return -EBUSY;
        atomic_store(&sa_root.snapshot, fn);
        atomic_store(&sa_root.counting, SHM_COUNTING_SNAPSHOT);
        if (atomic_load(&sa_gate.epoch)) {
                uint32_t epoch;
                struct sa_attachment *a = sa_attachment_get(&epoch);

                if (a) {
                        atomic_store(&a->header->counting, SHM_COUNTING_SNAPSHOT);
                        sa_attachment_put(a);
                }
        }
        return 0;
}

static int attach_with(const struct spanalloc_options *options) {
        struct spanalloc_options o = {.size = sizeof o};

        if (options && options->size < sizeof options->size)
                return -EINVAL;
        if (options) /* an older program's struct is shorter */
                memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
        if (o.on_full > SPANALLOC_WAIT)
                return -EINVAL;
        if (o.on_full)
                sa_root.on_full = o.on_full;
        return sa_attach(&o, true);
}

static void detach(void) {
        if (atomic_load(&sa_root.state) != SA_READY)
                return;
        sa_notice_fork();
        atomic_store(&sa_gate.epoch, 0);
        atomic_store(&sa_gate.quick, 0);
        atomic_store(&sa_gate.attachment, NULL);
        atomic_store(&sa_root.next_try_ns, UINT64_MAX);
        sa_lane_slow(&sa_self);
        sa_attach_rest();
}

EXPORT spanalloc_site *spanalloc_site_intern(const char *name) {
        const struct sa_api *api = sa_forward();

        return api ? api->site_intern(name) : sa_site_intern(name);
}

EXPORT int spanalloc_set_snapshot(spanalloc_snapshot_fn fn) {
        const struct sa_api *api = sa_forward();

        return api ? api->set_snapshot(fn) : set_snapshot(fn);
}

EXPORT int spanalloc_attach(const struct spanalloc_options *options) {
        const struct sa_api *api = sa_forward();

        return api ? api->attach(options) : attach_with(options);
}

EXPORT void spanalloc_detach(void) {
        const struct sa_api *api = sa_forward();

        if (api)
                api->detach();
        else
                detach();
}
