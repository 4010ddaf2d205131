/* SPDX-License-Identifier: MIT */
/* The pool of attachments: counts their users, and unmaps those that no thread uses; see attachments.h. */
#include "client/segment/attachments.h"

static struct sa_attachment attachments[SA_ATTACHMENTS];

struct sa_attachment *sa_attachment_get(uint32_t *ret_epoch) {
        for (;;) {
                /* [G2] seq_cst: raises `users`, then reads the gate again; pairs with sa_attachments_reap(), which
                 * reads `users` after the attachment has left the gate.  Without it: a segment is unmapped while
                 * this thread claims a lane in it. */
                struct sa_attachment *a = atomic_load(&sa_gate.attachment);

                if (!a)
                        return NULL;
                atomic_fetch_add(&a->users, 1);
                if (atomic_load(&sa_gate.attachment) == a) {
                        *ret_epoch = a->epoch;
                        return a;
                }
                atomic_fetch_sub(&a->users, 1);
        }
}

struct sa_attachment *sa_attachment_nth(uint32_t i) {
        struct sa_attachment *a = &attachments[i];

        if (atomic_load(&a->in_use) != SA_MAPPED)
                return NULL;
        /* [G2] The same, by `in_use` in place of the gate. */
        atomic_fetch_add(&a->users, 1);
        if (atomic_load(&a->in_use) == SA_MAPPED)
                return a;
        atomic_fetch_sub(&a->users, 1);
        return NULL;
}

void sa_attachment_put(struct sa_attachment *a) {
        atomic_fetch_sub(&a->users, 1);
}

static bool has_owner(const struct sa_attachment *a) {
        uint32_t n = atomic_load(&a->header->lanes_claimed);

        for (uint32_t i = 0; i < n && i < a->geometry.lane_capacity; i++) {
                const struct shm_lane *lane = sa_lane_at(a, i);
                uint32_t word;

                if (!lane)
                        continue;
                word = shm_owner_word(lane);
                if ((word & SHM_OWNER_TID) && !(word & SHM_OWNER_DIED))
                        return true;
                if (atomic_load(&lane->occupancy) & 1)
                        return true;
        }
        return false;
}

void sa_attachments_reap(void (*on_unmap)(const struct sa_attachment *)) {
        for (int i = 0; i < (int)SA_ATTACHMENTS; i++) {
                struct sa_attachment *a = &attachments[i];

                if (atomic_load(&a->in_use) != SA_MAPPED || atomic_load(&sa_gate.attachment) == a)
                        continue;
                atomic_store(&a->in_use, SA_UNMAPPING);
                /* [G2] seq_cst: `in_use` is stored, then `users` is read; pairs with sa_attachment_nth() and
                 * sa_attachment_get(). */
                if (atomic_load(&a->users) || has_owner(a)) {
                        atomic_store(&a->in_use, SA_MAPPED);
                        continue;
                }
                on_unmap(a);
                sa_segment_unmap(&a->map);
                atomic_store(&a->in_use, SA_UNUSED);
        }
}

struct sa_attachment *sa_attachments_vacant(void) {
        for (uint32_t i = 0; i < SA_ATTACHMENTS; i++)
                if (atomic_load(&attachments[i].in_use) == SA_UNUSED)
                        return &attachments[i];
        /* No unused place: take one of an ancestor's attachment.  A forked process keeps those pages, one for each attached
         * ancestor. */
        for (uint32_t i = 0; i < SA_ATTACHMENTS; i++) {
                if (atomic_load(&attachments[i].in_use) != SA_LEFT)
                        continue;
                sa_segment_leave(&attachments[i].map);
                atomic_store(&attachments[i].users, 0);
                atomic_store(&attachments[i].in_use, SA_UNUSED);
                return &attachments[i];
        }
        return NULL;
}

void sa_attachments_fill(const struct sa_thread *self) {
        for (uint32_t i = 0; i < SA_ATTACHMENTS; i++)
                if (atomic_load(&attachments[i].in_use) == SA_MAPPED)
                        sa_segment_fill(&attachments[i].map, self->lane, self->ring,
                                        ((uint64_t)self->mask + 1) * sizeof(struct shm_record));
}

void sa_attachments_forget(void) {
        for (uint32_t i = 0; i < SA_ATTACHMENTS; i++) {
                struct sa_attachment *a = &attachments[i];

                /* The mappings of the beacons are inherited: their addresses can be mapped over again.  A call that
                 * the fork interrupted still counts itself among the users. */
                if (atomic_load(&a->in_use))
                        atomic_store(&a->in_use, SA_LEFT);
        }
}
