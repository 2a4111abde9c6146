#!/usr/bin/env bash
# The workloads in Java must compute what the ones in C do, under each collector of the JVM, and tell the truth about it.
#
#   TEST_BIN   folder of the built programs
set -uo pipefail
bin=${TEST_BIN:?TEST_BIN must name the folder of the built programs}
[[ -e $bin/../bench-java/built ]] || {
    echo "skipped: the workloads in Java are not built (there was no JDK; Debian: openjdk-17-jdk-headless)"
    exit 77
}
[[ -x $bin/gcbench-malloc ]] || {
    echo "skipped: $bin/gcbench-malloc is not built"
    exit 77
}
PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/bench_java/test_java.py"
