/*
 * Settling: the collector books live counters between two records, and only to the frames that spent them.
 *
 *   in the model               in the code
 *   work                       sa_bump() in client/process/counting.h
 *   enter, exit, publish       put_enter(), put_exit() in client/calls/cycles.c and sa_slow_enter(), take_out() in slow_path.c: the
 *                              stores that segment_live_counters() reads; ring_publish()
 *   refuse, exit of a refused  refuse(), sa_leave_top(), take_out() or exit_beyond()
 *   flush_lost                 sa_flush_lost() in client/lanes/lost.c
 *   a settling                 drain_settle(), settle_lane() in daemon/drain/live_counters.c, segment_live_counters() in segment_reader.c
 *   feed, interval             frames_feed() in frames.c, interval_end(), interval_lost()
 *   true_…                      what a program would know: see reserve.pml
 *
 * What stands in a record is kept apart from memory here: ring.pml shows that it is whole.  There is one counter; the four
 * are taken one by one, and each has to be right by itself.
 *
 * Bounds: a stack of 2, so that a refused frame has an accepted parent and an accepted child; SETTLES settlings, the
 * second of which finds what a wrong first one would leave.
 *
 * Run: -DOPS=5 -DSETTLES=2
 * Run: -DOPS=6 -DSETTLES=1
 * Mutant: WITHOUT_L1_RELEASE breaks self_wrong
 * Mutant: WITHOUT_L1_ACQUIRE breaks self_wrong
 * Mutant: WITHOUT_L2_RELEASE breaks lost_wrong
 * Mutant: WITHOUT_L3_RELEASE breaks lost_wrong
 * Mutant: WITHOUT_L3_ACQUIRE breaks lost_wrong
 * Mutant: WITHOUT_SECOND_HEAD breaks self_wrong
 * Mutant: WITHOUT_REFUSED breaks lost_wrong
 * Mutant: WITHOUT_STRETCHES breaks lost_wrong
 * Mutant: REFUSED_BEFORE_COUNTERS breaks lost_wrong
 * Mutant: STRETCH_AFTER_FRAME breaks lost_wrong
 * Deep: -DOPS=7 -DWORKS=3
 */
#ifndef OPS
#define OPS 5
#endif
#ifndef WORKS
#define WORKS 2
#endif
#ifndef SETTLES
#define SETTLES 2
#endif
#define ENTERS 3

#define HEAD      0
#define LIVE      1
#define REFUSED   2
#define STRETCHES 3
#define LOCATIONS 4
#define THREADS   2
#define WRITES    (2 * OPS)
#include "memory.pml"

#define T 0
#define C 1

#ifdef WITHOUT_L1_RELEASE
#define AFTER_HEAD PLAIN
#else
#define AFTER_HEAD RELEASE
#endif
#ifdef WITHOUT_L2_RELEASE
#define AFTER_REFUSED PLAIN
#else
#define AFTER_REFUSED RELEASE
#endif
#ifdef WITHOUT_L1_ACQUIRE
#define AFTER_COUNTERS PLAIN /* [L2] has the same fence */
#else
#define AFTER_COUNTERS ACQUIRE
#endif
#ifdef WITHOUT_L3_RELEASE
#define FRAME_GOES RELAXED
#else
#define FRAME_GOES RELEASE
#endif
#ifdef WITHOUT_L3_ACQUIRE
#define FRAME_LOAD RELAXED
#else
#define FRAME_LOAD ACQUIRE
#endif

#define ENTER 1
#define EXIT  2
#define LOST  3

bool lost_wrong, self_wrong;

/* What stands in the records. */
byte kind[2 * OPS], frame[2 * OPS], at[2 * OPS];

/* The books of the lane, and the truth. */
byte last, pending, lost, outside, self[ENTERS + 1];
byte book[2], book_depth;
byte true_lost, true_outside, true_self[ENTERS + 1];
byte waiting, since, stack[2], depth;
bool accepted[2], done;
hidden byte i_, d_;

#define LESS(a, b)  ((a) > (b) -> (a) - (b) : 0)
#define MIN(a, b)   ((a) < (b) -> (a) : (b))
#define TOP_REFUSED (depth && !accepted[depth - 1])

inline interval(now) {
        d_ = LESS(now, last);
        lost = lost + MIN(pending, d_);
        d_ = d_ - MIN(pending, d_);
        pending = 0;
        last = (now > last -> now : last);
        if
        :: book_depth -> self[book[book_depth - 1]] = self[book[book_depth - 1]] + d_
        :: else -> outside = outside + d_
        fi
}

inline feed(n) {
        if
        :: kind[n] == ENTER ->
                interval(at[n]);
                book[book_depth] = frame[n];
                book_depth++
        :: kind[n] == EXIT ->
                interval(at[n]);
                book_depth--;
                book[book_depth] = 0
        :: kind[n] == LOST -> pending = pending + at[n]
        fi
}

inline drain(head) {
        d_step {
                do
                :: position < head ->
                        feed(position);
                        position++
                :: else -> break
                od;
                d_ = 0
        }
}

/* ---------------------------------------------------------------------------------------------- the thread -- */

#define OWN(l) LATEST(l) /* no other process writes it */

inline publish(what, f, c) {
        d_step {
                kind[OWN(HEAD)] = what;
                frame[OWN(HEAD)] = f;
                at[OWN(HEAD)] = c
        }
        store(T, HEAD, RELEASE, OWN(HEAD) + 1);
        fence(T, AFTER_HEAD)
}

inline end_stretch() {
        if
        :: TOP_REFUSED && OWN(LIVE) > since ->
                d_step {
                        waiting = waiting + OWN(LIVE) - since;
                        since = OWN(LIVE)
                }
                exchange(T, STRETCHES, RELAXED, old, old + 1)
        :: else -> since = OWN(LIVE)
        fi
}

inline flush_lost() {
        if
        :: OWN(STRETCHES) ->
                publish(LOST, 0, waiting);
                waiting = 0;
                store(T, STRETCHES, RELEASE, 0)
        :: else -> skip
        fi
}

inline push(is_accepted) {
        d_step {
                enters++;
                stack[depth] = enters;
                accepted[depth] = is_accepted;
                depth++
        }
}

inline pop() {
        d_step {
                depth--;
                stack[depth] = 0;
                accepted[depth] = false
        }
}

active proctype thread() {
        byte ops, works, enters, old;

        do
        :: ops == OPS -> break
        :: ops < OPS && works < WORKS ->
                d_step {
                        ops++;
                        works++;
                        if
                        :: TOP_REFUSED -> true_lost++
                        :: !TOP_REFUSED && depth -> true_self[stack[depth - 1]] = true_self[stack[depth - 1]] + 1
                        :: else -> true_outside++
                        fi
                }
                store(T, LIVE, RELAXED, OWN(LIVE) + 1)
        :: ops < OPS && enters < ENTERS && depth < 2 ->
                ops++;
                end_stretch();
                if
                :: skip ->
                        flush_lost();
                        push(true);
                        publish(ENTER, enters, OWN(LIVE))
                :: skip ->
                        exchange(T, REFUSED, RELAXED, old, old + 1);
                        fence(T, AFTER_REFUSED);
                        push(false)
                fi
        :: ops < OPS && depth ->
                ops++;
                if
                :: accepted[depth - 1] ->
                        end_stretch();
                        flush_lost();
                        pop();
                        publish(EXIT, 0, OWN(LIVE))
                :: else ->
#ifdef STRETCH_AFTER_FRAME
                        exchange(T, REFUSED, FRAME_GOES, old, old - 1);
                        end_stretch();
#else
                        end_stretch();
                        exchange(T, REFUSED, FRAME_GOES, old, old - 1);
#endif
                        pop()
                fi
        od;
        done = true
}

/* ------------------------------------------------------------------------------------------- the collector -- */

active proctype collector() {
        byte settles, position, head, live, refused, stretches;

        do
        :: settles == SETTLES -> break
        :: else ->
                settles++;
                load(C, HEAD, ACQUIRE, head);
                drain(head);
#ifdef REFUSED_BEFORE_COUNTERS
                load(C, REFUSED, FRAME_LOAD, refused);
                load(C, STRETCHES, ACQUIRE, stretches);
                load(C, LIVE, RELAXED, live);
                fence(C, AFTER_COUNTERS);
#else
                load(C, HEAD, ACQUIRE, head);
                if
                :: head != position -> goto next
                :: else -> skip
                fi;
                load(C, LIVE, RELAXED, live);
                fence(C, AFTER_COUNTERS);
#ifndef WITHOUT_REFUSED
                load(C, REFUSED, FRAME_LOAD, refused);
#endif
#ifndef WITHOUT_STRETCHES
                load(C, STRETCHES, ACQUIRE, stretches);
#endif
#endif
#ifndef WITHOUT_SECOND_HEAD
                load(C, HEAD, ACQUIRE, head);
#endif
                if
                :: !refused && !stretches && head == position -> atomic { interval(live) }
                :: else -> skip
                fi;
next:
                atomic {
                        head = 0;
                        live = 0;
                        refused = 0;
                        stretches = 0
                }
        od;
        atomic {
                done;
                drain(LATEST(HEAD));
                pending = pending + waiting + (TOP_REFUSED -> LESS(LATEST(LIVE), since) : 0);
                interval(LATEST(LIVE))
        }
        HOLDS(lost_wrong, lost == true_lost);
        HOLDS(self_wrong, outside == true_outside && self[1] == true_self[1] && self[2] == true_self[2] &&
                          self[3] == true_self[3])
}
