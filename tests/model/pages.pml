/*
 * The page-state and fault protocol: heap/page_state.c, gc/compact.c, gc/fault_server.c, gc/reclaim.c and as
 * much of the kernel's userfaultfd as they rely on.
 *
 * Two compactions of a page that holds something, which both mutators touch, and a page that holds nothing until
 * mutator 1 prepares it for allocation (bump.c), with the collector and the fault server. Checked: a mutator
 * never sees a page with old contents [view], a page is built once [claim], and everything ends: no mutator
 * sleeps for ever. (Spin reports a process that is not at its end as an invalid end state.)
 *
 * Variants leave out one thing each that the code does, to show that the model would notice; ./dev model
 * expects each of them to fail:
 *   NO_SECOND_PASS  compact_end does not go over the regions again before the rest is declared mapped
 *   NO_FINAL_WAKE   end_faults does not wake after unregistering
 *   NO_SETTLE       the next flip does not wait for a fault server that still has an event in hand
 *   NO_CLAIM        looking at the state and changing it are two steps
 */

#define PAGES 2
#define MUTATORS 2
#define STEPS 2  /* of each mutator */
#define FULL 0  /* the page that holds something */
#define FRESH 1 /* the page that holds nothing */

mtype = { stale, building, mapped };

mtype state[PAGES] = mapped;     /* page_state.c's bytes */
bool new_contents[PAGES] = true; /* what the file holds is up to date */
byte builds[PAGES] = 0;

/* The kernel's side. */
bool entry[PAGES] = false;     /* page table entries of the mutator view */
bool registered = false;
byte readers = 0;              /* faults that hold the mapping's own lock */
bool queued[MUTATORS] = false; /* on the wait queue */
byte queued_page[MUTATORS];
bool event[MUTATORS] = false;  /* not read by the server yet */

bool answering = false; /* fault_server.answering */
bool quitting = false;
bool stopping = false; /* safepoint.stopping */
byte running = 0;      /* mutators in the middle of something */

/* UFFDIO_WAKE and the waking half of UFFDIO_CONTINUE: one thread after the other. */
inline wake(page)
{
    byte thread = 0;
    do
    :: thread < MUTATORS ->
        atomic {
            if
            :: queued[thread] && (page == PAGES || queued_page[thread] == page) ->
                queued[thread] = false;
                event[thread] = false
            :: else
            fi;
            thread++
        }
    :: else -> break
    od;
    thread = 0
}

/* map_pages for one page. */
inline continue_page(page)
{
    if
    :: atomic { !registered -> skip }                     /* ENOENT */
    :: atomic { registered && entry[page] -> skip };      /* EEXIST: answered by UFFDIO_WAKE */
        wake(page)
    :: atomic { registered && !entry[page] -> entry[page] = true };
        wake(page)
    fi
}

/* page_claim; `won` says whether. */
inline claim(page, won)
{
#ifdef NO_CLAIM
    if
    :: state[page] == stale -> state[page] = building; won = true
    :: else -> won = false
    fi
#else
    atomic {
        if
        :: state[page] == stale -> state[page] = building; won = true
        :: else -> won = false
        fi
    }
#endif
}

inline build_and_publish(page)
{
    builds[page]++;
    assert(builds[page] == 1); /* [claim] */
    new_contents[page] = true;
    continue_page(page);
    state[page] = mapped
}

/* A load or store of the program, and what the kernel makes of it. */
inline touch(me, page)
{
    do
    :: atomic { entry[page] -> assert(new_contents[page]); break }
    :: atomic { !entry[page] && !registered -> entry[page] = true; assert(new_contents[page]); break }
    :: atomic { !entry[page] && registered -> readers++ };
        /* handle_userfault: queue, look once more, let go of the lock, sleep */
        atomic { queued[me] = true; queued_page[me] = page; event[me] = true };
        if
        :: atomic { entry[page] -> queued[me] = false; event[me] = false; readers-- }
        :: atomic { !entry[page] -> readers-- };
            !queued[me] /* asleep until woken */
        fi
    od
}

/* bump.c: prepare(), then the first stores into new objects */
inline allocate(me)
{
    bool prepared;
    new_contents[FRESH] = true; /* cleared through the alias view, while nobody else can see it */
    claim(FRESH, prepared);
    if
    :: prepared ->
        builds[FRESH]++;
        assert(builds[FRESH] == 1);
        continue_page(FRESH);
        state[FRESH] = mapped
    :: else
    fi;
    touch(me, FRESH)
}

proctype Mutator(byte me)
{
    byte steps = 0;
    do
    :: steps < STEPS ->
        atomic { !stopping -> running++ }; /* between two safepoints */
        if
        :: me == 1 -> allocate(me)
        :: touch(me, FULL)
        fi;
        running--;
        steps++
    :: else -> break
    od
}

/* fault_server.c: serve() */
inline serve()
{
    byte reader = 0;
    do
    :: reader < MUTATORS ->
        if
        :: atomic { event[reader] -> event[reader] = false; fault_page = queued_page[reader] };
            claim(fault_page, server_won);
            if
            :: server_won -> build_and_publish(fault_page)
            :: !server_won && state[fault_page] == mapped ->
                continue_page(fault_page) /* page_wake */
            :: else -> skip /* somebody else is building it: its publish wakes */
            fi
        :: else
        fi;
        reader++
    :: else -> break
    od;
    reader = 0
}

active proctype Server()
{
    byte fault_page;
    bool server_won;
    do
    :: !quitting ->
        answering = true;
        serve();
        answering = false
    :: quitting -> break
    od
}

inline compact()
{
    /* cycle.c: compact(). The worker takes the page, or has been past it when somebody else still has it. */
    if
    :: claim(FULL, won);
        if
        :: won -> build_and_publish(FULL)
        :: else
        fi
    :: skip
    fi;
#ifndef NO_SECOND_PASS
    /* compact_end */
    claim(FULL, won);
    if
    :: won -> build_and_publish(FULL)
    :: else
    fi;
#endif
    /* page_release_rest */
    page = 0;
    do
    :: page < PAGES ->
        if
        :: atomic { state[page] == stale -> state[page] = mapped }
        :: state[page] == mapped -> skip
        fi; /* blocks while somebody builds it */
        page++
    :: else -> break
    od
}

active proctype Collector()
{
    byte page;
    bool won;
    byte flips = 0;
    do
    :: flips < 2 ->
        /* flip.c */
        stopping = true;
        running == 0;
        d_step {
            new_contents[FULL] = false;
            builds[FULL] = 0;
            builds[FRESH] = 0;
            entry[FULL] = false; /* move_entries */
            entry[FRESH] = false
        };
        registered = true;
        d_step {
            state[FULL] = stale; /* page_states_flip */
            state[FRESH] = stale
        };
        stopping = false;
        compact();
        /* reclaim.c: end_faults. The kernel wakes first, then waits for faults that saw the registration. */
        wake(PAGES);
        atomic { readers == 0 -> registered = false };
#ifndef NO_FINAL_WAKE
        wake(PAGES);
#endif
#ifndef NO_SETTLE
        !answering; /* fault_server_settle */
#endif
        flips++
    :: else -> break
    od;
    quitting = true
}

init
{
    atomic {
        run Mutator(0);
        run Mutator(1)
    }
}
