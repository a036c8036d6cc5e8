#!/bin/sh
# tests/system/peers.sh NAME... - make sure that other people's servers are there to test against:
# "postfix", "unbound", "nsd", "exim-heavy", "opensmtpd", "dovecot", "aiosmtpd", "mailman", "fail2ban", "postgresql",
# "mariadb", "slapd" and "maildrop" of Debian; and "libetpan", whose -dev package wants another libcurl than ours.
# They are downloaded and unpacked in a cache outside the tree ($POSTHOUSE_PEERS, or posthouse-peers in the user's cache
# directory) and never installed: no service starts, no user is made, /etc is not touched. Prints
# one NAME=ROOT line each; programs run from there with
# LD_LIBRARY_PATH=ROOT/usr/lib/TRIPLET:ROOT/lib/TRIPLET.
set -eu
cache=${POSTHOUSE_PEERS:-${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/posthouse-peers}

# Each with the libraries that a bare Debian lacks; the rest comes with the build's packages.
packages_of() {
    case $1 in
    postfix) echo postfix postfix-pcre libicu72 libnsl2 libsasl2-2 libtirpc3 libdb5.3 libssl3 ;;
    unbound) echo unbound libevent-2.1-7 libnghttp2-14 libprotobuf-c1 libpython3.11 libexpat1 libssl3 libsystemd0 ;;
    nsd) echo nsd ldnsutils libldns3 libpcap0.8 libevent-2.1-7 libfstrm0 libprotobuf-c1 libssl3 libsystemd0 ;;
    exim-heavy) echo exim4-daemon-heavy exim4-base libidn12 libgnutls-dane0 libgnutls30 libunbound8 libnsl2 libtirpc3 libdb5.3 libevent-2.1-7 libnghttp2-14 libprotobuf-c1 libspf2-2 libldap-2.5-0 libmariadb3 libpcre2-8-0 libperl5.36 libpq5 libsasl2-2 libsqlite3-0 ;;
    opensmtpd) echo opensmtpd libdb5.3 libevent-2.1-7 libssl3 ;;
    dovecot) echo dovecot-core dovecot-lmtpd libapparmor1 libexttextcat-2.0-0 libicu72 liblua5.4-0 libsodium23 libstemmer0d libtirpc3 libunwind8 libwrap0 libssl3 ;;
    aiosmtpd) echo python3-aiosmtpd python3-public python3-attr ;;
    fail2ban) echo fail2ban ;;
    libetpan) echo libetpan-dev libetpan20 libcurl3-gnutls libexpat1 libgnutls30 liblockfile1 libsasl2-2 ;;
    postgresql) echo postgresql-15 postgresql-client-15 libpq5 ;;
    mariadb) echo mariadb-server mariadb-server-core liburing2 libaio1 ;;
    slapd) echo slapd libltdl7 libodbc2 libwrap0 libldap-2.5-0 libsasl2-2 libargon2-1 ;;
    maildrop) echo maildrop libcourier-unicode4 courier-authlib libgdbm6 libpcre3 libltdl7 ;;
    mailman) echo mailman3 python3-aiosmtpd python3-alembic python3-attr python3-authheaders python3-authres python3-certifi python3-cffi-backend python3-chardet python3-charset-normalizer python3-click python3-colorama python3-dateutil python3-dkim python3-dnspython python3-falcon python3-flufl.bounce python3-flufl.i18n python3-flufl.lock python3-greenlet python3-gunicorn python3-idna python3-importlib-metadata python3-importlib-resources python3-lazr.config python3-lazr.delegates python3-mako python3-markupsafe python3-mimeparse python3-more-itertools python3-nacl python3-passlib python3-pkg-resources python3-psutil python3-public python3-publicsuffix2 python3-requests python3-setuptools python3-six python3-sqlalchemy python3-typing-extensions python3-urllib3 python3-zipp python3-zope.component python3-zope.configuration python3-zope.event python3-zope.hookable python3-zope.i18nmessageid python3-zope.interface python3-zope.schema ;;
    *)
        echo "peers.sh: no peer is called $1" >&2
        return 1
        ;;
    esac
}

mkdir -p "$cache"
exec 9>"$cache/lock" # another run may be unpacking them just now
flock 9
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
