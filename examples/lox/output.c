#include "output.h"

#include "objects.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

void output_start(struct output *output, int descriptor)
{
    output->descriptor = descriptor;
    output->by_line = isatty(descriptor) == 1;
    output->used = 0;
}

void output_flush(struct output *output, shale_mutator *mutator)
{
    size_t done = 0;
    if (output->used == 0)
        return;
    shale_enter_native(mutator);
    while (done < output->used) {
        ssize_t written = write(output->descriptor, output->buffer + done, output->used - done);
        if (written < 0 && errno != EINTR)
            break; /* nobody reads it */
        done += written > 0 ? (size_t)written : 0;
    }
    output->used = 0;
    shale_leave_native(mutator);
}

/* Copies as much as there is room for, and returns how much that was. Does not collect. */
static size_t put(struct output *output, const char *text, size_t length)
{
    size_t room = OUTPUT_BUFFER - output->used;
    if (length > room)
        length = room;
    memcpy(output->buffer + output->used, text, length);
    output->used += length;
    return length;
}

void output_text(struct output *output, shale_mutator *mutator, const char *text, size_t length)
{
    for (;;) {
        size_t done = put(output, text, length);
        if (done == length)
            return;
        text += done;
        length -= done;
        output_flush(output, mutator);
    }
}

void output_string(struct output *output, shale_mutator *mutator, struct string *string)
{
    shale_frame frame;
    size_t length = shale_length_of(string), done = 0;
    shale_frame_push(mutator, &frame, &string, 1);
    for (;;) {
        done += put(output, string->text + done, length - done);
        if (done == length)
            break;
        output_flush(output, mutator);
    }
    shale_frame_pop(mutator, &frame);
}

void output_line_end(struct output *output, shale_mutator *mutator)
{
    output_text(output, mutator, "\n", 1);
    if (output->by_line)
        output_flush(output, mutator);
}
