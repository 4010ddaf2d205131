/*
 * Memory as C11 has it, for Promela, whose own variables are sequentially consistent.
 *
 * A location keeps every store that was made to it.  A thread has a view: for each location the oldest store that it may
 * still read.  A load takes any store from there on, by the model checker's choice: that a processor or compiler moved
 * the load up, or kept the store back.  Views travel with values:
 *
 *     store RELEASE     the thread's view goes with the value
 *     store RELAXED     … the view that it had at its last release fence
 *     store PLAIN       nothing: what C calls not atomic
 *     load ACQUIRE      the reader's view becomes the larger of the two
 *     load RELAXED      … only at its next acquire fence
 *     fence             RELEASE, ACQUIRE, or SEQ_CST, which also meets all earlier SEQ_CST fences
 *     exchange          reads the newest store, and its own carries the view of that one on
 *
 * A sequentially consistent load or store is ACQUIRE or RELEASE here, after a SEQ_CST fence where a model needs more.
 *
 * What is not here: a load that a later store of the same thread overtakes.  Where the code's order is of that kind, who
 * reads leaves a note (a store to a location that the code does not have), and who overwrites must have that note in its
 * view: that is C11's "happens before", and without it a data race.  New stores go to the end of a location's order;
 * that is all there is where one thread writes, or where the others use exchange.
 *
 * The model that includes this defines LOCATIONS, THREADS and WRITES: how many, and the most stores to one location.
 */
#define PLAIN   0
#define RELAXED 1
#define ACQUIRE 2
#define RELEASE 3
#define ACQ_REL 4
#define SEQ_CST 5

#define OF(t, l)         ((t) * LOCATIONS + (l))
#define NTH(l, n)        ((l) * WRITES + (n))
#define WITH(l, n, x)    (((l) * WRITES + (n)) * LOCATIONS + (x))

byte newest[LOCATIONS];                     /* the number of the last store; 0 is the initial value */
byte stored[LOCATIONS * WRITES];            /* values */
byte with[LOCATIONS * WRITES * LOCATIONS];  /* the view that goes with each */
byte sees[THREADS * LOCATIONS];             /* views */
byte fenced[THREADS * LOCATIONS];           /* … at the last release fence */
byte heard[THREADS * LOCATIONS];            /* … that the next acquire fence adds */
byte common[LOCATIONS];                     /* … of all SEQ_CST fences */
byte nth;
hidden byte each;

/* To be used in d_step. */
#define JOIN(to, from) ((to) < (from) -> (from) : (to))

inline store(t, l, order, value) {
        d_step {
                assert(newest[l] + 1 < WRITES);
                stored[NTH(l, newest[l] + 1)] = value;
                newest[l] = newest[l] + 1;
                sees[OF(t, l)] = newest[l];
                for (each : 0 .. LOCATIONS - 1) {
                        if
                        :: order >= RELEASE -> with[WITH(l, newest[l], each)] = sees[OF(t, each)]
                        :: order == RELAXED -> with[WITH(l, newest[l], each)] = fenced[OF(t, each)]
                        :: else -> skip
                        fi
                }
                each = 0 /* Spin's C is wrong where a d_step ends with a loop */
        }
}

inline load(t, l, order, ret) {
        atomic {
                nth = sees[OF(t, l)];
                do
                :: nth < newest[l] -> nth++
                :: break
                od;
                d_step {
                        ret = stored[NTH(l, nth)];
                        sees[OF(t, l)] = nth;
                        for (each : 0 .. LOCATIONS - 1) {
                                if
                                :: order == ACQUIRE || order == SEQ_CST ->
                                        sees[OF(t, each)] = JOIN(sees[OF(t, each)], with[WITH(l, nth, each)])
                                :: order == RELAXED ->
                                        heard[OF(t, each)] = JOIN(heard[OF(t, each)], with[WITH(l, nth, each)])
                                :: else -> skip
                                fi
                        }
                        nth = 0;
                }
        }
}

inline fence(t, order) {
        d_step {
                for (each : 0 .. LOCATIONS - 1) {
                        if
                        :: order == ACQUIRE || order >= ACQ_REL ->
                                sees[OF(t, each)] = JOIN(sees[OF(t, each)], heard[OF(t, each)])
                        :: else -> skip
                        fi;
                        if
                        :: order == SEQ_CST ->
                                sees[OF(t, each)] = JOIN(sees[OF(t, each)], common[each]);
                                common[each] = sees[OF(t, each)]
                        :: else -> skip
                        fi;
                        if
                        :: order >= RELEASE -> fenced[OF(t, each)] = sees[OF(t, each)]
                        :: else -> skip
                        fi
                }
                each = 0
        }
}

/* A read-modify-write: `before` is what it read, `after` (which may be told by `before`) what it stores.  To be used in
 * d_step or atomic, so that a compare-and-swap can be made of it. */
inline exchange(t, l, order, before, after) {
        d_step {
                before = stored[NTH(l, newest[l])];
                for (each : 0 .. LOCATIONS - 1) {
                        if
                        :: order == ACQUIRE || order >= ACQ_REL ->
                                sees[OF(t, each)] = JOIN(sees[OF(t, each)], with[WITH(l, newest[l], each)])
                        :: order == RELAXED || order == RELEASE ->
                                heard[OF(t, each)] = JOIN(heard[OF(t, each)], with[WITH(l, newest[l], each)])
                        :: else -> skip
                        fi
                }
                assert(newest[l] + 1 < WRITES);
                stored[NTH(l, newest[l] + 1)] = after;
                newest[l] = newest[l] + 1;
                sees[OF(t, l)] = newest[l];
                for (each : 0 .. LOCATIONS - 1) {
                        with[WITH(l, newest[l], each)] = JOIN(with[WITH(l, newest[l] - 1, each)],
                                (order >= RELEASE -> sees[OF(t, each)] : fenced[OF(t, each)]))
                }
                each = 0
        }
}

/* What the thread itself knows a location to hold. */
#define KNOWN(t, l)  stored[NTH(l, sees[OF(t, l)])]
/* What it holds after everything. */
#define LATEST(l)    stored[NTH(l, newest[l])]

/* A rule has a name, which is what the checker prints when it is broken. */
#define HOLDS(rule, condition) atomic { rule = !(condition); assert(!rule) }
