"""What ./dev bench ends with: the table in the terminal, the page beside the results."""
import os
import sys

from bench.report import html, results, table


def show(document, path):
    """`path`: of the file that the document was written to. Returns whether all managers computed the same."""
    file = results.parse(document, path)
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    print()
    sys.stdout.write(table.table(file, colour=colour))
    print()
    page = os.path.join(os.path.dirname(path), "report.html")
    try:
        with open(page, "w", encoding="utf-8") as stream:
            stream.write(html.page(file))
        print(f"{page}: the same with plots, in one page")
    except OSError as error:
        print(f"the page cannot be written: {page}: {error.strerror}", file=sys.stderr)
    return not file.disagreements()
