#include "report.h"

#include <stdio.h>
#include <string.h>

#define MIB ((double)(1 << 20))

typedef unsigned long long number;

/* ---- words ------------------------------------------------------------------------------------- */

static bool flushed(void)
{
    return fflush(stdout) == 0 && ferror(stdout) == 0;
}

bool report_counts(struct listing *listing)
{
    listing_sort_by_word(listing);
    for (size_t i = 0; i < listing->count; i++) {
        const struct listing_item *item = &listing->items[i];
        printf("%llu ", (number)item->count);
        fwrite(listing->letters + item->letters, 1, item->length, stdout);
        putchar('\n');
    }
    return flushed();
}

bool report_top(struct listing *listing)
{
    size_t top = listing->job->options->top;
    if (top > listing->count)
        top = listing->count;
    if (top == 0)
        return true;
    listing_sort_by_count(listing);
    printf("%12s  %-20s %s\n", "count", "word", "last seen at (file:byte)");
    for (size_t i = 0; i < top; i++) {
        const struct listing_item *item = &listing->items[i];
        int shown = item->length < 1000 ? (int)item->length : 1000;
        printf("%12llu  %-20.*s %s:%llu\n", (number)item->count, shown, listing->letters + item->letters,
               listing->job->list.files[posting_file(item->newest)].path,
               (number)posting_offset(item->newest));
    }
    putchar('\n');
    return flushed();
}

/* ---- the table --------------------------------------------------------------------------------- */

/* 1234567 as "1,234,567". The result lies in one of a few static buffers, enough for one printf. */
static const char *grouped(number value)
{
    static char buffers[8][32];
    static unsigned turn;
    char *buffer = buffers[turn++ % 8];
    char digits[32];
    int count = snprintf(digits, sizeof digits, "%llu", value);
    char *to = buffer;
    for (int i = 0; i < count; i++) {
        if (i > 0 && (count - i) % 3 == 0)
            *to++ = ',';
        *to++ = digits[i];
    }
    *to = '\0';
    return buffer;
}

static const char *compaction_name(shale_compaction compaction)
{
    switch (compaction) {
    case SHALE_COMPACTION_FAULT_THREAD:
        return "while the program runs; the fault server answers faults";
    case SHALE_COMPACTION_FAULT_SIGNAL:
        return "while the program runs; threads answer their own faults";
    default:
        return "inside the pause: no userfaultfd here";
    }
}

static void print_count(const char *name, number value, const char *remark)
{
    printf("  %-22s %14s%s%s\n", name, grouped(value), *remark != '\0' ? "  " : "", remark);
}

static void print_size(const char *name, uint64_t bytes, const char *remark)
{
    printf("  %-22s %10.1f MiB%s%s\n", name, (double)bytes / MIB, *remark != '\0' ? "  " : "", remark);
}

static void print_durations(const char *name, const shale_durations *durations)
{
    printf("  %-22s %14s %11.3f %11.3f %11.3f\n", name, grouped(durations->count),
           (double)durations->p50 / 1e6, (double)durations->p99 / 1e6, (double)durations->maximum / 1e6);
}

static void print_text(const struct job *job, const struct listing *listing)
{
    char speed[64];
    double read = (double)atomic_load(&job->bytes);
    snprintf(speed, sizeof speed, "in %.1f s, %.1f MiB/s, %zu threads", job->seconds,
             job->seconds > 0 ? read / MIB / job->seconds : 0, job->options->threads);
    puts("Text");
    print_count("files read", atomic_load(&job->files_done), "");
    number unreadable = job->list.unreadable + atomic_load(&job->files_unreadable);
    if (unreadable > 0)
        print_count("unreadable", unreadable, "");
    if (job->list.left_out > 0)
        print_count("left out", job->list.left_out, "files beyond --max-bytes");
    print_size("read", atomic_load(&job->bytes), speed);
    print_count("words", atomic_load(&job->words), "");
    print_count("distinct words", listing->count, "");
    if (atomic_load(&job->too_long) > 0)
        print_count("words too long", atomic_load(&job->too_long), "left out");
    print_count("postings kept", listing->postings, "");
    print_count("postings dropped", atomic_load(&job->map.trimmed_postings), "");
    print_count("shards rebuilt", atomic_load(&job->map.rebuilt_shards), "");
}

static void print_collector(const shale_statistics *s)
{
    char moved[64];
    snprintf(moved, sizeof moved, "in %s objects", grouped(s->objects_moved));
    puts("\nHeap");
    print_size("size", s->heap_size, "at most");
    print_size("goal", s->goal_bytes, "for what is used");
    print_size("used", s->used_bytes, "in regions that are not free");
    print_size("live", s->live_bytes, "found by the last mark");
    print_size("allocated", s->bytes_allocated, "since the start");
    puts("\nCollector");
    printf("  %-22s %s\n", "compacts", compaction_name(s->compaction));
    print_count("cycles", s->cycles, "");
    print_count("flips", s->flips, "cycles that moved objects");
    print_size("moved", s->bytes_moved, moved);
    print_count("pages by workers", s->pages_by_workers, "built in the background");
    print_count("pages by fault server", s->pages_by_server, "built when a mutator waited");
    print_count("pages by mutators", s->pages_by_mutators, "in signal handlers, leaving flips");
    print_count("pages in the pause", s->pages_in_pause, "");
    print_count("pages clean", s->pages_clean, "mapped as they were");
    print_count("faults", s->faults, "of mutators on stale pages");
    print_count("faults per flip", s->flips != 0 ? (s->faults + s->flips / 2) / s->flips : 0, "on average");
    print_count("faults, worst cycle", s->faults_worst_cycle, "");
    print_count("allocation stalls", s->allocation_stalls, "waits for a cycle to free memory");
}

bool report_table(const struct job *job, const struct listing *listing)
{
    shale_statistics statistics;
    if (shale_heap_statistics(job->heap, &statistics) != SHALE_OK)
        return false;
    print_text(job, listing);
    print_collector(&statistics);
    printf("\n%-24s %14s %11s %11s %11s\n", "Stops, ms", "count", "p50", "p99", "max");
    print_durations("flip", &statistics.flip_pause);
    print_durations("time to stop", &statistics.time_to_stop);
    printf("\n%-24s %14s %11s %11s %11s\n", "While running, ms", "count", "p50", "p99", "max");
    print_durations("mark", &statistics.mark_time);
    print_durations("handshake", &statistics.handshake);
    print_durations("allocation stall", &statistics.allocation_stall_time);
    return flushed();
}

/* ---- name and value ---------------------------------------------------------------------------- */

static void value(const char *name, number amount)
{
    fprintf(stderr, "%s %llu\n", name, amount);
}

static void duration_values(const char *name, const shale_durations *durations)
{
    fprintf(stderr, "%s_count %llu\n%s_p50_ns %llu\n%s_p99_ns %llu\n%s_max_ns %llu\n", name,
            (number)durations->count, name, (number)durations->p50, name, (number)durations->p99, name,
            (number)durations->maximum);
}

void report_values(const struct job *job, const struct listing *listing)
{
    shale_statistics s;
    if (shale_heap_statistics(job->heap, &s) != SHALE_OK)
        return;
    value("files", atomic_load(&job->files_done));
    value("unreadable", job->list.unreadable + atomic_load(&job->files_unreadable));
    value("bytes", atomic_load(&job->bytes));
    value("words", atomic_load(&job->words));
    value("words_distinct", listing->count);
    value("words_too_long", atomic_load(&job->too_long));
    value("postings_kept", listing->postings);
    value("shards_rebuilt", atomic_load(&job->map.rebuilt_shards));
    value("milliseconds", (number)(job->seconds * 1000));
    value("compaction", (number)s.compaction);
    value("cycles", s.cycles);
    value("flips", s.flips);
    value("objects_moved", s.objects_moved);
    value("bytes_moved", s.bytes_moved);
    value("pages_by_workers", s.pages_by_workers);
    value("pages_by_server", s.pages_by_server);
    value("pages_by_mutators", s.pages_by_mutators);
    value("pages_in_pause", s.pages_in_pause);
    value("pages_clean", s.pages_clean);
    value("faults", s.faults);
    value("faults_last_cycle", s.faults_last_cycle);
    value("faults_worst_cycle", s.faults_worst_cycle);
    value("allocation_stalls", s.allocation_stalls);
    value("bytes_allocated", s.bytes_allocated);
    value("live_bytes", s.live_bytes);
    value("heap_size", s.heap_size);
    value("goal_bytes", s.goal_bytes);
    duration_values("flip_pause", &s.flip_pause);
    duration_values("mark_time", &s.mark_time);
    duration_values("handshake", &s.handshake);
    duration_values("time_to_stop", &s.time_to_stop);
    duration_values("allocation_stall", &s.allocation_stall_time);
}
