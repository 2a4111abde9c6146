#include "runtime/stacks.h"

#include "heap/announce.h"
#include "runtime/mutator.h"

#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

/* What code keeps below its stack pointer. */
#if defined(__x86_64__)
enum { RED_ZONE = 128 };
#else
enum { RED_ZONE = 0 };
#endif

void stacks_begin(struct stacks *stacks, uintptr_t low, uintptr_t high)
{
    *stacks = (struct stacks){.own = {.low = low, .high = high}};
    stacks->first = &stacks->own;
}

void stacks_end(struct stacks *stacks)
{
    while (stacks->first != NULL && stacks->first != &stacks->own) {
        struct shale_stack *stack = stacks->first;
        stacks->first = stack->next;
        free(stack);
    }
    free(stacks->copy);
    *stacks = (struct stacks){.first = NULL};
}

struct shale_stack *stacks_find(const struct stacks *stacks, uintptr_t address)
{
    struct shale_stack *stack = stacks->first;
    while (stack != NULL && address - stack->low >= stack->high - stack->low)
        stack = stack->next;
    return stack;
}

/* ---- AddressSanitizer ------------------------------------------------------------------------------ */

/* It can have local variables elsewhere than on the stack, to find uses after return. What is on the stack then is the address
 * of such a frame. */
#if defined(SHALE_ASAN)
static void note_fake(struct stacks *stacks)
{
    stacks->fake = __asan_get_current_fake_stack();
}

static SHALE_UNCHECKED void visit_fake(const struct stacks *stacks, const volatile uint64_t *from,
                                       const volatile uint64_t *to, words_function function, void *argument)
{
    for (; stacks->fake != NULL && from < to; from++) {
        void *start;
        void *end;
        // NOLINTNEXTLINE(performance-no-int-to-ptr)
        if (__asan_addr_is_in_fake_stack(stacks->fake, (void *)(uintptr_t)*from, &start, &end) != NULL)
            function(argument, start, end);
    }
}
#else
static void note_fake(struct stacks *stacks)
{
    (void)stacks;
}

static void visit_fake(const struct stacks *stacks, const volatile uint64_t *from,
                       const volatile uint64_t *to, words_function function, void *argument)
{
    (void)stacks;
    (void)from;
    (void)to;
    (void)function;
    (void)argument;
}
#endif

/* ---- where the thread is --------------------------------------------------------------------------- */

static void forget_stop(struct stacks *stacks)
{
    stacks->context[0] = (struct words){NULL, NULL};
    stacks->context[1] = (struct words){NULL, NULL};
    stacks->register_count = 0;
    stacks->copy_size = 0;
    note_fake(stacks);
}

struct spilled {
    struct stacks *stacks;
    uintptr_t frame; /* of the function that has all registers in its frame */
};

/* The compiler may neither look through the call, nor let the frame go before it. */
static __attribute__((noinline)) void with_registers(void (*function)(struct spilled *spilled),
                                                     struct spilled *spilled)
{
    __builtin_unwind_init();
    spilled->frame = (uintptr_t)__builtin_frame_address(0);
    function(spilled);
    __asm__ volatile("" : : "r"(spilled) : "memory");
}

static SHALE_UNCHECKED __attribute__((noinline)) void keep_registers(struct spilled *spilled)
{
    struct stacks *stacks = spilled->stacks;
    const volatile uint64_t *from = __builtin_frame_address(0);
    const volatile uint64_t *to = (const volatile uint64_t *)spilled->frame + 2;
    size_t count = 0;
    /* Were there more, those next to the frame's end are the registers. */
    if (to - from > STACK_REGISTERS_MAX)
        from = to - STACK_REGISTERS_MAX;
    for (; from < to; from++)
        stacks->registers[count++] = *from;
    stacks->register_count = count;
    stacks->stopped_at = spilled->frame;
}

void stacks_note(struct stacks *stacks)
{
    struct spilled spilled = {.stacks = stacks};
    forget_stop(stacks);
    with_registers(keep_registers, &spilled);
}

#if defined(__x86_64__)
/* The C library's type is larger than what the kernel fills in. */
static const size_t CONTEXT_SIZE = offsetof(ucontext_t, __fpregs_mem);

static uintptr_t stack_pointer(const ucontext_t *machine)
{
    return (uintptr_t)machine->uc_mcontext.gregs[REG_RSP];
}

/* The kernel says at the end of the legacy area how large all of it is, if there is more. */
static struct words vector_registers(const ucontext_t *machine)
{
    enum { LEGACY_SIZE = 512, SOFTWARE_OFFSET = 464 };
    static const uint32_t MAGIC = 0x46505853;
    const char *area = (const char *)machine->uc_mcontext.fpregs;
    if (area == NULL)
        return (struct words){NULL, NULL};
    const uint32_t *software = (const uint32_t *)(area + SOFTWARE_OFFSET);
    size_t size = software[0] == MAGIC ? software[1] : LEGACY_SIZE;
    return (struct words){(const uint64_t *)area, (const uint64_t *)(area + (size & ~(size_t)7))};
}
#else
static const size_t CONTEXT_SIZE = sizeof(ucontext_t);

static uintptr_t stack_pointer(const ucontext_t *machine)
{
#if defined(__aarch64__)
    return (uintptr_t)machine->uc_mcontext.sp;
#else
    return (uintptr_t)machine; /* below it, unless the handler has a stack of its own */
#endif
}

static struct words vector_registers(const ucontext_t *machine)
{
    (void)machine; /* they are part of it */
    return (struct words){NULL, NULL};
}
#endif

bool stacks_note_signal(struct stacks *stacks, const void *machine)
{
    const ucontext_t *context = machine;
    uintptr_t at = stack_pointer(context);
    if (stacks_find(stacks, at) == NULL)
        return false;
    forget_stop(stacks);
    stacks->stopped_at = at - RED_ZONE;
    if (stacks_find(stacks, stacks->stopped_at) == NULL)
        stacks->stopped_at = at;
    stacks->context[0] =
        (struct words){(const uint64_t *)context, (const uint64_t *)((const char *)context + CONTEXT_SIZE)};
    stacks->context[1] = vector_registers(context);
    return true;
}

static SHALE_UNCHECKED void copy_words(uint64_t *to, const volatile uint64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from[i];
}

bool stacks_copy(struct stacks *stacks)
{
    const struct shale_stack *stack = stacks_find(stacks, stacks->stopped_at);
    if (stack == NULL)
        return false;
    size_t size = stack->high - stacks->stopped_at;
    if (size > stacks->copy_capacity) {
        uint64_t *copy = realloc(stacks->copy, 2 * size);
        if (copy == NULL)
            return false;
        stacks->copy = copy;
        stacks->copy_capacity = 2 * size;
    }
    copy_words(stacks->copy, (const volatile uint64_t *)stacks->stopped_at, size / sizeof(uint64_t));
    stacks->copy_size = size;
    return true;
}

/* ---- looking at them ------------------------------------------------------------------------------- */

static void visit_words(const struct stacks *stacks, const volatile uint64_t *from,
                        const volatile uint64_t *to, words_function function, void *argument)
{
    function(argument, from, to);
    visit_fake(stacks, from, to, function, argument);
}

static void visit_range(const struct stacks *stacks, uintptr_t from, uintptr_t to, words_function function,
                        void *argument)
{
    from = round_up(from, sizeof(uint64_t));
    to &= ~(uintptr_t)(sizeof(uint64_t) - 1);
    if (from < to)
        visit_words(stacks, (const volatile uint64_t *)from, (const volatile uint64_t *)to, function,
                    argument);
}

void stacks_visit(const struct stacks *stacks, words_function function, void *argument)
{
    visit_words(stacks, stacks->registers, stacks->registers + stacks->register_count, function, argument);
    for (int i = 0; i < 2; i++) {
        if (stacks->context[i].from != NULL)
            visit_words(stacks, stacks->context[i].from, stacks->context[i].to, function, argument);
    }
    const struct shale_stack *current = stacks_find(stacks, stacks->stopped_at);
    for (const struct shale_stack *stack = stacks->first; stack != NULL; stack = stack->next) {
        if (stack != current) {
            uintptr_t from = stack->left_at != 0 ? stack->left_at : stack->low;
            /* How much of a thread's own stack may be touched is not known before it was left. */
            if (stack->left_at != 0 || stack != &stacks->own)
                visit_range(stacks, from, stack->high, function, argument);
        } else if (stacks->copy_size != 0) {
            visit_words(stacks, stacks->copy, stacks->copy + stacks->copy_size / sizeof(uint64_t), function,
                        argument);
        } else {
            visit_range(stacks, stacks->stopped_at, stack->high, function, argument);
        }
    }
}

/* ---- public ---------------------------------------------------------------------------------------- */

static shale_status check(struct mutator *mutator, const char *function)
{
    shale_status status = mutator_check(mutator, function);
    if (status == SHALE_OK && !mutator->local.bump.conservative)
        return mutator_misuse(mutator, SHALE_ERROR_MISUSE, function,
                              "the mutator's roots are exact; attach it with `conservative` set");
    return status;
}

shale_stack *shale_stack_register(shale_mutator *api, void *low, void *high)
{
    static const char function[] = "shale_stack_register";
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    if (check(mutator, function) != SHALE_OK)
        return NULL;
    if ((uintptr_t)low >= (uintptr_t)high || stacks_find(&mutator->stacks, (uintptr_t)low) != NULL ||
        stacks_find(&mutator->stacks, (uintptr_t)high - 1) != NULL) {
        mutator_misuse(mutator, SHALE_ERROR_ARGUMENT, function,
                       "the stack is empty, or overlaps one that is registered");
        return NULL;
    }
    struct shale_stack *stack = malloc(sizeof *stack);
    if (stack == NULL) {
        mutator_fail(mutator, SHALE_ERROR_MEMORY, "%s: there is no memory for another stack", function);
        return NULL;
    }
    *stack =
        (struct shale_stack){.next = mutator->stacks.first, .low = (uintptr_t)low, .high = (uintptr_t)high};
    mutator->stacks.first = stack;
    return stack;
}

shale_status shale_stack_unregister(shale_mutator *api, shale_stack *stack)
{
    static const char function[] = "shale_stack_unregister";
    INSIDE();
    struct mutator *mutator = mutator_of(api);
    shale_status status = check(mutator, function);
    if (status != SHALE_OK)
        return status;
    struct shale_stack **link = &mutator->stacks.first;
    while (*link != NULL && *link != stack)
        link = &(*link)->next;
    if (*link == NULL || stack == &mutator->stacks.own)
        return mutator_misuse(mutator, SHALE_ERROR_MISUSE, function, "this is no stack of the mutator");
    if (stacks_find(&mutator->stacks, (uintptr_t)__builtin_frame_address(0)) == stack)
        return mutator_misuse(mutator, SHALE_ERROR_MISUSE, function, "the thread runs on this stack");
    *link = stack->next;
    free(stack);
    return SHALE_OK;
}

struct leaving {
    struct spilled spilled;
    struct shale_stack *stack;
    void (*leave)(void *argument);
    void *argument;
};

/* The frame with the registers stays while the stack is left. */
static __attribute__((noinline)) void leave_stack(struct spilled *spilled)
{
    struct leaving *leaving = (struct leaving *)spilled;
    leaving->stack->left_at = (uintptr_t)__builtin_frame_address(0);
    INSIDE_ORDER();
    leaving->leave(leaving->argument);
}

static struct shale_stack *check_leaving(struct mutator *mutator)
{
    static const char function[] = "shale_stack_switch";
    INSIDE();
    if (check(mutator, function) != SHALE_OK)
        return NULL;
    struct shale_stack *stack = stacks_find(&mutator->stacks, (uintptr_t)__builtin_frame_address(0));
    if (stack == NULL)
        mutator_misuse(mutator, SHALE_ERROR_MISUSE, function,
                       "the thread runs on a stack that was not registered; register it first");
    return stack;
}

/* It is not inside while another stack runs: so the thread may be stopped there. */
shale_status shale_stack_switch(shale_mutator *api, void (*leave)(void *argument), void *argument)
{
    struct leaving leaving = {.stack = check_leaving(mutator_of(api)), .leave = leave, .argument = argument};
    if (leaving.stack == NULL)
        return SHALE_ERROR_MISUSE;
    with_registers(leave_stack, &leaving.spilled);
    return SHALE_OK;
}
