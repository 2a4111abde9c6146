# shellcheck shell=bash
# ./dev model: checks the models in tests/model with spin. Sourced after steps.sh.
#
# A model's head lists variants, "*   NAME  what it leaves out". The model itself must hold; each variant must
# fail, or the model would not notice that mistake in the code either.

# model_holds FILE VARIANT: explores every state; 0 when nothing is wrong, 1 when something is, 2 on trouble
model_holds() {
    local folder=build/model/$2 name=$PWD/$1
    mkdir -p "$folder" || return 2
    (cd "$folder" && rm -f ./*.trail && spin "-D$2" -a "$name" &&
        gcc -w -O2 -DSAFETY -DCOLLAPSE -DMEMLIM=4000 -o pan pan.c &&
        ./pan -m1000000 >pan.out) >"$folder.log" 2>&1 || return 2
    if grep -q 'errors: 0' "$folder/pan.out" && ! grep -q 'error: max search depth too small' "$folder/pan.out"; then
        return 0
    fi
    grep -q 'errors: [1-9]' "$folder/pan.out" && return 1
    return 2
}

model_passes() { # the model as it is
    model_holds "$1" CODE || {
        cat build/model/CODE.log build/model/CODE/pan.out 2>/dev/null
        printf 'spin found a way in which %s goes wrong; replay: cd build/model/CODE && spin -t -p %s\n' "$1" "$PWD/$1"
        return 1
    }
}

model_variant_fails() {
    model_holds "$1" "$2"
    (($? == 1)) || {
        cat "build/model/$2.log"
        printf '%s without what %s leaves out should go wrong, and does not\n' "$1" "$2"
        return 1
    }
}

run_models() {
    local model variant
    for model in tests/model/*.pml; do
        step "model ${model##*/}" model_passes "$model"
        while read -r variant; do
            step "model ${model##*/}, $variant must fail" model_variant_fails "$model" "$variant"
        done < <(sed -n '/\*\//q; s/^ \*   \([A-Z_]*\)  .*/\1/p' "$model")
    done
}
