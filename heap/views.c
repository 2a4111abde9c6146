#include "heap/views.h"

int views_create(struct views *views, const struct os *os, size_t size, const char **failed)
{
    *views = (struct views){.os = os,
                            .file = -1,
                            .size = size,
                            .span = round_up(size, VIEW_ALIGNMENT),
                            .page_size = os->page_size(os)};
    views->page_shift = (unsigned)__builtin_ctzl(views->page_size);

    *failed = "creating the heap's memory file (memfd_create)";
    int status = os->file_create(os, size);
    if (status < 0)
        return status;
    views->file = status;

    *failed = "reserving address space for the heap (mmap)";
    void *start[3] = {NULL, NULL, NULL};
    for (int i = 0; i < 3; i++) {
        status = os->reserve(os, views->span, VIEW_ALIGNMENT, &start[i]);
        if (status != 0)
            goto fail;
    }
    *failed = "mapping the heap's memory file (mmap)";
    for (int i = 0; i < 2; i++) {
        status = os->map_file(os, start[i], views->span, views->file);
        if (status != 0)
            goto fail;
    }
    views->mutator = start[0];
    views->alias = start[1];
    views->graveyard = start[2];
    return 0;

fail:
    for (int i = 0; i < 3; i++) {
        if (start[i] != NULL)
            os->unmap(os, start[i], views->span);
    }
    os->file_close(os, views->file);
    views->file = -1;
    return status;
}

void views_destroy(struct views *views)
{
    const struct os *os = views->os;
    os->unmap(os, views->mutator, views->span);
    os->unmap(os, views->alias, views->span);
    os->unmap(os, views->graveyard, views->span);
    os->file_close(os, views->file);
}
