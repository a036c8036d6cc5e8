"""postconf beside Postfix's own: the same output, messages and status, and the same files after an
edit. Needs an unpacked Postfix (tests/system/peers.sh); nothing is started."""

import concurrent.futures
import json
import os
import subprocess

import pytest

from harness import peers

MAIN_CF = """\
# settings
myhostname = mx.example.org

mynetworks = 127.0.0.0/8
   10.0.0.0/8
# in between
   192.0.2.0/24
#mydomain = x
relayhost = [$hub]:25
hub = hub.example.net
home_mailbox = Maildir/
mydestination = a b c d e f g h i j k l m n o p q r s t u v w x y z a b c d e f g h i j k l m n o p q
relay_domains =
unused_name = 5
myorigin = ${nope?x}$mydomain
slow_destination_concurrency_limit = 4
gone_destination_concurrency_limit = 4
"""

MASTER_CF = """\
# services
smtp      inet  n       -       y       -       -       smtpd
  -o smtpd_banner=hello -o { myorigin = a b } -v
relay     unix  -       -       y       -       -       smtp
        -o syslog_name=postfix/$service_name
slow      unix  -       -       n       100?    3       smtp
averyverylongname unix -   n       n       -       -       pipe
  flags=FRX user=list argv=/usr/lib/mailman/bin/postfix-to-mailman.py ${nexthop} ${user} { c d }
"""


class Pair:
    """Two configuration directories with the same files, one for each postconf."""

    def __init__(self, ours, theirs, environment, directory):
        self.programs = (ours, theirs)
        self.environment = environment
        self.directories = (directory / "ours", directory / "theirs")
        for path in self.directories:
            path.mkdir(parents=True)
            (path / "main.cf").write_text(MAIN_CF)
            (path / "master.cf").write_text(MASTER_CF)

    def run(self, which, arguments):
        directory = self.directories[which]
        environment = {**os.environ, **(self.environment if which == 1 else {})}
        done = subprocess.run(["postconf", "-c", str(directory), *arguments], executable=self.programs[which],
                              env=environment, capture_output=True, text=True, check=False)
        messages = sorted(set(done.stderr.replace(str(directory), "DIR").splitlines()))
        return done.returncode, done.stdout.replace(str(directory), "DIR").splitlines(), messages

    def copy(self, directory):
        return Pair(*self.programs, self.environment, directory)

    def texts(self, which):
        return {name: (self.directories[which] / name).read_text() for name in ("main.cf", "master.cf")}


@pytest.fixture
def pair(programs, tmp_path):
    theirs = peers.PEERS / "postfix/usr/sbin/postconf"
    if not theirs.exists():
        pytest.skip("no unpacked Postfix to compare with (tests/system/peers.sh postfix)")
    return Pair(programs.command("postconf"), str(theirs), peers.environment("postfix"), tmp_path)


def differing(cases, compare):
    """Cases for which compare() says no; side by side, since Postfix's asks name services."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return [case for case, is_same in zip(cases, pool.map(compare, cases)) if not is_same]


LISTINGS = [
    "-n", "-nf", "-nx", "-nh", "-nH", "myhostname mynetworks nonsense", "-h relay_domains hub", "-H myhostname",
    "-x relayhost", "slow_destination_rate_delay", "-C user", "-d relayhost myorigin hub nonsense",
    "-o myhostname=other.example.org myhostname", "-o hub=x -x relayhost", "-f mydestination", "-M", "-Mf", "-Mx",
    "-M smtp", "-M smtp/inet relay", "-M nonsense", "-M /nonsense-", "-M */unix", "-F", "-Ff", "-F smtp",
    "-T nonsense", "-F */unix/chroot", "-FH slow", "-F smtp/inet/nonsense-", "-P", "-Px", "-P smtp/inet",
    "-P */*/myorigin", "-P smtp/inet/nonsense", "-Ph", "-hH x", "-dn", "-Mn", "-Mh", "-C nonsense", "-nX x",
    "-d -e x=1", "-e x",
]


def test_same_listings(pair):
    def compare(line):
        arguments = line.split()
        ours, theirs = pair.run(0, arguments), pair.run(1, arguments)
        if "nonsense-" in line:        # what is said before the end differs
            return ours[0] == theirs[0] == 1
        return ours == theirs

    assert differing(LISTINGS, compare) == []


EDITS = [
    ["-e", "mynetworks=1", "new=5"], ["mynetworks = 1", "foo =  b c "], ["myhostname=x"], ["-e", "myhostname"],
    ["-e", "a b=c"], ["-e", "=c"], ["-e"], ["-e", "x=a\nb"], ["-X", "mynetworks", "nonsense"], ["-X", "hub"],
    ["-#", "mynetworks", "hub"], ["-e", "x=1", "x=2"], ["-M", "slow/unix=slow unix - - n - - smtp -v"],
    ["-Me", "new/unix=new unix - - n - - pipe flags=x"], ["-MX", "smtp/inet"], ["-M#", "relay/unix"],
    ["-MX", "*/unix"], ["-F", "slow/unix/chroot=y"], ["-F", "*/unix/process_limit=7"], ["-F", "no/unix/chroot=y"],
    ["-P", "relay/unix/smtp_helo_name=x"], ["-P", "*/unix/syslog_name=x"], ["-PX", "relay/unix/syslog_name"],
    ["-P", "smtp/inet/myorigin=a b"], ["-F", "slow/unix/command=smtp -o a=b"],
]


def test_same_edits(pair, tmp_path):
    def compare(arguments):
        one = pair.copy(tmp_path / f"edit{EDITS.index(arguments)}")
        return one.run(0, arguments) == one.run(1, arguments) and one.texts(0) == one.texts(1)

    assert differing(EDITS, compare) == []


def test_defaults_are_those_of_postfix(pair):
    """Where both know a parameter and differ, the difference is one that we want."""
    status, lines, _ = pair.run(0, ["-d"])
    assert status == 0
    ours = dict(line.split(" =", 1) for line in lines)
    theirs = dict(line.split(" =", 1) for line in pair.run(1, ["-d"])[1])
    different = {name for name, value in ours.items() if name in theirs and theirs[name] != value}
    assert different <= {
        # places and names of our own
        "config_directory", "daemon_directory", "data_directory", "queue_directory", "mail_name", "mail_owner",
        "mail_version", "syslog_name", "command_directory", "setgid_group",
        # what the machine is called and has; the newest level where none is set
        "myhostname", "mydomain", "mynetworks", "compatibility_level",
        # later than the Postfix of this Debian
        "smtpd_forbid_bare_newline", "smtpd_forbid_bare_newline_reject_code", "smtpd_forbid_unauth_pipelining",
        # mail for local users goes into Maildirs; no NIS, no regular expressions yet
        "home_mailbox", "alias_maps", "smtpd_forbidden_commands",
        # TLS without what is weak, offered and used where nothing is said; SASL is our own
        "smtpd_tls_protocols", "smtpd_tls_mandatory_protocols", "smtpd_tls_exclude_ciphers",
        *(f"{agent}_tls_{what}" for agent in ("smtp", "lmtp") for what in (
            "protocols", "mandatory_protocols", "fingerprint_digest", "connection_reuse")),
        "smtp_tls_security_level", "smtpd_sasl_type", "smtpd_sasl_path",
    }, {name: (ours[name], theirs[name]) for name in sorted(different)}


def test_defaults_need_no_file(pair):
    for directory in pair.directories:
        (directory / "main.cf").unlink()
    assert pair.run(0, ["-d", "myorigin"])[:2] == pair.run(1, ["-d", "myorigin"])[:2]
    assert pair.run(0, ["myorigin"])[:2] == pair.run(1, ["myorigin"])[:2]


def test_edit_keeps_mode_and_links(pair):
    directory = pair.directories[0]
    (directory / "main.cf").rename(directory / "real.cf")
    (directory / "main.cf").symlink_to("real.cf")
    (directory / "real.cf").chmod(0o640)
    assert pair.run(0, ["-e", "myhostname=x.example.org"])[0] == 0
    assert (directory / "main.cf").is_symlink()
    assert "myhostname = x.example.org\n" in (directory / "real.cf").read_text()
    assert (directory / "real.cf").stat().st_mode & 0o7777 == 0o640
    assert sorted(path.name for path in directory.iterdir()) == ["main.cf", "master.cf", "real.cf"]


def test_edit_that_fails_changes_nothing(pair):
    before = pair.texts(0)
    for arguments in (["-M", "smtp/inet=smtp inet y"], ["-F", "smtp/inet/chroot=maybe"], ["-e", "nonsense"]):
        status, _, messages = pair.run(0, arguments)
        assert status == 1 and messages
    assert pair.texts(0) == before
    assert sorted(path.name for path in pair.directories[0].iterdir()) == ["main.cf", "master.cf"]


@pytest.mark.parametrize("arguments", [["-F", "relay/unix/chroot=n"], ["-P", "*/*/a=1"], ["-PX", "smtp/inet/a"],
                                       ["-F", "*/unix/process_limit=7"]])
def test_services_that_are_wrong_or_there_twice(pair, arguments):
    """They stay as they are, or are changed each for itself."""
    text = ("smtp inet n - n - - smtpd\nrelay unix - - y - - smtp\n  -o b=c\nsmtp inet n - y - 5 smtpd\n  -o a=x\n"
            "slow unix - - n - - smtp -o{a=b}\n")
    for directory in pair.directories:
        (directory / "master.cf").write_text(text)
    assert [pair.run(0, arguments)[0], pair.run(1, arguments)[0]] == [0, 0]
    ours, theirs = pair.texts(0)["master.cf"], pair.texts(1)["master.cf"]
    assert ours[:ours.index("slow")] == theirs[:theirs.index("slow")]
    assert ours.endswith("\nslow unix - - n - - smtp -o{a=b}\n")
    status, _, messages = pair.run(0, ["-F", "slow/unix/chroot=y"])
    assert status == 1 and "-o: name=value" in messages[0]
    assert pair.texts(0)["master.cf"] == ours


def test_edits_at_the_same_time(pair):
    program, directory = pair.programs[0], pair.directories[0]
    running = [subprocess.Popen([program, "-c", str(directory), "-e", f"name{number}=1"]) for number in range(20)]
    assert [one.wait() for one in running] == [0] * 20
    text = (directory / "main.cf").read_text()
    assert all(f"name{number} = 1\n" in text for number in range(20))


def test_table_types(pair):
    status, lines, _ = pair.run(0, ["-m"])
    assert status == 0 and {"hash", "inline", "static", "texthash"} <= set(lines)


def test_json(here):
    lines = here.run("postconf", "-j", "myhostname", "inet_protocols", check=True).stdout.splitlines()
    assert [json.loads(line) for line in lines] == [{"myhostname": "mx.here.test"}, {"inet_protocols": "ipv4"}]
    services = [json.loads(line) for line in here.run("postconf", "-jM", check=True).stdout.splitlines()]
    [qmgr] = [service for service in services if service["service"] == "qmgr"]
    assert qmgr["type"] == "unix" and qmgr["process_limit"] == "1" and qmgr["command"] == "qmgr"
    [line] = here.run("postconf", "-jF", "qmgr/unix/command", check=True).stdout.splitlines()
    assert json.loads(line) == {"qmgr/unix/command": "qmgr"}


def test_what_else_is_shown(here):
    shown = here.run("postconf", "-t", check=True).stdout
    assert "failure_template = <<EOF" in shown and "$myhostname" in shown
    expanded = here.run("postconf", "-b", check=True).stdout
    assert "mx.here.test" in expanded and "$myhostname" not in expanded
    assert here.run("postconf", "-l", check=True).stdout.split() == ["flock", "fcntl", "dotlock"]
    assert here.run("postconf", "-T", "run-version", check=True).stdout.startswith("OpenSSL ")
    assert here.run("postconf", "-a", check=True).stdout == "dovecot\nposthouse\n"
    (here.etc / "main.cf").open("a").write("nobody_uses_this = 1\n")
    assert "unused parameter" in here.run("postconf", "-n").stderr
    assert "unused parameter" not in here.run("postconf", "-qn").stderr
