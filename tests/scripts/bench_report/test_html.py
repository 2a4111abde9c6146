import itertools
import json
import math
import os
import re
import unittest
from html.parser import HTMLParser

import made_up
import support
from bench.report import figures, html, plot, results, summary

FEW = (("gcbench", 1), ("ring", 1))
VOID = {"meta", "link", "br", "input"}
COLOUR = re.compile(r"--c-(\w+): (#[0-9a-f]{6});")
# Machado, Oliveira and Fernandes 2009: how strong red, green and blue blindness see linear colours.
BLINDNESS = (
    ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)))


def parse(document):
    return results.parse(json.loads(json.dumps(document)), "made up")


class Structure(HTMLParser):
    """What is in a page; fails on tags that do not match."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.identities = [], [], []
        self.feed(page)
        if self.open:
            raise AssertionError(f"not closed: {self.open}")

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.identities += [value for name, value in attrs if name == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes nothing")

    def count(self, tag, wanted):
        return sum(name == tag and wanted in (attributes.get("class") or "").split() for name, attributes in self.tags)


class Page(unittest.TestCase):
    def test_well_formed_and_whole(self):
        page = html.page(parse(made_up.document()))
        structure = Structure(page)
        self.assertEqual(len(structure.identities), len(set(structure.identities)))
        cases, timed = len(made_up.WORKLOADS), len(made_up.WITH_LATENCY)
        # MMU and latency once for each heap; stops and, where timed, operations and p99.99; wall and CPU time.
        self.assertEqual(structure.count("svg", "chart"), cases * 3 + timed * 3 + cases + timed * 2 + cases * 2)
        self.assertEqual(structure.count("svg", "bars"), cases * 3)
        self.assertEqual(structure.count("section", "case"), cases)

    def test_needs_nothing_else(self):
        page = html.page(parse(made_up.document(workloads=FEW)))
        for tag, attributes in Structure(page).tags:
            for name in ("src", "href"):
                if name in attributes:
                    self.assertTrue(attributes[name].startswith(("#", "data:")), (tag, attributes))
        self.assertNotRegex(page, r"@import|url\(|https?://")

    def test_everything_is_escaped(self):
        document = made_up.document(workloads=(("ring", 1),))
        evil = "<script>alert(1)</script>\"'&"
        document["machine"]["cpu"] = document["date"] = evil
        document["skipped"] = [{"manager": evil, "reason": evil}]
        document["options"] = {evil: [evil], "more": {evil: evil}}
        document["runs"] += [dict(document["runs"][0], workload=evil, scale=evil, manager=evil, mode=evil),
                             dict(document["runs"][0], ok=False, error=evil), dict(document["runs"][0], checksum=evil)]
        page = html.page(parse(document))
        self.assertNotIn("<script>alert", page)
        self.assertEqual(sum(tag == "script" for tag, _ in Structure(page).tags), 1)

    def test_odd_files(self):
        for runs in ([], [{}], [{"workload": "ring", "manager": "shale", "mode": "thread", "ok": True}],
                     [{"workload": "ring", "manager": "malloc", "ok": False}],
                     [dict(run, heap_bytes=None, heap_factor=None) for run in made_up.document()["runs"][:1]]):
            Structure(html.page(parse(dict(made_up.document(workloads=()), runs=runs))))

    def test_values_at_the_ends(self):
        document = made_up.document(workloads=(("ring", 1),), repetitions=1)
        for run in document["runs"]:
            run.update(wall_seconds=0, peak_memory_bytes=0)
            run["latency"]["histogram"] = [[0, 1]]
            if run["stops"]:
                run["stops"] = {"count": 0, "total_ns": 0, "p50": 0, "p99": 0, "max": 0}
                run["mmu"] = [[1, 1.0], [0, 1.0], [5, -3]]
        page = html.page(parse(document))
        Structure(page)
        self.assertNotRegex(page, r"\b(nan|inf)\b")

    def test_failed_runs_are_named(self):
        document = made_up.document(workloads=FEW)
        for run in document["runs"]:
            if run["manager"] == "jvm-zgc" and run["heap_factor"] == 2.0:
                run.update(ok=False, error="there was no memory")
        page = html.page(parse(document))
        self.assertRegex(page, "What did not run.*<strong>ZGC</strong>, heap 2\u00d7, in GCBench, .*: there was no memory")

    def test_counts(self):
        document = made_up.document(workloads=FEW)
        for run in document["runs"]:
            if run["manager"] == "shale" and run["workload"] == "ring" and run["heap_factor"] == 2.0:
                run["faults"] = 4711
        self.assertEqual(html.page(parse(document)).count("<td>4711</td>"), 4)  # Shale's modes

    def test_checksums_are_loud(self):
        document = made_up.document(workloads=FEW)
        self.assertNotIn("Checksums differ", html.page(parse(document)))
        document["runs"][7]["checksum"] = "bad"
        page = html.page(parse(document))
        self.assertLess(page.index("Checksums differ"), page.index("In short"))

    def test_as_a_program(self):
        folder = support.Folder()
        with folder:
            path = folder.write("results.json", made_up.document(workloads=(("ring", 1),)))
            status, out, err = support.run("html.py", path)
            self.assertEqual((status, out.strip(), err), (0, folder.path("report.html"), ""))
            self.assertTrue(os.path.getsize(folder.path("report.html")) > 10000)
            self.assertEqual(support.run("html.py", path, "-o", folder.path("no/such.html"))[0], 2)
            self.assertEqual(support.run("html.py", "--help")[0], 0)


class Words(unittest.TestCase):
    def sentences(self, speed, repetitions=3):
        series = [("shale", "thread", 1.0, 0.2, None), ("malloc", "", speed, None, 1.4)]
        file = parse(made_up.document(series=series, factors=(2.0,), repetitions=repetitions))
        return summary.aspect_sentences(file, file.reference(), summary.ASPECTS[0])

    def test_win_and_loss(self):
        won = self.sentences(0.3)
        self.assertEqual(won[0], "Shale thread is ahead of glibc malloc in every workload.")
        self.assertRegex(won[1], r"^Clearest win: 2\.\d times faster than glibc malloc in ")
        self.assertEqual(len(won), 2)
        lost = self.sentences(3)
        self.assertEqual(lost[0], "Shale thread is behind glibc malloc in every workload.")
        self.assertRegex(lost[1], r"^Clearest loss: 4\.\d times slower than glibc malloc in ")

    def test_even(self):
        even = 1 / (1 + 0.35 / (2.0 - 1))  # what the made-up Shale loses in a heap of twice the live size
        self.assertEqual(self.sentences(even), ["Shale thread is even with glibc malloc."])

    def test_smoothness_is_told_of_operations_that_are_timed(self):
        document = made_up.document(workloads=(("gcbench", 1), ("ring", 1)))
        for run in document["runs"]:
            if run["workload"] == "ring":
                run["latency"]["max"] = 1000 if run["manager"] == "shale" else 20000
        file = parse(document)
        aspect = summary.ASPECTS[1]
        self.assertEqual({one.outcomes[0].case.workload for one in summary.scores(file, file.reference(), aspect)}, {"ring"})
        self.assertRegex(summary.aspect_sentences(file, file.reference(), aspect)[1],
                         "^Clearest win: 20 times shorter than .* in Ring of buffers.$")

    def test_mixed(self):
        document = made_up.document()
        for run in document["runs"]:
            if run["manager"] == "malloc":
                run["wall_seconds"] *= 10 if run["workload"] in ("lru", "ring") else 0.1
        file = parse(document)
        text = " ".join(summary.aspect_sentences(file, file.reference(), summary.ASPECTS[0]))
        self.assertIn("mostly behind glibc malloc", text)


class Drawing(unittest.TestCase):
    def test_latency_points(self):
        points = figures.latency_points([(100, 90), (200, 9), (300, 1)])
        for (x, y), (expected_x, expected_y) in zip(points, [(1, 100), (10, 200), (100, 300), (100, 300)]):
            self.assertAlmostEqual(x, expected_x)
            self.assertEqual(y, expected_y)

    def test_logarithmic_axis(self):
        axis = plot.decades("time", [150, 80000], str, "time")
        self.assertEqual((axis.low, axis.high), (100, 100000))
        self.assertAlmostEqual(axis.fraction(1000), 1 / 3)
        self.assertEqual(axis.fraction(1), 0)

    def test_linear_axis_begins_at_zero(self):
        axis = plot.from_zero("rate", [7.3e6], str, "rate")
        self.assertEqual((axis.low, axis.high), (0, 8e6))
        self.assertTrue(3 <= len(axis.ticks) <= 7)

    def test_places(self):
        curve = plot.Curve("a", plot.Look("shale", 0, "circle"), [(1, 0), (10, 50), (100, 100)])
        frame = plot.Frame(plot.decades("x", [1, 100], str, "time"), plot.from_zero("y", [100], str, "share"))
        self.assertIn('d="M66 274L306 143L546 12"', frame.curve(curve))
        curve.step = True
        self.assertIn('d="M66 274H306V143H546V12"', frame.curve(curve))

    def test_series_are_told_apart_without_colour(self):
        looks = figures.looks(parse(made_up.document(workloads=(("ring", 1),)))).values()
        self.assertEqual(len({(look.dash, look.marker) for look in looks}), len(made_up.SERIES))


def linear(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def luminance(colour):
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear(colour)))


def contrast(first, second):
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def oklab(colour, blindness):
    red, green, blue = linear(colour)
    red, green, blue = (min(1, max(0, a * red + b * green + c * blue)) for a, b, c in blindness)
    long, middle, short = ((a * red + b * green + c * blue) ** (1 / 3) for a, b, c in (
        (0.4122214708, 0.5363325363, 0.0514459929), (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005)))
    return (0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short,
            1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short,
            0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short)


class Colours(unittest.TestCase):
    def schemes(self):
        """(background, {manager: colour}) of light, dark and print, as the style has them."""
        with open(os.path.join(support.REPORT, "page.css"), encoding="utf-8") as file:
            blocks = re.findall(r":root \{(.*?)\}", file.read(), re.S)
        self.assertEqual(len(blocks), 3)
        for block in blocks:
            colours = dict(COLOUR.findall(block))
            colours.pop("other")
            yield re.search(r"--panel: (#[0-9a-f]{6})", block).group(1), colours

    def test_contrast(self):
        for background, colours in self.schemes():
            for name, colour in colours.items():
                self.assertGreaterEqual(contrast(colour, background), 3, (name, background))

    def test_apart_for_the_colour_blind(self):
        for _, colours in self.schemes():
            self.assertEqual(len(colours), 8)
            for blindness in BLINDNESS:
                for (one, first), (other, second) in itertools.combinations(colours.items(), 2):
                    distance = math.dist(oklab(first, blindness), oklab(second, blindness))
                    self.assertGreater(distance, 0.08, (one, other))


if __name__ == "__main__":
    unittest.main()
