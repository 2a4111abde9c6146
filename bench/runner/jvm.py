"""The workloads in Java: how they are started, and what the JVM's log tells of its stops."""

import os
import re
import shutil
import subprocess

from . import stops
from .matrix import JVM_FLAGS

MAIN_CLASS = "shale.bench.Main"
VERSION_LEAST = 17

_SAFEPOINT = re.compile(r"^\[(\d+)ns\] Safepoint \"[^\"]*\".* Total: +(\d+) ns")
_COLLECTION = re.compile(r"^\[\d+ns\] GC\((\d+)\)")
_STALL = re.compile(r"Allocation Stall")


def find_java():
    """The java program, or None."""
    home = os.environ.get("JAVA_HOME")
    if home and os.access(os.path.join(home, "bin", "java"), os.X_OK):
        return os.path.join(home, "bin", "java")
    return shutil.which("java")


def missing(manager, java, classes):
    """Why this collector cannot be run, in a few words; None if it can."""
    if java is None:
        return "there is no java (Debian: openjdk-17-jdk-headless)"
    if not os.path.exists(os.path.join(classes, *MAIN_CLASS.split(".")) + ".class"):
        return "the Java programs were not built (there was no JDK)"
    probe = subprocess.run(
        [java, *JVM_FLAGS[manager], "-Xmx64m", "-version"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    return None if probe.returncode == 0 else "this java does not have it"


def command(java, classes, manager, workload, heap, log):
    """The command line up to the workload's name."""
    sizes = [f"-Xms{heap}", f"-Xmx{heap}"] if heap else []
    logging = [f"-Xlog:disable", "-Xlog:all=off", f"-Xlog:gc,safepoint:file={log}:uptimenanos:filecount=0"]
    return [java, *JVM_FLAGS[manager], *sizes, *logging, "-cp", classes, MAIN_CLASS, workload]


def read_log(lines):
    """(stops, collections, allocation stalls) from the lines of a log."""
    found, collections, stalls = [], set(), 0
    for line in lines:
        match = _SAFEPOINT.match(line)
        if match:
            end, total = int(match.group(1)), int(match.group(2))
            found.append((end - total, end))
            continue
        match = _COLLECTION.match(line)
        if match:
            collections.add(int(match.group(1)))
        if _STALL.search(line):
            stalls += 1
    return found, len(collections), stalls


def add_log(result, lines):
    """Puts what the log tells into a result where that does not know. All stops for safepoints count, also those that are not
    for collections: the program stands still in them as well."""
    found, collections, stalls = read_log(lines)
    end = max([int(result["wall_seconds"] * 1e9)] + [stop[1] for stop in found])
    if result.get("stops") is None:
        result["stops"] = stops.summary(found)
    if result.get("mmu") is None:
        result["mmu"] = stops.utilisations(found, 0, end)
    if result.get("cycles") is None:
        result["cycles"] = collections
    if result.get("allocation_stalls") is None and result["manager"] == "jvm-zgc":
        result["allocation_stalls"] = stalls
