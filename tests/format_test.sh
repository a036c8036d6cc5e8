#!/bin/sh
# tests/format_test - .clang-format settles the layout; version 14, because others differ in
# details. Not part of "make check", whose users may have another version. One TAP line per file.
set -eu
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}"
cd "$top_srcdir"
# Every folder of ours but what is built.
folders=$(find . -maxdepth 1 -type d -name '[a-z]*' ! -name 'build*' ! -name 'autom4te*' -printf '%f\n' | sort)

formatter=
for candidate in clang-format-14 clang-format; do
    if command -v "$candidate" >/dev/null 2>&1 && "$candidate" --version | grep -q 'version 14\.'; then
        formatter=$candidate
        break
    fi
done
if [ -z "$formatter" ]; then
    echo '1..1'
    echo 'not ok 1 - clang-format 14 is needed (Debian: clang-format)'
    exit 1
fi

number=0
status=0
# shellcheck disable=SC2086 # a list of names without spaces
for file in $(find $folders \
    -name '*.[ch]' -print | sort); do
    number=$((number + 1))
    if output=$("$formatter" --style=file --dry-run -Werror "$file" 2>&1); then
        echo "ok $number - $file"
    else
        echo "not ok $number - $file"
        printf '%s\n' "$output" | sed -n '1,12s/^/# /p'
        status=1
    fi
done
echo "1..$number"
exit $status
