#!/usr/bin/env bash
# Runs the Lox scripts of this folder and compares what they do with what their comments say. README.md has the notation.
set -uo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd) || exit 1
. "$here/generate.sh"
. "$here/command_line.sh"

usage() {
    cat <<'END_OF_USAGE'
usage: tests/lox/run.sh [OPTIONS] [FILTER...]

Runs the Lox scripts of tests/lox, and those that it generates, and prints in full what differs from what their
comments expect. A FILTER is a part of a script's name, such as "closures" or "limits/constants"; without any all are run.
The last line is "N passed, N failed".

    --program PROGRAM       what runs a script, as one word or several; default: shale-lox in $TEST_BIN, or in the newest
                            of build/*/bin
    --with 'NAME=VALUE...'  with these environment variables; given again, all scripts are run again with the others.
                            Without it no SHALE_ variable is set but SHALE_HEAP, which is 64M unless given
    --except FILTER         not those; may be given several times
    --every N               only each N-th script, for slow settings; each 4 N-th with TEST_SCALE=quick in the environment
    --first N               with --every: begins with the N-th, counted from 0
    --timeout SECONDS       for one script, default 60
    --list                  prints the names of the scripts and runs none
    --keep                  does not remove the folder with the generated scripts and what was printed
    --help                  this text

    tests/lox/run.sh --with 'SHALE_STRESS=1 SHALE_VERIFY=1' --with SHALE_FAULTS=signal classes
    tests/lox/run.sh --program 'python3 tests/lox/reference/lox.py'
END_OF_USAGE
}

die() {
    printf 'run.sh: %s\n' "$*" >&2
    exit 64
}

program=() settings=() filters=() excepted=() every=1 first=0 seconds=60 keep=false list=false
while (($# > 0)); do
    case $1 in
        --program | --with | --except | --every | --first | --timeout) (($# > 1)) || die "$1 wants a value; --help says more" ;;&
        --program) read -ra program <<<"$2"; shift ;;
        --with) settings+=("$2"); shift ;;
        --except) excepted+=("$2"); shift ;;
        --every) every=$2; shift ;;
        --first) first=$2; shift ;;
        --timeout) seconds=$2; shift ;;
        --keep) keep=true ;;
        --list) list=true ;;
        -h | --help) usage; exit 0 ;;
        -*) die "\"$1\" is not an option; --help lists them" ;;
        *) filters+=("$1") ;;
    esac
    shift
done
[[ $every =~ ^[1-9][0-9]*$ && $seconds =~ ^[1-9][0-9]*$ ]] || die "--every and --timeout want a number above 0"
[[ $first =~ ^[0-9]+$ ]] || die "--first wants a number"
((${#settings[@]} > 0)) || settings=("")
[[ ${TEST_SCALE-} != quick || $every == 1 ]] || every=$((every * 4))

if ((${#program[@]} == 0)); then
    if [[ -n ${TEST_BIN-} ]]; then
        program=("$TEST_BIN/shale-lox")
    else
        for candidate in "$here"/../../build/*/bin/shale-lox; do
            [[ -x $candidate ]] || continue
            [[ ${#program[@]} == 0 || $candidate -nt ${program[0]} ]] && program=("$candidate")
        done
    fi
    if [[ ! -x ${program[0]-} ]]; then
        echo "skipped: ${program[0]:-shale-lox} is not built"
        exit 77
    fi
fi
unset "${!SHALE_@}"

work=$(mktemp -d "${TMPDIR:-/tmp}/lox.XXXXXX") || exit 1
if "$keep"; then
    echo "everything is kept in $work"
else
    trap 'rm -rf "$work"' EXIT
fi

# ---- what there is to run ------------------------------------------------------------------------

wanted() { # wanted NAME
    local filter
    for filter in "${excepted[@]}"; do
        [[ $1 != *"$filter"* ]] || return 1
    done
    ((${#filters[@]} > 0)) || return 0
    for filter in "${filters[@]}"; do
        [[ $1 != *"$filter"* ]] || return 0
    done
    return 1
}

collect_scripts() { # fills names and the associative array `file_of`
    local file name
    mkdir -p "$work/generated" "$work/found"
    generate_scripts "$work/generated"
    for file in "$here"/*/*.lox "$work"/generated/*/*.lox; do
        name=${file#"$here/"}
        name=${name#"$work/generated/"}
        name=${name%.lox}
        wanted "$name" || continue
        names+=("$name")
        file_of[$name]=$file
    done
}

read_expectations() {
    local name described=()
    for name in "${names[@]}"; do
        mkdir -p "$work/expected/${name%/*}"
        [[ -e ${file_of[$name]}.expect ]] && described+=("${file_of[$name]}.expect") || described+=("${file_of[$name]}")
    done
    ((${#described[@]} == 0)) ||
        awk -v work="$work" -v roots="$here:$work/generated" -f "$here/expectations.awk" "${described[@]}"
}

# ---- running one ---------------------------------------------------------------------------------

# A line of the expected output that begins with \001 is a regular expression for the whole line found. If the first begins
# with \002 it is one for each line found.
same_output() { # same_output EXPECTED_FILE FOUND_FILE
    local expected found i
    cmp -s "$1" "$2" && return 0
    grep -q $'^[\001\002]' "$1" || return 1
    mapfile -t expected <"$1"
    if [[ ${expected[0]} == $'\002'* ]]; then
        [[ -s $2 ]] && ! grep -qvaxE -e "${expected[0]#?}" "$2"
        return
    fi
    mapfile -t found <"$2"
    ((${#expected[@]} == ${#found[@]})) || return 1
    for i in "${!expected[@]}"; do
        if [[ ${expected[i]} == $'\001'* ]]; then
            [[ ${found[i]} =~ ^(${expected[i]#?})$ ]] || return 1
        else
            [[ ${found[i]} == "${expected[i]}" ]] || return 1
        fi
    done
}

differences() { # differences TITLE EXPECTED_FILE FOUND_FILE
    same_output "$2" "$3" && return
    echo "    $1: - is expected, + was found"
    diff -a -U 3 "$2" "$3" | tail -n +3 | tr '\001\002' '~~' | head -n 200 | cut -c 1-400 | sed 's/^/    | /'
}

run_script() { # run_script NAME; the settings are in the array `environment`
    local name=$1 base=$work/expected/$1 out=$work/found/out err=$work/found/err status wanted_status own_environment
    read -r wanted_status own_environment <"$base.exit"
    # shellcheck disable=SC2086 # words, each an assignment
    env "${environment[@]}" $own_environment timeout "$seconds" "${program[@]}" "${file_of[$name]}" >"$out" 2>"$err" </dev/null
    status=$?
    if ((status == wanted_status)) && same_output "$base.out" "$out" && same_output "$base.err" "$err"; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    echo "FAIL  $name${settings_shown:+  ($settings_shown)}"
    ((status == wanted_status)) || echo "    exit status: $wanted_status is expected, $status was found$(
        ((status != 124)) || echo ": it took longer than $seconds s")"
    differences "standard output" "$base.out" "$out"
    differences "standard error" "$base.err" "$err"
    echo "    repeat: $settings_shown $own_environment ${program[*]} ${file_of[$name]}"
}

# ---- all -----------------------------------------------------------------------------------------

declare -A file_of=()
names=() passed=0 failed=0
collect_scripts
if "$list"; then
    printf '%s\n' "${names[@]}"
    exit 0
fi
read_expectations
for settings_shown in "${settings[@]}"; do
    read -ra environment <<<"SHALE_HEAP=64M $settings_shown"
    began=$SECONDS
    last_shown=$SECONDS
    for ((index = first; index < ${#names[@]}; index += every)); do
        run_script "${names[index]}"
        if ((SECONDS - last_shown >= 2)); then
            last_shown=$SECONDS
            echo "...   $index of ${#names[@]} scripts"
        fi
    done
    wanted command_line && check_command_line
    echo "${settings_shown:-no settings}: $((SECONDS - began)) s"
done
if ((passed + failed == 0)); then
    echo "no script's name contains ${filters[*]}"
    exit 1
fi
printf '%d passed, %d failed\n' "$passed" "$failed"
((failed == 0))
