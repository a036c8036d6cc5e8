#!/bin/sh
# tests/layers_test - the include lines point downwards only.
# A folder of lib/ includes itself and folders of lower layers, never a sibling or a higher one;
# layers 0-3 include no header that makes system calls; a daemon's folder includes any layer and
# its own files by bare name, never another daemon's. One TAP line per folder.
set -eu
: "${top_srcdir:=$(cd "$(dirname "$0")/.." && pwd)}"
cd "$top_srcdir"

# layer folder...
table='
0 base
1 address sasl
2 smtp pop3 mime dnswire queuefile password
3 imap dsn mailauth sieve mtasts tlsrpt
4 system
5 sandbox conf ipc queuestore
6 crew maillog
7 table tls dns addr limit connect fetch sts report
8 milter mailbox auth
9 intake agent
10 smtpsession service
11 smtpserver
'
daemons='master smtpd submitd addrd dnsd limitd connectd keyd authd fetchd stsd reportd qmgr smtp local error bounce verify pickup logd
imapd pop3d mboxd tools bench'

# Headers through which code reaches the system; pure layers do without them.
system_headers='unistd.h fcntl.h poll.h signal.h dirent.h netdb.h pthread.h spawn.h sched.h syslog.h
pwd.h grp.h sys/socket.h sys/stat.h sys/mman.h sys/un.h sys/wait.h sys/time.h sys/resource.h
sys/epoll.h sys/ioctl.h sys/file.h sys/prctl.h sys/syscall.h sys/sendfile.h sys/random.h
sys/timerfd.h sys/eventfd.h event2/event.h seccomp.h ares.h'

folders=
for folder in lib/*/; do
    folders="$folders ${folder%/}"
done
for daemon in $daemons; do
    [ ! -d "$daemon" ] || folders="$folders $daemon"
done

number=0
status=0
for folder in $folders; do
    files=$(find "$folder" -name '*.[ch]' -o -name '*.def' | sort)
    number=$((number + 1))
    if [ -z "$files" ]; then
        echo "ok $number - $folder is empty"
        continue
    fi
    # The files are this repository's own: no blanks in their names.
    # shellcheck disable=SC2086
    if output=$(awk -v folder="$folder" -v table="$table" -v system_headers="$system_headers" '
        BEGIN {
            rows = split(table, row, "\n")
            for (i = 1; i <= rows; i++) {
                fields = split(row[i], field, " ")
                for (j = 2; j <= fields; j++) layer[field[j]] = field[1]
            }
            count = split(system_headers, header, "[ \n]+")
            for (i = 1; i <= count; i++) is_system[header[i]] = 1
            in_lib = folder ~ /^lib\//
            own = folder
            sub(/^lib\//, "", own)
            if (in_lib && !(own in layer)) {
                print "# " folder " stands in no layer"
                failed = 1
            }
        }
        function complain(reason) {
            print "# " FILENAME ":" FNR ": includes " name ": " reason
            failed = 1
        }
        /^[ \t]*#[ \t]*include[ \t]*</ {
            name = $0
            sub(/^[^<]*</, "", name)
            sub(/>.*/, "", name)
            if (in_lib && layer[own] <= 3 && (name in is_system))
                complain("layers 0-3 only compute")
        }
        /^[ \t]*#[ \t]*include[ \t]*"/ {
            name = $0
            sub(/^[^"]*"/, "", name)
            sub(/".*/, "", name)
            if (name == "config.h") next
            if (index(name, "/") == 0) {
                if (in_lib) complain("lib names the folder: \"" own "/" name "\"")
                else if ((getline line < (folder "/" name)) < 0) complain("no such file in " folder)
                next
            }
            target = name
            sub(/\/.*/, "", target)
            if (target == ".." || name ~ /\/\.\.\//) complain("no path upwards")
            else if (!(target in layer)) complain(target " is no folder of lib")
            else if (in_lib && target != own && layer[target] + 0 >= layer[own] + 0)
                complain(target " is layer " layer[target] ", " own " is layer " layer[own])
        }
        END { exit failed }' $files); then
        echo "ok $number - $folder includes only what lies below"
    else
        echo "not ok $number - $folder includes only what lies below"
        printf '%s\n' "$output"
        status=1
    fi
done
echo "1..$number"
exit $status
