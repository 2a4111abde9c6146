#include "heap/object.h"

/* The part of a run of slots that lies in the visitor's window, passed on. */
static void visit_run(shale_visitor *visitor, uint64_t *slots, size_t count, bool value)
{
    uintptr_t start = (uintptr_t)slots;
    uintptr_t end = start + count * sizeof *slots;
    if (start < visitor->window_start)
        start = visitor->window_start;
    if (end > visitor->window_end)
        end = visitor->window_end;
    if (start < end)
        visitor->visit(visitor->context, (uint64_t *)(start + (uintptr_t)visitor->shift),
                       (end - start) / sizeof *slots, value);
}

void shale_visit_pointers(shale_visitor *visitor, void *slots, size_t count)
{
    visit_run(visitor, slots, count, false);
}

void shale_visit_values(shale_visitor *visitor, shale_value *slots, size_t count)
{
    visit_run(visitor, slots, count, true);
}
