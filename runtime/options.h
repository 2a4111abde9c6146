/*
 * Options: one table that names every option, from which the API, the environment and the documentation are
 * served alike.
 */
#ifndef SHALE_RUNTIME_OPTIONS_H
#define SHALE_RUNTIME_OPTIONS_H

#include <shale/shale.h>

/* Applies SHALE_* variables of the environment and checks all values. `log_asked` is set when the environment
 * asks for a log. */
shale_status options_complete(shale_options *options, bool *log_asked, shale_error *error);

#endif
