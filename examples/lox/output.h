/*
 * Output, the program's and that of errors: buffered here, since memory of the heap must not be handed to system calls, and since
 * writing may block, for which the collector must not wait.
 */
#ifndef LOX_OUTPUT_H
#define LOX_OUTPUT_H

#include <shale/shale.h>
#include <stdbool.h>
#include <stddef.h>

struct string;

enum { OUTPUT_BUFFER = 32768 };

struct output {
    int descriptor;
    bool by_line; /* what is complete is written out at each end of a line */
    size_t used;
    char buffer[OUTPUT_BUFFER];
};

/* Begins output to a file that is open. */
void output_start(struct output *output, int descriptor);

/* Text that is not in the heap, and text that is. Both may collect. */
void output_text(struct output *output, shale_mutator *mutator, const char *text, size_t length);
void output_string(struct output *output, shale_mutator *mutator, struct string *string);
void output_line_end(struct output *output, shale_mutator *mutator);

/* Writes out what is in the buffer. May collect. */
void output_flush(struct output *output, shale_mutator *mutator);

#endif
