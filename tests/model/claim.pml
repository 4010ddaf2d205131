/*
 * One lane, one thread after the other: each thread's counts under its own name, and unread counts are never cleared.
 *
 *   in the model               in the code
 *   begin                      claim_fresh() or claim_used(), begin(), lock_owner() in client/lanes/lane.c
 *   is_vacant                  the same
 *   IDENTITY, OFFSET, PAST     tid, comm; what the lane's counters stood at; sign_in(), segment_past_owner()
 *   REST                       the stack, `lost` and the marks, of which one word stands for all
 *   dies, leaves               the kernel's FUTEX_OWNER_DIED; sa_lane_leave() after a move to another segment
 *   settle                     settle_lane(), drain_receive(), meet(), retire(), drain_publish_retired() in daemon/drain,
 *                              segment_lane_owner(), segment_is_still(), segment_live_counters(), segment_remains() in segment_reader.c
 *   the note READ              not in the code: that the collector has read the rest, for who clears it (memory.pml)
 *
 * `before` is left out: the threads here have counted nothing before.  Of `past` there is one entry, which is enough for
 * two threads.
 *
 * Identity and offset are plain words in the code, and C11 knows no fence for these; here they are relaxed, which is what
 * processors and compilers make of them beside a fence.
 *
 * Bounds: two threads, of which the first dies or leaves with something on its stack or nothing; SETTLES settlings, so that
 * one meets the first thread, and one, or its retiring, is cut in two by the second's moving in.
 *
 * Run: -DSETTLES=2
 * Mutant: WITHOUT_O1_RELEASE breaks rest_missed
 * Mutant: WITHOUT_O1_VACANT breaks cleared
 * Mutant: WITHOUT_O1_ALL breaks rest_missed
 * Mutant: WITHOUT_O2_RELEASE breaks cleared
 * Mutant: WITHOUT_O2_ACQUIRE breaks cleared
 * Mutant: WITHOUT_O3_RELEASE breaks count_wrong
 * Mutant: WITHOUT_O3_ACQUIRE breaks count_wrong
 * Mutant: WITHOUT_O3_RELEASE_FENCE breaks count_wrong
 * Mutant: WITHOUT_O3_ACQUIRE_FENCE breaks count_wrong
 * Mutant: WITHOUT_STILL breaks count_wrong
 * Mutant: WITHOUT_RETIRED breaks cleared
 * Deep: -DSETTLES=3
 */
#ifndef SETTLES
#define SETTLES 2
#endif

#define OCCUPANCY 0
#define OWNER     1
#define RETIRED   2
#define IDENTITY  3
#define OFFSET    4
#define LIVE      5
#define REST      6
#define PAST      7 /* the first thread's entry */
#define READ      8
#define LOCATIONS 9
#define THREADS   3
#define WRITES    6
#include "memory.pml"

#define K 2
#define DIED 9 /* else it is the thread's number + 1, or 0 */

#ifdef WITHOUT_O1_RELEASE
#define LAST_STORE RELAXED
#else
#define LAST_STORE RELEASE
#endif
#ifdef WITHOUT_O1_VACANT
#define VACANT_FENCE PLAIN
#else
#define VACANT_FENCE ACQUIRE
#endif
#ifdef WITHOUT_O1_ALL /* … and without the fence of [O3] that stands in for it */
#define DEAD_FENCE PLAIN
#define OCCUPANT_FENCE PLAIN
#else
#ifdef WITHOUT_O1_SETTLE /* alone: the model stays right */
#define DEAD_FENCE PLAIN
#else
#define DEAD_FENCE ACQUIRE
#endif
#define OCCUPANT_FENCE STILL_FENCE
#endif
#ifdef WITHOUT_O2_RELEASE
#define RETIRED_STORE RELAXED
#else
#define RETIRED_STORE RELEASE
#endif
#ifdef WITHOUT_O2_ACQUIRE
#define RETIRED_LOAD RELAXED
#else
#define RETIRED_LOAD ACQUIRE
#endif
#ifdef WITHOUT_O3_RELEASE
#define EVEN_STORE RELAXED
#else
#define EVEN_STORE RELEASE
#endif
#ifdef WITHOUT_O3_ACQUIRE
#define EVEN_LOAD RELAXED
#else
#define EVEN_LOAD ACQUIRE
#endif
#ifdef WITHOUT_O3_RELEASE_FENCE
#define ODD_FENCE PLAIN
#else
#define ODD_FENCE RELEASE
#endif
#ifdef WITHOUT_O3_ACQUIRE_FENCE
#define STILL_FENCE PLAIN
#else
#define STILL_FENCE ACQUIRE
#endif

bool count_wrong, cleared, rest_missed;
byte left, through; /* what the first thread had on its stack in the end; threads that are through */
byte truth[3];      /* by name */

/* ---------------------------------------------------------------------------------------------- the threads -- */

inline begin(me) {
        fence(me, ODD_FENCE);
        exchange(me, OWNER, ACQUIRE, word, me + 1);
        store(me, IDENTITY, RELAXED, me + 1);
        HOLDS(cleared, me == 0 || !left || KNOWN(me, READ));
        store(me, REST, RELAXED, 0);
        load(me, LIVE, RELAXED, live);
        store(me, OFFSET, RELAXED, live);
        if
        :: me == 0 -> store(me, PAST, RELAXED, me + 1)
        :: else -> skip
        fi;
        exchange(me, OCCUPANCY, EVEN_STORE, word, word + 1)
}

inline work(me) {
        truth[me + 1] = truth[me + 1] + 1;
        live++;
        store(me, LIVE, RELAXED, live)
}

active proctype first() {
        byte word, live;

        fence(0, SEQ_CST);
        store(0, OCCUPANCY, RELEASE, 1);
        begin(0);
        work(0);
        if
        :: left = 1;
                store(0, REST, RELAXED, 1);
                work(0)
        :: skip
        fi;
        if
        :: exchange(0, OWNER, LAST_STORE, word, DIED)
        :: exchange(0, OWNER, RELEASE, word, 0)
        fi;
        through++
}

inline is_vacant(me) {
        load(me, OWNER, RELAXED, word);
        fence(me, VACANT_FENCE);
        if
        :: word == 0 || word == DIED ->
                load(me, RETIRED, RETIRED_LOAD, retired);
                vacant = retired == occupancy;
#ifdef WITHOUT_RETIRED
                vacant = true;
#endif
                if
                :: !vacant && word == DIED ->
                        load(me, REST, ACQUIRE, rest);
                        vacant = rest == 0
                :: else -> skip
                fi
        :: else -> skip
        fi;
        d_step {
                word = 0;
                retired = 0;
                rest = 0
        }
}

active proctype second() {
        byte word, live, occupancy, retired, rest;
        bool vacant;

        do
        :: vacant -> break
        :: else ->
                load(1, OCCUPANCY, ACQUIRE, occupancy);
                if
                :: occupancy == 2 -> is_vacant(1)
                :: else -> skip
                fi;
                occupancy = 0
        od;
        exchange(1, OCCUPANCY, SEQ_CST, word, word + 1);
        begin(1);
        work(1);
        through++
}

/* ------------------------------------------------------------------------------------------- the collector -- */

inline interval(at) {
        d_step {
                if
                :: at > last ->
                        sums[name] = sums[name] + at - last;
                        last = at
                :: else -> skip
                fi
        }
}

inline receive() {
        if
        :: met != occupancy ->
                if
                :: met == 0 && occupancy == 4 ->
                        load(K, PAST, RELAXED, name)
                :: else -> skip
                fi;
                interval(offset);
                d_step {
                        met = occupancy;
                        name = identity
                }
        :: else -> skip
        fi
}

inline is_still(order) {
        fence(K, order);
        load(K, OCCUPANCY, RELAXED, now);
        still = now == occupancy
}

inline settle() {
        load(K, OCCUPANCY, EVEN_LOAD, occupancy);
        load(K, OWNER, RELAXED, word);
        load(K, IDENTITY, RELAXED, identity);
        load(K, OFFSET, RELAXED, offset);
        is_still(OCCUPANT_FENCE);
        if
        :: occupancy == 0 || occupancy % 2 || !still -> skip
        :: else ->
                if
                :: word != 0 && word != DIED ->
                        load(K, LIVE, RELAXED, live);
                        is_still(STILL_FENCE);
                        if
#ifdef WITHOUT_STILL
                        :: true ->
#else
                        :: still ->
#endif
                                receive();
                                interval(live)
                        :: else -> skip
                        fi
                :: (word == 0 || word == DIED) && retired != occupancy ->
                        fence(K, DEAD_FENCE);
                        load(K, LIVE, RELAXED, live);
                        load(K, REST, RELAXED, rest);
                        is_still(STILL_FENCE);
                        if
#ifdef WITHOUT_STILL
                        :: true ->
#else
                        :: still ->
#endif
                                receive();
                                interval(live);
                                HOLDS(rest_missed, occupancy != 2 || rest == left);
                                retired = occupancy;
                                store(K, READ, PLAIN, 1);
                                store(K, RETIRED, RETIRED_STORE, retired)
                        :: else -> skip
                        fi
                :: else -> skip
                fi
        fi;
        d_step {
                occupancy = 0;
                word = 0;
                identity = 0;
                offset = 0;
                live = 0;
                rest = 0;
                now = 0;
                still = false
        }
}

active proctype collector() {
        byte settles, occupancy, word, identity, offset, live, rest, now;
        byte met, name, last, retired, sums[3];
        bool still;

        do
        :: settles < SETTLES ->
                settle();
                settles++
        :: through > 0 && retired == 0 && met <= 2 -> settle() /* until the lane is free */
        :: through == 2 -> break
        od;
        atomic {
                for (each : 0 .. LOCATIONS - 1) {
                        sees[OF(K, each)] = newest[each]
                }
                each = 0
        }
        settle();
        HOLDS(count_wrong, sums[1] == truth[1] && sums[2] == truth[2] && !sums[0])
}
