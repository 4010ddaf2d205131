/* SPDX-License-Identifier: MIT */
/*
 * The switch between two coroutines: it saves the thread's stack of spans, and enters the spans of a saved stack.  Cycles of
 * the saved frames end; their spans stay open.
 */
#include "client/gate/api.h"

#include "client/calls/call.h"
#include "client/calls/slow_path.h"
#include "shm/span.h"

static void switch_on(struct sa_thread *self, struct shm_lane *lane, struct spanalloc_stack *save,
                      struct spanalloc_stack *take) {
        sa_slow_save(self, lane, save);
        if (take)
                sa_slow_take(self, lane, take);
        end(self, lane);
}

EXPORT void spanalloc_stack_switch(struct spanalloc_stack *save, struct spanalloc_stack *take) {
        struct sa_thread *self = &sa_self;
        struct shm_lane *lane = sa_begin_slow(self, false);

        if (lane)
                switch_on(self, lane, save, take);
        else if (sa_leader() && sa_leader()->size > offsetof(struct sa_api, stack_switch))
                sa_leader()->stack_switch(save, take);
}
