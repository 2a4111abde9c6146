"""What is measured: how each value is found in a run, how it is written, and which direction is better."""
from bench.report import units

LOWER, HIGHER, NEITHER = -1, 1, 0


class Measure:
    """`weight` orders by importance, least first."""

    def __init__(self, key, title, of, text, better, weight):
        self.key = key
        self.title = title
        self.of = of
        self.text = text
        self.better = better
        self.weight = weight


def throughput(run, time="wall_seconds"):
    operations, seconds = run.number("operations"), run.number(time)
    return operations / seconds if operations and seconds and seconds > 0 else None


def memory_ratio(run):
    peak, live = run.number("peak_memory_bytes"), run.number("live_bytes")
    return peak / live if peak is not None and live else None


def at(*names):
    return lambda run: run.number(*names)


def mmu_at(window):
    def of(run):
        return dict(run.pairs("mmu")).get(window)
    return of


WALL = Measure("wall", "wall time", at("wall_seconds"), units.seconds, LOWER, 1)
CPU = Measure("cpu", "CPU time", at("cpu_seconds"), units.seconds, LOWER, 3)
THROUGHPUT = Measure("throughput", "throughput", throughput, units.rate, HIGHER, 1)
CPU_THROUGHPUT = Measure("cpu_throughput", "operations per second of CPU time",
                         lambda run: throughput(run, "cpu_seconds"), units.rate, HIGHER, 3)
P50 = Measure("p50", "latency p50", at("latency", "p50"), units.nanoseconds, LOWER, 7)
P99 = Measure("p99", "latency p99", at("latency", "p99"), units.nanoseconds, LOWER, 5)
P999 = Measure("p999", "latency p99.9", at("latency", "p999"), units.nanoseconds, LOWER, 5)
P9999 = Measure("p9999", "latency p99.99", at("latency", "p9999"), units.nanoseconds, LOWER, 4)
LATENCY_MAX = Measure("latency_max", "longest operation", at("latency", "max"), units.nanoseconds, LOWER, 4)
STOP_MAX = Measure("stop_max", "longest stop", at("stops", "max"), units.nanoseconds, LOWER, 2)
STOP_P99 = Measure("stop_p99", "stop p99", at("stops", "p99"), units.nanoseconds, LOWER, 6)
STOP_TOTAL = Measure("stop_total", "stops in all", at("stops", "total_ns"), units.nanoseconds, LOWER, 6)
STOP_COUNT = Measure("stop_count", "number of stops", at("stops", "count"), units.count, NEITHER, 9)
MMU_10 = Measure("mmu_10", "MMU in 10 ms", mmu_at(10), units.share, HIGHER, 4)
PEAK = Measure("peak", "peak memory", at("peak_memory_bytes"), units.size, LOWER, 3)
MEMORY_RATIO = Measure("memory", "peak memory over live", memory_ratio, units.times, LOWER, 3)
FAULTS = Measure("faults", "page faults answered", at("faults"), units.count, LOWER, 8)
STALLS = Measure("stalls", "allocation stalls", at("allocation_stalls"), units.count, LOWER, 6)
CYCLES = Measure("cycles", "cycles", at("cycles"), units.count, NEITHER, 9)
PREEMPTED = Measure("preempted", "cores taken away", at("preempted"), units.count, NEITHER, 9)

# What two files are compared by.
COMPARED = (WALL, STOP_MAX, CPU, PEAK, LATENCY_MAX, P9999, P999, P99, MMU_10, STALLS, STOP_TOTAL, STOP_P99, P50, FAULTS)
