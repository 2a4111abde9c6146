#!/usr/bin/env python3
"""Writes a Lox program whose threads race on everything that they can, as follows from a seed.

Each thread does random things with the same few instances, classes, lists and variables: adds fields, very many of them, in orders
of its own, reads and overwrites them, calls methods, binds them, replaces instances and lists. Values may be lost that way, but whatever
it finds must be of a kind that somebody put there. The program prints "done" if so.

usage: races.py SEED [THREADS [STEPS]]
"""
import random
import sys

FIELDS = 90  # a shape holds 64
OBJECTS = 4
PART = 20  # statements in a function, which may have 256 constants

HEAD = """// expect: done
var wrong = 0;
fun check(found) { if (found == nil) wrong = wrong + 1; return found; }
class Thing { init(n) { this.f0 = n; } number() { return 7; } }
class Small { init(n) { this.f1 = n; this.f0 = n; } number() { return 8; } }
class Derived < Thing { init(n) { super.init(n); this.f5 = n; this.f2 = n; } number() { return super.number(); } }
var shared = list(0);"""


def statement(rng):
    here = f"o{rng.randrange(OBJECTS)}"
    field = f"f{rng.choice([rng.randrange(6), rng.randrange(20), rng.randrange(FIELDS)])}"
    kind = rng.randrange(100)
    if kind < 40:
        content = rng.choice(["id + i", '"s" + "t"', here, "shared", "check", "i == id"])
        return f"{here}.{field} = {content};"
    if kind < 52:
        return f"check({here}.f0);"
    if kind < 64:
        return f"check({here}.number() >= 7 and {here}.number() <= 8);"
    if kind < 70:
        return f"var m = {here}.number; check(m());"
    if kind < 75:
        return f"{here} = {rng.choice(['Thing', 'Small', 'Derived'])}(i);"
    if kind < 82:
        return f"shared.add({here});"
    if kind < 88:
        return f"shared.set(0, {here}); local = shared.get(0);"
    if kind < 92:
        return "if (shared.length() > 50) shared = list(0);"
    if kind < 95:
        return f"check(weak({here}).get());"
    return "class Inner < Derived { extra() { return 1; } } check(Inner(i).number());"


def main():
    seed = int(sys.argv[1])
    threads = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    steps = int(sys.argv[3]) if len(sys.argv) > 3 else 60
    rng = random.Random(seed)
    print(HEAD)
    for i in range(OBJECTS):
        print(f"var o{i} = Thing({i});")
    for thread in range(threads):
        print(f"fun work{thread}() {{\n  var id = {thread}000;\n  var local = nil;")
        parts = range(0, steps, PART)
        for part in parts:
            print(f"  fun part{part}(i) {{")
            for _ in range(PART):
                print(f"    {{ {statement(rng)} }}")
            print("  }")
        calls = " ".join(f"part{part}(i);" for part in parts)
        print(f"  for (var i = 0; i < 40; i = i + 1) {{ {calls} }}\n  return true;\n}}")
    print("var threads = list();")
    for thread in range(threads):
        print(f"threads.add(spawn(work{thread}));")
    print(f"for (var i = 0; i < {threads}; i = i + 1) if (threads.get(i).join() != true) wrong = wrong + 1;")
    print('if (wrong == 0) print "done"; else print wrong;')


main()
