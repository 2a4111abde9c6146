import itertools
import math
import random
import unittest

from bench.report import intervals


class Intervals(unittest.TestCase):
    def test_counts_are_those_of_all_orders(self):
        for m, n in ((1, 1), (2, 3), (3, 3), (4, 2)):
            counted = [0] * (m * n + 1)
            for first in itertools.combinations(range(m + n), m):
                rest = [place for place in range(m + n) if place not in first]
                counted[sum(a > b for a in first for b in rest)] += 1
            self.assertEqual(intervals.statistic_counts(m, n), counted)

    def test_known_bounds(self):
        # Of the tables of the Mann-Whitney statistic: two-sided 5 % is at 2 for 5 and 5, at 23 for 10 and 10.
        self.assertEqual(intervals.pairs_outside(5, 5)[0], 2)
        self.assertEqual(intervals.pairs_outside(10, 10)[0], 23)
        self.assertAlmostEqual(intervals.pairs_outside(3, 3)[1], 0.9)

    def test_ratio(self):
        found = intervals.ratio([1.0, 1.01, 0.99], [2.0, 2.02, 1.98])
        self.assertAlmostEqual(found.ratio, 2.0, places=2)
        self.assertAlmostEqual(found.low, 1.98 / 1.01)
        self.assertAlmostEqual(found.high, 2.02 / 0.99)

    def test_too_few_say_nothing(self):
        for first, second in (([1], [2]), ([1, 1.1], [2, 2.1]), ([1, 2, 3], [1])):
            found = intervals.ratio(first, second)
            self.assertIsNone(found.low)
            self.assertGreater(found.ratio, 0)

    def test_no_ratio(self):
        self.assertIsNone(intervals.ratio([], [1]))
        self.assertIsNone(intervals.ratio([0, 1, 2], [1, 2, 3]))
        self.assertAlmostEqual(intervals.count_ratio([0, 0, 0], [0, 0, 0]).ratio, 1)

    def test_covers_as_often_as_it_says(self):
        source = random.Random(7)
        for size in (3, 5, 8):
            level = intervals.pairs_outside(size, size)[1]
            covered, rounds = 0, 2000
            for _ in range(rounds):
                before = [math.exp(source.gauss(0, 0.1)) for _ in range(size)]
                after = [1.3 * math.exp(source.gauss(0, 0.1)) for _ in range(size)]
                found = intervals.ratio(before, after)
                covered += found.low <= 1.3 <= found.high
            deviation = math.sqrt(level * (1 - level) / rounds)
            self.assertAlmostEqual(covered / rounds, level, delta=4 * deviation)


if __name__ == "__main__":
    unittest.main()
