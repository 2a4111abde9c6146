/*
 * The interpreter's loop.
 *
 * `ip`, `R` and `K` point to memory that does not move, so nothing has to be fetched again after a collection but what came
 * out of registers. Operands are read from registers where they are used, and again after whatever may collect.
 *
 * One function, and macros in it: the compiler keeps the machine's state in registers and each instruction ends in a jump
 * of its own, which the processor predicts by itself.
 */
#include "vm.h"

#include "arithmetic.h"
#include "call.h"
#include "errors.h"
#include "print.h"
#include "property.h"
#include "shape.h"
#include "thread.h"

#pragma GCC diagnostic ignored "-Wpedantic" /* labels as values */

/* What follows an instruction begins at ip when it runs. */
#define CASE(name) label_##name:
#define NEXT()                      \
    do {                            \
        i = &ip->instruction;       \
        ip++;                       \
        goto *labels[i->operation]; \
    } while (0)
/* Notes where the thread is, for who reports an error or a trace. */
#define AT() (thread->call->ip = ip)
#define CHECK(done)                  \
    do {                             \
        if (SHALE_UNLIKELY(!(done))) \
            goto failed;             \
    } while (0)

/* In each round of a loop and at each call. The fuzz target bounds how many of them there are. */
#ifdef LOX_BUDGET
#define POLL()                     \
    do {                           \
        if (thread->budget-- == 0) \
            goto failed;           \
        shale_poll(mutator);       \
    } while (0)
#else
#define POLL() shale_poll(mutator)
#endif

#define ARITHMETIC(result_of, right, check)                            \
    do {                                                               \
        double result = to_number(R[i->b]) result_of to_number(right); \
        if (SHALE_UNLIKELY(result != result)) {                        \
            AT();                                                      \
            CHECK(check);                                              \
        }                                                              \
        R[i->a] = from_number(result);                                 \
        NEXT();                                                        \
    } while (0)

/* Jumps if `left` compares with `right`, which are numbers, as it should. */
#define JUMP_COMPARED(left, compare, right, expected)            \
    do {                                                         \
        value l = (left), r = (right);                           \
        if (SHALE_UNLIKELY(!is_number(l) || !is_number(r))) {    \
            AT();                                                \
            CHECK(check_numbers(thread, l, r));                  \
        }                                                        \
        if ((to_number(l) compare to_number(r)) == (expected)) { \
            ip += i->near;                                       \
            POLL();                                              \
        }                                                        \
        NEXT();                                                  \
    } while (0)

#define JUMP_EQUAL(right, expected)                         \
    do {                                                    \
        if (values_equal(R[i->a], (right)) == (expected)) { \
            ip += i->near;                                  \
            POLL();                                         \
        }                                                   \
        NEXT();                                             \
    } while (0)

static bool run(struct thread *thread, const struct call *outermost, value *window, struct closure *closure)
{
#define LABEL(name) (const void *)&&label_##name,
    static const void *const labels[] = {OPERATIONS(LABEL)};
#undef LABEL
    shale_mutator *mutator = thread->mutator;
    const struct types *types = &thread->world->types;
    const struct instruction *i;
    const union word *ip = NULL;
    value *R = NULL, *K = NULL;
    unsigned count = 0;
    bool call_failed;
    goto enter;

    CASE(MOVE)
    R[i->a] = R[i->b];
    NEXT();

    CASE(CONSTANT)
    R[i->a] = K[i->b];
    NEXT();

    CASE(IMMEDIATE)
    R[i->a] = VALUE_IMMEDIATE | (uint32_t)i->offset;
    NEXT();

    CASE(GET_GLOBAL)
    {
        value content = load_word(&((struct global *)to_pointer(K[i->b]))->content);
        if (SHALE_UNLIKELY(content == VALUE_UNDEFINED))
            goto undefined_variable;
        R[i->a] = content;
        NEXT();
    }

    CASE(SET_GLOBAL)
    {
        struct global *global = to_pointer(K[i->b]);
        if (SHALE_UNLIKELY(load_word(&global->content) == VALUE_UNDEFINED))
            goto undefined_variable;
        shale_store_value(mutator, global, &global->content, R[i->a]);
        NEXT();
    }

    CASE(DEFINE_GLOBAL)
    {
        struct global *global = to_pointer(K[i->b]);
        shale_store_value(mutator, global, &global->content, R[i->a]);
        NEXT();
    }

    CASE(GET_CAPTURED)
    R[i->a] = load_word(&thread->call->closure->cells[i->b]->content);
    NEXT();

    CASE(SET_CAPTURED)
    {
        struct cell *cell = thread->call->closure->cells[i->b];
        shale_store_value(mutator, cell, &cell->content, R[i->a]);
        NEXT();
    }

    CASE(NEW_CELL)
    AT();
    CHECK(make_cell(thread, &R[i->a], &R[i->a]));
    NEXT();

    CASE(NEW_EMPTY_CELL)
    AT();
    R[i->a] = VALUE_NIL;
    CHECK(make_cell(thread, &R[i->a], &R[i->a]));
    NEXT();

    CASE(GET_CELL)
    R[i->a] = load_word(&((struct cell *)to_pointer(R[i->b]))->content);
    NEXT();

    CASE(SET_CELL)
    {
        struct cell *cell = to_pointer(R[i->b]);
        shale_store_value(mutator, cell, &cell->content, R[i->a]);
        NEXT();
    }

    CASE(ADD)
    {
        double sum = to_number(R[i->b]) + to_number(R[i->c]);
        if (SHALE_UNLIKELY(sum != sum)) {
            AT();
            CHECK(add_values(thread, &R[i->a], &R[i->b], &R[i->c]));
        } else {
            R[i->a] = from_number(sum);
        }
        NEXT();
    }

    CASE(ADD_CONSTANT)
    {
        double sum = to_number(R[i->b]) + to_number(K[i->c]);
        if (SHALE_UNLIKELY(sum != sum)) {
            AT();
            CHECK(add_values(thread, &R[i->a], &R[i->b], &K[i->c]));
        } else {
            R[i->a] = from_number(sum);
        }
        NEXT();
    }

    CASE(SUBTRACT)
    ARITHMETIC(-, R[i->c], check_numbers(thread, R[i->b], R[i->c]));
    CASE(MULTIPLY)
    ARITHMETIC(*, R[i->c], check_numbers(thread, R[i->b], R[i->c]));
    CASE(DIVIDE)
    ARITHMETIC(/, R[i->c], check_numbers(thread, R[i->b], R[i->c]));
    CASE(SUBTRACT_CONSTANT)
    ARITHMETIC(-, K[i->c], check_numbers(thread, R[i->b], K[i->c]));
    CASE(MULTIPLY_CONSTANT)
    ARITHMETIC(*, K[i->c], check_numbers(thread, R[i->b], K[i->c]));
    CASE(DIVIDE_CONSTANT)
    ARITHMETIC(/, K[i->c], check_numbers(thread, R[i->b], K[i->c]));

    CASE(NEGATE)
    {
        value operand = R[i->b];
        if (SHALE_UNLIKELY(!is_number(operand))) {
            AT();
            CHECK(check_number(thread, operand));
        }
        R[i->a] = from_number(-to_number(operand));
        NEXT();
    }

    CASE(NOT)
    R[i->a] = from_boolean(is_falsey(R[i->b]));
    NEXT();

    CASE(EQUAL)
    R[i->a] = from_boolean(values_equal(R[i->b], R[i->c]));
    NEXT();

    CASE(NOT_EQUAL)
    R[i->a] = from_boolean(!values_equal(R[i->b], R[i->c]));
    NEXT();

    CASE(LESS)
    {
        value l = R[i->b], r = R[i->c];
        if (SHALE_UNLIKELY(!is_number(l) || !is_number(r))) {
            AT();
            CHECK(check_numbers(thread, l, r));
        }
        R[i->a] = from_boolean(to_number(l) < to_number(r));
        NEXT();
    }

    CASE(NOT_LESS)
    {
        value l = R[i->b], r = R[i->c];
        if (SHALE_UNLIKELY(!is_number(l) || !is_number(r))) {
            AT();
            CHECK(check_numbers(thread, l, r));
        }
        R[i->a] = from_boolean(!(to_number(l) < to_number(r)));
        NEXT();
    }

    CASE(JUMP)
    ip += i->offset;
    NEXT();

    CASE(LOOP)
    ip += i->offset;
    POLL();
    NEXT();

    CASE(JUMP_IF_FALSE)
    if (is_falsey(R[i->a]))
        ip += i->offset;
    NEXT();

    CASE(JUMP_IF_TRUE)
    if (!is_falsey(R[i->a])) {
        ip += i->offset;
        POLL();
    }
    NEXT();

    CASE(JUMP_IF_EQUAL)
    JUMP_EQUAL(R[i->b], true);
    CASE(JUMP_IF_NOT_EQUAL)
    JUMP_EQUAL(R[i->b], false);
    CASE(JUMP_IF_LESS)
    JUMP_COMPARED(R[i->a], <, R[i->b], true);
    CASE(JUMP_IF_NOT_LESS)
    JUMP_COMPARED(R[i->a], <, R[i->b], false);
    CASE(JUMP_IF_EQUAL_CONSTANT)
    JUMP_EQUAL(K[i->b], true);
    CASE(JUMP_IF_NOT_EQUAL_CONSTANT)
    JUMP_EQUAL(K[i->b], false);
    CASE(JUMP_IF_LESS_CONSTANT)
    JUMP_COMPARED(R[i->a], <, K[i->b], true);
    CASE(JUMP_IF_NOT_LESS_CONSTANT)
    JUMP_COMPARED(R[i->a], <, K[i->b], false);
    CASE(JUMP_IF_GREATER_CONSTANT)
    JUMP_COMPARED(R[i->a], >, K[i->b], true);
    CASE(JUMP_IF_NOT_GREATER_CONSTANT)
    JUMP_COMPARED(R[i->a], >, K[i->b], false);

    CASE(CALL)
    count = i->b;
    window = &R[i->a];
    AT();
    if (SHALE_LIKELY(is_closure(*window))) {
        closure = to_pointer(*window);
        goto enter;
    }
    if (is_kind(*window, KIND_CLASS)) {
        struct class *class = to_pointer(*window);
        uint32_t capacity = load_half(&class->capacity);
        struct instance *instance =
            load_half(&class->young) > 0 ? NULL : shale_allocate_array(mutator, types->instance, capacity);
        if (SHALE_LIKELY(instance != NULL)) {
            class = to_pointer(*window);
            instance->shape = load_pointer(&class->root);
            instance->id = load_half(&class->root_id);
            instance->limit = capacity;
            *window = from_pointer(TAG_INSTANCE, instance);
            value initializer = load_word(&class->initializer);
            if (SHALE_LIKELY(initializer != VALUE_NIL)) {
                closure = to_pointer(initializer);
                goto enter;
            }
            CHECK(count == 0 || call_wrong_count(thread, 0, count));
            NEXT();
        }
    }
call_value:
    closure = call_prepare(thread, window, count, &call_failed);
    if (closure != NULL)
        goto enter;
    CHECK(!call_failed);
    NEXT();

    CASE(INVOKE)
    {
        count = i->b;
        window = &R[i->a];
        AT();
        if (SHALE_LIKELY(is_instance(*window))) {
            const struct instance *instance = to_pointer(*window);
            const struct method_cache *cache = load_pointer(&K[i->c + 1]);
            if (SHALE_LIKELY(cache->id == shape_id_of(instance))) {
                closure = cache->method;
                goto enter;
            }
        }
        closure = property_find_method(thread, R, i, &call_failed);
        if (SHALE_LIKELY(closure != NULL))
            goto enter;
        CHECK(!call_failed);
        goto call_value;
    }

    CASE(INVOKE_SUPER)
    {
        const struct class *super = to_pointer(R[ip->extra]);
        const struct method_cache *cache = load_pointer(&K[i->c + 1]);
        count = i->b;
        window = &R[i->a];
        ip++;
        AT();
        if (SHALE_LIKELY(cache->id == load_half(&super->root_id))) {
            closure = cache->method;
            goto enter;
        }
        closure = property_find_super_method(thread, i, &R[ip[-1].extra], &call_failed);
        CHECK(!call_failed);
        goto enter;
    }

enter : {
    const struct function *function = closure->function;
    struct call *call = thread->call;
    value *top = window + function->registers;
    if (SHALE_UNLIKELY(function->arity != count || call == &thread->calls[CALLS_MAX] ||
                       top > thread->touched))
        CHECK(call_check(thread, function, window, count));
    call++;
    call->closure = closure;
    call->base = R = window;
    call->constants = K = function->constants;
    call->top = top;
    ip = function->code;
    call->ip = ip;
    thread->call = call;
    POLL();
    NEXT();
}

    CASE(RETURN)
    R[0] = R[i->a];
    goto leave;

    CASE(RETURN_NIL)
    R[0] = VALUE_NIL;
leave : {
    struct call *call = --thread->call;
    if (SHALE_UNLIKELY(call == outermost))
        return true;
    ip = call->ip;
    R = call->base;
    K = call->constants;
    NEXT();
}

    CASE(CLOSURE)
    {
        const union word *captures = ip;
        ip += i->c;
        AT();
        CHECK(make_closure(thread, R, i, captures));
        NEXT();
    }

    CASE(CLASS)
    AT();
    CHECK(make_class(thread, &R[i->a], K[i->b]));
    NEXT();

    CASE(INHERIT)
    AT();
    CHECK(class_inherit(thread, &R[i->a], &R[i->b]));
    NEXT();

    CASE(METHOD)
    AT();
    CHECK(class_add_method(thread, &R[i->a], K[i->c], R[i->b]));
    NEXT();

    CASE(GET_FIELD)
    {
        value receiver = R[i->b];
        if (SHALE_LIKELY(is_instance(receiver))) {
            const struct instance *instance = to_pointer(receiver);
            uint64_t cache = __atomic_load_n(&ip->bits, __ATOMIC_RELAXED);
            if (SHALE_LIKELY((uint32_t)cache == shape_id_of(instance))) {
                size_t slot = cache >> 32, limit = instance->limit;
                ip++;
                if (SHALE_LIKELY(slot < limit))
                    R[i->a] = load_word(&instance->slots[slot]);
                else
                    R[i->a] = load_word(
                        &((const struct extension *)load_pointer(&instance->shape))->slots[slot - limit]);
                NEXT();
            }
        }
        ip++;
        AT();
        CHECK(property_get(thread, R, i, (union word *)&ip[-1]));
        NEXT();
    }

    CASE(SET_FIELD)
    {
        value receiver = R[i->a];
        if (SHALE_LIKELY(is_instance(receiver))) {
            struct instance *instance = to_pointer(receiver);
            uint64_t cache = __atomic_load_n(&ip->bits, __ATOMIC_RELAXED);
            if (SHALE_LIKELY((uint32_t)cache == shape_id_of(instance))) {
                size_t slot = cache >> 32, limit = instance->limit;
                ip++;
                if (SHALE_LIKELY(slot < limit)) {
                    shale_store_value(mutator, instance, &instance->slots[slot], R[i->b]);
                } else {
                    struct extension *more = load_pointer(&instance->shape);
                    shale_store_value(mutator, more, &more->slots[slot - limit], R[i->b]);
                }
                NEXT();
            }
            const struct field_cache *step = load_pointer(&K[i->c + 1]);
            if (SHALE_LIKELY(thread->alone && step->id == instance->id && step->slot < instance->limit)) {
                shale_store_value(mutator, instance, &instance->slots[step->slot], R[i->b]);
                shale_store(mutator, instance, &instance->shape, step->shape);
                instance->id = step->next_id;
                ip++;
                NEXT();
            }
        }
        ip++;
        AT();
        CHECK(property_set(thread, R, i, (union word *)&ip[-1]));
        NEXT();
    }

    CASE(GET_SUPER)
    AT();
    CHECK(property_get_super(thread, R, i));
    NEXT();

    CASE(PRINT)
    print_line(thread, &R[i->a]);
    NEXT();

undefined_variable:
    AT();
    runtime_error_name(thread, "Undefined variable '", ((struct global *)to_pointer(K[i->b]))->name, "'.");
failed:
    return false;
}

static value *free_window(const struct thread *thread)
{
    return thread->call == thread->calls ? thread->registers : thread->call->top;
}

bool vm_run(struct thread *thread, struct closure *closure)
{
    struct call *outermost = thread->call;
    value *window = free_window(thread);
    /* Where the callee is read from by a trace of its own is its call; register 0 must be a value, though. */
    window[0] = from_pointer(TAG_CLOSURE, closure);
    bool done = run(thread, outermost, window, closure);
    thread->call = outermost;
    return done;
}

bool vm_call(struct thread *thread, value callee, value *result)
{
    struct call *outermost = thread->call;
    value *window = free_window(thread);
    bool failed = false;
    window[0] = callee;
    struct closure *closure = call_prepare(thread, window, 0, &failed);
    bool done = !failed && (closure == NULL || run(thread, outermost, window, closure));
    thread->call = outermost;
    *result = window[0];
    return done;
}
