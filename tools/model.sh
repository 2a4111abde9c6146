# shellcheck shell=bash
# ./dev model: checks the models in tests/model with spin. Sourced after steps.sh.
#
# A model's head lists variants, "*   NAME  what it leaves out". The model itself must hold; each variant must
# fail, or the model would not notice that mistake in the code either. All are explored first, as many at a time as there
# are processors, then judged one by one.

model_folder() { # model_folder FILE VARIANT
    local name=${1##*/}
    printf 'build/model/%s-%s' "${name%.pml}" "$2"
}

# What there is to explore: FILE VARIANT, a line each; CODE is the model as it is, and comes first.
model_list() {
    local model
    for model in tests/model/*.pml; do
        printf '%s CODE\n' "$model"
        sed -n '/\*\//q; s/^ \*   \([A-Z_]*\)  .*/\1/p' "$model" | sed "s|^|$model |"
    done
}

model_explore() { # model_explore FILE VARIANT: every state, or until something is wrong; into the folder's pan.out
    local folder name=$PWD/$1
    folder=$(model_folder "$1" "$2")
    rm -rf "$folder" && mkdir -p "$folder" || return
    (cd "$folder" && spin "-D$2" -a "$name" && gcc -w -O2 -DSAFETY -DCOLLAPSE -DMEMLIM=4000 -o pan pan.c &&
        ./pan -m1000000 >pan.out) >"$folder.log" 2>&1
    printf '%s %s\n' "${1##*/}" "$2"
}

explore_models() {
    export -f model_folder model_explore
    # shellcheck disable=SC2016 # the shell that xargs starts expands them
    model_list | xargs -P "$(nproc)" -L 1 bash -c 'model_explore "$0" "$1"'
}

# model_holds FOLDER: 0 when nothing is wrong, 1 when something is, 2 on trouble
model_holds() {
    if grep -qs 'errors: 0' "$1/pan.out"; then
        ! grep -q 'error: max search depth too small' "$1/pan.out" || return 2
        return 0
    fi
    grep -qs 'errors: [1-9]' "$1/pan.out" && return 1
    return 2
}

model_passes() { # the model as it is
    local folder
    folder=$(model_folder "$1" CODE)
    model_holds "$folder" || {
        cat "$folder.log" "$folder/pan.out" 2>/dev/null
        printf 'spin found a way in which %s goes wrong; replay: cd %s && spin -t -p %s\n' "$1" "$folder" "$PWD/$1"
        return 1
    }
}

model_variant_fails() {
    local folder
    folder=$(model_folder "$1" "$2")
    model_holds "$folder"
    (($? == 1)) || {
        cat "$folder.log"
        printf '%s without what %s leaves out should go wrong, and does not\n' "$1" "$2"
        return 1
    }
}

run_models() {
    local model variant
    step "explore the models" explore_models
    while read -r model variant; do
        if [[ $variant == CODE ]]; then
            step "model ${model##*/}" model_passes "$model"
        else
            step "model ${model##*/}, $variant must fail" model_variant_fails "$model" "$variant"
        fi
    done < <(model_list)
}
