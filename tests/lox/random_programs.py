#!/usr/bin/env python3
"""Runs random Lox programs on the VM and on the reference interpreter, and compares what they print and how they end.

    tests/lox/random_programs.py --programs 1000
    tests/lox/random_programs.py --seed 17 --programs 1 --show     one again, with its text

Each program's seed is one more than that of the one before. A difference is printed with the program, and with how to
repeat it. The last line is "N passed, N failed".
"""
import argparse
import glob
import os
import random
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "reference"))
from lox import in_deep_thread, run_source  # noqa: E402
from random_program import Program  # noqa: E402

# The VM is run under each of these in turn: what is compared must not depend on it.
SETTINGS = [{}, {"SHALE_STRESS": "1", "SHALE_VERIFY": "1"}, {"SHALE_FAULTS": "signal"},
            {"SHALE_STRESS": "1", "SHALE_FAULTS": "signal", "SHALE_HEAP": "8M"}]


def options():
    parser = argparse.ArgumentParser(
        prog="tests/lox/random_programs.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=None, help="of the first program; default: a random one, or $TEST_SEED")
    parser.add_argument("--programs", type=int, default=100, metavar="N", help="default 100")
    parser.add_argument("--program", default=None, metavar="FILE",
                        help="the VM; default: shale-lox in $TEST_BIN, or in the newest of build/*/bin")
    parser.add_argument("--timeout", type=int, default=60, metavar="SECONDS", help="for one program; default 60")
    parser.add_argument("--show", action="store_true", help="print each program")
    return parser.parse_args()


def find_vm():
    if os.environ.get("TEST_BIN"):
        return os.path.join(os.environ["TEST_BIN"], "shale-lox")
    found = glob.glob(os.path.join(HERE, "../../build/*/bin/shale-lox"))
    return max(found, key=os.path.getmtime) if found else "shale-lox"


def comparable(text):
    return text.replace("-nan", "nan")


def expected(source):
    output, errors = [], []
    status = run_source(source, output.append, errors.append)
    return status, comparable("".join(output)), "".join(errors)


def found(vm, path, settings, timeout):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SHALE_")}
    done = subprocess.run([vm, path], env={**environment, "SHALE_HEAP": "64M", **settings}, stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=timeout)
    return done.returncode, comparable(done.stdout.decode("latin-1")), done.stderr.decode("latin-1")


def first_difference(wanted, got):
    wanted_lines, got_lines = wanted.split("\n"), got.split("\n")
    for number, (one, other) in enumerate(zip(wanted_lines + ["(end)"], got_lines + ["(end)"]), 1):
        if one != other:
            return f"line {number}: the reference has {one!r}, the VM {other!r}"
    return "the same"


def compare(seed, arguments, vm, path):
    """What is wrong, or None; and the status that the program ended with."""
    source = Program(seed).text()
    if arguments.show:
        print(source)
    with open(path, "w", encoding="latin-1") as file:
        file.write(source)
    wanted = expected(source)
    settings = SETTINGS[seed % len(SETTINGS)]
    try:
        got = found(vm, path, settings, arguments.timeout)
    except subprocess.TimeoutExpired:
        got = None, "", f"it took longer than {arguments.timeout} s"
    if wanted == got:
        return None, wanted[0]
    shown = " ".join(f"{name}={value}" for name, value in settings.items())
    return (f"FAIL  seed {seed}  {shown}\n{source}"
            f"    exit status: the reference {wanted[0]}, the VM {got[0]}\n"
            f"    standard output, {first_difference(wanted[1], got[1])}\n"
            f"    standard error, {first_difference(wanted[2], got[2])}\n"
            f"    repeat: tests/lox/random_programs.py --seed {seed} --programs 1"), wanted[0]


def main():
    arguments = options()
    vm = arguments.program or find_vm()
    if not os.access(vm, os.X_OK):
        print(f"skipped: {vm} is not there")
        return 77
    if os.environ.get("TEST_SCALE") == "quick":
        arguments.programs = max(1, arguments.programs // 4)
    seed = arguments.seed if arguments.seed is not None else int(os.environ.get("TEST_SEED") or random.randrange(1 << 30))
    print(f"seed {seed}", flush=True)
    passed = failed = errors = 0
    said = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "program.lox")
        for number in range(arguments.programs):
            wrong, status = compare(seed + number, arguments, vm, path)
            errors += status != 0
            if wrong is None:
                passed += 1
            else:
                failed += 1
                print(wrong, flush=True)
            if time.monotonic() - said >= 2:
                said = time.monotonic()
                print(f"...   {number + 1} of {arguments.programs}", flush=True)
    print(f"{errors} of them ended in an error, as they should")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(in_deep_thread(main))
