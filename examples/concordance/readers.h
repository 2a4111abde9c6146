/* The mutators: threads that read files, cut them into words, and put the words into the map. */
#ifndef CONCORDANCE_READERS_H
#define CONCORDANCE_READERS_H

#include "job.h"

/* Reads all files of the job with its number of threads and returns when they have ended. Called by the
 * thread of `mutator`, which is native meanwhile. Returns false when something stopped them before the end;
 * job->failure says what. */
bool readers_run(struct job *job, shale_mutator *mutator);

#endif
