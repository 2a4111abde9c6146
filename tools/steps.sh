# shellcheck shell=bash
# Steps for ./dev: run something quietly, one line each, and everything it said when it fails.
# Sourced from the repository's root.

LOGS=build/logs
STEPS_PASSED=0
STEPS_FAILED=0
watcher=

say() { printf '%s\n' "$*"; }

die() {
    printf 'dev: %s\n' "$*" >&2
    exit 1
}

# microseconds; an assignment and no subshell, so that timing costs nothing
now() { printf -v "$1" '%s' "${EPOCHREALTIME//[!0-9]/}"; }

seconds_since() {
    local end
    now end
    printf '%d.%ds' $(((end - $1) / 1000000)) $(((end - $1) / 100000 % 10))
}

stop_watcher() {
    [[ -n $watcher ]] || return 0
    kill "$watcher" 2>/dev/null
    wait "$watcher" 2>/dev/null
    watcher=
    [[ ! -t 1 ]] || printf '\r\033[K'
}
trap stop_watcher EXIT

# On a terminal one line that is rewritten: label, seconds, the last line of the log. Elsewhere a line every half
# minute, so that whoever reads along sees life. The sleeps hold no pipe open after the script has ended.
watch_step() {
    local label=$1 log=$2 start=$3 last columns
    if [[ ! -t 1 ]]; then
        while sleep 30 >/dev/null 2>&1; do
            printf '...   %-36s %s\n' "$label" "$(seconds_since "$start")"
        done
    fi
    sleep 1 >/dev/null 2>&1
    columns=$(tput cols 2>/dev/null) || columns=80
    while :; do
        last=$(tail -n 1 "$log" 2>/dev/null | tr -d '\000-\037')
        last="...   $(printf '%-36s %6s' "$label" "$(seconds_since "$start")")  $last"
        printf '\r\033[K%s' "${last:0:columns - 1}"
        sleep 0.25 >/dev/null 2>&1
    done
}

# step LABEL COMMAND...: the command's exit status
step() {
    local label=$1 log start status
    shift
    mkdir -p "$LOGS"
    log=$LOGS/${label//[^a-zA-Z0-9]/-}.log
    : >"$log"
    now start
    watch_step "$label" "$log" "$start" &
    watcher=$!
    "$@" >"$log" 2>&1 </dev/null
    status=$?
    stop_watcher
    if ((status == 0)); then
        STEPS_PASSED=$((STEPS_PASSED + 1))
        printf 'ok    %-36s %s\n' "$label" "$(seconds_since "$start")"
    else
        STEPS_FAILED=$((STEPS_FAILED + 1))
        cat "$log"
        printf 'FAIL  %-36s %s  (exit %d)\n' "$label" "$(seconds_since "$start")" "$status"
    fi
    return "$status"
}

# The last line of every command that tests: plain, and alone on its line.
closing_line() { printf '%d passed, %d failed\n' "$1" "$2"; }
