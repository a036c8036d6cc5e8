#!/bin/sh
# tests/lib/table/postalias_test.sh: postalias and newaliases, by themselves and beside Postfix's
# own (POSTFIX_ROOT, as in postmap_test.sh). Speaks TAP.
postmap=$(realpath "${top_builddir:-.}/tools/postmap")
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
ln -s "$postmap" postalias
ln -s "$postmap" newaliases
count=0
failed=0

# check NAME EXPECTED-STATUS EXPECTED-OUTPUT COMMAND...: standard output and status
check() {
    name=$1
    status=$2
    expected=$3
    shift 3
    count=$((count + 1))
    output=$("$@" 2>errors)
    actual=$?
    if [ "$actual" = "$status" ] && [ "$output" = "$expected" ]; then
        echo "ok $count - $name"
    else
        failed=1
        echo "not ok $count - $name"
        echo "# status $actual, expected $status; output: $output"
        sed 's/^/# /' errors
    fi
}

# said NAME PATTERN: the last command's standard error
said() {
    count=$((count + 1))
    if grep -q -e "$2" errors; then
        echo "ok $count - $1"
    else
        failed=1
        echo "not ok $count - $1"
        sed 's/^/# /' errors
    fi
}

cat >aliases <<'END'
# comment
postmaster: root
Root:	joe, jane@example.org
  more@example.org
"quoted name": |"/bin/prog  arg"
list: :include:/etc/list
owner-list : x
plain
foo  bar: x
empty:
a@b: c
\esc: x
dup: 1
dup: 2
"a\"b": q
:x
files: /file, "/a file"
END
for option in -b -F -h -m -U; do
    check "$option is for postmap" 1 '' ./postalias $option -q x static:y
done
said 'usage' 'fatal: usage: postalias \[-fijNnoprsuvw\]'
check 'build' 0 '' ./postalias hash:aliases
said 'no pair' 'postalias: warning: aliases, line 8: need name:value pair'
said 'no value' 'aliases, line 10: need name:value pair'
said 'a domain' 'aliases, line 11: name must be local'
said 'a duplicate' 'aliases, line 14: duplicate entry: "dup"'
said 'no name' 'aliases, line 16: need name:value pair'
check 'found' 0 'root' ./postalias -q POSTMASTER hash:aliases
check 'not found' 1 '' ./postalias -q nobody hash:aliases
check 'a continued line' 0 'joe, jane@example.org more@example.org' ./postalias -q root hash:aliases
check 'keys from standard input' 0 "$(printf 'dup:\t1')" sh -c "echo dup | ./postalias -q - hash:aliases"
check 'a list' 0 "$(printf 'a:\tb')" sh -c "echo 'a: b' >one; ./postalias hash:one; ./postalias -s hash:one"
check 'added' 0 'new' sh -c "echo 'more: new' | ./postalias -i hash:one && ./postalias -q more hash:one"
check 'deleted' 1 '' sh -c "./postalias -d more hash:one && ./postalias -q more hash:one"

mkdir config
printf 'alias_database = hash:%s/first, btree:%s/second\n' "$work" "$work" >config/main.cf
echo 'a: one' >first
echo 'b: two' >second
check 'newaliases' 0 '' ./newaliases -c config
check 'newaliases made the first' 0 'one' "$postmap" -q a hash:first
check 'newaliases made the second' 0 'two' "$postmap" -q b btree:second
echo 'alias_database =' >config/main.cf
check 'newaliases with nothing to do' 1 '' ./newaliases -c config
said 'and says so' 'newaliases: fatal: alias_database is empty'

theirs="$POSTFIX_ROOT/usr/sbin/postalias"
if [ -n "$POSTFIX_ROOT" ] && [ -x "$theirs" ]; then
    mkdir postfix
    printf '%s\n' 'compatibility_level = 3.6' 'mail_owner = games' 'setgid_group = mail' \
        >postfix/main.cf
    postfix() { LD_LIBRARY_PATH="$POSTFIX_ROOT/usr/lib/postfix" "$theirs" -c postfix "$@"; }
    cp aliases both
    postfix hash:both 2>/dev/null
    # Postfix adds entries for sendmail and NIS, which are no aliases
    check 'the same content' 0 "$(postfix -s hash:both | grep -v -e '^@:' -e '^YP_' | sort)" \
        sh -c './postalias -s hash:aliases | LC_ALL=C sort'
    check 'Postfix reads ours' 0 'root' postfix -q postmaster hash:aliases
else
    for name in 'the same content' 'Postfix reads ours'; do
        count=$((count + 1))
        echo "ok $count - $name # SKIP no POSTFIX_ROOT"
    done
fi
echo "1..$count"
exit $failed
