#!/usr/bin/env bash
# The extensions of shale-lox: the scripts of tests/lox_ext by the notation of tests/lox, programs whose threads race, the prompt,
# and what is told about the collector. Plainly, with everything moving all the time, verified, and in both fault modes.
set -uo pipefail

source_dir=${TEST_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
bin=${TEST_BIN:-$source_dir/build/dev/bin}
lox=$bin/shale-lox
suite=$source_dir/tests/lox
seed=${TEST_SEED:-$RANDOM}
races=$([[ ${TEST_SCALE-} == quick ]] && echo 2 || echo 6)

if [[ ! -x $lox || ! -e $suite/run.sh ]]; then
    echo "skipped: there is no $lox, or no $suite/run.sh"
    exit 77
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
unset "${!SHALE_@}"
export SHALE_HEAP=32M # the sanitizers note what is free, all of it

pass() {
    echo "ok    $1"
}

fail() { # fail NAME WHAT
    echo "FAIL  $1: $2"
    failed=$((failed + 1))
}

# ---- scripts -------------------------------------------------------------------------------------

# The runner takes its scripts from the folder that it is in.
prepare_suite() {
    cp "$suite/run.sh" "$suite/expectations.awk" "$work"
    local folder
    for folder in "$source_dir"/tests/lox_ext/*/; do
        ln -s "${folder%/}" "$work/$(basename "$folder")"
    done
    cat >"$work/generate.sh" <<END
generate_scripts() {
    local i
    mkdir -p "\$1/races"
    for ((i = 0; i < $races; i++)); do
        python3 "$source_dir/tests/lox_ext/races.py" \$(($seed + i)) 3 80 >"\$1/races/seed_\$(($seed + i)).lox"
    done
}
END
    echo 'check_command_line() { :; }' >"$work/command_line.sh"
}

test_scripts() { # test_scripts NAME RUN_ARGUMENTS...
    local name=$1
    shift
    if bash "$work/run.sh" --program "$lox --ext" --timeout 120 "$@" >"$work/scripts.out" 2>&1; then
        pass "$name: $(tail -n 1 "$work/scripts.out")"
    else
        grep -v '^\.\.\.' "$work/scripts.out" | head -n 60
        fail "$name" "$(tail -n 1 "$work/scripts.out")"
    fi
}

test_not_extended() {
    echo 'print list;' >"$work/plain.lox"
    "$lox" "$work/plain.lox" >"$work/stdout" 2>"$work/stderr"
    if (($? == 70)) && grep -q "Undefined variable 'list'" "$work/stderr"; then
        pass "without --ext"
    else
        fail "without --ext" "$(cat "$work/stdout" "$work/stderr")"
    fi
}

# ---- what is told about the collector ------------------------------------------------------------

cat >"$work/garbage.lox" <<'END'
class Tree {
  init(depth) {
    if (depth > 0) { this.left = Tree(depth - 1); this.right = Tree(depth - 1); }
  }
}
fun work() { for (var i = 0; i < 40; i = i + 1) Tree(10); gc(); }
var t = spawn(work);
work();
t.join();
gc(); // two threads may have shared a cycle
gc();
print gcStats().cycles;
END

test_report() {
    local cycles lines
    cycles=$(SHALE_HEAP=16M "$lox" --ext --gc-log --gc-stats --gc-trace "$work/trace" "$work/garbage.lox" 2>"$work/stderr")
    lines=$(grep -cE '^\[gc [0-9.]+ s\] cycle [0-9]+ \([a-z]+\): [0-9.]+ -> [0-9.]+ MiB in [0-9.]+ ms; marked in [0-9.]+ ms, ' "$work/stderr")
    if ((lines >= cycles && cycles >= 2)); then
        pass "--gc-log"
    else
        cat "$work/stderr"
        fail "--gc-log" "$cycles cycles, $lines lines"
    fi
    if grep -qE "^gc: [0-9]+ cycles, " "$work/stderr" && grep -qE '^gc: page faults: ' "$work/stderr" &&
        grep -qE '^gc: a thread could run in at least [0-9.]+ % of any 1 ms, at least [0-9.]+ % of any 10 ms, at least [0-9.]+ % of any 100 ms$' "$work/stderr"; then
        pass "--gc-stats"
    else
        cat "$work/stderr"
        fail "--gc-stats" "its lines are not all there"
    fi
    if python3 -c '
import json, sys
events = json.load(open(sys.argv[1]))["traceEvents"]
assert sum(e["name"] == "cycle" for e in events) >= int(sys.argv[2])
assert all(e["dur"] >= 0 and e["ph"] == "X" for e in events)
assert {"mark", "plan", "cycle", "wait"} <= {e["name"] for e in events}
' "$work/trace" "$cycles"; then
        pass "--gc-trace"
    else
        fail "--gc-trace" "$(head -c 300 "$work/trace")"
    fi
    if "$lox" --gc-trace "$work/no/such/folder" "$work/plain.lox" 2>"$work/stderr" || ! grep -q 'no/such/folder' "$work/stderr"; then
        fail "--gc-trace" "a file that cannot be written: $(cat "$work/stderr")"
    else
        pass "--gc-trace, a file that cannot be written"
    fi
}

# ---- the prompt ----------------------------------------------------------------------------------

test_pipe() {
    local found
    found=$(printf 'var a = 1;\nfun f() {\nreturn a +\n1; // }\n}\nprint f();\nprint nil + 1;\nprint (2\n* 3);\nprint "x\ny";\nfun {' | "$lox" 2>"$work/stderr")
    if [[ $found == $'> > | | | > 2\n> > | 6\n> | x\ny\n> | > ' ]] && grep -q 'Operands must be' "$work/stderr" &&
        grep -q 'Expect function name' "$work/stderr"; then
        pass "prompt, a pipe"
    else
        fail "prompt, a pipe" "$(printf '%q' "$found") $(cat "$work/stderr")"
    fi
}

test_terminal() {
    if python3 "$source_dir/tests/lox_ext/terminal.py" "$lox" "$work" >"$work/stdout" 2>&1; then
        pass "prompt, a terminal"
    else
        fail "prompt, a terminal" "$(tail -n 20 "$work/stdout")"
    fi
}

# ---- all -----------------------------------------------------------------------------------------

echo "TEST_SEED=$seed"
prepare_suite
test_not_extended
test_scripts "scripts" --with 'SHALE_HEAP=32M'
test_scripts "scripts, all moves, verified" --except races --with "SHALE_STRESS=1 SHALE_VERIFY=1 SHALE_HEAP=32M"
test_scripts "races, much moves, verified" --with "SHALE_STRESS=7 SHALE_VERIFY=1 SHALE_HEAP=32M" races
test_scripts "scripts, faults in place" --with 'SHALE_STRESS=3 SHALE_FAULTS=signal SHALE_HEAP=32M'
test_scripts "scripts, no compaction while they run" --with 'SHALE_STRESS=3 SHALE_VERIFY=2 SHALE_CONCURRENT=never SHALE_HEAP=32M'
test_report
test_pipe
test_terminal
((failed == 0))
