"""Draws charts as SVG, from numbers only: what is measured and who is who belongs to figures.py.

Everything that has a colour has a class for it, so that the page's style decides about light and dark; every curve, marker
and bar carries data-series, by which the legend shows and hides it. A chart tells page.js its scales in data-x and data-y,
so that a tooltip can turn places back into values.
"""
import html
import json
import math

WIDTH, HEIGHT = 560, 320
LEFT, RIGHT, TOP, BOTTOM = 66, 14, 12, 46
MARKER_SIZE = 4.5

# By number of the series' look: what a stroke is made of, and the shape of its markers.
DASHES = ("", "7 3", "2 3", "8 3 2 3", "12 3")
MARKERS = ("circle", "square", "triangle", "diamond", "cross", "plus", "hexagon", "nabla")


def text(value):
    return html.escape(str(value), quote=True)


class Axis:
    """A scale from values to places. `format` is the name of a function in page.js, for tooltips."""

    def __init__(self, title, low, high, ticks, logarithmic, format):
        self.title = title
        self.low = low
        self.high = high
        self.ticks = ticks  # [(value, label)]
        self.logarithmic = logarithmic
        self.format = format

    def fraction(self, value):
        if self.logarithmic:
            value = max(value, self.low)
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def data(self, start, end):
        return text(json.dumps({"low": self.low, "high": self.high, "log": self.logarithmic, "from": start, "to": end,
                                "format": self.format}))


def decades(title, values, label, format):
    """A logarithmic axis around the values, with a tick at each power of ten, or at 1, 2 and 5 when these are few."""
    low, high = min(values), max(values)
    first, last = math.floor(math.log10(low) + 1e-9), math.ceil(math.log10(high) - 1e-9)
    steps = (1,) if last - first >= 3 else (1, 2, 5)
    marks = [step * 10.0 ** power for power in range(first - 1, last + 1) for step in steps]
    bottom = max((mark for mark in marks if mark <= low * 1.0001), default=10.0 ** first)
    top = min((mark for mark in marks if mark >= high * 0.9999), default=10.0 ** last)
    if bottom == top:
        top = bottom * 10
    return Axis(title, bottom, top, [(mark, label(mark)) for mark in marks if bottom <= mark <= top], True, format)


def from_zero(title, values, label, format, most=None):
    """A linear axis that begins at zero, as lengths that are compared must."""
    high = most or max(max(values), 1e-12)
    step = 10.0 ** math.floor(math.log10(high / 4))
    step = next(step * factor for factor in (1, 2, 2.5, 5, 10) if high / (step * factor) <= 5)
    high = most or math.ceil(high / step - 1e-9) * step
    count = int(high / step + 1e-9)
    return Axis(title, 0, high, [(i * step, label(i * step)) for i in range(count + 1)], False, format)


def place(number):
    return f"{number:.2f}".rstrip("0").rstrip(".")


def marker_path(shape, x, y, size=MARKER_SIZE):
    """A path around x, y, so that all shapes are drawn alike."""
    def polygon(*points):
        return "M" + "L".join(f"{place(x + dx * size)} {place(y + dy * size)}" for dx, dy in points) + "Z"
    if shape == "square":
        return polygon((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9))
    if shape == "triangle":
        return polygon((0, -1.2), (1.1, 0.8), (-1.1, 0.8))
    if shape == "nabla":
        return polygon((0, 1.2), (1.1, -0.8), (-1.1, -0.8))
    if shape == "diamond":
        return polygon((0, -1.3), (1.1, 0), (0, 1.3), (-1.1, 0))
    if shape == "hexagon":
        return polygon((-1.1, 0), (-0.55, -0.95), (0.55, -0.95), (1.1, 0), (0.55, 0.95), (-0.55, 0.95))
    if shape == "plus":
        return polygon((-0.4, -1.2), (0.4, -1.2), (0.4, -0.4), (1.2, -0.4), (1.2, 0.4), (0.4, 0.4), (0.4, 1.2), (-0.4, 1.2),
                       (-0.4, 0.4), (-1.2, 0.4), (-1.2, -0.4), (-0.4, -0.4))
    if shape == "cross":
        return polygon((-1.1, -0.6), (-0.6, -1.1), (0, -0.5), (0.6, -1.1), (1.1, -0.6), (0.5, 0), (1.1, 0.6), (0.6, 1.1),
                       (0, 0.5), (-0.6, 1.1), (-1.1, 0.6), (-0.5, 0))
    radius = place(size)
    return f"M{place(x - size)} {place(y)}a{radius} {radius} 0 1 0 {place(2 * size)} 0a{radius} {radius} 0 1 0 {place(-2 * size)} 0Z"


class Look:
    """How a series is told from the others even without colours."""

    def __init__(self, colour, dash, marker, strong=False):
        self.colour = colour
        self.dash = dash
        self.marker = marker
        self.strong = strong

    @property
    def classes(self):
        return f"c-{self.colour}{' strong' if self.strong else ''}"

    def dash_attribute(self):
        return f' stroke-dasharray="{DASHES[self.dash]}"' if DASHES[self.dash] else ""


class Curve:
    """`points`: [(x, y)], rising in x. `markers`: each point gets one. `step`: constant up to the next point. `spread`:
    [(x, low, high)], drawn as whiskers. `level`: one y, for what does not depend on x."""

    def __init__(self, series, look, points, markers=False, step=False, spread=(), level=None):
        self.series = series  # the key that the legend knows
        self.look = look
        self.points = points
        self.markers = markers
        self.step = step
        self.spread = spread
        self.level = level


class Frame:
    """Places inside a chart."""

    def __init__(self, x_axis, y_axis):
        self.x_axis = x_axis
        self.y_axis = y_axis

    def x(self, value):
        return LEFT + self.x_axis.fraction(value) * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        return HEIGHT - BOTTOM - self.y_axis.fraction(value) * (HEIGHT - TOP - BOTTOM)

    def axes(self):
        out = []
        bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
        for value, label in self.y_axis.ticks:
            y = place(self.y(value))
            out.append(f'<path class="grid" d="M{LEFT} {y}H{right}"/>'
                       f'<text class="tick" x="{LEFT - 7}" y="{y}" dy="0.32em" text-anchor="end">{text(label)}</text>')
        for value, label in self.x_axis.ticks:
            x = place(self.x(value))
            out.append(f'<path class="grid" d="M{x} {TOP}V{bottom}"/>'
                       f'<text class="tick" x="{x}" y="{bottom + 17}" text-anchor="middle">{text(label)}</text>')
        out.append(f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>')
        out.append(f'<text class="title" x="{(LEFT + right) / 2}" y="{HEIGHT - 7}" text-anchor="middle">'
                   f'{text(self.x_axis.title)}</text>')
        out.append(f'<text class="title" transform="translate(13 {(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">'
                   f'{text(self.y_axis.title)}</text>')
        return "".join(out)

    def curve(self, curve):
        places = [(self.x(x), self.y(y)) for x, y in curve.points]
        parts = []
        if curve.level is not None:
            y = place(self.y(curve.level))
            parts.append(f'<path class="line" d="M{LEFT} {y}H{WIDTH - RIGHT}"{curve.look.dash_attribute()}/>'
                         f'<path class="dot" d="{marker_path(curve.look.marker, WIDTH - RIGHT - 8, self.y(curve.level))}"/>')
        if len(places) > 1:
            path = f"M{place(places[0][0])} {place(places[0][1])}"
            for x, y in places[1:]:
                path += f"H{place(x)}V{place(y)}" if curve.step else f"L{place(x)} {place(y)}"
            parts.append(f'<path class="line" d="{path}"{curve.look.dash_attribute()}/>')
        for x, low, high in curve.spread:
            if low != high:
                x = place(self.x(x))
                parts.append(f'<path class="spread" d="M{x} {place(self.y(low))}V{place(self.y(high))}"/>')
        shown = places if curve.markers else marks_along(places)
        parts += [f'<path class="dot" d="{marker_path(curve.look.marker, x, y)}"/>' for x, y in shown]
        values = {"points": [[float(f"{x:.5g}"), float(f"{y:.4g}")] for x, y in curve.points], "level": curve.level,
                  "step": curve.step, "snap": curve.markers}
        return (f'<g class="curve {curve.look.classes}" data-series="{text(curve.series)}" '
                f'data-values="{text(json.dumps(values, separators=(",", ":")))}">{"".join(parts)}</g>')


def marks_along(places, every=95):
    """Where a long curve gets markers: at places some way from each other, so that it is known without its colour."""
    found, travelled = [], every * 0.6
    for (x0, y0), (x1, y1) in zip(places, places[1:]):
        travelled += math.hypot(x1 - x0, y1 - y0)
        if travelled >= every:
            found.append((x1, y1))
            travelled = 0
    return found or places[-1:]


def chart(identity, description, x_axis, y_axis, curves):
    frame = Frame(x_axis, y_axis)
    return (f'<svg class="chart" id="{text(identity)}" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{text(description)}" data-x="{x_axis.data(LEFT, WIDTH - RIGHT)}" '
            f'data-y="{y_axis.data(HEIGHT - BOTTOM, TOP)}">{frame.axes()}'
            f'<g class="curves">{"".join(frame.curve(curve) for curve in curves)}</g>'
            f'<path class="cross-hair" d=""/></svg>')


class Bar:
    def __init__(self, series, look, name, value, label):
        self.series = series
        self.look = look
        self.name = name
        self.value = value
        self.label = label


def bars(identity, description, title, values, mark=None):
    """Horizontal bars from zero with their values beside them. `mark`: a value that is drawn as a line across."""
    left, row = 150, 22
    height = TOP + row * len(values) + 30
    right = WIDTH - 60
    most = max([bar.value for bar in values] + [mark or 0]) or 1
    out = []
    for i, bar in enumerate(values):
        y = TOP + row * i
        width = max(1.5, (right - left) * bar.value / most)
        out.append(
            f'<g class="curve bar {bar.look.classes}" data-series="{text(bar.series)}">'
            f'<text class="name" x="{left - 20}" y="{y + row / 2}" dy="0.34em" text-anchor="end">{text(bar.name)}</text>'
            f'<path class="dot" d="{marker_path(bar.look.marker, left - 10, y + row / 2)}"/>'
            f'<rect class="fill" x="{left}" y="{y + 3.5}" width="{place(width)}" height="{row - 7}" rx="2"/>'
            f'<text class="value" x="{place(left + width + 6)}" y="{y + row / 2}" dy="0.34em">{text(bar.label)}</text></g>')
    if mark is not None:
        x = place(left + (right - left) * mark / most)
        out.append(f'<path class="mark" d="M{x} {TOP - 4}V{height - 26}"/>')
    out.append(f'<text class="title" x="{left}" y="{height - 9}">{text(title)}</text>')
    return (f'<svg class="bars" id="{text(identity)}" viewBox="0 0 {WIDTH} {height}" role="img" '
            f'aria-label="{text(description)}">{"".join(out)}</svg>')


def legend_sample(look):
    """The line and the marker of a series, for the legend."""
    return (f'<svg class="sample {look.classes}" viewBox="0 0 34 14" aria-hidden="true">'
            f'<path class="line" d="M1 7H33"{look.dash_attribute()}/><path class="dot" d="{marker_path(look.marker, 17, 7)}"/></svg>')
