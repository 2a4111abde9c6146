#!/usr/bin/env python3
"""Runs the workloads on the memory managers and collects their results in one file.

bench/README.md says what is run and how the results are made; bench/runner/matrix.py is the list.
"""

import argparse
import datetime
import json
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from bench.report import show  # pylint: disable=wrong-import-position
from bench.runner import child, jvm, machine, matrix  # pylint: disable=wrong-import-position
from bench.runner.durations import Durations  # pylint: disable=wrong-import-position

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FORMAT = 1
REPETITIONS = 3
QUICK_REPETITIONS = 2
QUICK_BUDGET = 170  # seconds: what would take longer is not begun
TIMEOUT = {"full": 600, "quick": 60, "tiny": 60}
MEMORY_SHARE = 0.7  # of the memory available, that a heap may have


def parse_arguments(arguments):
    def names(text):
        return [name for name in text.split(",") if name]

    parser = argparse.ArgumentParser(
        prog="./dev bench", description="Runs the same programs on several memory managers, and compares."
    )
    parser.add_argument("--quick", action="store_true", help="a tenth of the work, one heap size: below 3 minutes")
    parser.add_argument("--only", type=names, metavar="WORKLOAD,...", help=f"of {', '.join(matrix.WORKLOADS)}")
    parser.add_argument(
        "--managers", type=names, metavar="NAME,...", help=f"of {', '.join(m.label for m in matrix.MANAGERS)}"
    )
    parser.add_argument("--factors", metavar="N,...", help="heap sizes as multiples of what is live (1.3,2,4)")
    parser.add_argument("--repetitions", type=int, metavar="N", help=f"of everything ({REPETITIONS})")
    parser.add_argument("--scale", choices=("full", "quick", "tiny"), help="of the work (full; --quick: quick)")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers (1)")
    parser.add_argument("--corpus", default="/usr/include", help="C headers for the workload ast (/usr/include)")
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="after which a run is given up")
    parser.add_argument("--histograms", metavar="FOLDER", help="write each run's latencies there, as .hgrm files")
    parser.add_argument("--output", metavar="FILE", help="of the results (build/bench/results.json)")
    parser.add_argument("--programs", metavar="FOLDER", help="of the built programs (build/release/bin)")
    parser.add_argument("--classes", metavar="FOLDER", help="of the Java programs (build/release/bench-java)")
    options = parser.parse_args(arguments)
    try:
        options.workloads = matrix.select_workloads(options.only)
        options.chosen = matrix.select_managers(options.managers)
        factors = options.factors.split(",") if options.factors else None
        options.factors = (
            tuple(float(f) for f in factors) if factors else matrix.QUICK_FACTORS if options.quick else matrix.FACTORS
        )
        if min(options.factors) < 1:
            raise ValueError("a heap smaller than what is live holds nothing; --factors wants 1 or more")
        if options.repetitions is not None and options.repetitions < 1:
            raise ValueError("--repetitions wants 1 or more")
    except ValueError as error:
        parser.error(str(error))
    options.scale = options.scale or ("quick" if options.quick else "full")
    options.timeout = options.timeout or TIMEOUT[options.scale]
    options.repetitions = options.repetitions or (QUICK_REPETITIONS if options.quick else REPETITIONS)
    build = os.path.join(SOURCE, "build")
    options.output = options.output or os.path.join(build, "bench", "results.json")
    options.programs = options.programs or os.path.join(build, "release", "bin")
    options.classes = options.classes or os.path.join(build, "release", "bench-java")
    return options


def say(text):
    print(text, file=sys.stderr, flush=True)


class Bench:
    """All runs of one call: what is there, what is live, what came out."""

    def __init__(self, options):
        self.options = options
        self.java = jvm.find_java()
        self.skipped = []  # {"manager", "workload", "reason"}
        self.live = {}  # (workload, threads): bytes with headers
        self.checksums = {}  # (workload, threads): of the first run
        self.durations = Durations(matrix.BASELINE)
        self.runs = []
        self.broken = set()  # entries that are not tried again
        self.ahead = set()  # entries whose first repetition is done
        self.began = time.monotonic()

    def skip(self, manager, workload, reason):
        self.skipped.append({"manager": manager, "workload": workload, "reason": reason})
        say(f"skip  {manager}{', ' + workload if workload else ''}: {reason}")

    def program(self, entry):
        return os.path.join(self.options.programs, f"{entry.workload}-{entry.manager.program}")

    def choose_entries(self):
        """The matrix without what is not there, which is named."""
        managers = []
        for manager in self.options.chosen:
            reason = self.missing(manager)
            if reason is None:
                managers.append(manager)
            else:
                self.skip(manager.label, None, reason)
        entries = matrix.make_matrix(self.options.workloads, managers, self.options.factors)
        return [entry for entry in entries if self.is_there(entry)]

    def missing(self, manager):
        if manager.program is None:
            return jvm.missing(manager.name, self.java, self.options.classes)
        for workload in self.options.workloads:
            if os.access(os.path.join(self.options.programs, f"{workload}-{manager.program}"), os.X_OK):
                return None
        return "it was not built: the library is missing, or ./dev build release was not run"

    def is_there(self, entry):
        if entry.manager.program is None or os.access(self.program(entry), os.X_OK):
            return True
        if entry.threads == min(self.options.workloads[entry.workload]) and entry.factor in (
            None,
            self.options.factors[0],
        ):
            self.skip(entry.manager.label, entry.workload, "the program was not built")
        return False

    def find_live(self, entries):
        """Runs the baseline once for each workload whose live size its entries' heaps depend on. Where it is an entry itself that
        was its first repetition."""
        wanted = {(e.workload, e.threads): None for e in entries if e.factor is not None}
        for done, (workload, threads) in enumerate(wanted):
            baseline = matrix.Entry(workload, threads, matrix.BASELINE, None)
            result = self.run(baseline, 0)
            say(progress_line(done + 1, len(wanted), baseline, result, 0, "what is live: "))
            if result["ok"]:
                self.live[workload, threads] = result["heap_live_bytes"]
            else:
                self.skip("all with a heap size", workload, f"the live size is not known: {result['error']}")
            if baseline in entries:
                self.ahead.add(baseline)
            else:
                self.runs.pop()

    def arguments(self, entry, heap, histogram, log):
        if entry.manager.program is None:
            start = jvm.command(self.java, self.options.classes, entry.manager.name, entry.workload, heap, log)
        else:
            start = [self.program(entry), *entry.manager.arguments]
        rest = ["--scale", self.options.scale, "--threads", str(entry.threads), "--seed", str(self.options.seed)]
        if heap is not None:
            rest += ["--heap-bytes", str(heap)]
        if entry.workload == "ast":
            rest += ["--corpus", self.options.corpus]
        if histogram is not None:
            rest += ["--histogram", histogram]
        return start + rest

    def start(self, entry, heap, histogram):
        """(result or None, error, seconds) of one run."""
        is_jvm = entry.manager.program is None
        with tempfile.TemporaryDirectory() as folder:
            log = os.path.join(folder, "jvm.log")
            arguments = self.arguments(entry, heap, histogram, log)
            result, error, seconds, peak = child.run(arguments, self.options.timeout, is_jvm)
            if result is not None and result.get("peak_memory_bytes") is None:
                result["peak_memory_bytes"] = peak
        return result, error, seconds

    def histogram_path(self, entry, repetition):
        if self.options.histograms is None:
            return None
        os.makedirs(self.options.histograms, exist_ok=True)
        factor = "" if entry.factor is None else f"-{entry.factor:g}x"
        name = f"{entry.workload}-{entry.threads}-{entry.manager.label}{factor}-{repetition}.hgrm"
        return os.path.join(self.options.histograms, name)

    def failed_result(self, entry, heap, error):
        """The fields that are known without the program."""
        return {
            "workload": entry.workload,
            "manager": entry.manager.name,
            "mode": entry.manager.mode,
            "threads": entry.threads,
            "scale": self.options.scale,
            "seed": self.options.seed,
            "heap_bytes": heap,
            "ok": False,
            "error": error,
        }

    def check(self, entry, result):
        """All managers must have done the same."""
        if not result["ok"]:
            return
        expected = self.checksums.setdefault((entry.workload, entry.threads), result["checksum"])
        if result["checksum"] != expected:
            result["ok"] = False
            result["error"] = f"the checksum is {result['checksum']}, not {expected} as the first program's"

    def run(self, entry, repetition):
        """Runs an entry and keeps its result. Returns that, or None if there is no room for it."""
        heap = None
        if entry.factor is not None:
            live = self.live.get((entry.workload, entry.threads))
            if live is None:
                return None
            heap = matrix.heap_bytes(entry.factor, live)
            available = machine.available_memory()
            if available is not None and heap > available * MEMORY_SHARE:
                self.skip(entry.manager.label, entry.workload, f"a heap of {heap >> 20} MiB does not fit into memory")
                self.broken.add(entry)
                return None
        result, error, seconds = self.start(entry, heap, self.histogram_path(entry, repetition))
        if result is None:
            result = self.failed_result(entry, heap, error)
        self.check(entry, result)
        result.update(repetition=repetition, heap_factor=entry.factor, process_seconds=round(seconds, 6))
        self.durations.record(entry, seconds)
        self.runs.append(result)
        if not result["ok"]:
            self.broken.add(entry)
        return result

    def too_late(self, seconds):
        return self.options.quick and time.monotonic() - self.began + seconds > QUICK_BUDGET

    def repeat(self, entries):
        """Repetitions of the whole matrix, not of single entries: what disturbs the machine for a while touches one run of
        many managers, and not all runs of one."""
        total = len(entries) * self.options.repetitions
        done = 0
        for repetition in range(self.options.repetitions):
            due = [entry for entry in entries if entry not in self.broken]
            left = self.durations.left(due)
            if repetition > 0 and self.too_late(left):
                say(f"      {repetition} of {self.options.repetitions} repetitions: another would take {left:.0f} s")
                break
            for entry in entries:
                done += 1
                if entry in self.broken or (repetition == 0 and entry in self.ahead):
                    continue
                if self.too_late(0):
                    self.skip(entry.manager.label, entry.workload, "no time left: --quick ends after 3 minutes")
                    continue
                result = self.run(entry, repetition)
                if result is None:
                    continue
                position = entries.index(entry)
                rounds = self.options.repetitions - repetition - 1
                rest = entries[position + 1 :] + entries * rounds
                left = self.durations.left([e for e in rest if e not in self.broken])
                say(progress_line(done, total, entry, result, left))

    def results(self):
        options = self.options
        return {
            "format": FORMAT,
            "machine": machine.describe(),
            "project": machine.project(SOURCE),
            "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
            "options": {
                "quick": options.quick,
                "scale": options.scale,
                "seed": options.seed,
                "factors": list(options.factors),
                "repetitions": options.repetitions,
                "workloads": list(options.workloads),
                "managers": [manager.label for manager in options.chosen],
                "corpus": options.corpus,
            },
            "skipped": self.skipped,
            "runs": self.runs,
        }


def time_text(seconds):
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def progress_line(done, total, entry, result, left, prefix=""):
    took = f"{result['wall_seconds']:.2f} s" if result["ok"] else f"FAILED: {result['error']}"
    rest = f"; about {time_text(left)} left" if left else ""
    return f"[{done:{len(str(total))}}/{total}] {prefix}{entry.label}: {took}{rest}"


def main(arguments):
    bench = Bench(parse_arguments(arguments))
    entries = bench.choose_entries()
    if not entries:
        say("nothing to run: ./dev build release builds the programs")
        return 1
    try:
        bench.find_live(entries)
        bench.repeat(entries)
    except KeyboardInterrupt:
        say("stopped; what was measured so far is kept")
    output = bench.options.output
    os.makedirs(os.path.dirname(os.path.abspath(output)), exist_ok=True)
    results = bench.results()
    with open(output, "w", encoding="utf-8") as file:
        json.dump(results, file)
        file.write("\n")
    agreed = show.show(results, output)
    failed = sum(not run["ok"] for run in bench.runs)
    print(f"{len(bench.runs)} runs, {failed} failed, {time_text(time.monotonic() - bench.began)}: {output}")
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
