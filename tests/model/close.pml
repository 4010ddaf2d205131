/*
 * A close is applied after everything that precedes it, once, and nothing re-opens what is closed.
 *
 *   in the model               in the code
 *   A, B, E                    threads: A is in the span, B closes it once A has left it, E is in it whenever it likes
 *   hand_over                  the program's own synchronisation: a handle, or the news that A is through
 *   claim                      claim_fresh() in client/lanes/lane.c, of `lanes_claimed`
 *   record                     sa_put() and ring_publish(); what stands in it is kept apart from memory, see ring.pml
 *   post                       sa_foreign_close() in client/lanes/cross_thread.c, with one slot
 *   a pass                     drain_pass(), drain_take_overflow(), first_look(), drain_second_look() in daemon/drain/drain.c,
 *                              segment_head(), segment_has_closes(), segment_close(), segment_free_close()
 *   KILL                       SIGKILL right after a commit, before anything is given back
 *   feed, close, apply         frames_feed() in frames.c, spans_enter(), spans_exit(), spans_close(), spans_apply_closes()
 *                              in spans.c, open_spans_queue_close(), open_spans_advance_queue() in open_spans.c, for one instance
 *
 * Bounds: three lanes in any order, since the pass goes through them one by one and what is missed lies on one that it has
 * been to; the span is opened on A's lane or on B's; two closes go through one slot, so that it holds an old path.
 *
 * Run: -DKILLS=0 -DNO_POST
 * Run: -DKILLS=1 -DNO_E
 * Mutant: WITHOUT_SECOND_LOOK breaks cycle_missing with -DNO_E -DKILLS=0
 * Mutant: APPLY_AT_ONCE breaks cycle_missing with -DNO_E -DKILLS=0
 * Mutant: SECOND_LOOK_CLOSES_TOO breaks cycle_missing with -DNO_E -DKILLS=0
 * Mutant: LANES_ONCE breaks cycle_missing with -DNO_E -DKILLS=0
 * Mutant: WITHOUT_R1_ACQUIRE breaks cycle_missing with -DNO_E -DKILLS=0
 * Mutant: WITHOUT_C1_SLOT_RELEASE breaks cycle_missing with -DNO_E -DKILLS=1
 * Mutant: WITHOUT_C1_SLOT_ACQUIRE breaks cycle_missing with -DNO_E -DKILLS=1
 * Mutant: PATH_AFTER_SLOT breaks path_wrong with -DNO_E -DKILLS=1
 * Mutant: WITHOUT_C1_COUNT_RELEASE breaks close_left with -DNO_E -DKILLS=0
 * Mutant: WITHOUT_C1_COUNT_ACQUIRE breaks close_left with -DNO_E -DKILLS=0
 * Mutant: CLOSE_WHILE_ENTERED breaks cycle_missing with -DKILLS=0 -DNO_POST
 * Mutant: FORGET_CLOSED breaks still_live with -DKILLS=0 -DNO_POST
 * Deep: -DKILLS=1
 */
#ifndef KILLS
#define KILLS 1
#endif

#define A 0
#define B 1
#define E 2
#define K 3

#define HEAD(t)   (t)
#define LANES     3
#define SLOT      4
#define PATH      5
#define POSTED    6
#define LOCATIONS 7
#define THREADS   4
#define WRITES    10
#include "memory.pml"

#ifdef WITHOUT_R1_ACQUIRE
#define LOOK RELAXED
#else
#define LOOK ACQUIRE
#endif
#ifdef WITHOUT_C1_SLOT_RELEASE
#define SLOT_STORE RELAXED
#else
#define SLOT_STORE RELEASE
#endif
#ifdef WITHOUT_C1_SLOT_ACQUIRE
#define SLOT_LOAD RELAXED
#else
#define SLOT_LOAD ACQUIRE
#endif
#ifdef WITHOUT_C1_COUNT_RELEASE
#define COUNT_STORE RELAXED
#else
#define COUNT_STORE RELEASE
#endif
#ifdef WITHOUT_C1_COUNT_ACQUIRE
#define COUNT_LOAD RELAXED
#else
#define COUNT_LOAD ACQUIRE
#endif

#define OPEN  1
#define ENTER 2
#define EXIT  3
#define CLOSE 4

#define SPAN    1
#define ANOTHER 2 /* span, of which only a close is seen here */
#define CLAIMED 3

bool cycle_missing, path_wrong, close_left, opened_wrong, closed_wrong, stale_wrong, still_live;

byte kind[9], owner[3] /* of a lane */, through;
bool handed[3], e_enters;

/* The books. */
byte position[3], frames[3]; /* by thread; frames: 0 none, 1 one, 2 a stale one */
bool live, is_opened, closing, past;
byte queued; /* 1: to be applied; 2: later */
byte entered, cycles, opened, closed, stale;

/* ----------------------------------------------------------------------------------------------- the books -- */

inline get() {
        live = true
}

inline open_instance(is_counted) {
        get();
        if
        :: !is_opened ->
                is_opened = true;
                opened = opened + (is_counted -> 0 : 1)
        :: else -> skip
        fi
}

inline close_instance() {
        closed++;
        /* A's cycle was over before B closed the span; E's may have been under way. */
        cycle_missing = cycles == 0 || entered;
        assert(!cycle_missing);
        live = false;
        is_opened = false;
        closing = false;
        cycles = 0;
        entered = 0
}

#ifdef FORGET_CLOSED
#define STALE false
#else
#define STALE (!live && past)
#endif

inline close(second) {
        if
        :: STALE -> stale++
        :: else ->
                get();
                if
                :: !queued -> queued = (second -> 2 : 1)
                :: else -> skip
                fi
        fi
}

inline apply() {
        d_step {
                if
                :: queued == 1 ->
                        queued = 0;
                        if
                        :: !is_opened ->
                                stale++;
                                live = false
#ifndef CLOSE_WHILE_ENTERED
                        :: is_opened && entered -> closing = true
#endif
                        :: else -> close_instance()
                        fi
                :: else -> skip
                fi;
                queued = (queued == 2 -> 1 : queued);
                each = 0
        }
}

inline feed(t, what, second) {
        if
        :: what == OPEN ->
                open_instance(false);
                past = true
        :: what == ENTER ->
                if
                :: STALE ->
                        stale++;
                        frames[t] = 2
                :: else ->
                        open_instance(past);
                        entered++;
                        frames[t] = 1
                fi
        :: what == EXIT ->
                if
                :: frames[t] == 1 ->
                        entered--;
                        cycles++;
                        if
                        :: closing && !queued && !entered -> close_instance()
                        :: else -> skip
                        fi
                :: else -> skip
                fi;
                frames[t] = 0
        :: what == CLOSE -> close(second)
        fi
}

/* --------------------------------------------------------------------------------------------- the program -- */

#define OWN(t) stored[NTH(HEAD(t), newest[HEAD(t)])]

inline claim(t) {
        atomic {
                exchange(t, LANES, SEQ_CST, lane, lane + 1);
                owner[lane] = t
        }
}

inline record(t, what) {
        kind[3 * t + OWN(t)] = what;
        store(t, HEAD(t), RELEASE, OWN(t) + 1)
}

/* What `from` did until now is before what `to` does next. */
inline hand_over(from, to) {
        d_step {
                for (each : 0 .. LOCATIONS - 1) {
                        sees[OF(to, each)] = JOIN(sees[OF(to, each)], sees[OF(from, each)])
                }
                handed[to] = true
        }
}

inline post(t, instance) {
        atomic {
                LATEST(SLOT) == 0; /* else it is refused, or finds another slot */
                exchange(t, SLOT, RELAXED, lane, CLAIMED)
        }
#ifdef PATH_AFTER_SLOT
        store(t, SLOT, SLOT_STORE, instance);
        store(t, PATH, PLAIN, instance);
#else
        store(t, PATH, PLAIN, instance);
        store(t, SLOT, SLOT_STORE, instance);
#endif
        exchange(t, POSTED, COUNT_STORE, lane, lane + 1)
}

active proctype a() {
        byte lane;

        if
        :: handed[A] /* B opens it */
        :: !handed[B] && !handed[A] && !through ->
                claim(A);
                record(A, OPEN)
        fi;
        if
        :: OWN(A) == 0 -> claim(A)
        :: else -> skip
        fi;
#ifndef NO_E
        if
        :: hand_over(A, E)
        :: skip
        fi;
#endif
        record(A, ENTER);
        record(A, EXIT);
        hand_over(A, B);
        through++
}

active proctype b() {
        byte lane;

        if
        :: claim(B);
                if
                :: LATEST(HEAD(A)) == 0 && newest[LANES] == 1 ->
                        record(B, OPEN);
                        hand_over(B, A)
                :: skip
                fi;
#ifndef NO_POST
                if
                :: post(B, ANOTHER)
                :: skip
                fi;
#endif
                handed[B]
        :: handed[B] -> claim(B)
        fi;
        if
        :: record(B, CLOSE)
#ifndef NO_POST
        :: LATEST(POSTED) == 0 ->
                post(B, ANOTHER);
                post(B, SPAN)
        :: LATEST(POSTED) == 1 -> post(B, SPAN)
#endif
        fi;
        through++
}

active proctype e() {
        byte lane;

        if
        :: handed[E] ->
                claim(E);
                e_enters = true;
                record(E, ENTER);
                record(E, EXIT)
        :: through == 2 && !handed[E]
        fi;
        through++
}

/* ------------------------------------------------------------------------------------------- the collector -- */

inline drain_lane(t, to, second) {
        d_step {
                do
                :: position[t] < to ->
                        feed(t, kind[3 * t + position[t]], second);
                        position[t] = position[t] + 1
#ifdef APPLY_AT_ONCE
                        ;
                        if
                        :: queued -> queued = 1
                        :: else -> skip
                        fi
#endif
                :: else -> break
                od;
                each = 0
        }
}

active proctype k() {
        byte lanes, i, head[3], posted, seen, instance, path, kills;
        bool taken, another, last;

        do
        :: atomic {
                last -> break
           }
        :: else ->
                if
                :: through == 3 ->
                        d_step {
                                for (each : 0 .. LOCATIONS - 1) {
                                        sees[OF(K, each)] = newest[each]
                                }
                                last = position[A] == OWN(A) && position[B] == OWN(B) && position[E] == OWN(E) && !queued &&
                                       LATEST(POSTED) == seen
                        }
                :: true
                fi;
                load(K, LANES, ACQUIRE, lanes);
                if
                :: !queued -> apply() /* open_spans_advance_queue() */
                :: else -> skip
                fi;
                /* drain_take_overflow() */
                load(K, POSTED, COUNT_LOAD, posted);
                if
                :: posted != seen ->
                        seen = posted;
                        load(K, SLOT, SLOT_LOAD, instance);
                        if
                        :: instance == SPAN || instance == ANOTHER ->
                                load(K, PATH, PLAIN, path);
                                HOLDS(path_wrong, path == instance);
                                d_step {
                                        if
                                        :: instance == SPAN -> close(false)
                                        :: else -> another = true
                                        fi;
                                        taken = true;
                                        path = 0
                                }
                        :: else -> skip
                        fi;
                        instance = 0
                :: else -> skip
                fi;
                posted = 0;
                /* first_look() */
                i = 0;
                do
                :: i < lanes ->
                        load(K, HEAD(owner[i]), LOOK, head[0]);
                        drain_lane(owner[i], head[0], false);
#ifdef APPLY_AT_ONCE
                        apply();
#endif
                        i++
                :: else -> break
                od;
                if
                :: queued == 1 || another ->
                        /* drain_second_look() */
#ifndef WITHOUT_SECOND_LOOK
#ifndef LANES_ONCE
                        load(K, LANES, ACQUIRE, lanes);
#endif
                        i = 0;
                        do
                        :: i < lanes ->
                                load(K, HEAD(owner[i]), LOOK, head[i]);
                                i++
                        :: else -> break
                        od;
                        i = 0;
                        do
                        :: i < lanes ->
#ifdef SECOND_LOOK_CLOSES_TOO
                                drain_lane(owner[i], head[i], false);
#else
                                drain_lane(owner[i], head[i], true);
#endif
                                i++
                        :: else -> break
                        od;
#endif
                        apply()
                :: else -> skip
                fi;
                /* commit() */
                if
                :: kills < KILLS ->
                        kills++;
                        taken = false;
                        seen = 0
                :: taken ->
                        store(K, SLOT, RELEASE, 0);
                        taken = false
                :: !taken
                fi;
                atomic {
                        i = 0;
                        lanes = 0;
                        head[0] = 0;
                        head[1] = 0;
                        head[2] = 0;
                        another = false
                }
        od;
        HOLDS(close_left, LATEST(SLOT) == 0);
        HOLDS(opened_wrong, opened == 1);
        HOLDS(closed_wrong, closed == 1);
        HOLDS(still_live, !live && !queued);
        /* E's ENTER may come too late; a close may be found in its slot again by a successor. */
        HOLDS(stale_wrong, stale <= e_enters + kills)
}
