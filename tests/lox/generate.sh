# shellcheck shell=bash
# Scripts that are too large or too odd to be kept as files: each limit of the language at its last value that is accepted
# and at the first that is not, deep nesting, long tokens, bytes that are no text. Sourced by run.sh.
#
# The limits count what the reference implementation's bytecode would hold, in bytes: a statement `nil;` is 2, `!nil;` is 3.

repeat() { # repeat COUNT FORMAT: awk's printf of FORMAT for 0, 1 ... COUNT - 1, which it may use once
    awk -v count="$1" -v format="$2" 'BEGIN { for (i = 0; i < count; i++) printf format, i }'
}

# A block of so many bytes of code, all on one line.
block_of() { # block_of BYTES
    local bytes=$1
    printf '{ '
    if ((bytes % 2 == 1)); then
        printf '!nil; '
        bytes=$((bytes - 3))
    fi
    repeat $((bytes / 2)) 'nil;'
    printf ' }'
}

generate_scripts() { # generate_scripts FOLDER
    local folder
    for folder in limits text nesting; do
        mkdir -p "$1/$folder"
    done
    (cd "$1/limits" && generate_constants && generate_variables && generate_arguments && generate_jumps && generate_far_jumps &&
        generate_frames)
    (cd "$1/text" && generate_text)
    (cd "$1/nesting" && generate_nesting)
}

# ---- limits --------------------------------------------------------------------------------------

generate_constants() {
    { repeat 255 '%d;\n'; echo 'print "all"; // expect: all'; } >constants_256.lox
    { repeat 256 '7;\n'; echo "print \"extra\"; // error at '\"extra\"': Too many constants in one chunk."; } \
        >constants_257.lox
    # Each use of a name is one more; the functions below have their own.
    {
        echo 'var g = nil;'
        repeat 253 'g;\n'
        printf 'fun f() {\n'
        repeat 255 'g;\n'
        printf 'return "f";\n}\nprint "unused" == nil; '
        echo "// line 513 error at '\"unused\"': Too many constants in one chunk."
    } >constants_names_257.lox
    {
        echo 'var g = nil;'
        repeat 252 'g;\n'
        printf 'fun f() {\n'
        repeat 254 'g;\n'
        printf 'return "f";\n}\nprint f(); // expect: f\n'
    } >constants_names_256.lox
    # What is not a constant: nil, true, false, this, locals, jumps.
    {
        echo 'class C { m() { var a = nil;'
        repeat 300 'a = this; a == true; a == false; if (a) nil; while (nil) nil;\n'
        echo 'return "done"; } } print C().m(); // expect: done'
    } >constants_none.lox
    # A property's name is one at each use, and so are a method and its name.
    {
        echo 'class C {}'
        echo 'fun f(c) { c.x = nil;'
        repeat 254 'c.x;\n'
        echo 'return c.x; }'
        echo 'print f(C()); // expect: nil'
    } >constants_properties_256.lox
    {
        echo 'class C {}'
        echo 'fun f(c) { c.x = nil;'
        repeat 255 'c.x;\n'
        echo "return c.x; } // error at 'x': Too many constants in one chunk."
    } >constants_properties_257.lox
    # In a function a local class takes a constant for its name, two for each method.
    {
        echo 'fun f() { class C {'
        repeat 127 'm%d() {}\n'
        echo '} return C().m126; }'
        echo 'print f(); // expect: <fn m126>'
    } >constants_methods.lox
    # Each declaration after the last constant is an error of its own.
    {
        repeat 256 'var g%d;\n'
        awk 'BEGIN { for (i = 256; i < 20000; i++)
            printf "var g%d; // error at \047g%d\047: Too many constants in one chunk.\n", i, i }'
    } >globals_20000.lox
    # So many fields of one object, though: names in functions in functions.
    awk 'BEGIN {
        print "class Box {} var box = Box();"
        for (i = 0; i < 25; i++) {
            printf "fun fill%d() {\n", i
            for (j = 0; j < 10; j++) {
                printf "fun part%d() {\n", j
                for (k = 0; k < 80; k++) printf "box.field_%d_%d_%d = %d;\n", i, j, k, k
                printf "}\npart%d();\n", j
            }
            printf "}\nfill%d();\n", i
        }
        print "print box.field_0_0_0 + box.field_24_9_79 + box.field_12_5_40; // expect: 119"
    }' >fields_20000.lox
}

generate_variables() {
    local count wrong
    for count in 255 256; do
        wrong=
        ((count == 255)) || wrong="var v255 = 4; // error at 'v255': Too many local variables in function."
        {
            echo 'fun f() { var v0 = 1; var v1 = 2;'
            awk 'BEGIN { for (i = 2; i < 254; i++) printf "var v%d;\n", i }'
            printf 'var v254 = 3;\n%s\nreturn v0 + v1 + v254; }\nprint f();\n' "$wrong"
            [[ -n $wrong ]] || echo '// expect: 6'
        } >"locals_$count.lox"
        {
            echo '{ var v0 = 1; var v1 = 2;'
            awk 'BEGIN { for (i = 2; i < 254; i++) printf "var v%d;\n", i }'
            printf 'var v254 = 3;\n%s\nprint v0 + v1 + v254; }\n' "$wrong"
            [[ -n $wrong ]] || echo '// expect: 6'
        } >"locals_of_script_$count.lox"
    done
    # Scopes that have ended count no more, nested ones do.
    {
        echo 'fun f() {'
        repeat 300 '{ var a = nil; var b = a; }\n'
        echo 'return "room"; } print f(); // expect: room'
    } >locals_reused.lox
    {
        echo 'fun f(a) { // one, and one is the function itself'
        repeat 253 'var v%d; {\n'
        echo 'var last; var over; // '
        repeat 253 '}'
        echo "} // line 255 error at 'over': Too many local variables in function."
    } >locals_nested.lox
    # 200 of one function around, and 56 or 57 of the next; each used twice.
    for count in 56 57; do
        wrong=
        ((count == 56)) || wrong=" // error at 'b56': Too many closure variables in function."
        awk -v count=$count -v wrong="$wrong" 'BEGIN {
            print "fun outer() {"
            for (i = 0; i < 200; i++) printf "var a%d = %s;\n", i, i == 0 ? "\"a\"" : "nil"
            print "fun middle() {"
            for (i = 0; i < count; i++) printf "var b%d = %s;\n", i, i == 55 ? "\"b\"" : "nil"
            print "fun inner() {"
            for (i = 0; i < 200; i++) printf "a%d; a%d;\n", i, i
            for (i = 0; i < count; i++) printf "b%d;%s\n", i, i == 56 ? wrong : ""
            print "b55 = a0 + b55; return b55; }\nreturn inner; }\nreturn middle(); }"
            print "var f = outer(); f(); print f();" (wrong == "" ? " // expect: aab" : "")
        }' >"upvalues_$((200 + count)).lox"
    done
}

generate_arguments() {
    local parameters=p0 arguments=nil i
    for ((i = 1; i < 254; i++)); do
        parameters+=", p$i"
        arguments+=", nil"
    done
    echo "fun f($parameters, p254) { return p254; } print f($arguments, \"last\"); // expect: last" >arguments_255.lox
    echo "fun f() {} f($arguments, 1, \"extra\"); // error at '\"extra\"': Can't have more than 255 arguments." \
        >arguments_256.lox
    echo "class C { m() {} } C().m($arguments, 1, -2); // error at '2': Can't have more than 255 arguments." \
        >arguments_of_method_256.lox
    echo "fun f($parameters, p254, p255) {} // error at 'p255': Can't have more than 255 parameters." >parameters_256.lox
    echo "class C { m($parameters, p254) { return p0; } init($parameters) { this.x = p253; } } print C($arguments).m(\"first\", $arguments); // expect: first" \
        >parameters_of_method_255.lox
    {
        echo "fun f($parameters, p254) {}"
        echo "f($arguments); // runtime error: Expected 255 arguments but got 254."
        echo '// line 2 trace: script'
    } >arguments_254_of_255.lox
}

generate_jumps() {
    local over="Too much code to jump over." large="Loop body too large."
    echo "if (true) $(block_of 65531) print \"ok\"; // expect: ok" >jump_if_65535.lox
    echo "if (true) $(block_of 65532) // error at '}': $over" >jump_if_65536.lox
    echo "if (false) nil; else $(block_of 65534) print \"ok\"; // expect: ok" >jump_else_65535.lox
    echo "if (false) nil; else $(block_of 65535) // error at '}': $over" >jump_else_65536.lox
    echo "print nil and !nil$(repeat 32766 ' == nil'); // expect: nil" >jump_and_65535.lox
    echo "print nil and nil$(repeat 32767 ' == nil'); // error at 'nil': $over" >jump_and_65536.lox
    echo "print true or !nil$(repeat 32766 ' == nil'); // expect: true" >jump_or_65535.lox
    echo "print true or nil$(repeat 32767 ' == nil'); // error at 'nil': $over" >jump_or_65536.lox
    echo "while (false) $(block_of 65527) print \"ok\"; // expect: ok" >loop_while_65535.lox
    echo "while (false) $(block_of 65528) // error at '}': $large" >loop_while_65536.lox
    echo "fun f() { for (;;) { return \"ok\"; $(block_of 65529) } } print f(); // expect: ok" >loop_for_65535.lox
    echo "fun f() { for (;;) { return \"ok\"; $(block_of 65530) } return nil; } // error at '}': $large" >loop_for_65536.lox
    echo "for (; false; nil) $(block_of 65523) print \"ok\"; // expect: ok" >jump_for_65535.lox
    echo "for (; false; nil) $(block_of 65524) // error at '}': $over" >jump_for_65536.lox
    echo "for (; false; nil) $(block_of 65528) // error at '}': $large" >loop_for_clauses_65536.lox
    # Back over the step of a for loop: 9 for the condition and its jumps, the step, 4 for its pop and the jump.
    echo "for (var i = true; i; i = !nil$(repeat 32759 ' == nil')) nil; print \"ok\"; // expect: ok" >loop_for_step_65535.lox
    echo "for (var i = true; i; i = nil$(repeat 32760 ' == nil')) nil; // error at ')': $large" >loop_for_step_65536.lox
    # The end of a scope takes a byte for each of its variables, captured or not; a call takes two, a property two.
    {
        echo "if (true) { var a = true; var b; fun f() { return a; } // 1 + 1 + 4, and 3 at the end"
        repeat 32761 'nil;'
        echo '} print "ok"; // expect: ok'
    } >jump_scope_65535.lox
    {
        echo "if (true) { var a = true; var b; fun f() { return a; }"
        repeat 32760 'nil;'
        echo "!nil; } // error at '}': $over"
    } >jump_scope_65536.lox
}

# Conditions that jump over, or back over, as many instructions as there can be: a minus is one byte, and one instruction.
generate_far_jumps() {
    local minuses bodies name condition
    minuses=$(repeat 501 '-')
    bodies=$(repeat 120 "n = ${minuses}n;")
    while IFS='|' read -r name condition; do
        {
            printf 'fun f(limit, one) { var n = 1; var i = 0; %s { i = i + one;\n%s\n' "$condition" "$bodies"
            printf 'n = -n; } return n * 10 + i; }\nprint f(3, 1); // expect: %s\n' "-7"
        } >"far_$name.lox"
    done <<'END_OF_CONDITIONS'
while_less|while (i < limit)
while_less_literal|while (i < 3)
while_greater|while (limit > i)
while_not_greater_equal|while (!(i >= 3))
while_less_equal|while (i <= limit - 1)
while_not_equal|while (i != limit)
while_not_equal_literal|while (i != 3)
while_and|while (one == 1 and i < limit)
while_or|while (i == 0 or i < limit)
while_local|var more = true; while (more and i < 3)
for|for (var j = 0; j < limit; j = j + 1)
END_OF_CONDITIONS
    {
        printf 'fun f(a) { var n = 1; if (a < 2) {\n%s\n n = n + 1; } else n = 7; return n; }\n' "$bodies"
        printf 'fun g(a) { var n = 1; if (a == 2) n = 8; else {\n%s\n n = n + 2; } return n; }\n' "$bodies"
        printf 'print f(1); // expect: 2\nprint f(2); // expect: 7\n'
        printf 'print g(1); // expect: 3\nprint g(2); // expect: 8\n'
    } >far_if.lox
}

generate_frames() {
    local count
    printf '%s\n' 'fun down(n) {' '  if (n > 0) down(n - 1);' '  else print "bottom";' '}' \
        'down(62); // expect: bottom' >frames_64.lox
    {
        printf '%s\n' 'fun down(n) {' '  if (n > 0)' '    down(n - 1);' '  else print "bottom";' '}' \
            'down(62); // expect: bottom' 'down(63); // runtime error: Stack overflow.'
        repeat 63 '// line 3 trace: down()\n'
        echo '// line 7 trace: script'
    } >frames_65.lox
    {
        printf '%s\n' 'class Tower {' '  init() {' '    this.next = Tower();' '  }' '}' \
            'Tower(); // runtime error: Stack overflow.'
        repeat 63 '// line 3 trace: init()\n'
        echo '// line 6 trace: script'
    } >frames_of_init.lox
    {
        printf '%s\n' 'class Ping {' '  ping() { var pong = this.pong;' '    pong();' '  }' '  pong() {' '    this.ping();' \
            '  }' '}' 'Ping().ping(); // runtime error: Stack overflow.'
        for ((count = 0; count < 63; count++)); do
            ((count % 2 == 0)) && echo '// line 3 trace: ping()' || echo '// line 6 trace: pong()'
        done
        echo '// line 9 trace: script'
    } >frames_of_methods.lox
    {
        printf '%s\n' 'class A { m(n) {' '  if (n == 0) return "top";' '  return this.m(n - 1); } }' \
            'class B < A { m(n) {' '  return super.m(n); } }' 'print B().m(30); // expect: top' \
            'print B().m(31); // runtime error: Stack overflow.'
        for ((count = 0; count < 63; count++)); do
            ((count % 2 == 1)) && echo '// line 3 trace: m()' || echo '// line 5 trace: m()'
        done
        echo '// line 7 trace: script'
    } >frames_of_super.lox
    # Arguments in arguments: each of the 64 frames may hold some hundred values.
    {
        echo 'fun sum(a, b, c, d) { return a + b + c + d; }'
        printf 'print '
        repeat 60 'sum(1, 2, %d, '
        printf '0'
        repeat 60 ')'
        echo '; // expect: 1950'
    } >arguments_in_arguments.lox
}

# ---- text ----------------------------------------------------------------------------------------

described() { # described NAME EXPECTATION...: the script is standard input
    cat >"$1.lox"
    printf '// %s\n' "${@:2}" >"$1.lox.expect"
}

generate_text() {
    described empty </dev/null "exit: 0"
    printf '// nothing but a comment' | described comment_at_end "exit: 0"
    printf '\n\n  \t\n' | described blank "exit: 0"
    printf 'print 1;\r\nprint "a\r\nb";\r\nprint\r\n;' | described crlf "line 5 error at ';': Expect expression."
    printf 'print 1;\r\nprint 2; // two\r\n' | described crlf_runs "expect: 1" "expect: 2"
    printf 'print "a\rb\tc";\tprint\t1\t;' | described tabs "expect: "$'a\rb\tc' "expect: 1"
    printf 'print "no newline";' | described no_newline "expect: no newline"
    printf 'print 1; \0 garbage ( @' | described nul_ends_source "expect: 1"
    printf 'print 1;\nprint \0 2;' | described nul_in_statement "line 2 error at end: Expect expression."
    printf 'print 1;\nprint "a\n\0b";' | described nul_in_string "line 3 error: Unterminated string."
    printf 'print 1; // a \0 print 2;\nprint 3;' | described nul_in_comment "expect: 1"
    printf 'var a\0b = 1;' | described nul_in_name "line 1 error at end: Expect ';' after variable declaration."
    printf '\357\273\277print 1;' | described byte_order_mark "line 1 error: Unexpected character."
    printf 'print "\377\376\200 raw";' | described bytes_in_string "expect: "$'\377\376\200 raw'
    printf 'var \303\244 = 1;\nprint 2' |
        described bytes_in_name "line 1 error: Unexpected character." "line 2 error at end: Expect ';' after value."
    printf '\n\n"never\nends' | described unterminated_string "line 4 error: Unterminated string."
    printf 'print "a' | described unterminated_at_once "line 1 error: Unterminated string."
    { printf 'print "'; repeat 100000 '0123456789'; printf '" == "'; repeat 100000 '0123456789'; printf '";'; } |
        described long_string "expect: true"
    { printf 'var '; repeat 5000 'name_'; printf ' = "long"; print '; repeat 5000 'name_'; printf ';'; } |
        described long_name "expect: long"
    { printf 'print '; repeat 400 '9'; printf ';print 0.'; repeat 1000 '1'; printf ';'; } |
        described long_number "expect: inf" "expect: 0.111111"
    { repeat 70000 '\n'; printf 'print 1;\nprint -"";'; } |
        described line_70002 "expect: 1" "runtime error: Operand must be a number." "line 70002 trace: script"
    { printf '// '; repeat 100000 '/ * " '; printf '\nprint "after";'; } | described long_comment "expect: after"
    { repeat 50000 '@\n'; printf 'print 1;'; } | described many_wrong_characters "line 1 error: Unexpected character."
}

# ---- nesting -------------------------------------------------------------------------------------

generate_nesting() {
    local i # a name, a space, and what is repeated
    { printf 'print '; repeat 500 '('; printf '1'; repeat 500 ')'; echo '; // expect: 1'; } >parentheses_500.lox
    { repeat 500 '{'; printf 'print 1;'; repeat 500 '}'; echo ' // expect: 1'; } >blocks_500.lox
    { printf 'print '; repeat 500 '-'; printf '1;print '; repeat 501 '!'; printf 'nil;\n'; echo '// expect: 1'
        echo '// expect: true'; } >unary_500.lox
    { printf 'print 0'; repeat 100 ' + (1'; repeat 100 ')'; echo '; // expect: 100'; } >sums_100.lox
    { repeat 200 'if (true) '; printf 'print 1;'; echo ' // expect: 1'; } >if_200.lox
    { printf '{ var a; var b; '; repeat 200 'a = b = '; printf '3; print a + b; }'; echo ' // expect: 6'; } >assignments_100.lox
    { printf 'var n = 0;'; repeat 30 'for (var i = 0; i < 1; i = i + 1) { '; printf 'n = n + 1;'; repeat 30 '}'
        echo 'print n; // expect: 1'; } >loops_30.lox
    {
        repeat 50 'fun f%d() { var v = 1;\n'
        echo 'print "inmost";'
        awk 'BEGIN { for (i = 49; i > 0; i--) printf "} f%d();\n", i }'
        echo '} f0(); // expect: inmost'
    } >functions_50.lox
    {
        echo 'fun f0() { var x = "x";'
        awk 'BEGIN { for (i = 1; i < 50; i++) printf "fun f%d() {\n", i }'
        echo 'x = x + "!"; return x;'
        awk 'BEGIN { for (i = 49; i > 0; i--) printf "} return f%d();\n", i }'
        echo '} print f0(); // expect: x!'
    } >captured_through_50.lox
    {
        repeat 40 'class C%d { m() {\n'
        printf 'print this;'
        awk 'BEGIN { for (i = 39; i > 0; i--) printf "} } C%d().m();\n", i }'
        echo '} } C0().m(); // expect: C39 instance'
    } >classes_40.lox
    {
        echo '{ class C0 { m() { return "C0"; } init() { this.n = 0; } count() { this.n = this.n + 1; return this; } }'
        awk 'BEGIN { for (i = 1; i < 50; i++)
            printf "class C%d < C%d { count() { this.n = this.n + 1; return super.count(); } }\n", i, i - 1 }'
        echo 'print C49().m(); // expect: C0'
        echo 'print C49().count().n; } // expect: 50'
    } >inheritance_50.lox
    { repeat 50 'class A { m() { class B < A { n() { return super.m'; echo ; echo '// errors like: \[line [13]\] Error at .*Expect.*'; } >unfinished_50.lox
    # Too deep for a parser that calls itself: one error, and no crash.
    for i in 'parentheses (' 'minus -' 'not !' 'blocks {' 'if if (a) ' 'while while (a) ' 'for for (;;) ' 'assignments a = ' \
        'calls f(' 'methods a.b(' 'functions fun f() {' 'classes class C { m() {' 'or a or ' 'fields a.b = '; do
        repeat 100000 "${i#* }" | described "too_deep_${i%% *}" "errors like: \[line 1\] Error.*"
    done
}
