/*
 * Asking for an identity hash while the object moves: heap/identity_hash.h, gc/hash_window.c, gc/growth.c and what
 * of gc/plan.c and gc/page_build.c they rely on.
 *
 * One object that has to grow for its hash, two mutators that ask for it at any moment, and cycles that move it or
 * leave it. Places are numbers; the hash of a place is its number. Checked: all answers are the same, and what a
 * copy stores is what was answered. Memory is sequentially consistent here; the full fences see to that at the
 * steps that matter.
 *
 * Variants leave out one thing each that the code does, to show that the model would notice; ./dev model
 * expects each of them to fail:
 *   STAGE_FIRST  a mutator looks at the stage before it sets ASKED
 *   STAGE_LATE  the plan looks at headers before it says that it begins
 *   NO_WAIT  a mutator does not wait for a plan that is being made
 *   LEFT_TO_OTHERS  the region's `asked` is set by the mutator that sets ASKED, after it, and by nobody else
 *   NOT_HANDED_ON  `asked` is not set for the region of the new place
 *   SETTLED_EARLY  a mutator settles what it has not been told to
 */

#define MUTATORS 2
#define ASKS 2 /* of each mutator */
#define CYCLES 3
#define PLACES 4
#define NO_PLACE 255

mtype = { plan_none, plan_making, plan_made };

mtype stage = plan_none;
byte place = 0;
bool asked = false; /* the header's bits */
bool settled = false;
bool stored = false;
byte stored_hash = NO_PLACE;
bool region_asked[PLACES] = false;
byte evacuated = NO_PLACE; /* the place whose region is EVACUATED */
bool grows = false;        /* what growth.c has recorded */

byte answer = NO_PLACE; /* to all mutators, so far */
byte running = 0;       /* mutators between two safepoints */

inline set_region_asked()
{
    if
    :: !region_asked[at] -> region_asked[at] = true
    :: else
    fi
}

proctype mutator()
{
    byte asks = 0;
    byte at;
    byte hash;
    mtype seen;
    do
    :: asks < ASKS ->
        asks++;
        atomic { running++; at = place };
        if
        :: atomic { stored -> hash = stored_hash }
        :: atomic { !stored && settled -> hash = at }
        :: else ->
#ifdef STAGE_FIRST
            seen = stage;
#endif
#ifndef LEFT_TO_OTHERS
            set_region_asked();
            asked = true;
#else
            if
            :: !asked -> asked = true; set_region_asked()
            :: else
            fi;
#endif
#ifndef STAGE_FIRST
            seen = stage;
#endif
#ifndef NO_WAIT
            do
            :: seen == plan_making -> atomic { stage != plan_making -> seen = stage }
            :: else -> break
            od;
#endif
            if
            :: seen == plan_made && evacuated == at && !grows ->
                hash = at + 1;
#ifndef NOT_HANDED_ON
                region_asked[at + 1] = true;
#endif
#ifdef SETTLED_EARLY
                settled = true
#endif
            :: else ->
                hash = at;
                settled = true
            fi
        fi;
        atomic {
            assert(answer == NO_PLACE || answer == hash);
            answer = hash;
            running--
        }
    :: else -> break
    od
}

/* The copy of an object that moves. The flip's stop comes first. */
inline move()
{
    atomic {
        running == 0;
        if
        :: asked && grows ->
            stored_hash = place;
            stored = true;
            asked = false;
            settled = false;
            assert(answer == stored_hash)
        :: else -> assert(!settled)
        fi;
        place++
    }
}

proctype collector()
{
    byte cycles = 0;
    do
    :: cycles < CYCLES ->
        cycles++;
        running == 0; /* the stop in which marking begins */
#ifndef STAGE_LATE
        stage = plan_making;
#endif
        if
        :: region_asked[place] -> grows = asked
        :: else -> grows = false
        fi;
#ifdef STAGE_LATE
        stage = plan_making;
#endif
        if
        :: evacuated = place;
            stage = plan_made;
            move();
            evacuated = NO_PLACE
        :: stage = plan_made; /* it stays */
            running == 0
        fi;
        grows = false;
        stage = plan_none
    :: else -> break
    od
}

init
{
    byte count = 0;
    atomic {
        run collector();
        do
        :: count < MUTATORS -> run mutator(); count++
        :: else -> break
        od
    }
}
