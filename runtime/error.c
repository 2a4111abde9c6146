#include "runtime/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *shale_status_name(shale_status status)
{
    switch (status) {
    case SHALE_OK:
        return "SHALE_OK";
    case SHALE_ERROR_OPTION:
        return "SHALE_ERROR_OPTION";
    case SHALE_ERROR_ARGUMENT:
        return "SHALE_ERROR_ARGUMENT";
    case SHALE_ERROR_MEMORY:
        return "SHALE_ERROR_MEMORY";
    case SHALE_ERROR_SYSTEM:
        return "SHALE_ERROR_SYSTEM";
    case SHALE_ERROR_CONCURRENT:
        return "SHALE_ERROR_CONCURRENT";
    case SHALE_ERROR_OUT_OF_HEAP:
        return "SHALE_ERROR_OUT_OF_HEAP";
    case SHALE_ERROR_TOO_LARGE:
        return "SHALE_ERROR_TOO_LARGE";
    case SHALE_ERROR_BUSY:
        return "SHALE_ERROR_BUSY";
    case SHALE_ERROR_MISUSE:
        return "SHALE_ERROR_MISUSE";
    case SHALE_ERROR_FORKED:
        return "SHALE_ERROR_FORKED";
    }
    return "an unknown status";
}

void error_clear(shale_error *error)
{
    if (error != NULL)
        *error = (shale_error){.status = SHALE_OK};
}

shale_status error_set(shale_error *error, shale_status status, const char *format, ...)
{
    if (error == NULL)
        return status;
    error->status = status;
    error->errno_value = 0;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return status;
}

shale_status error_set_system(shale_error *error, int errno_value, const char *what, const char *advice)
{
    shale_status status = errno_value == ENOMEM ? SHALE_ERROR_MEMORY : SHALE_ERROR_SYSTEM;
    error_set(error, status, "%s failed: %s; %s", what, strerror(errno_value), advice);
    if (error != NULL)
        error->errno_value = errno_value;
    return status;
}
