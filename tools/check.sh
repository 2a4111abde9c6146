# shellcheck shell=bash
# The static checks of ./dev check. Sourced after steps.sh; each function is one step.

list_sources() { # list_sources FOLDER... -- PATTERN...: names, separated by NUL
    local folders=() patterns=()
    while [[ $1 != -- ]]; do
        [[ ! -d $1 ]] || folders+=("$1")
        shift
    done
    shift
    patterns=(-name "$1")
    shift
    for pattern in "$@"; do
        patterns+=(-o -name "$pattern")
    done
    ((${#folders[@]} == 0)) || find "${folders[@]}" -type f \( "${patterns[@]}" \) -print0 | sort -z
}

check_format() {
    list_sources heap gc runtime include tests bench examples -- '*.c' '*.h' '*.cc' |
        xargs -0 -r clang-format --dry-run -Werror
}

apply_format() {
    list_sources heap gc runtime include tests bench examples -- '*.c' '*.h' '*.cc' |
        xargs -0 -r clang-format -i
}

check_tidy() {
    # The build uses gcc, some of whose warnings clang does not know.
    list_sources heap gc runtime -- '*.c' |
        xargs -0 -r -n 1 -P "$(nproc)" \
            clang-tidy -p build/dev --quiet --extra-arg=-Wno-unknown-warning-option
}

check_cppcheck() {
    # Library and examples; whoever compiles the tests has the compiler's and clang-tidy's word already.
    cppcheck --quiet --error-exitcode=1 --std=c11 --language=c -j "$(nproc)" \
        --enable=warning,performance,portability --inline-suppr \
        --suppress=missingIncludeSystem --suppress=unmatchedSuppression \
        -D__linux__ -D__GNUC__=12 -D_GNU_SOURCE -DSHALE_DEBUG=1 -DSHALE_HAVE_VALGRIND=0 \
        -I . -I include heap gc runtime examples
}

check_shell() {
    local scripts=(dev .ci/run tools/*.sh) script
    for script in tests/scripts/*.sh tests/lox/*.sh; do
        [[ ! -e $script ]] || scripts+=("$script")
    done
    shellcheck --exclude=SC1091 "${scripts[@]}"
}

run_checks() {
    step "clang-format" check_format
    step "clang-tidy" check_tidy
    step "cppcheck" check_cppcheck
    step "layers" tools/check_layers.py
    step "layers: self-test of the checker" tools/check_layers.py --self-test
    if command -v shellcheck >/dev/null; then
        step "shellcheck" check_shell
    else
        say "skip  shellcheck is not installed"
    fi
}
