/* Identity hashes: what they are is in heap/identity_hash.h, how they are asked for in gc/hash_window.h. */
#include "heap/identity_hash.h"

#include "gc/hash_window.h"
#include "runtime/mutator.h"

uint64_t shale_identity_hash(shale_mutator *api, const void *object)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    if (mutator_check(mutator, "shale_identity_hash") != SHALE_OK)
        return 0;
    const shale_heap *heap = mutator->heap;
    size_t offset = views_offset(&heap->memory.views, (uintptr_t)object);
    if (offset >= heap->memory.views.size)
        return identity_hash_mix((uintptr_t)object); /* 0 for NULL */
    if (offset >= heap->memory.views.regions)
        return identity_hash_fixed(&heap->memory, offset);
    return identity_hash_ask(&heap->collector.plan, object, offset);
}
