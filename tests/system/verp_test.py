"""VERP: a sender address of its own for each recipient, beside Debian's Postfix: the same requests to both,
and what a server that receives the mail, and the list's owner, see of it."""

import email
import email.policy
import os
import pathlib
import pwd
import re
import signal
import smtplib
import socket
import subprocess

import pytest

from harness import instance, peers, processes, sink
from harness.instance import wait_until

PORT = 2527
SENDER = "list@here.test"
LMTP = "lmtp unix - - y - - lmtp\n"
SOMEBODY = "games"   # has an account everywhere, and no mail

TABLES = {
    "virtual_alias_maps": "{all@va.test = a@far.test, b@far.test}, {one@va.test = c@far.test}, {bare = d@far.test}",
    "canonical_maps": "{old@far.test = new@far.test}",
    "alias_maps": "{alias = x1@far.test, x2@far.test}, {owner-alias = keeper@far.test}, {plain = y1@far.test}",
}


def settings_of(relay, place, **further):
    return {
        "myorigin": "here.test", "mydestination": "local.test", "virtual_alias_domains": "va.test",
        "relayhost": f"[127.0.0.1]:{relay.port}", "recipient_delimiter": "+", "local_recipient_maps": "",
        "smtpd_authorized_verp_clients": "127.0.0.1", "forward_path": f"{place}/$user.forward",
        "notify_classes": "", **{name: f"inline:{{ {text} }}" for name, text in TABLES.items()},
        **{name: value.replace("PORT", str(relay.port)) for name, value in further.items()}}


def make_sink():
    refusals = {f"RCPT bad{number}@far.test": "550 5.1.1 nobody" for number in range(4)}
    return sink.Sink(script=refusals, extensions=("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES"))


def talk(port, *lines, client="127.0.0.1"):
    """The last line of the answer to each command."""
    answers = []
    with socket.create_connection(("127.0.0.1", port), 10, source_address=(client, 0)) as connection:
        stream = connection.makefile("rb")

        def answer():
            while True:
                line = stream.readline().decode().rstrip()
                if line[3:4] != "-":
                    return line

        answer()
        for line in lines:
            connection.sendall(line.encode() + b"\r\n")
            answers.append(answer())
    return answers


class Ours:
    def __init__(self, make_instance, place, **settings):
        self.place = pathlib.Path(place)
        self.relay = make_sink().start()
        self.one = make_instance("here", users=[SENDER, "box@here.test"], services=LMTP, settings=settings_of(
            self.relay, place, smtpd_peername_lookup="no", home_mailbox="", mail_spool_directory=f"{place}/spool/", **settings))

    def start(self):
        self.one.start()
        self.port = self.one.port
        return self

    def sendmail(self, *arguments, content):
        return self.one.sendmail(*arguments, content=content, check=False)

    def is_idle(self):
        return not self.one.queue() and not any(
            path.is_file() for path in (self.one.queue_directory / "maildrop").iterdir())

    def boxes(self, user):
        return self.one.messages(user)

    def stop(self):
        self.relay.stop()


class Theirs(Ours):
    def __init__(self, place, **settings):   # pylint: disable=super-init-not-called
        self.place = pathlib.Path(place)
        self.relay = make_sink().start()
        self.postfix = peers.Postfix(self.place / "postfix", port=PORT, users=[SENDER, "box@here.test"],
                                     settings=settings_of(self.relay, place, mail_spool_directory=f"{place}/spool/",
                                                          **settings))
        commands = self.place / "commands"   # postdrop does not let itself be told by MAIL_CONFIG where to look
        commands.mkdir()
        for path in (peers.PEERS / "postfix/usr/sbin").iterdir():
            (commands / path.name).symlink_to(path)
        (commands / "postdrop").unlink()
        (commands / "postdrop").write_text(
            f"#!/bin/sh\nexec {peers.postfix_command('postdrop')} -c {self.postfix.etc} \"$@\"\n")
        (commands / "postdrop").chmod(0o755)
        main_cf = self.postfix.etc / "main.cf"
        main_cf.write_text(re.sub("(?m)^command_directory = .*$", f"command_directory = {commands}",
                                  main_cf.read_text()))

    def start(self):
        self.postfix.start()
        self.port = PORT
        return self

    def sendmail(self, *arguments, content):
        return subprocess.run([peers.postfix_command("sendmail"), *arguments], input=content.encode(), check=False,
                              capture_output=True, timeout=30,
                              env={**peers.environment("postfix"), "MAIL_CONFIG": str(self.postfix.etc)})

    def is_idle(self):
        return self.postfix.queue_is_empty()

    def boxes(self, user):
        return self.postfix.messages(user)

    def stop(self):
        self.postfix.stop()
        self.relay.stop()


@pytest.fixture
def both(make_instance, workspace, request):
    """both(**settings): a system of ours and one of theirs, which run."""
    made = []

    def make(**settings):
        for name, kind in (("ours", lambda place: Ours(make_instance, place, **settings)),
                           ("theirs", lambda place: Theirs(place, **settings))):
            place = pathlib.Path(workspace) / f"{request.node.name}-{name}"
            place.mkdir()
            place.chmod(0o755)
            (place / "spool").mkdir()
            (place / "spool").chmod(0o1777)
            made.append(kind(place))
            made[-1].start()
        return made

    yield make
    for side in made:
        side.stop()


def subject_of(content):
    match = re.search(rb"^Subject: (.*?)\r?$", content, re.MULTILINE)
    return match.group(1).decode() if match else ""


def received(side):
    """{(subject, sender, recipients)} of the mail that went out, other than reports."""
    return sorted((subject_of(message.content), message.sender, tuple(sorted(message.recipients)))
                  for message in side.relay.messages if message.sender)


def reports(side, user=SENDER):
    """[(kind, to whom, whose mail it was, who failed)] of the reports that the user has."""
    found = []
    for path in side.boxes(user):
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        if message["Return-Path"] != "<>":
            continue
        text = path.read_text()
        found.append((message["Subject"], message["To"], message["Delivered-To"],
                      re.findall(r"^X-\w+-Sender: (.*)$", text, re.MULTILINE),
                      sorted(re.findall(r"^Final-Recipient: (.*)$", text, re.MULTILINE)),
                      sorted(re.findall(r"^Action: (.*)$", text, re.MULTILINE))))
    return sorted(found)


def returned_paths(side, user):
    return sorted(re.search(r"^Return-Path: (.*)$", path.read_text(), re.MULTILINE).group(1)
                  for path in side.boxes(user))


def settle(side):
    wait_until(side.is_idle, "all is delivered", interval_s=0.1)


# ---- MAIL

PARAMETERS = ["XVERP", "xverp", "XVERP=", "XVERP=+=", "XVERP==+", "XVERP=--", "XVERP=+", "XVERP=+=+", "XVERP=+==",
              "XVERP=aa", "XVERP=+a", "XVERP=a+", "XVERP=@=", "XVERP=+é", "XVERPX",
              "XVERP BODY=8BITMIME", "SIZE=99999999999 XVERP=a", "SIZE=99999999999 XVERP"]


@pytest.mark.own_machine
@pytest.mark.parametrize("discarded", ["", "xverp"])
def test_the_parameter(both, discarded):
    answers = []
    for side in both(smtpd_discard_ehlo_keywords=discarded):
        mine = {}
        for client in ("127.0.0.1", "127.0.0.2"):
            for greeting in ("EHLO x", "HELO x"):
                for sender in (SENDER, ""):
                    for parameter in PARAMETERS if greeting == "EHLO x" else PARAMETERS[:1]:
                        mine[client, greeting, sender, parameter] = talk(
                            side.port, greeting, f"MAIL FROM:<{sender}> {parameter}", client=client)[1]
        answers.append(mine)
    ours, theirs = answers
    for question in ours:
        assert ours[question] == theirs[question], question


@pytest.mark.parametrize("settings, client, is_offered", [
    ({}, "127.0.0.1", False), ({"smtpd_authorized_verp_clients": "$mynetworks"}, "127.0.0.1", True),
    ({"authorized_verp_clients": "127.0.0.2"}, "127.0.0.2", True), ({"authorized_verp_clients": "127.0.0.2"}, "127.0.0.1", False),
    ({"authorized_verp_clients": "127.0.0.1", "smtpd_authorized_verp_clients": "127.0.0.2"}, "127.0.0.1", False),
    ({"smtpd_authorized_verp_clients": "!127.0.0.1 127.0.0.0/8"}, "127.0.0.1", False),
    ({"smtpd_discard_ehlo_keywords": "xverp", "authorized_verp_clients": "127.0.0.1"}, "127.0.0.1", False),
], ids=["usual", "networks", "old-name", "old-name-stranger", "own-name", "excepted", "discarded"])
def test_to_whom_it_is_offered(make_instance, settings, client, is_offered):
    one = make_instance("here", settings=settings).start()
    with smtplib.SMTP(one.address, one.port, source_address=(client, 0)) as session:
        session.ehlo()
        assert session.has_extn("xverp") == is_offered
        said = session.docmd("MAIL", f"FROM:<{SENDER}> XVERP")
    is_taken = is_offered or "smtpd_discard_ehlo_keywords" in settings   # as with Postfix
    assert said == ((250, b"2.1.0 Ok") if is_taken else (555, b"5.5.4 Unsupported option: XVERP"))


# ---- sendmail

OPTIONS = [("-XV",), ("-XV+=",), ("-XV-=",), ("-XV==",), ("-XV+",), ("-XV+=+",), ("-XVab",), ("-X", "V+="),
           ("-X", "V"), ("-iXV",), ("-iXV+=",), ("-V+=",), ("-V", "+="), ("-V",), ("-V", "ab"), ("-Vab",),
           ("-V", "envid"), ("-Venvid",), ("-V=+", "-Venvid"), ("-V", "-XV"), ("-XV", "-XV-="), ("-XV-=", "-XV"),
           ("-XV", "-t"), ("-XV", "-N", "never"), ("-XV", "-bv"), ("-XV", "-oi", "-i"), ("-XV", "--")]


@pytest.mark.own_machine
@pytest.mark.parametrize("variant", [
    {}, {"default_verp_delimiters": "=-", "verp_delimiter_filter": "-=+a"},
    {"smtpd_authorized_verp_clients": ""},
], ids=["usual", "others", "nobody"])
def test_options_of_sendmail(both, variant):
    seen = []
    for side in both(**variant):
        said = {}
        for number, options in enumerate(OPTIONS):
            behind = ("r@far.test",) if options[-1] == "--" else ("-f", SENDER, "r@far.test")
            done = side.sendmail(*options, *behind, content=f"Subject: {number}\nTo: z@far.test\n\nbody\n")
            said[options] = done.returncode, done.stdout, done.stderr
        for sender in "", "<>":
            done = side.sendmail("-XV", "-f", sender, "r@far.test", content="Subject: none\n\nbody\n")
            said[sender] = done.returncode, done.stdout, done.stderr
        done = side.sendmail("-bs", content=(
            "EHLO x\r\nMAIL FROM:<> XVERP\r\nMAIL FROM:<l@here.test> XVERP=a\r\nMAIL FROM:<l@here.test> XVERP=-=\r\n"
            "RCPT TO:<r@far.test>\r\nRCPT TO:<s@far.test>\r\nDATA\r\nSubject: bs\r\n\r\nb\r\n.\r\nQUIT\r\n"))
        said["-bs"] = done.returncode, re.findall(rb"^(?:\d+ (?!.*(?:queued|ESMTP)|250 [A-Z]).*|250.XVERP)", done.stdout,
                                                  re.MULTILINE)
        settle(side)
        seen.append((said, [row for row in received(side) if row[0] != "0" or row[1]],
                     reports(side)))
    ours, theirs = seen
    for options in OPTIONS + ["", "<>"]:
        assert ours[0][options] == theirs[0][options], options
    for line in (b"250-XVERP", b"503 5.5.4 Error: XVERP requires non-null sender\r",
                 b"501 5.5.4 Error: XVERP needs two characters from -=+\r", b"555 5.5.4 Unsupported option: XVERP=a\r"):
        assert (line in ours[0]["-bs"][1]) == (line in theirs[0]["-bs"][1]), line
    assert ours[1] == theirs[1]


@pytest.mark.parametrize("settings, reason", [
    ({"default_verp_delimiters": "ab"}, "default_verp_delimiters = ab is not two characters of verp_delimiter_filter = -=+"),
    ({"verp_delimiter_filter": "+"}, "default_verp_delimiters = += is not two characters of verp_delimiter_filter = +"),
    ({"default_verp_delimiters": "-"}, "default_verp_delimiters"),
], ids=["letters", "filter", "one"])
def test_delimiters_that_are_none(make_instance, settings, reason):
    one = make_instance("here", settings=settings)
    for command in "check", "start":
        done = one.run("posthouse", command)
        assert done.returncode != 0 and reason in done.stderr, done


# ---- whom the mail comes from

RECIPIENTS = [
    ["all@va.test"], ["one@va.test", "one+ext@va.test"], ["bare"], ["old@far.test"], ["plain@local.test", "plain+ext@local.test"],
    ["user+ext@far.test", "User.Name@FAR.test", '"a b"@far.test', '"a@b"@far.test', "a=b@far.test"],
    ["x@[127.0.0.9]"], ["élan@far.test"], ["x@bücher.test"], ["x@far.test", "x@far.test"], ["x@nodots"],
    [f"{'l' * 64}@{'d' * 60}.{'e' * 60}.test"], [f"user{number}@far.test" for number in range(60)],
    ["alias@local.test"], [f"{SOMEBODY}@local.test"],
]


@pytest.mark.own_machine
def test_senders(both):
    seen = []
    for side in both():
        (side.place / f"{SOMEBODY}.forward").write_text("forwarded@far.test\n")
        for number, recipients in enumerate(RECIPIENTS):
            done = side.sendmail("-XV", "-f", SENDER, *recipients, content=f"Subject: {number}\n\nbody\n")
            assert done.returncode == 0, done
        for sender in "list", "list+x", "old@far.test", '"my list"@here.test':
            done = side.sendmail("-XV", "-f", sender, "q@far.test", content=f"Subject: from {sender}\n\nbody\n")
            assert done.returncode == 0, done
        for parameters in "XVERP=-= SMTPUTF8", "XVERP", "":
            said = talk(side.port, "EHLO x", f"MAIL FROM:<{SENDER}> {parameters}", "RCPT TO:<Q@far.test>",
                        "RCPT TO:<all@va.test>", 'RCPT TO:<"a b"@far.test>', "RCPT TO:<élan@far.test>" if parameters else
                        "NOOP", "DATA", f"Subject: over smtp {parameters}\r\n\r\nx\r\n.")
            assert all(line[0] in "23" for line in said), said
        settle(side)
        seen.append(received(side))
    ours, theirs = seen
    assert ("0", "list+all=va.test@here.test", ("a@far.test",)) in ours
    assert ("0", "list+all=va.test@here.test", ("b@far.test",)) in ours
    assert ("over smtp ", SENDER, ('"a b"@far.test', "Q@far.test", "a@far.test", "b@far.test")) in ours
    assert ours == theirs


@pytest.mark.own_machine
def test_mailboxes_here(both):
    seen = []
    for side in both():
        side.sendmail("-XV", "-f", SENDER, "box@here.test", "box+ext@here.test", f"{SOMEBODY}@local.test",
                      content="Subject: s\n\nbody\n")
        settle(side)
        mailbox = side.place / "spool" / SOMEBODY / "new"
        [path] = mailbox.iterdir()
        seen.append((returned_paths(side, "box@here.test"), path.read_text().splitlines()[:3]))
    assert seen[0] == seen[1]
    assert seen[0][0] == ["<list+box+ext=here.test@here.test>", "<list+box=here.test@here.test>"]


@pytest.mark.parametrize("delivered_to", ["yes", "no"])
def test_many_mailboxes(make_instance, delivered_to):
    """Files that are written together, or could be one: each says whom it is for."""
    users = [f"user{number}@here.test" for number in range(40)]
    one = make_instance("here", users=users, settings={
        "virtual_delivered_to": delivered_to, "smtpd_authorized_verp_clients": "127.0.0.1"}).start()
    one.send(users, sender="list@far.test", options=["XVERP"])
    one.wait_for_empty_queue()
    for user in users:
        [path] = one.messages(user)
        assert path.read_text().startswith(f"Return-Path: <list+{user.replace('@', '=')}@far.test>\n")


@pytest.mark.own_machine
def test_no_original_recipients(both):
    """Elsewhere they are not shown then; the list knows no others."""
    seen = []
    for side in both(enable_original_recipient="no"):
        side.sendmail("-XV", "-f", SENDER, "all@va.test", "old@far.test", content="Subject: s\n\nbody\n")
        settle(side)
        seen.append(received(side))
    assert seen[0] == seen[1]
    assert ("s", "list+all=va.test@here.test", ("a@far.test",)) in seen[0]


# ---- reports

REPORTED = [
    ("bad1@far.test", "bad2@far.test", "ok@far.test"), ("nobody@here.test",), ("bad3@far.test", "nobody@here.test"),
    ("-N", "never", "bad1@far.test"), ("-N", "success,failure", "bad1@far.test", "ok@far.test"),
    ("-N", "success", "ok@far.test", "box@here.test", "all@va.test"), ("-v", "ok@far.test", "bad2@far.test"),
    ("-bv", "ok@far.test", "bad2@far.test"), ("-R", "hdrs", "bad1@far.test"),
]


@pytest.mark.own_machine
@pytest.mark.parametrize("disabled", ["no", "yes"])
def test_reports(both, disabled):
    """A failure is told to the address that was made for the recipient; all else to the list's."""
    seen = []
    for side in both(disable_verp_bounces=disabled):
        side.relay.extensions.remove("DSN")   # what is handed on is reported here
        for arguments in REPORTED:
            side.sendmail("-XV", "-f", SENDER, *arguments, content=f"Subject: {' '.join(arguments)}\n\nbody\n")
        settle(side)
        seen.append((received(side), reports(side)))
    assert seen[0][0] == seen[1][0]
    assert seen[0][1] == seen[1][1]
    addresses = [report[1] for report in seen[0][1] if report[0] == "Undelivered Mail Returned to Sender"]
    assert ("list+bad1=far.test@here.test" in addresses) == (disabled == "no")
    assert (SENDER in addresses) == (disabled == "yes")


@pytest.mark.own_machine
@pytest.mark.parametrize("settings", [
    {"always_bcc": "archive@far.test"}, {"content_filter": "smtp:[127.0.0.1]:PORT"},
    {"default_transport": "lmtp:[127.0.0.1]:LMTP", "relayhost": ""},
    {"sender_canonical_maps": "inline:{ {list@here.test = other@far.test} }"},
    {"masquerade_domains": "here.test"},
], ids=["copies", "filter", "lmtp", "sender", "masquerade"])
def test_by_other_ways(both, settings):
    seen = []
    with sink.Sink(lmtp=True) as mailboxes:
        for side in both(**{name: value.replace("LMTP", str(mailboxes.port)) for name, value in settings.items()}):
            side.sendmail("-XV", "-f", "list@sub.here.test", "a@far.test", "all@va.test", content="Subject: sub\n\nbody\n")
            side.sendmail("-XV-=", "-f", SENDER, "a@far.test", "c@far.test", content="Subject: s\n\nbody\n")
            settle(side)
            seen.append((received(side), sorted((message.sender, message.recipients) for message in mailboxes.messages)))
            mailboxes.messages.clear()
    assert seen[0] == seen[1]
    assert len(seen[0][0] + seen[0][1]) >= 5


@pytest.mark.own_machine
def test_delays(both):
    """They are told to the list, of all recipients at once."""
    seen = []
    for side in both(delay_warning_time="1s", queue_run_delay="1s", minimal_backoff_time="1s", maximal_backoff_time="1s"):
        side.relay.script["RCPT"] = "450 4.2.1 later"
        side.sendmail("-XV", "-f", SENDER, "a@far.test", "b@far.test", content="Subject: s\n\nbody\n")
        wait_until(lambda side=side: sum(len(row[4]) for row in reports(side)) >= 2, "the delay is reported")
        del side.relay.script["RCPT"]
        settle(side)
        seen.append(({row[:3] for row in reports(side)}, received(side)))
    assert seen[0] == seen[1]
    assert seen[0][0] == {("Delayed Mail (still being retried)", SENDER, SENDER)}


# ---- in the queue

def alone(make_instance, relay, **settings):
    return make_instance("here", users=[SENDER], settings={
        "smtpd_authorized_verp_clients": "127.0.0.1",
        "myorigin": "here.test", "relayhost": f"[127.0.0.1]:{relay.port}", "recipient_delimiter": "+",
        "minimal_backoff_time": "1s", "maximal_backoff_time": "2s", **settings})


def test_it_is_kept(make_instance):
    """Through a deferral, hold, a release, a requeue and two masters."""
    with make_sink() as relay:
        relay.script["RCPT"] = "450 4.2.1 later"
        one = alone(make_instance, relay).start()
        one.sendmail("-XV-=", "-f", SENDER, "a@far.test", "b@far.test", content="Subject: s\n\nbody\n")
        one.wait_for_log(r"to=<b@far.test>,.* status=deferred")
        one.wait_for_log(r"to=<a@far.test>,.* status=deferred")
        [(queue_id, entry)] = one.queue().items()
        assert entry.split("\n")[0].endswith(f" {SENDER}")
        one.run("postsuper", "-h", queue_id, check=True)
        wait_until(lambda: f"{queue_id}!" in one.run("postqueue", "-p").stdout, "it is on hold")
        for _ in range(2):
            text = one.run("postcat", "-q", queue_id, check=True).stdout
            assert f"sender: {SENDER}\n" in text and "verp_delimiters: -=\n" in text
            one.stop()
            one.start()
        del relay.script["RCPT"]
        one.run("postsuper", "-H", queue_id, check=True)
        one.run("postsuper", "-r", "ALL", check=True)
        one.wait_for_empty_queue()
        assert sorted((message.sender, message.recipients) for message in relay.messages) == [
            ("list-a=far.test@here.test", ["a@far.test"]), ("list-b=far.test@here.test", ["b@far.test"])]


def test_what_is_dropped_without_sendmail(make_instance):
    """Whoever writes files of this kind can ask for any two characters, and gets the mail sent without them."""
    with make_sink() as relay:
        one = alone(make_instance, relay).start()
        one.stop()
        one.sendmail("-XV", "-f", SENDER, "a@far.test", content="Subject: s\n\nbody\n")
        [path] = [path for path in (one.queue_directory / "maildrop").iterdir() if path.is_file()]
        assert "verp_delimiters: +=\n" in one.run("postcat", "-q", path.name, check=True).stdout
        content = path.read_bytes()
        assert content.count(b"\x08\x00\x02+=") == 1
        with path.open("r+b") as file:
            file.write(content.replace(b"\x08\x00\x02+=", b"\x08\x00\x02@%"))
        one.start()
        one.wait_for_log(rf"pickup\[\d+\]: warning: {path.name}: ignoring bad VERP request$")
        one.wait_for_empty_queue()
        assert [message.sender for message in relay.messages] == [SENDER]


def test_the_longest_sender(make_instance):
    """Of addresses as long as they are taken at all."""
    far = ".".join(["d" * 63] * 4)
    sender, recipients = f"{'s' * 255}@{far}", [f"{'a' * 255}@{far}", f'"{" " * 253}"@{far}']
    with make_sink() as relay:
        relay.script[f"RCPT {recipients[1]}"] = "550 5.1.1 nobody"
        one = alone(make_instance, relay).start()
        one.send(recipients, sender=sender, options=["XVERP"])
        one.wait_for_empty_queue()
        [message] = [message for message in relay.messages if message.sender]
        assert (message.sender, message.recipients) == (f"{'s' * 255}+{'a' * 255}={far}@{far}", recipients[:1])
        [report] = [message for message in relay.messages if not message.sender]
        assert any(command.startswith(f'MAIL FROM:<"{"s" * 255}+{" " * 253}={far}"@{far}>')
                   for command in relay.commands)
        assert report.recipients == [sender]   # our own addresses are never as long as that


def test_a_recipient_that_is_no_address(make_instance):
    """The sender is told by the address that can be made of it, or by the list's."""
    with make_sink() as relay:
        one = alone(make_instance, relay).start()
        one.sendmail("-XV", "-f", SENDER, "a@b@far.test", f"{'a' * 300}@far.test", content="Subject: s\n\nbody\n")
        one.wait_for_empty_queue()
        assert sorted(path.read_text().split("Delivered-To: ")[1].split("\n")[0] for path in one.messages(SENDER)) == [
            '"list+a@b=far.test"@here.test', SENDER]


@pytest.mark.parametrize("sender", ["double-bounce@here.test", "list@gone.test"])
def test_no_report_on_reports(make_instance, sender):
    """Who cannot be told is not told again and again."""
    with make_sink() as relay:
        relay.script["RCPT"] = "550 5.1.1 nobody"
        one = alone(make_instance, relay).start()
        one.sendmail("-XV", "-f", sender, "a@far.test", "b@far.test", content="Subject: s\n\nbody\n")
        one.wait_for_log("status=bounced")
        one.wait_for_empty_queue()
        heard = [command for command in relay.commands if command.startswith("RCPT")]
        reported = ["list+a=far.test@gone.test", "list+b=far.test@gone.test"] if sender.startswith("list") else []
        assert sorted(re.findall("<(.*?)>", " ".join(heard))) == sorted(["a@far.test", "b@far.test"] + reported)


@pytest.mark.parametrize("is_killed", [False, True], ids=["", "killed"])
def test_many_reports(make_instance, is_killed):
    count = 150
    with make_sink() as relay:
        relay.script["RCPT"] = "550 5.1.1 nobody"
        one = alone(make_instance, relay).start()
        one.sendmail("-XV", "-f", SENDER, *(f"user{number}@far.test" for number in range(count)),
                     content="Subject: s\n\nbody\n")
        if is_killed:
            for _ in range(3):
                one.wait_for_log("sender non-delivery notification")
                [pid] = processes.running(one.programs, "qmgr")
                os.kill(pid, signal.SIGKILL)
        one.wait_for_empty_queue()
        told = []
        for path in one.messages(SENDER):
            text = path.read_text()
            [failed] = re.findall(r"^Final-Recipient: rfc822; (.*)$", text, re.MULTILINE)
            address = re.search(r"^Delivered-To: (.*)$", text, re.MULTILINE).group(1)
            assert address == f"list+{failed.replace('@', '=')}@here.test"
            told.append(failed)
        assert sorted(told) == sorted(f"user{number}@far.test" for number in range(count))


def test_a_command(make_instance, workspace):
    """Its sender is the recipient's, too, and so is what a mailbox file begins with."""
    place = pathlib.Path(workspace) / "verp-command"
    place.mkdir()
    place.chmod(0o777)
    script = place / "keep"
    script.write_text(f'#!/bin/sh\n(echo "$@"; cat) >"$(mktemp {place}/XXXXXX.mail)"\n')
    script.chmod(0o755)
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    with make_sink() as relay:
        one = alone(make_instance, relay, virtual_transport="keep:")
        one.services += f"keep unix - n n - 10 pipe\n  user={user} flags=FR argv={script} ${{sender}} ${{recipient}}\n"
        one.write_configuration()
        one.start()
        one.sendmail("-XV", "-f", "list@far.test", "you@here.test", SENDER, content="Subject: s\n\nbody\n")
        one.wait_for_empty_queue()
        kept = sorted([line.split(" ")[:2] if number == 1 else line for number, line in
                       enumerate(path.read_text().splitlines()[:3])] for path in place.glob("*.mail"))
    assert kept == [[f"list+{name}=here.test@far.test {name}@here.test", ["From", f"list+{name}=here.test@far.test"],
                     f"Return-Path: <list+{name}=here.test@far.test>"] for name in ("list", "you")]
