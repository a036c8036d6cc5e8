"""notify_classes: what the postmaster is told of, and what nobody is told of."""

import re

import pytest

from harness import reports, sink as sinks
from harness.instance import wait_until

USERS = ["you@here.test", "friend@here.test", "postmaster@here.test", "second@here.test"]


def notices(one, user="postmaster@here.test"):
    return [mail for mail in one.wait_for_mail(user)
            if mail["Subject"].startswith("Posthouse ")]


def quiet(one):
    """One message has gone through since: whatever else was to be written is there, too."""
    one.send("you@here.test")
    one.wait_for_mail("you@here.test")
    one.wait_for_empty_queue()


def to_sink(sink, *domains):
    routes = ", ".join(f"{{ {domain}=smtp:[127.0.0.1]:{sink.port} }}" for domain in domains)
    return {"transport_maps": f"inline:{{ {routes} }}"}


def settings(classes, **more):
    return {"notify_classes": classes, "myorigin": "here.test", **more}


def talk(one, *commands):
    with one.client() as client:
        client.ehlo()
        for command in commands:
            client.docmd(command)


@pytest.mark.parametrize("classes, commands, told", [
    ("protocol", ["NONSENSE"], True),
    ("protocol", ["MAIL FROM:<a@b.example>", "RCPT TO:<nobody@here.test>"], False),
    ("policy", ["MAIL FROM:<a@b.example>", "RCPT TO:<nobody@here.test>"], True),
    ("policy", ["NONSENSE"], False),
    ("", ["NONSENSE", "MAIL FROM:<a@b.example>", "RCPT TO:<nobody@here.test>"], False),
])
def test_sessions_of_clients(make_instance, classes, commands, told):
    one = make_instance("here", users=USERS, settings=settings(
        classes, error_notice_recipient="postmaster")).start()
    talk(one, *commands)
    quiet(one)
    if not told:
        assert one.messages("postmaster@here.test") == []
        return
    [mail] = notices(one)
    assert mail["Subject"] == "Posthouse SMTP server: errors from unknown[127.0.0.1]"
    assert mail["Auto-Submitted"] == "auto-generated"
    text = mail.get_content()
    assert text.startswith("Transcript of session follows.\n\n Out: 220 mx.here.test ESMTP")
    for command in commands:
        assert f"\n In:  {command}\n Out: " in text
    assert mail["Return-Path"] == "<double-bounce@here.test>"


@pytest.mark.parametrize("classes, setting, told", [
    ("resource", {"queue_minfree": str(1 << 60)}, True),
    ("software", {"queue_minfree": str(1 << 60)}, False),
    ("data", {"transport_maps": "", "virtual_mailbox_maps": "texthash:/nowhere/at/all"}, True),
    ("resource", {"virtual_mailbox_maps": "texthash:/nowhere/at/all"}, False),
])
def test_our_own_trouble(make_instance, classes, setting, told):
    """resource: no room; data: a table that cannot be read."""
    one = make_instance("here", users=USERS, settings=settings(
        classes, error_notice_recipient="postmaster@far.test"))
    with sinks.Sink() as far:
        one.set(**{**to_sink(far, "far.test"), **setting})
        if "transport_maps" in setting:
            one.set(relayhost=f"[127.0.0.1]:{far.port}")
        one.tolerate("warning|error")
        one.start()
        talk(one, "MAIL FROM:<a@b.example>", "RCPT TO:<you@here.test>")
        if told:
            wait_until(lambda: far.messages, "the postmaster is told")
            assert b"Transcript of session follows." in far.messages[0].content
        else:
            one.wait_for_log("disconnect from.*mail=")
            assert not re.search("from=<double-bounce", one.log())


def test_sessions_of_ours(make_instance):
    """protocol: a server that does not understand us."""
    with sinks.Sink(script={"MAIL": "501 5.5.4 what?"}) as other:
        one = make_instance("here", users=USERS, settings=settings("protocol", **to_sink(other, "other.test")))
        one.start()
        one.send("a@other.test", sender="friend@here.test")
        [mail] = notices(one)
        assert mail["Subject"] == "Posthouse SMTP client: errors from 127.0.0.1[127.0.0.1]"
        assert "\n Out: MAIL FROM:<friend@here.test> " in mail.get_content()
        assert "\n In:  501 5.5.4 what?\n" in mail.get_content()


def test_copies_of_failures(make_instance):
    """bounce: the header only, to bounce_notice_recipient, and a log line of its own."""
    with sinks.Sink(script={"RCPT": "550 5.1.1 nobody"}) as other:
        one = make_instance("here", users=USERS, settings=settings(
            "bounce", bounce_notice_recipient="second", **to_sink(other, "other.test"))).start()
        queue_id = one.send("a@other.test", sender="friend@here.test")
        one.wait_for_mail("friend@here.test")
        one.wait_for_mail("second@here.test")
        header, _, message, recipients, returned = reports.check(one.messages("second@here.test")[0].read_bytes())
        assert header["Subject"] == "Postmaster Copy: Undelivered Mail"
        assert set(recipients) == {"a@other.test"}
        assert returned == "text/rfc822-headers"
        assert message["X-Posthouse-Sender"] == "rfc822; friend@here.test"
        one.wait_for_log(rf"bounce\[\d+\]: {queue_id}: postmaster non-delivery notification: \w+")
        one.wait_for_log(rf"bounce\[\d+\]: {queue_id}: sender non-delivery notification: \w+")


def test_double_and_triple_bounces(make_instance):
    """A report that fails goes to the postmaster where 2bounce is set; when that fails, too, it ends
    with a line in the log."""
    with sinks.Sink(script={"RCPT": "550 5.1.1 nobody"}) as other:
        one = make_instance("here", users=USERS, settings=settings(
            "2bounce", **{"2bounce_notice_recipient": "second@here.test"}, **to_sink(other, "other.test")))
        one.start()
        one.send("a@other.test", sender="gone@other.test")
        one.wait_for_mail("second@here.test")
        header, _, _, recipients, _ = reports.check(one.messages("second@here.test")[0].read_bytes())
        assert header["Subject"] == "Postmaster Copy: Undelivered Mail"
        assert set(recipients) == {"gone@other.test"}
        one.wait_for_empty_queue()
        one.stop()
        one.set(**{"2bounce_notice_recipient": "lost@other.test"})
        one.start()
        one.send("a@other.test", sender="gone@other.test")
        one.wait_for_log("undeliverable postmaster notification discarded")
        one.wait_for_empty_queue()
        rcpts = [command for command in other.commands if command.startswith("RCPT TO:<lost@")]
        assert len(rcpts) == 1


def test_nobody_is_told(make_instance):
    """No report on mail without a sender, none for NOTIFY=NEVER; none while soft_bounce is set; a
    recipient that is refused at RCPT makes no report of ours (no backscatter)."""
    with sinks.Sink(script={"RCPT": "550 5.1.1 nobody"}) as other:
        one = make_instance("here", users=USERS, settings=settings("", **to_sink(other, "other.test"))).start()
        one.send("a@other.test", sender="")
        one.wait_for_empty_queue()
        with one.client() as client:
            client.ehlo()
            client.mail("friend@here.test")
            assert client.rcpt("a@other.test", ["NOTIFY=NEVER"])[0] == 250
            client.data(b"Subject: x\r\n\r\n")
        one.wait_for_empty_queue()
        with one.client() as client:
            client.ehlo()
            client.mail("friend@here.test")
            assert client.rcpt("nobody@here.test")[0] == 550
        assert "notification" not in one.log()
        one.stop()
        one.set(soft_bounce="yes")
        one.start()
        one.send("a@other.test", sender="friend@here.test")
        one.wait_for_log("status=SOFTBOUNCE")
        assert "notification" not in one.log()
        assert len(one.queue()) == 1


def test_dsn_is_not_offered_when_it_is_discarded(make_instance):
    """smtpd_discard_ehlo_keywords = dsn: senders cannot ask for reports."""
    one = make_instance("here", users=USERS, settings={"smtpd_discard_ehlo_keywords": "dsn"}).start()
    with one.client() as client:
        client.ehlo()
        assert "dsn" not in client.esmtp_features
        client.mail("friend@here.test")
        assert client.rcpt("you@here.test", ["NOTIFY=SUCCESS"])[0] == 555


@pytest.mark.parametrize("threshold, count", [("5", 2), ("100", 1)])
def test_long_sessions(make_instance, threshold, count):
    """A long session's troubles are told when a message is over, and a short one's at its end."""
    one = make_instance("here", users=USERS, settings=settings(
        "protocol", error_notice_recipient="postmaster", smtpd_history_flush_threshold=threshold)).start()
    with one.client() as client:
        client.ehlo()
        for word in ("NONSENSE", "RUBBISH"):
            client.docmd(word)
            client.sendmail("a@b.example", ["you@here.test"], "Subject: x\r\n\r\n")
    wait_until(lambda: len(notices(one)) == count, f"{count} notices")
    texts = [mail.get_content() for mail in notices(one)]
    assert sorted(("NONSENSE" in text) + 2 * ("RUBBISH" in text) for text in texts) == ([1, 2] if count == 2 else [3])
