/*
 * Filling in errors: a status, errno where a system call was involved, and one sentence.
 */
#ifndef SHALE_RUNTIME_ERROR_H
#define SHALE_RUNTIME_ERROR_H

#include <shale/shale.h>

/* Fills in `error` unless it is NULL; returns `status`. */
shale_status error_set(shale_error *error, shale_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a failed system call: appends what errno says, and picks the status that fits it. */
shale_status error_set_system(shale_error *error, int errno_value, const char *what, const char *advice);

void error_clear(shale_error *error);

#endif
