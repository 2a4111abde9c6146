#include "readers.h"

#include "progress.h"
#include "tokenise.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BLOCK_SIZE 65536

/* A shard is rebuilt each time this much text has been read. */
#define REBUILD_EVERY ((uint64_t)256 << 10)

/* One thread's own state. The block is outside the heap: read(2) must not be given heap addresses. */
struct reader {
    struct job *job;
    shale_mutator *mutator;
    pthread_t thread;
    struct tokeniser tokeniser;
    unsigned char block[BLOCK_SIZE];
};

static void fail(struct job *job, const shale_error *error)
{
    if (!atomic_exchange(&job->stop, true))
        job->failure = *error;
}

/* ---- files: always in a native section, since a disk or a network may take its time --------------- */

static int open_native(shale_mutator *mutator, const char *path)
{
    shale_enter_native(mutator);
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    int error = errno;
    struct stat status;
    /* It may have become something else since the folder was walked. */
    if (file >= 0 && (fstat(file, &status) != 0 || !S_ISREG(status.st_mode))) {
        close(file);
        file = -1;
        error = EINVAL;
    }
    shale_leave_native(mutator);
    errno = error;
    return file;
}

static ssize_t read_native(shale_mutator *mutator, int file, void *block, size_t size)
{
    ssize_t got;
    shale_enter_native(mutator);
    do
        got = read(file, block, size);
    while (got < 0 && errno == EINTR);
    int error = errno;
    shale_leave_native(mutator);
    errno = error;
    return got;
}

/* ---- words ------------------------------------------------------------------------------------- */

static bool add_word(struct reader *reader, size_t file, const struct word *word)
{
    uint64_t posting = posting_pack(file, reader->tokeniser.start);
    if (map_add(&reader->job->map, reader->mutator, word, posting))
        return true;
    fail(reader->job, shale_last_error(reader->mutator));
    return false;
}

static bool add_block(struct reader *reader, size_t file, size_t size)
{
    const unsigned char *cursor = reader->block;
    const unsigned char *end = cursor + size;
    struct word word;
    uint64_t words = 0;
    bool ok = true;
    while (ok && tokeniser_next(&reader->tokeniser, &cursor, end, &word)) {
        ok = add_word(reader, file, &word);
        words++;
        /* A text of known words allocates next to nothing, so allocations alone are no safepoints to
         * count on. No heap address is held here. */
        shale_poll(reader->mutator);
    }
    atomic_fetch_add_explicit(&reader->job->words, words, memory_order_relaxed);
    return ok;
}

/* Counts the bytes, and rebuilds the next shard when it is time. */
static bool account(struct reader *reader, size_t size)
{
    struct job *job = reader->job;
    uint64_t before = atomic_fetch_add_explicit(&job->bytes, size, memory_order_relaxed);
    uint64_t turn = (before + size) / REBUILD_EVERY;
    if (turn == before / REBUILD_EVERY)
        return true;
    if (map_rebuild(&job->map, reader->mutator, turn % SHARDS))
        return true;
    fail(job, shale_last_error(reader->mutator));
    return false;
}

/* ---- one file ---------------------------------------------------------------------------------- */

static void report_unreadable(const struct reader *reader, const struct file *file, int error)
{
    atomic_fetch_add(&reader->job->files_unreadable, 1);
    if (reader->job->options->quiet)
        return;
    shale_enter_native(reader->mutator);
    progress_note("%s: %s", file->path, strerror(error));
    shale_leave_native(reader->mutator);
}

static void report_too_long(const struct reader *reader, const struct file *file, uint64_t before)
{
    uint64_t count = reader->tokeniser.too_long - before;
    if (count == 0 || reader->job->options->quiet)
        return;
    shale_enter_native(reader->mutator);
    progress_note("%s: %llu words longer than %zu letters left out", file->path, (unsigned long long)count,
                  (size_t)WORD_MAX);
    shale_leave_native(reader->mutator);
}

static void read_file(struct reader *reader, size_t index)
{
    struct job *job = reader->job;
    struct file *file = &job->list.files[index];
    uint64_t too_long = reader->tokeniser.too_long;
    struct word word;
    ssize_t got;

    int descriptor = open_native(reader->mutator, file->path);
    if (descriptor < 0) {
        report_unreadable(reader, file, errno);
        return;
    }
    tokeniser_begin(&reader->tokeniser);
    while ((got = read_native(reader->mutator, descriptor, reader->block, BLOCK_SIZE)) > 0) {
        if (!add_block(reader, index, (size_t)got) || !account(reader, (size_t)got) ||
            atomic_load_explicit(&job->stop, memory_order_relaxed))
            break;
    }
    if (got < 0)
        report_unreadable(reader, file, errno);
    close(descriptor);
    if (!atomic_load(&job->stop) && tokeniser_end(&reader->tokeniser, &word) &&
        add_word(reader, index, &word))
        atomic_fetch_add_explicit(&job->words, 1, memory_order_relaxed);
    report_too_long(reader, file, too_long);
    atomic_store(&file->was_read, reader->tokeniser.offset);
    if (got == 0)
        atomic_fetch_add(&job->files_done, 1);
}

/* ---- threads ----------------------------------------------------------------------------------- */

static void *reader_main(void *argument)
{
    struct reader *reader = argument;
    struct job *job = reader->job;
    shale_error error;
    reader->mutator = shale_attach(job->heap, &error);
    if (reader->mutator == NULL) {
        fail(job, &error);
        return NULL;
    }
    size_t turns = job->list.count * job->options->passes;
    size_t turn;
    while (!atomic_load(&job->stop) && (turn = atomic_fetch_add(&job->next, 1)) < turns)
        read_file(reader, turn % job->list.count);
    atomic_fetch_add(&job->too_long, reader->tokeniser.too_long);
    shale_detach(reader->mutator);
    return NULL;
}

static bool start(struct job *job, struct reader *reader)
{
    reader->job = job;
    int error = pthread_create(&reader->thread, NULL, reader_main, reader);
    if (error == 0)
        return true;
    fail(job, &(shale_error){.status = SHALE_ERROR_SYSTEM,
                             .errno_value = error,
                             .message = "a reading thread could not be started"});
    return false;
}

bool readers_run(struct job *job, shale_mutator *mutator)
{
    size_t threads = job->options->threads;
    struct reader *readers = calloc(threads, sizeof *readers);
    if (readers == NULL) {
        fail(job, &(shale_error){.status = SHALE_ERROR_MEMORY,
                                 .message = "out of memory for the reading threads"});
        return false;
    }
    /* Waiting for the readers may take minutes. Without this the first stop would wait as long. */
    shale_enter_native(mutator);
    size_t started = 0;
    while (started < threads && start(job, &readers[started]))
        started++;
    for (size_t i = 0; i < started; i++)
        pthread_join(readers[i].thread, NULL);
    shale_leave_native(mutator);
    free(readers);
    return !atomic_load(&job->stop);
}
