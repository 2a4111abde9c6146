/*
 * What a child process finds of its parent's heaps.
 *
 * [fork] A child process never writes the parent's heap. Neither view is inherited (views.h); in the child the
 * addresses stay reserved, so that nothing else is ever mapped there, calls on the heap fail with
 * SHALE_ERROR_FORKED, and touching an object ends the child with one line on standard error that says why.
 */
#ifndef SHALE_RUNTIME_FORK_H
#define SHALE_RUNTIME_FORK_H

/* Once per process, from the first heap's creation. */
void fork_watch(void);

#endif
