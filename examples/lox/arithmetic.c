#include "arithmetic.h"

#include "errors.h"
#include "strings.h"
#include "thread.h"

bool add_values(struct thread *thread, value *to, const value *left, const value *right)
{
    if (is_number(*left) && is_number(*right)) {
        *to = from_number(to_number(*left) + to_number(*right));
        return true;
    }
    if (!is_string(*left) || !is_string(*right))
        return runtime_error(thread, "Operands must be two numbers or two strings.");
    struct string *joined = string_join(thread, to_pointer(*left), to_pointer(*right));
    if (joined == NULL)
        return out_of_memory(thread);
    *to = from_pointer(TAG_STRING, joined);
    return true;
}

bool check_numbers(struct thread *thread, value left, value right)
{
    return (is_number(left) && is_number(right)) || runtime_error(thread, "Operands must be numbers.");
}

bool check_number(struct thread *thread, value operand)
{
    return is_number(operand) || runtime_error(thread, "Operand must be a number.");
}
