#include "tests/support/log_lines.h"

#include <stdio.h>
#include <string.h>

void log_lines_init(struct log_lines *lines)
{
    memset(lines, 0, sizeof *lines);
    pthread_mutex_init(&lines->lock, NULL);
}

void log_lines_destroy(struct log_lines *lines)
{
    pthread_mutex_destroy(&lines->lock);
}

void log_lines_clear(struct log_lines *lines)
{
    pthread_mutex_lock(&lines->lock);
    lines->count = 0;
    pthread_mutex_unlock(&lines->lock);
}

void log_lines_add(void *context, shale_log_level level, const char *line)
{
    struct log_lines *lines = context;
    pthread_mutex_lock(&lines->lock);
    if (lines->count < LOG_LINES_MAX) {
        lines->lines[lines->count].level = level;
        snprintf(lines->lines[lines->count].text, SHALE_ERROR_MESSAGE_MAX, "%s", line);
    }
    lines->count++;
    pthread_mutex_unlock(&lines->lock);
}

unsigned log_lines_count(struct log_lines *lines, shale_log_level level, const char *text)
{
    unsigned found = 0;
    pthread_mutex_lock(&lines->lock);
    for (unsigned i = 0; i < lines->count && i < LOG_LINES_MAX; i++)
        found += lines->lines[i].level == level && strstr(lines->lines[i].text, text) != NULL;
    pthread_mutex_unlock(&lines->lock);
    return found;
}

void log_lines_connect(struct log_lines *lines, shale_options *options, shale_log_level level)
{
    options->log = log_lines_add;
    options->log_context = lines;
    options->log_level = (int)level;
}
