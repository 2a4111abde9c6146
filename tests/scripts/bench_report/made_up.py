"""Result files that nobody measured, for the tests of what shows results. Drawn from a seed, so always the same."""
import math
import random

WORKLOADS = (("gcbench", 1), ("trees", 1), ("trees", 2), ("ring", 1), ("lru", 1), ("churn", 1), ("graph", 1),
             ("arrays", 1), ("ast", 1))
WITH_LATENCY = ("ring", "lru", "churn", "graph")
# Manager, mode, speed, longest stop in ms (None: it does not stop), memory over live (None: as big as the heap).
SERIES = (
    ("shale", "thread", 1.0, 0.2, None), ("shale", "signal", 1.04, 0.18, None), ("shale", "conservative", 0.85, 0.3, None),
    ("shale", "pages", 0.9, 0.5, None), ("malloc", "", 0.6, None, 1.4), ("mimalloc", "", 1.2, None, 1.25),
    ("bdwgc", "", 0.35, 40.0, None), ("bdwgc", "incremental", 0.25, 9.0, None), ("jvm-zgc", "", 0.8, 0.1, None),
    ("jvm-shenandoah", "", 0.75, 0.6, None), ("jvm-g1", "", 1.1, 12.0, None), ("jvm-parallel", "", 1.3, 60.0, None))
FACTORS = (1.3, 2.0, 4.0)
MIB = 1 << 20


def histogram(random_source, operations, middle_ns, longest_ns):
    """Log-linear counts whose tail falls off like a power, up to the longest."""
    counts = []
    upper = middle_ns / 4
    while upper < longest_ns:
        share = math.exp(-((math.log(upper / middle_ns)) ** 2) * 3) + 2e-4 * (middle_ns / upper) ** 0.9
        counts.append([int(upper), int(operations * share / 6 * random_source.uniform(0.9, 1.1))])
        upper *= 1.08
    counts = [[value, count] for value, count in counts if count > 0]
    counts.append([int(longest_ns), 1])
    return counts


def quantile(counts, fraction):
    total = sum(count for _, count in counts)
    seen = 0
    for value, count in counts:
        seen += count
        if seen >= fraction * total:
            return value
    return counts[-1][0]


def latency(counts):
    return {"count": sum(count for _, count in counts), "p50": quantile(counts, 0.5), "p99": quantile(counts, 0.99),
            "p999": quantile(counts, 0.999), "p9999": quantile(counts, 0.9999), "max": counts[-1][0],
            "histogram": counts}


def mmu(stop_ms):
    curve, window = [], 0.1
    while window < 2000:
        curve.append([round(window, 3), round(max(0.0, 1 - stop_ms * 1.5 / window) * 0.97, 4)])
        window *= 1.5
    return curve


def run(random_source, workload, threads, series, factor, repetition, slower=1.0):
    manager, mode, speed, stop_ms, own_memory = series
    operations, live = 5000000, 64 * MIB
    squeeze = 1 + 0.35 / (factor - 1) if stop_ms is not None else 1.0
    wall = 2.0 / speed * squeeze * threads ** -0.6 * slower * random_source.uniform(0.98, 1.02)
    limited = own_memory is None
    result = {
        "workload": workload, "manager": manager, "mode": mode, "threads": threads, "scale": "full", "seed": 1,
        "heap_bytes": int(live * factor) if limited else None, "heap_factor": factor if limited else None,
        "ok": True, "error": "", "wall_seconds": wall, "cpu_seconds": wall * (1.6 if stop_ms is not None else 1.0) * threads,
        "operations": operations, "latency": None, "stops": None, "mmu": None, "faults": None,
        "allocation_stalls": None, "cycles": None, "live_bytes": live,
        "peak_memory_bytes": int(live * (factor * random_source.uniform(0.95, 1.1) if limited else own_memory)),
        "checksum": f"{hash_of(workload, threads):016x}", "repetition": repetition,
    }
    longest = (stop_ms or 0.4) * 1e6 * squeeze * random_source.uniform(0.8, 1.4)
    if stop_ms is not None:
        result["stops"] = {"count": 40, "total_ns": longest * 12, "p50": longest * 0.2, "p99": longest * 0.9, "max": longest}
        result["mmu"] = mmu(longest / 1e6)
        result["cycles"] = int(60 / factor)
        result["allocation_stalls"] = 3 if factor < 1.5 else 0
    if manager == "shale":
        result["faults"] = 1200
    if workload in WITH_LATENCY:
        result["latency"] = latency(histogram(random_source, operations, 180 / speed, longest * 1.3))
    return result


def hash_of(workload, threads):
    return sum(ord(letter) << (7 * i) for i, letter in enumerate(workload)) * 2654435761 % (1 << 61) + threads


def document(repetitions=3, seed=1, slower=None, series=SERIES, workloads=WORKLOADS, factors=FACTORS):
    """`slower`: {manager: factor of its times}."""
    random_source = random.Random(seed)
    runs = []
    for workload, threads in workloads:
        for one in series:
            for factor in factors if one[4] is None else (2.0,):
                for repetition in range(repetitions):
                    runs.append(run(random_source, workload, threads, one, factor, repetition,
                                    (slower or {}).get(one[0], 1.0)))
    return {"format": 1, "machine": {"cpu": "a processor that does not exist", "cores": 2, "kernel": "Linux 6.99"},
            "project": {"commit": "0123456789abcdef", "version": "0.1.0"}, "date": "2026-01-02T03:04:05Z",
            "options": {"scale": "full", "repetitions": repetitions}, "runs": runs}
