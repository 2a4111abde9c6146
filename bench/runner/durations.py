"""How long runs will take, as far as can be told from those that there were."""

import statistics

UNKNOWN_RATIO = 2.0  # before any run of a manager: over the same program on the baseline


class Durations:
    """Programs differ by far more than managers do, and the first ones are the short ones. So a run that there has not been yet is
    expected to take its program's time on the baseline, times what its manager usually takes over that."""

    def __init__(self, baseline):
        self.baseline = baseline  # a manager
        self.seconds = {}  # entry: of its last run
        self.programs = {}  # (workload, threads): seconds on the baseline

    def record(self, entry, seconds):
        self.seconds[entry] = seconds
        if entry.manager == self.baseline:
            self.programs[entry.workload, entry.threads] = seconds

    def ratio(self, manager):
        """What the manager takes over the baseline, in the middle of what it ran."""
        ratios = [
            seconds / self.programs[entry.workload, entry.threads]
            for entry, seconds in self.seconds.items()
            if entry.manager == manager and self.programs.get((entry.workload, entry.threads))
        ]
        return statistics.median(ratios) if ratios else UNKNOWN_RATIO

    def average(self):
        return statistics.mean(self.seconds.values()) if self.seconds else 0.0

    def expected(self, entry):
        if entry in self.seconds:
            return self.seconds[entry]
        program = self.programs.get((entry.workload, entry.threads))
        return self.average() if program is None else program * self.ratio(entry.manager)

    def left(self, entries):
        """Seconds that all of these will take."""
        return sum(self.expected(entry) for entry in entries)
