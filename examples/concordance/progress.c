#include "progress.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define MIB ((double)(1 << 20))
#define CLEAR_LINE "\r\033[K"

static struct {
    struct job *job;
    pthread_t thread;
    bool running;
    bool terminal;
    struct timespec began;
    pthread_mutex_t lock; /* guards what follows, `running`, and stderr */
    pthread_cond_t wake;
    bool stop;
} progress = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

/* Called with the lock held. */
static void draw(const shale_statistics *statistics)
{
    const struct job *job = progress.job;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    double seconds =
        (double)(now.tv_sec - progress.began.tv_sec) + (double)(now.tv_nsec - progress.began.tv_nsec) / 1e9;
    double read = (double)atomic_load(&job->bytes) / MIB;
    fprintf(stderr,
            "%s%zu of %zu files, %.1f MiB, %.1f MiB/s, %llu words; %llu cycles, heap %.0f of %.0f "
            "MiB%s",
            progress.terminal ? CLEAR_LINE : "", atomic_load(&job->files_done),
            job->list.count * job->options->passes, read, seconds > 0 ? read / seconds : 0,
            (unsigned long long)atomic_load(&job->map.distinct), (unsigned long long)statistics->cycles,
            (double)statistics->used_bytes / MIB, (double)statistics->heap_size / MIB,
            progress.terminal ? "" : "\n");
    fflush(stderr);
}

static void *progress_main(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&progress.lock);
    while (!progress.stop) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        if (progress.terminal)
            until.tv_nsec += 200000000;
        else
            until.tv_sec += 5;
        if (until.tv_nsec >= 1000000000) {
            until.tv_nsec -= 1000000000;
            until.tv_sec++;
        }
        pthread_cond_timedwait(&progress.wake, &progress.lock, &until);
        /* The library's log lines want this lock too (progress_note), so it is not held over a call into
         * the library. */
        shale_statistics statistics;
        pthread_mutex_unlock(&progress.lock);
        bool known = shale_heap_statistics(progress.job->heap, &statistics) == SHALE_OK;
        pthread_mutex_lock(&progress.lock);
        if (known)
            draw(&statistics);
    }
    pthread_mutex_unlock(&progress.lock);
    return NULL;
}

void progress_start(struct job *job)
{
    pthread_mutex_lock(&progress.lock);
    progress.job = job;
    progress.terminal = isatty(STDERR_FILENO) == 1;
    clock_gettime(CLOCK_MONOTONIC, &progress.began);
    progress.running = pthread_create(&progress.thread, NULL, progress_main, NULL) == 0;
    pthread_mutex_unlock(&progress.lock);
}

void progress_stop(void)
{
    if (!progress.running) /* only the thread that starts and stops it changes this */
        return;
    pthread_mutex_lock(&progress.lock);
    progress.stop = true;
    pthread_cond_signal(&progress.wake);
    pthread_mutex_unlock(&progress.lock);
    pthread_join(progress.thread, NULL);
    pthread_mutex_lock(&progress.lock);
    progress.running = false;
    if (progress.terminal)
        fputs("\n", stderr);
    pthread_mutex_unlock(&progress.lock);
}

void progress_note(const char *format, ...)
{
    va_list arguments;
    pthread_mutex_lock(&progress.lock);
    fputs(progress.running && progress.terminal ? CLEAR_LINE "concordance: " : "concordance: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    pthread_mutex_unlock(&progress.lock);
}
