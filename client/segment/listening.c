/* SPDX-License-Identifier: MIT */
/* See listening.h for the one word that lives here. */
#include "client/segment/listening.h"

/* A copy relocation may put a program's word in place of the library's.  Objects that the loader binds to the
 * library alone (RTLD_DEEPBIND) read the library's own all the same, so both are stored. */
extern uint32_t spanalloc_listening_;
uint32_t spanalloc_listening_ __attribute__((visibility("default")));
extern uint32_t own_listening __attribute__((alias("spanalloc_listening_"), visibility("hidden")));

void sa_set_listening(uint32_t listening) {
        /* [G3] store of `listening` before the epoch's release in attach(), pairs with the load in
         * spanalloc_is_alone_().  Without it: a thread that has learned of the attachment reads 0, and its span is not
         * recorded. */
        __atomic_store_n(&spanalloc_listening_, listening, __ATOMIC_SEQ_CST);
        __atomic_store_n(&own_listening, listening, __ATOMIC_SEQ_CST);
}
