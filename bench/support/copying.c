#include "bench/support/copying.h"

#include "bench/support/samples.h"
#include "heap/layout.h"
#include "heap/os.h"

#include <string.h>

void copying_create(struct copying *copying, size_t size)
{
    const struct os *os = os_linux();
    *copying = (struct copying){.size = size, .page_size = os->page_size(os)};
    for (int i = 0; i < 2; i++) {
        void *start = NULL;
        int file = os->file_create(os, size);
        bench_require(file >= 0 && os->reserve(os, size, VIEW_ALIGNMENT, &start) == 0 &&
                          os->map_file(os, start, size, file, 0) == 0,
                      "a buffer for memcpy could not be had");
        copying->buffers[i].file = file;
        copying->buffers[i].start = start;
        memset(start, 0x55, size);
    }
}

void copying_destroy(struct copying *copying)
{
    for (int i = 0; i < 2; i++) {
        os_linux()->unmap(os_linux(), copying->buffers[i].start, copying->size);
        os_linux()->file_close(os_linux(), copying->buffers[i].file);
    }
}

void copy_pages(struct copying *copying, size_t count)
{
    size_t page_size = copying->page_size;
    for (size_t i = 0; i < count; i++) {
        if ((copying->next + 1) * page_size > copying->size)
            copying->next = 0;
        size_t at = copying->next++ * page_size;
        memcpy(copying->buffers[1].start + at, copying->buffers[0].start + at, page_size);
    }
}
