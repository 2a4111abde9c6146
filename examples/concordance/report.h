/* What is printed at the end. Each returns false when stdout could not be written. */
#ifndef CONCORDANCE_REPORT_H
#define CONCORDANCE_REPORT_H

#include "listing.h"

/* "count word" for each word, sorted by word as LC_ALL=C sort does. */
bool report_counts(struct listing *listing);

/* The most frequent words, each with a place where it occurred last. */
bool report_top(struct listing *listing);

/* What was read and what the collector did, as a table for people. */
bool report_table(const struct job *job, const struct listing *listing);

/* The same as "name value" lines on stderr, for programs. */
void report_values(const struct job *job, const struct listing *listing);

#endif
