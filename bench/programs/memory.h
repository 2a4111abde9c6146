/*
 * One program over several memory managers: what gcbench.c and trees.c ask of memory. Each is compiled once
 * for each manager, with MEMORY_SHALE, MEMORY_CONSERVATIVE, MEMORY_MALLOC or MEMORY_BDWGC defined; all of it is inline, so that a
 * manager is used as directly as by a program that was written for it.
 *
 * [same-work] Whatever the manager, a program allocates the same objects in the same order and writes the same
 * words. It keeps references that live across an allocation in a frame, as a moving collector wants, and
 * gives back what it no longer needs if MEMORY_EXPLICIT, as malloc wants. What a manager does not want costs
 * nothing there.
 *
 * Every manager defines
 *
 *   MEMORY_NAME, MEMORY_EXPLICIT      "shale" and so on; 1 if objects must be given back, else 0
 *   struct memory, memory_type        what is open; a kind of object
 *   memory_frame                      some consecutive local variables that hold references
 *
 *   memory_open, memory_close         with the heap size and so on of the command line
 *   memory_record, memory_array       a kind of object: its first words are references; all its words are, or none
 *   memory_allocate                   zeroed; never NULL: a program that has no memory ends with a sentence
 *   memory_store                      a reference into an object; also the first one
 *   memory_push, memory_pop           frames
 *   memory_give_back                  one object, if MEMORY_EXPLICIT
 *   memory_at_peak                    the program now holds as much as it ever does: --live measures here
 *   memory_describe                   what it did, such as "12 collections"
 */
#ifndef BENCH_PROGRAMS_MEMORY_H
#define BENCH_PROGRAMS_MEMORY_H

#include "bench/programs/command_line.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_NO_MEMORY = 3, MEMORY_REFERENCES_MAX = 4 };

_Noreturn static inline void memory_fail(const char *message)
{
    fprintf(stderr, "%s\n", message);
    exit(EXIT_NO_MEMORY);
}

#if defined(MEMORY_SHALE) || defined(MEMORY_CONSERVATIVE)
#include "bench/programs/memory_shale.h"
#elif defined(MEMORY_MALLOC)
#include "bench/programs/memory_malloc.h"
#elif defined(MEMORY_BDWGC)
#include "bench/programs/memory_bdwgc.h"
#else
#error "define MEMORY_SHALE, MEMORY_CONSERVATIVE, MEMORY_MALLOC or MEMORY_BDWGC"
#endif

#endif
