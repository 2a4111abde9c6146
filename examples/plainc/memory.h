/*
 * All that this program knows of garbage collection.
 *
 * Compiled with PLAINC_MALLOC it is an ordinary program over malloc, one that frees nothing. Otherwise its nodes and texts are
 * objects of a heap that has no write barrier (barrier=pages), by a thread whose stack is searched for what it refers to:
 * everything else in this folder is as it was. No pointer to them may be kept in memory of malloc, or in static variables.
 */
#ifndef PLAINC_MEMORY_H
#define PLAINC_MEMORY_H

#include "value.h"

#include <stdio.h>

/* The longest text. */
extern const size_t memory_text_max;

/* Returns NULL, or a sentence that says what is wrong. */
const char *memory_start(void);
void memory_end(void);

/* Zeroed; NULL when memory is out. */
struct value *memory_new_value(void);
struct text *memory_new_text(size_t length);

/* A line about what was collected. */
void memory_report(FILE *to);

#endif
