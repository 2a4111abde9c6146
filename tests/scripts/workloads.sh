#!/usr/bin/env bash
# The programs that compare memory managers must compute the same under each of them, in heaps so small that
# collections come, and end with a sentence where memory does not suffice.
#
#   TEST_BIN   folder of the built programs
set -uo pipefail
export LC_ALL=C

bin=${TEST_BIN:?TEST_BIN must name the folder of the built programs}
[[ -x $bin/gcbench-malloc ]] || {
    echo "skipped: $bin/gcbench-malloc is not built"
    exit 77
}
failures=0

check() { # check NAME EXPECTED GOT
    if [[ $3 == "$2" ]]; then
        echo "ok    $1"
    else
        echo "FAIL  $1: \"$3\" is not \"$2\""
        failures=$((failures + 1))
    fi
}

field() { # field NAME RESULT: as it stands there, but for quotes
    sed -n "s/.*\"$1\":\"\?\([^\",}]*\).*/\1/p" <<<"$2"
}

# Trees of depth d have 2^(d+1) - 1 nodes. trees, depth 12: one of depth 13, one of depth 12, and for d = 4, 6, 8,
# 10, 12 each 2^(16 - d). gcbench, depth 12: the stretching tree, the long-lived one of depth 10, the array, and for
# d = 4 to 12 twice 2 * nodes(12) / nodes(d) trees of depth d.
nodes() { echo $(((2 << $1) - 1)); }
declare -A operations
operations[trees]=$(($(nodes 13) + $(nodes 12)))
operations[gcbench]=$(($(nodes 12) + $(nodes 10) + 1))
for d in 4 6 8 10 12; do
    operations[trees]=$((operations[trees] + (1 << (16 - d)) * $(nodes $d)))
    operations[gcbench]=$((operations[gcbench] + 2 * (2 * $(nodes 12) / $(nodes $d)) * $(nodes $d)))
done

corpus=$(dirname "$0")/../../gc
run() { # run PROGRAM [ARGUMENTS]: prints its result; in the smallest heap that Shale has
    local program=$1 heap=4M
    shift
    [[ $program != ast-* ]] || set -- --corpus "$corpus" "$@"
    [[ $program != *-conservative ]] || heap=8M # what a stack points into stays
    [[ $program != *-bdwgc ]] || heap=32M # large objects do not move there, and need room
    timeout 120 "$bin/$program" --scale tiny --heap-bytes "$heap" "$@" 2>&1
}

compare() { # compare WORKLOAD PROGRAM [ARGUMENTS]: with malloc's run
    local workload=$1 program=$2 result name=${*:2}
    shift 2
    if [[ ! -x $bin/$program ]]; then
        echo "skip  $program is not built"
        return
    fi
    result=$(run "$program" "$@")
    check "$name is done" true "$(field ok "$result")"
    check "$name: checksum" "$(field checksum "$expected")" "$(field checksum "$result")"
    check "$name: operations" "$(field operations "$expected")" "$(field operations "$result")"
    check "$name: live bytes" "$(field live_bytes "$expected")" "$(field live_bytes "$result")"
    [[ $program == *-@(bdwgc|conservative) || $(field cycles "$result") != 0 ]] || check "$name: cycles" "at least one" none
}

for path in "$bin"/*-malloc; do
    workload=${path##*/}
    workload=${workload%-malloc}
    expected=$(run "$workload-malloc")
    check "$workload-malloc is done" true "$(field ok "$expected")"
    [[ -z ${operations[$workload]-} ]] ||
        check "$workload: operations" "${operations[$workload]}" "$(field operations "$expected")"
    other=$(run "$workload-malloc" --seed 2)
    case $workload in
        gcbench | trees | ring) ;; # no random numbers
        *) [[ $(field checksum "$other") != "$(field checksum "$expected")" ]] || check "$workload: seed" other same ;;
    esac
    compare "$workload" "$workload-mimalloc"
    compare "$workload" "$workload-shale" --faults thread
    compare "$workload" "$workload-shale" --faults signal
    compare "$workload" "$workload-conservative"
    compare "$workload" "$workload-pages"
    compare "$workload" "$workload-bdwgc"
    compare "$workload" "$workload-bdwgc" --incremental
done

expected=$(run trees-malloc --threads 2)
compare trees trees-shale --threads 2
compare trees trees-shale --threads 2 --faults signal
compare trees trees-conservative --threads 2
compare trees trees-bdwgc --threads 2

for manager in shale bdwgc; do
    [[ -x $bin/trees-$manager ]] || continue
    result=$("$bin/trees-$manager" --heap-bytes 8M 2>/dev/null)
    check "trees-$manager in a heap that is too small" 3 $?
    check "trees-$manager in a heap that is too small says so" false "$(field ok "$result")"
    [[ -n $(field error "$result") ]] || check "trees-$manager says why" "a sentence" nothing
done
"$bin/trees-shale" --scale huge >/dev/null 2>&1
check "a scale that is none" 2 $?
"$bin/trees-malloc" --faults signal >/dev/null 2>&1
check "an option that malloc does not have" 2 $?
[[ $("$bin/trees-shale" --help) == usage:* ]] || check "--help" "usage: ..." "something else"

((failures == 0))
