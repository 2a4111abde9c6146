#!/usr/bin/env bash
# The concordance's counts must be those of tr, sort and uniq, whatever the heap does meanwhile: several heap
# sizes, both fault modes, one thread and three, with the collector's own checks, moving everything all the
# time. Also what it does when the heap is too small, when it is misused, and when files cannot be read.
#
#   TEST_BIN      folder of the built programs
#   TEST_SOURCE   folder of the sources, part of the text
#   TEST_SEED     seed of the generated text; printed, so that a run can be repeated
set -uo pipefail
export LC_ALL=C

bin=${TEST_BIN:?TEST_BIN must name the folder of the built programs}
source_dir=${TEST_SOURCE:?TEST_SOURCE must name the folder of the sources}
seed=${TEST_SEED:-1}
# The library refuses SHALE_ variables that are no option of it; each case below sets its own.
unset "${!SHALE_@}"

concordance=$bin/concordance
[[ -x $concordance ]] || {
    echo "skipped: $concordance is not built"
    exit 77
}
work=$(mktemp -d "${TMPDIR:-/tmp}/concordance.XXXXXX") || exit 1
trap 'chmod -R u+rwx "$work"; rm -rf "$work"' EXIT
failures=0
echo "seed $seed"

pass() { echo "ok    $1"; }

fail() { # fail NAME REASON: with what the program last said
    failures=$((failures + 1))
    echo "FAIL  $1: $2"
    [[ ! -s $work/stderr ]] || head -n 12 "$work/stderr" | cut -c 1-160 | sed 's/^/      | /'
}

# ---- text --------------------------------------------------------------------------------------

generate_edge_cases() { # generate_edge_cases FOLDER
    mkdir -p "$1/deep/er"
    : >"$1/empty"
    printf 'no newline at the end' >"$1/no_newline"
    printf 'a' >"$1/one_letter"
    printf '12 34 !?\n\n\n' >"$1/no_letter"
    printf 'nul\0separates\0\0words\0' >"$1/deep/nul"
    printf 'caf\303\251 na\357ve \377\200\201z\300A\n' >"$1/deep/high_bytes"
    printf 'MiXeD mixed MIXED [\\]^_`{|}~@ AZ az Zz\r\n' >"$1/deep/er/cases"
    # Words as long as an object can be, longer than a block that is read, and at the border of two blocks.
    head -c 32768 /dev/zero | tr '\0' 'L' >"$1/deep/longest"
    { head -c 65530 /dev/zero | tr '\0' ' '; echo 'acrosstheborder of two blocks'; } >"$1/deep/border"
    { head -c 65536 /dev/zero | tr '\0' ' '; printf 'second block'; } >"$1/deep/second_block"
    { head -c 65531 /dev/zero | tr '\0' ' '; printf 'block'; } >"$1/deep/exactly_one_block"
    head -c 150000 "$concordance" >"$1/deep/er/binary"
    ln -s "$1/deep" "$1/link_that_is_not_followed"
    mkfifo "$1/pipe_that_is_not_read"
}

generate_words() { # generate_words COUNT DISTINCT: random words
    awk -v seed="$seed" -v count="$1" -v distinct="$2" 'BEGIN {
        srand(seed)
        for (i = 0; i < count; i++) {
            number = int(rand() * rand() * distinct)
            word = ""
            do {
                word = word substr("etaoinshrdlucmfwypvbgkjqxz", number % 26 + 1, 1)
                number = int(number / 26)
            } while (number > 0)
            printf "%s%s", word, i % 12 == 11 ? "\n" : " "
        }
    }'
}

copy_text() { # copy_text FOLDER BYTES PATH...: files from the machine, as many as fit
    local folder=$1 bytes=$2 number=0 file
    shift 2
    mkdir -p "$folder"
    find "$@" -type f -size -512k -printf '%s %p\n' 2>/dev/null | sort -k 2 |
        awk -v left="$bytes" '$1 <= left { left -= $1; sub(/^[0-9]+ /, ""); print }' |
        while IFS= read -r file; do
            cp "$file" "$folder/$((number / 100)).$((number += 1))" 2>/dev/null
        done
    chmod -R u+rw "$folder"
}

expect_counts() { # expect_counts FILE PATH...: what the shell makes of it
    local to=$1
    shift
    # A newline between files: a word does not go on in the next one.
    find "$@" -type f -exec sh -c 'for file; do cat "$file"; echo; done' sh {} + |
        tr -cs 'A-Za-z' '\n' | tr '[:upper:]' '[:lower:]' | sort | uniq -c |
        awk '$2 != "" { print $1, $2 }' >"$to"
}

# ---- checks ------------------------------------------------------------------------------------

compare() { # compare NAME EXPECTED [VARIABLE=VALUE...] -- ARGUMENTS
    local name=$1 expected=$2 variables=() status
    shift 2
    while [[ $1 != -- ]]; do
        variables+=("$1")
        shift
    done
    shift
    env "${variables[@]}" timeout 60 "$concordance" --counts --stats "$@" \
        >"$work/stdout" 2>"$work/stderr"
    status=$?
    if ((status != 0)); then
        fail "$name" "exit code $status"
    elif ! cmp -s "$expected" "$work/stdout"; then
        fail "$name" "counts differ (< the shell, > concordance)"
        diff "$expected" "$work/stdout" | head -n 12 | cut -c 1-160 | sed 's/^/      /'
    else
        pass "$name"
    fi
}

statistic() { # statistic NAME: its value in the last run
    sed -n "s/^$1 \([0-9]*\)$/\1/p" "$work/stderr"
}

expect_positive() { # expect_positive CASE STATISTIC...
    local name=$1 what
    shift
    for what in "$@"; do
        if (($(statistic "$what") + 0 > 0)); then
            pass "$name: $what > 0"
        else
            fail "$name" "$what is \"$(statistic "$what")\", not above 0"
        fi
    done
}

expect_exit() { # expect_exit NAME CODE TEXT [VARIABLE=VALUE...] -- ARGUMENTS: TEXT must be in stderr
    local name=$1 code=$2 text=$3 variables=() status
    shift 3
    while [[ $1 != -- ]]; do
        variables+=("$1")
        shift
    done
    shift
    env "${variables[@]}" timeout 60 "$concordance" "$@" >"$work/stdout" 2>"$work/stderr"
    status=$?
    if ((status != code)); then
        fail "$name" "exit code $status, not $code"
    elif [[ -n $text ]] && ! grep -qF -e "$text" "$work/stderr"; then
        fail "$name" "stderr does not say \"$text\""
    else
        pass "$name"
    fi
}

# ---- cases -------------------------------------------------------------------------------------

test_edge_cases() {
    local faults threads
    for faults in thread signal; do
        for threads in 1 3; do
            compare "edge cases, $faults, $threads threads" "$work/edge.counts" -- \
                --faults "$faults" --threads "$threads" --heap 8M "$work/edge"
        done
        compare "edge cases, $faults, moving all the time" "$work/edge.counts" \
            SHALE_STRESS=1 -- --faults "$faults" --threads 3 --heap 8M "$work/edge"
        expect_positive "moving all the time" cycles flips bytes_moved
        compare "edge cases, $faults, moving and verifying" "$work/edge.counts" \
            SHALE_STRESS=1 SHALE_VERIFY=1 -- --faults "$faults" --threads 3 --heap 8M "$work/edge"
    done
}

test_text() {
    local faults threads heap
    for faults in thread signal; do
        for threads in 1 3; do
            for heap in 16M 24M 64M; do
                compare "text, heap $heap, $faults, $threads threads" "$work/text.counts" -- \
                    --heap "$heap" --faults "$faults" --threads "$threads" "$work/text"
                [[ $heap != 16M ]] || expect_positive "text, heap 16M" cycles flips bytes_moved
            done
        done
        compare "text, $faults, verifying" "$work/text.counts" SHALE_VERIFY=1 -- \
            --heap 20M --faults "$faults" --threads 2 "$work/text"
        expect_positive "text, verifying" cycles
    done
    compare "text, compacting in the pause" "$work/text.counts" SHALE_CONCURRENT=never -- \
        --heap 16M --threads 3 "$work/text"
    expect_positive "text, compacting in the pause" cycles bytes_moved pages_in_pause
}

test_passes() {
    awk '{ print $1 * 3, $2 }' "$work/edge.counts" >"$work/edge.counts.tripled"
    compare "three passes" "$work/edge.counts.tripled" -- --passes 3 --threads 3 --heap 8M "$work/edge"
}

test_places() { # each line of the default report names a file and an offset: the word must be there
    local word place found wrong=0 lines=0
    expect_exit "report" 0 "" -- --top 200 --heap 16M --no-progress "$work/text"
    while read -r _ word place; do
        found=$(tail -c "+$((${place##*:} + 1))" "${place%:*}" | head -c "${#word}" | tr '[:upper:]' '[:lower:]')
        [[ $found == "$word" ]] || wrong=$((wrong + 1))
        lines=$((lines + 1))
    done < <(sed -n '2,201p' "$work/stdout")
    if ((lines == 200 && wrong == 0)); then
        pass "places of words"
    else
        fail "places of words" "$wrong of $lines are wrong"
    fi
}

test_trouble() {
    generate_words 400000 400000 >"$work/many_words"
    expect_exit "heap too small" 3 "--heap 8M" -- --counts --heap 4M "$work/many_words"
    expect_exit "heap too small, signal, 3 threads" 3 "--heap 8M" -- \
        --counts --heap 4M --faults signal --threads 3 --passes 3 "$work/many_words" "$work/text"
    head -c 32769 /dev/zero | tr '\0' 'L' >"$work/too_long"
    expect_exit "word too long" 0 "1 words longer than 32768 letters" -- --counts "$work/too_long"
    expect_exit "no such file" 1 "$work/missing" -- --counts "$work/missing"
    expect_exit "no such file among others" 0 "$work/missing" -- --counts "$work/edge" "$work/missing"
    expect_exit "no path" 2 "which files" --
    expect_exit "unknown option" 2 "unrecognized option" -- --no-such-option "$work/edge"
    expect_exit "bad heap size" 2 "banana" -- --heap banana "$work/edge"
    expect_exit "heap size out of range" 2 "heap" -- --heap 1K "$work/edge"
    expect_exit "bad fault mode" 2 "sometimes" -- --faults sometimes "$work/edge"
    expect_exit "bad number of threads" 2 "--threads" -- --threads 0 "$work/edge"
    expect_exit "unknown SHALE_ variable" 2 "SHALE_NO_SUCH_OPTION" SHALE_NO_SUCH_OPTION=1 -- "$work/edge"
    if "$concordance" --counts "$work/edge" >/dev/full 2>"$work/stderr"; then
        fail "full disk" "exit code 0"
    else
        pass "full disk"
    fi
}

test_help() { # the README repeats the library's table of options
    local name rest row missing=0 rows=0
    while read -r name rest; do # rest: "documentation (default"
        rows=$((rows + 1))
        row="| \`$name\` | ${rest##* (} | ${rest% (*} |"
        if ! grep -qxF -e "$row" "$source_dir/README.md"; then
            missing=$((missing + 1))
            echo "      $row"
        fi
    done < <("$concordance" --help | sed -n 's/^  \(SHALE_[A-Z]* .*\))$/\1/p')
    if ((rows > 0 && missing == 0)); then
        pass "options in README.md"
    else
        fail "options in README.md" "$missing of $rows rows are missing"
    fi
}

test_minimal() {
    [[ -x $bin/minimal ]] || return 0
    if "$bin/minimal" >"$work/stdout" 2>"$work/stderr"; then
        pass "minimal"
    else
        fail "minimal" "exit code $?"
    fi
}

generate_edge_cases "$work/edge"
expect_counts "$work/edge.counts" "$work/edge"
copy_text "$work/text" 6000000 "$source_dir/include" "$source_dir/examples" /usr/include /usr/share/doc
generate_words 150000 30000 >"$work/text/generated"
expect_counts "$work/text.counts" "$work/text"
echo "text: $(find "$work/text" -type f | wc -l) files, $(wc -l <"$work/text.counts") distinct words"

test_edge_cases
test_text
test_passes
test_places
test_trouble
test_help
test_minimal

if ((failures > 0)); then
    echo "$failures failed"
    exit 1
fi
echo "all passed"
