#!/usr/bin/env bash
# The page of results in a real browser, headless: nothing in the console, nothing asked of the network, every plot drawn, the
# legend, buttons, tooltips and tables at work.
#
#   TEST_SOURCE   the repository
set -uo pipefail
source=${TEST_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
if ! command -v python3 >/dev/null; then
    echo "skipped: there is no python3"
    exit 77
fi
if ! command -v chromium >/dev/null && ! command -v chromium-browser >/dev/null && ! command -v google-chrome >/dev/null; then
    echo "skipped: there is no Chromium to look at the page with (Debian: chromium)"
    exit 77
fi
cd "$source/tests/scripts/bench_report" || exit 1
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$source exec python3 -m unittest discover --pattern 'browse_*.py'
