#!/usr/bin/env python3
"""A slow Lox interpreter that walks the tree: what the bytecode VM is compared with.

usage: tests/lox/reference/lox.py SCRIPT      exit status 65, 70 and 74 as the VM's
"""
import math
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from parser import Parser  # noqa: E402

FRAMES = 64


class LoxError(Exception):
    """A runtime error; its text is the message."""


class Return(Exception):
    """A return statement on its way out of the function."""

    def __init__(self, value):
        super().__init__()
        self.value = value


class Cell:
    def __init__(self, value):
        self.value = value


class Closure:
    def __init__(self, function, cells):
        self.function, self.cells = function, cells


class Class:
    def __init__(self, name):
        self.name, self.methods = name, {}


class Instance:
    def __init__(self, class_):
        self.class_, self.fields = class_, {}


class Bound:
    def __init__(self, receiver, method):
        self.receiver, self.method = receiver, method


class Frame:
    def __init__(self, name, cells):
        self.name, self.cells, self.line = name, cells, 0


def number(value):
    return isinstance(value, float)


def truth(value):
    return value is not None and value is not False


def equal(left, right):
    """Values of different types differ; numbers and strings are equal by value, all else by identity."""
    if number(left) and number(right) or isinstance(left, str) and isinstance(right, str):
        return left == right
    return left is right


def divide(left, right):
    if right != 0:
        return left / right
    if left == 0 or math.isnan(left):
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1, right)


def text(value):
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if number(value):
        return "%g" % value
    if isinstance(value, str):
        return value
    if isinstance(value, Class):
        return value.name
    if isinstance(value, Instance):
        return value.class_.name + " instance"
    if isinstance(value, Closure):
        return f"<fn {value.function.name}>"
    if isinstance(value, Bound):
        return text(value.method)
    return "<native fn>"


class Interpreter:
    def __init__(self, output):
        self.output, self.frames = output, []
        self.globals = {"clock": time.process_time}

    def run(self, script):
        """None, or the lines of a runtime error."""
        self.frames = [Frame(None, {})]
        try:
            self.execute_all(script.body)
        except LoxError as error:
            return [str(error)] + [f"[line {frame.line}] in " + ("script" if frame.name is None else frame.name + "()")
                                   for frame in reversed(self.frames)]
        return None

    def fail(self, line, message):
        self.frames[-1].line = line
        raise LoxError(message)

    # ---- statements ----

    def execute_all(self, statements):
        for statement in statements:
            getattr(self, "do_" + statement[0])(*statement[1:])

    def define(self, local, name, value):
        if local is None:
            self.globals[name] = value
        else:
            self.frames[-1].cells[local] = Cell(value)

    def closure(self, function):
        cells = self.frames[-1].cells
        return Closure(function, {local: cells[local] for local in function.captured})

    def do_expression(self, value):
        self.evaluate(value)

    def do_print(self, value):
        self.output(text(self.evaluate(value)) + "\n")

    def do_var(self, local, name, value):
        self.define(local, name, self.evaluate(value))

    def do_function(self, local, name, function):
        self.define(local, name, None)  # so that it can capture itself
        closure = self.closure(function)
        if local is None:
            self.globals[name] = closure
        else:
            self.frames[-1].cells[local].value = closure

    def do_class(self, local, name, superclass, super_local, methods, line):
        class_ = Class(name)
        self.define(local, name, class_)
        if superclass is not None:
            parent = self.evaluate(superclass)
            if not isinstance(parent, Class):
                self.fail(line, "Superclass must be a class.")
            self.define(super_local, "super", parent)
            class_.methods.update(parent.methods)
        for method_name, function in methods:
            class_.methods[method_name] = self.closure(function)

    def do_block(self, statements):
        self.execute_all(statements)

    def do_if(self, condition, then, otherwise):
        if truth(self.evaluate(condition)):
            self.execute_all([then])
        elif otherwise is not None:
            self.execute_all([otherwise])

    def do_while(self, condition, body, step):
        while truth(self.evaluate(condition)):
            self.execute_all([body])
            if step is not None:
                self.evaluate(step)

    def do_return(self, value):
        raise Return(None if value is None else self.evaluate(value))

    # ---- expressions ----

    def evaluate(self, node):
        return getattr(self, "value_of_" + node[0].replace(" ", "_"))(*node[1:])

    def value_of_literal(self, value, _):
        return value

    def value_of_get(self, local, name, line):
        if local is not None:
            return self.frames[-1].cells[local].value
        if name not in self.globals:
            self.fail(line, f"Undefined variable '{name}'.")
        return self.globals[name]

    def value_of_set(self, local, name, value, line):
        result = self.evaluate(value)
        if local is not None:
            self.frames[-1].cells[local].value = result
        elif name not in self.globals:
            self.fail(line, f"Undefined variable '{name}'.")
        else:
            self.globals[name] = result
        return result

    def value_of_unary(self, operator, operand, line):
        value = self.evaluate(operand)
        if operator == "!":
            return not truth(value)
        if not number(value):
            self.fail(line, "Operand must be a number.")
        return -value

    def value_of_and(self, left, right, _):
        value = self.evaluate(left)
        return self.evaluate(right) if truth(value) else value

    def value_of_or(self, left, right, _):
        value = self.evaluate(left)
        return value if truth(value) else self.evaluate(right)

    def value_of_binary(self, operator, left_node, right_node, line):
        left, right = self.evaluate(left_node), self.evaluate(right_node)
        if operator == "==":
            return equal(left, right)
        if operator == "!=":
            return not equal(left, right)
        if operator == "+":
            if number(left) and number(right) or isinstance(left, str) and isinstance(right, str):
                return left + right
            self.fail(line, "Operands must be two numbers or two strings.")
        if not number(left) or not number(right):
            self.fail(line, "Operands must be numbers.")
        if operator in ("<=", ">="):  # by way of the opposite, which matters for what is not a number
            return not (left > right if operator == "<=" else left < right)
        return {"<": lambda: left < right, ">": lambda: left > right, "-": lambda: left - right,
                "*": lambda: left * right, "/": lambda: divide(left, right)}[operator]()

    def value_of_get_property(self, object_node, name, line):
        receiver = self.evaluate(object_node)
        if not isinstance(receiver, Instance):
            self.fail(line, "Only instances have properties.")
        if name in receiver.fields:
            return receiver.fields[name]
        return Bound(receiver, self.method(receiver.class_, name, line))

    def value_of_set_property(self, object_node, name, value_node, line):
        receiver, value = self.evaluate(object_node), self.evaluate(value_node)
        if not isinstance(receiver, Instance):
            self.fail(line, "Only instances have fields.")
        receiver.fields[name] = value
        return value

    def method(self, class_, name, line):
        if name not in class_.methods:
            self.fail(line, f"Undefined property '{name}'.")
        return class_.methods[name]

    def value_of_call(self, callee_node, argument_nodes, line):
        callee = self.evaluate(callee_node)
        return self.call(callee, [self.evaluate(argument) for argument in argument_nodes], line)

    def value_of_invoke(self, object_node, name, argument_nodes, line):
        receiver = self.evaluate(object_node)
        arguments = [self.evaluate(argument) for argument in argument_nodes]
        if not isinstance(receiver, Instance):
            self.fail(line, "Only instances have methods.")
        if name in receiver.fields:
            return self.call(receiver.fields[name], arguments, line)
        return self.enter(self.method(receiver.class_, name, line), receiver, arguments, line)

    def value_of_super(self, this_node, superclass_node, name, argument_nodes, line):
        this = self.evaluate(this_node)
        arguments = None if argument_nodes is None else [self.evaluate(argument) for argument in argument_nodes]
        method = self.method(self.evaluate(superclass_node), name, line)
        return Bound(this, method) if arguments is None else self.enter(method, this, arguments, line)

    def call(self, callee, arguments, line):
        if isinstance(callee, Closure):
            return self.enter(callee, None, arguments, line)
        if isinstance(callee, Bound):
            return self.enter(callee.method, callee.receiver, arguments, line)
        if isinstance(callee, Class):
            instance = Instance(callee)
            if "init" in callee.methods:
                return self.enter(callee.methods["init"], instance, arguments, line)
            if arguments:
                self.fail(line, f"Expected 0 arguments but got {len(arguments)}.")
            return instance
        if callee is time.process_time:
            return time.process_time()
        return self.fail(line, "Can only call functions and classes.")

    def enter(self, closure, receiver, arguments, line):
        function = closure.function
        if len(arguments) != function.arity:
            self.fail(line, f"Expected {function.arity} arguments but got {len(arguments)}.")
        if len(self.frames) == FRAMES:
            self.fail(line, "Stack overflow.")
        self.frames[-1].line = line
        cells = dict(closure.cells)
        cells[function.this] = Cell(receiver)
        for local, argument in zip(function.parameters, arguments):
            cells[local] = Cell(argument)
        self.frames.append(Frame(function.name, cells))
        value = None
        try:
            self.execute_all(function.body)
        except Return as returned:
            value = returned.value
        self.frames.pop()
        return receiver if function.kind == "initializer" else value


def run_source(source, output, errors):
    """The exit status. `source` has a character for each byte."""
    parser = Parser(source)
    script = parser.parse()
    if parser.errors:
        errors("".join(line + "\n" for line in parser.errors))
        return 65
    trace = Interpreter(output).run(script)
    if trace is not None:
        errors("".join(line + "\n" for line in trace))
        return 70
    return 0


def in_deep_thread(function):
    """Runs the function on a stack that is deep enough for trees that are."""
    result = []
    sys.setrecursionlimit(1000000)
    threading.stack_size(512 << 20)
    thread = threading.Thread(target=lambda: result.append(function()))
    thread.start()
    thread.join()
    return result[0] if result else 1


def main(arguments):
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: lox.py SCRIPT", file=sys.stderr)
        return 64
    try:
        with open(arguments[0], encoding="latin-1", newline="") as file:
            source = file.read()
    except OSError as error:
        step = "read" if isinstance(error, IsADirectoryError) else "open"
        print(f"Could not {step} file \"{arguments[0]}\".", file=sys.stderr)
        return 74

    def to(stream):
        return lambda string: stream.buffer.write(string.encode("latin-1"))

    return in_deep_thread(lambda: run_source(source, to(sys.stdout), to(sys.stderr)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
