"""Lox tokens to a tree, with the messages of the reference implementation, in its order.

That compiles to bytecode in one pass, and its limits are those of its bytecode. So the parser counts, for each function,
the constants and the bytes that it would have emitted, and goes on after an error where it does.

A tree is made of tuples: the name of the node, what belongs to it, and last the line of the token before the one at which
its instruction is emitted, which is the line that a trace shows. A variable is None and a name when it is global, or a Local.
"""
from scanner import tokens

PRECEDENCE = {"or": 2, "and": 3, "!=": 4, "==": 4, "<": 5, "<=": 5, ">": 5, ">=": 5, "+": 6, "-": 6, "*": 7, "/": 7,
              "(": 9, ".": 9}
ASSIGNMENT, OR, AND, UNARY = 1, 2, 3, 8
STATEMENT_STARTS = frozenset("class fun var for if while print return".split())


class Local:
    """A declaration of a local variable. `depth` is None until its initializer has been parsed."""

    def __init__(self, name, depth):
        self.name, self.depth = name, depth


class Function:
    """What is known of a function while it is parsed, and afterwards."""

    def __init__(self, enclosing, kind, name):
        self.enclosing, self.kind, self.name = enclosing, kind, name
        self.arity, self.parameters, self.body = 0, [], []
        self.captured = []  # the Locals of enclosing functions that it uses, in the order of their first use
        self.this = Local("this" if kind in ("method", "initializer") else "", 0)
        self.locals, self.depth = [self.this], 0
        self.constants = self.size = 0


class Parser:
    def __init__(self, source):
        self.source = tokens(source)
        self.errors, self.panic = [], False
        self.current = self.previous = None
        self.function = Function(None, "script", None)
        self.classes = []  # of each class around: whether it has a superclass

    def parse(self):
        """The script as a Function; its errors are in self.errors."""
        self.advance()
        while not self.match("end"):
            self.function.body.append(self.declaration())
        self.emit(2)
        return self.function

    # ---- tokens and errors ----

    def error_at(self, token, message):
        if self.panic:
            return
        self.panic = True
        where = {"end": " at end", "error": ""}.get(token.kind, f" at '{token.lexeme}'")
        self.errors.append(f"[line {token.line}] Error{where}: {message}")

    def error(self, message):
        self.error_at(self.previous, message)

    def advance(self):
        self.previous = self.current
        while True:
            self.current = next(self.source)
            if self.current.kind != "error":
                return
            self.error_at(self.current, self.current.lexeme)

    def check(self, kind):
        return self.current.kind == kind

    def match(self, kind):
        if not self.check(kind):
            return False
        self.advance()
        return True

    def consume(self, kind, message):
        if self.check(kind):
            self.advance()
        else:
            self.error_at(self.current, message)

    def synchronize(self):
        self.panic = False
        while not self.check("end"):
            if self.previous.kind == ";" or self.current.kind in STATEMENT_STARTS:
                return
            self.advance()

    # ---- what the bytecode would be ----

    def emit(self, size):
        self.function.size += size

    def constant(self):
        if self.function.constants >= 256:
            self.error("Too many constants in one chunk.")
        self.function.constants += 1

    def jump(self):
        self.emit(3)
        return self.function.size

    def patch(self, after_jump):
        if self.function.size - after_jump > 65535:
            self.error("Too much code to jump over.")

    def loop(self, start):
        self.emit(1)
        if self.function.size - start + 2 > 65535:
            self.error("Loop body too large.")
        self.emit(2)

    # ---- variables ----

    def begin_scope(self):
        self.function.depth += 1

    def end_scope(self):
        self.function.depth -= 1
        while self.function.locals and (self.function.locals[-1].depth or 0) > self.function.depth:
            self.function.locals.pop()
            self.emit(1)

    def add_local(self, name):
        if len(self.function.locals) == 256:
            self.error("Too many local variables in function.")
            return Local(name, None)
        local = Local(name, None)
        self.function.locals.append(local)
        return local

    def declare(self):
        """The Local that is declared by the token before, or None in the global scope."""
        if self.function.depth == 0:
            return None
        for local in reversed(self.function.locals):
            if local.depth is not None and local.depth < self.function.depth:
                break
            if local.name == self.previous.lexeme:
                self.error("Already a variable with this name in this scope.")
        return self.add_local(self.previous.lexeme)

    def declare_name(self, message):
        self.consume("identifier", message)
        local, name = self.declare(), self.previous.lexeme
        if self.function.depth == 0:
            self.constant()
        return local, name

    def initialized(self):
        if self.function.depth > 0:
            self.function.locals[-1].depth = self.function.depth

    def define(self):
        self.initialized()
        if self.function.depth == 0:
            self.emit(2)

    def resolve(self, function, name):
        """The Local of that name that code in `function` means, or None. What is not its own it captures."""
        for local in reversed(function.locals):
            if local.name == name:
                if local.depth is None:
                    self.error("Can't read local variable in its own initializer.")
                return local
        if function.enclosing is None:
            return None
        local = self.resolve(function.enclosing, name)
        if local is not None and local not in function.captured:
            if len(function.captured) == 256:
                self.error("Too many closure variables in function.")
            else:
                function.captured.append(local)
        return local

    def variable(self, name, can_assign):
        local = self.resolve(self.function, name)
        if local is None:
            self.constant()
        if can_assign and self.match("="):
            value = self.expression()
            self.emit(2)
            return "set", local, name, value, self.previous.line
        self.emit(2)
        return "get", local, name, self.previous.line

    # ---- expressions ----

    def expression(self):
        return self.at_least(ASSIGNMENT)

    def at_least(self, precedence):
        self.advance()
        can_assign = precedence <= ASSIGNMENT
        node = self.prefix(can_assign)
        if node is None:
            self.error("Expect expression.")
            return "literal", None, self.previous.line
        while precedence <= PRECEDENCE.get(self.current.kind, 0):
            self.advance()
            node = self.infix(node, can_assign)
        if can_assign and self.match("="):
            self.error("Invalid assignment target.")
        return node

    def prefix(self, can_assign):
        kind, lexeme = self.previous.kind, self.previous.lexeme
        if kind == "number" or kind == "string":
            self.constant()
            self.emit(2)
            return "literal", float(lexeme) if kind == "number" else lexeme[1:-1], self.previous.line
        if kind in ("nil", "true", "false"):
            self.emit(1)
            return "literal", {"nil": None, "true": True, "false": False}[kind], self.previous.line
        if kind == "identifier":
            return self.variable(lexeme, can_assign)
        if kind == "(":
            node = self.expression()
            self.consume(")", "Expect ')' after expression.")
            return node
        if kind in ("-", "!"):
            operand = self.at_least(UNARY)
            self.emit(1)
            return "unary", kind, operand, self.previous.line
        if kind == "this":
            if self.classes:
                return self.variable("this", False)
            self.error("Can't use 'this' outside of a class.")
            return "literal", None, self.previous.line
        if kind == "super":
            return self.super_expression()
        return None

    def infix(self, left, can_assign):
        kind = self.previous.kind
        if kind == "(":
            arguments = self.arguments()
            self.emit(2)
            return "call", left, arguments, self.previous.line
        if kind == ".":
            return self.property(left, can_assign)
        if kind == "and":
            over = self.jump()
            self.emit(1)
            right = self.at_least(AND)
            self.patch(over)
            return "and", left, right, self.previous.line
        if kind == "or":
            to_right = self.jump()
            over = self.jump()
            self.patch(to_right)
            self.emit(1)
            right = self.at_least(OR)
            self.patch(over)
            return "or", left, right, self.previous.line
        right = self.at_least(PRECEDENCE[kind] + 1)
        self.emit(2 if kind in ("!=", "<=", ">=") else 1)
        return "binary", kind, left, right, self.previous.line

    def arguments(self):
        arguments = []
        if not self.check(")"):
            while True:
                arguments.append(self.expression())
                if len(arguments) == 256:
                    self.error("Can't have more than 255 arguments.")
                if not self.match(","):
                    break
        self.consume(")", "Expect ')' after arguments.")
        return arguments

    def property(self, left, can_assign):
        self.consume("identifier", "Expect property name after '.'.")
        name = self.previous.lexeme
        self.constant()
        if can_assign and self.match("="):
            value = self.expression()
            self.emit(2)
            return "set property", left, name, value, self.previous.line
        if self.match("("):
            arguments = self.arguments()
            self.emit(3)
            return "invoke", left, name, arguments, self.previous.line
        self.emit(2)
        return "get property", left, name, self.previous.line

    def super_expression(self):
        if not self.classes:
            self.error("Can't use 'super' outside of a class.")
        elif not self.classes[-1]:
            self.error("Can't use 'super' in a class with no superclass.")
        self.consume(".", "Expect '.' after 'super'.")
        self.consume("identifier", "Expect superclass method name.")
        name = self.previous.lexeme
        self.constant()
        this, arguments = self.variable("this", False), None
        if self.match("("):
            arguments = self.arguments()
        superclass = self.variable("super", False)
        self.emit(2 if arguments is None else 3)
        return "super", this, superclass, name, arguments, self.previous.line

    # ---- statements ----

    def declaration(self):
        if self.match("class"):
            node = self.class_declaration()
        elif self.match("fun"):
            local, name = self.declare_name("Expect function name.")
            self.initialized()
            node = "function", local, name, self.function_body("function")
            self.define()
        elif self.match("var"):
            node = self.var_declaration()
        else:
            node = self.statement()
        if self.panic:
            self.synchronize()
        return node

    def var_declaration(self):
        local, name = self.declare_name("Expect variable name.")
        if self.match("="):
            value = self.expression()
        else:
            value = "literal", None, self.previous.line
            self.emit(1)
        self.consume(";", "Expect ';' after variable declaration.")
        self.define()
        return "var", local, name, value

    def function_body(self, kind):
        function = Function(self.function, kind, self.previous.lexeme)
        self.function = function
        self.begin_scope()
        self.consume("(", "Expect '(' after function name.")
        if not self.check(")"):
            while True:
                function.arity += 1
                if function.arity > 255:
                    self.error_at(self.current, "Can't have more than 255 parameters.")
                function.parameters.append(self.declare_name("Expect parameter name.")[0])
                self.define()
                if not self.match(","):
                    break
        self.consume(")", "Expect ')' after parameters.")
        self.consume("{", "Expect '{' before function body.")
        function.body = self.block()
        self.function = function.enclosing
        self.constant()
        self.emit(2 + 2 * len(function.captured))
        return function

    def class_declaration(self):
        self.consume("identifier", "Expect class name.")
        name = self.previous.lexeme
        self.constant()
        local = self.declare()
        self.emit(2)
        self.define()
        self.classes.append(False)
        superclass = super_local = line = None
        if self.match("<"):
            self.consume("identifier", "Expect superclass name.")
            superclass = self.variable(self.previous.lexeme, False)
            if self.previous.lexeme == name:
                self.error("A class can't inherit from itself.")
            self.begin_scope()
            super_local = self.add_local("super")
            self.define()
            self.variable(name, False)
            self.emit(1)
            self.classes[-1] = True
            line = self.previous.line
        self.variable(name, False)
        self.consume("{", "Expect '{' before class body.")
        methods = []
        while not self.check("}") and not self.check("end"):
            self.consume("identifier", "Expect method name.")
            self.constant()
            kind = "initializer" if self.previous.lexeme == "init" else "method"
            methods.append((self.previous.lexeme, self.function_body(kind)))
            self.emit(2)
        self.consume("}", "Expect '}' after class body.")
        self.emit(1)
        if self.classes.pop():
            self.end_scope()
        return "class", local, name, superclass, super_local, methods, line

    def block(self):
        statements = []
        while not self.check("}") and not self.check("end"):
            statements.append(self.declaration())
        self.consume("}", "Expect '}' after block.")
        return statements

    def statement(self):
        if self.match("print"):
            value = self.expression()
            self.consume(";", "Expect ';' after value.")
            self.emit(1)
            return "print", value
        if self.match("for"):
            return self.for_statement()
        if self.match("if"):
            return self.if_statement()
        if self.match("return"):
            return self.return_statement()
        if self.match("while"):
            return self.while_statement()
        if self.match("{"):
            self.begin_scope()
            statements = self.block()
            self.end_scope()
            return "block", statements
        value = self.expression()
        self.consume(";", "Expect ';' after expression.")
        self.emit(1)
        return "expression", value

    def condition(self, keyword):
        self.consume("(", f"Expect '(' after '{keyword}'.")
        condition = self.expression()
        self.consume(")", "Expect ')' after condition.")
        return condition

    def if_statement(self):
        condition, otherwise = self.condition("if"), None
        to_else = self.jump()
        self.emit(1)
        then = self.statement()
        to_end = self.jump()
        self.patch(to_else)
        self.emit(1)
        if self.match("else"):
            otherwise = self.statement()
        self.patch(to_end)
        return "if", condition, then, otherwise

    def while_statement(self):
        start = self.function.size
        condition = self.condition("while")
        out = self.jump()
        self.emit(1)
        body = self.statement()
        self.loop(start)
        self.patch(out)
        self.emit(1)
        return "while", condition, body, None

    def for_statement(self):
        self.begin_scope()
        self.consume("(", "Expect '(' after 'for'.")
        first = condition = step = out = None
        if self.match("var"):
            first = self.var_declaration()
        elif not self.match(";"):
            first = "expression", self.expression()
            self.consume(";", "Expect ';' after expression.")
            self.emit(1)
        start = self.function.size
        if not self.match(";"):
            condition = self.expression()
            self.consume(";", "Expect ';' after loop condition.")
            out = self.jump()
            self.emit(1)
        if not self.match(")"):
            to_body, step_start = self.jump(), self.function.size
            step = self.expression()
            self.emit(1)
            self.consume(")", "Expect ')' after for clauses.")
            self.loop(start)
            start = step_start
            self.patch(to_body)
        body = self.statement()
        self.loop(start)
        if out is not None:
            self.patch(out)
            self.emit(1)
        self.end_scope()
        loop = "while", condition or ("literal", True, 0), body, step
        return "block", [loop] if first is None else [first, loop]

    def return_statement(self):
        if self.function.kind == "script":
            self.error("Can't return from top-level code.")
        if self.match(";"):
            self.emit(3 if self.function.kind == "initializer" else 2)
            return "return", None
        if self.function.kind == "initializer":
            self.error("Can't return a value from an initializer.")
        value = self.expression()
        self.consume(";", "Expect ';' after return value.")
        self.emit(1)
        return "return", value
