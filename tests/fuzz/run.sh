#!/bin/sh
# tests/fuzz/run.sh SECONDS SOURCE TABLE TARGET...: run each libFuzzer target for SECONDS over a copy
# of its corpus; new inputs stay in fuzz-work/NAME. One line per target; fails if one found something.
# What was run is added to TABLE (tests/fuzz/RESULTS.md), after each target, so that an interrupted
# round counts as far as it came: seconds of a processor, which on a busy machine are fewer than SECONDS.
set -u
seconds=$1
source=$2
table=$3
shift 3
status=0

# last NAME PATTERN: the last number of the log of NAME that stands behind PATTERN, or 0.
last() {
    sed -n "s/.*$2 *\([0-9][0-9]*\).*/\1/p" "fuzz-work/$1.log" | tail -n 1 | grep . || echo 0
}

# The seconds of a processor that the targets have had so far. (A subshell would have none.)
used=0
measure() {
    times >fuzz-work/times
    used=$(awk 'NR == 2 { gsub(/[ms]/, " "); print int($1 * 60 + $2 + $3 * 60 + $4) }' fuzz-work/times)
}

# add NAME SECONDS CRASHES: the row of NAME grows by this run, or is made.
add() {
    [ -e "$table" ] || cat >"$table" <<'HEAD'
# What has been fuzzed

`make fuzz FUZZ_SECONDS=n` in a build made with `--enable-fuzzing CC=clang` runs each target for n
seconds and adds to this table: processor time and runs in sum, edges reached and inputs kept at the end of the
last run, how many runs ended with a find (each was repaired, with a file in `corpus/` to keep it so),
and the day of the last run.

| target | seconds | runs | edges | inputs | finds | last run |
|---|---:|---:|---:|---:|---:|---|
HEAD
    awk -F ' *[|] *' -v name="$1" -v seconds="$2" -v finds="$3" -v day="$(date -u +%Y-%m-%d)" \
        -v runs="$(last "$1" 'stat::number_of_executed_units:')" -v edges="$(last "$1" ' cov:')" \
        -v inputs="$(last "$1" ' corp:')" '
        function row(before_seconds, before_runs, before_finds) {
            printf "| %s | %d | %d | %d | %d | %d | %s |\n", name, before_seconds + seconds,
                before_runs + runs, edges, inputs, before_finds + finds, day
            is_written = 1
        }
        function is_row() { return NF >= 8 && $2 ~ /_fuzz$/ }
        is_row() && $2 == name { row($3, $4, $7); next }
        is_row() && $2 > name && !is_written { row(0, 0, 0) }
        { print }
        END { if (!is_written) row(0, 0, 0) }' "$table" >"$table.new" && mv "$table.new" "$table"
}

# write_dictionary NAME: what the code under test compares with, since a word like HOLDUNTIL is not
# met by chance: the strings in the folders whose headers the target includes.
write_dictionary() {
    sed -n -e '/^#include "base\//d' -e 's/^#include "\(..\/..\/\)\{0,1\}\([a-z]*\)\/.*/\2/p' \
        "$source/tests/fuzz/$1.c" | sort -u |
        while read -r folder; do
            for place in "$source/$folder" "$source/lib/$folder"; do
                [ ! -d "$place" ] || find "$place" -maxdepth 1 -name '*.c' -exec cat {} +
            done
        done | grep -v '^#include' | grep -oE '"[[:alnum:] {}()_=:;.,@$/<>+*-]{2,40}"' | sort -u |
        head -n 1000 >"fuzz-work/$1.dict"
    [ -s "fuzz-work/$1.dict" ] || echo '"  "' >"fuzz-work/$1.dict" # an empty one is an error
}

for target; do
    name=$(basename "$target")
    mkdir -p "fuzz-work/$name"
    write_dictionary "$name"
    measure
    before=$used
    finds=0
    if "./$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -dict="fuzz-work/$name.dict" -artifact_prefix="fuzz-work/$name-" "fuzz-work/$name" "$source/tests/fuzz/corpus/$name" \
        >"fuzz-work/$name.log" 2>&1; then
        echo "ok - $name: $(last "$name" 'stat::number_of_executed_units:') runs in $seconds s"
    else
        echo "not ok - $name: see fuzz-work/$name.log"
        finds=1
        status=1
    fi
    measure
    add "$name" $((used - before)) "$finds"
done
exit $status
