"""What is run: which workloads on which memory managers, in heaps of what size.

An Entry is one cell of the matrix; it is run as often as there are repetitions, and is told from others by its key.
"""

import dataclasses
from typing import Optional, Tuple

# In the order in which they are run and reported. Threads: each number is an entry of its own.
WORKLOADS = {
    "gcbench": (1,),
    "trees": (1, 2),
    "ring": (1,),
    "lru": (1,),
    "churn": (1,),
    "graph": (1,),
    "arrays": (1,),
    "ast": (1,),
}

JVM_FLAGS = {
    "jvm-zgc": ("-XX:+UseZGC",),
    "jvm-shenandoah": ("-XX:+UseShenandoahGC",),
    "jvm-g1": ("-XX:+UseG1GC",),
    "jvm-parallel": ("-XX:+UseParallelGC",),
}


@dataclasses.dataclass(frozen=True)
class Manager:
    """One way to use a memory manager: the program WORKLOAD-program, or the JVM's if `program` is None."""

    name: str  # what results call it
    mode: str
    program: Optional[str]
    arguments: Tuple[str, ...] = ()
    heap: bool = True  # keeps to a limit

    @property
    def label(self):
        return f"{self.name}-{self.mode}" if self.mode else self.name


MANAGERS = (
    Manager("malloc", "", "malloc", heap=False),
    Manager("mimalloc", "", "mimalloc", heap=False),
    Manager("shale", "signal", "shale", ("--faults", "signal")),
    Manager("shale", "thread", "shale", ("--faults", "thread")),
    Manager("shale", "conservative", "conservative", ("--faults", "signal")),
    Manager("shale", "pages", "pages", ("--faults", "signal")),
    Manager("bdwgc", "", "bdwgc"),
    Manager("bdwgc", "incremental", "bdwgc", ("--incremental",)),
) + tuple(Manager(name, "", None) for name in JVM_FLAGS)

# The one whose run tells what is live: it needs no heap size, and is always there.
BASELINE = MANAGERS[0]

FACTORS = (1.3, 2.0, 4.0)
QUICK_FACTORS = (2.0,)

HEAP_UNIT = 2 << 20  # what several managers round heaps up to by themselves
HEAP_LEAST = 8 << 20


@dataclasses.dataclass(frozen=True)
class Entry:
    workload: str
    threads: int
    manager: Manager
    factor: Optional[float]  # of the live size; None: no limit

    @property
    def label(self):
        threads = f", {self.threads} threads" if self.threads > 1 else ""
        factor = f", heap {self.factor:g}x" if self.factor is not None else ""
        return f"{self.workload}{threads}, {self.manager.label}{factor}"


def select_workloads(names):
    """The workloads of those names; all for None. Raises ValueError that names one that there is not."""
    if names is None:
        return dict(WORKLOADS)
    for name in names:
        if name not in WORKLOADS:
            raise ValueError(f'there is no workload "{name}"; there are: {", ".join(WORKLOADS)}')
    return {name: threads for name, threads in WORKLOADS.items() if name in names}


def select_managers(names):
    """The managers whose name or label is among those: "shale" is all of Shale's modes. All for None."""
    if names is None:
        return MANAGERS
    known = {manager.name for manager in MANAGERS} | {manager.label for manager in MANAGERS}
    for name in names:
        if name not in known:
            labels = ", ".join(manager.label for manager in MANAGERS)
            raise ValueError(f'there is no memory manager "{name}"; there are: {labels}')
    return tuple(m for m in MANAGERS if m.name in names or m.label in names)


def make_matrix(workloads, managers, factors):
    """All entries, those of a workload together: what is compared runs close together in time."""
    entries = []
    for workload, thread_counts in workloads.items():
        for threads in thread_counts:
            for manager in managers:
                for factor in factors if manager.heap else (None,):
                    entries.append(Entry(workload, threads, manager, factor))
    return entries


def heap_bytes(factor, heap_live_bytes):
    """The limit for a factor of the live size, the same for all managers."""
    size = int(factor * heap_live_bytes)
    return max(HEAP_LEAST, -(-size // HEAP_UNIT) * HEAP_UNIT)
