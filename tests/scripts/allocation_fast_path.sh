#!/usr/bin/env bash
# The inline fast path of shale_allocate has at most 12 instructions: counted in the disassembly of a function
# that does nothing else, from its first instruction to the return, following what is executed when the object
# fits.
#
#   --show   print the disassembly too
#
# One line per compiler: "COMPILER: N instructions". Exit status: 0, 1 above the limit, 77 without tools.
set -uo pipefail
cd "${TEST_SOURCE:-$(dirname "${BASH_SOURCE[0]}")/../..}" || exit 1

limit=12
show=${1-}
work=$(mktemp -d "${TMPDIR:-/tmp}/allocation.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT

command -v objdump >/dev/null || {
    echo "skipped: there is no objdump"
    exit 77
}

cat >"$work/allocate.c" <<'END'
#include <shale/shale.h>

void *allocate(shale_mutator *mutator, const shale_type *type);

void *allocate(shale_mutator *mutator, const shale_type *type)
{
    return shale_allocate(mutator, type);
}
END

# Walks the instructions in order: conditional branches are not taken, since the slow path is the one that is
# branched to; an unconditional branch within the function is followed. Anything else that leaves it is not the
# fast path.
count_fast_path() {
    awk '
        function leave(message) { print message; exit 1 }
        /R_[A-Z0-9_]*[ \t].*shale_allocate_slow/ { slow[count - 1] = 1; next }
        /^ *[0-9a-f]+:\t/ {
            split($0, field, "\t")
            gsub(/[ :]/, "", field[1])
            place[field[1]] = count
            text[count++] = field[2]
        }
        END {
            at = 0
            for (executed = 1; executed <= 1000; executed++) {
                if (!(at in text)) leave("the function has no end")
                if (at in slow) leave("the slow path is the one that is not branched to")
                split(text[at], word, " ")
                name = word[1]
                if (name ~ /^(ret|retq|repz)$/) { print executed; exit 0 }
                if (name ~ /^(call|callq|bl|blr|br)$/) leave("calls: " text[at])
                if (name ~ /^(jmp|jmpq|b)$/) {
                    if (!(word[2] in place)) leave("leaves: " text[at])
                    at = place[word[2]]
                } else {
                    at++
                }
            }
            leave("the function loops")
        }'
}

tried=0
status=0
for compiler in "${CC:-gcc}" clang; do
    command -v "$compiler" >/dev/null || continue
    "$compiler" -std=c17 -O2 -Wall -Wextra -Werror -Iinclude -c "$work/allocate.c" \
        -o "$work/allocate.o" || exit 1
    objdump -dr --no-show-raw-insn "$work/allocate.o" >"$work/disassembly" || exit 1
    [[ $show != --show ]] || sed -n '/<allocate>:/,$p' "$work/disassembly"
    if count=$(count_fast_path <"$work/disassembly"); then
        echo "$compiler: $count instructions"
        ((count <= limit)) || status=1
    else
        echo "$compiler: no fast path found: $count"
        status=1
    fi
    tried=$((tried + 1))
done
((tried > 0)) || {
    echo "skipped: there is no compiler"
    exit 77
}
exit "$status"
