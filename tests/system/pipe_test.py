"""Mail to a command: its arguments, its input, what its end means for the message, and as whom it runs."""

import os
import pwd
import re
import signal
import stat

import pytest

from harness import reports
from harness.instance import small_message, wait_until

NOBODY = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name

# Keeps what it was given, one file for each call, and ends as it is told.
SCRIPT = """#!/bin/sh
umask 022
out=$(mktemp {place}/XXXXXX)
{{ for argument; do printf 'argument %s\\n' "$argument"; done; id -u; pwd; env; }} >"$out.tmp"
cat >"$out.input"
mv "$out.tmp" "$out.arguments"
{end}
"""


class Commands:
    """Services of an instance that run scripts."""

    def __init__(self, make_instance, tmp):
        self.place = tmp
        self._make_instance = make_instance
        self.services = ""
        self.instance = None

    def add(self, name, words, arguments, end="exit 0"):
        place = self.place / name
        place.mkdir()
        place.chmod(0o777)
        script = self.place / f"{name}.sh"
        script.write_text(SCRIPT.format(place=place, end=end))
        script.chmod(0o755)
        self.services += f"{name} unix - n n - 10 pipe\n  user={NOBODY} {words} argv={script} {arguments}\n"

    def start(self, users=("you@here.test",), **settings):
        first = self.services.split()[0]
        self.instance = self._make_instance(
            "here", users=list(users), services=self.services,
            settings={"virtual_transport": first, "minimal_backoff_time": "1s", "maximal_backoff_time": "2s",
                      **settings})
        return self.instance.start()

    def calls(self, name, count=1):
        """[(arguments, rest of the lines, input)] of each call."""
        place = self.place / name
        files = wait_until(lambda: (lambda found: len(found) >= count and found)(
            sorted(place.glob("*.arguments"))), f"{count} calls of {name}")
        result = []
        for path in files:
            lines = path.read_text().splitlines()
            arguments = [line[9:] for line in lines if line.startswith("argument ")]
            rest = [line for line in lines if not line.startswith("argument ")]
            result.append((arguments, rest, path.with_suffix(".input").read_bytes()))
        return result


@pytest.fixture
def commands(make_instance, workspace, request):
    place = workspace / f"pipe-{request.node.name[:40]}"
    place.mkdir()
    place.chmod(0o755)
    return Commands(make_instance, place)


def test_arguments_input_and_environment(commands):
    commands.add("filter", "flags=DORhuX directory=/ eol=\\n",
                 "-f ${sender} -- $(recipient) ${user}/$extension/${mailbox} $domain ${nexthop} $queue_id "
                 "$client_address $size a$$b { two words }")
    here = commands.start(recipient_delimiter="+", filter_destination_recipient_limit="1",
                          export_environment="TZ LANG MAIL_CONFIG COLOUR=red { TWO=two words }")
    queue_id = here.send("You+Lists@HERE.test", small_message(body=".dot\r\nFrom here\r\n"))
    [(arguments, rest, content)] = commands.calls("filter")
    assert int(arguments.pop(9)) > 100
    assert arguments == ["-f", "sender@client.example", "--", "you+lists@here.test", "you/lists/you+lists",
                         "here.test", "here.test", queue_id, "127.0.0.1", "a$b", "two words"]
    assert rest[0] == str(pwd.getpwnam(NOBODY).pw_uid)
    assert rest[1] == "/"
    environment = dict(line.split("=", 1) for line in rest[2:] if "=" in line)
    assert (environment["COLOUR"], environment["TWO"]) == ("red", "two words")
    assert environment["MAIL_CONFIG"] == str(here.etc)
    assert environment["PATH"] == "/usr/bin:/bin"
    assert set(environment) <= {"COLOUR", "MAIL_CONFIG", "PATH", "TZ", "LANG", "PWD", "SHLVL", "_", "OLDPWD", "TWO"}
    lines = content.split(b"\n")
    assert lines[:3] == [b"Return-Path: <sender@client.example>", b"X-Original-To: You+Lists@HERE.test",
                         b"Delivered-To: You+Lists@HERE.test"]
    assert b"\r" not in content
    assert content.endswith(b"\n\n.dot\nFrom here\n")
    here.wait_for_log(rf"posthouse/pipe\[\d+\]: {queue_id}: to=<[^>]+>, (orig_to=<[^>]+>, )?relay=filter, "
                      r"delay=[\d.]+, delays=[\d./]+, dsn=2\.0\.0, status=sent \(delivered via filter service\)$")
    here.wait_for_empty_queue()


def test_one_call_for_many_recipients(commands):
    commands.add("bsmtp", "flags=BFq.> null_sender=", "$sender ${recipient} <$recipient>")
    users = [f"user{number}@here.test" for number in range(3)]
    here = commands.start(users)
    here.send(users, small_message(body=".dot\r\nFrom here\r\n"), sender="")
    [(arguments, _rest, content)] = commands.calls("bsmtp")
    assert arguments == ["", *users, *(f"<{user}>" for user in users)]
    assert re.match(rb"From   [A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9]\d \d\d:\d\d:\d\d \d{4}\nReceived: ", content)
    assert content.endswith(b"\n\n..dot\n>From here\n\n")
    here.wait_for_empty_queue()


@pytest.mark.parametrize("end, dsn, status, text", [
    ("echo all is well", "2.0.0", "sent", r"delivered via ends service \(all is well\)"),
    ("exit 75", "4.3.0", "deferred", "temporary failure"),
    ("echo try again; exit 75", "4.3.0", "deferred", r"temporary failure\. Command output: try again"),
    ("exit 67", "5.1.1", "bounced", "user unknown"),
    ("echo 5.7.1 not for you; exit 1", "5.7.1", "bounced", "not for you"),
    ("echo 4.2.2 full; exit 77", "4.2.2", "deferred", "full"),
    ("exit 3", "5.3.0", "bounced", r'Command died with status 3: "[^"]+"'),
    ("kill -9 $$", "4.3.0", "deferred", r'Command died with signal 9: "[^"]+"'),
], ids=["output", "tempfail", "tempfail-output", "no-user", "status-5", "status-4", "odd", "signal"])
def test_how_it_ends(commands, end, dsn, status, text):
    commands.add("ends", "", "${recipient}", end)
    here = commands.start()
    here.send("you@here.test")
    here.wait_for_log(rf"relay=ends, .*, dsn={re.escape(dsn)}, status={status} \({text}\)$")


def test_final_delivery_is_told(commands):
    """Flag X: the sender hears that it was delivered, and without it that it was relayed."""
    commands.add("final", "flags=X", "x")
    commands.add("onward", "", "x")
    here = commands.start(virtual_transport="virtual", relay_domains="final.test, onward.test",
                          transport_maps="inline:{ final.test=final:, onward.test=onward: }")
    with here.client() as client:
        client.ehlo()
        client.mail("you@here.test")
        for domain in ("final.test", "onward.test"):
            assert client.rcpt(f"a@{domain}", ["NOTIFY=SUCCESS"])[0] == 250
        assert client.data(b"Subject: x\r\n\r\n")[0] == 250
    wait_until(lambda: here.messages("you@here.test"), "the report is there")
    here.wait_for_empty_queue()
    reports_of = [reports.check(path.read_bytes())[3] for path in here.messages("you@here.test")]
    actions = {address: fields["Action"] for found in reports_of for address, fields in found.items()}
    assert actions == {"a@final.test": "delivered", "a@onward.test": "relayed"}


def test_time_limit(commands):
    commands.add("slow", "", "x", "sleep 1000")
    here = commands.start(slow_time_limit="1s")
    here.send("you@here.test")
    here.wait_for_log(r'relay=slow, .*status=deferred \(Command time limit exceeded: "[^"]+"\)$')


def test_a_process_that_is_stopped(commands):
    """By its command, so that it ends nothing: the mail waits for another, and not for ever."""
    number = commands.place / "stopped" / "process"
    commands.add("stopped", "", "x", f"[ -e {number} ] || {{ echo $PPID >{number}; kill -STOP $PPID; }}")
    here = commands.start(stopped_time_limit="1s", daemon_timeout="1s")
    queue_id = here.send("you@here.test")
    try:
        here.wait_for_log(rf"{queue_id}: .*relay=stopped, .*status=deferred \(the delivery process hangs\)$")
    finally:
        os.kill(int(number.read_text()), signal.SIGKILL)
    here.wait_for_log(rf"{queue_id}: .*relay=stopped, .*status=sent")


def test_nobody_reads_the_input(commands):
    commands.services = f"true unix - n n - - pipe\n  user={NOBODY} argv=/bin/true\n"
    here = commands.start()
    here.send("you@here.test", small_message(body="0123456789\r\n" * 100000))
    here.wait_for_log(r"relay=true, .*status=sent \(delivered via true service\)$")


def test_refusals(commands):
    commands.add("small", "size=100", "x")
    here = commands.start()
    here.send("you@here.test")
    here.wait_for_log(r"relay=small, .*dsn=5\.2\.3, status=bounced \(message too large\)$")


def test_loop(commands):
    commands.add("loop", "flags=D", "x")
    here = commands.start(loop_destination_recipient_limit="1")
    here.send("you@here.test", b"Delivered-To: you@here.test\r\n" + small_message())
    here.wait_for_log(r"relay=loop, .*dsn=5\.4\.6, status=bounced \(mail forwarding loop for you@here\.test\)$")


def test_flag_for_one_recipient_only(commands):
    commands.add("many", "flags=O", "x")
    here = commands.start(["a@here.test", "b@here.test"])
    here.send(["a@here.test", "b@here.test"])
    here.wait_for_log(r"relay=many, .*dsn=4\.3\.5, status=deferred \(flags D and O of pipe need "
                      r"many_destination_recipient_limit = 1\)$")


def test_address_with_a_hyphen_is_no_option(commands):
    commands.add("hyphen", "", "${recipient}")
    here = commands.start(["-oQ@here.test"])
    here.send("-oQ@here.test")
    here.wait_for_log(r"relay=hyphen, .*dsn=5\.1\.3, status=bounced")


def test_hyphen_behind_quotes_is_no_option(commands):
    """With flag q the address begins with a quote, and what stands before the @ does not."""
    commands.add("quoted", "flags=q", "${recipient} ${user}")
    here = commands.start(['"-oQ x"@here.test'], smtpd_reject_unlisted_recipient="no")
    here.send('"-oQ x"@here.test')
    here.wait_for_log(r"relay=quoted, .*dsn=5\.1\.3, status=bounced")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("user, reason", [
    ("root", "a command is not run as root"),
    ("nobody:root", "a command is not run with root's group"),
    ("no-such-user-here", "there is no such user"),
], ids=["root", "group", "nobody"])
def test_users_that_are_refused(commands, user, reason):
    commands.services = f"bad unix - n n - - pipe\n  user={user} argv=/bin/true\n"
    here = commands.start()
    here.tolerate("warning: .*service bad: a command is not run as root: user=root")
    here.send("you@here.test")
    here.wait_for_log(rf"relay=bad, .*status=deferred \(.*{reason}\)$")


def test_mistakes_are_found_before_the_start(commands):
    commands.services = "odd unix - n n - - pipe\n  flags=Z user=nobody argv=/bin/true\n"
    with pytest.raises(AssertionError, match=r"master\.cf, line \d+: service odd: flags=Z: unknown flag"):
        commands.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_chroot(commands):
    # A statically linked program is not at hand: that there is none shows where we are.
    jail = commands.place / "jail"
    jail.mkdir()
    commands.services = f"jail unix - n n - - pipe\n  user=nobody chroot={jail} argv=/bin/true\n"
    here = commands.start()
    here.send("you@here.test")
    here.wait_for_log(r"relay=jail, .*status=deferred \(temporary failure\. Command output: cannot run "
                      r"/bin/true: No such file or directory\)$")


def test_files_are_the_users(commands):
    commands.add("owner", "", "x")
    here = commands.start()
    here.send("you@here.test")
    commands.calls("owner")
    [path] = (commands.place / "owner").glob("*.input")
    assert path.stat().st_uid == pwd.getpwnam(NOBODY).pw_uid
    assert stat.S_ISREG(path.stat().st_mode)
