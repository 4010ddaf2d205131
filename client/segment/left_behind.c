/* SPDX-License-Identifier: MIT */
/* See left_behind.h. */
#include "client/segment/left_behind.h"

#include "client/gate/root.h"
#include "client/segment/attaching.h"
#include "client/segment/attachments.h"

#define NOTES      64u /* a bit of sa_left_used each, set once the note is made; with none free, a move is not noted */
#define TRIES      4096u
#define CALLS_OVER 256u /* A handler that interrupts a counting makes fewer long calls. */

/* A note says what one thread has counted in a lane of a former attachment.  Its thread writes and reads it.  Once
 * that thread has ended, a thread that attaches drops the note.  A forked child drops all notes, and clears only
 * their bits and tids for that: the fork may have interrupted a call at any instruction here.  Such a call goes on
 * with the pointers that it has read, to memory that is then private to the child. */
static struct note {
        _Atomic uint32_t tid; /* of the thread; 0: free */
        uint32_t calls;       /* number of calls since then; each has added what was new */
        uint32_t occupancy;   /* of the lane, at the time of the note: if it differs now, another thread has the lane */
        struct sa_attachment *attachment;
        struct shm_lane *lane;          /* NULL: the thread's own memory */
        uint64_t counted[SHM_COUNTERS]; /* of the counts there: those already added to the next lane */
} notes[NOTES];

_Atomic uint64_t sa_left_used;

static bool is_used(uint32_t i) {
        return atomic_load(&sa_left_used) >> i & 1;
}

static uint32_t tid_of(const struct shm_lane *lane) {
        return shm_owner_word(lane) & SHM_OWNER_TID;
}

/* The attachment with this epoch, protected from unmapping.  A thread that attaches may just look whether it can be
 * unmapped: then it is not found for a moment. */
static struct sa_attachment *attachment_of(uint32_t epoch) {
        for (unsigned n = 0; n < TRIES * SA_ATTACHMENTS; n++) {
                struct sa_attachment *a = sa_attachment_nth(n % SA_ATTACHMENTS);

                if (a && a->epoch == epoch)
                        return a;
                if (a)
                        sa_attachment_put(a);
        }
        return NULL;
}

static bool claim(struct note *note, uint32_t tid) {
        uint32_t none = 0;

        return atomic_compare_exchange_strong(&note->tid, &none, tid);
}

static struct note *unused(uint32_t tid) {
        for (uint32_t i = 0; i < NOTES; i++)
                if (claim(&notes[i], tid))
                        return &notes[i];
        return NULL;
}

/* In a forked child the bit is clear already, and stays so. */
static void drop(struct note *note) {
        struct sa_attachment *a = note->attachment;

        atomic_fetch_and(&sa_left_used, ~((uint64_t)1 << (note - notes)));
        atomic_store(&note->tid, 0);
        if (a)
                sa_attachment_put(a);
}

void sa_left_note(const struct sa_thread *self, struct shm_lane *lane, struct shm_lane *old) {
        uint32_t own = tid_of(lane); /* 0: forked in the middle of this call */
        struct note *note;

        if (!own || atomic_load(&sa_root.counting) != SHM_COUNTING_MALLOC || atomic_load(&sa_root.snapshot))
                return;
        note = unused(own);
        if (!note)
                return;
        note->calls = 0;
        note->attachment = old ? attachment_of(self->epoch) : NULL;
        note->lane = note->attachment ? old : NULL; /* else it could be unmapped */
        if (note->lane) {
                note->occupancy = atomic_load(&old->occupancy);
                for (int i = 0; i < SHM_COUNTERS; i++)
                        note->counted[i] = atomic_load_explicit(&old->live[i], memory_order_relaxed); /* its own */
        }
        atomic_fetch_or(&sa_left_used, (uint64_t)1 << (note - notes));
        atomic_fetch_or_explicit(&lane->attention, SHM_ATTENTION_LEFT, memory_order_relaxed); /* its own thread's bit */
}

/* By fetch-and-add: malloc's counting in the lane may be interrupted as well. */
static void add(struct shm_lane *lane, int i, uint64_t more) {
        if (more)
                atomic_fetch_add_explicit(&lane->live[i], more, memory_order_relaxed);
}

static void settle(struct note *note, struct shm_lane *lane) {
        const struct shm_lane *old = note->lane;

        if (!old || atomic_load(&old->occupancy) != note->occupancy)
                return;
        for (int i = 0; i < SHM_COUNTERS; i++) {
                /* Relaxed: this thread alone counts there. */
                uint64_t now = atomic_load_explicit(&old->live[i], memory_order_relaxed);
                uint64_t more = now - note->counted[i];

                note->counted[i] = now;
                add(lane, i, more);
        }
}

void sa_left_settle(struct sa_thread *self, bool is_over) {
        struct shm_lane *lane = self->lane;
        uint32_t own = tid_of(lane), left = 0;

        for (int i = 0; i < SHM_COUNTERS; i++)
                add(lane, i, __atomic_exchange_n(&self->pending[i], 0, __ATOMIC_RELAXED));
        /* In a child that was forked in the middle of this call the lane reads as zeros, and no note is used. */
        for (uint32_t i = 0; own && i < NOTES; i++) {
                struct note *note = &notes[i];

                if (!is_used(i) || atomic_load(&note->tid) != own)
                        continue;
                settle(note, lane);
                if (is_over || ++note->calls >= CALLS_OVER)
                        drop(note);
                else
                        left++;
        }
        if (!left)
                atomic_fetch_and_explicit(&lane->attention, ~(uint32_t)SHM_ATTENTION_LEFT, memory_order_relaxed);
}

void sa_left_reap(void) {
        for (uint32_t i = 0; i < NOTES && atomic_load(&sa_left_used); i++) {
                uint32_t tid = atomic_load(&notes[i].tid);

                /* Used and free: the thread was making this note when the fork made this process. */
                if (is_used(i) && (tid ? sa_thread_is_gone(tid) : claim(&notes[i], UINT32_MAX)))
                        drop(&notes[i]);
        }
}

void sa_left_forget(void) {
        atomic_store(&sa_left_used, 0);
        for (uint32_t i = 0; i < NOTES; i++)
                atomic_store(&notes[i].tid, 0);
}
