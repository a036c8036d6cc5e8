#!/bin/sh
# tests/fuzz/run.sh SECONDS SOURCE TARGET...: run each libFuzzer target for SECONDS over a copy of
# its corpus; new inputs stay in fuzz-work/NAME. One line per target; fails if one found something.
seconds=$1
source=$2
shift 2
status=0
for target; do
    name=$(basename "$target")
    mkdir -p "fuzz-work/$name"
    if "./$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
        -artifact_prefix="fuzz-work/$name-" "fuzz-work/$name" "$source/tests/fuzz/corpus/$name" \
        >"fuzz-work/$name.log" 2>&1; then
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "fuzz-work/$name.log")
        echo "ok - $name: $runs runs in $seconds s"
    else
        echo "not ok - $name: see fuzz-work/$name.log"
        status=1
    fi
done
exit $status
