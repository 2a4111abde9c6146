"""Which plots there are for a case, what they are drawn from, and the same as a table for those who cannot see them."""
from bench.report import measures, plot, units

LOOKS = {  # colour, dash, marker: no two are alike in the last two either
    "shale/thread": ("shale", 0, "circle"),
    "shale/signal": ("shale", 1, "square"),
    "shale/conservative": ("shale", 2, "triangle"),
    "shale/pages": ("shale", 3, "diamond"),
    "malloc": ("malloc", 0, "plus"),
    "mimalloc": ("mimalloc", 1, "cross"),
    "bdwgc": ("bdwgc", 0, "nabla"),
    "bdwgc/incremental": ("bdwgc", 1, "hexagon"),
    "jvm-zgc": ("zgc", 4, "diamond"),
    "jvm-shenandoah": ("shenandoah", 1, "triangle"),
    "jvm-g1": ("g1", 2, "square"),
    "jvm-parallel": ("parallel", 3, "circle"),
}
COLOURS = {"shale": "shale", "malloc": "malloc", "mimalloc": "mimalloc", "bdwgc": "bdwgc"}
PERCENTILES = (0.5, 0.9, 0.99, 0.999, 0.9999)
WINDOWS_MS = (1, 10, 100, 500)
NEAR_DECADES = 0.008  # two points of a curve closer than this, on logarithmic axes, are one


def look(series, place):
    """`place`: the series' number, for one that is not known here."""
    if series.key in LOOKS:
        return plot.Look(*LOOKS[series.key], strong=series.ours)
    colour = COLOURS.get(series.manager, "other")
    return plot.Look(colour, place % len(plot.DASHES), plot.MARKERS[place % len(plot.MARKERS)], strong=series.ours)


def looks(file):
    return {series: look(series, i) for i, series in enumerate(file.series())}


class Table:
    def __init__(self, heads, rows):
        self.heads = heads
        self.rows = rows  # [(series, [text])]


class Variant:
    """One of several drawings of a figure, chosen by a button."""

    def __init__(self, label, svg, table):
        self.label = label
        self.svg = svg
        self.table = table


class Figure:
    def __init__(self, kind, title, explanation, variants, chosen=0):
        self.kind = kind
        self.title = title
        self.explanation = explanation
        self.variants = variants
        self.chosen = chosen


def html_time(value):
    return units.nanoseconds(value).replace("us", "\u00b5s")


def factor_text(factor):
    return f"{factor:g}\u00d7 live"


def whole(value):
    return f"{value:g}"


def tick_time(value):
    for unit, size in (("ns", 1), ("\u00b5s", 1e3), ("ms", 1e6)):
        if value < size * 999:
            return f"{value / size:g} {unit}"
    return f"{value / 1e9:g} s"


def identity(case, kind, label):
    return f"{kind}-{case.key}-{label}".replace(" ", "-").replace("\u00d7", "x").replace("/", "-")


def by_factor(file, case, kind, title, explanation, draw):
    """A figure with a variant for each heap size; `draw(factor)` gives a drawing, its table, or None."""
    factors = file.factors(case) or [None]
    variants, chosen = [], 0
    for factor in factors:
        label = "" if factor is None else factor_text(factor)
        drawn = draw(factor, identity(case, kind, label or "all"))
        if drawn is None:
            continue
        if factor == file.usual_factor(case):
            chosen = len(variants)
        variants.append(Variant(label, *drawn))
    return Figure(kind, title, explanation, variants, chosen) if variants else None


# ---- latency -------------------------------------------------------------------------------------------


def latency_points(histogram):
    """[(1 / (1 - share of the operations that took less), upper bound)], and the end of the last step."""
    total = sum(count for _, count in histogram)
    points, before = [], 0
    for upper, count in histogram:
        points.append((total / (total - before), upper))
        before += count
    points.append((total, histogram[-1][0]))
    return points


def thinned(points):
    """Without points that would be drawn where the one before is; the last stays."""
    kept = []
    for i, (x, y) in enumerate(points):
        near = kept and x / kept[-1][0] < 10 ** NEAR_DECADES and y / kept[-1][1] < 10 ** NEAR_DECADES
        if not near or i == len(points) - 1:
            kept.append((x, y))
    return kept


def quantile(histogram, share):
    total = sum(count for _, count in histogram)
    seen = 0
    for upper, count in histogram:
        seen += count
        if seen >= share * total:
            return upper
    return histogram[-1][0]


def percentile_text(x):
    """The tick at 1 / (1 - p)."""
    return {1: "0", 10: "90 %", 100: "99 %", 1000: "99.9 %"}.get(round(x), f"99.{'9' * (len(str(round(x))) - 3)} %")


def percentile_ticks(most):
    marks, mark = [], 1
    while mark <= most:
        marks.append((mark, percentile_text(mark)))
        mark *= 10
    return marks


def latency_figure(file, case, all_looks):
    def draw(factor, name):
        found = [(series, file.cell(case, series, factor)) for series in file.series(case)]
        found = [(series, cell.histogram()) for series, cell in found if cell]
        found = [(series, [(max(upper, 1), n) for upper, n in histogram]) for series, histogram in found if histogram]
        if not found:
            return None
        curves = [plot.Curve(series.key, all_looks[series], thinned(latency_points(histogram)), step=True)
                  for series, histogram in found]
        xs = [x for curve in curves for x, _ in curve.points]
        ys = [y for curve in curves for _, y in curve.points]
        x_axis = plot.Axis("operations that are at least as quick", 1, max(xs) * 1.1, percentile_ticks(max(xs)), True,
                           "percentile")
        y_axis = plot.decades("time of one operation", ys, tick_time, "time")
        rows = [(series, [html_time(quantile(histogram, share)) for share in PERCENTILES]
                 + [html_time(histogram[-1][0]), f"{sum(n for _, n in histogram):,}".replace(",", "\u202f")])
                for series, histogram in found]
        heads = ["p50", "p90", "p99", "p99.9", "p99.99", "longest", "operations"]
        return (plot.chart(name, f"Latency distribution of {case.name}; the table below has the values", x_axis, y_axis,
                           curves), Table(heads, rows))
    return by_factor(file, case, "latency", "How long one operation takes",
                     "The further right, the rarer: at 99.9 % one operation in a thousand takes longer. Lower is better.",
                     draw)


# ---- minimum mutator utilisation -----------------------------------------------------------------------


def nearest_window(curve, wanted):
    window, utilisation = min(curve, key=lambda point: abs(point[0] / wanted - 1))
    return utilisation if abs(window / wanted - 1) < 0.3 else None


def mmu_figure(file, case, all_looks):
    def draw(factor, name):
        found = [(series, file.cell(case, series, factor)) for series in file.series(case)]
        found = [(series, cell.mmu()) for series, cell in found if cell]
        found = [(series, curve) for series, curve in found if curve]
        if not found:
            return None
        curves = [plot.Curve(series.key, all_looks[series], curve) for series, curve in found]
        x_axis = plot.decades("length of the window", [x * 1e6 for _, curve in found for x, _ in curve], tick_time, "time")
        for curve in curves:
            curve.points = [(x * 1e6, min(1.0, max(0.0, y))) for x, y in curve.points]
        y_axis = plot.from_zero("least share of it left to the program", [1], lambda value: f"{100 * value:.0f} %", "share",
                                most=1)
        rows = [(series, ["-" if value is None else f"{100 * value:.0f} %"
                          for value in (nearest_window(curve, wanted) for wanted in WINDOWS_MS)])
                for series, curve in found]
        return (plot.chart(name, f"Minimum mutator utilisation in {case.name}; the table below has the values", x_axis, y_axis,
                           curves), Table([f"in {window} ms" for window in WINDOWS_MS], rows))
    return by_factor(file, case, "mmu", "What the collector leaves to the program (MMU)",
                     "Of every window of that length, at least this share was the program's own: Shale counts all that held a "
                     "thread up, also faults and waits for memory; the others only stops. Higher is better.", draw)


# ---- against heap size ---------------------------------------------------------------------------------


def against_heap(file, case, all_looks, measure, name, axis_of, text):
    """One measure against the size of the heap; managers without a limit are drawn as a level across."""
    factors = file.factors(case)
    curves, rows = [], []
    for series in file.series(case):
        cells = [(factor, file.own_cell(case, series, factor)) for factor in factors]
        cells = [(factor, cell) for factor, cell in cells if cell and cell.value(measure) is not None]
        there = {factor: cell.value(measure) for factor, cell in cells}
        alone = file.own_cell(case, series, None)
        level = alone.value(measure) if alone else None
        if not there and level is None:
            continue
        rows.append((series, [text(there.get(factor)) for factor in factors] + [text(level)]))
        # What took no time at all has no place on a logarithmic axis.
        points = [(factor, value) for factor, value in there.items() if value > 0]
        spread = [(factor, min(found), max(found)) for factor, found in (
            (factor, [value for value in cell.values(measure) if value > 0]) for factor, cell in cells) if found]
        level = level if level and level > 0 else None
        if points or level:
            curves.append(plot.Curve(series.key, all_looks[series], points, markers=True, spread=spread, level=level))
    if not curves or not factors:
        return None
    values = [value for curve in curves for _, value in curve.points] + [
        curve.level for curve in curves if curve.level is not None] + [
        end for curve in curves for _, low, high in curve.spread for end in (low, high)]
    low, high = min(factors), max(factors)
    margin = (high / low) ** 0.06 if high > low else 1.3
    x_axis = plot.Axis("heap limit, times what is live", low / margin, high * margin,
                       [(factor, f"{factor:g}\u00d7") for factor in factors], True, "factor")
    heads = [f"heap {factor_text(factor)}" for factor in factors] + ["no limit"]
    description = f"{measure.title} of {case.name} against heap size; the table below has the values"
    return plot.chart(name, description, x_axis, axis_of(values), curves), Table(heads, rows)


def heap_figure(file, case, all_looks, kind, title, explanation, choices):
    """`choices`: [(label, measure, function that makes the axis, text of a value)]."""
    variants = []
    for label, measure, axis_of, text in choices:
        drawn = against_heap(file, case, all_looks, measure, identity(case, kind, measure.key), axis_of, text)
        if drawn is not None:
            variants.append(Variant(label, *drawn))
    return Figure(kind, title, explanation, variants) if variants else None


def pause_figure(file, case, all_looks):
    def axis(values):
        return plot.decades("time", values, tick_time, "time")
    return heap_figure(
        file, case, all_looks, "pause", "Pauses against heap size",
        "Waits for a page or for memory are no stops, but are in the time of an operation. Who did not stop at all is not "
        "drawn. Medians of the repetitions, whiskers from least to most. Lower is better.",
        [("longest stop", measures.STOP_MAX, axis, html_time), ("longest operation", measures.LATENCY_MAX, axis, html_time),
         ("p99.99", measures.P9999, axis, html_time)])


def throughput_figure(file, case, all_looks):
    def axis(values):
        return plot.from_zero("operations a second", values, tick_rate, "rate")
    return heap_figure(
        file, case, all_looks, "throughput", "Throughput against heap size",
        "Operations a second of wall time, or of the CPU time of all threads, the collector's too. Higher is better.",
        [("wall time", measures.THROUGHPUT, axis, units.rate), ("CPU time", measures.CPU_THROUGHPUT, axis, units.rate)])


def tick_rate(value):
    for unit, size in (("", 1), (" K", 1e3), (" M", 1e6)):
        if value < size * 999:
            return whole(round(value / size, 6)) + unit
    return f"{value / 1e9:g} G"


# ---- memory --------------------------------------------------------------------------------------------


def memory_figure(file, case, all_looks):
    def draw(factor, name):
        found = [(series, file.cell(case, series, factor)) for series in file.series(case)]
        found = [(series, cell.value(measures.MEMORY_RATIO), cell.value(measures.PEAK)) for series, cell in found if cell]
        found = [one for one in found if one[1] is not None]
        if not found:
            return None
        bars = [plot.Bar(series.key, all_looks[series], series.name, ratio, f"{units.significant(ratio)}\u00d7")
                for series, ratio, _ in found]
        rows = [(series, [f"{units.significant(ratio)}\u00d7", units.size(peak)]) for series, ratio, peak in found]
        return (plot.bars(name, f"Peak memory over live memory in {case.name}; the table below has the values",
                          "most memory held at once, over what is live", bars, mark=1.0),
                Table(["peak over live", "peak"], rows))
    return by_factor(file, case, "memory", "Memory over live",
                     "The whole process at its largest. The line is what the live objects take themselves. "
                     "Shorter is better.", draw)


def counts_table(file, case):
    """What the managers counted, at the usual heap size; None when none did."""
    counted = (measures.CYCLES, measures.STOP_COUNT, measures.STOP_TOTAL, measures.FAULTS, measures.STALLS, measures.PREEMPTED)
    rows = []
    for series in file.series(case):
        cell = file.cell(case, series, file.usual_factor(case))
        if cell and any(cell.value(measure) is not None for measure in counted):
            rows.append((series, [measure.text(cell.value(measure)) for measure in counted]))
    return Table([measure.title for measure in counted], rows) if rows else None


def figures(file, case, all_looks):
    """All that the runs of the case allow."""
    made = [make(file, case, all_looks)
            for make in (latency_figure, mmu_figure, pause_figure, throughput_figure, memory_figure)]
    return [figure for figure in made if figure is not None]
