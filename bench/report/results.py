"""Reads a file of results and puts its runs in order.

A *series* is a memory manager in one mode; a *case* is a workload with its number of threads and scale. The runs of one
series in one case with one heap factor are repetitions of each other: a *cell*, whose values are medians. Nothing that is
missing or malformed in a run is guessed: it is None, and shown as absent.
"""
import collections
import json
import math
import statistics

FORMAT = 1

# In the order in which they are shown. What is not named here is shown as it calls itself, after the others.
MANAGERS = {
    "shale": "Shale",
    "malloc": "glibc malloc",
    "mimalloc": "mimalloc",
    "bdwgc": "bdwgc",
    "jvm-zgc": "ZGC",
    "jvm-shenandoah": "Shenandoah",
    "jvm-g1": "G1",
    "jvm-parallel": "Parallel",
}
MODES = {"thread": "thread", "signal": "signal", "conservative": "conservative", "pages": "barrier-free",
         "incremental": "incremental"}
WORKLOADS = {
    "gcbench": "GCBench",
    "trees": "Binary trees",
    "ring": "Ring of buffers",
    "lru": "LRU cache",
    "churn": "Fragmentation churn",
    "graph": "Pointer graph mutation",
    "arrays": "Big arrays",
    "ast": "Parser of C headers",
}
REFERENCE_MODES = ("thread", "signal")  # thread is what a program gets that asks for nothing


class ResultsError(Exception):
    """A file that cannot be shown; the message is a sentence for whoever gave it."""


def number(value):
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return value


def positive(value):
    value = number(value)
    return value if value is not None and value > 0 else None


def pairs(value):
    """A list of pairs of numbers, or []; pairs that are none are left out."""
    if not isinstance(value, list):
        return []
    return [(pair[0], pair[1]) for pair in value
            if isinstance(pair, list) and len(pair) == 2 and number(pair[0]) is not None
            and number(pair[1]) is not None]


def known_first(name, known):
    """Sorts by place in `known`, what is not there after it by name."""
    names = list(known)
    return (names.index(name), "") if name in known else (len(names), name)


class Series(collections.namedtuple("Series", "manager mode")):
    """A memory manager in one of its modes."""
    __slots__ = ()

    @property
    def key(self):
        return f"{self.manager}/{self.mode}" if self.mode else self.manager

    @property
    def name(self):
        name = MANAGERS.get(self.manager, self.manager)
        return f"{name} {MODES.get(self.mode, self.mode)}" if self.mode else name

    @property
    def order(self):
        return known_first(self.manager, MANAGERS), known_first(self.mode, ["", *MODES])

    @property
    def ours(self):
        return self.manager == "shale"


def series_of_label(label):
    """Of the runner's name for it: manager, or manager-mode."""
    for manager in sorted(MANAGERS, key=len, reverse=True):
        if label == manager or label.startswith(f"{manager}-"):
            return Series(manager, label[len(manager) + 1:])
    return Series(label, "")


class Case(collections.namedtuple("Case", "workload threads scale")):
    """What is computed, whoever manages the memory."""
    __slots__ = ()

    @property
    def name(self):
        name = WORKLOADS.get(self.workload, self.workload)
        return f"{name}, {self.threads} threads" if self.threads > 1 else name

    @property
    def key(self):
        return f"{self.workload}-{self.threads}-{self.scale}"

    @property
    def order(self):
        return known_first(self.workload, WORKLOADS), self.threads, self.scale


class Run:
    """One run of one program, as the file has it."""

    def __init__(self, fields):
        self.fields = fields
        self.series = Series(str(fields.get("manager") or "?"), str(fields.get("mode") or ""))
        threads = number(fields.get("threads"))
        self.case = Case(str(fields.get("workload") or "?"), int(threads) if threads else 1,
                         str(fields.get("scale") or ""))
        self.ok = fields.get("ok") is True
        self.error = str(fields.get("error") or ("" if self.ok else "it did not say why"))
        self.factor = self._factor()
        # The runner has already called a run failed whose checksum is not the first one's.
        computed = self.ok or "checksum" in self.error
        self.checksum = str(fields["checksum"]) if computed and fields.get("checksum") else None

    def _factor(self):
        if positive(self.fields.get("heap_bytes")) is None:
            return None  # there is no limit to its heap
        factor = positive(self.fields.get("heap_factor"))
        if factor is None:
            live = positive(self.fields.get("live_bytes"))
            factor = self.fields["heap_bytes"] / live if live else None
        return None if factor is None else round(factor, 2)

    def number(self, *names):
        """A number inside the run: run.number("latency", "p99"); None when it is not there."""
        value = self.fields
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return number(value)

    def pairs(self, *names):
        value = self.fields
        for name in names:
            value = value.get(name) if isinstance(value, dict) else None
        return pairs(value)


def median(values):
    """Of what is there; None when nothing is."""
    values = [value for value in values if value is not None]
    return statistics.median(values) if values else None


class Cell:
    """The repetitions of one series in one case with one heap."""

    def __init__(self, runs):
        self.runs = [run for run in runs if run.ok]
        self.failed = [run for run in runs if not run.ok]

    def values(self, measure):
        found = [measure.of(run) for run in self.runs]
        return [value for value in found if value is not None]

    def value(self, measure):
        return median(self.values(measure))

    def histogram(self):
        """Of all repetitions together: [(upper bound, operations)], rising."""
        merged = collections.Counter()
        for run in self.runs:
            for upper, operations in run.pairs("latency", "histogram"):
                if operations > 0:
                    merged[upper] += operations
        return sorted(merged.items())

    def mmu(self):
        """[(window in ms, median of the utilisation)], rising."""
        by_window = collections.defaultdict(list)
        for run in self.runs:
            for window, utilisation in run.pairs("mmu"):
                by_window[window].append(utilisation)
        return [(window, statistics.median(found)) for window, found in sorted(by_window.items()) if window > 0]


class Results:
    """A whole file."""

    def __init__(self, document, path=""):
        self.path = path
        self.machine = document.get("machine") if isinstance(document.get("machine"), dict) else {}
        self.project = document.get("project") if isinstance(document.get("project"), dict) else {}
        self.options = document.get("options") if isinstance(document.get("options"), dict) else {}
        self.date = str(document.get("date") or "")
        self.skipped = document.get("skipped") if isinstance(document.get("skipped"), list) else []
        self.runs = [Run(fields) for fields in document["runs"] if isinstance(fields, dict)]
        self._cells = collections.defaultdict(list)
        for run in self.runs:
            self._cells[run.case, run.series, run.factor].append(run)
        self._cells = {key: Cell(runs) for key, runs in self._cells.items()}

    def cases(self):
        return sorted({run.case for run in self.runs}, key=lambda case: case.order)

    def series(self, case=None):
        found = {run.series for run in self.runs if case in (None, run.case)}
        return sorted(found, key=lambda series: series.order)

    def factors(self, case=None):
        """Heap sizes as multiples of what is live, rising; [] when no manager had a limit."""
        return sorted({run.factor for run in self.runs if case in (None, run.case) and run.factor is not None})

    def usual_factor(self, case=None):
        """The one to show when there is room for one: 2, or what is nearest to it."""
        factors = self.factors(case)
        return min(factors, key=lambda factor: abs(math.log(factor / 2))) if factors else None

    def cell(self, case, series, factor):
        """The cell with that heap; for a manager whose heap has no limit, its only one; None when it did not run."""
        return self._cells.get((case, series, factor)) or self._cells.get((case, series, None))

    def own_cell(self, case, series, factor):
        """The cell with exactly that heap."""
        return self._cells.get((case, series, factor))

    def reference(self, wanted=None):
        """The series that the others are compared with: Shale as it is by default, or the one that is wanted."""
        there = self.series()
        if wanted is not None:
            for series in there:
                if wanted in (series.key, series.name):
                    return series
            raise ResultsError(f'no run is of "{wanted}"; there are: {", ".join(s.key for s in there)}')
        for mode in REFERENCE_MODES:
            if Series("shale", mode) in there:
                return Series("shale", mode)
        return next((series for series in there if series.ours), there[0] if there else None)

    def live_bytes(self, case):
        """What the case keeps alive: known from any of its runs."""
        return median(positive(run.fields.get("live_bytes")) for run in self.runs if run.case == case and run.ok)

    def repetitions(self, case=None):
        return max((len(cell.runs) for key, cell in self._cells.items() if case in (None, key[0])), default=0)

    def failures(self):
        """[(case, series, factor, error, how many)] of what ran and went wrong."""
        return [(case, series, factor, cell.failed[0].error, len(cell.failed))
                for (case, series, factor), cell in sorted(
                    self._cells.items(), key=lambda item: (item[0][0].order, item[0][1].order, item[0][2] or 0))
                if cell.failed]

    def skips(self):
        """[(reason, what)]: what did not run for one reason is told once, by workload."""
        reasons = {}
        for skipped in self.skipped:
            if isinstance(skipped, dict):
                label = series_of_label(str(skipped.get("manager") or "?")).name
                by_workload = reasons.setdefault(str(skipped.get("reason") or "no reason is given"), {})
                by_workload.setdefault(skipped.get("workload"), []).append(label)
        return [(reason, "; ".join(
            f"{WORKLOADS.get(workload, workload)} ({', '.join(labels)})" if workload else ", ".join(labels)
            for workload, labels in by_workload.items())) for reason, by_workload in reasons.items()]

    def disagreements(self):
        """Where managers did not compute the same: a sentence each. Nothing else in such a file is to be trusted."""
        found = collections.defaultdict(lambda: collections.defaultdict(set))
        for run in self.runs:
            if run.checksum is not None:
                found[run.case, run.fields.get("seed")][run.checksum].add(run.series)
        sentences = []
        for (case, seed), checksums in sorted(found.items(), key=lambda item: (item[0][0].order, str(item[0][1]))):
            if len(checksums) > 1:
                parts = [f"{checksum} by {', '.join(s.name for s in sorted(series, key=lambda s: s.order))}"
                         for checksum, series in sorted(checksums.items(), key=lambda item: -len(item[1]))]
                sentences.append(f"{case.name} (scale {case.scale or '?'}, seed {seed}): {'; '.join(parts)}")
        return sentences


def parse(document, path=""):
    if not isinstance(document, dict) or not isinstance(document.get("runs"), list):
        raise ResultsError(f"{path}: this is no file of benchmark results: it has no list of runs")
    if document.get("format") != FORMAT:
        raise ResultsError(f"{path}: its format is {document.get('format')!r}; this program reads format {FORMAT}")
    return Results(document, path)


def load(path):
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except OSError as error:
        raise ResultsError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise ResultsError(f"{path}: this is no JSON: {error}") from error
    return parse(document, path)
