/*
 * The handshakes of on-the-fly marking and weak references: gc/mark.c, gc/shade.c, gc/weak.c,
 * runtime/safepoint.c; docs/design/marking.md.
 *
 * One cycle over five objects, a handle and a weak reference. Two mutators load, store, allocate, use the
 * weak reference, go native, detach and attach again, in any order, STEPS times together. Checked: when what
 * is neither marked nor born is freed, no root, handle, live object or store under way leads to any of it,
 * and weak_get returns none of it; and everything ends.
 *
 * Between two safepoints nobody else looks at a mutator's roots, barrier and buffer, so pushing is no step of
 * its own: reading the old content and pushing are one step of a store, storing is another. The second comes
 * as late as x86 may make it (Processor): before the mutator's next handshake, which takes a lock, but after
 * later loads, which see the new value only if they are its own. That includes all deletion races: two
 * mutators read the same old content, and then one overwrites what the other stored. One store in flight is
 * enough, as a second one waits for the first like one of a slower mutator.
 *
 * Not here: births recorded late (here what is born is known to be at once), a second cycle, weak references
 * that are made or stored to, more than two mutators.
 *
 * Variants leave out one thing each that the code does, to show that the model would notice; ./dev model
 * expects each of them to fail:
 *   TWO_HANDSHAKES       settle: a store overwrites what it has not read, marking.md says how
 *   NO_SHADE_NEW         stored into a marked object and dropped before its mutator is scanned
 *   NO_SHADE_OLD         loaded after the scan, then deleted from the slot where marking would have found it
 *   SCAN_WITHOUT_BEGIN   begin and settle: a mutator with no barrier deletes what a scanned one has loaded
 *   BORN_TOO_EARLY       a new object, never traced, has the last reference to what its mutator dropped
 *   NO_FLUSH_CHECK       marking ends while only a mutator's buffer leads to the object
 *   WEAK_UNSHADED        weak_get gives a scanned mutator what marking does not know of
 *   WEAK_NO_REPEAT       weak_get shades after its mutator's last flush, and marking ends all the same
 *   WEAK_PHASE_LATE      weak_get takes it that there is no cycle, after its mutator was scanned
 *   NATIVE_NOT_WAITING   a mutator allocates into a root that the collector, scanning for it, has been past
 *   HANDLE_NO_BARRIER    the handle is cleared before it is scanned, after a scanned mutator loaded from it
 *   DETACH_DROPS_BUFFER  what a mutator shaded is forgotten when it detaches
 *   BIRTHS_END_EARLY     births are no longer recorded from finish on, before it is settled what is freed
 */

#define NOTHING 0
#define OBJECTS 5 /* 1 to 5; sets of objects are bytes with a bit for each */
#define HANDLE 0  /* slot 0 is a handle, slot o is the one slot of object o */
#define A 1       /* in the handle */
#define B 2       /* in A and in W */
#define W 3       /* only in the weak reference */
#define D 4       /* only in a root of mutator 1 */
#define FRESH 5   /* memory for a new object */
#ifdef CODE
#define STEPS 4 /* of both mutators together */
#else
#define STEPS 3 /* are enough for what the variants do wrong */
#endif

#define bit(object) (1 << (object))
#define unmarked(object) ((object) != NOTHING && !((marked | born) & bit(object)))

mtype = { open, tracing, repeat, clearing };          /* weak_phase */
mtype = { idle, begin, settle, scan, flush, finish }; /* handshakes */
mtype = { off, old_and_new, old_only };               /* barriers */

byte slot[OBJECTS + 1];
byte weak = W;
byte root[4]; /* two of each mutator */
byte allocated;
byte marked;
byte born;
byte freed;
bool swept = false;
byte steps = STEPS;

mtype weak_phase = open;
mtype asked = idle; /* the last handshake */
byte handed = 0;    /* what buffers that were handed over hold */

/* Of each mutator: */
bool attached[2] = true;
bool native[2] = false;
bool answered[2] = true;
mtype barrier[2] = off;
bool births[2] = false; /* what it allocates is born */
byte buffer[2] = 0;
byte in_flight[2] = 0; /* slot + 1: a store that its processor has not made visible yet */
byte flying[2] = 0;    /* the value stored */

bool serving = false; /* the collector answers for mutator 1, the only one that goes native */

inline shade(me, object)
{
    if
    :: unmarked(object) -> buffer[me] = buffer[me] | bit(object)
    :: else
    fi
}

inline hand_over(me)
{
    handed = handed | buffer[me];
    buffer[me] = 0
}

/* The state that the last handshake asked for, whoever takes it on. */
inline take_state(me)
{
    if
    :: asked == begin || asked == settle ->
        barrier[me] = old_and_new;
#ifdef BORN_TOO_EARLY
        births[me] = true
#endif
    :: asked == scan || asked == flush ->
        barrier[me] = old_only;
        births[me] = true
    :: asked == finish ->
        barrier[me] = off;
#ifdef BIRTHS_END_EARLY
        births[me] = false
#else
        births[me] = true
#endif
    :: else -> barrier[me] = off
    fi
}

/* What is left of a handshake once a scanned mutator's roots are shaded. */
inline answer(me)
{
    if
    :: asked == scan || asked == flush -> hand_over(me)
    :: asked == finish -> buffer[me] = 0
    :: else
    fi;
    take_state(me);
    answered[me] = true
}

/* The store buffer of the mutator's processor. */
proctype Processor(byte me)
{
end:
    do
    :: atomic {
        in_flight[me] != 0 ->
            slot[in_flight[me] - 1] = flying[me];
            in_flight[me] = 0;
            flying[me] = 0
       }
    od
}

#ifdef HANDLE_NO_BARRIER
#define has_barrier(to) (to != HANDLE)
#else
#define has_barrier(to) true
#endif

/* The old content is that in memory: the last store is no longer in flight. */
inline store(me, to, value)
{
    if
    :: barrier[me] != off && has_barrier(to) ->
#ifndef NO_SHADE_OLD
        shade(me, slot[to]);
#endif
#ifndef NO_SHADE_NEW
        if
        :: barrier[me] == old_and_new -> shade(me, value)
        :: else
        fi
#endif
    :: else
    fi;
    in_flight[me] = to + 1;
    flying[me] = value
}

inline load(me, from, to)
{
    if
    :: in_flight[me] == from + 1 -> to = flying[me]
    :: else -> to = slot[from]
    fi
}

#define ROOT0 root[2 * me]
#define ROOT1 root[2 * me + 1]

/* Into ROOT1; the caller has read the phase. As in store, pushing is one step with what comes before it. */
inline weak_get(me)
{
    do
    :: atomic {
        referent = weak;
        if
        :: !unmarked(referent) -> break
        :: else
        fi
       };
       atomic {
        if
        :: phase == open -> break
        :: phase == clearing ->
            referent = NOTHING;
            break
        :: phase == repeat || (phase == tracing && (weak_phase == tracing || weak_phase == repeat)) ->
#ifndef WEAK_NO_REPEAT
            if
            :: phase == tracing -> weak_phase = repeat
            :: else
            fi;
#endif
#ifndef WEAK_UNSHADED
            shade(me, referent);
#endif
            break
        :: else -> skip /* the CAS failed */
        fi
       };
       phase = weak_phase
    od;
    atomic {
        assert(!(freed & bit(referent)));
        ROOT1 = referent;
        referent = NOTHING;
        phase = 0
    }
}

proctype Mutator(byte me)
{
    mtype phase = 0;
    byte referent = NOTHING;
    do
    :: atomic {
        !answered[me] && in_flight[me] == 0 ->
            if
            :: asked == scan ->
                shade(me, ROOT0);
                shade(me, ROOT1)
            :: else
            fi;
            answer(me)
       }
    :: atomic {
        steps > 0 && asked != idle && !swept ->
            steps--;
            if
            :: true -> load(me, HANDLE, ROOT0)
            :: true -> load(me, HANDLE, ROOT1)
            :: ROOT0 != NOTHING -> load(me, ROOT0, ROOT1)
            :: ROOT0 != NOTHING -> load(me, ROOT0, ROOT0)
            :: in_flight[me] == 0 && ROOT1 != NOTHING ->
                if
                :: true -> store(me, HANDLE, ROOT1)
                :: ROOT0 != NOTHING -> store(me, ROOT0, ROOT1)
                fi;
                if
                :: ROOT1 = NOTHING
                :: skip
                fi
            :: in_flight[me] == 0 && slot[HANDLE] != NOTHING -> store(me, HANDLE, NOTHING)
            :: in_flight[me] == 0 && ROOT0 != NOTHING && slot[ROOT0] != NOTHING ->
                store(me, ROOT0, NOTHING)
            :: me == 1 && !(allocated & bit(FRESH)) -> /* its first store needs no barrier */
                allocated = allocated | bit(FRESH);
                slot[FRESH] = ROOT1;
                if
                :: births[me] -> born = born | bit(FRESH)
                :: else
                fi;
                ROOT1 = FRESH
            fi
       }
    :: atomic {
        steps > 0 && asked != idle && !swept ->
            steps--;
            phase = weak_phase
       };
       weak_get(me)
    :: atomic {
        me == 1 && steps > 0 && asked != idle && !swept && in_flight[me] == 0 ->
            steps--;
            native[me] = true
       };
       atomic {
#ifdef NATIVE_NOT_WAITING
        true
#else
        !serving
#endif
            -> native[me] = false
       }
    :: atomic {
        me == 1 && steps > 0 && asked != idle && !swept && in_flight[me] == 0 ->
            steps--;
            ROOT0 = NOTHING;
            ROOT1 = NOTHING;
#ifndef DETACH_DROPS_BUFFER
            hand_over(me);
#endif
            buffer[me] = 0;
            barrier[me] = off;
            births[me] = false;
            attached[me] = false;
            answered[me] = true
       };
       atomic {
        attached[me] = true;
        take_state(me)
       }
    :: swept -> break
    od
}

/* The collector's half of a handshake with a native mutator, while Collector waits in handshake(). */
proctype Serving()
{
end:
    do
    :: atomic {
        native[1] && !answered[1] ->
            serving = true;
            if
            :: asked == scan -> shade(1, root[3])
            :: else
            fi
       };
       atomic {
        if
        :: asked == scan -> shade(1, root[2])
        :: else
        fi;
        answer(1);
        serving = false
       }
    od
}

inline handshake(what)
{
    d_step {
        asked = what;
        answered[0] = !attached[0];
        answered[1] = !attached[1]
    };
    answered[0] && answered[1]
}

/* Buffers that were handed over become grey objects. */
inline take_over()
{
    d_step {
        handed = handed & ~(marked | born);
        grey = grey | handed;
        marked = marked | handed;
        handed = 0
    }
}

inline scan_handle()
{
    d_step {
        if
        :: unmarked(slot[HANDLE]) ->
            marked = marked | bit(slot[HANDLE]);
            grey = grey | bit(slot[HANDLE])
        :: else
        fi
    }
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
            :: grey & bit(W) -> object = W
            :: grey & bit(D) -> object = D
            :: grey & bit(FRESH) -> object = FRESH
            fi;
            grey = grey & ~bit(object);
            if
            :: unmarked(slot[object]) ->
                marked = marked | bit(slot[object]);
                grey = grey | bit(slot[object])
            :: else
            fi;
            object = 0
       }
    od
}

/* Frees, and looks at everything that can be reached then. */
inline check_and_sweep()
{
    d_step {
        freed = allocated & ~(marked | born);
        reached = bit(root[0]) | bit(root[1]) | bit(root[2]) | bit(root[3]) | bit(slot[HANDLE]) |
            bit(flying[0]) | bit(flying[1]);
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
        assert(!(freed & reached));
        assert(!(freed & bit(weak)));
        swept = true;
        reached = 0;
        rounds = 0;
        object = 0
    }
}

proctype Collector()
{
    byte grey = 0;
    byte object = 0;
    byte reached = 0;
    byte rounds = 0;

#ifndef WEAK_PHASE_LATE
    weak_phase = tracing;
#endif
#ifndef SCAN_WITHOUT_BEGIN
    handshake(begin);
#ifndef TWO_HANDSHAKES
    handshake(settle);
#endif
#endif
    handshake(scan);
    scan_handle();
#ifdef WEAK_PHASE_LATE
    weak_phase = tracing;
#endif
    do
    :: take_over();
       trace_all();
#ifndef NO_FLUSH_CHECK
       handshake(flush);
#endif
       if
       :: handed & ~(marked | born) -> skip
       :: else ->
          atomic {
            if
            :: weak_phase == repeat -> weak_phase = tracing /* the CAS to clearing failed */
            :: weak_phase == tracing ->
                weak_phase = clearing;
                break
            fi
          }
       fi
    od;
    atomic {
        handed = 0;
        if
        :: unmarked(weak) -> weak = NOTHING
        :: else
        fi
    };
    weak_phase = open;
    handshake(finish);
    check_and_sweep()
}

init
{
    atomic {
        slot[HANDLE] = A;
        slot[A] = B;
        slot[W] = B;
        root[0] = A;
        root[3] = D;
        allocated = bit(A) | bit(B) | bit(W) | bit(D);
        run Processor(0);
        run Processor(1);
        run Mutator(0);
        run Mutator(1);
        run Serving();
        run Collector()
    }
}
