/*
 * The ring: whole records, each once, also when the collector is killed.
 *
 *   in the model               in the code
 *   producer, has_room         put_enter(), put_exit() in client/calls/cycles.c, put_mark() in spans.c; ring_has_room(), ring_publish() in
 *                              shm/ring.h
 *   put                        sa_put() in client/lanes/record.h: 8 words there, two here, so that a torn record shows
 *   a pass                     drain_lane() in daemon/drain/drain.c, segment_head(), segment_record() in segment_reader.h
 *   committed, KILL            books_commit(); SIGKILL, then arena.c takes the position back to the last commit
 *   release                    drain_commit() in drain.c, ring_release()
 *   the note COPIED            not in the code: what the collector has copied, for who overwrites it (memory.pml)
 *
 * Bounds: a ring of 2 slots and RECORDS records, so that each slot is overwritten, and overwritten again after its
 * reader has been killed; one kill at any point, since a successor begins from the same state whichever was killed before.
 *
 * Mutant: WITHOUT_R1_RELEASE breaks torn_record
 * Mutant: WITHOUT_R1_ACQUIRE breaks torn_record
 * Mutant: WITHOUT_R2_RELEASE breaks overwritten
 * Mutant: WITHOUT_R2_ACQUIRE breaks overwritten
 * Mutant: WITHOUT_ROOM breaks overwritten
 * Mutant: TAIL_BEFORE_COMMIT breaks torn_record
 * Deep: -DRECORDS=9 -DKILLS=2
 */
#ifndef RECORDS
#define RECORDS 6
#endif
#ifndef KILLS
#define KILLS 1
#endif
#define SLOTS 2

#define HEAD    0
#define TAIL    1
#define WORD(slot, w) (2 + 2 * (slot) + (w))
#define COPIED  6
#define LOCATIONS 7
#define THREADS 2
#define WRITES  (RECORDS + KILLS + 2)
#include "memory.pml"

#define P 0
#define C 1

#ifdef WITHOUT_R1_RELEASE
#define PUBLISH RELAXED
#else
#define PUBLISH RELEASE
#endif
#ifdef WITHOUT_R1_ACQUIRE
#define LOOK RELAXED
#else
#define LOOK ACQUIRE
#endif
#ifdef WITHOUT_R2_RELEASE
#define GIVE_BACK RELAXED
#else
#define GIVE_BACK RELEASE
#endif
#ifdef WITHOUT_R2_ACQUIRE
#define REFRESH RELAXED
#else
#define REFRESH ACQUIRE
#endif

bool torn_record, overwritten, missing;
byte committed, accepted;
bool done;

active proctype producer() {
        byte head, limit = SLOTS, tail, tries;

        do
        :: tries == RECORDS -> break
        :: else ->
                tries++;
                if
                :: head + 1 <= limit -> skip
                :: else ->
#ifdef WITHOUT_ROOM
                        limit = head + SLOTS;
#else
                        load(P, TAIL, REFRESH, tail);
                        limit = tail + SLOTS;
                        tail = 0;
#endif
                fi;
                if
                :: head + 1 > limit -> skip /* refused */
                :: else ->
                        HOLDS(overwritten, head < SLOTS || KNOWN(P, COPIED) > head - SLOTS);
                        store(P, WORD(head % SLOTS, 0), PLAIN, head + 1);
                        store(P, WORD(head % SLOTS, 1), PLAIN, head + 1);
                        head++;
                        store(P, HEAD, PUBLISH, head)
                        /* ring_publish() has a fence here, too; it is for the live counters: live.pml. */
                fi
        od;
        atomic {
                accepted = head;
                done = true
        }
}

#define KILL :: kills < KILLS -> kills++; goto born

active proctype collector() {
        byte position, head, released, kills, a, b;

born:
        atomic {
                position = committed;
                head = 0;
                released = 0;
                a = 0;
                b = 0
        }
        do
        :: load(C, HEAD, LOOK, head);
                if
                :: head == position && done && committed == accepted -> break
                :: head == position && released == position -> skip
                :: else ->
                        do
                        :: position < head ->
                                load(C, WORD(position % SLOTS, 0), PLAIN, a);
                                load(C, WORD(position % SLOTS, 1), PLAIN, b);
                                HOLDS(torn_record, a == position + 1 && b == position + 1);
                                d_step {
                                        a = 0;
                                        b = 0
                                }
                                position++;
                                if
                                :: KNOWN(C, COPIED) < position -> store(C, COPIED, PLAIN, position)
                                :: else -> skip
                                fi
                        :: else -> break
                        od;
                        if
                        :: skip
                        KILL
                        fi;
#ifdef TAIL_BEFORE_COMMIT
                        store(C, TAIL, GIVE_BACK, position);
                        if
                        :: skip
                        KILL
                        fi;
                        committed = position;
#else
                        committed = position;
                        if
                        :: skip
                        KILL
                        fi;
                        if
                        :: released != position ->
                                store(C, TAIL, GIVE_BACK, position)
                        :: else -> skip
                        fi;
#endif
                        released = position
                fi;
                head = 0
        od;
        HOLDS(missing, committed == accepted && LATEST(HEAD) == accepted)
}
