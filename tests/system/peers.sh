#!/bin/sh
# tests/system/peers.sh NAME... - make sure that other people's servers are there to test against:
# "postfix", "unbound", "exim", "opensmtpd", "dovecot" and "aiosmtpd" of Debian. They are downloaded
# and unpacked in a cache outside the tree ($POSTHOUSE_PEERS, or posthouse-peers in the user's cache
# directory) and never installed: no service starts, no user is made, /etc is not touched. Prints
# one NAME=ROOT line each; programs run from there with
# LD_LIBRARY_PATH=ROOT/usr/lib/TRIPLET:ROOT/lib/TRIPLET.
set -eu
cache=${POSTHOUSE_PEERS:-${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/posthouse-peers}

# Each with the libraries that a bare Debian lacks; the rest comes with the build's packages.
packages_of() {
    case $1 in
    postfix) echo postfix libicu72 libnsl2 libsasl2-2 libtirpc3 libdb5.3 libssl3 ;;
    unbound) echo unbound libevent-2.1-7 libnghttp2-14 libprotobuf-c1 libpython3.11 libexpat1 libssl3 libsystemd0 ;;
    exim) echo exim4-daemon-light exim4-base libidn12 libgnutls-dane0 libgnutls30 libunbound8 libnsl2 libtirpc3 libdb5.3 libevent-2.1-7 libnghttp2-14 libprotobuf-c1 ;;
    opensmtpd) echo opensmtpd libdb5.3 libevent-2.1-7 libssl3 ;;
    dovecot) echo dovecot-core dovecot-lmtpd libapparmor1 libexttextcat-2.0-0 libicu72 liblua5.4-0 libsodium23 libstemmer0d libtirpc3 libunwind8 libwrap0 libssl3 ;;
    aiosmtpd) echo python3-aiosmtpd python3-public python3-attr ;;
    *)
        echo "peers.sh: no peer is called $1" >&2
        return 1
        ;;
    esac
}

for name; do
    packages=$(packages_of "$name")
    root=$cache/$name
    if [ ! -e "$root/.complete" ]; then
        rm -rf "$root" "$cache/download.$$"
        mkdir -p "$root" "$cache/download.$$"
        (
            cd "$cache/download.$$"
            # shellcheck disable=SC2086
            apt-get download -q $packages || { apt-get update -q && apt-get download -q $packages; }
        ) >&2
        for package in "$cache/download.$$"/*.deb; do
            dpkg -x "$package" "$root"
        done
        rm -rf "$cache/download.$$"
        touch "$root/.complete"
    fi
    echo "$name=$root"
done
