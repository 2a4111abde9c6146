# shellcheck shell=bash
# What is said, and with which exit status, about the command line and about files that cannot be read. Sourced by run.sh,
# whose variables these are: work, seconds, program, environment, passed, failed.
# shellcheck disable=SC2154

command_line_case() { # command_line_case WHAT STATUS PATTERN ARGUMENTS...: the pattern is for standard error
    local what=$1 wanted_status=$2 pattern=$3 status out=$work/found/out err=$work/found/err
    shift 3
    env "${environment[@]}" timeout "$seconds" "${program[@]}" "$@" >"$out" 2>"$err" </dev/null
    status=$?
    if ((status == wanted_status)) && [[ $(<"$err") =~ $pattern ]]; then
        passed=$((passed + 1))
        return
    fi
    failed=$((failed + 1))
    printf 'FAIL  command_line: %s\n    exit status %d is expected, %d was found\n' "$what" "$wanted_status" "$status"
    printf '    standard error should match %s; it is\n' "$pattern"
    sed 's/^/    | /' "$err"
}

check_command_line() {
    local folder=$work/command_line
    mkdir -p "$folder"
    printf 'print "read";' >"$folder/good.lox"
    printf 'print ;' >"$folder/wrong.lox"
    command_line_case "a script" 0 '^$' "$folder/good.lox"
    [[ $(<"$work/found/out") == read ]] || {
        failed=$((failed + 1))
        echo "FAIL  command_line: a script's output is \"$(<"$work/found/out")\""
    }
    command_line_case "a file that is not there" 74 '^Could not open file ".*missing\.lox"\.$' "$folder/missing.lox"
    command_line_case "a folder" 74 '^Could not read file ".*command_line"\.$' "$folder"
    if ((EUID != 0)); then
        cp "$folder/good.lox" "$folder/forbidden.lox"
        chmod 0 "$folder/forbidden.lox"
        command_line_case "a file that may not be read" 74 '^Could not open file ".*forbidden\.lox"\.$' "$folder/forbidden.lox"
    fi
    command_line_case "an error in a script" 65 "^\[line 1\] Error at ';': Expect expression\.$" "$folder/wrong.lox"
    command_line_case "two scripts" 64 '[Uu]sage' "$folder/good.lox" "$folder/good.lox"
    command_line_case "an unknown option" 64 '[Uu]sage|option' --frobnicate "$folder/good.lox"
    command_line_case "help" 0 '^$' --help
    grep -qi usage "$work/found/out" || {
        failed=$((failed + 1))
        echo "FAIL  command_line: --help does not print the usage"
    }
}
