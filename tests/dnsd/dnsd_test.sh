#!/bin/sh
# tests/dnsd/dnsd_test.sh - run dnsd_test before Unbound, on a port of loopback.
# Without the network to fetch Unbound from, and none fetched before, the tests are skipped.
set -eu
: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}"
: "${top_builddir:=.}"

if ! found=$("$top_srcdir/tests/system/peers.sh" unbound 2>/dev/null); then
    exec "$top_builddir/tests/dnsd/dnsd_test"
fi
root=${found#unbound=}
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT

# A label of 40 bytes that take four characters each.
long=$(printf '%40s' '' | sed 's/ /\\001/g')

# Unbound takes a port only as a number: try some until one is free.
start() {
    cat >"$work/unbound.conf" <<END
server:
    interface: 127.0.0.1@$1
    access-control: 127.0.0.0/8 allow
    chroot: ""
    username: ""
    directory: "$work"
    pidfile: ""
    use-syslog: no
    logfile: "$work/log"
    do-daemonize: no
    num-threads: 1
    module-config: "iterator"
    do-not-query-localhost: no
    local-zone: "2.0.192.in-addr.arpa." static
    local-zone: "ip6.arpa." static
    local-zone: "test." static
    local-data: "test. 60 IN SOA ns.test. root.test. 1 60 60 60 60"
    local-data: "plain.test. 60 IN MX 10 mx.plain.test."
    local-data: "mx.plain.test. 60 IN A 127.0.0.2"
    local-zone: "long.test." redirect
    local-data: "long.test. 60 IN CNAME $long.$long.$long.far.test."
    local-data: "several.test. 60 IN MX 20 b.several.test."
    local-data: "several.test. 60 IN MX 30 c.several.test."
    local-data: "several.test. 60 IN MX 10 a.several.test."
    local-data: "a.several.test. 60 IN A 192.0.2.1"
    local-data: "a.several.test. 60 IN A 192.0.2.2"
    local-data: "a.several.test. 60 IN AAAA 2001:db8::1"
    local-data: "nullmx.test. 60 IN MX 0 ."
    local-zone: "alias.test." redirect
    local-data: "alias.test. 60 IN CNAME mx.plain.test."
    local-data: "_25._tcp.mx.plain.test. 60 IN TLSA 3 1 1 0102030405060708091011121314151617181920212223242526272829303132"
    local-data: "_smtp._tcp.plain.test. 60 IN SRV 1 2 25 mx.plain.test."
    local-data: 'text.test. 60 IN TXT "v=spf1 include:plain.test" " -all"'
    local-data: "10.2.0.192.in-addr.arpa. 60 IN PTR mx.client.test."
    local-data: "11.2.0.192.in-addr.arpa. 60 IN PTR liar.client.test."
    local-data: "13.2.0.192.in-addr.arpa. 60 IN PTR not\\032a\\032host.client.test."
    local-data: "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 60 IN PTR mx.client.test."
    local-data: "mx.client.test. 60 IN A 192.0.2.10"
    local-data: "mx.client.test. 60 IN AAAA 2001:db8::10"
    local-data: "liar.client.test. 60 IN A 192.0.2.99"
forward-zone:
    name: "far.test."
    forward-addr: 127.0.0.1@$1
forward-zone: # where an alias leads is asked like anything else
    name: "mx.plain.test."
    forward-addr: 127.0.0.1@$1
forward-zone:
    name: "."
    forward-addr: 127.0.0.1@9
remote-control:
    control-enable: no
END
    triplet=$(gcc -print-multiarch 2>/dev/null || echo x86_64-linux-gnu)
    LD_LIBRARY_PATH="$root/usr/lib/$triplet:$root/lib/$triplet" \
        "$root/usr/sbin/unbound" -d -c "$work/unbound.conf" 2>"$work/errors" &
    server=$!
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        kill -0 "$server" 2>/dev/null || return 1
        grep -q 'start of service' "$work/log" 2>/dev/null && return 0
        sleep 0.1
    done
    return 1
}

base=$((20000 + $$ % 10000))
for offset in 0 1 2 3 4 5 6 7 8 9; do
    port=$((base + offset))
    if start "$port"; then
        status=0
        POSTHOUSE_TEST_DNS_PORT=$port "$top_builddir/tests/dnsd/dnsd_test" || status=$?
        exit $status
    fi
    server=
done
echo "1..0"
echo "Bail out! Unbound does not start: $(cat "$work/errors")"
exit 1
