/*
 * Writing JSON: two spaces for each level, members and elements on lines of their own.
 */
#ifndef PLAINC_PRINT_H
#define PLAINC_PRINT_H

#include "value.h"

#include <stdio.h>

/* With a newline at the end. Errors are the stream's. */
void print(const struct value *value, FILE *to);

/* The string as JSON has it, in quotes. */
void print_text(const struct text *text, FILE *to);

#endif
