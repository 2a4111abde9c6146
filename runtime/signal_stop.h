/*
 * Stopping threads by a signal: how conservative mutators are stopped, which need not poll.
 *
 * [signal-stop] The collector asks, sends the signal, and waits. The handler holds the thread where it is, if it is not inside the
 * library [inside], until the collector lets it go. While it is held, the collector does for it what it does for one in
 * a native section. `hold` of a mutator:
 *
 *     NONE -> ASKED      the collector, with the safepoint's lock; then it sends the signal
 *     ASKED -> HELD      the thread's handler, which then announces itself and waits
 *     ASKED -> NONE      the thread, with the lock, when it has served the request itself or does not run any more; or
 *                        the collector, when it does not want it any more
 *     HELD -> NONE       the collector; the handler returns
 *
 * Lost request? The collector asked before it sent the signal, and the signal is handled some time. If the thread is inside then, it
 * looks at its poll word on its way out, which was set before [inside]; if it is in a native section, that counts as arrived,
 * and whoever leaves one waits for a stop; a request that was withdrawn is none. If it runs on no stack that is known - a handler of
 * the program's on a stack of its own, or a coroutine on one that was not registered - the handler sets `astray`, and the
 * collector sends the signal again a little later.
 *
 * Late signal? One that finds nothing asked of the thread is dropped. One that was sent for an earlier request and finds a
 * later one does for that as well as its own, which then is dropped.
 *
 * A held thread may have been anywhere in the program or the C library, with any of their locks in hand. So as long
 * as any is held, the collector takes no lock but the library's own, allocates nothing with malloc, and logs nothing: stops and handshakes
 * are let go before anything is logged about them (safepoint.c). What is called meanwhile - the functions of handshakes, the flip,
 * root visitors, visitors of objects - keeps to that.
 *
 * The signal is SIGURG: it is ignored unless there is a handler, so a late one does no harm, debuggers pass it on without a word,
 * programs seldom use it, and those that do expect it to come for no reason. A signal that others sent goes to the handler
 * that was there before. System calls that it interrupts are restarted, where the kernel does that.
 *
 * Handlers of other signals wait until a thread is not held any more. That of SIGBUS, which may be building a page, is not interrupted by
 * this one (fault_signal.c).
 */
#ifndef SHALE_RUNTIME_SIGNAL_STOP_H
#define SHALE_RUNTIME_SIGNAL_STOP_H

#include <stdbool.h>

struct mutator;

enum hold { HOLD_NONE = 0, HOLD_ASKED, HOLD_HELD };

/* Installs the handler with the first mutator. Returns 0 or a negative errno value. */
int signal_stop_add(void);
/* Puts the former one back with the last, if ours is still installed. */
void signal_stop_remove(void);

/* Whether the calling thread lets the signal through. */
bool signal_stop_reaches_this_thread(void);

/* The collector, with the safepoint's lock. Asks, unless that was done; again, if the thread was astray. */
void signal_stop_ask(struct mutator *mutator);
bool signal_stop_holds(const struct mutator *mutator);
bool signal_stop_is_astray(const struct mutator *mutator);

/* The collector, or the thread itself inside, with the lock: nothing is wanted, and it is not held. */
void signal_stop_let_go(struct mutator *mutator);

#endif
