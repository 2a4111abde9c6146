#include "runtime/log.h"

#include <stdarg.h>
#include <stdio.h>

static void to_standard_error(void *context, shale_log_level level, const char *line)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    (void)context;
    fprintf(stderr, "shale: %s: %s\n", names[level], line);
}

void log_init(struct log *log, const shale_options *options, bool asked)
{
    *log = (struct log){.level = (shale_log_level)options->log_level,
                        .function = options->log,
                        .context = options->log_context};
    if (log->function == NULL && asked)
        log->function = to_standard_error;
}

bool log_line(const struct log *log, shale_log_level level, const char *format, ...)
{
    if (log->function == NULL || level > log->level)
        return false;
    char line[SHALE_ERROR_MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    log->function(log->context, level, line);
    return log->function == to_standard_error;
}
