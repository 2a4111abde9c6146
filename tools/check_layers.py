#!/usr/bin/env python3
"""Checks what the compiler does not: which layer may include which, and who may make which system call.

    tools/check_layers.py [ROOT]      one sentence for each violation; exit status 1 when there is one
    tools/check_layers.py --self-test plants every kind of violation in a temporary tree and expects it found

The rules (the reasons are in the design notes):
  - includes go down only: runtime -> gc -> heap; include/ needs the C standard library and itself only
  - examples use only <shale/...> and the system's headers
  - system calls about memory and userfaultfd are made in the os port only, see SYSTEM_CALL_FILES
  - atomics go through one header: libatomic_ops is included in one place, and nothing goes around it
  - SHALE_DEBUG and SHALE_HAVE_VALGRIND are defined or not: #if on their value would compile in one preset only
"""
import os
import re
import sys
import tempfile

LAYERS = ["heap", "gc", "runtime"]  # from the bottom up

# Files that may name the calls below, each with the reason.
SYSTEM_CALL_FILES = {
    "heap/os_linux.c": "it is the os port",
    "heap/os_linux_writes.c": "it is a part of the os port",
}

SYSTEM_CALLS = re.compile(
    r"\b(mmap|mmap64|mremap|munmap|madvise|process_madvise|mprotect|pkey_mprotect|memfd_create"
    r"|userfaultfd|ioctl)\s*\(|\b((?:SYS|__NR)_(?:userfaultfd|mmap|mremap|munmap|madvise|mprotect"
    r"|memfd_create))\b|\b(UFFDIO_\w+|UFFD_\w+)\b")
AROUND_ATOMICS = re.compile(r"\b(__atomic_\w+|__sync_\w+|_Atomic|atomic_(?:load|store|fetch|exchange)\w*)\b")
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"]+)[>"]', re.M)
SWITCHES = r"(SHALE_DEBUG|SHALE_HAVE_VALGRIND)\b"
VALUE_TEST = re.compile(r"^[ \t]*#[ \t]*(?:el)?if[ \t(!](?:[^\n]*[^\w\n])??(?<!defined\()(?<!defined )" + SWITCHES, re.M)
COMMENT_OR_STRING = re.compile(
    r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|' r"'(?:\\.|[^'\\\n])*'", re.S)

STANDARD_HEADERS = {
    name + ".h" for name in (
        "assert complex ctype errno fenv float inttypes iso646 limits locale math setjmp signal stdalign"
        " stdarg stdbool stddef stdint stdio stdlib stdnoreturn string tgmath time uchar wchar wctype"
    ).split()}


def blank(match):
    """Spaces instead of the text, so that line numbers stay right."""
    return re.sub(r"[^\n]", " ", match.group(0))


def without_comments(text):
    return COMMENT_OR_STRING.sub(lambda m: blank(m) if m.group(0)[0] == "/" else m.group(0), text)


def without_strings(text):
    return COMMENT_OR_STRING.sub(lambda m: m.group(0) if m.group(0)[0] == "/" else blank(m), text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


def sources(root, folder):
    for place, folders, names in os.walk(os.path.join(root, folder)):
        folders.sort()
        for name in sorted(names):
            if name.endswith((".c", ".h", ".cc")):
                yield os.path.relpath(os.path.join(place, name), root)


def include_problem(path, bracket, name):
    """The sentence that says why `path` must not include `name`, or None."""
    layer, target = path.split("/")[0], name.split("/")[0]
    if layer in LAYERS:
        if target in LAYERS and LAYERS.index(target) > LAYERS.index(layer):
            return f"{layer}/ lies below {target}/ and must not include {name}"
        if target in ("tests", "bench", "examples"):
            return f"the library must not include {name}"
        if bracket == '"' and target not in LAYERS:
            return f'"{name}" must be written from the root ("{layer}/...") or, if public, as <shale/...>'
    elif layer == "include" and target != "shale" and name not in STANDARD_HEADERS:
        return f"public headers use the C standard library and <shale/...> only, not {name}"
    elif layer == "examples" and (target in LAYERS + ["tests", "bench"] or ".." in name.split("/")):
        return f"examples use <shale/...> only, not {name}"
    return None


def check_file(root, path, atomics_users):
    with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
        text = without_comments(file.read())
    library = path.split("/")[0] in LAYERS
    for match in INCLUDE.finditer(text):
        problem = include_problem(path, match.group(1), match.group(2))
        if problem:
            yield line_of(text, match.start()), problem
        if library and match.group(2).startswith("atomic_ops"):
            atomics_users.append((path, line_of(text, match.start())))
        if library and match.group(2) == "stdatomic.h":
            yield line_of(text, match.start()), "atomics go through the typed header, not <stdatomic.h>"
    for match in VALUE_TEST.finditer(text):
        yield line_of(text, match.start()), f"{match.group(1)} is defined or not: test it with #ifdef"
    if not library:
        return
    code = without_strings(text)
    if path not in SYSTEM_CALL_FILES:
        for match in SYSTEM_CALLS.finditer(code):
            call = next(group for group in match.groups() if group)
            yield line_of(code, match.start()), f"{call} belongs in the os port, heap/os_linux.c"
    for match in AROUND_ATOMICS.finditer(code):
        yield (line_of(code, match.start()),
               f"{match.group(1)} goes around the typed header over libatomic_ops")


def check(root):
    problems, atomics_users = [], []
    for folder in LAYERS + ["include", "examples", "tests", "bench"]:
        for path in sources(root, folder):
            for line, problem in check_file(root, path, atomics_users):
                problems.append(f"{path}:{line}: {problem}.")
    for path, line in atomics_users[1:]:
        first = atomics_users[0][0]
        problems.append(f"{path}:{line}: libatomic_ops is included in {first} already, use that header.")
    return problems


GOOD = {
    "include/shale/shale.h": "#include <stdint.h>\n#include <shale/inline.h>\n",
    "heap/atomics.h": "#include <atomic_ops.h>\n",
    "heap/os_linux.c": '#include "heap/atomics.h"\nvoid *f(void) { return mmap(0); }\n',
    "heap/os.h": '/* mmap() is called elsewhere; #include "gc/plan.h" is not one */\n#ifdef SHALE_DEBUG\n#endif\n'
                 '#if defined(SHALE_DEBUG) && !defined(SHALE_HAVE_VALGRIND)\n#endif\n',
    "gc/plan.c": '#include "heap/os.h"\nstatic const char *text = "mmap() failed"; // madvise()\n',
    "runtime/heap.c": '#include <shale/shale.h>\n#include "gc/plan.h"\n#include "heap/os.h"\n',
    "examples/one/one.c": '#include <shale/shale.h>\n#include "words.h"\n#include <unistd.h>\n',
    "tests/unit/test_plan.c": '#include "gc/plan.h"\nvoid *f(void) { return mmap(0); }\n',
}
BAD = {  # a path, its text, a part of the sentence that is expected
    "heap includes gc": ("heap/a.c", '#include "gc/plan.h"\n', "heap/ lies below gc/"),
    "heap includes runtime": ("heap/a.c", ' # include "runtime/b.h"\n', "heap/ lies below runtime/"),
    "gc includes runtime": ("gc/a.h", '#include "runtime/b.h"\n', "gc/ lies below runtime/"),
    "library includes tests": ("gc/a.c", '#include "tests/support/b.h"\n', "must not include tests/"),
    "include not from the root": ("gc/a.c", '#include "plan.h"\n', "from the root"),
    "public includes internal": ("include/shale/a.h", '#include "heap/os.h"\n', "not heap/os.h"),
    "public includes a system header": ("include/shale/a.h", "#include <unistd.h>\n", "not unistd.h"),
    "example includes internal": ("examples/b/a.c", '#include "gc/plan.h"\n', "not gc/plan.h"),
    "example climbs out": ("examples/b/a.c", '#include "../../gc/plan.h"\n', "not ../../gc"),
    "mmap outside the port": ("gc/a.c", "void f(void)\n{\n    munmap (0, 1);\n}\n", "gc/a.c:3: munmap"),
    "userfaultfd outside the port": ("heap/a.c", "int f = UFFDIO_CONTINUE;\n", "UFFDIO_CONTINUE belongs"),
    "number of the call": ("runtime/a.c", "int f = SYS_userfaultfd;\n", "SYS_userfaultfd belongs"),
    "second user of libatomic_ops": ("runtime/a.c", "#include <atomic_ops.h>\n", "already, use that"),
    "C11 atomics": ("heap/a.c", "#include <stdatomic.h>\n", "not <stdatomic.h>"),
    "compiler's atomics": ("gc/a.c", "int f(int *a) { return __atomic_load_n(a, 0); }\n", "goes around"),
    "value of a switch": ("gc/a.c", "#if SHALE_DEBUG\n#endif\n", "test it with #ifdef"),
    "value among others": ("gc/a.c", "#if X && !SHALE_HAVE_VALGRIND\n#endif\n", "test it with #ifdef"),
}


def plant(root, files):
    for path, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(root, path)), exist_ok=True)
        with open(os.path.join(root, path), "w", encoding="utf-8") as file:
            file.write(text)


def self_test():
    failures = []
    with tempfile.TemporaryDirectory() as root:
        plant(root, GOOD)
        failures += [f"wrongly reported: {problem}" for problem in check(root)]
    for name, (path, text, expected) in BAD.items():
        with tempfile.TemporaryDirectory() as root:
            plant(root, {**GOOD, path: text})
            problems = check(root)
        if len(problems) != 1 or expected not in problems[0]:
            failures.append(f"{name}: expected one sentence with '{expected}', got {problems}")
    return failures


def main(arguments):
    if arguments[:1] in (["-h"], ["--help"]):
        print(__doc__.strip())
        return 0
    if arguments[:1] == ["--self-test"]:
        problems = self_test()
    else:
        here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        problems = check(arguments[0] if arguments else here)
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
