import json
import re
import unittest

import made_up
import support
from bench.report import results, table


class Table(unittest.TestCase):
    def setUp(self):
        self.document = made_up.document()

    def text(self, **options):
        return table.table(results.parse(json.loads(json.dumps(self.document)), "made up"), **options)

    def row(self, text, name):
        return next(line for line in text.splitlines() if line.startswith(f"  {name} "))

    def test_all_rows_in_the_width(self):
        text = self.text()
        self.assertEqual(len(re.findall(r"^  Shale thread ", text, re.M)), len(made_up.WORKLOADS))
        self.assertLessEqual(max(map(len, text.splitlines())), table.WIDTH)
        self.assertLessEqual(max(map(len, self.text(heap="all").splitlines())), table.WIDTH)
        self.assertEqual(len(re.findall(r"^  Shale thread ", self.text(heap="all"), re.M)), 3 * len(made_up.WORKLOADS))

    def test_values(self):
        self.document = made_up.document(workloads=(("ring", 1),), repetitions=1)
        for run in self.document["runs"]:
            run.update(wall_seconds=2.0 if run["manager"] == "shale" else 1.0, operations=1000)
            run["latency"].update(p99=1500, p9999=25000, max=7000000)
        text = self.text()
        self.assertRegex(self.row(text, "Shale thread"), r"2x +2\.00 s .* 1\.00x +1\.50 us +25\.0 us +7\.00 ms")
        self.assertRegex(self.row(text, "mimalloc"), r" - +1\.00 s .* 2\.00x ")
        self.assertIn("(1 thread, scale full, 64.0 MiB live, once)", text)

    def test_best_in_bold_only_when_wanted(self):
        text = self.text(colour=True, workloads=["gcbench"])
        speed = re.search(r"^  Parallel .*$", text, re.M).group(0)
        self.assertNotIn("\033", self.text())
        self.assertRegex(self.row(text, "mimalloc"), "\033\\[1m")
        self.assertNotRegex(self.row(text, "bdwgc"), "\033")
        self.assertNotIn("1.33x\033", speed)

    def test_failed_and_skipped(self):
        for run in self.document["runs"]:
            if run["manager"] == "jvm-g1":
                run.update(ok=False, error="there was no memory")
        self.document["skipped"] = [{"manager": "mimalloc", "workload": "lru", "reason": "it is not there"},
                                    {"manager": "shale-signal", "workload": "lru", "reason": "it is not there"},
                                    {"manager": "jvm-zgc", "workload": None, "reason": "there is no java"}, "nonsense"]
        text = self.text()
        self.assertRegex(self.row(text, "G1"), "failed: there was no memory")
        self.assertRegex(text, "Failed: G1, heap 2x, in GCBench, Binary trees")
        self.assertIn("Skipped: LRU cache (mimalloc, Shale signal): it is not there\n", text)
        self.assertIn("Skipped: ZGC: there is no java\n", text)

    def test_missing_fields_are_dashes(self):
        self.document["runs"] = [{"workload": "ring", "manager": "shale", "mode": "thread", "ok": True}]
        self.assertRegex(self.row(self.text(), "Shale thread"), r"^  Shale thread +-( +-){9}$")

    def test_no_runs(self):
        self.document["runs"] = []
        self.text()

    def test_checksums_are_loud(self):
        self.assertNotIn("CHECKSUMS", self.text())
        self.document["runs"][5]["checksum"] = "bad"
        self.assertTrue(self.text().startswith("CHECKSUMS DIFFER  GCBench"))

    def test_as_a_program(self):
        folder = support.Folder()
        with folder:
            path = folder.write("results.json", self.document)
            status, out, err = support.run("table.py", path)
            self.assertEqual((status, err), (0, ""))
            self.assertIn("Pointer graph mutation", out)
            self.assertEqual(support.run("table.py", path, "--heap", "3")[0], 2)
            self.assertIn('"x"', support.run("table.py", path, "--heap", "x")[2])
            self.assertIn("there are: shale/thread", support.run("table.py", path, "--reference", "y")[2])
            self.assertEqual(support.run("table.py", "--help")[0], 0)
            self.assertEqual(support.run("table.py", folder.path("none.json"))[0], 2)
            self.document["runs"][5]["checksum"] = "bad"
            self.assertEqual(support.run("table.py", folder.write("bad.json", self.document))[0], 1)


if __name__ == "__main__":
    unittest.main()
