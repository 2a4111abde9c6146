"""Says in words where Shale wins and loses, and against whom.

Two values are "about the same" when they differ by less than NEAR, or when repetitions are there and the confidence interval
of their ratio holds 1.
"""
import collections
import statistics

from bench.report import intervals, measures

NEAR = 0.05

Aspect = collections.namedtuple("Aspect", "title measure better worse")
ASPECTS = (
    Aspect("How fast", measures.THROUGHPUT, "faster", "slower"),
    Aspect("How smooth", measures.LATENCY_MAX, "shorter", "longer"),
    Aspect("How much memory", measures.MEMORY_RATIO, "less", "more"),
)
# What the aspect's ratios are of, in a sentence.
SUBJECTS = {measures.THROUGHPUT: "operations a second", measures.LATENCY_MAX:
            "the longest operation, in the workloads that time each",
            measures.MEMORY_RATIO: "peak memory over what is live"}

Outcome = collections.namedtuple("Outcome", "case ratio verdict")  # ratio: above 1 when ours is better
Score = collections.namedtuple("Score", "series outcomes")


def compare_cells(ours, theirs, measure):
    """(how many times better ours is, 1, 0 or -1: it wins, is about the same, loses); None when one is not known."""
    mine, other = (cell.value(measure) if cell else None for cell in (ours, theirs))
    if not mine or not other or mine <= 0 or other <= 0:
        return None
    ratio = mine / other if measure.better == measures.HIGHER else other / mine
    verdict = 0 if abs(ratio - 1) < NEAR else (1 if ratio > 1 else -1)
    interval = intervals.ratio(theirs.values(measure), ours.values(measure))
    if interval and interval.low is not None and interval.low <= 1 <= interval.high:
        verdict = 0
    return ratio, verdict


def score(file, reference, rival, measure):
    outcomes = []
    for case in file.cases():
        factor = file.usual_factor(case)
        found = compare_cells(file.cell(case, reference, factor), file.cell(case, rival, factor), measure)
        if found:
            outcomes.append(Outcome(case, *found))
    return Score(rival, outcomes)


def rivals(file):
    return [series for series in file.series() if not series.ours]


def scores(file, reference, aspect):
    found = [score(file, reference, rival, aspect.measure) for rival in rivals(file)]
    return [one for one in found if one.outcomes]


def tally(outcomes):
    return tuple(sum(outcome.verdict == verdict for outcome in outcomes) for verdict in (1, 0, -1))


def listing(words):
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def times_text(ratio):
    return f"{ratio:.1f} times" if ratio < 9.95 else f"{ratio:.0f} times"


PHRASES = {
    "wins": "ahead of {} in every workload", "mostly": "mostly ahead of {}", "not behind": "even with or ahead of {}",
    "even": "even with {}", "mixed": "sometimes ahead of, sometimes behind {}", "not ahead": "even with or behind {}",
    "rarely": "mostly behind {}", "loses": "behind {} in every workload"}


def groups(found):
    """Rivals by how it stands with them: by the keys of PHRASES."""
    by_standing = collections.OrderedDict((name, []) for name in PHRASES)
    for one in found:
        won, even, lost = tally(one.outcomes)
        total = won + even + lost
        if won == total:
            name = "wins"
        elif lost == total:
            name = "loses"
        elif even == total:
            name = "even"
        elif won > total / 2:
            name = "mostly"
        elif lost > total / 2:
            name = "rarely"
        elif lost == 0:
            name = "not behind"
        elif won == 0:
            name = "not ahead"
        else:
            name = "mixed"
        by_standing[name].append(one)
    return by_standing


def aspect_sentences(file, reference, aspect):
    """The standing in a sentence, then the clearest win and the clearest loss."""
    found = scores(file, reference, aspect)
    if not found:
        return []
    parts = []
    for name, members in groups(found).items():
        if members:
            parts.append(PHRASES[name].format(listing(one.series.name for one in members)))
    sentences = [f"{reference.name} is {'; '.join(parts)}."]
    every = [(outcome, one.series) for one in found for outcome in one.outcomes]
    best, rival = max(every, key=lambda item: item[0].ratio)
    if best.verdict > 0:
        sentences.append(f"Clearest win: {times_text(best.ratio)} {aspect.better} than {rival.name} in {best.case.name}.")
    worst, rival = min(every, key=lambda item: item[0].ratio)
    if worst.verdict < 0:
        sentences.append(f"Clearest loss: {times_text(1 / worst.ratio)} {aspect.worse} than {rival.name} in {worst.case.name}.")
    return sentences


def rival_text(one, aspect):
    """A cell of the table of rivals: the tally, and the middle of the ratios."""
    won, even, lost = tally(one.outcomes)
    middle = statistics.median(outcome.ratio for outcome in one.outcomes)
    if abs(middle - 1) < NEAR:
        amount = "about the same"
    elif middle > 1:
        amount = f"{times_text(middle)} {aspect.better}"
    else:
        amount = f"{times_text(1 / middle)} {aspect.worse}"
    return won, even, lost, amount


def best_of(file, case, measure, factor):
    found = [(series, file.cell(case, series, factor)) for series in file.series(case)]
    found = [(series, cell.value(measure)) for series, cell in found if cell]
    found = [(series, value) for series, value in found if value is not None]
    if not found:
        return None
    return (min if measure.better == measures.LOWER else max)(found, key=lambda item: item[1])


def case_sentence(file, case, reference):
    """Who leads in this case, and where Shale stands."""
    factor = file.usual_factor(case)
    sentences = []
    for aspect, word in zip(ASPECTS, ("Fastest", "Shortest worst operation", "Least memory")):
        best = best_of(file, case, aspect.measure, factor)
        own = file.cell(case, reference, factor)
        own_value = own.value(aspect.measure) if own else None
        if best is None or own_value is None or own_value <= 0 or best[1] <= 0:
            continue
        if best[0] == reference:
            sentences.append(f"{word}: {best[0].name}.")
            continue
        gap = best[1] / own_value
        gap = gap if aspect.measure.better == measures.HIGHER else 1 / gap
        near = "about the same as" if gap < 1 + NEAR else f"{times_text(gap)} {aspect.better} than"
        sentences.append(f"{word}: {best[0].name}, {near} {reference.name}.")
    return " ".join(sentences)
