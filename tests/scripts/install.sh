#!/usr/bin/env bash
# The library is installed into an empty folder, which is then moved elsewhere, and programs are built against what
# is there, and nothing else: the smallest embedding, by pkg-config and by CMake, with the shared library and the static
# one; and the program that the README begins with.
#
#   TEST_BIN      folder of the built programs
#   TEST_SOURCE   the source folder
set -uo pipefail
export LC_ALL=C

build=$(dirname "${TEST_BIN:?TEST_BIN must name the folder of the built programs}")
source_folder=${TEST_SOURCE:?TEST_SOURCE must name the source folder}
cached() { sed -n "s/^$1:[^=]*=//p" "$build/CMakeCache.txt"; }

skip() {
    echo "skipped: $1"
    exit 77
}
[[ -e $build/libshale.a && -e $build/libshale.so ]] || skip "the library is not built in $build"
[[ -z $(cached SHALE_SANITIZE) ]] || skip "programs would have to be built with the library's sanitizer"
command -v pkg-config >/dev/null || skip "pkg-config is not installed"
compiler=$(cached CMAKE_C_COMPILER)

temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
failures=0

check() { # check NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$temporary/output" 2>&1; then
        echo "ok    $name"
    else
        echo "FAIL  $name"
        tail -n 30 "$temporary/output" | sed 's/^/      /'
        failures=$((failures + 1))
    fi
}

check "install" cmake --install "$build" --prefix "$temporary/first"
prefix=$temporary/moved
mv "$temporary/first" "$prefix" || exit 1
libraries=$(dirname "$(find "$prefix" -name libshale.a)")

check "manual page" test -s "$prefix/share/man/man3/shale.3"

# ---- pkg-config ---------------------------------------------------------------------------------

export PKG_CONFIG_PATH=$libraries/pkgconfig
pkg() { pkg-config "$@" shale; }
compile=("$compiler" -std=gnu17 -Wall -Wextra -Werror)
run=(env LD_LIBRARY_PATH="$libraries")

check "pkg-config knows it" pkg --exists
check "version" test "$(pkg --modversion)" = "$(sed -n 's/^project(Shale VERSION \([0-9.]*\).*/\1/p' "$source_folder/CMakeLists.txt")"
read -ra flags < <(pkg --cflags --libs)
minimal=$source_folder/examples/minimal/minimal.c
check "compile, shared" "${compile[@]}" "$minimal" -o "$temporary/shared" "${flags[@]}"
check "run, shared" "${run[@]}" "$temporary/shared"
read -ra flags < <(pkg --cflags)
check "compile, static" "${compile[@]}" "$minimal" -o "$temporary/static" "${flags[@]}" "$libraries/libshale.a" -pthread
check "run, static" env -u LD_LIBRARY_PATH "$temporary/static"

# The first block of C of the README.
awk '/^```c$/ { inside = 1; next } /^```/ && inside { exit } inside' "$source_folder/README.md" >"$temporary/readme.c"
read -ra flags < <(pkg --cflags --libs)
check "compile the README's program" "${compile[@]}" "$temporary/readme.c" -o "$temporary/readme" "${flags[@]}"
check "run the README's program" "${run[@]}" "$temporary/readme"

# ---- CMake --------------------------------------------------------------------------------------

mkdir "$temporary/project"
cat >"$temporary/project/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.22)
project(Embedding C)
find_package(Shale 0.1 REQUIRED)
foreach(library shale shale_static)
  add_executable(with_\${library} $minimal)
  target_link_libraries(with_\${library} PRIVATE shale::\${library})
endforeach()
END
check "configure with find_package" cmake -S "$temporary/project" -B "$temporary/project/build" \
    -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_COMPILER="$compiler" -DCMAKE_BUILD_TYPE=Release
check "build with CMake" cmake --build "$temporary/project/build"
for library in shale shale_static; do
    check "run, shale::$library" env -u LD_LIBRARY_PATH "$temporary/project/build/with_$library"
done

exit $((failures > 0))
