#include "errors.h"
#include "extension.h"
#include "print.h"
#include "thread.h"

enum { FEWEST_ITEMS = 4, PRINTED_DEPTH = 4 };

static struct list *list_of(const value *arguments)
{
    return to_pointer(arguments[-1]);
}

static size_t room_of(const struct list *list)
{
    return list->items == NULL ? 0 : shale_length_of(list->items);
}

/* What another thread may be changing: the items, and how many of them count. */
static struct values *items_of(const struct list *list, size_t *count)
{
    struct values *items = __atomic_load_n(&list->items, __ATOMIC_ACQUIRE);
    size_t room = items == NULL ? 0 : shale_length_of(items);
    *count = __atomic_load_n(&list->count, __ATOMIC_RELAXED);
    if (*count > room)
        *count = room;
    return items;
}

static void set_count(struct list *list, size_t count)
{
    __atomic_store_n(&list->count, count, __ATOMIC_RELEASE);
}

/* The lock is held, unless the list is new. `place` is a root; there is room for one item more when it returns true. */
static bool grow(struct thread *thread, const value *place)
{
    struct list *list = to_pointer(*place);
    size_t room = room_of(list);
    if (list->count < room)
        return true;
    size_t more = room < FEWEST_ITEMS ? FEWEST_ITEMS : room + room / 2;
    struct values *fresh = shale_allocate_array(thread->mutator, thread->world->types.values, more);
    if (fresh == NULL)
        return false;
    list = to_pointer(*place);
    for (size_t i = 0; i < list->count; i++)
        fresh->slots[i] = list->items->slots[i];
    shale_store(thread->mutator, list, &list->items, fresh);
    return true;
}

static void append(struct thread *thread, struct list *list, value item)
{
    shale_store_value(thread->mutator, list->items, &list->items->slots[list->count], item);
    set_count(list, list->count + 1);
}

/* ---- methods ---------------------------------------------------------------------------------------- */

static unsigned lock(struct thread *thread, const value *arguments)
{
    unsigned part = LOCK_LISTS + list_of(arguments)->lock;
    world_lock(thread, part);
    return part;
}

static bool list_add(struct thread *thread, const value *arguments, unsigned count, value *result)
{
    (void)count;
    (void)result;
    unsigned part = lock(thread, arguments);
    bool room = grow(thread, &arguments[-1]);
    if (room)
        append(thread, list_of(arguments), arguments[0]);
    world_unlock(thread, part);
    return room || out_of_memory(thread);
}

static bool bad_index(struct thread *thread, value index, size_t count)
{
    if (!is_number(index))
        return runtime_error(thread, "A list index must be a number.");
    return runtime_error(thread, "There is no item %g in a list of %zu.", to_number(index), count);
}

static bool list_get(struct thread *thread, const value *arguments, unsigned count, value *result)
{
    size_t items_count;
    size_t index;
    (void)count;
    const struct values *items = items_of(list_of(arguments), &items_count);
    if (!is_index(arguments[0], items_count, &index))
        return bad_index(thread, arguments[0], items_count);
    *result = load_word(&items->slots[index]);
    return true;
}

static bool list_set(struct thread *thread, const value *arguments, unsigned count, value *result)
{
    size_t items_count;
    size_t index;
    (void)count;
    (void)result;
    unsigned part = lock(thread, arguments);
    struct values *items = items_of(list_of(arguments), &items_count);
    bool good = is_index(arguments[0], items_count, &index);
    if (good)
        shale_store_value(thread->mutator, items, &items->slots[index], arguments[1]);
    world_unlock(thread, part);
    return good || bad_index(thread, arguments[0], items_count);
}

static bool list_length(struct thread *thread, const value *arguments, unsigned count, value *result)
{
    size_t items_count;
    (void)thread;
    (void)count;
    items_of(list_of(arguments), &items_count);
    *result = from_number((double)items_count);
    return true;
}

static bool list_remove_last(struct thread *thread, const value *arguments, unsigned count, value *result)
{
    (void)count;
    unsigned part = lock(thread, arguments);
    struct list *list = list_of(arguments);
    bool any = list->count > 0;
    if (any) {
        value *last = &list->items->slots[list->count - 1];
        *result = *last;
        set_count(list, list->count - 1);
        shale_store_value(thread->mutator, list->items, last, VALUE_NIL);
    }
    world_unlock(thread, part);
    return any || runtime_error(thread, "There is no last item in an empty list.");
}

const struct native_method list_methods[] = {{"add", 1, list_add},
                                             {"get", 1, list_get},
                                             {"set", 2, list_set},
                                             {"length", 0, list_length},
                                             {"removeLast", 0, list_remove_last},
                                             {NULL, 0, NULL}};

/* ---- the function and printing ---------------------------------------------------------------------- */

/* list(...): what is in arguments[-1], the function itself, becomes the list. */
static bool make_list(struct thread *thread, const value *arguments, unsigned count, value *result)
{
    struct sharing *sharing = &thread->world->sharing;
    value *place = (value *)arguments - 1;
    struct list *list = shale_allocate(thread->mutator, thread->world->types.list);
    if (list == NULL)
        return out_of_memory(thread);
    list->kind = KIND_LIST;
    list->lock = __atomic_fetch_add(&sharing->lists, 1, __ATOMIC_RELAXED) % LIST_LOCKS;
    *place = from_pointer(TAG_OBJECT, list);
    for (unsigned i = 0; i < count; i++) {
        if (!grow(thread, place))
            return out_of_memory(thread);
        append(thread, to_pointer(*place), arguments[i]);
    }
    *result = *place;
    return true;
}

static void print_text(struct thread *thread, const char *text)
{
    output_text(&thread->world->output, thread->mutator, text, strlen(text));
}

void list_print(struct thread *thread, value word, unsigned depth)
{
    shale_frame frame;
    size_t count;
    if (depth == PRINTED_DEPTH) {
        print_text(thread, "[...]");
        return;
    }
    shale_frame_push_values(thread->mutator, &frame, &word, 1);
    print_text(thread, "[");
    for (size_t i = 0;; i++) {
        /* It may move, and others may change it, at each turn. */
        const struct values *items = items_of(to_pointer(word), &count);
        if (i >= count)
            break;
        value item = load_word(&items->slots[i]);
        if (i > 0) {
            shale_frame item_frame;
            shale_frame_push_values(thread->mutator, &item_frame, &item, 1);
            print_text(thread, ", ");
            shale_frame_pop(thread->mutator, &item_frame);
        }
        if (is_kind(item, KIND_LIST))
            list_print(thread, item, depth + 1);
        else
            print_value(thread, item);
    }
    print_text(thread, "]");
    shale_frame_pop(thread->mutator, &frame);
}

bool extension_define_lists(struct thread *thread)
{
    return world_define_native(thread, "list", make_list);
}
