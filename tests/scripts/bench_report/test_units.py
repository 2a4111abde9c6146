import unittest

from bench.report import units


class Units(unittest.TestCase):
    def test_three_digits(self):
        for value, expected in ((0, "0"), (1, "1.00"), (12.345, "12.3"), (123.4, "123"), (1234.5, "1234"), (9.996, "10.0"),
                                (0.09996, "0.100"), (0.12345, "0.123"), (-2.5, "-2.50"), (999.6, "1000")):
            self.assertEqual(units.significant(value), expected, value)

    def test_durations(self):
        for value, expected in ((0, "0 ns"), (999.4, "999 ns"), (999.6, "1.00 us"), (1500, "1.50 us"), (2.5e6, "2.50 ms"),
                                (3e9, "3.00 s"), (1234e9, "1234 s"), (None, "-")):
            self.assertEqual(units.nanoseconds(value), expected)
        self.assertEqual(units.seconds(0.25), "250 ms")

    def test_sizes_and_counts(self):
        self.assertEqual(units.size(1536), "1.50 KiB")
        self.assertEqual(units.size(1 << 30), "1.00 GiB")
        self.assertEqual(units.rate(2.5e6), "2.50 M/s")
        self.assertEqual(units.count(9999), "9999")
        self.assertEqual(units.count(123456), "123K")
        self.assertEqual(units.share(0.5), "50.0 %")
        self.assertEqual([text(None) for text in (units.size, units.rate, units.count, units.times, units.share)], ["-"] * 5)


if __name__ == "__main__":
    unittest.main()
