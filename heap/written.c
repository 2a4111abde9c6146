#include "heap/written.h"

enum { RANGES = 64 };

/* Unregistering goes over the pages that were armed, and nobody maps any meanwhile. */
#define UNREGISTER_SLICE ((size_t)2 << 20)

/* A region's pages are the bits of a word. */
_Static_assert(REGION_SIZE >> 12 == 64, "a region has more pages than a word has bits");

int written_create(struct written *written, struct memory *memory, const struct os_writes *writes)
{
    *written = (struct written){.memory = memory, .writes = *writes};
    written->table.size = memory->regions.count * sizeof *written->pages;
    int status = memory->os->map_table(memory->os, written->table.size, &written->table.start);
    if (status != 0)
        written->table.size = 0;
    written->pages = written->table.start;
    return status;
}

void written_destroy(struct written *written)
{
    if (written->table.size != 0)
        written->memory->os->unmap(written->memory->os, written->table.start, written->table.size);
}

static void note_failure(struct written *written, int status)
{
    atomic_u32_store(&written->failure, (uint32_t)-status);
}

/* Calls `visit` with runs of neighbouring regions in use, of [first, end). */
static size_t for_each_run(struct written *written, region_number first, region_number end, bool rearm,
                           size_t (*visit)(struct written *written, region_number first, region_number end,
                                           bool rearm))
{
    const struct region_table *regions = &written->memory->regions;
    size_t sum = 0;
    while (first < end) {
        region_number run = first;
        while (run < end && region_get_state(regions, run) != REGION_FREE)
            run++;
        if (first < run)
            sum += visit(written, first, run, rearm);
        first = run + 1;
    }
    return sum;
}

static size_t for_slice(struct written *written, uint32_t slice, bool rearm,
                        size_t (*visit)(struct written *written, region_number first, region_number end,
                                        bool rearm))
{
    region_number touched = region_touched(&written->memory->regions);
    region_number first = slice * WRITTEN_SLICE;
    region_number end = first + WRITTEN_SLICE < touched ? first + WRITTEN_SLICE : touched;
    return for_each_run(written, first, end, rearm, visit);
}

/* ---- tracking -------------------------------------------------------------------------------------- */

static size_t arm_run(struct written *written, region_number first, region_number end, bool rearm)
{
    (void)rearm;
    const struct os *os = written->memory->os;
    int status =
        os->writes_arm(os, &written->writes, views_mutator(&written->memory->views, region_start(first)),
                       region_start(end) - region_start(first));
    if (status != 0)
        note_failure(written, status);
    return status == 0 ? 0 : 1;
}

void written_begin(struct written *written)
{
    const struct views *views = &written->memory->views;
    const struct os *os = views->os;
    atomic_u32_store(&written->failure, 0);
    int status = os->writes_register(os, &written->writes, views->mutator, views->span);
    written->registered = status == 0;
    written->armed = written->registered;
    if (status != 0)
        note_failure(written, status);
    for (uint32_t slice = 0; written->armed && slice < written_slices(written); slice++)
        written->armed = for_slice(written, slice, true, arm_run) == 0;
}

/* The slices' mappings merge again with those before. If one cannot be split off, all are unregistered at once. */
void written_end(struct written *written)
{
    const struct views *views = &written->memory->views;
    const struct os *os = views->os;
    if (!written->registered)
        return;
    written->registered = false;
    written->armed = false;
    size_t end = region_start(region_touched(&written->memory->regions));
    int status = 0;
    size_t done = 0;
    while (status == 0 && done < end) {
        size_t size = end - done < UNREGISTER_SLICE ? end - done : UNREGISTER_SLICE;
        status = os->writes_unregister(os, &written->writes, views_mutator(views, done), size);
        done += size;
    }
    if (status == 0 && end < views->span)
        status = os->writes_unregister(os, &written->writes, views_mutator(views, end), views->span - end);
    if (status != 0)
        status = os->writes_unregister(os, &written->writes, views->mutator, views->span);
    if (status != 0)
        note_failure(written, status);
}

/* ---- searching ------------------------------------------------------------------------------------- */

/* Sets the bits of the pages in [start, end). */
static size_t set_pages(struct written *written, size_t start, size_t end)
{
    unsigned shift = written->memory->views.page_shift;
    size_t count = (end - start) >> shift;
    while (start < end) {
        region_number region = region_of(start);
        size_t stop = region_start(region + 1) < end ? region_start(region + 1) : end;
        unsigned pages = (unsigned)((stop - start) >> shift);
        uint64_t bits = pages == 64 ? ~UINT64_C(0) : (UINT64_C(1) << pages) - 1;
        bits <<= (start - region_start(region)) >> shift;
        atomic_u64_store(&written->pages[region], atomic_u64_load(&written->pages[region]) | bits);
        start = stop;
    }
    return count;
}

static size_t find_run(struct written *written, region_number first, region_number end, bool rearm)
{
    const struct views *views = &written->memory->views;
    const struct os *os = views->os;
    struct os_range among = {(uintptr_t)views_mutator(views, region_start(first)),
                             (uintptr_t)views_mutator(views, region_start(end))};
    size_t count = 0;
    while (written->armed && among.start < among.end) {
        struct os_range ranges[RANGES];
        uintptr_t searched = among.start;
        int found = os->writes_find(os, &written->writes, &among, rearm, ranges, RANGES, &searched);
        if (found < 0) {
            note_failure(written, found);
            break;
        }
        for (int i = 0; i < found; i++)
            count +=
                set_pages(written, views_offset(views, ranges[i].start), views_offset(views, ranges[i].end));
        among.start = searched;
    }
    if (among.start < among.end)
        count += set_pages(written, views_offset(views, among.start), views_offset(views, among.end));
    return count;
}

size_t written_find(struct written *written, uint32_t slice, bool rearm)
{
    return for_slice(written, slice, rearm, find_run);
}
