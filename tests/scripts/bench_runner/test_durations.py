import unittest

from bench.runner import matrix
from bench.runner.durations import UNKNOWN_RATIO, Durations


def entry(workload, label):
    manager = next(m for m in matrix.MANAGERS if m.label == label)
    return matrix.Entry(workload, 1, manager, 2.0 if manager.heap else None)


class Expected(unittest.TestCase):
    def setUp(self):
        self.durations = Durations(matrix.BASELINE)

    def test_nothing_is_known(self):
        self.assertEqual(self.durations.expected(entry("ring", "malloc")), 0)

    def test_as_the_last_run(self):
        self.durations.record(entry("ring", "malloc"), 3.0)
        self.durations.record(entry("ring", "malloc"), 5.0)
        self.assertEqual(self.durations.expected(entry("ring", "malloc")), 5.0)

    def test_as_the_program_and_the_manager_usually_take(self):
        for workload, seconds in (("gcbench", 1.0), ("trees", 2.0), ("churn", 30.0)):
            self.durations.record(entry(workload, "malloc"), seconds)
        self.assertEqual(self.durations.expected(entry("churn", "bdwgc")), 30.0 * UNKNOWN_RATIO)
        self.durations.record(entry("gcbench", "bdwgc"), 1.5)
        self.durations.record(entry("trees", "bdwgc"), 5.0)
        self.assertEqual(self.durations.expected(entry("churn", "bdwgc")), 30.0 * 2)

    def test_program_that_was_not_run_on_the_baseline(self):
        self.durations.record(entry("gcbench", "bdwgc"), 1.0)
        self.durations.record(entry("trees", "bdwgc"), 3.0)
        self.assertEqual(self.durations.expected(entry("ring", "bdwgc")), 2.0)

    def test_all_that_is_left(self):
        self.durations.record(entry("ring", "malloc"), 4.0)
        self.durations.record(entry("ring", "bdwgc"), 6.0)
        self.assertEqual(self.durations.left([entry("ring", "malloc"), entry("ring", "bdwgc")] * 2), 20.0)


if __name__ == "__main__":
    unittest.main()
