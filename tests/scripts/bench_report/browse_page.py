"""Not found by the pattern of the other tests: see ../bench_page.sh."""
import os
import unittest

import browser
import made_up
import support
from bench.report import html, results

VISIBLE = "[...document.querySelectorAll('%s')].filter(e => e.getClientRects().length > 0)"


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = support.Folder()
        document = made_up.document()
        for run in document["runs"]:
            if run["manager"] == "jvm-zgc" and run["heap_factor"] == 1.3:
                run.update(ok=False, error="there was no memory")
        cls.page = cls.folder.path("report.html")
        with open(cls.page, "w", encoding="utf-8") as file:
            file.write(html.page(results.parse(document)))
        cls.browser = browser.Browser()

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.folder.cleanup()

    def setUp(self):
        self.browser.open(f"file://{self.page}")

    def tearDown(self):
        self.assertEqual(self.browser.complaints(), [])

    def count(self, selector):
        return self.browser.evaluate(f"{VISIBLE % selector}.length")

    def test_every_plot_has_its_curves(self):
        series = len(made_up.SERIES)
        stopping = sum(one[3] is not None for one in made_up.SERIES)
        expected = {"latency": series, "mmu": stopping, "pause": stopping, "throughput": series, "memory": series}
        found = self.browser.evaluate(
            "[...document.querySelectorAll('figure')].map(figure => [figure.classList[1], "
            "[...figure.querySelectorAll('.curve')].filter(c => c.getClientRects().length > 0).length])")
        self.assertEqual(len(found), len(made_up.WORKLOADS) * 4 + len(made_up.WITH_LATENCY))
        for kind, curves in found:
            self.assertEqual(curves, expected[kind], kind)

    def test_curves_are_inside_their_plot(self):
        outside = self.browser.evaluate(
            "[...document.querySelectorAll('svg.chart')].filter(s => s.getClientRects().length > 0).flatMap(svg => {"
            " const box = svg.querySelector('.axis').getBBox();"
            " return [...svg.querySelectorAll('.line')].map(l => l.getBBox()).filter(b => b.x < box.x - 1 || b.y < box.y - 1 ||"
            " b.x + b.width > box.x + box.width + 1 || b.y + b.height > box.y + box.height + 1).map(b => [svg.id, b.x, b.y]);})")
        self.assertEqual(outside, [])

    def test_legend_hides_and_shows(self):
        before = self.count(".chart .curve[data-series=\"bdwgc\"]")
        others = self.count(".chart .curve:not([data-series=\"bdwgc\"])")
        self.assertGreater(before, 0)
        click = "document.querySelector('.legend .entry[data-series=\"bdwgc\"]').click()"
        self.browser.evaluate(click)
        self.assertEqual(self.count(".chart .curve[data-series=\"bdwgc\"]"), 0)
        self.assertEqual(self.count(".chart .curve:not([data-series=\"bdwgc\"])"), others)
        pressed = "document.querySelector('.legend .entry[data-series=\"bdwgc\"]').getAttribute('aria-pressed')"
        self.assertEqual(self.browser.evaluate(pressed), "false")
        self.browser.evaluate(click)
        self.assertEqual(self.count(".chart .curve[data-series=\"bdwgc\"]"), before)

    def test_only_ours_and_all(self):
        everything = self.count(".chart .curve")
        self.browser.evaluate("document.querySelector('[data-show=ours]').click()")
        self.assertEqual(self.count(".chart .curve:not([data-series^=shale])"), 0)
        self.assertGreater(self.count(".chart .curve"), 0)
        self.browser.evaluate("document.querySelector('[data-show=all]').click()")
        self.assertEqual(self.count(".chart .curve"), everything)

    def test_buttons_choose_a_variant(self):
        shown = "[...document.querySelectorAll('#gcbench-1-full .mmu svg')].filter(s => s.getClientRects().length).map(s => s.id)"
        self.assertEqual(self.browser.evaluate(shown), ["mmu-gcbench-1-full-2x-live"])
        self.browser.evaluate("document.querySelectorAll('#gcbench-1-full .mmu .switch button')[0].click()")
        self.assertEqual(self.browser.evaluate(shown), ["mmu-gcbench-1-full-1.3x-live"])
        self.assertEqual(self.count('#gcbench-1-full .mmu svg .curve[data-series="jvm-zgc"]'), 0)

    def tip(self, plot, across, down=0.5):
        box = self.browser.evaluate(f"document.getElementById('{plot}').scrollIntoView({{block: 'center'}}), "
                                    f"document.querySelector('#{plot} .axis').getBoundingClientRect().toJSON()")
        self.browser.mouse("mouseMoved", box["x"] + across * box["width"], box["y"] + down * box["height"])
        return self.browser.evaluate("document.getElementById('tip').hidden ? '' : document.getElementById('tip').innerText")

    def test_tooltips(self):
        text = self.tip("throughput-gcbench-1-full-throughput", 0.5)
        self.assertIn("heap 2\u00d7 live", text)
        self.assertRegex(text, r"Shale thread\s+1\.\d\d M/s")
        self.assertRegex(text, r"mimalloc\s+\d\.\d\d M/s")
        text = self.tip("latency-ring-1-full-2x-live", 0.4)
        self.assertRegex(text, r"^99\.\d+ % of operations")
        self.assertRegex(text, r"Shale thread\s+[\d.]+ \S?s")
        self.browser.evaluate("document.querySelector('.legend .entry[data-series=\"mimalloc\"]').click()")
        self.assertNotIn("mimalloc", self.tip("throughput-gcbench-1-full-throughput", 0.5))
        self.browser.mouse("mouseMoved", 1, 1)
        self.assertTrue(self.browser.evaluate("document.getElementById('tip').hidden"))

    def test_tables_hold_the_values(self):
        self.browser.evaluate("document.querySelector('#ring-1-full .latency .variant:not([hidden]) summary').click()")
        text = self.browser.evaluate("document.querySelector('#ring-1-full .latency .variant:not([hidden]) table').innerText")
        self.assertRegex(text, r"p99\.99\s+longest\s+operations")
        self.assertEqual(len(text.strip().splitlines()), 2 + len(made_up.SERIES))  # caption and heads

    def test_no_overlap_and_no_sideways_scrolling(self):
        self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), 1280)

    def test_narrow_screens(self):
        self.browser.call("Emulation.setDeviceMetricsOverride", width=420, height=800, deviceScaleFactor=1, mobile=True)
        try:
            self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), 420)
        finally:
            self.browser.call("Emulation.clearDeviceMetricsOverride")

    def test_prints(self):
        self.browser.pdf(self.folder.path("report.pdf"))
        self.assertGreater(os.path.getsize(self.folder.path("report.pdf")), 50000)
        self.assertEqual(self.browser.evaluate("document.querySelectorAll('details[open]').length"), 0)


if __name__ == "__main__":
    unittest.main()
