#!/usr/bin/env bash
# The manual pages: shale(3) has each function that it names, and each option with its default; shale-lox(1) has the
# options of the program. Where there is mandoc, it finds nothing wrong in them.
#
#   TEST_BIN      folder of the built programs
#   TEST_SOURCE   the source folder
set -uo pipefail
export LC_ALL=C

bin=${TEST_BIN:?TEST_BIN must name the folder of the built programs}
cd "${TEST_SOURCE:?TEST_SOURCE must name the source folder}" || exit 1
program=$bin/shale-lox
library_page=docs/man/shale.3
program_page=docs/man/shale-lox.1
failures=0

fail() {
    echo "FAIL  $1"
    failures=$((failures + 1))
}

while read -r name; do
    grep -qw -- "$name" include/shale/*.h || fail "$library_page: there is no $name"
done < <(grep -oE 'shale_[a-z_]+' "$library_page" | sort -u)

[[ -x $program ]] || {
    echo "skipped: $program is not built"
    exit 77
}

# "  SHALE_HEAP   what it does (DEFAULT)", at the end of the program's help.
options=0
while read -r name rest; do
    default=${rest##*\(}
    default=${default%\)}
    options=$((options + 1))
    description=$(sed -n "/^\.It Ev $name\$/,/^\.\(It\|El\)/p" "$library_page" | tail -n +2)
    if [[ -z $description ]]; then
        fail "$library_page: $name is not described"
    elif [[ $name != SHALE_LOG ]] && ! grep -qw -- "$default" <<<"$description"; then
        fail "$library_page: the default of $name, $default, is not there"
    fi
done < <("$program" --help | grep -E '^  SHALE_')
((options >= 10)) || fail "only $options options were found in the program's help"
documented=$(grep -c '^\.It Ev SHALE_' "$library_page")
((documented == options)) || fail "$library_page describes $documented options, there are $options"

names() { sort -u | tr '\n' ' '; }
has=$("$program" --help | sed -n '/^usage/,/^Exit code/s/^ .*--\([a-z-]*\).*/\1/p' | names)
described=$(sed -n 's/^\.It Fl \(h , \)\{0,1\}-\([a-z-]*\).*/\2/p' "$program_page" | names)
[[ $has == "$described" ]] || fail "$program_page describes the options $described; there are $has"

if command -v mandoc >/dev/null; then
    mandoc -Tlint -Wwarning "$library_page" "$program_page" || fail "mandoc finds fault"
else
    echo "mandoc is not installed: the pages' form was not checked"
fi

((failures == 0)) && echo "ok    manual pages"
exit $((failures > 0))
