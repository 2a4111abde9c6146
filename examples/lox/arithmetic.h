/*
 * Operations on values that turned out not to be the usual ones: strings, NaN, or an error, which has been reported
 * if they return false.
 */
#ifndef LOX_ARITHMETIC_H
#define LOX_ARITHMETIC_H

#include "value.h"

struct thread;

/* *to = *left + *right. May collect. */
bool add_values(struct thread *thread, value *to, const value *left, const value *right);

/* Whether both are numbers. */
bool check_numbers(struct thread *thread, value left, value right);
bool check_number(struct thread *thread, value operand);

#endif
