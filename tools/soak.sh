# shellcheck shell=bash
# ./dev soak: the swarm for as long as one likes. Sourced from the repository's root.

SOAK_PROGRESS=15 # seconds between two lines
SOAK_SILENCE=300 # seconds without a run that ends, after which the swarm is taken to hang
soak_pid=

soak_usage() {
    cat <<'END'
usage: ./dev soak MINUTES [--asan | --tsan]

Builds the dev preset (or that sanitizer's) and runs the stress test "swarm" for so long: random mixes of threads, heaps,
options and features, a second or so each. A line every some seconds says how far it is. A run that fails or hangs is
printed whole, with how to repeat it, and the swarm goes on with another seed. The last line is "N runs, N failed".

    ./dev soak 10
    TEST_FEATURES=0x2020 ./dev soak 60 --tsan     see tests/stress/test_swarm.c for what can be set
END
}

soak_end() {
    [[ -n $soak_pid ]] || return 0
    kill -KILL "$soak_pid" 2>/dev/null
    wait "$soak_pid" 2>/dev/null
    soak_pid=
}

# What is in the log of the program that runs now: runs that ended, their cycles, and whether one is under way.
soak_count() { # soak_count LOG
    read -r soak_ended soak_cycles < <(awk '/^    [0-9]+ cycles, /{n++; c += $1} END{print n + 0, c + 0}' "$1")
}

soak_line() { # soak_line BEGAN
    say "...   $(($(date +%s) - $1)) s, $((soak_runs + soak_ended)) runs," \
        "$((soak_cycles_before + soak_cycles)) cycles, $soak_failed failed"
}

# One program, until it ends by itself, fails or hangs. Its exit status; 124: it hung.
soak_program() { # soak_program PROGRAM MINUTES SEED LOG BEGAN
    local status last_ended=-1 last_change now next
    TEST_SEED=$3 TEST_RUNS=1 TEST_MINUTES=$2 "$1" >"$4" 2>&1 </dev/null &
    soak_pid=$!
    last_change=$(date +%s)
    next=$((last_change + SOAK_PROGRESS))
    while kill -0 "$soak_pid" 2>/dev/null; do
        sleep 1 >/dev/null 2>&1
        soak_count "$4"
        now=$(date +%s)
        if ((soak_ended != last_ended)); then
            last_ended=$soak_ended
            last_change=$now
        elif ((now - last_change > SOAK_SILENCE)); then
            printf 'nothing has ended for %d seconds: ended by ./dev soak\n' "$SOAK_SILENCE" >>"$4"
            soak_end
            return 124
        fi
        if ((now >= next)); then
            soak_line "$5"
            next=$((now + SOAK_PROGRESS))
        fi
    done
    wait "$soak_pid" 2>/dev/null
    status=$?
    soak_pid=
    soak_count "$4"
    return "$status"
}

# All from the failing run's first line on.
soak_report() { # soak_report PROGRAM STATUS LOG
    local seed
    seed=$(sed -n 's/^  seed \([0-9]*\):.*/\1/p' "$3" | tail -n 1)
    awk '/^  seed [0-9]+:/{n = 0} {lines[n++] = $0} END{for (i = 0; i < n; i++) print lines[i]}' "$3"
    if [[ -n $seed ]]; then
        say "FAIL  seed $seed  (exit $2); repeat with"
        say "      $(env | grep '^TEST_' | grep -v '^TEST_SEED=' | tr '\n' ' ')TEST_SEED=$seed TEST_RUNS=1 $1"
    else
        say "FAIL  (exit $2) before the first run"
    fi
}

soak_summary() { # soak_summary BEGAN
    soak_line "$1"
    printf '%d runs, %d failed\n' "$((soak_runs + soak_ended))" "$soak_failed"
}

soak() { # soak MINUTES PRESET
    local minutes=$1 preset=$2 program log began end left status
    program=build/$preset/bin/test_stress_swarm
    log=$LOGS/soak-$preset.log
    soak_runs=0 soak_failed=0 soak_cycles_before=0 soak_ended=0 soak_cycles=0
    case $preset in
        asan) export ASAN_OPTIONS="detect_leaks=1:halt_on_error=1:${ASAN_OPTIONS-}" ;;
        tsan) export TSAN_OPTIONS="halt_on_error=1:second_deadlock_stack=1:history_size=4:${TSAN_OPTIONS-}" ;;
    esac
    trap 'soak_end; stop_watcher' EXIT
    began=$(date +%s)
    end=$((began + minutes * 60))
    trap 'soak_end; soak_summary "$began"; exit 130' INT TERM
    while :; do
        left=$((end - $(date +%s)))
        ((left > 0 || soak_runs == 0)) || break
        soak_program "$program" $((left > 0 ? left / 60 : 0)) "${TEST_SEED:-$((SRANDOM))}" "$log" "$began"
        status=$?
        unset TEST_SEED # it was for the first
        if ((status != 0)); then
            soak_failed=$((soak_failed + 1))
            soak_ended=$((soak_ended + 1)) # the one that failed is a run as well
            soak_report "$program" "$status" "$log"
            cp "$log" "$LOGS/soak-$preset-failed-$soak_failed.log"
        fi
        soak_runs=$((soak_runs + soak_ended))
        soak_cycles_before=$((soak_cycles_before + soak_cycles))
        soak_ended=0 soak_cycles=0
    done
    soak_summary "$began"
    ((soak_failed == 0))
}
