#include "listing.h"

#include <stdlib.h>
#include <string.h>

/* Makes room for `more` elements in a growing array. */
static bool reserve(void **array, size_t *capacity, size_t used, size_t more, size_t size)
{
    if (*capacity - used >= more)
        return true;
    size_t wanted = *capacity * 2 > used + more ? *capacity * 2 : used + more + 1024;
    void *larger = realloc(*array, wanted * size);
    if (larger == NULL)
        return false;
    *array = larger;
    *capacity = wanted;
    return true;
}

static void check_postings(struct listing *listing, const struct map_item *item)
{
    const struct file_list *list = &listing->job->list;
    for (size_t i = 0; i < item->posting_count; i++) {
        size_t file = posting_file(item->postings[i]);
        uint64_t end = posting_offset(item->postings[i]) + item->length;
        bool saturated = posting_offset(item->postings[i]) == POSTING_OFFSET_MAX;
        if (file >= list->count || (end > atomic_load(&list->files[file].was_read) && !saturated))
            listing->wrong++;
    }
    listing->postings += item->posting_count;
}

/* memcpy from the heap is plain user code and welcome; only the kernel must not read there. */
static bool take_item(void *context, const struct map_item *item)
{
    struct listing *listing = context;
    void *items = listing->items;
    void *letters = listing->letters;
    bool ok = reserve(&items, &listing->capacity, listing->count, 1, sizeof *listing->items) &&
              reserve(&letters, &listing->letters_capacity, listing->letters_used, item->length, 1);
    listing->items = items;
    listing->letters = letters;
    if (!ok)
        return false;
    memcpy(listing->letters + listing->letters_used, item->letters, item->length);
    listing->items[listing->count++] =
        (struct listing_item){.letters = listing->letters_used,
                              .length = item->length,
                              .count = item->count,
                              .newest = item->postings[item->posting_count - 1]};
    listing->letters_used += item->length;
    check_postings(listing, item);
    return true;
}

bool listing_take(struct listing *listing, struct job *job, shale_mutator *mutator)
{
    memset(listing, 0, sizeof *listing);
    listing->job = job;
    return map_each(&job->map, mutator, take_item, listing);
}

static int compare_words(const struct listing_item *a, const struct listing_item *b, const char *letters)
{
    size_t common = a->length < b->length ? a->length : b->length;
    int order = memcmp(letters + a->letters, letters + b->letters, common);
    if (order != 0)
        return order;
    return (a->length > b->length) - (a->length < b->length);
}

static int by_word(const void *a, const void *b, void *letters)
{
    return compare_words(a, b, letters);
}

static int by_count(const void *a, const void *b, void *letters)
{
    const struct listing_item *left = a;
    const struct listing_item *right = b;
    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    return compare_words(left, right, letters);
}

void listing_sort_by_word(struct listing *listing)
{
    if (listing->count > 0)
        qsort_r(listing->items, listing->count, sizeof *listing->items, by_word, listing->letters);
}

void listing_sort_by_count(struct listing *listing)
{
    if (listing->count > 0)
        qsort_r(listing->items, listing->count, sizeof *listing->items, by_count, listing->letters);
}

void listing_free(struct listing *listing)
{
    free(listing->items);
    free(listing->letters);
    memset(listing, 0, sizeof *listing);
}
