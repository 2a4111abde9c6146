# shellcheck shell=bash
# What ./dev needs from the distribution, Debian 12 or Ubuntu 22.04 and later. Sourced after steps.sh.

# libc6-dbg: Valgrind cannot start on a stripped dynamic loader without it.
PACKAGES=(gcc g++ cmake ninja-build pkg-config libatomic-ops-dev libbenchmark-dev libcmocka-dev
    valgrind libc6-dbg)
# What some tests go through. Without it they are skipped.
TEST_PACKAGES=(liburing-dev)
# Lines that are typed into shale-lox can be edited with it.
EXAMPLE_PACKAGES=(libedit-dev)
# What benchmarks compare with. Without them everything is built but those comparisons.
BENCH_PACKAGES=(libgc-dev libmimalloc-dev)
CHECK_PACKAGES=(clang-format clang-tidy cppcheck python3)
MODEL_PACKAGES=(gcc spin)

installed() {
    [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]] && return 0
    # A tool that was installed in another way will do as well; a library's package has no program.
    case $1 in
        ninja-build) command -v ninja >/dev/null ;;
        lib*) return 1 ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

# Puts the packages that are not installed into the caller's array `missing`.
find_missing() { # find_missing PACKAGE...
    local package
    for package in "$@"; do
        installed "$package" || missing+=("$package")
    done
}

install_packages() {
    "$@" env DEBIAN_FRONTEND=noninteractive apt-get update -q &&
        "$@" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -q --no-install-recommends "${missing[@]}"
}

need_for() { # need_for build|test|bench|check|model
    case $1 in
        build) need "${PACKAGES[@]}" && want "${EXAMPLE_PACKAGES[@]}" ;;
        test) want "${TEST_PACKAGES[@]}" ;;
        bench)
            need python3
            want "${BENCH_PACKAGES[@]}"
            ;;
        check) need "${CHECK_PACKAGES[@]}" ;;
        model) need "${MODEL_PACKAGES[@]}" ;;
    esac
}

# need PACKAGE...: installs what is missing, or says how to and ends
need() {
    local missing=() as_root=()
    if ! command -v dpkg-query >/dev/null; then
        say "dev: this is not Debian or Ubuntu; make sure that there is: $*"
        return
    fi
    find_missing "$@"
    ((${#missing[@]} > 0)) || return 0
    if ((EUID != 0)); then
        if ! sudo -n true 2>/dev/null; then
            say "dev: some packages are missing. Install them, then run this again:" >&2
            say "    sudo apt-get install -y ${missing[*]}" >&2
            exit 1
        fi
        as_root=(sudo -n)
    fi
    say "installing: ${missing[*]}"
    if ! step "install packages" install_packages "${as_root[@]}"; then
        say "dev: installing failed; the line to run by hand:" >&2
        say "    sudo apt-get install -y ${missing[*]}" >&2
        exit 1
    fi
}

# want PACKAGE...: as need, but goes on without them, and has what was configured without them configured again
want() {
    local missing=()
    command -v dpkg-query >/dev/null || return 0
    find_missing "$@"
    ((${#missing[@]} > 0)) || return 0
    if (need "${missing[@]}"); then
        rm -f build/*/configured
    else
        say "dev: going on without ${missing[*]}"
    fi
}
