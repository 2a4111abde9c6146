#include "runtime/roots.h"

#include "runtime/mutator.h"

#include <stdlib.h>

void root_list_init(struct root_list *list, shale_heap *heap, struct mutator *mutator)
{
    *list = (struct root_list){.heap = heap, .mutator = mutator};
    pthread_mutex_init(&list->lock, NULL);
}

void root_list_clear(struct root_list *list)
{
    pthread_mutex_lock(&list->lock);
    while (list->first != NULL) {
        struct shale_root_visitor *visitor = list->first;
        list->first = visitor->next;
        free(visitor);
    }
    pthread_mutex_unlock(&list->lock);
}

void root_list_destroy(struct root_list *list)
{
    root_list_clear(list);
    pthread_mutex_destroy(&list->lock);
}

/* ---- visiting -------------------------------------------------------------------------------------- */

/* The list's lock is held. */
static void visit_list(struct root_list *list, struct shale_visitor *visitor)
{
    for (struct shale_root_visitor *root = list->first; root != NULL; root = root->next)
        root->visit(root->context, visitor);
}

void roots_visit_own(struct mutator *mutator, struct shale_visitor *visitor)
{
    for (shale_frame *frame = mutator->local.bump.api.frames; frame != NULL; frame = frame->outer) {
        if (frame->values)
            shale_visit_values(visitor, frame->slots, frame->count);
        else
            shale_visit_pointers(visitor, frame->slots, frame->count);
    }
    scopes_visit(mutator, visitor);
    pins_visit_scopes(mutator, visitor);
    pthread_mutex_lock(&mutator->roots.lock);
    visit_list(&mutator->roots, visitor);
    pthread_mutex_unlock(&mutator->roots.lock);
}

static void visit_heap(shale_heap *heap, struct shale_visitor *visitor)
{
    handles_visit(&heap->handles, visitor);
    visit_list(&heap->roots, visitor); /* the world holds the lock while it is stopped */
}

void roots_visit_heap(shale_heap *heap, struct shale_visitor *visitor)
{
    handles_visit(&heap->handles, visitor);
    finalizers_visit(&heap->finalizers, visitor);
    pins_visit(&heap->pins, visitor);
    pthread_mutex_lock(&heap->roots.lock);
    visit_list(&heap->roots, visitor);
    pthread_mutex_unlock(&heap->roots.lock);
}

void roots_await_changes(shale_heap *heap)
{
    pthread_mutex_lock(&heap->roots.lock);
    pthread_mutex_unlock(&heap->roots.lock);
}

void roots_visit(shale_heap *heap, struct shale_visitor *visitor)
{
    visit_heap(heap, visitor);
    finalizers_visit(&heap->finalizers, visitor);
    pins_visit(&heap->pins, visitor);
    for (struct mutator *mutator = heap->safepoint.mutators; mutator != NULL; mutator = mutator->next)
        roots_visit_own(mutator, visitor);
}

void roots_begin_update(shale_heap *heap, struct shale_visitor *visitor)
{
    heap->root_update = visitor;
    visit_heap(heap, visitor);
    for (struct mutator *mutator = heap->safepoint.mutators; mutator != NULL; mutator = mutator->next) {
        pthread_mutex_lock(&mutator->roots_lock);
        mutator->roots_stale = true;
        pthread_mutex_unlock(&mutator->roots_lock);
    }
}

bool roots_update(struct mutator *mutator)
{
    pthread_mutex_lock(&mutator->roots_lock);
    bool stale = mutator->roots_stale;
    if (stale) {
        roots_visit_own(mutator, mutator->heap->root_update);
        mutator->roots_stale = false;
    }
    pthread_mutex_unlock(&mutator->roots_lock);
    return stale;
}

/* Pages of roots, each once. */
enum { ROOT_PAGES_MAX = 64 };

struct root_pages {
    struct memory *memory;
    size_t wanted;
    size_t count;
    page_number pages[ROOT_PAGES_MAX];
};

static void note_root_page(struct root_pages *roots, uint64_t address)
{
    size_t offset = views_offset(&roots->memory->views, address);
    if (offset >= roots->memory->views.flipped)
        return;
    page_number page = memory_page(roots->memory, offset);
    size_t i = 0;
    while (i < roots->count && roots->pages[i] != page)
        i++;
    if (i == roots->count)
        roots->pages[roots->count++] = page;
}

static void note_root_pages(void *context, uint64_t *slots, size_t count, bool value)
{
    struct root_pages *roots = context;
    const shale_encoding *encoding = &roots->memory->encoding;
    /* The last ones are the innermost of a stack. */
    for (size_t i = count; i > 0 && roots->count < roots->wanted; i--) {
        if (!value)
            note_root_page(roots, slots[i - 1]);
        else if (value_is_reference(encoding, slots[i - 1]))
            note_root_page(roots, value_address(encoding, slots[i - 1]));
    }
}

void roots_bring(struct mutator *mutator)
{
    struct collector *collector = &mutator->heap->collector;
    struct memory *memory = &mutator->heap->memory;
    size_t wanted = collector->compaction.ways.roots;
    if (!page_states_active(&memory->pages) || memory->pages.faults < 0 || wanted == 0)
        return;
    struct root_pages roots = {.memory = memory, .wanted = wanted < ROOT_PAGES_MAX ? wanted : ROOT_PAGES_MAX};
    struct shale_visitor visitor = visitor_make(note_root_pages, &roots);
    roots_visit_own(mutator, &visitor);
    compact_bring(&collector->compaction, &collector->handlers, roots.pages, roots.count);
}

void roots_settle(shale_heap *heap)
{
    pthread_mutex_lock(&heap->safepoint.lock);
    for (struct mutator *mutator = heap->safepoint.mutators; mutator != NULL; mutator = mutator->next)
        roots_update(mutator);
    pthread_mutex_unlock(&heap->safepoint.lock);
}

/* ---- registration ---------------------------------------------------------------------------------- */

/* [heap-roots] The list's lock is held. */
static void shade_shown(shale_root_visitor *root)
{
    struct mark *mark = &root->list->heap->collector.mark;
    if (root->list->mutator != NULL || atomic_u32_load(&mark->active) == 0)
        return;
    struct packet *packet = NULL;
    struct shading shading = {&mark->work, mark->memory, &packet};
    struct shale_visitor visitor = visitor_make(shade_slots, &shading);
    root->visit(root->context, &visitor);
    shade_offer(&mark->work, &packet);
}

static shale_root_visitor *add(struct root_list *list, shale_root_function visit, void *context)
{
    struct shale_root_visitor *visitor = visit != NULL ? malloc(sizeof *visitor) : NULL;
    if (visitor == NULL)
        return NULL;
    *visitor = (struct shale_root_visitor){.list = list, .visit = visit, .context = context};
    pthread_mutex_lock(&list->lock);
    visitor->next = list->first;
    list->first = visitor;
    shade_shown(visitor);
    pthread_mutex_unlock(&list->lock);
    return visitor;
}

shale_root_visitor *shale_root_visitor_add(shale_mutator *api, shale_root_function visit, void *context)
{
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    if (mutator_check(mutator, "shale_root_visitor_add") != SHALE_OK)
        return NULL;
    shale_root_visitor *visitor = add(&mutator->roots, visit, context);
    if (visitor == NULL)
        mutator_fail(mutator, SHALE_ERROR_MEMORY,
                     "shale_root_visitor_add: no function was given, or no memory is left");
    return visitor;
}

shale_root_visitor *shale_heap_root_visitor_add(shale_heap *heap, shale_root_function visit, void *context)
{
    INSIDE();
    if (heap_check(heap, "shale_heap_root_visitor_add", NULL) != SHALE_OK)
        return NULL;
    return add(&heap->roots, visit, context);
}

shale_status shale_root_visitor_remove(shale_root_visitor *visitor)
{
    INSIDE();
    if (visitor == NULL)
        return SHALE_OK;
    struct root_list *list = visitor->list;
    if (list->mutator != NULL) {
        shale_status status = mutator_check(list->mutator, "shale_root_visitor_remove");
        if (status != SHALE_OK)
            return status;
    } else {
        shale_status status = heap_check(list->heap, "shale_root_visitor_remove", NULL);
        if (status != SHALE_OK)
            return status;
    }
    pthread_mutex_lock(&list->lock);
    struct shale_root_visitor **link = &list->first;
    while (*link != NULL && *link != visitor)
        link = &(*link)->next;
    bool found = *link != NULL;
    if (found) {
        shade_shown(visitor);
        *link = visitor->next;
    }
    pthread_mutex_unlock(&list->lock);
    if (!found)
        return SHALE_ERROR_MISUSE;
    free(visitor);
    return SHALE_OK;
}
