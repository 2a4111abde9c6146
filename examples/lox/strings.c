#include "strings.h"

#include "thread.h"

enum { SHORT_STRING = 256 };

/* Text outside the heap, or in a string that does not move meanwhile. */
struct content {
    const char *text;
    size_t length;
};

/* Eight bytes at a time, like FNV; the high bits are mixed in, as multiplying moves nothing downwards. */
static uint32_t hash_content(const struct content *content)
{
    uint64_t hash = content->length * UINT64_C(0x9e3779b97f4a7c15);
    const char *text = content->text;
    size_t length = content->length;
    for (; length >= 8; text += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, text, sizeof word);
        hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
        hash ^= hash >> 32;
    }
    uint64_t rest = 0;
    for (size_t i = 0; i < length; i++)
        rest = rest << 8 | (unsigned char)text[i];
    hash = (hash ^ rest) * UINT64_C(0xff51afd7ed558ccd);
    return (uint32_t)(hash ^ hash >> 32);
}

static bool has_content(void *context, const void *object)
{
    const struct content *content = context;
    const struct string *string = object;
    return shale_length_of(string) == content->length &&
           memcmp(string->text, content->text, content->length) == 0;
}

static struct string *find(struct thread *thread, const struct content *content, uint32_t hash)
{
    return shale_intern_find(thread->mutator, shale_handle_get(thread->world->strings), hash, has_content,
                             (void *)content);
}

/* Enters a new string, which has its text and hash, into the table. */
static struct string *add(struct thread *thread, struct string *string)
{
    shale_frame frame;
    shale_frame_push(thread->mutator, &frame, &string, 1);
    shale_status status =
        shale_intern_add(thread->mutator, shale_handle_get(thread->world->strings), string->hash, string);
    shale_frame_pop(thread->mutator, &frame);
    return status == SHALE_OK ? string : NULL;
}

struct string *string_make(struct thread *thread, const char *text, size_t length)
{
    struct content content = {text, length};
    uint32_t hash = hash_content(&content);
    struct string *string = find(thread, &content, hash);
    if (string != NULL)
        return string;
    string = shale_allocate_array(thread->mutator, thread->world->types.string, length);
    if (string == NULL)
        return NULL;
    string->hash = hash;
    memcpy(string->text, text, length);
    return add(thread, string);
}

/* Long strings are put together in the heap, and forgotten again if there was one of that content. */
static struct string *join_long(struct thread *thread, struct string *left, struct string *right)
{
    struct {
        struct string *left, *right;
    } local = {left, right};
    shale_frame frame;
    size_t left_length = shale_length_of(left), right_length = shale_length_of(right);
    shale_frame_push(thread->mutator, &frame, &local, 2);
    struct string *joined =
        shale_allocate_array(thread->mutator, thread->world->types.string, left_length + right_length);
    shale_frame_pop(thread->mutator, &frame);
    if (joined == NULL)
        return NULL;
    memcpy(joined->text, local.left->text, left_length);
    memcpy(joined->text + left_length, local.right->text, right_length);
    struct content content = {joined->text, left_length + right_length};
    joined->hash = hash_content(&content);
    struct string *there = find(thread, &content, joined->hash);
    return there != NULL ? there : add(thread, joined);
}

struct string *string_join(struct thread *thread, struct string *left, struct string *right)
{
    size_t left_length = shale_length_of(left), right_length = shale_length_of(right);
    if (left_length == 0)
        return right;
    if (right_length == 0)
        return left;
    if (left_length + right_length > SHORT_STRING)
        return join_long(thread, left, right);
    char text[SHORT_STRING];
    memcpy(text, left->text, left_length);
    memcpy(text + left_length, right->text, right_length);
    return string_make(thread, text, left_length + right_length);
}
