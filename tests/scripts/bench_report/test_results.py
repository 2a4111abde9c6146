import json
import os
import tempfile
import unittest

import made_up
from bench.report import measures, results


class Reading(unittest.TestCase):
    def setUp(self):
        self.document = made_up.document()

    def parse(self):
        return results.parse(json.loads(json.dumps(self.document)), "made up")

    def test_order_and_names(self):
        file = self.parse()
        self.assertEqual([series.name for series in file.series()],
                         ["Shale thread", "Shale signal", "Shale conservative", "Shale barrier-free", "glibc malloc", "mimalloc",
                          "bdwgc", "bdwgc incremental", "ZGC", "Shenandoah", "G1", "Parallel"])
        self.assertEqual([case.name for case in file.cases()][:3], ["GCBench", "Binary trees", "Binary trees, 2 threads"])
        self.assertEqual(file.factors(), [1.3, 2.0, 4.0])
        self.assertEqual(file.usual_factor(), 2.0)
        self.assertEqual(file.reference().key, "shale/thread")
        self.assertEqual(file.reference("bdwgc").key, "bdwgc")
        self.assertEqual(file.repetitions(), 3)

    def test_medians(self):
        runs = [run for run in self.document["runs"] if run["manager"] == "malloc" and run["workload"] == "ring"]
        for run, wall in zip(runs, (3.0, 1.0, 2.0)):
            run["wall_seconds"] = wall
        file = self.parse()
        case = next(case for case in file.cases() if case.workload == "ring")
        cell = file.cell(case, results.Series("malloc", ""), 4.0)  # it has no limit, so its only cell
        self.assertEqual(cell.value(measures.WALL), 2.0)
        self.assertEqual(cell.value(measures.THROUGHPUT), 5000000 / 2.0)

    def test_histograms_of_repetitions_are_added(self):
        for run in self.document["runs"]:
            if run["latency"]:
                run["latency"]["histogram"] = [[100, 5], [200, 1]]
        file = self.parse()
        case = next(case for case in file.cases() if case.workload == "ring")
        self.assertEqual(file.cell(case, results.Series("malloc", ""), None).histogram(), [(100, 15), (200, 3)])

    def test_missing_and_malformed_fields_are_absent(self):
        self.document["runs"] = [
            {"workload": "ring", "manager": "shale", "mode": "thread", "ok": True},
            {"workload": "ring", "manager": "shale", "mode": "signal", "ok": True, "wall_seconds": "quick", "latency": 7,
             "stops": {"max": None}, "mmu": [[1], "x", [2, 0.5]], "heap_bytes": -1, "threads": None, "peak_memory_bytes": True,
             "operations": float("nan")},
            {}, "no run at all"]
        file = self.parse()
        self.assertEqual(len(file.runs), 3)
        for run in file.runs[:2]:
            for measure in measures.COMPARED:
                self.assertIsNone(measure.of(run), measure.key)
        case = file.cases()[0]
        self.assertEqual(file.own_cell(case, results.Series("shale", "signal"), None).mmu(), [(2, 0.5)])
        self.assertIsNone(file.usual_factor())

    def test_factor_from_sizes(self):
        run = next(run for run in self.document["runs"] if run["manager"] == "shale")
        run.update(heap_factor=None, heap_bytes=300, live_bytes=200)
        self.assertEqual(results.Run(run).factor, 1.5)

    def test_failed_runs_count_for_nothing(self):
        failed = [run for run in self.document["runs"] if run["manager"] == "jvm-zgc" and run["heap_factor"] == 1.3]
        for run in failed:
            run.update(ok=False, error="no memory", wall_seconds=1e9)
        file = self.parse()
        cell = file.own_cell(file.cases()[0], results.Series("jvm-zgc", ""), 1.3)
        self.assertEqual((cell.runs, len(cell.failed), cell.value(measures.WALL)), ([], 3, None))
        self.assertEqual(len(file.failures()), len(made_up.WORKLOADS))

    def test_checksums(self):
        self.assertEqual(self.parse().disagreements(), [])
        wrong = next(run for run in self.document["runs"] if run["manager"] == "bdwgc" and run["workload"] == "lru")
        wrong["checksum"] = "bad"
        sentences = self.parse().disagreements()
        self.assertEqual(len(sentences), 1)
        self.assertRegex(sentences[0], "LRU cache.*: [0-9a-f]+ by Shale thread, .*; bad by bdwgc$")
        # The runner calls such a run failed.
        wrong.update(ok=False, error="the checksum is bad, not another as the first program's")
        self.assertEqual(self.parse().disagreements(), sentences)
        # One that failed in another way has computed nothing.
        wrong.update(error="no memory", checksum="0000000000000000")
        self.assertEqual(self.parse().disagreements(), [])

    def test_other_seeds_are_other_computations(self):
        for run in self.document["runs"]:
            if run["repetition"] == 1:
                run.update(seed=2, checksum="of seed 2")
        self.assertEqual(self.parse().disagreements(), [])

    def test_unknown_managers_come_last(self):
        self.document["runs"].append(dict(self.document["runs"][0], manager="another", mode="quick"))
        file = self.parse()
        self.assertEqual(file.series()[-1].name, "another quick")


class Files(unittest.TestCase):
    def check(self, text, expected):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "results.json")
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
            with self.assertRaisesRegex(results.ResultsError, expected):
                results.load(path)

    def test_sentences(self):
        self.check("{", "this is no JSON")
        self.check("[]", "no file of benchmark results")
        self.check('{"format": 2, "runs": []}', "its format is 2; this program reads format 1")
        with self.assertRaisesRegex(results.ResultsError, "No such file"):
            results.load("/nowhere/results.json")


if __name__ == "__main__":
    unittest.main()
