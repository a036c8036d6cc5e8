#!/bin/sh
# tests/banned_test - what must not be in the source: functions that are unbounded, depend on the
# locale, keep hidden state or take from the small stacks; words that promise later work; words
# that belong to a workshop and not to the product. One TAP line each.
set -eu
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}"
cd "$top_srcdir"
# Every folder of ours but what is built.
folders=$(find . -maxdepth 1 -type d -name '[a-z]*' ! -name 'build*' ! -name 'autom4te*' -printf '%f\n' | sort)

# shellcheck disable=SC2086 # a list of names without spaces
sources=$(find $folders \
    \( -name '*.[ch]' -o -name '*.def' \) -print | sort)
texts=$(
    if [ -e .git ] && command -v git >/dev/null 2>&1; then
        git -c safe.directory='*' ls-files --cached --others --exclude-standard
    else
        find . -type f | sed 's,^\./,,'
    fi | grep -vE '^tests/fuzz/corpus/|^\.git/|^(build|_build|_inst|run/|autom4te)|^(configure|aclocal|Makefile|config)' |
        sort)

# Prints "file:line: text" of C sources with comments and the insides of strings blanked out.
code_only() {
    awk '
    FNR == 1 { in_comment = 0 }
    {
        line = $0
        out = ""
        while (line != "") {
            if (in_comment) {
                end = index(line, "*/")
                if (!end) { line = ""; break }
                line = substr(line, end + 2)
                in_comment = 0
                out = out " "
                continue
            }
            if (!match(line, /\/\*|\/\/|"|\047/)) { out = out line; break }
            out = out substr(line, 1, RSTART - 1)
            opener = substr(line, RSTART, RLENGTH)
            line = substr(line, RSTART + RLENGTH)
            if (opener == "/*") in_comment = 1
            else if (opener == "//") line = ""
            else {
                while (line != "") {
                    character = substr(line, 1, 1)
                    if (character == "\\") line = substr(line, 3)
                    else { line = substr(line, 2); if (character == opener) break }
                }
                out = out opener opener
            }
        }
        print FILENAME ":" FNR ": " out
    }' "$@"
}

number=0
status=0
# report NAME FINDINGS: one TAP line, not ok when there are findings.
report() {
    number=$((number + 1))
    if [ -z "$2" ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        printf '%s\n' "$2" | sed 's/^/# /'
        status=1
    fi
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The files are this repository's own: no blanks in their names.
# shellcheck disable=SC2086
code_only $sources >"$work/code"

find_calls() {
    grep -E "[^A-Za-z0-9_]($1)[[:space:]]*\\(" "$work/code" || true
}

report 'no unbounded string functions' "$(find_calls \
    'strcpy|stpcpy|strcat|strncpy|strncat|sprintf|vsprintf|gets|wcscpy')"
report 'no parsing by scanf' "$(find_calls 'scanf|sscanf|fscanf' | grep -v '^tests/' || true)"
report 'no unchecked number parsers' "$(find_calls 'atoi|atol|atoll|atof')"
report 'no functions with hidden state' "$(find_calls \
    'strtok|localtime|gmtime|asctime|ctime|inet_ntoa|gethostbyname|gethostbyaddr|getservbyname|rand|srand|random|srandom|drand48')"
report 'no functions that depend on the locale' "$(find_calls \
    'tolower|toupper|isalnum|isalpha|isascii|isblank|iscntrl|isdigit|isgraph|islower|isprint|ispunct|isspace|isupper|isxdigit|strcasecmp|strncasecmp|strcoll|setlocale')"
report 'no memory from the stack' "$(find_calls 'alloca|__builtin_alloca|strdupa|strndupa')"
report 'no races on names, no shell' "$(find_calls 'mktemp|tmpnam|tempnam|tmpfile|system|popen' |
    grep -v '^tests/' || true)"
report 'no struct behind a typedef' \
    "$(grep -E ': typedef (struct|union|enum)( [A-Za-z0-9_]+)?( \{|$)' "$work/code" || true)"
# The nursery's processes are its own children, which end there and nowhere else.
report 'a library function ends no process' "$(grep -E '^lib/' "$work/code" |
    grep -vE '^lib/((service|sandbox|system)/|crew/nursery[.]c)' |
    grep -E '[^A-Za-z0-9_](exit|_exit|_Exit|quick_exit)[[:space:]]*\(' || true)"

# In the patterns a bracket around a letter keeps them from matching this file.
# shellcheck disable=SC2046,SC2086
report 'nothing left for later' "$(grep -nIE '\b(TOD[O]|FIXM[E]|XX[X]|unimplemente[d])\b' \
    $(printf '%s\n' $texts | grep -E '\.(c|h|def|py|sh|am|ac|mk|md|[0-9])$') /dev/null || true)"
# shellcheck disable=SC2086
report 'only words of the product' "$(grep -nIE \
    '\.librar[y]|(^|[^A-Za-z0-9_.])/wor[k]/|/far[m]/|\bCE[O]\b|DEVELOPERS\.m[d]|steering rep[o]|\bLL[M]\b|\bAnthropi[c]\b|\bClaud[e]\b|\bChatGP[T]\b|language mode[l]|artificial intelligenc[e]' \
    $texts /dev/null || true)"
long=
for file in $sources; do
    lines=$(wc -l <"$file")
    [ "$lines" -le 800 ] || long="$long$file: $lines lines
"
done
report 'no file of more than 800 lines' "$long"

echo "1..$number"
exit $status
