/* What is said on stderr while the program runs: a progress line, and remarks that do not garble it. */
#ifndef CONCORDANCE_PROGRESS_H
#define CONCORDANCE_PROGRESS_H

#include "job.h"

/* Starts a thread that shows how far the job is: on a terminal one line that is drawn over, otherwise a line
 * every few seconds. The thread is no mutator: it reads counters and shale_heap_statistics, which any thread
 * may do. Without it (no thread to be had) nothing is shown. */
void progress_start(struct job *job);
void progress_stop(void);

/* One line on stderr, with the program's name in front. Any thread. It may block, on a terminal that is held
 * for instance: a mutator calls it in a native section. */
void progress_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
