#!/bin/sh
# tests/tap.sh PROGRAM... - run a test program and mend one thing in its TAP: cmocka says
# "not ok N # SKIP" of a test that was skipped, which any reader of TAP takes for a failure.
exec 4>&1
status=$({
    {
        "$@" 3>&- 4>&-
        echo $? >&3
    } | sed 's/^not ok \([0-9]*\) # SKIP/ok \1 # SKIP/' >&4
} 3>&1)
exit "$status"
