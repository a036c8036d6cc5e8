"""Reports that bounce writes, as senders, postmasters and list managers read them: failures, late mail,
the operator's own words."""

import collections
import email
import email.policy
import os
import random
import re
import signal
import smtplib
import socketserver
import struct
import subprocess
import threading
import time

import pytest

from harness import reports, sink as sinks
from harness.instance import wait_until
from harness.processes import processes_of

FAST = {"minimal_backoff_time": "1s", "maximal_backoff_time": "1s"}
USERS = ["you@here.test", "friend@here.test", "postmaster@here.test"]


def send(one, recipients, sender="friend@here.test", options=()):
    """recipients: address -> options of RCPT."""
    with one.client() as client:
        client.ehlo()
        assert client.mail(sender, list(options))[0] == 250
        for recipient, recipient_options in recipients.items():
            code, text = client.rcpt(recipient, recipient_options)
            assert code == 250, (recipient, code, text)
        code, text = client.data(b"Subject: a letter\r\nMessage-ID: <1@client.example>\r\n\r\nThe body.\r\n")
        assert code == 250, (code, text)
    return text.decode().split()[-1]


def status_of(report):
    """The per-message fields and, by recipient, each recipient's; of a report that keeps all rules."""
    _, _, message, recipients, _ = reports.check(report.as_bytes())
    return message, recipients


def to_sink(sink, *domains):
    routes = ", ".join(f"{{ {domain}=smtp:[127.0.0.1]:{sink.port} }}" for domain in domains)
    return {"transport_maps": f"inline:{{ {routes} }}"}


class ByteServer(socketserver.ThreadingTCPServer):
    """Refuses every recipient with these bytes."""
    daemon_threads = True

    class Session(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 other.test ESMTP\r\n")
            for line in self.rfile:
                verb = line[:4].upper()
                self.wfile.write({b"RCPT": self.server.words, b"DATA": b"503 5.5.1 no", b"QUIT": b"221 bye"}.get(
                    verb, b"250 ok") + b"\r\n")

    def __init__(self, words):
        super().__init__(("127.0.0.1", 0), self.Session)
        self.words, self.port = words, self.server_address[1]

    def __enter__(self):
        threading.Thread(target=self.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


def attempts(sink, address):
    return sum(command.startswith(f"RCPT TO:<{address}>") for command in sink.commands)


def test_late_mail_is_reported_once(make_instance):
    """To those who asked for it or said nothing, once, however often it is tried again."""
    with sinks.Sink(script={"RCPT": "450 4.2.0 not now"}) as slow:
        one = make_instance("here", users=USERS, settings={
            **FAST, **to_sink(slow, "slow.test"), "delay_warning_time": "1s"}).start()
        queue_id = send(one, {"usual@slow.test": [], "delay@slow.test": ["NOTIFY=DELAY"],
                              "failure@slow.test": ["NOTIFY=FAILURE"], "never@slow.test": ["NOTIFY=NEVER"],
                              "you@here.test": []}, options=["ENVID=QQ1"])
        [report] = one.wait_for_mail("friend@here.test")
        assert report["Subject"] == "Delayed Mail (still being retried)"
        assert report["Auto-Submitted"] == "auto-replied"
        message, recipients = status_of(report)
        assert message["Original-Envelope-Id"] == "QQ1"
        assert message["X-Posthouse-Queue-ID"] == queue_id
        assert set(recipients) == {"usual@slow.test", "delay@slow.test"}
        for fields in recipients.values():
            assert fields["Action"] == "delayed"
            assert fields["Status"] == "4.2.0"
            assert fields["Will-Retry-Until"]
            assert fields["Diagnostic-Code"] == "smtp; 450 4.2.0 not now"
        one.wait_for_log(rf"bounce\[\d+\]: {queue_id}: sender delay notification: \w+")
        seen = attempts(slow, "usual@slow.test")
        wait_until(lambda: attempts(slow, "usual@slow.test") >= seen + 2, "two further attempts")
        assert len(re.findall("sender delay notification", one.log())) == 1

        # A new qmgr reads in the journal that the sender knows.
        one.stop()
        one.start()
        seen = attempts(slow, "usual@slow.test")
        wait_until(lambda: attempts(slow, "usual@slow.test") >= seen + 2, "two further attempts")
        assert len(re.findall("sender delay notification", one.log())) == 1
        assert len(one.messages("friend@here.test")) == 1


def test_the_end_of_a_delay_is_confirmed(make_instance):
    """confirm_delay_cleared: who was warned hears when the mail has gone."""
    with sinks.Sink(script={"RCPT": "450 4.2.0 not now"}) as slow:
        one = make_instance("here", users=USERS, settings={
            **FAST, **to_sink(slow, "slow.test"), "delay_warning_time": "1s",
            "confirm_delay_cleared": "yes"}).start()
        send(one, {"usual@slow.test": []})
        one.wait_for_mail("friend@here.test")
        slow.script["RCPT"] = "250 2.1.5 well"
        mails = one.wait_for_mail("friend@here.test", 2)
        [report] = [mail for mail in mails if mail["Subject"] == "Successful Mail Delivery Report"]
        assert status_of(report)[1]["usual@slow.test"]["Action"] == "relayed"
        one.wait_for_empty_queue()


def crc32c(data):
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


def fill_journal(path):
    """Reasons of so many attempts that no more are read, as a queue file has them: posthouse-queue(5)."""
    text = b"x" * 13
    body = b"\x01\x00\x08" + struct.pack(">Q", 1790000000000000) + b"\x0a" + struct.pack(">H", len(text)) + text
    record = b"a" + struct.pack(">H", len(body)) + body
    record += struct.pack(">I", crc32c(record))
    with open(path, "ab") as queue_file:
        queue_file.write(record * ((16 << 20) // len(record)))


def test_a_warning_behind_many_reasons(make_instance):
    """What the sender knows is remembered, however much there is in the journal."""
    with sinks.Sink(script={"RCPT": "450 4.2.0 not now"}) as slow:
        one = make_instance("here", users=USERS, settings={**FAST, **to_sink(slow, "slow.test")}).start()
        queue_id = send(one, {"usual@slow.test": []})
        one.wait_for_log(r"to=<usual@slow.test>.*status=deferred")
        one.stop()
        one.set(delay_warning_time="1s")
        [path] = one.queue_directory.glob(f"deferred/*/{queue_id}")
        fill_journal(path)
        one.start()
        one.wait_for_log("sender delay notification")
        seen = attempts(slow, "usual@slow.test")
        wait_until(lambda: attempts(slow, "usual@slow.test") >= seen + 3, "three further attempts")
        assert len(re.findall("sender delay notification", one.log())) == 1
        assert os.path.getsize(next(one.queue_directory.glob(f"deferred/*/{queue_id}"))) < 20 << 20


def test_no_warning_unless_it_is_asked_for(make_instance):
    """delay_warning_time is 0 by default; and nobody is warned where there is no sender."""
    with sinks.Sink(script={"RCPT": "450 4.2.0 not now"}) as slow:
        one = make_instance("here", users=USERS, settings={**FAST, **to_sink(slow, "slow.test")}).start()
        send(one, {"usual@slow.test": ["NOTIFY=DELAY"]})
        wait_until(lambda: attempts(slow, "usual@slow.test") >= 3, "three attempts")
        one.set(delay_warning_time="1s")
        one.stop()
        one.start()
        one.wait_for_log("sender delay notification")
        send(one, {"other@slow.test": ["NOTIFY=DELAY"]}, sender="")
        wait_until(lambda: attempts(slow, "other@slow.test") >= 3, "three attempts")
        assert len(re.findall("notification", one.log())) == 1


def test_postmaster_hears_of_delays(make_instance):
    """notify_classes = delay: a copy, with the header only, to delay_notice_recipient."""
    with sinks.Sink(script={"RCPT": "450 4.2.0 not now"}) as slow:
        one = make_instance("here", users=USERS, settings={
            **FAST, **to_sink(slow, "slow.test"), "delay_warning_time": "1s", "notify_classes": "delay",
            "delay_notice_recipient": "postmaster@here.test"}).start()
        queue_id = send(one, {"usual@slow.test": []})
        [copy] = one.wait_for_mail("postmaster@here.test")
        assert copy["Subject"] == "Postmaster Warning: Delayed Mail"
        assert "The body." not in copy.as_string()
        one.wait_for_log(rf"bounce\[\d+\]: {queue_id}: postmaster delay notification: \w+")


TEMPLATES = """\
# the words of a test
failure_template = <<EOF
Charset: utf-8
From: Post Office <postmaster>
Subject: Not delivered
Postmaster-Subject: Copy: not delivered

This is the mail system at host $myhostname. Grüße!

It is kept for $maximal_queue_lifetime_days days, or $maximal_queue_lifetime_hours hours; $$5.
EOF
delay_template = <<EOF

After $delay_warning_time_minutes min, ${delay_warning_time_hours} h, $delay_warning_time_days d,
and $maximal_queue_lifetime_weeks w, $maximal_queue_lifetime_days d, $maximal_queue_lifetime_seconds s.
EOF
"""


def test_words_of_the_operator(make_instance):
    """bounce_template_file: fields and text are used, $name is replaced, the other templates are ours."""
    with sinks.Sink(script={"RCPT": "550 5.1.1 nobody"}) as other:
        one = make_instance("here", users=USERS, settings={
            **to_sink(other, "other.test"), "myorigin": "here.test", "notify_classes": "bounce",
            "bounce_notice_recipient": "postmaster"})
        (one.etc / "templates").write_text(TEMPLATES)
        one.set(bounce_template_file=one.etc / "templates")
        one.start()
        send(one, {"a@other.test": ["NOTIFY=FAILURE"], "you@here.test": ["NOTIFY=SUCCESS"]})
        mails = one.wait_for_mail("friend@here.test", 2)
        by_subject = {mail["Subject"]: mail for mail in mails}
        assert set(by_subject) == {"Not delivered", "Successful Mail Delivery Report"}
        report = by_subject["Not delivered"]
        assert report["From"] == "Post Office <postmaster@here.test>"
        text = report.get_payload()[0].get_content()
        assert text.startswith("This is the mail system at host mx.here.test. Grüße!\n\n"
                               "It is kept for 5 days, or 120 hours; $5.\n\n<a@other.test>: host")
        [copy] = one.wait_for_mail("postmaster@here.test")
        assert copy["Subject"] == "Copy: not delivered"
        assert "It is kept for" not in copy.as_string()
        # Times are cut off, not rounded: what is late for an hour and a half is not late for two.
        one.set(delay_warning_time="90m", maximal_queue_lifetime="13d")
        shown = one.run("postconf", "-b", check=True).stdout
        assert "\nAfter 90 min, 1 h, 0 d,\nand 1 w, 13 d, 1123200 s.\n" in shown


def test_bad_templates_stop_a_start(make_instance):
    """One line that says file, line and what is wrong, before anything runs."""
    one = make_instance("here")
    file = one.etc / "templates"
    one.set(bounce_template_file=file)
    for text, complaint in (
            ("delay_template = <<EOF\n\nNo end\n", f"{file}, line 1: no line with the word behind <<"),
            ("\nfailure_template = <<EOF\nReply-To: x\n\nx\nEOF\n", f"{file}, line 3: unknown field"),
            ("bounce_template = <<EOF\n", f"{file}, line 1: unknown template: failure_template"),
            ("failure_template = <<EOF\n\n${myhostname\nEOF\n", "failure_template")):
        file.write_text(text)
        for word in ("check", "start"):
            done = one.run("posthouse", word)
            assert done.returncode != 0
            [line] = [line for line in (done.stdout + done.stderr).splitlines() if "template" in line]
            assert complaint in line, line
    file.unlink()
    assert f"bounce_template_file {file}: No such file or directory" in one.run("posthouse", "check").stderr
    one.set(bounce_template_file="templates")
    assert "a path from / on" in one.run("posthouse", "check").stderr


def reports_to(one, user, count=1):
    """(subject, what reports.check() found) of each, in the order of arrival."""
    one.wait_for_mail(user, count)
    found = [reports.check(path.read_bytes()) for path in one.messages(user)]
    return [(header["Subject"], *rest) for header, *rest in found]


def test_a_failure_is_a_report_that_programs_read(make_instance):
    """Every field of it; and the parser that mailing list managers use finds the address in it."""
    bounce = pytest.importorskip("flufl.bounce")
    with sinks.Sink(script={"RCPT": "550 5.1.1 <a@other.test>: nobody of that name"}) as other:
        one = make_instance("here", users=USERS, settings=to_sink(other, "other.test")).start()
        queue_id = send(one, {"a@other.test": ["ORCPT=rfc822;first+2Bx@else.test"]}, options=["ENVID=Q+2BQ"])
        [(subject, text, message, recipients, returned)] = reports_to(one, "friend@here.test")
        assert subject == "Undelivered Mail Returned to Sender"
        assert text.startswith("This is the mail system at host mx.here.test.")
        assert "<a@other.test>" in text
        assert message["Original-Envelope-Id"] == "Q+Q"
        assert message["Reporting-MTA"] == "dns; mx.here.test"
        assert message["X-Posthouse-Queue-ID"] == queue_id
        assert message["X-Posthouse-Sender"] == "rfc822; friend@here.test"
        assert recipients["a@other.test"] == {
            "Original-Recipient": "rfc822; first+x@else.test",
            "Final-Recipient": "rfc822; a@other.test",
            "Action": "failed", "Status": "5.1.1", "Remote-MTA": "dns; 127.0.0.1",
            "Diagnostic-Code": "smtp; 550 5.1.1 <a@other.test>: nobody of that name",
            "Last-Attempt-Date": recipients["a@other.test"]["Last-Attempt-Date"]}
        assert returned == "message/rfc822"
        [path] = one.messages("friend@here.test")
        temporary, permanent = bounce.all_failures(email.message_from_bytes(path.read_bytes()))
        assert (temporary, permanent) == (set(), {b"first+x@else.test"})


BOUNCE_PARSER = r"""
use strict; use Mail::DeliveryStatus::BounceParser; local $/; binmode STDIN;
my $bounce = Mail::DeliveryStatus::BounceParser->new(scalar <STDIN>);
print join("|", $bounce->is_bounce, $bounce->orig_message_id), "\n";
for my $one ($bounce->reports) {
    print join("|", map { $one->get($_) // "" } qw(email std_reason smtp_code host Original-Recipient)), "\n";
}
"""


def read_by_perl(path):
    """What Mail::DeliveryStatus::BounceParser finds: (is a bounce, message id), then who and why."""
    done = subprocess.run(["perl", "-e", BOUNCE_PARSER], input=path.read_bytes(), capture_output=True, timeout=60,
                          check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    first, *others = [tuple(line.split("|")) for line in done.stdout.decode().splitlines()]
    return first, sorted(others)


ODD_REPLIES = {
    "plain": (b"550 5.1.1 <x@y>: User unknown", "user_unknown"),
    "lines": (b"552-5.2.2 Mailbox full\r\n552 5.2.2 over quota", "over_quota"),
    "utf8": ("550 5.7.1 Gr\u00fc\u00dfe".encode(), "unknown"),
    "latin1": (b"550 5.7.1 Gr\xfc\xdfe", "unknown"),
    "controls": (b"550 5.7.1 a\0b\x1b[31mred\x7f \r--x", "unknown"),
    "long": (b"550 5.7.1 " + b"z" * 1500, "unknown"),
    "forged": (b"550 5.7.1 x\rFinal-Recipient: rfc822; evil@x.test\r", "unknown"),
}


@pytest.mark.parametrize("kind", ODD_REPLIES)
def test_other_readers(make_instance, kind):
    """Two parsers that we did not write find the same in it, whatever the server said; and a recipient
    that was expanded can be told by the address that the sender knows."""
    if subprocess.run(["perl", "-MMail::DeliveryStatus::BounceParser", "-e1"], capture_output=True, check=False).returncode:
        pytest.skip("needs libmail-deliverystatus-bounceparser-perl")
    words, reason = ODD_REPLIES[kind]
    with ByteServer(words) as other:
        one = make_instance("here", users=USERS, settings={
            **to_sink(other, "other.test"), "virtual_alias_maps": "inline:{ both@here.test=a@other.test }"}).start()
        send(one, {"b@other.test": [], "both@here.test": [], "c@other.test": ["ORCPT=rfc822;c+2Bx@else.test"]})
        [(_, text, _, recipients, _)] = reports_to(one, "friend@here.test")
        assert set(recipients) == {"a@other.test", "b@other.test", "c@other.test"}
        originals = {address: fields.get("Original-Recipient") for address, fields in recipients.items()}
        assert originals == {"a@other.test": "rfc822; both@here.test", "b@other.test": None,
                             "c@other.test": "rfc822; c+x@else.test"}
        assert ("Gr\u00fc\u00dfe" in text) == (kind == "utf8")
        [path] = one.messages("friend@here.test")
        first, found = read_by_perl(path)
        assert first == ("1", "<1@client.example>")
        code = words[:3].decode()
        known = {address: (original or address).split("; ")[-1] for address, original in originals.items()}
        assert found == sorted((known[address], reason, code, known[address].split("@")[1], originals[address] or "")
                               for address in recipients), found
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        assert not [part.defects for part in message.walk() if part.defects]
        [status] = [part for part in message.walk() if part.get_content_type() == "message/delivery-status"]
        assert {group["Final-Recipient"].split("; ")[1] for group in status.get_payload()
                if group["Final-Recipient"]} == set(recipients)


@pytest.mark.parametrize("options, settings, expected", [
    (["RET=FULL"], {}, "message/rfc822"),
    (["RET=HDRS"], {}, "text/rfc822-headers"),
    ([], {"bounce_size_limit": "50"}, "text/rfc822-headers"),
    (["RET=FULL"], {"bounce_size_limit": "50"}, "text/rfc822-headers"),
])
def test_what_is_returned(make_instance, options, settings, expected):
    """RET=, and bounce_size_limit, which comes before it."""
    with sinks.Sink(script={"RCPT": "550 5.1.1 nobody"}) as other:
        one = make_instance("here", users=USERS, settings={**to_sink(other, "other.test"), **settings}).start()
        send(one, {"a@other.test": []}, options=options)
        [found] = reports_to(one, "friend@here.test")
        assert found[-1] == expected
        text = one.messages("friend@here.test")[0].read_text()
        assert ("The body." in text) == (expected == "message/rfc822")
        returned = text.split("Content-Type: " + expected)[1]
        assert "\n\nReturn-Path: <friend@here.test>\n" in returned, returned


@pytest.mark.parametrize("program", ["bounce", "qmgr"])
def test_reports_survive_kills(make_instance, program):
    """Of each message its sender hears of the failure, the success and the delay, whenever who writes
    reports, or who asks for them, is killed; and twice only of what a kill was in the middle of."""
    count, kills = 40, 6
    with sinks.Sink(script={"RCPT fail@far.test": "550 5.1.1 nobody", "RCPT slow@far.test": "450 4.2.0 not now"},
                    delay_s=0.005) as far:
        one = make_instance("here", users=USERS, settings={
            **FAST, **to_sink(far, "far.test"), "delay_warning_time": "1s",
            "service_throttle_time": "1s"}).start()
        chance = random.Random(program)
        wanted = {(f"M{number}", action) for number in range(count) for action in ("failed", "relayed", "delayed")}
        for number in range(count):
            try:
                send(one, {"fail@far.test": [], "ok@far.test": ["NOTIFY=SUCCESS"], "slow@far.test": []},
                     options=[f"ENVID=M{number}"])
            except (AssertionError, OSError, smtplib.SMTPException):    # qmgr was away: not accepted
                wanted -= {(f"M{number}", action) for action in ("failed", "relayed", "delayed")}
            if number % (count // kills) == 0:
                time.sleep(chance.uniform(0, 0.3))
                for pid in processes_of(one.programs)[program][:1]:
                    os.kill(pid, signal.SIGKILL)

        def told():
            found = collections.Counter()
            for path in one.messages("friend@here.test"):
                _, _, message, recipients, _ = reports.check(path.read_bytes())
                found.update((message["Original-Envelope-Id"], fields["Action"])
                             for fields in recipients.values())
            return found

        assert len(wanted) >= 3 * count // 2, "too little was accepted"
        wait_until(lambda: wanted <= set(told()), "every report", 90, 1)
        found = told()
        doubled = [key for key, number in found.items() if number > 1]
        # A message that was not acknowledged may have been accepted nevertheless: it is no more than one.
        assert len(doubled) <= 3 * kills, doubled
        assert all(number <= 2 for number in found.values())


def test_internationalized_reports(make_instance):
    """RFC 6533: where an address or the message needs UTF-8 the report is in the form that says so."""
    with sinks.Sink(script={"RCPT": "550 5.1.1 nobody"},
                    extensions=("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES")) as other:
        one = make_instance("here", users=USERS, settings=to_sink(other, "other.test")).start()
        with one.client() as client:
            client.ehlo()
            if "smtputf8" not in client.esmtp_features:
                pytest.skip("built without libidn2")
            client.command_encoding = "utf-8"
            assert client.mail("friend@here.test", ["SMTPUTF8", "BODY=8BITMIME", "RET=HDRS"])[0] == 250
            assert client.rcpt("jörg@other.test")[0] == 250
            assert client.data("Subject: Grüße\r\n\r\nÄpfel\r\n".encode())[0] == 250
        [(subject, text, _, recipients, returned)] = reports_to(one, "friend@here.test")
        assert subject == "Undelivered Mail Returned to Sender"
        assert "<jörg@other.test>" in text
        assert recipients["jörg@other.test"]["Final-Recipient"] == "utf-8; jörg@other.test"
        assert returned == "message/global-headers"


def status_reports(one, *arguments):
    """What sendmail's caller hears: {recipient: (action, status)}, from one report."""
    before = len(one.messages("friend@here.test"))
    one.sendmail("-f", "friend@here.test", *arguments)
    mails = one.wait_for_mail("friend@here.test", before + 1)
    [path] = [path for path, mail in zip(one.messages("friend@here.test"), mails)
              if mail["Subject"] == "Mail Delivery Status Report"]
    _, _, message, recipients, _ = reports.check(path.read_bytes())
    assert message["X-Posthouse-Sender"] == "rfc822; friend@here.test"
    path.unlink()
    return {address: (fields["Action"], fields["Status"][0]) for address, fields in recipients.items()}


def test_verification_and_first_attempts(make_instance):
    """sendmail -bv delivers nothing and says what would become of it; -v delivers and says what did."""
    with sinks.Sink(script={"RCPT bad@far.test": "550 5.1.1 nobody", "RCPT slow@far.test": "450 4.2.0 not now"}) as far:
        one = make_instance("here", users=USERS, settings={**FAST, **to_sink(far, "far.test")}).start()
        assert status_reports(one, "-bv", "good@far.test", "bad@far.test", "slow@far.test", "you@here.test") == {
            "good@far.test": ("deliverable", "2"), "bad@far.test": ("undeliverable", "5"),
            "slow@far.test": ("undeliverable", "4"), "you@here.test": ("deliverable", "2")}
        one.wait_for_empty_queue()
        assert far.messages == [] and one.messages("you@here.test") == []
        assert one.messages("friend@here.test") == []
        one.wait_for_log(r"to=<bad@far.test>.*status=undeliverable")
        assert status_reports(one, "-v", "good@far.test", "slow@far.test", "you@here.test") == {
            "good@far.test": ("relayed", "2"), "slow@far.test": ("delayed", "4"),
            "you@here.test": ("delivered", "2")}
        assert far.recipients() == ["good@far.test"]
        assert len(one.messages("you@here.test")) == 1
        seen = attempts(far, "slow@far.test")
        wait_until(lambda: attempts(far, "slow@far.test") >= seen + 2, "further attempts")
        assert one.messages("friend@here.test") == []
