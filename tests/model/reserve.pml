/*
 * The reservation: whatever was accepted can be ended, and what is lost is exact, wherever the thread is killed.
 *
 *   in the model               in the code
 *   enter, refuse              sa_slow_enter(), refuse() in client/calls/slow_path.c; put_enter() in cycles.c, which does the same
 *                              when nothing is refused, with the same room
 *   exit_of, take_out          exit_here(), unwind(), take_out(); put_exit() in cycles.c is the same for the top
 *   leave_top, flush_lost      sa_leave_top(), sa_flush_lost() in client/lanes/lost.c
 *   mark                       put_mark() in client/calls/spans.c and in slow_path.c
 *   migrate                    resync() after sa_lane_claim() in client/lanes/lane.c, into a ring where a dead thread's records wait
 *   room, used                 limit - head and head - tail of the ring
 *   SENT                       ring_publish(), and frames_feed(), interval_end(), interval_lost() in daemon/attribution.  The thread
 *                              learns of the collector only where it looks at the tail: there so much is given back
 *                              as may be, and records are fed to the books when they are published
 *   retire                     segment_remains() in segment_reader.c, frames_retire()
 *   true_…                      what a program would know: each unit of work belongs to who was the top when it was done
 *
 * One counter, of which each unit is work.  A kill may come between any two stores that segment_remains() reads.
 *
 * Bounds: a stack of 2 and one frame beyond it, a ring that holds both with their reserve and little else, and so many
 * calls that a refused frame is under, between and over accepted ones and a stretch follows a stretch.
 *
 * Run: -DOPS=6
 * Run: -DOPS=8 -DNO_KILL -DNO_MOVE
 * Mutant: ASK_FOR_ONE breaks no_slot
 * Mutant: NO_SLOT_FOR_LOST breaks no_slot
 * Mutant: NO_ROOM_FOR_OLD_LOST breaks no_slot with -DOPS=8 -DNO_KILL -DNO_MOVE
 * Mutant: NO_ROOM_FOR_BASE breaks no_slot
 * Mutant: MARK_TAKES_ANY breaks no_slot
 * Mutant: RESYNC_ASKS_FOR_FRAMES breaks no_slot
 * Mutant: WITHOUT_UNTIL breaks lost_wrong
 * Mutant: WITHOUT_TURN breaks lost_wrong
 * Mutant: SINCE_AFTER_FRAME breaks lost_wrong
 * Mutant: NO_LOST_BEFORE_ENTER breaks lost_wrong
 * Deep: -DOPS=7 -DWORKS=3
 */
#ifndef OPS
#define OPS 6
#endif
#ifndef WORKS
#define WORKS 2
#endif
#define ENTERS  3
#define DEPTH   2
#ifndef SLOTS
#define SLOTS   8
#endif

#define BEFORE  0
#define BASE    1
#define ENTER   2
#define EXIT    3
#define LOST    4
#define MARK    5
#define RESYNC  6

#define ACCEPTED 1
#define SCOPE    2

bool no_slot, lost_wrong, self_wrong, outside_wrong;

/* The lane. */
byte used;         /* head - tail, and what is put and not yet published */
byte room = SLOTS; /* limit - head */
byte owed;
bool ring_used;
byte live, depth, beyond;
byte frame[DEPTH], state[DEPTH];
byte waiting[2], since[2], turn, stretches;
bool until, until_published;

/* The books of the lane, and the truth. */
byte last, pending, lost, outside, self[ENTERS + 1];
byte book[DEPTH], book_depth;
byte true_lost, true_outside, true_self[ENTERS + 1];
bool dead;
hidden byte i_, j_, d_;

#define LESS(a, b)  ((a) > (b) -> (a) - (b) : 0)
#define MIN(a, b)   ((a) < (b) -> (a) : (b))
#define TOP_REFUSED (beyond || (depth && !(state[depth - 1] & ACCEPTED)))

/* ---------------------------------------------------------------------------------------------- the books -- */

inline interval(at) {
        d_ = LESS(at, last);
        lost = lost + MIN(pending, d_);
        d_ = d_ - MIN(pending, d_);
        pending = 0;
        last = (at > last -> at : last);
        if
        :: book_depth -> self[book[book_depth - 1]] = self[book[book_depth - 1]] + d_
        :: else -> outside = outside + d_
        fi
}

inline remove(f) {
        i_ = 0;
        do
        :: i_ < book_depth && book[i_] != f -> i_++
        :: else -> break
        od;
        if
        :: i_ < book_depth ->
                do
                :: i_ + 1 < book_depth ->
                        book[i_] = book[i_ + 1];
                        i_++
                :: else -> break
                od;
                book_depth--;
                book[book_depth] = 0
        :: else -> assert(false)
        fi
}

inline feed(kind, f, c) {
        if
        :: kind == BASE -> interval(c)
        :: kind == ENTER ->
                interval(c);
                book[book_depth] = f;
                book_depth++
        :: kind == RESYNC ->
                book[book_depth] = f;
                book_depth++
        :: kind == EXIT ->
                interval(c);
                remove(f)
        :: kind == LOST -> pending = pending + c
        :: else -> skip
        fi
}

/* The ring is drained, and the thread is dead or gone. */
inline retire() {
        pending = pending + (until && until_published -> 0 : waiting[turn]) +
                  (TOP_REFUSED -> LESS(live, since[turn]) : 0);
        interval(live)
}

inline compare() {
        lost_wrong = lost != true_lost;
        assert(!lost_wrong);
        outside_wrong = outside != true_outside;
        assert(!outside_wrong);
        for (i_ : 1 .. ENTERS) {
                self_wrong = self[i_] != true_self[i_];
                assert(!self_wrong)
        }
}

active proctype collector() {
        atomic {
                dead;
                retire();
                compare()
        }
}

/* -------------------------------------------------------------------------------------------- the producer -- */

/* sa_put(): into a slot that the collector must have given back. */
#define PUT               no_slot = used == SLOTS; assert(!no_slot); used++; room--
/* Published. */
#define SENT(kind, f, c)  feed(kind, f, c)

inline has_room(need, yes) {
        atomic {
                if
                :: room < need ->
                        do
                        :: used > 0 -> used--
                        :: break
                        od;
                        room = SLOTS - used
                :: else -> skip
                fi;
                yes = room >= need
        }
}

inline leave_top() {
        if
        :: !TOP_REFUSED -> since[turn] = live
        :: else ->
                if
                :: live > since[turn] ->
#ifdef WITHOUT_TURN
                        waiting[turn] = waiting[turn] + live - since[turn];
                        since[turn] = live;
                        stretches++
#else
                        d_step {
                                waiting[1 - turn] = waiting[turn] + live - since[turn];
                                since[1 - turn] = live
                        }
                        stretches++;
                        turn = 1 - turn
#endif
                :: else -> skip
                fi
        fi
}

inline flush_lost() {
        if
        :: stretches ->
                atomic { PUT }
#ifndef WITHOUT_UNTIL
                until = true;
#endif
                d_step {
                        SENT(LOST, 0, waiting[turn]);
                        until_published = true
                }
                d_step {
                        waiting[1 - turn] = 0;
                        since[1 - turn] = since[turn]
                }
                turn = 1 - turn;
                stretches = 0;
                d_step {
                        until = false;
                        until_published = false
                }
        :: else -> skip
        fi
}

inline put_base() {
        atomic {
                PUT;
                PUT;
                SENT(BEFORE, 0, 0);
                SENT(BASE, 0, live);
                ring_used = true
        }
}

inline push(f, s) {
        d_step {
                frame[depth] = f;
                state[depth] = s;
                depth++
        }
}

inline refuse(f, scope) {
        if
        :: beyond || depth == DEPTH -> beyond++
        :: else -> push(f, scope)
        fi;
#ifdef SINCE_AFTER_FRAME
        since[turn] = live
#endif
}

#ifdef ASK_FOR_ONE
#define OF_FRAME 1
#else
#define OF_FRAME 3
#endif
#ifdef NO_SLOT_FOR_LOST
#define OWES 1
#define OF_ENTER 2
#else
#define OWES 2
#define OF_ENTER OF_FRAME
#endif
#ifdef NO_ROOM_FOR_BASE
#define FOR_BASE 0
#else
#define FOR_BASE (ring_used -> 0 : 2)
#endif
#ifdef NO_ROOM_FOR_OLD_LOST
#define FOR_LOST 0
#else
#define FOR_LOST (stretches -> 1 : 0)
#endif
#ifdef MARK_TAKES_ANY
#define OF_MARK 1
#else
#define OF_MARK 1 + owed
#endif
#ifdef RESYNC_ASKS_FOR_FRAMES
#define OF_RESYNC (2 + depth)
#else
#define OF_RESYNC (2 + 3 * depth)
#endif

inline enter(f, scope) {
#ifndef SINCE_AFTER_FRAME
        leave_top();
#endif
        if
        :: beyond || depth == DEPTH -> yes = false
        :: else -> has_room(OF_ENTER + FOR_BASE + FOR_LOST + owed, yes)
        fi;
        if
        :: !yes -> refuse(f, scope)
        :: else ->
#ifndef NO_LOST_BEFORE_ENTER
                flush_lost();
#endif
                if
                :: !ring_used -> put_base()
                :: else -> skip
                fi;
                atomic { PUT }
                push(f, scope | ACCEPTED);
                d_step {
                        owed = owed + OWES;
                        SENT(ENTER, f, live)
                }
        fi;
        yes = false
}

inline take_out(i) {
        if
        :: state[i] & ACCEPTED ->
                flush_lost();
                atomic { PUT }
        :: else -> skip
        fi;
        d_step {
                gone = frame[i];
                was = state[i];
                for (j_ : i .. DEPTH - 2) {
                        frame[j_] = frame[j_ + 1];
                        state[j_] = state[j_ + 1]
                }
                depth--;
                frame[depth] = 0;
                state[depth] = 0
        }
        if
        :: was & ACCEPTED ->
                d_step {
                        owed = owed - OWES;
                        SENT(EXIT, gone, live)
                }
        :: else -> skip
        fi;
        d_step {
                gone = 0;
                was = 0
        }
}

/* The frame at `i`, by its own thread: scopes above it end with it; or by another one's mark. */
inline exit_of(i, is_own) {
        leave_top();
        if
        :: is_own ->
                j = depth - 1;
                do
                :: j > i ->
                        if
                        :: state[j] & SCOPE -> take_out(j)
                        :: else -> skip
                        fi;
                        j--
                :: else -> break
                od;
                j = 0
        :: else -> skip
        fi;
        take_out(i)
}

/* What the lane's last thread wrote, and the collector has not taken. */
inline fill() {
        atomic {
                do
                :: used < SLOTS ->
                        used++;
                        room--
                :: break
                od
        }
}

/* A new collector: the old lane's books are closed, and checked; the new one's begin here. */
inline migrate() {
        d_step {
                retire();
                compare();
                for (i_ : 0 .. ENTERS) {
                        self[i_] = 0;
                        true_self[i_] = 0
                }
                lost = 0;
                outside = 0;
                true_lost = 0;
                true_outside = 0;
                book_depth = 0;
                book[0] = 0;
                book[1] = 0;
                turn = 0;
                waiting[0] = 0;
                waiting[1] = 0;
                stretches = 0;
                until = false;
                owed = 0;
                ring_used = false;
                last = live;
                since[0] = live;
                since[1] = 0;
                used = 0;
                room = SLOTS
        }
        fill();
        d_step {
                if
                :: depth && room >= OF_RESYNC ->
                        PUT;
                        PUT;
                        SENT(BEFORE, 0, 0);
                        SENT(BASE, 0, live);
                        ring_used = true;
                        for (i_ : 0 .. DEPTH - 1) {
                                if
                                :: i_ < depth ->
                                        PUT;
                                        SENT(RESYNC, frame[i_], 0);
                                        state[i_] = state[i_] | ACCEPTED;
                                        owed = owed + OWES
                                :: else -> skip
                                fi
                        }
                :: else ->
                        for (i_ : 0 .. DEPTH - 1) {
                                state[i_] = state[i_] & SCOPE
                        }
                fi
        }
}

inline work() {
        d_step {
                live++;
                if
                :: TOP_REFUSED -> true_lost++
                :: !TOP_REFUSED && depth -> true_self[frame[depth - 1]] = true_self[frame[depth - 1]] + 1
                :: else -> true_outside++
                fi
        }
}

active proctype thread() {
        byte ops, works, enters, j, gone, was;
        bool yes, moved;

        fill();
        {
                do
                :: ops == OPS -> break
                :: ops < OPS && works < WORKS ->
                        atomic {
                                ops++;
                                works++;
                                work()
                        }
                :: ops < OPS && enters < ENTERS ->
                        d_step {
                                ops++;
                                enters++
                        }
                        if
                        :: skip -> enter(enters, 0)
                        :: skip -> enter(enters, SCOPE)
                        fi
                :: ops < OPS && depth ->
                        ops++;
                        if
                        :: skip -> exit_of(depth - 1, true)
                        :: depth == 2 -> exit_of(0, true)
                        :: depth == 2 -> exit_of(0, false)
                        fi
                :: ops < OPS && beyond ->
                        ops++;
                        leave_top();
                        beyond--
                :: ops < OPS ->
                        ops++;
                        has_room(OF_MARK, yes);
                        if
                        :: yes ->
                                atomic {
                                        PUT;
                                        SENT(MARK, 0, 0);
                                        yes = false
                                }
                        :: else -> skip
                        fi
#ifndef NO_MOVE
                :: ops < OPS && !moved && works ->
                        atomic {
                                ops++;
                                moved = true;
                                migrate()
                        }
#endif
                od;
                dead
        } unless {
                dead
        }
}

active proctype killer() {
#ifdef NO_KILL
        timeout;
#endif
        dead = true
}
