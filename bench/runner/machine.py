"""What the results were measured on, and of what."""

import os
import platform
import re
import subprocess


def _read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None


def _cpu():
    for line in (_read("/proc/cpuinfo") or "").splitlines():
        if line.startswith(("model name", "Model", "Hardware")):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory(field):
    match = re.search(rf"^{field}: +(\d+) kB", _read("/proc/meminfo") or "", re.MULTILINE)
    return int(match.group(1)) * 1024 if match else None


def available_memory():
    return _memory("MemAvailable")


def _huge_pages():
    match = re.search(r"\[(\w+)\]", _read("/sys/kernel/mm/transparent_hugepage/enabled") or "")
    return match.group(1) if match else None


def describe():
    return {
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": _memory("MemTotal"),
        "kernel": platform.release(),
        "governor": _read("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        "huge_pages": _huge_pages(),
        "load": os.getloadavg()[0],
    }


def _git(source, *arguments):
    try:
        done = subprocess.run(
            ["git", "-C", source, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
        )
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def project(source):
    """The commit, with "+" where files differ from it, and the version."""
    commit = _git(source, "rev-parse", "--short=12", "HEAD")
    if commit and _git(source, "status", "--porcelain", "--untracked-files=no"):
        commit += "+"
    match = re.search(r"project\(Shale VERSION ([0-9.]+)", _read(os.path.join(source, "CMakeLists.txt")) or "")
    return {"commit": commit, "version": match.group(1) if match else None}
