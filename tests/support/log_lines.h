/*
 * A logger that keeps the lines it is given, for tests that ask what was said.
 */
#ifndef SHALE_TESTS_LOG_LINES_H
#define SHALE_TESTS_LOG_LINES_H

#include <pthread.h>
#include <shale/shale.h>

enum { LOG_LINES_MAX = 256 };

struct log_lines {
    pthread_mutex_t lock;
    unsigned count; /* in all; the first LOG_LINES_MAX are kept */
    struct {
        shale_log_level level;
        char text[SHALE_ERROR_MESSAGE_MAX];
    } lines[LOG_LINES_MAX];
};

void log_lines_init(struct log_lines *lines);
void log_lines_destroy(struct log_lines *lines);
void log_lines_clear(struct log_lines *lines);

/* A shale_log_function; the context is the struct. */
void log_lines_add(void *lines, shale_log_level level, const char *line);

/* How many lines of exactly that level hold the text. */
unsigned log_lines_count(struct log_lines *lines, shale_log_level level, const char *text);

/* Has options log to it. */
void log_lines_connect(struct log_lines *lines, shale_options *options, shale_log_level level);

#endif
