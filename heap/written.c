#include "heap/written.h"

enum { RANGES = 64 };

/* Unregistering goes over the pages that were armed, and nobody maps any meanwhile. */
#define UNREGISTER_SLICE ((size_t)2 << 20)

/* A large object is searched in parts, as regions are. */
#define LARGE_PART ((size_t)8 << 20)

/* Whoever has a slice has its words, whatever the size of a page. */
_Static_assert(WRITTEN_SLICE *(REGION_SIZE >> 16) % WRITTEN_WORD == 0, "two slices have bits in one word");

int written_create(struct written *written, struct memory *memory, const struct os_writes *writes)
{
    *written = (struct written){.memory = memory, .writes = *writes};
    written->table.size =
        ((memory->views.flipped >> memory->views.page_shift) / WRITTEN_WORD + 1) * sizeof *written->pages;
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

/* Something to do with [start, end), offsets; returns a number to be added up. */
typedef size_t (*range_function)(struct written *written, size_t start, size_t end, bool rearm);

/* Calls `visit` with runs of neighbouring regions of a slice that are in use. */
static size_t for_slice(struct written *written, uint32_t slice, bool rearm, range_function visit)
{
    const struct region_table *regions = &written->memory->regions;
    region_number touched = region_touched(regions);
    region_number first = slice * WRITTEN_SLICE;
    region_number end = first + WRITTEN_SLICE < touched ? first + WRITTEN_SLICE : touched;
    size_t sum = 0;
    while (first < end) {
        region_number run = first;
        while (run < end && region_get_state(regions, run) != REGION_FREE)
            run++;
        if (first < run)
            sum += visit(written, region_start(first), region_start(run), rearm);
        first = run + 1;
    }
    return sum;
}

/* Calls `visit` with parts of the large objects. */
static size_t for_large(struct written *written, bool rearm, range_function visit)
{
    struct fixed *fixed = &written->memory->fixed;
    page_number run = 0;
    size_t sum = 0;
    while ((run = page_runs_next(&fixed->large, run, RUN_OBJECT)) != RUN_NONE) {
        page_number pages = page_runs_pages(&fixed->large, run);
        size_t start = fixed_page_start(fixed, &fixed->large, run);
        size_t end = fixed_page_start(fixed, &fixed->large, run + pages);
        for (size_t part = start; part < end; part += LARGE_PART)
            sum += visit(written, part, part + LARGE_PART < end ? part + LARGE_PART : end, rearm);
        run += pages;
    }
    return sum;
}

/* ---- tracking -------------------------------------------------------------------------------------- */

static size_t arm_range(struct written *written, size_t start, size_t end, bool rearm)
{
    (void)rearm;
    const struct os *os = written->memory->os;
    int status =
        os->writes_arm(os, &written->writes, views_mutator(&written->memory->views, start), end - start);
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
        written->armed = for_slice(written, slice, true, arm_range) == 0;
    if (written->armed)
        written->armed = for_large(written, true, arm_range) == 0;
}

/* [start, end) in slices. */
static int unregister(struct written *written, size_t start, size_t end, size_t slice)
{
    const struct os *os = written->memory->os;
    int status = 0;
    for (; status == 0 && start < end; start += slice)
        status = os->writes_unregister(os, &written->writes, views_mutator(&written->memory->views, start),
                                       end - start < slice ? end - start : slice);
    return status;
}

/* The slices' mappings merge again with those before. If one cannot be split off, all are unregistered at once. Where nothing
 * was armed one slice is enough. */
void written_end(struct written *written)
{
    const struct memory *memory = written->memory;
    const struct views *views = &memory->views;
    if (!written->registered)
        return;
    written->registered = false;
    written->armed = false;
    size_t regions = region_start(region_touched(&memory->regions));
    size_t large =
        fixed_page_start(&memory->fixed, &memory->fixed.large, atomic_u32_load(&memory->fixed.large.touched));
    int status = unregister(written, 0, regions, UNREGISTER_SLICE);
    if (status == 0)
        status = unregister(written, regions, views->regions, views->span);
    if (status == 0)
        status = unregister(written, views->regions, large, UNREGISTER_SLICE);
    if (status == 0)
        status = unregister(written, large, views->span, views->span);
    if (status != 0)
        status = unregister(written, 0, views->span, views->span);
    if (status != 0)
        note_failure(written, status);
}

/* ---- searching ------------------------------------------------------------------------------------- */

/* Sets the bits of the pages in [start, end). */
static size_t set_pages(struct written *written, size_t start, size_t end)
{
    page_number page = memory_page(written->memory, start);
    page_number last = memory_page(written->memory, end);
    size_t count = last - page;
    while (page < last) {
        page_number stop = (page / WRITTEN_WORD + 1) * WRITTEN_WORD;
        stop = stop < last ? stop : last;
        uint64_t bits = stop - page == WRITTEN_WORD ? ~UINT64_C(0) : (UINT64_C(1) << (stop - page)) - 1;
        atomic_u64 *word = &written->pages[page / WRITTEN_WORD];
        atomic_u64_store(word, atomic_u64_load(word) | bits << page % WRITTEN_WORD);
        page = stop;
    }
    return count;
}

static size_t find_range(struct written *written, size_t start, size_t end, bool rearm)
{
    const struct views *views = &written->memory->views;
    const struct os *os = views->os;
    struct os_range among = {(uintptr_t)views_mutator(views, start), (uintptr_t)views_mutator(views, end)};
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
        count += set_pages(written, views_offset(views, among.start), end);
    return count;
}

size_t written_find(struct written *written, uint32_t slice, bool rearm)
{
    return for_slice(written, slice, rearm, find_range);
}

size_t written_find_large(struct written *written, bool rearm)
{
    return for_large(written, rearm, find_range);
}
