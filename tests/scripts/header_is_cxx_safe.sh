#!/usr/bin/env bash
# The public headers compile in C++17, and as strict C17 with nothing included or defined before them.
set -euo pipefail
cd "${TEST_SOURCE:-$(dirname "$0")/../..}"

warnings=(-fsyntax-only -Wall -Wextra -Werror -Iinclude)
compilers=0

for compiler in "${CXX:-c++}" clang++; do
    command -v "$compiler" >/dev/null || continue
    echo "$compiler -std=c++17"
    "$compiler" -std=c++17 "${warnings[@]}" tests/cxx/header_is_cxx_safe.cc
    compilers=$((compilers + 1))
done

for compiler in "${CC:-cc}" gcc clang; do
    command -v "$compiler" >/dev/null || continue
    echo "$compiler -std=c17 -pedantic"
    echo '#include <shale/shale.h>' | "$compiler" -std=c17 -pedantic "${warnings[@]}" -x c -
    compilers=$((compilers + 1))
done

if ((compilers < 2)); then
    echo "no C++ or no C compiler found" >&2
    exit 1
fi
