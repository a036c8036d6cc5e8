#!/bin/sh
# tests/lib/table/postmap_test.sh: the postmap command, by itself and beside Postfix's own.
# POSTFIX_ROOT names a directory with an unpacked Debian package (dpkg -x), else the comparison is
# skipped. Speaks TAP.
postmap=${top_builddir:-.}/tools/postmap
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
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

silent() { count=$((count + 1)); [ -s errors ] && { failed=1; printf 'not '; }; echo "ok $count - $1: no message"; }
sorted() { "$@" | LC_ALL=C sort; }

cat >table <<'END'
# comment
Foo bar
"a b"@x  c d
   continued
other	value
END
check 'build' 0 '' "$postmap" hash:table
silent 'build'
check 'found' 0 'bar' "$postmap" -q foo hash:table
check 'found, whatever the case' 0 'bar' "$postmap" -q FOO hash:table
check 'not found' 1 '' "$postmap" -q nope hash:table
check 'not found with -f' 1 '' "$postmap" -f -q FOO hash:table
check 'keys from standard input' 0 "$(printf 'foo\tbar\nFoo\tbar')" \
    sh -c "printf 'foo\nzzz\nFoo\n' | $postmap -q - hash:table"
check 'no key from standard input' 1 '' sh -c "echo zzz | $postmap -q - hash:table"
check 'list' 0 "$(printf '"a b"@x\tc d   continued\nfoo\tbar\nother\tvalue')" \
    sorted "$postmap" -s hash:table
{ echo 'short value'; printf 'list '; yes member@x.example, | head -n 80000 | tr -d '\n'; echo; } >long
echo 'list value' | "$postmap" -i hash:long
check 'a line that is too long' 1 '' "$postmap" hash:long
said 'a line that is too long is named' 'long, line 2: '
check 'and nothing is lost' 0 'value' "$postmap" -q list hash:long
check 'first of several tables' 0 '1' "$postmap" -q foo 'inline:{foo=1}' hash:table
check 'second of several tables' 0 'bar' "$postmap" -q foo 'inline:{x=1}' hash:table
check 'the second is not opened when the first has it' 0 'bar' "$postmap" -q foo hash:table hash:absent
check 'every table is opened before keys are read' 1 '' sh -c "echo foo | $postmap -q - hash:table hash:absent"
check 'texthash' 0 'value' "$postmap" -q other texthash:table
check 'static' 0 'a b' "$postmap" -q other 'static:{ a b }'
check 'name service' 0 '0' sh -c "$postmap -q root unix:passwd.byname | cut -d: -f3"
check 'failing table' 1 '' "$postmap" -q x fail:x
said 'failing table says so' 'postmap: fatal: table fail:x: query error'
check 'missing table' 1 '' "$postmap" -q x hash:absent
said 'missing table is named' 'postmap: fatal: open database absent.db: No such file or directory'
check 'missing source' 1 '' "$postmap" hash:absent
said 'missing source is named' 'postmap: fatal: open absent: No such file or directory'
check 'no type of that name' 1 '' "$postmap" -q x zork:y
check 'a type that is not built' 1 '' "$postmap" texthash:table
said 'a type that is not built' 'unsupported map type for this operation: texthash'

check 'delete' 0 '' "$postmap" -d OTHER hash:table
check 'delete again' 1 '' "$postmap" -d other hash:table
check 'deleted' 1 '' "$postmap" -q other hash:table
check 'delete many' 0 '' sh -c "printf 'foo\nzzz\n' | $postmap -d - hash:table"
check 'add' 0 '' sh -c "printf 'new entry\nfoo 1\n' | $postmap -i hash:table"
check 'added' 0 'entry' "$postmap" -q new hash:table
check 'add a duplicate' 0 '' sh -c "echo 'foo 2' | $postmap -i hash:table"
said 'a duplicate is told' 'duplicate entry: "foo"'
check 'the first stays' 0 '1' "$postmap" -q foo hash:table
check 'replace' 0 '' sh -c "echo 'foo 3' | $postmap -r -i hash:table"
silent 'replace'
check 'replaced' 0 '3' "$postmap" -q foo hash:table
check 'ignore' 0 '' sh -c "echo 'foo 4' | $postmap -w -i hash:table"
silent 'ignore'
check 'ignored' 0 '3' "$postmap" -q foo hash:table
check 'of -r and -w the last counts' 0 '5' \
    sh -c "echo 'foo 5' | $postmap -w -r -i hash:table; echo 'foo 6' | $postmap -r -w -i hash:table; $postmap -q foo hash:table"
check 'without NUL' 0 '' "$postmap" -n hash:table
check 'without NUL, found' 0 'bar' "$postmap" -q foo hash:table
check 'without NUL, not with -N' 1 '' "$postmap" -N -q foo hash:table
check 'with NUL' 0 '' "$postmap" -N hash:table
check 'with NUL, not with -n' 1 '' "$postmap" -n -q foo hash:table
check 'keep case' 0 '' "$postmap" -f hash:table
check 'kept case' 0 'bar' "$postmap" -f -q Foo hash:table
check 'btree' 0 '' "$postmap" btree:table
check 'btree, found' 0 'bar' "$postmap" -q foo btree:table
check 'a btree is no hash' 1 '' "$postmap" -q foo hash:table
check 'a btree becomes a hash' 0 '' "$postmap" hash:table

printf 'bad\nxxx: yyy\n"q r\na b\nA c\n' >odd
check 'odd lines' 0 '' "$postmap" hash:odd
said 'no value' 'postmap: warning: odd, line 1: expected format: key whitespace value'
said 'aliases' 'postmap: warning: odd, line 2: record is in "key: value" format'
said 'unbalanced quote' "postmap: warning: odd, line 3: unbalanced '\"' in '\"q r'"
said 'duplicate' 'odd, line 5: duplicate entry: "A"'
check 'odd lines left the rest' 0 'b' "$postmap" -q a hash:odd

chmod 640 odd
rm -f odd.db
check 'permissions' 0 'rw-r-----' sh -c "$postmap hash:odd 2>/dev/null; ls -l odd.db | cut -c2-10"
chmod 644 odd.db
check 'permissions stay' 0 'rw-r--r--' sh -c "$postmap hash:odd 2>/dev/null; ls -l odd.db | cut -c2-10"
rm -f odd.db
check 'default permissions' 0 'rw-r--r--' \
    sh -c "$postmap -p hash:odd 2>/dev/null; ls -l odd.db | cut -c2-10"

mkdir config
printf 'default_database_type = btree\n' >config/main.cf
check 'default type' 0 '' "$postmap" -c config table
check 'default type is used' 0 'bar' "$postmap" -q foo btree:table
check 'MAIL_CONFIG' 0 'bar' env MAIL_CONFIG=config "$postmap" -q foo table
check 'usage' 1 '' "$postmap" -X
check 'no table' 1 '' "$postmap"
check 'two modes' 1 '' "$postmap" -q a -d b hash:table
said 'two modes' 'specify only one of -d -i -q or -s'

cat >message <<'END'
From: a@b
Subject: hello
	folded
Content-Type: multipart/mixed; boundary="xx"

preamble
--xx
Content-Type: text/plain

From: not a header
--xx
Content-Type: message/rfc822

X-Inner: 1

inner
--xx--
end
END
echo '/^/ match' >all
check 'header of a message' 0 'From: a@b	match
Subject: hello
	folded	match
Content-Type: multipart/mixed; boundary="xx"	match' \
    sh -c "$postmap -h -q - regexp:all <message"
check 'headers inside it' 0 '6' sh -c "$postmap -hm -q - regexp:all <message | grep -c :"
check 'body of a message' 0 '14' sh -c "$postmap -b -q - regexp:all <message | wc -l"
check 'body without headers inside it' 0 '0' \
    sh -c "$postmap -bm -q - regexp:all <message | grep -c 'Content-Type\|X-Inner'; true"
check 'message keys are for queries' 1 '' "$postmap" -b -q x regexp:all
check '-m is for queries' 1 '' "$postmap" -m -q x regexp:all
said 'message keys are for queries' 'specify -b -h or -m only with'
printf 'first\n' >one && printf 'second' >two && printf 'both one, two\nnone three\n' >files
check 'values that are files' 1 '' "$postmap" -F hash:files
said 'values that are files' 'files, line 2: open three: No such file'
printf 'both one, two\n' >files
check 'values that are files, all there' 0 '' "$postmap" -F hash:files
check 'kept in base64' 0 'Zmlyc3QKCnNlY29uZA==' "$postmap" -q both hash:files
check 'decoded' 0 'first

second' "$postmap" -F -q both hash:files
for table in texthash:files 'inline:{ { both = one, two } }' 'static:{one, two}' 'regexp:{ {/^both$/ one, two} }'; do
    check "files that ${table%%:*} names" 0 'first

second' "$postmap" -F -q both "$table"
done
check 'a file that is missing' 1 '' "$postmap" -F -q x 'static:absent'
said 'a file that is missing' 'fatal: table static:absent: key x: open absent: No such file'
check 'JSON' 0 '{"both": "Zmlyc3QKCnNlY29uZA=="}' "$postmap" -j -q both hash:files
for type in cdb lmdb; do
    echo "k \"v\"" >constant
    if "$postmap" $type:constant 2>/dev/null; then
        check "$type" 0 '{"k": "\"v\""}' "$postmap" -js $type:constant
    else
        count=$((count + 1))
        echo "ok $count - $type # SKIP not of this build"
    fi
done

# Readers while it is rebuilt over and over: every answer is the right one.
awk 'BEGIN { for (i = 0; i < 3000; i++) print "key" i, "value" }' >busy
"$postmap" hash:busy
(for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do "$postmap" hash:busy || exit 1; done) &
builder=$!
wrong=0
rounds=0
while kill -0 "$builder" 2>/dev/null; do
    rounds=$((rounds + 1))
    [ "$("$postmap" -q key2999 hash:busy)" = value ] || wrong=$((wrong + 1))
done
wait "$builder" || wrong=builder
check "readers during rebuilds ($rounds)" 0 '0' echo "$wrong"
check 'no copy stays behind' 0 '' sh -c 'ls | grep tmp; true'

# What a power cut leaves is the old table or the new one.
echo 'a b' >order
if strace -q -o trace -e trace=fsync,rename "$postmap" hash:order 2>errors; then
    check 'the file is on disk before it has its name' 0 'fsync rename' \
        sh -c "sed -n 's/^\([a-z]*\)(.*/\1/p' trace | grep -A1 fsync | tail -2 | xargs"
else
    count=$((count + 1))
    echo "ok $count - the file is on disk before it has its name # SKIP strace does not work here"
fi

if [ "$(id -u)" = 0 ]; then
    mkdir -m 755 theirs && chown nobody theirs && cp table theirs && chown nobody theirs/table
    chmod 755 "$work"
    check "somebody else's source" 0 'nobody' \
        sh -c "$postmap hash:theirs/table && stat -c %U theirs/table.db"
    check 'with -o as root' 0 'root' \
        sh -c "rm theirs/table.db; $postmap -o hash:theirs/table && stat -c %U theirs/table.db"
    chown root theirs && rm -f theirs/table.db
    check 'not in a directory that the owner may not write' 1 '' "$postmap" hash:theirs/table
else
    for name in "somebody else's source" 'with -o as root' 'not in a foreign directory'; do
        count=$((count + 1))
        echo "ok $count - $name # SKIP needs root"
    done
fi

theirs="$POSTFIX_ROOT/usr/sbin/postmap"
if [ -n "$POSTFIX_ROOT" ] && [ -x "$theirs" ]; then
    mkdir postfix
    printf '%s\n' 'compatibility_level = 3.6' 'mail_owner = games' 'setgid_group = mail' \
        >postfix/main.cf
    postfix() { LD_LIBRARY_PATH="$POSTFIX_ROOT/usr/lib/postfix" "$theirs" -c postfix "$@"; }
    cat >both <<'END'
# every kind of line
plain value
UPPER Case Kept
"quoted key"@example.org	value with  spaces
cont one
  two
# between

	three
esc\ aped x
dup 1
dup 2
@example.net	all
END
    cp both ours
    "$postmap" hash:ours 2>/dev/null
    postfix hash:both 2>/dev/null
    check 'the same content' 0 "$(postfix -s hash:both | sort)" sorted "$postmap" -s hash:ours
    check 'Postfix reads ours' 0 "$(postfix -s hash:both | sort)" sorted postfix -s hash:ours
    check 'we read theirs' 0 "$(postfix -s hash:both | sort)" sorted "$postmap" -s hash:both
    # all but the file's unique identity, which also shows in unused parts of pages
    check 'the same pages' 0 '' \
        sh -c "cmp -l ours.db both.db | awk '(\$1 - 1) % 4096 < 52 || (\$1 - 1) % 4096 > 71'"
    for options in -h -b -hm -bm -hbm; do
        check "message keys, $options" 0 "$(postfix $options -q - regexp:all <message)" \
            sh -c "$postmap $options -q - regexp:all <message"
    done
    check 'Postfix adds to ours' 0 'y' \
        sh -c 'echo "x y" | LD_LIBRARY_PATH="$POSTFIX_ROOT/usr/lib/postfix" "$0" -c postfix -i hash:ours && "$1" -q x hash:ours' \
        "$theirs" "$postmap"
    check 'we add to theirs' 0 'y' \
        sh -c 'echo "x y" | "$1" -i hash:both && LD_LIBRARY_PATH="$POSTFIX_ROOT/usr/lib/postfix" "$0" -c postfix -q x hash:both' \
        "$theirs" "$postmap"
else
    count=$((count + 1))
    echo "ok $count - beside Postfix's postmap # SKIP POSTFIX_ROOT names no unpacked package"
fi
echo "1..$count"
exit $failed
