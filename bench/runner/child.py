"""Running one program: its result, however it ends, and what it took as seen from outside."""

import json
import os
import subprocess
import threading
import time

PERIOD = 0.02  # seconds between two looks at a child's memory
PAGE = os.sysconf("SC_PAGE_SIZE")
# What would change a memory manager without being seen in the command line.
_VARIABLES = ("SHALE_", "GC_", "MALLOC_", "MIMALLOC_", "GLIBC_TUNABLES", "LD_PRELOAD", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS")


def clean_environment(environment):
    return {name: value for name, value in environment.items() if not name.startswith(_VARIABLES)}


def memory_use(process):
    """Bytes of private anonymous memory, page tables and memory files of a process, each page once; as
    bench/measures/memory_use.c. 0 when it has ended."""
    folder = f"/proc/{process}"
    try:
        with open(f"{folder}/statm", encoding="ascii") as file:
            _, resident, shared = (int(word) for word in file.read().split()[:3])
        use = (resident - shared) * PAGE
        with open(f"{folder}/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("VmPTE:"):
                    use += int(line.split()[1]) * 1024
        files = set()
        for name in os.listdir(f"{folder}/fd"):
            path = f"{folder}/fd/{name}"
            if os.readlink(path).startswith("/memfd:"):
                status = os.stat(path)
                if status.st_ino not in files:
                    files.add(status.st_ino)
                    use += status.st_blocks * 512
        return use
    except (OSError, ValueError):
        return 0


class Sampler(threading.Thread):
    """Looks at a process's memory every so often."""

    def __init__(self, process):
        super().__init__(daemon=True)
        self.process = process
        self.peak = 0
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(PERIOD):
            self.peak = max(self.peak, memory_use(self.process))


def last_object(output):
    """The JSON object that is the last line of the output; None if there is none."""
    lines = output.strip().splitlines()
    try:
        result = json.loads(lines[-1]) if lines else None
    except ValueError:
        return None
    return result if isinstance(result, dict) else None


def failure(status, errors, timeout):
    """Why there is no result, in a sentence."""
    if timeout is not None:
        return f"not done after {timeout:g} s"
    last = errors.strip().splitlines()[-1:] or ["it said nothing"]
    ended = f"ended by signal {-status}" if status < 0 else f"ended with status {status}"
    return f"{ended}: {last[0][:200]}"


def run(arguments, timeout, sample):
    """Runs a program. Returns (its result or None, an error or "", seconds, peak of its memory if `sample`)."""
    began = time.monotonic()
    with subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(os.environ),
        text=True,
        errors="replace",
    ) as process:
        sampler = Sampler(process.pid) if sample else None
        if sampler:
            sampler.start()
        late = None
        try:
            output, errors = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            output, errors = process.communicate()
            late = timeout
        if sampler:
            sampler.ended.set()
            sampler.join()
    seconds = time.monotonic() - began
    result = last_object(output) if late is None else None
    error = "" if result is not None else failure(process.returncode, errors, late)
    return result, error, seconds, sampler.peak if sampler else None
