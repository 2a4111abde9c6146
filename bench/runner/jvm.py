"""The workloads in Java: how they are started. They find the JVM's stops in its log, by the option below, by themselves."""

import os
import shutil
import subprocess

from .matrix import JVM_FLAGS

MAIN_CLASS = "shale.bench.Main"


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
    logging = ["-Xlog:disable", "-Xlog:all=off", f"-Xlog:gc,safepoint:file={log}:timenanos:filecount=0"]
    return [java, *JVM_FLAGS[manager], *sizes, *logging, "-cp", classes, MAIN_CLASS, workload]
