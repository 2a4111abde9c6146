#!/usr/bin/env python3
"""The results of ./dev bench as one page that needs nothing else: plots, tables, and where Shale wins and loses."""
import argparse
import os
import sys

if __name__ == "__main__":
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from bench.report import figures, measures, plot, results, summary, table, units

HERE = os.path.dirname(os.path.abspath(__file__))
text = plot.text

MACHINE_WORDS = {"cpu": "processor", "cores": "cores", "kernel": "kernel", "os": "system",
                 "compiler": "compiler", "huge_pages": "huge pages", "load": "load before the start"}


def read_part(name):
    with open(os.path.join(HERE, name), encoding="utf-8") as file:
        return file.read()


def micro(value):
    """The terminal has "us" because not every terminal has the sign."""
    return text(value).replace(" us", " \u00b5s")


# ---- head ----------------------------------------------------------------------------------------------


def subtitle(file):
    parts = []
    version, commit = file.project.get("version"), file.project.get("commit")
    if version:
        parts.append(f"Shale {version}")
    if commit:
        parts.append(f"commit <code>{text(str(commit)[:12])}</code>")
    if file.machine.get("cpu"):
        parts.append(text(file.machine["cpu"]))
    if file.date:
        parts.append(text(file.date))
    return " \u00b7 ".join(parts)


def alarm(file):
    sentences = file.disagreements()
    if not sentences:
        return ""
    items = "".join(f"<li>{text(sentence)}</li>" for sentence in sentences)
    return ('<div class="alarm" role="alert"><strong>Checksums differ.</strong> Not all managers computed the same, so none '
            f"of these results can be trusted.<ul>{items}</ul></div>")


def aspect_card(file, reference, aspect):
    sentences = summary.aspect_sentences(file, reference, aspect)
    if not sentences:
        return ""
    subject = summary.SUBJECTS[aspect.measure]
    first, rest = sentences[0], sentences[1:]
    items = "".join(f"<li>{text(sentence)}</li>" for sentence in rest)
    return (f'<div class="card"><h3>{aspect.title}</h3><p class="by">by {text(subject)}</p>'
            f"<p>{text(first)}</p>{f'<ul>{items}</ul>' if items else ''}</div>")


def tally_bar(won, even, lost):
    total = won + even + lost
    parts = "".join(f'<span class="{name}" style="width:{100 * number / total:.1f}%"></span>'
                    for name, number in (("won", won), ("even", even), ("lost", lost)) if number)
    return f'<span class="tally" aria-hidden="true">{parts}</span>'


def rivals_table(file, reference):
    rows = []
    all_scores = {aspect: {one.series: one for one in summary.scores(file, reference, aspect)} for aspect in summary.ASPECTS}
    for rival in summary.rivals(file):
        cells = []
        for aspect in summary.ASPECTS:
            one = all_scores[aspect].get(rival)
            if one is None:
                cells.append('<td class="none">-</td>')
                continue
            won, even, lost, amount = summary.rival_text(one, aspect)
            cells.append(f'<td>{tally_bar(won, even, lost)}<span class="amount">{text(amount)}</span>'
                         f'<span class="count">wins {won}, even {even}, loses {lost}</span></td>')
        rows.append(f'<tr><th scope="row">{text(rival.name)}</th>{"".join(cells)}</tr>')
    if not rows:
        return ""
    heads = "".join(f'<th scope="col">{aspect.title}</th>' for aspect in summary.ASPECTS)
    return (f'<div class="wide"><table class="rivals"><caption>{text(reference.name)} against each other manager: the middle of '
            f'all workloads, and in how many it wins</caption><thead><tr><th scope="col">against</th>{heads}</tr></thead>'
            f'<tbody>{"".join(rows)}</tbody></table></div>')


def in_short(file, reference):
    if reference is None or not reference.ours:
        return ""
    cards = "".join(aspect_card(file, reference, aspect) for aspect in summary.ASPECTS)
    repetitions = file.repetitions()
    how = ("Each was measured once, so differences below 5 % are called even, and noise may be larger" if repetitions < 2 else
           f"Medians of {repetitions} repetitions; differences below 5 %, and those that the confidence interval does not "
           "tell from none, are called even")
    factor = file.usual_factor()
    heap = f"Heaps of {factor:g} times what is live. " if factor else ""
    return (f'<section id="in-short"><h2>In short</h2><div class="cards">{cards}</div>'
            f"{rivals_table(file, reference)}<p class=\"note\">{heap}{how}.</p></section>")


# ---- overview ------------------------------------------------------------------------------------------


def shade(better_times):
    """A class for how much better or worse than the reference, in five steps."""
    if better_times >= 1.5:
        return "much-better"
    if better_times >= 1 + summary.NEAR:
        return "better"
    if better_times > 1 / (1 + summary.NEAR):
        return "same"
    return "worse" if better_times > 1 / 1.5 else "much-worse"


def overview_cell(file, case, series, reference, measure):
    factor = file.usual_factor(case)
    cell, base = file.cell(case, series, factor), file.cell(case, reference, factor)
    if cell is None:
        return '<td class="none">-</td>'
    if not cell.runs:
        return f'<td class="failed" title="{text(cell.failed[0].error)}">failed</td>'
    value, own = cell.value(measure), base.value(measure) if base else None
    if value is None:
        return '<td class="none">-</td>'
    shown = units.times(value) if measure in (measures.MEMORY_RATIO,) else measure.text(value)
    if not own or not value or series == reference:
        return f'<td class="{"reference" if series == reference else "same"}">{micro(shown)}</td>'
    ratio = value / own
    better = ratio if measure.better == measures.HIGHER else 1 / ratio
    return f'<td class="{shade(better)}">{micro(shown)}<small>{units.significant(ratio)}\u00d7</small></td>'


def overview_table(file, reference, measure, hidden):
    all_series, rows = file.series(), []
    for case in file.cases():
        cells = "".join(overview_cell(file, case, series, reference, measure) for series in all_series)
        if 'class="none"' in cells and cells.count('class="none"') == len(all_series):
            continue
        rows.append(f'<tr><th scope="row"><a href="#{text(case.key)}">{text(case.name)}</a></th>{cells}</tr>')
    if not rows:
        return ""
    heads = "".join(f'<th scope="col">{text(series.name)}</th>' for series in all_series)
    return (f'<div class="variant"{" hidden" if hidden else ""}><div class="wide"><table class="overview">'
            f'<thead><tr><th scope="col">workload</th>{heads}</tr></thead><tbody>{"".join(rows)}</tbody></table></div></div>')


def switch(labels, chosen):
    """Buttons that choose one of the variants beside them."""
    if len(labels) < 2:
        return ""
    buttons = "".join(f'<button type="button" aria-pressed="{"true" if i == chosen else "false"}">{text(label)}</button>'
                      for i, label in enumerate(labels))
    return f'<div class="switch" role="group" aria-label="choose what is shown">{buttons}</div>'


def overview(file, reference):
    chosen = (measures.THROUGHPUT, measures.P9999, measures.LATENCY_MAX, measures.STOP_MAX, measures.MEMORY_RATIO)
    tables = []
    for measure in chosen:
        one = overview_table(file, reference, measure, hidden=bool(tables))
        if one:
            tables.append((measure, one))
    if not tables or reference is None:
        return ""
    bar = switch([measure.title for measure, _ in tables], 0)
    return (f'<section id="overview" class="switched"><div class="figure-head"><h2>All workloads</h2>{bar}</div>'
            f'{"".join(one for _, one in tables)}'
            f'<p class="note">Small: times {text(reference.name)}. Blue is better than it, orange worse; strong from 1.5 times '
            f"on.</p></section>")


# ---- workloads -----------------------------------------------------------------------------------------


def legend(file, all_looks):
    items = "".join(
        f'<button type="button" class="entry" aria-pressed="true" data-series="{text(series.key)}">'
        f"{plot.legend_sample(all_looks[series])}<span>{text(series.name)}</span></button>" for series in file.series())
    return (f'<div class="legend" role="group" aria-label="series shown in the plots">{items}'
            '<span class="legend-tools"><button type="button" data-show="all">all</button>'
            '<button type="button" data-show="ours">Shale only</button></span></div>')


def figure_table(table_of, caption, title="The values as a table"):
    heads = "".join(f'<th scope="col">{text(head)}</th>' for head in table_of.heads)
    rows = "".join(f'<tr><th scope="row">{text(series.name)}</th>{"".join(f"<td>{micro(value)}</td>" for value in values)}</tr>'
                   for series, values in table_of.rows)
    return (f'<details><summary>{text(title)}</summary><div class="wide"><table><caption>{text(caption)}</caption>'
            f'<thead><tr><th scope="col">manager</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div></details>')


def figure_html(figure, case):
    variants = []
    for i, variant in enumerate(figure.variants):
        caption = f"{figure.title}, {case.name}{f', {variant.label}' if variant.label else ''}"
        hidden = "" if i == figure.chosen else " hidden"
        label = f'<p class="variant-label">{text(variant.label)}</p>' if variant.label else ""
        variants.append(f'<div class="variant"{hidden}>{label}{variant.svg}{figure_table(variant.table, caption)}</div>')
    bar = switch([variant.label for variant in figure.variants], figure.chosen)
    return (f'<figure class="switched {figure.kind}"><div class="figure-head"><figcaption>{text(figure.title)}</figcaption>'
            f'{bar}</div><p class="explanation">{text(figure.explanation)}</p>{"".join(variants)}</figure>')


def case_section(file, case, all_looks, reference):
    drawn = "".join(figure_html(figure, case) for figure in figures.figures(file, case, all_looks))
    words = summary.case_sentence(file, case, reference) if reference else ""
    details = [units.plural(case.threads, "thread")]
    if case.scale:
        details.append(f"scale {case.scale}")
    if file.live_bytes(case):
        details.append(f"{units.size(file.live_bytes(case))} live")
    counts = figures.counts_table(file, case)
    factor = file.usual_factor(case)
    heap = f", heap {figures.factor_text(factor)}" if factor else ""
    counted = figure_table(counts, f"{case.name}{heap}", "What was counted: cycles, stops, faults") if counts else ""
    return (f'<section class="case" id="{text(case.key)}"><h2>{text(case.name)} <small>{text(", ".join(details))}</small></h2>'
            f'<p class="lead">{text(words)}</p><div class="figures">{drawn}</div>{counted}</section>')


# ---- end -----------------------------------------------------------------------------------------------


def not_run(file):
    items = []
    for (series, factor, error), names in table.failure_groups(file):
        heap = f", heap {factor:g}\u00d7" if factor else ""
        items.append(f"<li><strong>{text(series.name)}</strong>{heap}, in {text(', '.join(names))}: {text(error)}</li>")
    items += [f"<li>Skipped: {text(what)}: {text(reason)}</li>" for reason, what in file.skips()]
    if not items:
        return ""
    return f'<section id="not-run"><h2>What did not run</h2><ul>{"".join(items)}</ul></section>'


def fact(name, value):
    if isinstance(value, (dict, list)):
        value = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else ", ".join(map(str, value))
    elif name == "memory" and results.number(value) is not None:
        value = units.size(value)
    return f"<dt>{text(MACHINE_WORDS.get(name, name.replace('_', ' ')))}</dt><dd>{text(value)}</dd>"


def conditions(file):
    facts = "".join(fact(name, value) for name, value in [*file.machine.items(), *file.options.items()]
                    if value not in (None, "", [], {}))
    return f'<section id="conditions"><h2>Conditions</h2><dl>{facts}</dl></section>' if facts else ""


READING = """
<section id="reading"><h2>How to read this</h2>
<p><b>Heap limits</b> are multiples of what the workload keeps alive, the same for every manager that has a limit; malloc and
mimalloc have none, and are drawn as a level line. <b>A stop</b> is a time in which no thread of the program may run. What holds
up one thread alone - a page that is not there yet, memory that has to be waited for - is no stop; it shows in the time of an
operation. <b>MMU</b>, minimum mutator utilisation: of all windows of a given length, the one in which the collector left least
to the program. Shale tells what held up each single thread, and all of that counts against it; of the other collectors only
stops are known, so that their curves are what they can be at best. <b>CPU time</b> is of all threads, the collector's too: it
tells what a short wall time was bought with.
Curves differ in colour, dashes and markers; the legend hides and shows them, a double click shows one alone beside
Shale.</p></section>
"""


def contents(file):
    links = "".join(f'<a href="#{text(case.key)}">{text(case.name)}</a>' for case in file.cases())
    return f'<nav aria-label="workloads">{links}</nav>'


def page(file, reference=None):
    reference = file.reference(reference)
    all_looks = figures.looks(file)
    cases = "".join(case_section(file, case, all_looks, reference) for case in file.cases())
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Shale: benchmarks</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
        '<link rel="icon" href="data:,">'
        f"<style>{read_part('page.css')}</style></head><body>"
        f'<header><h1>Shale: benchmarks</h1><p class="subtitle">{subtitle(file)}</p></header><main>'
        f"{alarm(file)}{in_short(file, reference)}{overview(file, reference)}"
        f'<div class="plots">{contents(file)}{legend(file, all_looks)}{cases}</div>'
        f"{not_run(file)}{READING}{conditions(file)}</main>"
        f'<div id="tip" role="status" hidden></div><script>{read_part("page.js")}</script></body></html>\n')


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="html.py", description=__doc__,
        epilog="Exit status: 0; 1 when managers disagree on a checksum; 2 when there is no page.")
    parser.add_argument("file", help="results, as ./dev bench writes them (JSON)")
    parser.add_argument("-o", "--output", metavar="PAGE", help="where to write the page (default: report.html beside FILE)")
    parser.add_argument("--reference", metavar="MANAGER/MODE", help="what the others are compared with (default: shale/thread)")
    options = parser.parse_args(arguments)
    output = options.output or os.path.join(os.path.dirname(options.file), "report.html")
    try:
        file = results.load(options.file)
        whole = page(file, options.reference)
        with open(output, "w", encoding="utf-8") as stream:
            stream.write(whole)
    except results.ResultsError as error:
        print(f"html.py: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"html.py: {output}: {error.strerror}", file=sys.stderr)
        return 2
    print(output)
    for sentence in file.disagreements():
        print(f"CHECKSUMS DIFFER  {sentence}", file=sys.stderr)
    return 1 if file.disagreements() else 0


if __name__ == "__main__":
    sys.exit(main())
