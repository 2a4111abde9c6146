# shellcheck shell=bash
# ./dev fuzz: the fuzz targets in tests/fuzz, with clang's libFuzzer and sanitizers. Sourced from the repository's root.

FUZZ_SECONDS=60
FUZZ_LONGEST_INPUT=4096

fuzz_usage() {
    cat <<END
usage: ./dev fuzz [SECONDS]

Builds the fuzz preset with clang, libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer, and feeds the Lox compiler and VM
with variations of the test suite's scripts for so long; default: $FUZZ_SECONDS. First all that is kept in tests/fuzz/corpus
is tried once. Inputs that found something new are kept in build/fuzz/corpus for the next time. An input that fails is
put into build/fuzz/failures, with the line that repeats it. The last line is "N passed, N failed".
END
}

# The scripts of the suite, and those that it generates, as far as they are short enough.
fuzz_seeds() { # fuzz_seeds FOLDER
    local file name
    rm -rf "$1"
    mkdir -p "$1/generated" || return
    (. tests/lox/generate.sh && generate_scripts "$PWD/$1/generated") || return
    while IFS= read -r -d '' file; do
        name=${file#"$1/generated/"}
        name=${name#tests/lox/}
        # The expectations would only be mutated as comments.
        sed 's|// .*||' "$file" >"$1/${name//\//-}" || return
    done < <(find tests/lox "$1/generated" -name '*.lox' -size -"$FUZZ_LONGEST_INPUT"c -print0)
    rm -rf "$1/generated"
}

fuzz_options() {
    # What Lox prints is thrown away; the fuzzer's and the sanitizers' own words are not.
    FUZZ_OPTIONS=("-max_len=$FUZZ_LONGEST_INPUT" -timeout=120 -rss_limit_mb=0 -malloc_limit_mb=1024 -close_fd_mask=3 -dict=tests/fuzz/lox.dict
        "-artifact_prefix=$PWD/build/fuzz/failures/" -print_final_stats=1)
    export ASAN_OPTIONS="detect_leaks=1:halt_on_error=1:${ASAN_OPTIONS-}"
    export UBSAN_OPTIONS="print_stacktrace=1:halt_on_error=1:${UBSAN_OPTIONS-}"
}

# Says now and then how far it is: libFuzzer's last line, which has the number of inputs and what they covered.
fuzz_watch() { # fuzz_watch LOG
    while sleep 10 >/dev/null 2>&1; do
        say "...   $(grep -a '^#' "$1" | tail -n 1 | tr '\t' ' ')"
    done
}

fuzz_run() { # fuzz_run LABEL COMMAND...
    local label=$1 log=$LOGS/fuzz.log status
    shift
    mkdir -p "$LOGS"
    fuzz_watch "$log" &
    # shellcheck disable=SC2034 # stop_watcher ends it
    watcher=$!
    "$@" >"$log" 2>&1 </dev/null
    status=$?
    stop_watcher
    if ((status == 0)); then
        STEPS_PASSED=$((STEPS_PASSED + 1))
        say "ok    $label  ($(sed -n 's/^stat::number_of_executed_units: *//p' "$log" | tail -n 1) inputs)"
    else
        STEPS_FAILED=$((STEPS_FAILED + 1))
        grep -av '^#' "$log" | tail -n 80
        say "FAIL  $label; what was found is in build/fuzz/failures; repeat with"
        say "      build/fuzz/bin/fuzz_lox_source FILE"
    fi
    return "$status"
}

run_fuzz() { # run_fuzz SECONDS
    local program=build/fuzz/bin/fuzz_lox_source
    step "seeds from tests/lox" fuzz_seeds build/fuzz/seeds || return
    mkdir -p build/fuzz/corpus build/fuzz/failures
    fuzz_options
    fuzz_run "what is in the corpus" "$program" "${FUZZ_OPTIONS[@]}" -runs=0 tests/fuzz/corpus/lox build/fuzz/seeds || return
    fuzz_run "$1 s of variations" "$program" "${FUZZ_OPTIONS[@]}" "-max_total_time=$1" \
        build/fuzz/corpus build/fuzz/seeds tests/fuzz/corpus/lox
}
