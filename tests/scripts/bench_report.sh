#!/usr/bin/env bash
# What shows the results of ./dev bench, on result files that are made up: the table, the page, the comparison.
#
#   TEST_SOURCE   the repository
set -uo pipefail
source=${TEST_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
command -v python3 >/dev/null || {
    echo "skipped: there is no python3"
    exit 77
}
cd "$source/tests/scripts/bench_report" || exit 1
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$source exec python3 -m unittest discover --pattern 'test_*.py'
