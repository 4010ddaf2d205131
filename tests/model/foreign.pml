/*
 * An exit on another thread finds the frame, however that moves, and the thread that owns it takes the mark.
 *
 *   in the model               in the code
 *   push                       sa_push() in client/lanes/record.h
 *   take_out                   take_out() in client/calls/slow_path.c; put_exit() in cycles.c where the frame is the top
 *   publish                    ring_publish() in shm/ring.h; here for its release fence alone, which a refused frame lacks
 *   attend                     sa_slow_attend() in client/calls/slow_path.c; sa_attention() in record.h is the load before it
 *   exiter                     count_unmarked(), mark() in client/lanes/cross_thread.c; find_foreign() with one lane to look at
 *   hand-over                  the program's own synchronisation: who exits was told of the span after it was entered
 *
 * Bounds: a stack of 3.  Either one frame below the span's and perhaps one above it; the lowest is taken out while another
 * thread looks for the span, and a new one is put on top: so its upper copy is overwritten by a move, and by a push.  Or
 * the span twice, and two threads that exit it: the fewest for which one could take the other's mark for its own frame's.
 * Foreign exits that find no frame any more, and are handed on, are left to test_oracle's races.
 *
 * Mutant: WITHOUT_F1_DEPTH breaks not_found
 * Mutant: WITHOUT_F1_DEPTH_ACQUIRE breaks not_found
 * Mutant: WITHOUT_F1_LOWER_COPY breaks not_found
 * Mutant: WITHOUT_F1_PUSH breaks not_found
 * Mutant: WITHOUT_F1_ACQUIRE breaks not_found
 * Mutant: WITHOUT_F2_RELEASE breaks mark_left
 * Mutant: WITHOUT_F2_ACQUIRE breaks mark_left
 * Mutant: SEARCH_FROM_BOTTOM breaks not_found
 * Mutant: MARK_AFTER_ATTENTION breaks mark_left
 * Mutant: BIT_AFTER_MARKS breaks mark_left
 * Mutant: CLEAR_AFTER_FRAME breaks not_found
 * Deep: -DCALLS=3
 */
#ifndef CALLS
#define CALLS 2 /* of the owner, meanwhile, which do nothing but attend */
#endif

#define DEPTH     0
#define STACK(i)  (1 + (i))
#define MARKS(i)  (4 + (i))
#define ATTENTION 6
#define LOCATIONS 7
#define THREADS   3
#define WRITES    9
#include "memory.pml"

#define OWNER 0
#define S 1 /* the span */
#define X 2
#define T 3

#ifdef WITHOUT_F1_DEPTH
#define DEPTH_STORE RELAXED
#else
#define DEPTH_STORE RELEASE
#endif
#ifdef WITHOUT_F1_DEPTH_ACQUIRE
#define DEPTH_LOAD RELAXED
#else
#define DEPTH_LOAD ACQUIRE
#endif
#ifdef WITHOUT_F1_LOWER_COPY
#define MOVE_STORE RELAXED
#else
#define MOVE_STORE RELEASE
#endif
#ifdef WITHOUT_F1_PUSH
#define PUSH_STORE RELAXED
#else
#define PUSH_STORE RELEASE
#endif
#ifdef WITHOUT_F1_ACQUIRE
#define INSTANCE_LOAD RELAXED
#else
#define INSTANCE_LOAD ACQUIRE
#endif
#ifdef WITHOUT_F2_RELEASE
#define ATTENTION_STORE RELAXED
#else
#define ATTENTION_STORE RELEASE
#endif
#ifdef WITHOUT_F2_ACQUIRE
#define ATTENTION_LOAD RELAXED
#else
#define ATTENTION_LOAD ACQUIRE
#endif

bool not_found, mark_left, still_there, unmatched;
bool ready;
byte exits = 1, exited;

/* ------------------------------------------------------------------------------------------------ the owner -- */

#define OWN(l) LATEST(l) /* no other process writes it */

inline push(instance) {
        store(OWNER, STACK(OWN(DEPTH)), PUSH_STORE, instance);
        store(OWNER, DEPTH, DEPTH_STORE, OWN(DEPTH) + 1)
}

inline publish() {
        fence(OWNER, RELEASE)
}

inline take_out(i) {
        j = i;
        do
        :: j + 1 < OWN(DEPTH) ->
                store(OWNER, STACK(j), MOVE_STORE, OWN(STACK(j + 1)));
                j++
        :: else -> break
        od;
        j = 0;
        store(OWNER, DEPTH, DEPTH_STORE, OWN(DEPTH) - 1)
}

#define IS(i, instance) (OWN(DEPTH) > i && OWN(STACK(i)) == instance)

inline exit_here(instance) {
        if
        :: IS(2, instance) -> take_out(2)
        :: !IS(2, instance) && IS(1, instance) -> take_out(1)
        :: !IS(2, instance) && !IS(1, instance) && IS(0, instance) -> take_out(0)
        :: else -> HOLDS(unmatched, false)
        fi;
        if
        :: instance == X && is_refused -> skip
        :: else -> publish()
        fi
}

inline attend() {
        load(OWNER, ATTENTION, RELAXED, bits);
        if
        :: bits ->
#ifndef BIT_AFTER_MARKS
                exchange(OWNER, ATTENTION, ATTENTION_LOAD, bits, 0);
#endif
                m = 0;
                do
                :: m < 2 ->
                        load(OWNER, MARKS(m), RELAXED, instance);
                        if
                        :: instance ->
#ifdef CLEAR_AFTER_FRAME
                                exit_here(instance);
                                store(OWNER, MARKS(m), RELAXED, 0)
#else
                                store(OWNER, MARKS(m), RELAXED, 0);
                                exit_here(instance)
#endif
                        :: else -> skip
                        fi;
                        m++
                :: else -> break
                od;
#ifdef BIT_AFTER_MARKS
                exchange(OWNER, ATTENTION, ATTENTION_LOAD, bits, 0);
#endif
                m = 0;
                instance = 0
        :: else -> skip
        fi;
        bits = 0
}

inline hand_over() {
        d_step {
                for (each : 0 .. LOCATIONS - 1) {
                        sees[OF(1, each)] = sees[OF(OWNER, each)];
                        sees[OF(2, each)] = sees[OF(OWNER, each)]
                }
                ready = true
        }
}

active proctype owner() {
        byte bits, m, instance, calls, j;
        bool is_refused;

        if
        :: push(X);
                if
                :: is_refused = true
                :: publish()
                fi;
                push(S); /* it may be refused, too: then there is no fence after it */
                if
                :: is_refused -> skip
                :: publish()
                fi;
                hand_over();
                attend();
                if
                :: push(T);
                        publish()
                :: skip
                fi;
                attend();
                exit_here(X);
                attend();
                push(T);
                publish()
        :: exits = 2;
                push(S);
                publish();
                push(S);
                publish();
                hand_over()
        fi;
        do
        :: calls < CALLS ->
                attend();
                calls++
        :: break
        od;
        exited == exits;
        HOLDS(mark_left, LATEST(ATTENTION) || (!LATEST(MARKS(0)) && !LATEST(MARKS(1))));
        /* The next call after an exit that came before it. */
        d_step {
                for (each : 0 .. LOCATIONS - 1) {
                        sees[OF(OWNER, each)] = newest[each]
                }
        }
        attend();
        HOLDS(still_there, !IS(0, S) && !IS(1, S) && !IS(2, S))
}

/* -------------------------------------------------------------------------------------------- another thread -- */

inline look_at_frame(i) {
        load(me, STACK(i), INSTANCE_LOAD, instance);
        n = n + (instance == S -> 1 : 0)
}

inline set_attention() {
        exchange(me, ATTENTION, ATTENTION_STORE, instance, 1)
}

inline set_mark() {
        m = 0;
        do
        :: m < 2 ->
                atomic {
                        if
                        :: !LATEST(MARKS((S + m) % 2)) ->
                                exchange(me, MARKS((S + m) % 2), RELAXED, instance, S);
                                break
                        :: else -> m++
                        fi
                }
        :: else -> break
        od;
        HOLDS(not_found, m < 2)
}

active [2] proctype exiter() {
        byte me = _pid, depth, instance, m, i;
        short n;

end:
        ready && exits >= me;
        load(me, DEPTH, DEPTH_LOAD, depth);
#ifdef SEARCH_FROM_BOTTOM
        do
        :: i < depth ->
                look_at_frame(i);
                i++
        :: else -> break
        od;
#else
        i = depth;
        do
        :: i > 0 ->
                i--;
                look_at_frame(i)
        :: else -> break
        od;
#endif
        i = 0;
        depth = 0;
        load(me, MARKS(0), RELAXED, instance);
        n = n - (instance == S -> 1 : 0);
        load(me, MARKS(1), RELAXED, instance);
        n = n - (instance == S -> 1 : 0);
        HOLDS(not_found, n > 0);
#ifdef MARK_AFTER_ATTENTION
        set_attention();
        set_mark();
#else
        set_mark();
        set_attention();
#endif
        exited++
}
