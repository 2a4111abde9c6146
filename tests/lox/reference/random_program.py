"""Random Lox programs that nearly always run to their end, and quickly, for comparing two implementations.

Expressions are made for a wanted type, so that errors are rare; a few are of a wrong type on purpose. A type is "num", "str",
"bool", ("obj", class) or ("fn", number of parameters). Functions return numbers. Each loop and each call takes from the
global `fuel`, so that all ends. Text grows by a literal at a time.
"""
import random

NAMES = "abcdefgh"
STRINGS = ['"x"', '"yz"', '""', '"x"', '"lox"']
NUMBERS = ["0", "1", "2", "3", "0.5", "10", "100", "7", "1000000"]


class Class:
    def __init__(self, name, parent):
        self.name, self.parent = name, parent
        self.fields = dict(parent.fields) if parent else {}
        self.methods = dict(parent.methods) if parent else {"me": 0}
        self.arity = 0

    def is_a(self, other):
        return self is other or self.parent is not None and self.parent.is_a(other)


class Program:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.lines, self.indent = [], 0
        self.scopes = [{}]  # names to types, inner scopes last
        self.banned = []  # names whose initializer is being made
        self.this, self.functions = None, 0
        self.classes = []
        self.made = 0

    def text(self):
        self.line("var fuel = 2000;")
        for make in self.random.choices([self.class_declaration, self.function, self.variable, self.statement],
                                        weights=[3, 2, 3, 5], k=self.random.randint(6, 16)):
            make(3)
        for name, kind in self.scopes[0].items():
            if kind in ("num", "str", "bool"):
                self.line(f"print {name};")
        return "\n".join(self.lines) + "\n"

    # ---- small things ----

    def chance(self, percent):
        return self.random.random() * 100 < percent

    def line(self, text):
        self.lines.append("  " * self.indent + text)

    def fresh(self, prefix):
        self.made += 1
        return f"{prefix}{self.made}"

    def visible(self):
        names = {}
        for scope in self.scopes:
            names.update(scope)
        return {name: kind for name, kind in names.items() if name not in self.banned}

    def named(self, kind):
        """A visible variable that can be read as this type, or None."""
        def fits(other):
            if other == kind:
                return True
            return kind[0] == other[0] == "obj" and other[1].is_a(kind[1])
        names = [name for name, other in self.visible().items() if fits(other)]
        return self.random.choice(names) if names else None

    def objects(self):
        return [(name, kind[1]) for name, kind in self.visible().items() if kind[0] == "obj"] + \
            ([("this", self.this)] * 2 if self.this else [])

    def visible_classes(self):
        names = self.visible()
        return [class_ for class_ in self.classes if names.get(class_.name) == ("class", class_)]

    def arguments(self, count, depth):
        return ", ".join(self.expression("num", depth - 1) for _ in range(count))

    # ---- expressions ----

    def expression(self, kind, depth):
        if self.chance(0.15):
            kind = self.random.choice(["num", "str", "bool"])
        if kind[0] == "obj":
            return self.object(kind[1], depth)
        if kind[0] == "fn":
            return self.function_value(kind[1], depth)
        return {"num": self.number, "str": self.string, "bool": self.boolean}[kind](depth)

    def assigned(self, kind, depth):
        name = self.named(kind)
        if name is None or name == "fuel":
            return None
        return f"({name} = {self.expression(kind, depth - 1)})"

    def choose(self, *choices):
        """The first in a random order that gives something."""
        for choice in self.random.sample(choices, len(choices)):
            text = choice()
            if text is not None:
                return text
        return None

    def number(self, depth):
        if depth <= 0 or self.chance(15):
            return self.choose(lambda: self.named("num"), lambda: self.random.choice(NUMBERS), lambda: self.field("num"))
        return self.choose(
            lambda: f"({self.number(depth - 1)} {self.random.choice('+-*/+-')} {self.number(depth - 1)})",
            lambda: f"{self.number(depth - 1)} {self.random.choice('+-')} {self.number(0)}",
            lambda: f"-{self.number(depth - 1)}" if self.chance(40) else None,
            lambda: f"({self.boolean(depth - 1)} and {self.number(depth - 1)} or {self.number(depth - 1)})",
            lambda: self.assigned("num", depth), lambda: self.field("num"), lambda: self.invocation(depth),
            lambda: self.super_call(depth), lambda: self.call(depth), lambda: self.field_assigned(depth))

    def field(self, kind):
        choices = [f"{name}.{field}" for name, class_ in self.objects() for field, other in class_.fields.items()
                   if other == kind]
        return self.random.choice(choices) if choices else None

    def field_assigned(self, depth):
        field = self.field("num")
        return field and f"({field} = {self.number(depth - 1)})"

    def invocation(self, depth):
        objects = self.objects()
        if not objects:
            return None
        name, class_ = self.random.choice(objects)
        if self.chance(15) and class_ in self.visible_classes():
            name = self.object(class_, depth - 1)
        method, arity = self.random.choice(list(class_.methods.items()))
        if method == "me":
            return self.field("num")
        if self.chance(20):
            name += ".me()"
        return f"{name}.{method}({self.arguments(arity, depth)})"

    def super_call(self, depth):
        if self.this is None or self.this.parent is None:
            return None
        methods = [(name, arity) for name, arity in self.this.parent.methods.items() if name != "me"]
        if not methods:
            return None
        method, arity = self.random.choice(methods)
        if self.chance(30):
            return f"(super.{method})({self.arguments(arity, depth)})"
        return f"super.{method}({self.arguments(arity, depth)})"

    def call(self, depth):
        arity = self.random.randint(0, 3)
        name = self.named(("fn", arity))
        return name and f"{name}({self.arguments(arity, depth)})"

    def string(self, depth):
        if depth <= 0 or self.chance(40):
            return self.choose(lambda: self.named("str"), lambda: self.random.choice(STRINGS), lambda: self.field("str"))
        return self.choose(
            lambda: f"({self.named('str') or STRINGS[0]} + {self.random.choice(STRINGS)})",
            lambda: f"({self.random.choice(STRINGS)} + {self.named('str') or STRINGS[1]})",
            lambda: f"({self.boolean(depth - 1)} and {self.string(depth - 1)} or {self.string(depth - 1)})",
            lambda: self.assigned("str", 1))

    def boolean(self, depth):
        if depth <= 0:
            return self.choose(lambda: self.named("bool"), lambda: self.random.choice(["true", "false"]))
        compare = self.random.choice(["<", "<=", ">", ">=", "<", "=="])
        return self.choose(
            lambda: f"({self.number(depth - 1)} {compare} {self.number(depth - 1)})",
            lambda: f"({self.number(0)} {compare} {self.number(0)})",
            lambda: f"({self.anything(depth - 1)} {self.random.choice(['==', '!='])} {self.anything(depth - 1)})",
            lambda: f"!{self.boolean(depth - 1)}",
            lambda: f"({self.boolean(depth - 1)} {self.random.choice(['and', 'or'])} {self.boolean(depth - 1)})",
            lambda: self.assigned("bool", depth))

    def anything(self, depth):
        kinds = ["num", "str", "bool"] + [("obj", class_) for class_ in self.visible_classes()[-2:]] + [("fn", 1)]
        return "nil" if self.chance(15) else self.expression(self.random.choice(kinds), depth)

    def object(self, class_, depth):
        name = self.named(("obj", class_))
        if name and (depth <= 0 or self.chance(50)):
            return name
        if self.this is class_ and self.chance(50):
            return self.random.choice(["this", "this.me()"])
        if class_ in self.visible_classes():
            made = f"{class_.name}({self.arguments(class_.arity, min(depth, 1))})"
            return made + ".me()" if self.chance(10) else made
        return name or "nil"

    def function_value(self, arity, depth):
        choices = [f"{name}.{method}" for name, class_ in self.objects() for method, other in class_.methods.items()
                   if other == arity and method != "me"]
        name = self.named(("fn", arity))
        if name and (not choices or self.chance(50)):
            return name
        return self.random.choice(choices) if choices else name or "nil"

    # ---- statements ----

    def block(self, depth, first=(), count=None):
        """The statements of a new scope; `first` are lines that it begins with."""
        self.indent += 1
        for text in first:
            self.line(text)
        for _ in range(self.random.randint(1, 4) if count is None else count):
            self.statement(depth - 1)
        self.indent -= 1

    def scoped_block(self, depth, first=()):
        self.scopes.append({})
        self.block(depth, first)
        self.scopes.pop()

    def statement(self, depth):
        simple = [self.print_statement, self.variable, self.assignment, self.assignment, self.field_statement,
                  self.call_statement]
        nested = [self.if_statement, self.while_statement, self.for_statement, self.plain_block, self.function, self.function,
                  self.class_declaration]
        self.random.choice(simple if depth <= 0 or self.chance(55) else nested)(depth)

    def print_statement(self, _):
        self.line(f"print {self.expression(self.random.choice(['num', 'num', 'str', 'bool']), 3)};")

    def new_name(self):
        if len(self.scopes) == 1:
            return self.fresh("g")
        free = [name for name in NAMES if name not in self.scopes[-1]]
        return self.random.choice(free) if free else self.fresh("v")

    def variable(self, _):
        kinds = ["num", "num", "str", "bool"] + [("obj", class_) for class_ in self.visible_classes()]
        kinds += [("fn", self.random.randint(0, 2))] if self.named(("fn", 0)) or self.objects() else []
        kind, name = self.random.choice(kinds), self.new_name()
        self.banned.append(name)
        value = self.expression(kind, 2)
        self.banned.pop()
        if value == "nil":
            kind = "nil"
        self.line(f"var {name} = {value};")
        self.scopes[-1][name] = kind

    def assignment(self, depth):
        names = [(name, kind) for name, kind in self.visible().items()
                 if kind not in ("nil",) and kind[0] != "class" and name != "fuel"]
        if not names:
            return self.print_statement(depth)
        name, kind = self.random.choice(names)
        value = self.expression(kind, 3)
        if value not in ("nil", name):
            self.line(f"{name} = {value};")
        return None

    def field_statement(self, depth):
        objects = self.objects()
        if not objects:
            return self.variable(depth)
        name, class_ = self.random.choice(objects)
        if self.chance(10):
            self.line(f"{name}.{self.fresh('extra')} = {self.anything(1)};")
        elif class_.fields:
            field, kind = self.random.choice(list(class_.fields.items()))
            self.line(f"{name}.{field} = {self.expression(kind, 2)};")
        return None

    def call_statement(self, _):
        call = self.choose(lambda: self.call(2), lambda: self.invocation(2))
        self.line(f"{call};" if call else "print nil;")

    def if_statement(self, depth):
        self.line(f"if ({self.boolean(2)}) {{")
        self.scoped_block(depth)
        if self.chance(50):
            self.line("} else {")
            self.scoped_block(depth)
        self.line("}")

    def while_statement(self, depth):
        self.line(f"while (fuel > 0 and {self.boolean(2)}) {{")
        self.scoped_block(depth, ["fuel = fuel - 7;"])
        self.line("}")

    def for_statement(self, depth):
        self.scopes.append({})
        name = self.new_name()
        self.scopes[-1][name] = "num"
        step = "" if self.chance(10) else f"{name} = {name} + 1"
        self.line(f"for (var {name} = 0; {name} < {self.random.randint(1, 6)} and fuel > 0; {step}) {{")
        self.scoped_block(depth, ["fuel = fuel - 1;"] + ([f"{name} = {name} + 1;"] if not step else []))
        self.line("}")
        self.scopes.pop()

    def plain_block(self, depth):
        self.line("{")
        self.scoped_block(depth)
        self.line("}")

    def body(self, parameters, depth, returns=True, first=()):
        """Parameters and body of a function, from the parenthesis on, after the line's beginning `lines[-1]`."""
        self.lines[-1] += f"({', '.join(parameters)}) {{"
        self.scopes.append({name: "num" for name in parameters})
        banned, self.banned = self.banned, []
        self.functions += 1
        start = ["fuel = fuel - 1;"] + (["if (fuel < 0) return 0;"] if returns else [])
        self.block(depth, start + list(first))
        if returns:
            self.indent += 1
            if self.chance(20):
                self.line(f"if ({self.boolean(1)}) return {self.number(2)};")
            self.line(f"return {self.number(2)};")
            self.indent -= 1
        self.functions -= 1
        self.banned = banned
        self.scopes.pop()
        self.line("}")

    def parameters(self, count):
        return self.random.sample(NAMES, count)

    def function(self, depth):
        name, arity = self.new_name(), self.random.randint(0, 3)
        self.line(f"fun {name}")
        if self.chance(10):
            self.scopes[-1][name] = ("fn", arity)  # it may call itself
        self.body(self.parameters(arity), depth)
        self.scopes[-1][name] = ("fn", arity)
        if self.chance(30):
            self.line(f"print {name}({self.arguments(arity, 1)});")

    def class_declaration(self, depth):
        if len(self.classes) > 8:
            return self.function(depth)
        parents = self.visible_classes()
        parent = self.random.choice(parents) if parents and self.chance(60) else None
        class_ = Class(self.fresh("Class"), parent)
        self.classes.append(class_)
        self.line(f"class {class_.name}" + (f" < {parent.name} {{" if parent else " {"))
        self.scopes[-1][class_.name] = ("class", None)  # not to be made in its own methods
        outer, self.this = self.this, class_
        self.indent += 1
        self.initializer(class_, depth)
        if parent is None:
            self.line("me() { return this; }")
        for _ in range(self.random.randint(1, 3)):
            name = self.random.choice(["m", "n", "get", "step"])
            arity = class_.methods.get(name, self.random.randint(0, 2))
            self.line(name)
            self.body(self.parameters(arity), depth - 1)
            class_.methods[name] = arity
        self.indent -= 1
        self.line("}")
        self.this = outer
        self.scopes[-1][class_.name] = ("class", class_)
        return None

    def initializer(self, class_, depth):
        class_.arity = self.random.randint(0, 2)
        parameters = self.parameters(class_.arity)
        first = []
        if class_.parent:
            values = ", ".join(self.random.choice(parameters + NUMBERS[:4]) for _ in range(class_.parent.arity))
            first.append(f"super.init({values});")
        fields = self.random.sample(["x", "y", "z", "label", "flag"], self.random.randint(1, 4))
        for field in fields:
            kind = {"label": "str", "flag": "bool"}.get(field, "num")
            value = {"str": '"l"', "bool": "true"}.get(kind) or self.random.choice(parameters + NUMBERS[:4])
            first.append(f"this.{field} = {value};")
        for field in fields:
            class_.fields[field] = {"label": "str", "flag": "bool"}.get(field, "num")
        self.line("init")
        self.body(parameters, depth - 1, returns=False, first=first)
