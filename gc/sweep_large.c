#include "gc/sweep_large.h"

#include "heap/large.h"

static void clear_leads(struct memory *memory, size_t offset)
{
    page_number first = memory_page(memory, offset);
    page_number end = memory_page(memory, offset - FIXED_FIRST_OBJECT + large_size(memory, offset));
    for (page_number page = first; page < end; page++) {
        atomic_u64_store(&memory->leads.pages[page], 0);
        atomic_u8_store(&memory->leads.stored[page], 0);
    }
}

void large_clear_marks(struct memory *memory)
{
    size_t offset = 0;
    while ((offset = memory_next_large(memory, offset)) != OFFSET_NONE) {
        if (offset < memory->views.flipped)
            clear_leads(memory, offset);
        fixed_unmark(&memory->fixed, offset);
        offset += FIXED_FIRST_OBJECT;
    }
}

struct swept large_sweep(struct memory *memory)
{
    struct swept swept = {0, 0};
    size_t offset = 0;
    while ((offset = memory_next_large(memory, offset)) != OFFSET_NONE) {
        if (!fixed_is_marked(&memory->fixed, offset)) {
            swept.objects++;
            swept.bytes += large_size(memory, offset);
            large_free(memory, offset);
        }
        offset += FIXED_FIRST_OBJECT;
    }
    return swept;
}
