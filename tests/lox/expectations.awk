# Reads scripts and writes for each FOLDER/NAME.lox what it should do: expected/FOLDER/NAME.out, .err and .exit under the
# folder `work`. The notation is in README.md. Usage: awk -v work=FOLDER -f expectations.awk FILE...
# A file NAME.lox.expect stands for NAME.lox. `root` is what is taken off the files' names.

function finish() {
    if (name == "")
        return
    print status environment > (base ".exit")
    close(base ".out")
    close(base ".err")
    close(base ".exit")
}

FNR == 1 {
    finish()
    name = FILENAME
    sub(/\.expect$/, "", name)
    sub(/\.lox$/, "", name)
    for (i = split(roots, prefixes, ":"); i > 0; i--)
        if (index(name, prefixes[i] "/") == 1) {
            name = substr(name, length(prefixes[i]) + 2)
            break
        }
    base = work "/expected/" name
    printf "" > (base ".out")
    printf "" > (base ".err")
    status = 0
    environment = ""
}

match($0, /\/\/ (line [0-9]+ )?(expect|expect like|error like|errors like|error output|environment|error|error at end|error at '[^ ]+'|runtime error|trace|exit):/) {
    marker = substr($0, RSTART + 3, RLENGTH - 4)
    text = substr($0, RSTART + RLENGTH)
    sub(/^ /, "", text)
    line = FNR
    if (marker ~ /^line /) {
        line = marker
        sub(/^line /, "", line)
        line = line + 0
        sub(/^line [0-9]+ /, "", marker)
    }
    if (marker == "expect")
        print text > (base ".out")
    else if (marker == "expect like")
        print "\001" text > (base ".out")
    else if (marker == "runtime error") {
        print text > (base ".err")
        status = 70
    } else if (marker == "trace")
        print "[line " line "] in " text > (base ".err")
    else if (marker == "error like") {
        print "\001" text > (base ".err")
        status = 65
    } else if (marker == "errors like") {
        print "\002" text > (base ".err")
        status = 65
    } else if (marker == "error output") {
        print text > (base ".err")
        status = 65
    } else if (marker == "exit")
        status = text
    else if (marker == "environment")
        environment = environment " " text
    else {
        sub(/^error/, "Error", marker)
        print "[line " line "] " marker ": " text > (base ".err")
        status = 65
    }
}

END { finish() }
