#include "gc/verify.h"

#include "gc/hash_window.h"
#include "gc/page_build.h"
#include "gc/page_contents.h"
#include "heap/identity_hash.h"
#include "heap/live_bits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int verify_create(struct verify *verify, struct memory *memory, struct conservative *conservative, int level)
{
    *verify = (struct verify){.memory = memory, .conservative = conservative, .level = level};
    if (level == 0)
        return 0;
    int failed = seen_words_create(&verify->seen, memory);
    if (failed != 0)
        return failed;
    conservative->seen = &verify->seen;
    /* An object takes up a granule at least, wherever it is. */
    const size_t sizes[2] = {(memory->views.size >> GRANULE_SHIFT) * sizeof *verify->order,
                             (memory->views.regions >> GRANULE_SHIFT) * sizeof *verify->found};
    for (int i = 0; i < 2; i++) {
        size_t size = sizes[i];
        int status = memory->os->map_table(memory->os, size, &verify->tables[i].start);
        if (status != 0) {
            verify_destroy(verify);
            return status;
        }
        verify->tables[i].size = size;
    }
    verify->order = verify->tables[0].start;
    verify->found = verify->tables[1].start;
    return 0;
}

void verify_destroy(struct verify *verify)
{
    if (verify->level == 0)
        return;
    verify->conservative->seen = NULL;
    seen_words_destroy(&verify->seen);
    for (int i = 0; i < 2; i++) {
        if (verify->tables[i].size != 0)
            verify->memory->os->unmap(verify->memory->os, verify->tables[i].start, verify->tables[i].size);
        verify->tables[i].size = 0;
    }
}

/* One traversal. */
struct traversal {
    struct verify *verify;
    const struct plan *plan;
    char *view;
    enum verify_moment moment;
    uint64_t found_count;
    bool conservative; /* roots are words of conservative mutators */
    struct verify_summary summary;
    size_t holder;    /* offset of the object being looked at; OFFSET_NONE: the roots */
    const char *copy; /* of it, where what is looked at would be if all of it were copied */
    size_t slot;      /* offset in it of the slot being looked at */
    bool failed;
    char *message;
    size_t message_size;
};

static void fail(struct traversal *traversal, uint64_t word, const char *why)
{
    if (traversal->failed)
        return;
    traversal->failed = true;
    const struct memory *memory = traversal->verify->memory;
    if (traversal->holder == OFFSET_NONE) {
        snprintf(traversal->message, traversal->message_size, "a %s holds %#" PRIx64 ", %s",
                 traversal->conservative ? "conservative thread" : "root", word, why);
        return;
    }
    uint64_t header = *(const uint64_t *)(traversal->view + traversal->holder - HEADER_SIZE);
    snprintf(traversal->message, traversal->message_size,
             "the object at %p, of type %s, holds %#" PRIx64 " at offset %zu, %s",
             (void *)views_mutator(&memory->views, traversal->holder), memory_type(memory, header)->name,
             word, traversal->slot, why);
}

/* The states of [hash], and nothing in the bits that have no meaning. */
static bool header_bits_are_valid(uint64_t header)
{
    uint64_t bits = header & 0xffff0000;
    return bits == 0 || bits == HEADER_ASKED || bits == (HEADER_ASKED | HEADER_SETTLED) ||
           bits == HEADER_STORED;
}

static uint64_t stored_hash(const struct traversal *traversal, size_t offset, size_t size)
{
    return *(const uint64_t *)(traversal->view + offset + identity_hash_offset(size));
}

static bool is_known(const struct memory *memory, uint64_t header)
{
    uint32_t number = header_type_number(header);
    return number != 0 && number < atomic_u32_load_acquire(&memory->types.count) &&
           header_bits_are_valid(header);
}

static const char *check_fixed_target(const struct traversal *traversal, size_t offset)
{
    const struct memory *memory = traversal->verify->memory;
    if (memory_fixed_object(memory, offset) != offset)
        return "which is not the start of an object that does not move, or of one that is dead";
    if (traversal->moment <= VERIFY_FLIPPING && !fixed_is_marked(&memory->fixed, offset))
        return "which does not move and has no mark: marking missed it";
    const char *object = traversal->view + offset;
    uint64_t header = *(const uint64_t *)(object - HEADER_SIZE);
    if (!is_known(memory, header))
        return "which is not the start of an object of a known type";
    size_t payload = object_payload(memory->types.types[header_type_number(header)], header, object);
    if (payload > memory_fixed_size(memory, offset))
        return "an object that reaches beyond its pages";
    return NULL;
}

/* What must hold of the target of a reference; NULL or what does not. */
static const char *check_target(const struct traversal *traversal, size_t offset)
{
    const struct memory *memory = traversal->verify->memory;
    region_number region = region_of(offset);
    if (offset % GRANULE_SIZE != 0)
        return "which is not 16-byte aligned";
    if (offset >= memory->views.regions)
        return check_fixed_target(traversal, offset);
    if (offset - region_start(region) < REGION_FIRST_OBJECT)
        return "which is in front of a region's first object";
    if (region_get_state(&memory->regions, region) == REGION_FREE)
        return "which lies in a free region";
    if (traversal->moment >= VERIFY_FLIPPED && traversal->plan->roles[region] == ROLE_EVACUATED)
        return "which lies in a region that was evacuated";
    if (region_get_state(&memory->regions, region) == REGION_PINNED && cells_object(memory, offset) != offset)
        return "which is not the start of a cell with an object";
    if (traversal->moment <= VERIFY_FLIPPING && !bits_test(memory->live_bits, granule_of(offset)))
        return "which has no live bit: marking missed it, or it is not the start of an object";
    uint64_t header = *(const uint64_t *)(traversal->view + offset - HEADER_SIZE);
    if (!is_known(memory, header))
        return "which is not the start of an object of a known type";
    size_t size = object_size(memory_type(memory, header), header);
    if (offset - HEADER_SIZE + size > region_start(region) + REGION_SIZE)
        return "an object that reaches beyond its region";
    if ((header & HEADER_STORED) != 0 &&
        !identity_hash_is_plausible(memory, stored_hash(traversal, offset, size)))
        return "an object whose stored identity hash stands for no place in the heap";
    return NULL;
}

/* The word with its address replaced by the target's place in the order. */
static uint64_t follow(struct traversal *traversal, uint64_t word, uint64_t address, uint64_t address_bits)
{
    struct verify *verify = traversal->verify;
    size_t offset = views_offset(&verify->memory->views, address);
    if (offset >= verify->memory->views.size || traversal->failed)
        return word; /* NULL, or something outside the heap */
    const char *wrong = check_target(traversal, offset);
    if (wrong != NULL) {
        fail(traversal, word, wrong);
        return word;
    }
    size_t granule = offset >> GRANULE_SHIFT;
    if (verify->order[granule] == 0) {
        verify->found[traversal->found_count] = offset;
        verify->order[granule] = (uint32_t)++traversal->found_count;
    }
    return (word & ~address_bits) + verify->order[granule];
}

/* [clean]: what leads to something that moves is on a page that is built. */
static void check_page(struct traversal *traversal, uint64_t word, uint64_t address)
{
    const struct plan *plan = traversal->plan;
    const struct memory *memory = traversal->verify->memory;
    size_t offset = views_offset(&memory->views, address);
    if (traversal->moment > VERIFY_FLIPPING || traversal->holder == OFFSET_NONE ||
        offset >= memory->views.regions || plan->roles[region_of(offset)] != ROLE_EVACUATED)
        return;
    if (page_is_clean(plan, memory_page(memory, traversal->holder + traversal->slot)))
        fail(traversal, word,
             "which will move, on a page that is taken for clean: marking or a store missed it");
}

/* Slots come as copies, which are overwritten with what follow makes of them. */
static void follow_slots(void *context, uint64_t *slots, size_t count, bool value)
{
    struct traversal *traversal = context;
    const shale_encoding *encoding = &traversal->verify->memory->encoding;
    for (size_t i = 0; i < count; i++) {
        if (value && !value_is_reference(encoding, slots[i]))
            continue;
        uint64_t address_bits = value ? encoding->address : ~UINT64_C(0);
        uint64_t address = slots[i] & address_bits;
        if (traversal->copy != NULL)
            traversal->slot = (size_t)((const char *)&slots[i] - traversal->copy);
        check_page(traversal, slots[i], address);
        slots[i] = follow(traversal, slots[i], address, address_bits);
    }
}

static uint64_t mix(uint64_t sum, uint64_t word)
{
    sum = (sum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return sum ^ sum >> 29;
}

static void look_at_root(void *context, uint64_t *slots, size_t count, bool value)
{
    struct traversal *traversal = context;
    for (size_t i = 0; i < count; i++) {
        uint64_t copy = slots[i];
        follow_slots(traversal, &copy, 1, value);
        traversal->summary.checksum = mix(traversal->summary.checksum, copy);
    }
}

/* 0: nobody has asked for it. */
static uint64_t identity_hash(const struct traversal *traversal, uint64_t header, size_t offset, size_t size)
{
    if ((header & HEADER_STORED) != 0)
        return stored_hash(traversal, offset, size);
    if ((header & HEADER_SETTLED) != 0)
        return identity_hash_at(traversal->verify->memory, offset);
    bool settled;
    return (header & HEADER_ASKED) != 0 ? identity_hash_resolve(traversal->plan, offset, &settled) : 0;
}

/* Bytes of an object that are looked at together. */
enum { PART_SIZE = 32768 };

/* Follows the slots of an object whose offsets in it lie in [from, to), and adds these bytes to the sum. */
static uint64_t look_at_part(struct traversal *traversal, const struct type *type, uint64_t header,
                             char *object, size_t from, size_t to, uint64_t sum)
{
    size_t words = (to - from + sizeof(uint64_t) - 1) / sizeof(uint64_t);
    uint64_t part[PART_SIZE / sizeof(uint64_t)];
    if (words == 0)
        return sum;
    part[words - 1] = 0;
    memcpy(part, object + from, to - from);
    /* Where the object would begin, were this a copy of all of it. */
    char *copy = (char *)((uintptr_t)part - from);
    traversal->copy = copy;
    object_visit_slots(type, header, copy, object, from, to, follow_slots, traversal);
    traversal->copy = NULL;
    for (size_t i = 0; i < words; i++)
        sum = mix(sum, part[i]);
    return sum;
}

static void look_at_object(struct traversal *traversal, size_t offset)
{
    const struct memory *memory = traversal->verify->memory;
    char *object = traversal->view + offset;
    uint64_t header = *(const uint64_t *)(object - HEADER_SIZE);
    const struct type *type = memory_type(memory, header);
    bool moves = offset < memory->views.regions;
    size_t size = moves ? object_size(type, header) : memory_fixed_size(memory, offset);
    size_t payload = object_payload(type, header, object);
    traversal->holder = offset;
    uint64_t sum = mix(traversal->summary.checksum, header & ~HEADER_HASH_BITS);
    sum = mix(sum, moves ? identity_hash(traversal, header, offset, size) : 0);
    for (size_t from = 0; from < payload; from += PART_SIZE)
        sum = look_at_part(traversal, type, header, object, from,
                           payload - from < PART_SIZE ? payload : from + PART_SIZE, sum);
    traversal->summary.checksum = sum;
    traversal->summary.objects++;
    traversal->summary.bytes += size;
}

/* ---- conservative mutators ------------------------------------------------------------------------- */

/* What is live by its bit, and contains the byte at an offset; OFFSET_NONE: nothing. In the flip's stop. */
static size_t find_live(const struct memory *memory, size_t offset)
{
    size_t object;
    if (offset >= memory->views.regions) {
        object = memory_fixed_object(memory, offset);
        return object != OFFSET_NONE && fixed_is_marked(&memory->fixed, object) ? object : OFFSET_NONE;
    }
    region_number region = region_of(offset);
    switch (region_get_state(&memory->regions, region)) {
    case REGION_ALLOCATING:
    case REGION_BORN:
    case REGION_USED:
        break;
    case REGION_PINNED:
        object = cells_object(memory, offset);
        return object != OFFSET_NONE && bits_test(memory->live_bits, granule_of(object)) ? object
                                                                                         : OFFSET_NONE;
    default:
        return OFFSET_NONE;
    }
    granule_number granule =
        bits_previous(memory->live_bits, granule_of(region_start(region)), granule_of(offset));
    object = granule != GRANULE_NONE ? granule_start(granule) : OFFSET_NONE;
    return object != OFFSET_NONE && object + memory_object_size(memory, object) > offset ? object
                                                                                         : OFFSET_NONE;
}

static bool is_evacuated(const struct traversal *traversal, size_t offset)
{
    return traversal->moment != VERIFY_MARKED && offset < traversal->verify->memory->views.regions &&
           traversal->plan->roles[region_of(offset)] == ROLE_EVACUATED;
}

/* Whether an object that must be is in a region that stays; others than those in cells, which never move, and may have been born where
 * a word pointed. */
static bool is_kept(const struct traversal *traversal, size_t object)
{
    const struct memory *memory = traversal->verify->memory;
    return traversal->moment != VERIFY_MARKED || object >= memory->views.regions ||
           region_get_state(&memory->regions, region_of(object)) == REGION_PINNED ||
           atomic_u8_load(&memory->regions.regions[region_of(object)].kept) != 0;
}

static void look_at_word(struct traversal *traversal, size_t offset)
{
    struct verify *verify = traversal->verify;
    const struct views *views = &verify->memory->views;
    uint64_t word = (uint64_t)(uintptr_t)views_mutator(views, offset);
    if (is_evacuated(traversal, offset))
        fail(traversal, word, "which lies in a region that is evacuated: it was not held back");
    size_t object = traversal->moment == VERIFY_MARKED ? conservative_find(verify->conservative, offset)
                                                       : find_live(verify->memory, offset);
    if (object == OFFSET_NONE)
        return;
    uint64_t address = (uint64_t)(uintptr_t)views_mutator(views, object);
    traversal->summary.checksum =
        mix(traversal->summary.checksum, follow(traversal, address, address, ~UINT64_C(0)));
    if (!is_kept(traversal, object))
        fail(traversal, word, "which lies in a region that is not kept");
}

static void look_at_words(struct traversal *traversal)
{
    const struct verify *verify = traversal->verify;
    if (traversal->moment == VERIFY_ENDED ||
        (traversal->moment == VERIFY_MARKED && !verify->conservative->taken))
        return;
    traversal->conservative = true;
    for (size_t offset = 0; (offset = seen_words_next(&verify->seen, offset)) != OFFSET_NONE;
         offset += GRANULE_SIZE)
        look_at_word(traversal, offset);
}

/* ---- the traversal --------------------------------------------------------------------------------- */

static void forget(struct verify *verify, uint64_t found_count)
{
    const struct os *os = verify->memory->os;
    /* Memory that the program has locked cannot be discarded. */
    if (os->discard_table(os, verify->tables[0].start, verify->tables[0].size) != 0) {
        for (uint64_t i = 0; i < found_count; i++)
            verify->order[verify->found[i] >> GRANULE_SHIFT] = 0;
    }
    os->discard_table(os, verify->tables[1].start, verify->tables[1].size);
}

bool verify_graph(struct verify *verify, const struct plan *plan, const struct world *world, char *view,
                  enum verify_moment moment, struct verify_summary *summary, char *message,
                  size_t message_size)
{
    struct traversal traversal = {
        .verify = verify,
        .plan = plan,
        .view = view,
        .moment = moment,
        .holder = OFFSET_NONE,
        .message = message,
        .message_size = message_size,
    };
    struct shale_visitor visitor = visitor_make(look_at_root, &traversal);
    world->visit_roots(world->context, &visitor);
    look_at_words(&traversal);
    for (uint64_t i = 0; i < traversal.found_count && !traversal.failed; i++)
        look_at_object(&traversal, verify->found[i]);
    forget(verify, traversal.found_count);
    *summary = traversal.summary;
    return !traversal.failed;
}
