"""Reports that bounce writes, as senders and postmasters read them: late mail."""

import re

from harness import sink as sinks
from harness.instance import wait_until

FAST = {"minimal_backoff_time": "1s", "maximal_backoff_time": "1s", "queue_run_delay": "1s"}
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
    """The per-message fields and, by recipient, each recipient's."""
    [status] = [part for part in report.walk()
                if part.get_content_type() in ("message/delivery-status", "message/global-delivery-status")]
    message, *recipients = status.get_payload()
    return message, {fields["Final-Recipient"].split(";")[1].strip(): fields
                     for fields in recipients if fields["Final-Recipient"]}


def to_sink(sink, *domains):
    routes = ", ".join(f"{{ {domain}=smtp:[127.0.0.1]:{sink.port} }}" for domain in domains)
    return {"transport_maps": f"inline:{{ {routes} }}"}


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
