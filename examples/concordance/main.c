/*
 * concordance: counts the words of files and folders in a map that lies in a Shale heap.
 *
 *   options.c      the command line
 *   file_list.c    which files
 *   readers.c      the mutators: threads that read files and put their words into the map
 *   tokenise.c     bytes to words
 *   map.c ...      the map in the heap; shard_lock.h: sharing it between threads
 *   progress.c     the line on stderr
 *   listing.c      the result, copied out of the heap
 *   report.c       printing it
 */
#include "job.h"
#include "listing.h"
#include "options.h"
#include "progress.h"
#include "readers.h"
#include "report.h"

#include <stdio.h>
#include <time.h>

/* The library speaks up when something is wrong or could be better, and only to who asked for it. */
static void log_line(void *context, shale_log_level level, const char *line)
{
    (void)context;
    (void)level;
    progress_note("%s", line);
}

static double seconds_since(const struct timespec *began)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - began->tv_sec) + (double)(now.tv_nsec - began->tv_nsec) / 1e9;
}

static int explain_failure(const struct job *job, const shale_error *error)
{
    progress_note("%s", error->message);
    if (error->status != SHALE_ERROR_OUT_OF_HEAP)
        return EXIT_TROUBLE;
    shale_statistics statistics;
    size_t size = job->options->heap.heap_size;
    if (shale_heap_statistics(job->heap, &statistics) == SHALE_OK)
        size = (size_t)statistics.heap_size;
    progress_note("the words of %zu of %zu files did not fit; give it a larger heap: --heap %zuM",
                  atomic_load(&job->files_done), job->list.count * job->options->passes, size >> 19);
    return EXIT_OUT_OF_HEAP;
}

static int report(struct job *job, shale_mutator *mutator)
{
    struct listing listing;
    const struct options *options = job->options;
    int exit_code = EXIT_DONE;
    if (!listing_take(&listing, job, mutator)) {
        progress_note("out of memory for the result");
        listing_free(&listing);
        return EXIT_TROUBLE;
    }
    bool written = true;
    if (options->counts)
        written = report_counts(&listing);
    else if (!options->quiet)
        written = report_top(&listing) && report_table(job, &listing);
    if (options->statistics)
        report_values(job, &listing);
    if (!written) {
        progress_note("stdout could not be written");
        exit_code = EXIT_TROUBLE;
    }
    if (listing.wrong > 0) {
        progress_note("%llu postings point outside their file: did files change meanwhile?",
                      (unsigned long long)listing.wrong);
        exit_code = EXIT_TROUBLE;
    }
    size_t unreadable = job->list.unreadable + atomic_load(&job->files_unreadable);
    if (unreadable > 0 && atomic_load(&job->files_done) == 0)
        exit_code = EXIT_TROUBLE;
    listing_free(&listing);
    return exit_code;
}

static int run(struct job *job, shale_mutator *mutator)
{
    struct timespec began;
    shale_error error;
    if (!map_create(&job->map, job->heap, mutator, &error)) {
        map_destroy(&job->map, mutator);
        return explain_failure(job, &error);
    }
    if (job->options->progress)
        progress_start(job);
    clock_gettime(CLOCK_MONOTONIC, &began);
    bool done = readers_run(job, mutator);
    job->seconds = seconds_since(&began);
    progress_stop();
    int exit_code = done ? report(job, mutator) : explain_failure(job, &job->failure);
    map_destroy(&job->map, mutator);
    return exit_code;
}

static int run_with_heap(struct job *job)
{
    shale_error error;
    job->heap = shale_heap_create(&job->options->heap, &error);
    if (job->heap == NULL) {
        progress_note("%s", error.message);
        return error.status == SHALE_ERROR_OPTION ? EXIT_USAGE : EXIT_TROUBLE;
    }
    int exit_code = EXIT_TROUBLE;
    shale_mutator *mutator = shale_attach(job->heap, &error);
    if (mutator != NULL) {
        exit_code = run(job, mutator);
        shale_detach(mutator);
    } else {
        progress_note("%s", error.message);
    }
    if (shale_heap_destroy(job->heap, &error) != SHALE_OK) {
        progress_note("%s", error.message);
        exit_code = EXIT_TROUBLE;
    }
    return exit_code;
}

int main(int argc, char **argv)
{
    static struct job job;
    struct options options;
    int exit_code;
    if (!options_parse(&options, argc, argv, &exit_code))
        return exit_code;
    if (!options.quiet)
        options.heap.log = log_line;
    job.options = &options;
    exit_code = EXIT_TROUBLE;
    if (file_list_read(&job.list, options.paths, options.max_bytes, options.quiet))
        exit_code = run_with_heap(&job);
    file_list_free(&job.list);
    return exit_code;
}
