/*
 * All that this program knows of garbage collection.
 *
 * Compiled with PLAINC_MALLOC it is an ordinary program over malloc, one that frees nothing. Otherwise its nodes and texts are
 * objects of a heap that has no write barrier (barrier=pages): everything else in this folder is as it was.
 */
#ifndef PLAINC_MEMORY_H
#define PLAINC_MEMORY_H

#include "value.h"

#include <stdio.h>

/* The longest text. */
extern const size_t memory_text_max;

/* Returns NULL, or a sentence that says what is wrong. `document` is where the program keeps its tree. */
const char *memory_start(struct value **document);
void memory_end(void);

/* Zeroed; NULL when memory is out. */
struct value *memory_new_value(void);
struct text *memory_new_text(size_t length);

/* Between two commands. */
void memory_rest(void);

/* A line about what was collected. */
void memory_report(FILE *to);

#endif
