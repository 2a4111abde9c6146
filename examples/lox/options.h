/* The command line. */
#ifndef LOX_OPTIONS_H
#define LOX_OPTIONS_H

#include <shale/shale.h>

enum {
    EXIT_CODE_DONE = 0,
    EXIT_CODE_TROUBLE = 1,
    EXIT_CODE_USAGE = 64,
    EXIT_CODE_COMPILE_ERROR = 65,
    EXIT_CODE_RUNTIME_ERROR = 70,
    EXIT_CODE_UNREADABLE = 74
};

struct options {
    shale_options heap;
    bool extensions;
    bool gc_log, gc_stats;
    const char *gc_trace; /* NULL: none */
    const char *file;     /* NULL: read lines and run each */
};

/* False: the program is to end with *exit_code, and what there is to say has been said. */
bool options_parse(struct options *options, int argc, char **argv, int *exit_code);

#endif
