#!/usr/bin/env python3
"""Runs a workload in Java under one of the JVM's collectors, and prints the same JSON object as the programs in C."""
import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
CLASSES = os.path.join(ROOT, "build", "release", "java")
LEAST_VERSION = 17
PACKAGE_HINT = "Debian: openjdk-17-jdk-headless"
EXIT_FAILED = 3

COLLECTORS = {"zgc": "UseZGC", "shenandoah": "UseShenandoahGC", "g1": "UseG1GC", "parallel": "UseParallelGC"}


def find_tool(name):
    home = os.environ.get("JAVA_HOME")
    if home and os.access(os.path.join(home, "bin", name), os.X_OK):
        return os.path.join(home, "bin", name)
    return shutil.which(name)


def version(java):
    """The feature number, such as 17; 0 when it cannot be told."""
    told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(\d+)', told)
    return int(found.group(1)) if found else 0


def unavailable():
    """Why nothing can be run in Java here, as a sentence; None when it can."""
    java = find_tool("java")
    if java is None or find_tool("javac") is None:
        return f"there is no JDK ({PACKAGE_HINT})"
    if version(java) < LEAST_VERSION:
        return f"{java} is older than Java {LEAST_VERSION} ({PACKAGE_HINT})"
    return None


def has_collector(name):
    """Not every JDK was built with all of them."""
    java = find_tool("java")
    return subprocess.run([java, f"-XX:+{COLLECTORS[name]}", "-version"], capture_output=True, check=False).returncode == 0


def build(classes=CLASSES):
    """Compiles the programs unless that has been done since they were last changed. Raises CalledProcessError."""
    folder = os.path.join(HERE, "shale", "bench")
    sources = sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".java"))
    stamp = os.path.join(classes, "built")
    if os.path.exists(stamp) and all(os.path.getmtime(path) < os.path.getmtime(stamp) for path in sources):
        return
    os.makedirs(classes, exist_ok=True)
    subprocess.run([find_tool("javac"), "--release", str(LEAST_VERSION), "-Xlint:all", "-Werror", "-d", classes, *sources],
                   check=True)
    with open(stamp, "w", encoding="utf-8"):
        pass


def command(collector, workload, log, heap_bytes=None, classes=CLASSES, options=()):
    """What is run. A heap has its full size from the start, as that of every manager here that has a limit may be used up at
    once; its pages are not touched beforehand (-XX:+AlwaysPreTouch), as no other manager's are: who uses memory gets it
    from the system in the time that counts."""
    line = [find_tool("java"), f"-XX:+{COLLECTORS[collector]}", "-Xlog:disable", f"-Xlog:gc,safepoint:file={log}:timenanos"]
    if heap_bytes:
        line += [f"-Xms{heap_bytes}", f"-Xmx{heap_bytes}"]
    line += ["-cp", classes, "shale.bench.Main", workload, "--manager", f"jvm-{collector}", "--log", log]
    if heap_bytes:
        line += ["--heap-bytes", str(heap_bytes)]
    return line + list(options)


def failure(collector, workload, heap_bytes, message):
    """The result of a virtual machine that did not get as far as printing one."""
    return {"workload": workload, "manager": f"jvm-{collector}", "mode": "", "heap_bytes": heap_bytes, "ok": False,
            "error": message}


def run(collector, workload, heap_bytes=None, classes=CLASSES, options=()):
    """(exit status, what was printed)."""
    with tempfile.TemporaryDirectory(prefix="shale-bench-") as folder:
        line = command(collector, workload, os.path.join(folder, "gc.log"), heap_bytes, classes, options)
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if done.returncode in (0, 2) or done.stdout.startswith("{"):
        sys.stderr.write(done.stderr)
        return done.returncode, done.stdout
    said = " ".join((done.stdout + " " + done.stderr).split())
    message = f"the virtual machine ended with status {done.returncode}: {said[:300]}"
    return EXIT_FAILED, json.dumps(failure(collector, workload, heap_bytes, message)) + "\n"


def size(text):
    found = re.fullmatch(r"(\d+)([KMG]?)", text)
    if found is None:
        raise argparse.ArgumentTypeError(f'"{text}" is no size such as 64M')
    return int(found.group(1)) << {"": 0, "K": 10, "M": 20, "G": 30}[found.group(2)]


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="jvm.py", description=__doc__, usage="jvm.py [--classes DIR] COLLECTOR WORKLOAD [OPTION...]\n"
        "       jvm.py [--classes DIR] --build | --list",
        epilog="All other options go to the program; shale.bench.Main --help lists them. Exit code: 0 done; 2 usage; "
               "3 failed, with the reason in the object; 77 there is no JDK, or not this collector in it.")
    parser.add_argument("collector", nargs="?", choices=sorted(COLLECTORS), help="which of the JVM's")
    parser.add_argument("workload", nargs="?")
    parser.add_argument("--classes", default=CLASSES, metavar="DIR", help="where the compiled programs are, or are put")
    parser.add_argument("--heap-bytes", type=size, metavar="N", help="size of the heap (default: the JVM's own choice)")
    parser.add_argument("--build", action="store_true", help="compile the programs only")
    parser.add_argument("--list", action="store_true", help="print the collectors that are there, one a line")
    options, others = parser.parse_known_args(arguments)
    reason = unavailable()
    if reason is None and options.collector and not has_collector(options.collector):
        reason = f"this JDK has no collector {options.collector}"
    if reason is not None:
        print(f"jvm.py: {reason}", file=sys.stderr)
        return 77
    if options.list:
        print("\n".join(name for name in COLLECTORS if has_collector(name)))
        return 0
    try:
        build(options.classes)
    except subprocess.CalledProcessError:
        print("jvm.py: the programs could not be compiled", file=sys.stderr)
        return 2
    if options.build:
        return 0
    if options.workload is None:
        parser.error("a collector and a workload are missing")
    status, printed = run(options.collector, options.workload, options.heap_bytes, options.classes, others)
    sys.stdout.write(printed)
    return status


if __name__ == "__main__":
    sys.exit(main())
