#!/usr/bin/env bash
# The programs that compare memory managers must compute the same under each of them, in heaps so small that
# collections come, and end with a sentence where memory does not suffice.
#
#   TEST_BIN   folder of the built programs
set -uo pipefail
export LC_ALL=C

bin=${TEST_BIN:?TEST_BIN must name the folder of the built programs}
[[ -x $bin/gcbench-shale ]] || {
    echo "skipped: $bin/gcbench-shale is not built"
    exit 77
}
failures=0

check() { # check NAME EXPECTED GOT
    if [[ $3 == "$2"* ]]; then
        echo "ok    $1"
    else
        echo "FAIL  $1: \"$3\" does not begin with \"$2\""
        failures=$((failures + 1))
    fi
}

# Trees of depth d have 2^(d+1) - 1 nodes. trees, depth 12: one of depth 13, one of depth 12, and for d = 4, 6, 8,
# 10, 12 each 2^(16 - d). gcbench, depth 14: the stretching tree, the long-lived one of depth 16, the array's 125
# pieces and their array, and for d = 4 to 14 twice 2 * nodes(14) / nodes(d) trees of depth d.
nodes() { echo $(((2 << $1) - 1)); }
trees=$(($(nodes 13) + $(nodes 12)))
gcbench=$(($(nodes 14) + $(nodes 16) + 126))
for d in 4 6 8 10 12; do
    trees=$((trees + (1 << (16 - d)) * $(nodes $d)))
done
for d in 4 6 8 10 12 14; do
    gcbench=$((gcbench + 2 * (2 * $(nodes 14) / $(nodes $d)) * $(nodes $d)))
done

for manager in shale malloc bdwgc; do
    if [[ ! -x $bin/trees-$manager ]]; then
        echo "skip  $manager is not built"
        continue
    fi
    check "trees-$manager" "trees: objects $trees, checksum $trees, $manager: " \
        "$("$bin/trees-$manager" --depth 12 --heap 8M 2>&1)"
    line=$("$bin/gcbench-$manager" --depth 14 --heap 16M 2>&1)
    check "gcbench-$manager" "gcbench: objects $gcbench, checksum ${checksum:=$(
        sed -n 's/.*checksum \([0-9]*\),.*/\1/p' <<<"$line"
    )}, $manager: " "$line"
    check "gcbench-$manager --help" "usage: " "$("$bin/gcbench-$manager" --help)"
done

for manager in shale bdwgc; do
    [[ -x $bin/trees-$manager ]] || continue
    "$bin/trees-$manager" --depth 18 --heap 8M >/dev/null 2>&1
    check "trees-$manager in a heap that is too small" 3 $?
done
"$bin/trees-shale" --depth x >/dev/null 2>&1
check "a depth that is no number" 2 $?

((failures == 0))
