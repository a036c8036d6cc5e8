"""What posthouse check, start and reload tell an operator about main.cf and master.cf."""

import re

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
    ("smtpd_tls_security_level = encrypt", r"main\.cf, line LINE: smtpd_tls_security_level = encrypt: this release"),
    ("smtpd_relay_restrictions = permit_mynetworks, reject", r"main\.cf, line LINE: smtpd_relay_restrictions = "),
    ("a line that is none", r'main\.cf, line LINE: expected "name = value"'),
]


@pytest.mark.parametrize("text, complaint", FATAL, ids=[row[0].split(" =")[0] for row in FATAL])
def test_mistakes_stop_a_start(make_instance, text, complaint):
    one = make_instance("here")
    line = add(one, "main.cf", text + "\n")
    status, lines = check(one)
    pattern = "^posthouse: fatal: .*" + complaint.replace("LINE", str(line))
    assert status == 1 and has_line(lines, pattern), lines
    assert sum(bool(re.search(pattern, said)) for said in lines) == 1, "said once"
    started = one.run("posthouse", "start")
    assert started.returncode == 1 and has_line(started.stderr.splitlines(), pattern)
    assert one.run("posthouse", "status").returncode == 1


WARNINGS = [
    ("mynetwork = 192.0.2.0/24", r"unused parameter: mynetwork=192\.0\.2\.0/24; did you mean mynetworks\?"),
    ("smtpd_reciepient_limit = 5", r"unused parameter: .*; did you mean smtpd_recipient_limit\?"),
    ("smtp_destination_rate_dealy = 5", r"unused parameter: .*; did you mean smtp_destination_rate_delay\?"),
    ("relayhost = $mydomian", r"undefined parameter: mydomian; did you mean mydomain\?"),
    ("gone_destination_rate_delay = 5", r"unused parameter: gone_destination_rate_delay=5"),
    ("biff = no", r"biff = no: has no effect in this release"),
    ("readme_directory = /usr/share/doc/postfix", r"readme_directory = .*: has no effect in this release"),
    ("relay_domains = hash:/does/not/exist", r"relay_domains: hash:/does/not/exist: open /does/not/exist\.db: No such"),
    ("myhostname = mx.other.test", r"overriding earlier entry: myhostname=mx\.here\.test"),
]


@pytest.mark.parametrize("text, complaint", WARNINGS, ids=[row[0].split(" =")[0] for row in WARNINGS])
def test_oddities_are_warnings(make_instance, text, complaint):
    one = make_instance("here")
    line = add(one, "main.cf", text + "\n")
    status, lines = check(one)
    assert status == 0 and has_line(lines, rf"^posthouse: warning: .*main\.cf, line {line}: .*{complaint}"), lines


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
    one = make_instance("here", settings={"biff": "no"})
    one.tolerate(r"biff = no")
    one.start()
    from harness.instance import wait_until
    wait_until(lambda: "biff = no: has no effect in this release" in one.log(), "the warning stands in the log")


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
