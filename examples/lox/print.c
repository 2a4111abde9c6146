#include "print.h"

#include "extension.h"
#include "shape.h"
#include "thread.h"

#include <stdio.h>

static void print_text(struct thread *thread, const char *text)
{
    output_text(&thread->world->output, thread->mutator, text, strlen(text));
}

static void print_around(struct thread *thread, const char *before, struct string *name, const char *after)
{
    shale_frame frame;
    shale_frame_push(thread->mutator, &frame, &name, 1);
    print_text(thread, before);
    output_string(&thread->world->output, thread->mutator, name);
    print_text(thread, after);
    shale_frame_pop(thread->mutator, &frame);
}

static void print_function(struct thread *thread, const struct function *function)
{
    if (function->name == NULL)
        print_text(thread, "<script>");
    else
        print_around(thread, "<fn ", function->name, ">");
}

static void print_object(struct thread *thread, value word)
{
    switch (kind_of(word)) {
    case KIND_CLASS:
        print_around(thread, "", ((struct class *)to_pointer(word))->name, "");
        break;
    case KIND_BOUND_METHOD:
        print_function(thread, ((struct bound_method *)to_pointer(word))->method->function);
        break;
    case KIND_NATIVE:
        print_text(thread, "<native fn>");
        break;
    case KIND_FUNCTION:
        print_function(thread, to_pointer(word));
        break;
    case KIND_BOUND_NATIVE:
        print_text(thread, "<native fn>");
        break;
    case KIND_LIST:
        list_print(thread, word, 0);
        break;
    case KIND_THREAD:
        print_text(thread, "<thread>");
        break;
    case KIND_WEAK:
        print_text(thread, "<weak reference>");
        break;
    }
}

static void print_instance(struct thread *thread, const struct instance *instance)
{
    print_around(thread, "", shape_of(instance)->class->name, " instance");
}

static void print_number(struct thread *thread, double number)
{
    char text[32];
    snprintf(text, sizeof text, "%g", number);
    print_text(thread, text);
}

static void print_immediate(struct thread *thread, value word)
{
    print_text(thread, word == VALUE_NIL ? "nil" : word == VALUE_TRUE ? "true" : "false");
}

void print_value(struct thread *thread, value word)
{
    if (is_number(word))
        print_number(thread, to_number(word));
    else if (is_string(word))
        output_string(&thread->world->output, thread->mutator, to_pointer(word));
    else if (is_instance(word))
        print_instance(thread, to_pointer(word));
    else if (is_closure(word))
        print_function(thread, ((struct closure *)to_pointer(word))->function);
    else if (has_tag(word, TAG_OBJECT))
        print_object(thread, word);
    else
        print_immediate(thread, word);
}

void print_line(struct thread *thread, const value *word)
{
    world_lock(thread, LOCK_OUTPUT);
    print_value(thread, *word);
    output_line_end(&thread->world->output, thread->mutator);
    world_unlock(thread, LOCK_OUTPUT);
}
