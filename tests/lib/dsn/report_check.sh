#!/bin/sh
# tests/lib/dsn/report_check - our sample reports, read by Python's email package.
set -eu
if ! command -v python3 >/dev/null 2>&1; then
    echo '1..0 # SKIP python3 is not installed'
    exit 0
fi
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
"${top_builddir:-.}/tests/lib/dsn/report_test" "$directory"
python3 "${top_srcdir:-.}/tests/lib/dsn/report_check.py" "$directory"
