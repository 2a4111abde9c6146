"""How far apart two lots of repetitions are, and how sure that is.

The ratio of two lots is estimated as Hodges and Lehmann do: the median of the ratios of all pairs. Its confidence interval
comes from the exact distribution of the Mann-Whitney statistic, so nothing is assumed about how times are spread (they
are skewed, with outliers), and nothing is drawn at random: the same files give the same answer.
"""
import collections
import math
import statistics

WANTED_LEVEL = 0.95
LEAST_LEVEL = 0.9  # three repetitions against three allow no more

Interval = collections.namedtuple("Interval", "ratio low high level")


def statistic_counts(m, n):
    """In how many of the orders of m and n values the Mann-Whitney statistic is 0, 1, 2, ..."""
    # By whether the largest is of the first lot: it then exceeds all n of the second, and m - 1 are left.
    table = {}
    for i in range(m + 1):
        for j in range(n + 1):
            if i == 0 or j == 0:
                table[i, j] = [1]
                continue
            counts = [0] * (i * j + 1)
            for value, orders in enumerate(table[i - 1, j]):
                counts[value + j] += orders
            for value, orders in enumerate(table[i, j - 1]):
                counts[value] += orders
            table[i, j] = counts
    return table[m, n]


def pairs_outside(m, n, wanted=WANTED_LEVEL):
    """How many of the ordered pairs to leave out at each end, and the level that is reached: the lowest that is at least
    the wanted one, or the highest that so few values allow."""
    counts = statistic_counts(m, n)
    total = math.comb(m + n, m)
    tail, outside, level = 0, 0, 1 - 2 * counts[0] / total
    for value, orders in enumerate(counts):
        tail += orders
        reached = 1 - 2 * tail / total
        if reached < wanted:
            break
        outside, level = value, reached
    return outside, level


def ratio(before, after):
    """Of `after` to `before`, as an Interval; its ends are None when there are too few values to say. None when a ratio
    means nothing: no values, or some that are not above zero."""
    if not before or not after or min(min(before), min(after)) <= 0:
        return None
    logarithms = sorted(math.log(b / a) for a in before for b in after)
    estimate = math.exp(statistics.median(logarithms))
    outside, level = pairs_outside(len(before), len(after))
    if level < LEAST_LEVEL:
        return Interval(estimate, None, None, None)
    return Interval(estimate, math.exp(logarithms[outside]), math.exp(logarithms[-1 - outside]), level)


def count_ratio(before, after):
    """As ratio(), for counts, which may be zero: of one more than each."""
    if not before or not after or min(min(before), min(after)) < 0:
        return None
    return ratio([value + 1 for value in before], [value + 1 for value in after])
