"""Stops as (begin, end) in nanoseconds: their percentiles and the minimum mutator utilisation, as bench/measures/stops.c."""

WINDOWS = (1, 2, 5, 10, 20, 50, 100, 200, 500)  # milliseconds
MILLISECOND = 1000000


def percentile(sorted_values, per_million):
    """The value that so many of a million do not exceed."""
    if not sorted_values:
        return 0
    rank = -(-len(sorted_values) * per_million // 1000000)
    return sorted_values[max(rank, 1) - 1]


def summary(stops):
    durations = sorted(end - begin for begin, end in stops)
    return {
        "count": len(durations),
        "total_ns": sum(durations),
        "p50": percentile(durations, 500000),
        "p99": percentile(durations, 990000),
        "max": durations[-1] if durations else 0,
    }


def _stopped_within(stops, first, begin, end):
    stopped = 0
    for index in range(first, len(stops)):
        if stops[index][0] >= end:
            break
        stopped += max(0, min(stops[index][1], end) - max(stops[index][0], begin))
    return stopped


def minimum_utilisation(stops, begin, end, window):
    """The share of the worst window within [begin, end) that was not spent stopped. The stops are in order."""
    window = min(window, end - begin)
    if window <= 0:
        return 1.0
    worst = max(_stopped_within(stops, 0, begin, begin + window), _stopped_within(stops, 0, end - window, end))
    first = 0
    for index, (stop_begin, stop_end) in enumerate(stops):
        start = min(max(stop_begin, begin), end - window)
        stop = max(min(stop_end, end), begin + window)
        earliest = min(start, stop - window)
        while first < index and stops[first][1] <= earliest:
            first += 1
        worst = max(
            worst,
            _stopped_within(stops, first, start, start + window),
            _stopped_within(stops, first, stop - window, stop),
        )
    return 1 - worst / window


def utilisations(stops, begin, end):
    return [[w, round(minimum_utilisation(stops, begin, end, w * MILLISECOND), 6)] for w in WINDOWS]
