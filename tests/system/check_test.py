"""What posthouse check, start and reload tell an operator about main.cf and master.cf."""

import os
import re
import socket
import subprocess

import pytest

MASTER_CF_OF_DEBIAN = """\
cleanup   unix  n       -       y       -       0       cleanup
tlsmgr    unix  -       -       y       1000?   1       tlsmgr
rewrite   unix  -       -       y       -       -       trivial-rewrite
defer     unix  -       -       y       -       0       bounce
trace     unix  -       -       y       -       0       bounce
verify    unix  -       -       y       -       1       verify
flush     unix  n       -       y       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
proxywrite unix -       -       n       -       1       proxymap
showq     unix  n       -       y       -       -       showq
lmtp      unix  -       -       y       -       -       lmtp
anvil     unix  -       -       y       -       1       anvil
scache    unix  -       -       y       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
maildrop  unix  -       n       n       -       -       pipe
  flags=DRXhu user=vmail argv=/usr/bin/maildrop -d ${recipient}
"""


def check(one):
    done = one.run("posthouse", "check")
    return done.returncode, done.stderr.splitlines()


def add(one, name, text):
    path = one.etc / name
    path.write_text(path.read_text() + text)
    return len(path.read_text().splitlines())


def has_line(lines, pattern):
    return any(re.search(pattern, line) for line in lines)


# Added as the last line of main.cf; LINE stands for its number.
FATAL = [
    ("smtpd_recipient_limit = many", r"main\.cf, line LINE: smtpd_recipient_limit = many: a number of 1 or more"),
    ("maximal_queue_lifetime = 5y", r"main\.cf, line LINE: maximal_queue_lifetime = 5y: a time from 0s to 7776000s"),
    ("smtpd_helo_required = 1", r"main\.cf, line LINE: smtpd_helo_required = 1: yes or no is allowed"),
    ("notify_classes = bounces", r'main\.cf, line LINE: notify_classes = bounces: words of .* not "bounces"'),
    ("mynetworks = 192.0.2.1/24", r'main\.cf, line LINE: mynetworks = 192\.0\.2\.1/24: "192\.0\.2\.1/24" is no network'),
    ("relayhost = ${relay", r"main\.cf, line LINE: relayhost = \$\{relay: '\}' is missing"),
    ("relayhost = $relayhost", r"main\.cf, line LINE: relayhost = \$relayhost: \$relayhost refers to itself"),
    ("transport_maps = nonsense:/x", r"main\.cf, line LINE: transport_maps: nonsense:/x: unsupported dictionary type"),
    ("smtpd_milters = inet:localhost:8891", r"main\.cf, line LINE: smtpd_milters = .*: this release cannot do that"),
    ("smtpd_tls_security_level = demand", r"main\.cf, line LINE: smtpd_tls_security_level = demand: one of none"),
    ("smtpd_tls_protocols = >=TLS1.2", r'main\.cf, line LINE: smtpd_tls_protocols: unknown word ">=TLS1\.2": '),
    ("smtpd_tls_exclude_ciphers = !RC4", r'main\.cf, line LINE: smtpd_tls_exclude_ciphers: unknown word "!RC4": '),
    ("tls_ssl_options = NO_TICKETS", r'main\.cf, line LINE: tls_ssl_options: unknown word "NO_TICKETS": '),
    ("smtpd_relay_restrictions = permit_mynetworks, warn_if_reject reject",
     r"master\.cf, line \d+: \S+ would relay for everybody: smtpd_relay_restrictions or "),
    ("smtpd_relay_restrictions = permit_mynetworks, reject_rbl_client bl.example",
     r"main\.cf, line LINE: smtpd_relay_restrictions = .*: this release cannot do .reject_rbl_client."),
    ("a line that is none", r'main\.cf, line LINE: expected "name = value"'),
    ("myhostname = two words", r"main\.cf, line LINE: myhostname = two words: this is no host name"),
    ("myorigin = /etc/mailname", r"main\.cf, line LINE: myorigin = /etc/mailname: a domain name is needed, not a file"),
    ("queue_directory = spool", r"main\.cf, line LINE: queue_directory = spool: a path from / on is allowed"),
    ("maillog_file = /elsewhere/log", r"main\.cf, line LINE: maillog_file = /elsewhere/log: the file must be below one of"),
    ("maillog_file_permissions = 999", r"main\.cf, line LINE: maillog_file_permissions = 999: a mode of "),
    ("compatibility_level = new", r"main\.cf, line LINE: compatibility_level = new: a level is numbers"),
    ("relayhost = [192.0.2.1", r'main\.cf, line LINE: relayhost = \[192\.0\.2\.1: "\[192\.0\.2\.1" is no next hop'),
    ("smtp_bind_address = eth0", r"main\.cf, line LINE: smtp_bind_address = eth0: an IPv4 address is allowed"),
    ("smtp_bind_address6 = 192.0.2.1", r"main\.cf, line LINE: smtp_bind_address6 = 192\.0\.2\.1: an IPv6 address is"),
    ("tlsrpt_contact_info = postmaster", r'main\.cf, line LINE: tlsrpt_contact_info = postmaster: an address is allowed'),
    ("auth_oauth2_introspection_url = http://login.example/", r'auth_oauth2_introspection_url = http:.*: https://HOST/PATH '),
    ("dns_servers = 192.0.2.1:53, 192.0.2", r'main\.cf, line LINE: dns_servers = .*: "192\.0\.2" is no resolver'),
    ("smtpd_reject_footer = ${client", r"main\.cf, line LINE: smtpd_reject_footer = \$\{client: '\}' is missing"),
    ("smtp_tcp_port = 70000", r"main\.cf, line LINE: smtp_tcp_port = 70000: no port has this name"),
    ("lmtp_tcp_port = nosuch", r"main\.cf, line LINE: lmtp_tcp_port = nosuch: no port has this name"),
    ("virtual_uid_maps = static:vmail", r"main\.cf, line LINE: virtual_uid_maps = static:vmail: static: and a number"),
    ("local_header_rewrite_clients = permit_mynetwork", r'main\.cf, line LINE: .*: unknown word "permit_mynetwork"'),
    ("smtpd_recipient_restrictions = permit_mynetworks, reject_unknown_client",
     r'main\.cf, line LINE: .*: this release cannot do "reject_unknown_client"'),
    ("smtpd_client_event_limit_exceptions = 192.0.2.1/99", r"main\.cf, line LINE: .*192\.0\.2\.1/99: is no name, address"),
    ("bounce_template_file = /does/not/exist", r"main\.cf, line LINE: bounce_template_file /does/not/exist: No such"),
    ("forward_path = ${home", r"main\.cf, line LINE: forward_path = \$\{home: '\}' is missing"),
    ("allow_mail_to_commands = everywhere", r"main\.cf, line LINE: .*: words of alias\|forward\|include are allowed"),
    ("smtp_pix_workarounds = all", r"main\.cf, line LINE: .*: words of disable_esmtp\|delay_dotcrlf are allowed"),
    ("mailbox_delivery_lock = lockf", r"main\.cf, line LINE: .*: words of fcntl\|flock\|dotlock are allowed"),
    ("lmtp_header_checks = pcre:/x", r"main\.cf, line LINE: lmtp_header_checks = pcre:/x: this release cannot do that"),
    ("auth_databases = passwdfile:/etc/users", r"main\.cf, line LINE: auth_databases: passwdfile: no password database "
     r"is called so; these are allowed: passwd-file static shadow"),
    ("auth_databases = passwd-file:users", r"main\.cf, line LINE: auth_databases: passwd-file:users: the path of a file "),
    ("auth_databases = static:bob", r"main\.cf, line LINE: auth_databases: static: user:password is needed"),
    ("auth_databases = shadow:/etc/shadow", r"main\.cf, line LINE: auth_databases: shadow:/etc/shadow: nothing is allowed"),
    ("auth_mechanisms = plain, scram", r"main\.cf, line LINE: auth_mechanisms: scram: no SASL mechanism is called so; "
     r"these are allowed: .*SCRAM-SHA-256"),
    ("message_size_limit = 10M", r"main\.cf, line LINE: message_size_limit = 10M: a number of 0 or more is allowed, "
     r"written out, without a unit"),
    ("smtpd_recipient_limit = 99999999999", r"main\.cf, line LINE: .* = 99999999999: a number from 1 to [0-9]+ is allowed"),
    ("mynetworks = hash:/etc/networks", r'main\.cf, line LINE: .*: "hash:/etc/networks": networks cannot be in a table of '
     r"this type; networks, files of them as /file, and cidr:/file are allowed"),
    ("smtpd_recipient_restrictions = permit_mynetwork, reject_unauth_destination",
     r'main\.cf, line LINE: .*: "permit_mynetwork" is no restriction; did you mean permit_mynetworks\?'),
    ("smtpd_recipient_restrictions = permit_mynetworks; reject_unauth_destination",
     r'main\.cf, line LINE: .*: "permit_mynetworks;" is no restriction; did you mean permit_mynetworks\?'),
    ("smtpd_helo_restrictions = our_own_rules",
     r'main\.cf, line LINE: .*: "our_own_rules" is no restriction: words as permit_mynetworks and '),
    ("virtual_alias_maps = /etc/virtual", r"main\.cf, line LINE: virtual_alias_maps: .*: write hash:/etc/virtual if postmap"),
    ("virtual_alias_maps = HASH:/etc/virtual", r"main\.cf, line LINE: .*: unsupported dictionary type: HASH; did you mean hash"),
    ("virtual_alias_maps = regex:/etc/virtual", r"main\.cf, line LINE: .* type: regex; did you mean regexp\?"),
    ("virtual_alias_maps = mysql:/etc/virtual", r"main\.cf, line LINE: .* type: mysql; these are allowed: btree .* unix"),
    ("virtual_alias_maps = hash:", r"main\.cf, line LINE: .*: what follows the colon is missing, or a space is before it"),
    ("relayhost = smtp.example.com 587", r'main\.cf, line LINE: relayhost = .*: "587" is no next hop: host, \[host\], host:'),
    ("relayhost = smtp.example.com:smtps2", r'main\.cf, line LINE: relayhost = .*: "smtp.example.com:smtps2" is no next hop'),
    ("relayhost = user@relay.example", r'main\.cf, line LINE: relayhost = .*: "user@relay.example" is no next hop'),
    ("relayhost = [relay.example]:587:x", r'main\.cf, line LINE: relayhost = .* is no next hop'),
    ("debug_peer_list = 192.0.2.1/99", r"main\.cf, line LINE: debug_peer_list: 192\.0\.2\.1/99: is no name, address"),
    ("auth_socket_owner = nosuchuser", r"main\.cf, line LINE: auth_socket_owner = .*: there is no user nosuchuser: user, user:"),
    ("auth_socket_mode = 9", r"main\.cf, line LINE: auth_socket_mode = 9: a mode of three or four octal digits is allowed"),
    ("auth_oauth2_keys = /does/not/exist", r"main\.cf, line LINE: auth_oauth2_keys = .*: No such file or directory: correct"),
    ("auth_username_format = %Q", r"main\.cf, line LINE: auth_username_format = %Q: %u, %n, %d and %% are allowed"),
    ("smtp_tls_fingerprint_digest = md6", r"main\.cf, line LINE: smtp_tls_fingerprint_digest = md6: no digest is called so"),
    ("smtp_tls_trust_anchor_file = /does/not/exist", r"main\.cf, line LINE: .*: /does/not/exist: No such file or directory:"),
    ("smtp_tls_CAfile = /does/not/exist", r"main\.cf, line LINE: smtp_tls_CAfile = .*: No such file or directory: correct"),
    ("smtp_tls_CAfile = /etc/passwd", r"main\.cf, line LINE: smtp_tls_CAfile = /etc/passwd: no certificate is in it"),
    ("mailbox_quota = 10 MB", r"main\.cf, line LINE: mailbox_quota = 10 MB: bytes and S, messages and C are allowed, as in 100"),
    ("maps_rbl_domains = rbl.test", r"main\.cf, line LINE: maps_rbl_domains = .*: this release cannot do"),
]


@pytest.mark.parametrize("text, complaint", FATAL, ids=[row[0].split(" =")[0] for row in FATAL])
def test_mistakes_stop_a_start(make_instance, text, complaint):
    one = make_instance("here")
    line = add(one, "main.cf", text + "\n")
    status, lines = check(one)
    pattern = "^posthouse: fatal: .*" + complaint.replace("LINE", str(line))
    assert status == 1 and has_line(lines, pattern), lines
    assert sum(bool(re.search(pattern, said)) for said in lines) == 1, "said once"
    assert len([said for said in lines if "fatal" in said]) == 1, "what follows from it is not said"
    started = one.run("posthouse", "start")
    assert started.returncode == 1 and has_line(started.stderr.splitlines(), pattern)
    assert one.run("posthouse", "status").returncode == 1


WARNINGS = [
    ("mynetwork = 192.0.2.0/24", r"unused parameter: mynetwork=192\.0\.2\.0/24; did you mean mynetworks\?"),
    ("smtpd_reciepient_limit = 5", r"unused parameter: .*; did you mean smtpd_recipient_limit\?"),
    ("smtp_destination_rate_dealy = 5", r"unused parameter: .*; did you mean smtp_destination_rate_delay\?"),
    ("relayhost = $mydomian", r"undefined parameter: mydomian; did you mean mydomain\?"),
    ("gone_destination_rate_delay = 5", r"unused parameter: gone_destination_rate_delay=5"),
    ("reset_owner_alias = yes", r"reset_owner_alias = yes: has no effect in this release"),
    ("readme_directory = /usr/share/doc/postfix", r"readme_directory = .*: has no effect in this release"),
    ("relay_domains = hash:/does/not/exist", r"relay_domains: hash:/does/not/exist: open /does/not/exist\.db: No such"),
    ("queue_run_delay = 1s", r"queue_run_delay = 1s: has no effect in this release"),
    ("local_transport = nowhere", r'local_transport = nowhere: master\.cf has no service "nowhere" that delivers mail'),
    ("virtual_transport = lmtp:unix:x", r'virtual_transport = lmtp:unix:x: master\.cf has no service "lmtp"'),
    ("forward_path = $hme/.forward", r"forward_path = .*: \$hme stands for nothing here: home, shell"),
    ("default_privs = nosuchuser", r"default_privs = nosuchuser: there is no such user"),
    ("default_privs = root", r"default_privs = root: nothing is done as root"),
    ("mailbox_size_limit = 5", r"message_size_limit = 10240000 is more than mailbox_size_limit = 5: mail that is taken"),
    ("smtp_tls_security_level = dane", r"without smtp_dns_support_level = dnssec there is no DANE"),
    ("smtp_tls_security_level = secure", r"smtp_tls_security_level = secure: no authority is trusted"),
    ("smtp_tls_security_level = fingerprint", r"no fingerprint is given, so that no server is good enough"),
    ("minimal_backoff_time = 2h", r"minimal_backoff_time = 2h is more than maximal_backoff_time = 4000s"),
    ("parent_domain_matches_subdomains = all", r'"all" is no parameter whose list has parents of domains'),
    ("master_service_disable = smpt/inet", r"master_service_disable: smpt/inet leaves no service out"),
    ("transport_maps = texthash:/etc", r"transport_maps: texthash:/etc: open /etc: Is a directory"),
    ("transport_maps = hash:/does/not/exist", r"No such file or directory; postmap hash:/does/not/exist makes it"),
    ("auth_databases = passwd-file:/does/not/exist", r"auth_databases: passwd-file:/does/not/exist: "
     r"open /does/not/exist: No such file or directory; its users are told to try later"),
    ("smtpd_banner = ESMTP # of ours", r'smtpd_banner: the value goes on after "#", which begins a comment only at the start'),
    ("relay_domains =\n  smtpd_helo_required = yes", r"begins with white space and so continues the line above: "
     r"smtpd_helo_required is not set by it"),
    ("default_transport = smpt", r'master\.cf has no service "smpt" .*; did you mean smtp\?'),
    ("default_transport = smtp:[relay", r'default_transport = .*: "\[relay" is no next hop'),
    ("relay_domains = example.com;example.org", r'relay_domains = .*: "example\.com;example\.org" is no domain'),
    ("mydestination = postmaster@own.test", r'mydestination = .*: "postmaster@own\.test" is no domain, so that it matches'),
    ("myhostname = mail", r"myhostname = mail: a name without a domain, which other servers may refuse"),
    ("mynetworks = 0.0.0.0/0", r'mynetworks = .*: "0\.0\.0\.0/0" is everybody: whoever connects may send mail to anywhere'),
    ("virtual_mailbox_base = /does/not/exist", r"virtual_mailbox_base = .*: No such file or directory; mail waits until it"),
    ("mail_spool_directory = /dev/null", r"mail_spool_directory = /dev/null: this is no directory; mail waits until there is"),
    ("mailbox_command = /does/not/exist -d", r"mailbox_command = .*: /does/not/exist: No such file or directory; mail waits"),
    ("virtual_mailbox_base =", r"virtual_mailbox_domains: virtual_mailbox_base is not set, so that mail for these"),
    ("virtual_uid_maps = static:0", r"virtual_uid_maps = static:0: no mailbox may be this user's, by virtual_minimum_uid = "),
    ("virtual_minimum_uid = 4000000", r"virtual_uid_maps = static:[0-9]+: no mailbox may be this user's, by virtual_minimum"),
    ("smtp_sasl_auth_enable = yes", r"smtp_sasl_auth_enable = yes: no password is known for any server: name a table in "),
    ("proxy_interfaces = eth0", r'proxy_interfaces = eth0: "eth0" has no address: all, loopback-only, addresses of this'),
    ("myhostname = mx.other.test", r"overriding earlier entry: myhostname=mx\.here\.test"),
]


@pytest.mark.parametrize("text, complaint", WARNINGS, ids=[row[0].split(" =")[0] for row in WARNINGS])
def test_oddities_are_warnings(make_instance, text, complaint):
    one = make_instance("here")
    add(one, "main.cf", text + "\n")
    status, lines = check(one)
    assert status == 0 and has_line(lines, rf"^posthouse: warning: .*main\.cf, line [0-9]+: .*{complaint}"), lines


@pytest.mark.parametrize("text", [
    "own_name = x\nsmtpd_banner = $myhostname $own_name",
    "smtpd_tls_security_level = may",
    "smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination",
    "smtp_destination_rate_delay = 0s",
    "smtpd_milters =",
    "compatibility_level = 3.6",
], ids=lambda text: text.split(" =")[0])
def test_nothing_to_say(make_instance, text):
    one = make_instance("here")
    before = check(one)
    assert before[0] == 0
    add(one, "main.cf", text + "\n")
    assert check(one) == before


def test_all_mistakes_at_once(make_instance):
    one = make_instance("here", settings={"smtpd_timeout": "never", "maximal_queue_lifetime": "never",
                                          "default_database_type": ""})
    status, lines = check(one)
    assert status == 1
    for name in ("smtpd_timeout", "maximal_queue_lifetime", "default_database_type"):
        assert has_line(lines, f"fatal: .*main.cf, line [0-9]+: {name} = "), lines


def test_mistake_in_one_service(make_instance):
    one = make_instance("here", services="127.0.0.1:2 inet n - y - - smtpd\n  -o smtpd_timeout=never\n")
    status, lines = check(one)
    number = len(one.services.splitlines()) - 1
    assert status == 1 and has_line(lines, rf"master\.cf, line {number}: -o smtpd_timeout = never: a time of 1s or more"), lines


# Lines of master.cf, and what is said of the first.
SERVICES = [
    ("a unix - - n - - pipe flags=R user=nobody", 1, "fatal: .*: service a: argv= is missing"),
    ("a unix - - n - - pipe user=nosuchuser argv=/bin/cat", 0, "service a: there is no such user: user=nosuchuser"),
    ("a unix - - n - - pipe user=nobody:nosuchgroup argv=/bin/cat", 0, "service a: there is no such group"),
    ("a unix - - n - - pipe user=root argv=/bin/cat", 0, "warning: .*: a command is not run as root"),
    ("a unix - - n - - pipe user=nobody argv=/bin/cat ${nope}", 1, r'fatal: .*: unknown macro in "\$\{nope\}"'),
    ("a unix - - n - - pipe user=nobody argv=/no/such", 0, "service a: there is no such program: argv=/no/such"),
    ("a unix - - n - - pipe user=nobody directory=/no/such argv=/bin/cat", 0, "service a: there is no such directory"),
    ("a unix - - n - - smtp smtp_helo_name=x", 0, "warning: .*: settings are given as -o name=value, .*: smtp_helo_name=x"),
    ("a unix - - n - - smtp -q", 0, "warning: .*: -v and -o are allowed before all else, .*: -q"),
    ("a unix - - n - - smtp -o smtp_bind_address=x", 1, "fatal: .*: -o smtp_bind_address = x: an IPv4 address"),
    ("a unix - - n - - smpt", 0, "warning: .*program smpt has no counterpart here; did you mean smtp"),
    ("127.0.0.1:nosuch inet n - n - - smtpd", 1, 'fatal: .*: no port is called "nosuch"; write its number'),
    ("999999 inet n - n - - smtpd", 1, 'fatal: .*: no port is called "999999"'),
    ("300.1.1.1:2526 inet n - n - - smtpd", 1, 'fatal: .*: host "300.1.1.1" has no address'),
]


@pytest.mark.parametrize("text, expected, complaint", SERVICES, ids=[re.sub("[^a-z=]+", "-", row[0]) for row in SERVICES])
def test_mistakes_in_services(make_instance, text, expected, complaint):
    one = make_instance("here")
    line = add(one, "master.cf", text + "\n")
    status, lines = check(one)
    assert status == expected and len(lines) == 1, lines
    assert f"master.cf, line {line}:" in lines[0] and has_line(lines, complaint), lines


def test_a_name_is_said_to_be_unknown_once(make_instance):
    one = make_instance("here", settings={"smtpd_reciepient_limit": "5"})
    assert len(check(one)[1]) == 1


def test_domains_in_two_classes(make_instance):
    one = make_instance("here")
    add(one, "main.cf", "mydestination = localhost here.test\n")
    assert has_line(check(one)[1], "virtual_mailbox_domains: here.test stands in mydestination, too")


def test_lines_of_tables_that_are_left_out(make_instance):
    one = make_instance("here", settings={"virtual_alias_maps": "pcre:$config_directory/patterns"})
    (one.etc / "patterns").write_text("/^good$/ you@here.test\n/(/ you@here.test\n")
    status, lines = check(one)
    assert status == 0 and has_line(lines, "warning: .*virtual_alias_maps: pcre map .*/patterns, line 2: "), lines


@pytest.mark.parametrize("name", ["queue_directory", "data_directory", "run_directory"])
def test_directories_that_cannot_be(make_instance, name):
    one = make_instance("here")
    for path, complaint in ("/proc/nowhere", "cannot make it: No such file"), ("/dev/null", "cannot open it: Not a directory"):
        line = add(one, "main.cf", f"{name} = {path}\n")
        refused_before_and_at_start(one, rf"main\.cf, line {line}: {name} = {path}: {complaint}")


def test_a_database_older_than_its_text(make_instance):
    one = make_instance("here", settings={"virtual_alias_maps": "hash:$config_directory/aliases"})
    source = one.etc / "aliases"
    source.write_text("a@here.test you@here.test\n")
    one.run("postmap", f"hash:{source}", check=True)
    assert check(one) == (0, [])
    later = os.stat(f"{source}.db").st_mtime + 10
    os.utime(source, (later, later))
    status, lines = check(one)
    assert status == 0 and len(lines) == 1
    assert has_line(lines, r"warning: .*database .*/aliases\.db is older than source file .*; postmap hash:.* makes it anew"), lines


@pytest.mark.skipif("os.geteuid() != 0")
def test_mail_for_root_that_has_nowhere_to_go(make_instance):
    """Postfix would write root's mailbox."""
    one = make_instance("here", settings={"alias_maps": "hash:$config_directory/aliases", "mydestination": "here.test"})
    source = one.etc / "aliases"
    for text, is_missing in (("postmaster: root\n", True), ("# root: you\n roots: you\n", True), ("postmaster: root\nRoot :\n you\n", False)):
        source.write_text(text)
        one.run("postalias", f"hash:{source}", check=True)
        status, lines = check(one)
        assert status == 0
        assert has_line(lines, r'warning: .*alias_maps = hash:\S+: root has no alias; .*: add a line "root: user"') == is_missing, lines
    os.chown(source, 65534, 65534)
    source.write_text("postmaster: root\n")
    assert not has_line(check(one)[1], "root has no alias")


def refused_before_and_at_start(one, before, at_start=None):
    status, lines = check(one)
    assert status == 1 and has_line(lines, "^posthouse: fatal: .*" + before), lines
    started = one.run("posthouse", "start")
    assert started.returncode == 1
    assert has_line(started.stderr.splitlines(), "fatal: .*" + (at_start or before)), started.stderr


def test_port_in_use(make_instance):
    one = make_instance("here")
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((one.address, one.port))
        taken.listen()
        refused_before_and_at_start(one, f"cannot listen on .*:{one.port}: another program listens there: stop")
    assert check(one) == (0, [])
    one.start()
    assert check(one) == (0, []), "our own sockets are no mistake"


def test_address_of_another_machine(make_instance):
    one = make_instance("here", services="203.0.113.9:2525 inet n - y - - smtpd\n")
    refused_before_and_at_start(one, r"cannot listen on 203\.0\.113\.9:2525: this machine has no such address: correct")


def test_log_file_that_cannot_be_written(make_instance):
    one = make_instance("here", settings={"maillog_file": "$config_directory/log/mail.log",
                                          "maillog_file_prefixes": "$config_directory"})
    refused_before_and_at_start(one, r"maillog_file = \S+: cannot open it: No such file or directory: make its directory",
                                "cannot open maillog_file")
    (one.etc / "log/mail.log").mkdir(parents=True)
    refused_before_and_at_start(one, r"maillog_file = \S+: cannot open it: Is a directory: correct the name",
                                "cannot open maillog_file")


@pytest.mark.own_machine
def test_full_disk(make_instance):
    one = make_instance("here")
    one.queue_directory.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=755", "none", one.queue_directory], check=True)
    try:
        with pytest.raises(OSError):
            (one.queue_directory / "filling").write_bytes(bytes(100000))
        refused_before_and_at_start(one, r"queue_directory = \S+: its file system has no space left: make room", "No space left")
    finally:
        subprocess.run(["umount", one.queue_directory], check=True)


@pytest.mark.skipif("os.geteuid() != 0")
def test_tables_that_addrd_may_not_read(make_instance):
    one = make_instance("here", settings={"virtual_alias_maps": "texthash:$config_directory/aliases",
                                          "smtpd_sender_restrictions": "check_sender_access hash:$config_directory/access"})
    (one.etc / "aliases").write_text("a@here.test you@here.test\n")
    (one.etc / "access").write_text("a@here.test OK\n")
    one.run("postmap", f"hash:{one.etc}/access", check=True)
    assert check(one) == (0, [])
    (one.etc / "aliases").chmod(0o600)
    (one.etc / "access.db").chmod(0o640)
    status, lines = check(one)
    assert status == 0 and len(lines) == 2
    for name, file in ("virtual_alias_maps", "aliases"), ("smtpd_sender_restrictions", r"access\.db"):
        assert has_line(lines, rf"warning: .*{name}: the user of addrd \(uid \d+\) may not read \S+/{file}, and mail that"), lines
    one.etc.chmod(0o700)
    assert has_line(check(one)[1], r"virtual_alias_maps: the user of addrd \(uid \d+\) may not enter \S+/etc, and mail that")


@pytest.mark.skipif("os.geteuid() != 0")
def test_configuration_that_others_may_change(make_instance):
    one = make_instance("here")
    (one.etc / "main.cf").chmod(0o666)
    os.chown(one.etc / "master.cf", 12345, 12345)
    status, lines = check(one)
    assert status == 0 and len(lines) == 2
    assert has_line(lines, r"warning: \S+/main\.cf may be written to by others \(mode 666\), .*: chmod go-w \S+/main\.cf"), lines
    assert has_line(lines, r"warning: \S+/master\.cf belongs to uid 12345, .*: chown root \S+/master\.cf"), lines


@pytest.mark.skipif("os.geteuid() != 0")
def test_missing_users_are_one_line(make_instance):
    one = make_instance("here", settings={"daemon_uid_base": "0"})
    status, lines = check(one)
    assert status == 1 and len(lines) == 1
    assert has_line(lines, "fatal: user posthouse-[a-z]+ does not exist: create it and those of the other daemons"), lines


@pytest.mark.skipif("os.geteuid() != 0")
def test_directories_of_others(make_instance):
    one = make_instance("here").start()
    one.stop()
    os.chown(one.queue_directory / "new", 12345, 12345)
    (one.directory / "data").chmod(0o777)
    status, lines = check(one)
    assert status == 1
    assert has_line(lines, "fatal: directory .*/queue/new belongs to uid 12345 instead of [0-9]+: chown -R"), lines
    assert has_line(lines, r"fatal: directory .*/data may be written to by others \(mode 777\): chmod 755"), lines


def test_services_of_postfix_are_remarks(make_instance):
    one = make_instance("here", services=MASTER_CF_OF_DEBIAN)
    status, lines = check(one)
    assert status == 0
    assert not has_line(lines, r"fatal|warning: (?!.* is already in line)"), lines
    for program in ("cleanup", "tlsmgr", "trivial-rewrite", "anvil"):
        assert has_line(lines, rf"master\.cf, line [0-9]+: service .* is left out: program {program} has no"), lines


def test_reload_says_why_not(here):
    here.tolerate(r"(fatal|error|warning): ")
    line = add(here, "main.cf", "smtpd_milters = inet:localhost:8891\n")
    done = here.run("posthouse", "reload")
    assert done.returncode == 1
    assert has_line(done.stderr.splitlines(), rf"fatal: .*main\.cf, line {line}: smtpd_milters"), done.stderr
    here.send("you@here.test")
    here.wait_for_mail("you@here.test")


def test_warnings_are_logged_at_start(make_instance):
    one = make_instance("here", settings={"reset_owner_alias": "yes"})
    one.tolerate(r"reset_owner_alias = yes")
    one.start()
    from harness.instance import wait_until
    wait_until(lambda: "reset_owner_alias = yes: has no effect in this release" in one.log(), "the warning stands in the log")


def test_sample_configuration_is_clean(make_instance, programs):
    """The files that are installed say what a new instance can start with."""
    one = make_instance("here")
    samples = list(programs.root.rglob("conf/main.cf")) + list(programs.root.rglob("etc/**/main.cf"))
    if not samples:
        pytest.skip("no sample configuration is installed")
    settings = (one.etc / "main.cf").read_text()
    (one.etc / "main.cf").write_text(samples[0].read_text() + settings)
    services = samples[0].with_name("master.cf").read_text()
    (one.etc / "master.cf").write_text(services.replace("smtp      inet", f"{one.address}:{one.port} inet"))
    status, lines = check(one)
    assert (status, lines) == (0, []), lines


# Files of password databases, and what is said of them; None: nothing.
DATABASES = [
    ("passwd-file", "# users\nbob:{PLAIN}secret\nalice:{PLAIN}x::::::allow_nets=192.0.2.0/24\n", None),
    ("passwd-file", "bob:{PLAIN}secret\nno password here\n", r"FILE, line 2: user:\{SCHEME\}password is needed"),
    ("passwd-file", "bob:{PLAIN}secret::::::app_password=x\n", r"FILE, line 1: the field app_password cannot be understood"),
    ("sqlite", "dbname = /does/not/exist\nquery = SELECT password FROM u WHERE name = '%u'\n",
     r"open /does/not/exist: No such file or directory"),
    ("sqlite", "dbname = /x\nqeury = SELECT\n", r"FILE, line 2: this means nothing here; its users are told to try later"),
    ("sqlite", "dbname = /x\n", r"FILE has no query"),
    ("ldap", "uri = ldap://localhost\n", r"FILE has no base"),
    ("pgsql", "what is this\n", r"FILE, line 1: "),
]


@pytest.mark.parametrize("kind, text, complaint", DATABASES, ids=[f"{n}-{row[0]}" for n, row in enumerate(DATABASES)])
def test_files_of_password_databases(make_instance, kind, text, complaint):
    one = make_instance("here")
    path = one.etc / "passwords"
    path.write_text(text)
    line = add(one, "main.cf", f"auth_databases = {kind}:{path}\n")
    status, lines = check(one)
    if has_line(lines, "this build has no such database"):
        pytest.skip("not in this build")
    assert status == 0 and len(lines) == (1 if complaint else 0), lines
    said = " ".join(lines).replace(f"{kind}:{path}"[:100], "WORD").replace(str(path), "FILE")
    assert not complaint or re.search(rf"main\.cf, line {line}: auth_databases: WORD: .*{complaint}", said), lines
    assert "secret" not in "".join(lines)


def test_password_files_are_read_by_check_alone(make_instance):
    """They hold hashes and may be long: nothing for a master that others wait for."""
    one = make_instance("here")
    (one.etc / "passwords").write_text("bob:{PLAIN}secret\nno password here\n")
    add(one, "main.cf", f"auth_databases = passwd-file:{one.etc}/passwords\n")
    assert has_line(check(one)[1], r"passwords, line 2: user:\{SCHEME\}password is needed")
    one.start()
    assert "line 2" not in one.reload().stderr + one.log()


# auth_mechanisms, a password file, and whom they lock out; None: nobody.
OFFERS = [
    ("plain, login", "bob:{SSHA}x\n", None),
    ("scram-sha-256-plus, scram-sha-256, plain", "bob:{SCRAM-SHA-256}x\nalice:{PLAIN}secret\n", None),
    ("scram-sha-256-plus, scram-sha-256, plain", "alice:{PLAIN}x\nbob:$6$x\n",
     r"auth_mechanisms: scram-sha-256-plus: the user bob of passwd-file:\S+ cannot log in with it"),
    ("scram-sha-1", "a:{SCRAM-SHA-256}x\nb:{SCRAM-SHA-1}x\nc:{BLF-CRYPT}x\n",
     r"auth_mechanisms: scram-sha-1: 2 users \(the first: a\) of passwd-file"),
    ("cram-md5", "a:{SCRAM-SHA-1}x\n", r"auth_mechanisms: cram-md5: the user a of passwd-file"),
]


@pytest.mark.parametrize("mechanisms, text, complaint", OFFERS, ids=range(len(OFFERS)))
def test_mechanisms_that_lock_users_out(make_instance, mechanisms, text, complaint):
    one = make_instance("here")
    (one.etc / "p").write_text(text)
    add(one, "main.cf", f"auth_databases = passwd-file:{one.etc}/p\nauth_mechanisms = {mechanisms}\n")
    status, lines = check(one)
    assert status == 0 and len(lines) == (1 if complaint else 0), lines
    assert not complaint or has_line(lines, "warning: .*" + complaint), lines


def test_databases_that_show_no_passwords_cannot_do_scram(make_instance):
    one = make_instance("here", settings={"auth_databases": "shadow", "auth_mechanisms": "scram-sha-256, plain"})
    status, lines = check(one)
    assert status == 0 and has_line(lines, r"auth_mechanisms: scram-sha-256: users of shadow cannot log in with it"), lines


def test_tokens_are_offered_where_they_can_be_judged(make_instance):
    def offered(**settings):
        one = make_instance("here", settings=settings)
        return one.run("postconf", "-x", "-h", "auth_mechanisms", check=True).stdout.strip()
    tokens = "oauthbearer, xoauth2, plain, login"
    assert offered() == "plain, login"
    assert offered(auth_oauth2_keys="/etc/key") == tokens
    assert offered(auth_oauth2_introspection_url="https://login.example/x") == tokens
    assert offered(auth_oauth2_introspection_url="https://login.example/x", auth_oauth2_keys="/etc/key") == tokens
