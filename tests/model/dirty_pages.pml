/*
 * Marking without a write barrier: what mutators store is learnt from the pages that they have written to.
 *
 * The steps are those of gc/mark_pages.h [remark]: tracking begins; a handshake in which roots are shaded, and from which on what is
 * allocated is born; trace; one round: search and arm, handshake, look, trace; the remark. Each object is on a page of its own.
 * Two mutators load, store, allocate and forget.
 *
 * A store is two steps: the processor finds the page writable, or has the kernel note that it is written and make it so;
 * later the word is in memory. In between a search may come to the page, and find and arm it. (The kernel in fact waits for
 * such stores, since it flushes the old entry from all processors before the system call returns. The handshake between search
 * and look waits for them as well, so the model can do without.)
 *
 * Roots are read in the first handshake and in the remark. That the code reads them in rounds as well only leaves the remark
 * less to do.
 *
 * Not here: the stop as a protocol (safepoint.h), packets, weak references, threads that come and go.
 *
 * Variants leave out one thing each that the code does; ./dev model expects each of them to fail:
 *   NO_REMARK_ROOTS          a mutator holds what it took from a slot before that was traced
 *   NO_REMARK_SEARCH         stored into an object after that was traced
 *   ARM_AFTER_LOOK           the same between the look at the page and its arming
 *   HANDSHAKE_BEFORE_SEARCH  stored into a new object that has no live bit at the look, and whose page was found
 *   BIRTHS_UNSEEN            stored into a new object
 *   NO_HANDSHAKE             a store gets into memory after its page was looked at, and counts as one before
 */

#define NOTHING 0
#define OBJECTS 4 /* 1 to 4; sets of objects, and of their pages, are bytes with a bit for each */
#define HANDLE 0  /* slot 0 is a handle, slot o is the one slot of object o */
#define A 1       /* in the handle */
#define B 2       /* in A, and a root of mutator 0 */
#define X 3       /* in B */
#define FRESH 4   /* memory for a new object */
#define STEPS 5   /* of both mutators together */

#define bit(object) (1 << (object))
#define unmarked(object) ((object) != NOTHING && !((marked | born) & bit(object)))

byte slot[OBJECTS + 1];
byte root[4]; /* two of each mutator */
byte allocated;
byte marked;
byte grey;
byte born;
byte recorded; /* born, with their live bits set */
byte written;  /* pages, since they were armed */
byte found;    /* pages, by the search */
byte steps = STEPS;
bool stopped = false;

/* Of each mutator: */
bool answered[2] = true;
bool births[2] = false;
byte in_flight[2] = NOTHING; /* object that a store is made to; of the handle's, none is: it is no page */
byte flying[2] = NOTHING;

#define ROOT0 root[2 * me]
#define ROOT1 root[2 * me + 1]

inline shade(object)
{
    if
    :: unmarked(object) ->
        marked = marked | bit(object);
        grey = grey | bit(object)
    :: else
    fi
}

proctype Mutator(byte me)
{
    do
    :: atomic {
        !answered[me] && in_flight[me] == NOTHING ->
            if
            :: !births[me] ->
                shade(ROOT0);
                shade(ROOT1);
                births[me] = true
            :: else
            fi;
            recorded = recorded | born;
            answered[me] = true
       }
    :: atomic {
        in_flight[me] != NOTHING ->
            slot[in_flight[me]] = flying[me];
            in_flight[me] = NOTHING;
            flying[me] = NOTHING
       }
    :: atomic {
        steps > 0 && !stopped && in_flight[me] == NOTHING ->
            steps--;
            if
            :: ROOT0 = slot[HANDLE]
            :: ROOT0 != NOTHING -> ROOT1 = slot[ROOT0]
            :: ROOT0 != NOTHING -> ROOT0 = slot[ROOT0]
            :: ROOT0 != NOTHING ->
                written = written | bit(ROOT0);
                in_flight[me] = ROOT0;
                if
                :: flying[me] = NOTHING
                :: ROOT1 != NOTHING -> flying[me] = ROOT1
                :: ROOT1 != NOTHING -> flying[me] = ROOT1; ROOT1 = NOTHING
                fi
            :: ROOT1 = NOTHING
            :: me == 0 && !(allocated & bit(FRESH)) ->
                allocated = allocated | bit(FRESH);
                written = written | bit(FRESH);
                if
                :: births[me] -> born = born | bit(FRESH)
                :: else
                fi;
                ROOT0 = FRESH
            :: slot[HANDLE] = ROOT0
            fi
       }
    :: stopped && in_flight[me] == NOTHING && answered[me] -> break
    od
}

inline handshake()
{
    atomic {
        answered[0] = false;
        answered[1] = false
    };
    answered[0] && answered[1]
}

inline trace_all()
{
    do
    :: grey == 0 -> break
    :: atomic {
        grey != 0 ->
            if
            :: grey & bit(A) -> object = A
            :: grey & bit(B) -> object = B
            :: grey & bit(X) -> object = X
            :: grey & bit(FRESH) -> object = FRESH
            fi;
            grey = grey & ~bit(object);
            shade(slot[object])
       }
    od
}

/* One page after the other. */
inline search(arm)
{
    page = 1;
    do
    :: page <= OBJECTS ->
        atomic {
            found = found | (written & bit(page));
            if
            :: arm -> written = written & ~bit(page)
            :: else
            fi;
            page++
        }
    :: else -> break
    od
}

#ifdef BIRTHS_UNSEEN
#define looked_at marked
#else
#define looked_at (marked | recorded)
#endif

inline look()
{
    page = 1;
    do
    :: page <= OBJECTS ->
        atomic {
            if
            :: (found & looked_at) & bit(page) -> shade(slot[page])
            :: else
            fi;
            found = found & ~bit(page);
            page++
        }
    :: else -> break
    od
}

inline arm_all()
{
    page = 1;
    do
    :: page <= OBJECTS -> written = written & ~bit(page); page++
    :: else -> break
    od
}

proctype Collector()
{
    byte object;
    byte page;
    byte reached;
    byte rounds;

    arm_all();
    handshake();
    atomic { shade(slot[HANDLE]) };
    trace_all();

#ifdef HANDSHAKE_BEFORE_SEARCH
    handshake();
    search(true);
#else
#ifdef ARM_AFTER_LOOK
    search(false);
#else
    search(true);
#endif
#ifdef NO_HANDSHAKE
    atomic { recorded = recorded | born };
#else
    handshake();
#endif
#endif
    look();
    trace_all();
#ifdef ARM_AFTER_LOOK
    arm_all();
#endif

    atomic {
        in_flight[0] == NOTHING && in_flight[1] == NOTHING -> stopped = true
    };
    recorded = recorded | born;
#ifndef NO_REMARK_ROOTS
    atomic {
        shade(root[0]);
        shade(root[1]);
        shade(root[2]);
        shade(root[3]);
        shade(slot[HANDLE])
    };
#endif
#ifndef NO_REMARK_SEARCH
    search(false);
#endif
    look();
    trace_all();

    atomic {
        reached = bit(root[0]) | bit(root[1]) | bit(root[2]) | bit(root[3]) | bit(slot[HANDLE]);
        rounds = 0;
        do
        :: rounds < OBJECTS ->
            object = 1;
            do
            :: object <= OBJECTS ->
                if
                :: reached & bit(object) -> reached = reached | bit(slot[object])
                :: else
                fi;
                object++
            :: else -> break
            od;
            rounds++
        :: else -> break
        od;
        assert(!(reached & ~bit(NOTHING) & ~(marked | born)))
    }
}

init
{
    atomic {
        slot[HANDLE] = A;
        slot[A] = B;
        slot[B] = X;
        root[0] = B;
        allocated = bit(A) | bit(B) | bit(X);
        written = allocated;
        run Mutator(0);
        run Mutator(1);
        run Collector()
    }
}
