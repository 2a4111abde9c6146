#!/usr/bin/env bash
# What runs the comparison of ./dev bench: the matrix, single programs, how results are collected.
#
#   TEST_SOURCE   the repository
set -uo pipefail
source=${TEST_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
command -v python3 >/dev/null || {
    echo "skipped: there is no python3"
    exit 77
}
cd "$source/tests/scripts/bench_runner" || exit 1
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=$source exec python3 -m unittest discover --pattern 'test_*.py'
