#!/usr/bin/env bash
# The example plainc: what it prints and saves, its messages, and that it does the same over Shale, with everything checked and
# moved, as over malloc.
#
#   TEST_BIN      folder of the built programs
set -uo pipefail
export LC_ALL=C

bin=${TEST_BIN:?TEST_BIN must name the folder of the built programs}
unset "${!SHALE_@}"
[[ -x $bin/plainc && -x $bin/plainc_malloc ]] || {
    echo "skipped: plainc is not built"
    exit 77
}
work=$(mktemp -d "${TMPDIR:-/tmp}/plainc.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

check() { # check NAME EXPECTED FOUND
    if [[ $2 == "$3" ]]; then
        echo "ok    $1"
    else
        failures=$((failures + 1))
        printf 'FAIL  %s\n--- expected\n%s\n--- found\n%s\n' "$1" "$2" "$3"
    fi
}

# A kernel that cannot tell which pages were written: then that must be what it says.
echo null >probe.json
if ! why=$("$bin/plainc" probe.json get . 2>&1) && [[ $why == *"without a write barrier is not possible"* ]]; then
    echo "skipped: $why"
    exit 77
fi

fresh() {
    printf '{"name": "x", "list": [1, 2.50, -3e+7, "four"], "in": {"a.b": {"deep": true}}, "none": null}\n' >file.json
}

edit() { # edit ARGUMENTS...: of one command, with the file as it was
    fresh
    "$bin/$program" file.json "$@" 2>&1
}

all_checks() {
    check "$program: get a member" '"x"' "$(edit get name)"
    check "$program: numbers are kept as they were written" '2.50' "$(edit get 'list[1]')"
    check "$program: a name in quotes" 'true' "$(edit get 'in."a.b".deep')"
    check "$program: count" '4' "$(edit count list)"
    check "$program: names" $'"name"\n"list"\n"in"\n"none"' "$(edit names .)"
    check "$program: set" '[1,2]' "$(edit set name '[1,2]'; "$bin/$program" file.json get name | tr -d ' \n')"
    check "$program: set adds a member" '{"z":1}' "$(edit set new '{"z":1}'; "$bin/$program" file.json get new | tr -d ' \n')"
    check "$program: append" '5' "$(edit append list 5; "$bin/$program" file.json get 'list[4]')"
    check "$program: delete an element" '"four"' "$(edit delete 'list[2]'; "$bin/$program" file.json get 'list[2]')"
    check "$program: delete the last" '[1,2.50,-3e+7]' "$(edit delete 'list[3]'; "$bin/$program" file.json get list | tr -d ' \n')"
    check "$program: append after that" '[1,2.50,-3e+7,9]' "$("$bin/$program" file.json append list 9; "$bin/$program" file.json get list | tr -d ' \n')"
    check "$program: set the document" '7' "$(edit set . 7; "$bin/$program" file.json get .)"
    check "$program: a new file" '[]' "$(rm -f new.json; "$bin/$program" new.json set . '[]'; "$bin/$program" new.json get .)"
    check "$program: escapes" $'"\\"\\\\\\n\\u0001\xc3\xa9\xf0\x9f\x98\x80/"' \
        "$(edit set name '"\"\\\n\u0001\u00e9\ud83d\ude00\/"'; "$bin/$program" file.json get name)"

    check "$program: no such member" 'plainc: there is no "nobody"' "$(edit get nobody)"
    check "$program: no such member on the way" 'plainc: there is no "in.x"' "$(edit get in.x.y)"
    check "$program: no such element" 'plainc: "list" has no element 4' "$(edit get 'list[4]')"
    check "$program: not an object" 'plainc: "name" is a string, not an object' "$(edit set name.x 1)"
    check "$program: not an array" 'plainc: "in" is an object, not an array' "$(edit append in 1)"
    check "$program: no index" 'plainc: the path is wrong after "list": an index is a number in brackets' "$(edit get 'list[x]')"
    check "$program: no JSON" 'plainc: the value is no JSON: line 1, column 4: a comma or ] is missing' "$(edit set name '[1 2]')"
    check "$program: no command" 'plainc: "frob" is no command; "help" lists them' "$(edit frob)"
    check "$program: no value" 'plainc: set takes a path and a value; "help" says more' "$(edit set name)"
    check "$program: exit status" 1 "$(edit get nobody >/dev/null; echo $?)"
    local text
    for text in '' '{' '[1,]' '{"a" 1}' '{"a":1,}' '01' '1.' '-' '+1' '.5' '1e' 'nul' 'True' '"\x"' '"\ud800"' '"\udc00"' \
        $'"\t"' '"abc' $'"\xff"' $'"\xc0\x80"' $'"\xed\xa0\x80"' '[1] 2' "'a'" '{1:2}' '[1 //x
]'; do
        printf '%s' "$text" >wrong.json
        check "$program: refused: ${text//[^ -~]/?}" 1 "$("$bin/$program" wrong.json get . >/dev/null 2>error; echo $?)"
    done
    printf '%0.s[' {1..600} >deep.json
    check "$program: too deep" 'plainc: deep.json: line 1, column 513: more than 512 values are in each other' \
        "$("$bin/$program" deep.json get . 2>&1)"
    check "$program: a folder" 'plainc: .: Is a directory' "$("$bin/$program" . get . 2>&1)"
}

for program in plainc_malloc plainc; do
    all_checks
done

# Much garbage: thousands of edits of one document.
edits() {
    awk 'BEGIN {
        print "set . {\"table\": {}, \"list\": []}"
        for (i = 0; i < 20000; i++) {
            printf "set table.k%d {\"number\": %d, \"text\": \"%0200d\", \"list\": [1, [2, [3, %d]]]}\n", i % 300, i, i, i
            if (i % 7 == 0) printf "append list {\"i\": %d}\n", i
            if (i % 11 == 0) print "delete list[0]"
        }
        print "save"
        print "count list"
    }'
}
edits >edits.txt
run_edits() { # run_edits PROGRAM FILE
    timeout 250 "$bin/$1" --memory "$2" <edits.txt 2>memory.txt
}
check "many edits" "$(run_edits plainc_malloc malloc.json)" "$(run_edits plainc shale.json)"
cmp malloc.json shale.json && echo "ok    many edits: the same file" || failures=$((failures + 1))
cat memory.txt
grep -q '[1-9][0-9]* cycles' memory.txt || { echo "FAIL  nothing was collected"; failures=$((failures + 1)); }

SHALE_VERIFY=1 SHALE_STRESS=5 SHALE_EVACUATE=100 run_edits plainc checked.json >/dev/null || failures=$((failures + 1))
cmp malloc.json checked.json && echo "ok    many edits, all checked: the same file" || failures=$((failures + 1))

echo "$failures failed"
((failures == 0))
