#!/usr/bin/env python3
"""The results of ./dev bench as a table for the terminal: a row per memory manager, the best of each column in bold."""
import argparse
import os
import sys
import textwrap

if __name__ == "__main__":
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench.report import measures, results, units

WIDTH = 120
BOLD, RED, PLAIN = "\033[1m", "\033[1;31m", "\033[0m"

# Heading, width, measure. Throughput is told as a ratio, see row().
COLUMNS = (
    ("wall", 9, measures.WALL),
    ("CPU", 9, measures.CPU),
    ("speed", 7, measures.THROUGHPUT),
    ("p99", 9, measures.P99),
    ("p99.99", 9, measures.P9999),
    ("longest op", 10, measures.LATENCY_MAX),
    ("longest stop", 12, measures.STOP_MAX),
    ("peak/live", 9, measures.MEMORY_RATIO),
    ("peak", 9, measures.PEAK),
)
NAME_WIDTH = 20


def paint(text, style, colour):
    return f"{style}{text}{PLAIN}" if colour else text


def relative(value, base):
    return None if value is None or not base else value / base


def value_in_row(cell, measure, reference_cell):
    value = cell.value(measure)
    if measure is measures.THROUGHPUT:
        return relative(value, reference_cell and reference_cell.value(measure))
    return value


def text_in_row(value, measure):
    return units.times(value) if measure is measures.THROUGHPUT else measure.text(value)


def best_values(rows):
    """The best of each column, where there is something to be better than."""
    best = {}
    for _, _, measure in COLUMNS:
        found = [row[measure] for row in rows if row[measure] is not None]
        if len(found) > 1 and min(found) != max(found):
            best[measure] = min(found) if measure.better == measures.LOWER else max(found)
    return best


def heap_text(factor):
    return "-" if factor is None else f"{factor:g}x"


def case_rows(file, case, factors):
    """[(series, factor, cell)] in the order in which they are shown."""
    found = []
    for series in file.series(case):
        seen = set()
        for factor in factors:
            for key in (factor, None):
                if (series, key) not in seen and file.own_cell(case, series, key):
                    seen.add((series, key))
                    found.append((series, key, file.own_cell(case, series, key)))
    return found


def case_heading(file, case):
    details = [units.plural(case.threads, "thread")]
    if case.scale:
        details.append(f"scale {case.scale}")
    live = file.live_bytes(case)
    if live:
        details.append(f"{units.size(live)} live")
    repetitions = file.repetitions(case)
    details.append("once" if repetitions == 1 else f"medians of {repetitions}")
    return f"{results.WORKLOADS.get(case.workload, case.workload)}  ({', '.join(details)})"


def case_table(file, case, factors, reference, colour):
    lines = [paint(case_heading(file, case), BOLD, colour)]
    heads = "".join(f" {heading:>{width}}" for heading, width, _ in COLUMNS)
    lines.append(f"  {'manager':<{NAME_WIDTH}} {'heap':>5}{heads}")
    shown = case_rows(file, case, factors)
    values = []
    for _, factor, cell in shown:
        base = file.cell(case, reference, factor if factor is not None else file.usual_factor(case))
        values.append({measure: value_in_row(cell, measure, base) for _, _, measure in COLUMNS})
    best = best_values(values)
    for (series, factor, cell), row in zip(shown, values):
        start = f"  {series.name[:NAME_WIDTH]:<{NAME_WIDTH}} {heap_text(factor):>5}"
        if not cell.runs:
            failure = f"failed: {cell.failed[0].error}"[:WIDTH - len(start) - 2]
            lines.append(f"{start}  {paint(failure, RED, colour)}")
            continue
        texts = []
        for _, width, measure in COLUMNS:
            text = f"{text_in_row(row[measure], measure):>{width}}"
            is_best = measure in best and row[measure] == best[measure]
            texts.append(" " + (paint(text, BOLD, colour) if is_best else text))
        lines.append(start + "".join(texts))
    return lines


def warnings(file, colour):
    lines = []
    for sentence in file.disagreements():
        lines.append(paint(f"CHECKSUMS DIFFER  {sentence}", RED, colour))
    if lines:
        lines.append(paint("Not all managers computed the same: none of these results can be trusted.", RED, colour))
        lines.append("")
    return lines


def header(file, reference, factors):
    machine = ", ".join(str(file.machine[key]) for key in ("cpu", "kernel") if file.machine.get(key))
    lines = []
    if machine:
        lines.append(machine)
    if reference is not None:
        heap = f"Heaps: {', '.join(heap_text(f) for f in factors)} of what is live" if factors != [None] else "No heap limits"
        lines.append(f"{heap}, where a manager has a limit. Speed: throughput relative to {reference.name}; more is better.")
    return wrapped(lines)


def wrapped(lines):
    return [part for line in lines for part in textwrap.wrap(line, WIDTH, subsequent_indent="  ")]


def failure_groups(file):
    """[((series, factor, error), names of the cases)]: what went wrong in one way is told once."""
    groups = {}
    for case, series, factor, error, _ in file.failures():
        groups.setdefault((series, factor, error), []).append(case.name)
    return sorted(groups.items(), key=lambda item: (item[0][0].order, item[0][1] or 0))


def footer(file):
    lines = []
    for (series, factor, error), names in failure_groups(file):
        heap = "" if factor is None else f", heap {heap_text(factor)}"
        lines.append(f"Failed: {series.name}{heap}, in {', '.join(names)}: {error}")
    lines += [f"Skipped: {what}: {reason}" for reason, what in file.skips()]
    return wrapped(lines)


def table(file, heap=None, reference=None, colour=False, workloads=()):
    """The whole text. `heap`: a factor, "all", or None for the usual one."""
    reference = file.reference(reference)
    if heap == "all":
        factors = file.factors() or [None]
    else:
        factors = [file.usual_factor() if heap is None else float(heap)]
        if heap is not None and factors[0] not in file.factors():
            there = ", ".join(units.significant(factor) for factor in file.factors()) or "none"
            raise results.ResultsError(f"no run has a heap of {heap} times the live size; there are: {there}")
    lines = warnings(file, colour) + header(file, reference, factors)
    for case in file.cases():
        if not workloads or case.workload in workloads:
            lines += ["", *case_table(file, case, factors, reference, colour)]
    end = footer(file)
    return "\n".join(lines + ([""] + end if end else [])) + "\n"


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="table.py", description=__doc__,
        epilog="Exit status: 0; 1 when managers disagree on a checksum; 2 when the file cannot be shown.")
    parser.add_argument("file", help="results, as ./dev bench writes them (JSON)")
    parser.add_argument("--heap", metavar="FACTOR",
                        help="show heaps of this many times the live size, or \"all\" (default: 2, or what is nearest)")
    parser.add_argument("--workload", action="append", default=[], metavar="NAME", help="only this one; may be repeated")
    parser.add_argument("--reference", metavar="MANAGER/MODE",
                        help="what speed is relative to (default: shale/thread)")
    parser.add_argument("--bold", choices=("auto", "always", "never"), default="auto",
                        help="the best in bold (default: on a terminal, unless NO_COLOR is set)")
    options = parser.parse_args(arguments)
    colour = options.bold == "always" or (
        options.bold == "auto" and sys.stdout.isatty() and not os.environ.get("NO_COLOR"))
    try:
        if options.heap not in (None, "all") and results.positive(float_or_none(options.heap)) is None:
            raise results.ResultsError(f'--heap wants a number such as 2, or all: "{options.heap}"')
        file = results.load(options.file)
        sys.stdout.write(table(file, options.heap, options.reference, colour, options.workload))
    except results.ResultsError as error:
        print(f"table.py: {error}", file=sys.stderr)
        return 2
    return 1 if file.disagreements() else 0


def float_or_none(text):
    try:
        return float(text)
    except ValueError:
        return None


if __name__ == "__main__":
    sys.exit(main())
