#!/usr/bin/env python3
"""What changed between two files of results, beyond noise.

Each run of A is held against the same run of B: same workload, threads, scale, manager, mode and heap. The ratio of a measure
is estimated from all pairs of repetitions (Hodges and Lehmann), its confidence interval by the Mann-Whitney statistic, at 95 %
or what the repetitions allow, and 90 % at least: three repetitions in each file.

A change is called better or worse when it is larger than what the machine does by itself. That is seen in the other managers,
which are the same programs in both files: the interval must leave out 1 and the middle of their ratios, and the change
must be larger than 9 of 10 of theirs, and than --floor.
"""
import argparse
import collections
import math
import os
import sys

if __name__ == "__main__":
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench.report import intervals, measures, results, table, units

NAME_WIDTH = 58
LINES = 40  # of single changes, unless all are wanted
FLOOR = 0.03
FLOOR_SHARE = 0.9
COUNTS = (measures.FAULTS, measures.STALLS)  # may be zero
STYLES = {"worse": "\033[31m", "better": "\033[32m"}
PLAIN = "\033[0m"

WORDS = {"worse": "worse", "better": "better", "same": "no difference beyond noise", "unsure": "cannot be judged"}

Noise = collections.namedtuple("Noise", "middle floor")  # of ratios; the floor is a ratio minus 1
Change = collections.namedtuple("Change", "key measure before after interval verdict")
Key = collections.namedtuple("Key", "case series factor")


def cells_of(file):
    return {Key(case, series, factor): file.own_cell(case, series, factor)
            for case in file.cases() for series in file.series(case)
            for factor in [*file.factors(case), None] if file.own_cell(case, series, factor)}


def key_text(key):
    heap = "" if key.factor is None else f", heap {key.factor:g}x"
    return f"{key.series.name}, {key.case.name}{heap}"


def short_key(key):
    threads = f" {key.case.threads} threads" if key.case.threads > 1 else ""
    heap = "" if key.factor is None else f", {key.factor:g}x"
    return f"{key.series.name}, {key.case.workload}{threads}{heap}"


def key_order(key):
    return key.case.order, key.series.order, key.factor or 0


def interval_of(measure, before, after):
    return (intervals.count_ratio if measure in COUNTS else intervals.ratio)(before, after)


def measured(key, before, after):
    """[(key, measure, values of A, values of B, interval)] of what both have."""
    found = []
    for measure in measures.COMPARED:
        values = before.values(measure), after.values(measure)
        if not values[0] or not values[1]:
            continue
        interval = interval_of(measure, *values)
        if interval is not None:
            found.append((key, measure, *values, interval))
    return found


def noise(controls, least):
    """{measure: Noise}, from what cannot have changed."""
    by_measure = collections.defaultdict(list)
    for _, measure, _, _, interval in controls:
        by_measure[measure].append(interval.ratio)
    found = {}
    for measure in measures.COMPARED:
        sizes = sorted(size(ratio) for ratio in by_measure[measure])
        reached = sizes[min(len(sizes) - 1, int(FLOOR_SHARE * len(sizes)))] if sizes else 0
        found[measure] = Noise(results.median(by_measure[measure]) or 1, max(least, reached))
    return found


def size(ratio):
    """Of a change, whichever its direction: 0.1 for 1.1 and for 1 / 1.1."""
    return math.exp(abs(math.log(ratio))) - 1


def verdict(measure, interval, its_noise):
    """better, worse, same, or unsure: there are too few repetitions to tell."""
    if interval.low is None:
        return "unsure"
    if any(interval.low <= nothing <= interval.high for nothing in (1, its_noise.middle)):
        return "same"
    if size(interval.ratio) <= its_noise.floor:
        return "same"
    return "better" if (interval.ratio > 1) == (measure.better == measures.HIGHER) else "worse"


def importance(change):
    """Worse before better, then by measure, then by size."""
    return (("worse", "better", "unsure", "same").index(change.verdict), change.measure.weight,
            -abs(math.log(change.interval.ratio)), key_order(change.key))


class Comparison:
    def __init__(self, first, second, is_subject, floor=FLOOR):
        before, after = cells_of(first), cells_of(second)
        self.only_first = sorted((key for key in before if key not in after), key=key_order)
        self.only_second = sorted((key for key in after if key not in before), key=key_order)
        both = sorted((key for key in before if key in after), key=key_order)
        self.failures = []  # (key, "worse" or "better", sentence)
        self.checksums = []
        subjects, controls = [], []
        for key in both:
            one, other = before[key], after[key]
            if is_subject(key.series):
                self.look_at_failures(key, one, other)
            self.look_at_checksums(key, one, other)
            (subjects if is_subject(key.series) else controls).extend(measured(key, one, other))
        self.control_count = len({key for key, *_ in controls})
        self.noise = noise(controls, floor)
        self.changes = sorted(map(self.judged, subjects), key=importance)
        judged = [change.verdict for change in map(self.judged, controls) if change.verdict != "unsure"]
        self.by_chance = sum(word != "same" for word in judged) / len(judged) if judged else None

    def judged(self, found):
        key, measure, before, after, interval = found
        return Change(key, measure, results.median(before), results.median(after), interval,
                      verdict(measure, interval, self.noise[measure]))

    def look_at_failures(self, key, one, other):
        """A repetition that fails where none did, or the other way round."""
        if one.runs and not one.failed and other.failed:
            self.failures.append((key, "worse", f"failed in B: {other.failed[0].error}"))
        elif one.failed and not other.failed:
            self.failures.append((key, "better", f"failed in A, and no more in B: {one.failed[0].error}"))

    def look_at_checksums(self, key, one, other):
        sums = [collections.defaultdict(set), collections.defaultdict(set)]
        for cell, found in zip((one, other), sums):
            for run in cell.runs:
                if run.checksum:
                    found[run.fields.get("seed")].add(run.checksum)
        for seed in sums[0]:
            if seed in sums[1] and sums[0][seed] != sums[1][seed]:
                texts = [", ".join(sorted(found[seed])) for found in sums]
                self.checksums.append((key, f"seed {seed}: {texts[0]} in A, {texts[1]} in B"))

    def count(self, wanted):
        return sum(change.verdict == wanted for change in self.changes) + sum(word == wanted for _, word, _ in self.failures)


# ---- text ----------------------------------------------------------------------------------------------


def percent(ratio):
    if ratio >= 2 or ratio <= 0.5:
        return f"{units.significant(ratio)}x"
    return f"{100 * (ratio - 1):+.1f} %"


def change_line(change, colour):
    interval = change.interval
    bounds = "" if interval.low is None else f"[{percent(interval.low)} to {percent(interval.high)}]"
    word = table.paint(f"{change.verdict:<7}", STYLES.get(change.verdict, ""), colour and change.verdict in STYLES)
    name = f"{change.measure.title}: {short_key(change.key)}"
    return (f"{word}{name[:NAME_WIDTH]:<{NAME_WIDTH}} {change.measure.text(change.before):>8} -> "
            f"{change.measure.text(change.after):<8} {percent(interval.ratio):>8} {bounds}").rstrip()


def overview(comparison):
    """A line for each measure: how all runs together have moved."""
    by_measure = collections.defaultdict(list)
    for change in comparison.changes:
        by_measure[change.measure].append(change)
    lines = []
    for measure, changes in sorted(by_measure.items(), key=lambda item: item[0].weight):
        middle = results.median(change.interval.ratio for change in changes)
        words = collections.Counter(change.verdict for change in changes)
        told = ", ".join(f"{words[word]} {WORDS[word]}" for word in WORDS if words[word])
        lines.append(f"  {measure.title:<22} {percent(middle):>8} in the middle of {units.plural(len(changes), 'run')}: {told}")
    return lines


def preface(comparison, first, second):
    lines = [f"A  {described(first)}", f"B  {described(second)}"]
    names = sorted(name for name in {*first.machine, *second.machine} - {"load"}
                   if first.machine.get(name) != second.machine.get(name))
    if names:
        lines.append(f"The machines differ ({', '.join(names)}): what follows may be their doing.")
    wall = comparison.noise[measures.WALL]
    if comparison.control_count == 0:
        lines.append(f"No other manager is in both files to tell what the machine does by itself: changes up to "
                     f"{100 * wall.floor:.0f} % are taken for it.")
    else:
        lines.append(f"Noise, from {units.plural(comparison.control_count, 'run')} of other managers: wall time "
                     f"{percent(wall.middle)} in the middle, below {100 * wall.floor:.1f} % in 9 of 10.")
    return lines


def described(file):
    parts = [file.path]
    if file.project.get("commit"):
        parts.append(f"commit {str(file.project['commit'])[:12]}")
    if file.date:
        parts.append(file.date)
    parts.append(units.plural(file.repetitions(), "repetition"))
    return ", ".join(parts)


def report(comparison, first, second, everything=False, colour=False):
    lines = preface(comparison, first, second) + [""]
    for key, sentence in comparison.checksums:
        lines.append(table.paint(f"CHECKSUMS DIFFER  {key_text(key)}, {sentence}", STYLES["worse"], colour))
    for key, word, sentence in comparison.failures:
        lines.append(f"{table.paint(f'{word:<7}', STYLES[word], colour)}{key_text(key)}: {sentence}")
    if lines[-1] != "":
        lines.append("")
    lines += overview(comparison) + [""]
    shown = [change for change in comparison.changes if everything or change.verdict in ("better", "worse")]
    limit = len(shown) if everything else LINES
    lines += [change_line(change, colour) for change in shown[:limit]]
    if len(shown) > limit:
        lines.append(f"... and {len(shown) - limit} more, which --all lists")
    if shown:
        lines.append("")
    for name, keys in (("A", comparison.only_first), ("B", comparison.only_second)):
        if keys:
            lines.append(f"Only in {name}: {units.plural(len(keys), 'run')}, such as {key_text(keys[0])}")
    unsure = comparison.count("unsure")
    if unsure:
        lines.append(f"{units.plural(unsure, 'value')} cannot be judged: fewer than three repetitions in A or B.")
    judged = len(comparison.changes) - unsure
    if comparison.by_chance is not None and judged:
        lines.append(f"By the same rule {100 * comparison.by_chance:.1f} % of what cannot have changed did: "
                     f"about {comparison.by_chance * judged:.0f} of {units.plural(judged, 'value')} by chance alone.")
    lines.append(f"{comparison.count('worse')} worse, {comparison.count('better')} better, "
                 f"{comparison.count('same')} no difference beyond noise")
    return "\n".join(lines) + "\n"


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="compare.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Exit status: 0; 1 with --fail-on-worse, when something is worse or a checksum differs; 2 when the files "
               "cannot be compared.")
    parser.add_argument("first", metavar="A.json", help="results before")
    parser.add_argument("second", metavar="B.json", help="results after")
    parser.add_argument("--manager", default="shale", metavar="NAME",
                        help="whose runs are judged (default: shale), or \"all\"; the others tell the noise")
    parser.add_argument("--all", action="store_true", help="list what did not change as well")
    parser.add_argument("--floor", type=float, default=100 * FLOOR, metavar="PERCENT",
                        help="changes up to this never count (default: %(default)g)")
    parser.add_argument("--fail-on-worse", action="store_true", help="exit with 1 when something is worse")
    options = parser.parse_args(arguments)
    try:
        first, second = results.load(options.first), results.load(options.second)
    except results.ResultsError as error:
        print(f"compare.py: {error}", file=sys.stderr)
        return 2
    comparison = Comparison(first, second, lambda series: options.manager in ("all", series.manager), options.floor / 100)
    if not comparison.changes and not comparison.failures:
        print(f'compare.py: no run of "{options.manager}" is in both files', file=sys.stderr)
        return 2
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    sys.stdout.write(report(comparison, first, second, options.all, colour))
    worse = comparison.count("worse") > 0 or comparison.checksums
    return 1 if options.fail_on_worse and worse else 0


if __name__ == "__main__":
    sys.exit(main())
