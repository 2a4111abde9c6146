#!/usr/bin/env bash
# What docs/embedding.md shows must be what there is. The first line of each of its blocks of C says where it is from:
#
#   // FILE                     the rest occurs in that file as it stands, but for white space
#   // compiles as it stands    against the public header
#
# Also, the names and options that the guide mentions must exist, and each link lead to a file, and where it names a
# heading, to that.
#
#   TEST_SOURCE   the source folder
set -uo pipefail
export LC_ALL=C

source_folder=${TEST_SOURCE:?TEST_SOURCE must name the source folder}
cd "$source_folder" || exit 1
guide=docs/embedding.md
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT
failures=0

fail() {
    echo "FAIL  $1"
    failures=$((failures + 1))
}

# ---- blocks: one file each, and a list "FILE LINE OPENING" ----------------------------------------

awk -v folder="$temporary" '
    /^```/ && !inside { inside = 1; count++; opening = $0; name = folder "/block" count
                        print name, FNR, opening; printf "" > name; next }
    /^```/            { inside = 0; close(name); next }
    inside            { print > name }
    END               { if (inside) print "unended", FNR }' "$guide" >"$temporary/list"

grep -q '^unended' "$temporary/list" && fail "$guide: a block does not end"

check_compiled() { # check_compiled WHERE BLOCK
    {
        echo '#include <shale/shale.h>'
        echo '#include <unistd.h>'
        cat "$2"
    } >"$temporary/block.c"
    "${CC:-cc}" -std=gnu17 -Wall -Wextra -Werror -Wno-unused-function -fsyntax-only -Iinclude \
        "$temporary/block.c" || fail "$1: does not compile"
}

without_space() { tr -d ' \t\n'; }

check_cut() { # check_cut WHERE BLOCK FILE
    local code
    code=$(tail -n +2 "$2" | without_space)
    if [[ ! -f $3 ]]; then
        fail "$1: there is no file $3"
    elif [[ -z $code ]]; then
        fail "$1: the block is empty"
    elif [[ $(without_space <"$3") != *"$code"* ]]; then
        fail "$1: this is not in $3 (any more):"
        tail -n +2 "$2" | sed 's/^/      /'
    fi
}

blocks=0
while read -r block line opening; do
    first=$(head -n 1 "$block")
    if [[ $opening != '```c' || $first != '// '* ]]; then
        fail "$guide:$line: a block must be of C, and begin with a comment that says where it is from"
    elif [[ $first == '// compiles as it stands' ]]; then
        check_compiled "$guide:$line" "$block"
    else
        check_cut "$guide:$line" "$block" "${first#// }"
    fi
    blocks=$((blocks + 1))
done < <(grep -v '^unended' "$temporary/list")
((blocks >= 20)) || fail "only $blocks blocks were found in $guide"

# ---- names ----------------------------------------------------------------------------------------

# Options' names stand in the library's table in lower case.
is_option() { grep -q "{\"$(tr '[:upper:]' '[:lower:]' <<<"${1#SHALE_}")\"," runtime/options.c; }

while read -r name; do
    grep -qw -- "$name" include/shale/*.h || is_option "$name" || fail "$guide: there is no $name"
done < <(grep -oE '\b(shale|SHALE)_[A-Za-z0-9_]*[A-Za-z0-9]' "$guide" | sort -u)

# Names between backquotes that are written like C's are the library's or the examples'.
while read -r name; do
    grep -rqw --include='*.[ch]' -- "$name" include examples || fail "$guide: nothing is named $name"
done < <(tr '\140' '\n' <"$guide" | grep -xE '[a-z]+(_[a-z]+)+' | sort -u)

# ---- links ----------------------------------------------------------------------------------------

anchors() { # the headings of a file as links name them
    sed -n 's/^##* //p' "$1" | tr '[:upper:]' '[:lower:]' | sed 's/[^a-z0-9 _-]//g; s/ /-/g'
}

while read -r link; do
    file=${link%%#*} anchor=
    [[ $link == *'#'* ]] && anchor=${link#*#}
    target=$guide
    [[ -n $file ]] && target=docs/$file
    if [[ ! -e $target ]]; then
        fail "$guide: the link $link leads nowhere"
    elif [[ -n $anchor ]] && ! anchors "$target" | grep -qx -- "$anchor"; then
        fail "$guide: the link $link leads to no heading"
    fi
done < <(grep -oE '\]\([^)]+\)' "$guide" | sed 's/^](//; s/)$//' | sort -u)

((failures == 0)) && echo "ok    $blocks blocks of code, names and links of $guide"
exit $((failures > 0))
