/*
 * Log lines: to the embedder's function, or to standard error where the environment asked for it. Nothing is
 * printed otherwise. No lock that a mutator may want is held while a line is passed on.
 */
#ifndef SHALE_RUNTIME_LOG_H
#define SHALE_RUNTIME_LOG_H

#include <shale/shale.h>
#include <stdbool.h>

struct log {
    shale_log_level level;
    shale_log_function function; /* NULL: nobody listens */
    void *context;
};

void log_init(struct log *log, const shale_options *options, bool asked);
/* Returns whether the line went to standard error. */
bool log_line(const struct log *log, shale_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
