import unittest

from bench.runner import matrix


class Selection(unittest.TestCase):
    def test_all(self):
        self.assertEqual(matrix.select_workloads(None), matrix.WORKLOADS)
        self.assertEqual(matrix.select_managers(None), matrix.MANAGERS)

    def test_by_name_and_by_label(self):
        self.assertEqual(list(matrix.select_workloads(["ring", "gcbench"])), ["gcbench", "ring"])
        self.assertEqual({m.mode for m in matrix.select_managers(["shale"])}, {"signal", "thread", "conservative", "pages"})
        self.assertEqual([m.label for m in matrix.select_managers(["shale-signal", "malloc"])], ["malloc", "shale-signal"])
        self.assertEqual(len(matrix.select_managers(["bdwgc"])), 2)

    def test_unknown_names_are_named(self):
        with self.assertRaisesRegex(ValueError, '"rings"'):
            matrix.select_workloads(["ring", "rings"])
        with self.assertRaisesRegex(ValueError, '"jemalloc"'):
            matrix.select_managers(["jemalloc"])

    def test_labels_differ(self):
        labels = [manager.label for manager in matrix.MANAGERS]
        self.assertEqual(len(labels), len(set(labels)))


class Entries(unittest.TestCase):
    def test_each_workload_manager_and_factor(self):
        entries = matrix.make_matrix({"ring": (1,), "trees": (1, 2)}, matrix.MANAGERS, (1.3, 2.0))
        limited = sum(manager.heap for manager in matrix.MANAGERS)
        unlimited = len(matrix.MANAGERS) - limited
        self.assertEqual(len(entries), 3 * (2 * limited + unlimited))
        self.assertEqual(len(entries), len(set(entries)))
        for entry in entries:
            self.assertEqual(entry.factor is None, not entry.manager.heap)

    def test_what_is_compared_runs_together(self):
        entries = matrix.make_matrix(matrix.WORKLOADS, matrix.MANAGERS, (2.0,))
        order = [(entry.workload, entry.threads) for entry in entries]
        seen = [key for index, key in enumerate(order) if index == 0 or key != order[index - 1]]
        self.assertEqual(len(seen), len(set(seen)))

    def test_label(self):
        shale = matrix.select_managers(["shale-signal"])[0]
        self.assertEqual(matrix.Entry("trees", 2, shale, 1.3).label, "trees, 2 threads, shale-signal, heap 1.3x")
        self.assertEqual(matrix.Entry("ring", 1, matrix.BASELINE, None).label, "ring, malloc")


class HeapSize(unittest.TestCase):
    def test_at_least_the_factor(self):
        for factor in (1.3, 2.0, 4.0):
            for live in (9 << 20, 123456789, 1 << 30):
                size = matrix.heap_bytes(factor, live)
                self.assertGreaterEqual(size, int(factor * live))
                self.assertLess(size, factor * live + matrix.HEAP_UNIT)
                self.assertEqual(size % matrix.HEAP_UNIT, 0)

    def test_small_heaps_have_a_least_size(self):
        self.assertEqual(matrix.heap_bytes(1.3, 1000), matrix.HEAP_LEAST)


if __name__ == "__main__":
    unittest.main()
