# Reads a C header and prints `kind name` for each name of tevent that it declares. See ci/header-names.sh.
# What stands under TEVENT_DEPRECATED is `deprecated`, under TEVENT_COMPAT_DEFINES `compat`. Where DOXYGEN chooses
# between a function for people and the macro for the compiler, the name is the function's, and what the macro calls
# is an `expansion`.

{ text = text $0 "\n" }

END {
    strip_comments()
    gsub(/\\\n/, " ", text)
    count = split(text, lines, "\n")
    for (i = 1; i <= count; i++) {
        if (lines[i] ~ /^[ \t]*#/) directive(lines[i])
        else declaration = declaration " " lines[i]
        while (statement()) {}
    }
    if (depth || declaration ~ /[^ \t]/) fail("the end of the header is inside a declaration: " declaration)
}

function fail(why) {
    print "header-names.awk: " why > "/dev/stderr"
    exit 1
}

function strip_comments(    from, to, left) {
    left = ""
    while ((from = index(text, "/*")) > 0) {
        left = left substr(text, 1, from - 1) " "
        text = substr(text, from + 2)
        to = index(text, "*/")
        if (!to) fail("a comment has no end")
        text = substr(text, to + 2)
    }
    text = left text
}

# The innermost conditions, outermost first, in condition[1..depth].
function directive(line,    words) {
    sub(/^[ \t]*#[ \t]*/, "", line)
    split(line, words, /[ \t(]+/)
    if (words[1] == "ifdef") condition[++depth] = words[2]
    else if (words[1] == "ifndef") condition[++depth] = "!" words[2]
    else if (words[1] == "if") condition[++depth] = line
    else if (words[1] == "else") condition[depth] = "!" condition[depth]
    else if (words[1] == "endif") depth--
    else if (words[1] == "define" && !(under("!DOXYGEN") && words[2] in seen) && condition[depth] != "!" words[2])
        name("macro", words[2])
}

function under(what,    i) {
    for (i = 1; i <= depth; i++) if (condition[i] == what) return 1
    return 0
}

# Takes the first whole declaration off `declaration`; false if there is none.
function statement(    i, c, braces, whole) {
    braces = 0
    for (i = 1; i <= length(declaration); i++) {
        c = substr(declaration, i, 1)
        if (c == "{") braces++
        else if (c == "}") braces--
        else if (c == ";" && braces == 0) {
            whole = substr(declaration, 1, i - 1)
            declaration = substr(declaration, i + 1)
            declared(whole)
            return 1
        }
    }
    return 0
}

function declared(whole,    rest, body, parts, n, i) {
    gsub(/[ \t]+/, " ", whole)
    sub(/^ /, "", whole)
    if (whole ~ /^typedef /) {
        if (!match(whole, /\(\*[a-z_0-9]+\)/)) fail("a typedef that is no function: " whole)
        name("handler", substr(whole, RSTART + 2, RLENGTH - 3))
    } else if (match(whole, /^struct [a-z_0-9]+ ?({|$)/)) {
        split(whole, parts, " ")
        name("struct", parts[2])
    } else if (match(whole, /^enum [a-z_0-9]+ ?{/)) {
        split(whole, parts, " ")
        name("enum", parts[2])
        body = substr(whole, RLENGTH + 1)
        sub(/}.*/, "", body)
        n = split(body, parts, ",")
        for (i = 1; i <= n; i++) {
            sub(/=.*/, "", parts[i])
            gsub(/ /, "", parts[i])
            if (parts[i] != "") name("constant", parts[i])
        }
    } else if (match(whole, /[a-zA-Z_0-9]+ ?\(/)) {
        rest = substr(whole, RSTART, RLENGTH - 1)
        sub(/ $/, "", rest)
        name("function", rest)
    } else if (whole != "") fail("what is this: " whole)
}

function name(kind, of) {
    if (under("TEVENT_COMPAT_DEFINES")) kind = "compat"
    else if (of !~ /^_*(tevent|TEVENT)_/ || of ~ /_H__$/) return
    else if (of ~ /^_/) kind = "expansion"
    else if (under("TEVENT_DEPRECATED")) kind = "deprecated"
    if (of in seen) {
        if (seen[of] != kind) fail(of " is both " seen[of] " and " kind)
        return
    }
    seen[of] = kind
    print kind, of
}
