import json
import unittest

import made_up
import support
from bench.report import compare, measures, results

FEW = (("gcbench", 1), ("ring", 1))


def parse(document, path="made up"):
    return results.parse(json.loads(json.dumps(document)), path)


def compared(first, second, floor=compare.FLOOR):
    return compare.Comparison(parse(first), parse(second), lambda series: series.ours, floor)


class Comparison(unittest.TestCase):
    def verdicts(self, comparison, measure):
        return {change.verdict for change in comparison.changes if change.measure.key == measure}

    def test_the_same_file_has_no_differences(self):
        document = made_up.document()
        comparison = compared(document, document)
        self.assertEqual((comparison.count("worse"), comparison.count("better"), comparison.count("unsure")), (0, 0, 0))
        self.assertGreater(comparison.count("same"), 500)

    def test_noise_alone_is_hardly_ever_called_a_change(self):
        comparison = compared(made_up.document(seed=1, repetitions=5), made_up.document(seed=2, repetitions=5))
        self.assertEqual(self.verdicts(comparison, "wall"), {"same"})
        changed = comparison.count("worse") + comparison.count("better")
        self.assertLess(changed, 0.05 * len(comparison.changes))

    def test_slower_and_faster(self):
        base = made_up.document(workloads=FEW)
        slower = compared(base, made_up.document(seed=2, workloads=FEW, slower={"shale": 1.1}))
        self.assertEqual(self.verdicts(slower, "wall"), {"worse"})
        self.assertEqual(self.verdicts(slower, "cpu"), {"worse"})
        self.assertEqual(slower.changes[0].measure.key, "wall")
        faster = compared(base, made_up.document(seed=2, workloads=FEW, slower={"shale": 0.9}))
        self.assertEqual(self.verdicts(faster, "wall"), {"better"})
        self.assertEqual(faster.count("worse"), sum(change.verdict == "worse" for change in faster.changes))

    def test_a_machine_that_is_slower_for_all_is_no_change(self):
        slower = dict.fromkeys((series[0] for series in made_up.SERIES), 1.2)
        comparison = compared(made_up.document(workloads=FEW), made_up.document(seed=2, workloads=FEW, slower=slower))
        self.assertEqual(self.verdicts(comparison, "wall"), {"same"})
        self.assertAlmostEqual(comparison.noise[measures.WALL].middle, 1.2, delta=0.05)

    def test_floor(self):
        comparison = compared(made_up.document(workloads=FEW), made_up.document(seed=2, workloads=FEW, slower={"shale": 1.1}),
                              floor=0.3)
        self.assertEqual(self.verdicts(comparison, "wall"), {"same"})

    def test_a_single_repetition_cannot_be_judged(self):
        comparison = compared(made_up.document(repetitions=1, workloads=FEW),
                              made_up.document(repetitions=1, seed=2, workloads=FEW, slower={"shale": 3}))
        self.assertEqual({change.verdict for change in comparison.changes}, {"unsure"})
        text = compare.report(comparison, parse(made_up.document()), parse(made_up.document()))
        self.assertIn("cannot be judged: fewer than three repetitions", text)

    def test_failures(self):
        first, second = made_up.document(workloads=FEW), made_up.document(workloads=FEW)
        for run in second["runs"]:
            if run["manager"] in ("shale", "bdwgc") and run["heap_factor"] == 1.3:
                run.update(ok=False, error="no memory")
        comparison = compared(first, second)
        self.assertEqual({(key.series.manager, word) for key, word, _ in comparison.failures}, {("shale", "worse")})
        self.assertEqual({word for _, word, _ in compared(second, first).failures}, {"better"})

    def test_checksums(self):
        first, second = made_up.document(workloads=FEW), made_up.document(workloads=FEW)
        second["runs"][0]["checksum"] = "bad"
        comparison = compared(first, second)
        self.assertEqual(len(comparison.checksums), 1)
        self.assertIn("CHECKSUMS DIFFER", compare.report(comparison, parse(first), parse(second)))

    def test_runs_of_one_file_only_are_told(self):
        first, second = made_up.document(workloads=FEW), made_up.document(workloads=FEW[:1])
        text = compare.report(compared(first, second), parse(first), parse(second))
        self.assertRegex(text, r"Only in A: \d+ runs, such as Shale thread, Ring of buffers, heap 1.3x")
        self.assertNotIn("Only in B", text)

    def test_other_machines_are_told(self):
        first, second = made_up.document(workloads=FEW), made_up.document(workloads=FEW)
        second["machine"]["load"] = 7
        self.assertNotIn("machines differ", compare.report(compared(first, second), parse(first), parse(second)))
        second["machine"]["kernel"] = "another"
        self.assertIn("The machines differ (kernel)", compare.report(compared(first, second), parse(first), parse(second)))

    def test_counts_that_are_zero(self):
        first, second = made_up.document(workloads=FEW), made_up.document(workloads=FEW)
        for run in second["runs"]:
            if run["manager"] == "shale":
                run["allocation_stalls"] = 50
        found = {change.key.factor: change.verdict for change in compared(first, second).changes
                 if change.measure.key == "stalls"}
        self.assertEqual(found, {1.3: "worse", 2.0: "worse", 4.0: "worse"})


class Program(unittest.TestCase):
    def test_exit_status_and_text(self):
        folder = support.Folder()
        with folder:
            first = folder.write("a.json", made_up.document(workloads=FEW))
            slower = folder.write("b.json", made_up.document(workloads=FEW, seed=2, slower={"shale": 1.2}))
            self.assertEqual(support.run("compare.py", first, slower)[0], 0)
            status, out, err = support.run("compare.py", first, slower, "--fail-on-worse")
            self.assertEqual((status, err), (1, ""))
            self.assertRegex(out, r"worse  wall time: Shale \w+, gcbench, 1.3x")
            self.assertRegex(out.splitlines()[-1], r"^\d+ worse, \d+ better, \d+ no difference beyond noise$")
            self.assertLessEqual(max(map(len, out.splitlines())), 120)
            self.assertEqual(support.run("compare.py", first, first, "--fail-on-worse")[0], 0)
            self.assertEqual(support.run("compare.py", first, slower, "--manager", "nobody")[0], 2)
            self.assertEqual(support.run("compare.py", first, folder.path("none.json"))[0], 2)
            self.assertEqual(support.run("compare.py", "--help")[0], 0)
            again = support.run("compare.py", first, slower, "--all", "--manager", "all")
            self.assertEqual(again, support.run("compare.py", first, slower, "--all", "--manager", "all"))


if __name__ == "__main__":
    unittest.main()
