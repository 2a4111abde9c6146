#include "heap/views.h"

#include "heap/announce.h"

static size_t reservation_size(const struct views *views, int which)
{
    return which < 2 ? views->size : views->span;
}

static void unmap(const struct views *views, void *const start[3])
{
    for (int i = 0; i < 3; i++) {
        if (start[i] != NULL)
            views->os->unmap(views->os, start[i], reservation_size(views, i));
    }
}

/* The gap stays a reservation. */
static int map_view(const struct views *views, char *start)
{
    const struct os *os = views->os;
    int status = os->map_file(os, start, views->span, views->file, 0);
    if (status == 0)
        status = os->map_file(os, start + views->data, views->size - views->data, views->file, views->data);
    return status;
}

int views_create(struct views *views, const struct os *os, size_t regions, const char **failed)
{
    *views = (struct views){.os = os, .file = -1, .regions = regions, .page_size = os->page_size(os)};
    views->page_shift = (unsigned)__builtin_ctzl(views->page_size);
    /* Valgrind has 128 GiB of addresses for everything. */
    bool few = announce_kernel_calls_unknown();
    views->flipped = regions + (few ? 1 : LARGE_SPACE_FACTOR) * regions;
    views->span = round_up(views->flipped, VIEW_ALIGNMENT);
    views->data = views->span + HEAP_UNIT;
    views->size = views->data + (few ? 1 : DATA_SPACE_FACTOR) * regions;

    *failed = "creating the heap's memory file (memfd_create)";
    int status = os->file_create(os, views->size);
    if (status < 0)
        return status;
    views->file = status;

    *failed = "reserving address space for the heap (mmap)";
    void *start[3] = {NULL, NULL, NULL};
    for (int i = 0; i < 3; i++) {
        status = os->reserve(os, reservation_size(views, i), VIEW_ALIGNMENT, &start[i]);
        if (status != 0)
            goto fail;
    }
    *failed = "mapping the heap's memory file (mmap)";
    for (int i = 0; i < 2; i++) {
        status = map_view(views, start[i]);
        if (status != 0)
            goto fail;
    }
    views->mutator = start[0];
    views->alias = start[1];
    views->graveyard = start[2];
    return 0;

fail:
    unmap(views, start);
    os->file_close(os, views->file);
    views->file = -1;
    return status;
}

void views_destroy(struct views *views)
{
    unmap(views, (void *const[]){views->mutator, views->alias, views->graveyard});
    views->os->file_close(views->os, views->file);
}
