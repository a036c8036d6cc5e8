"""Reports that the sender asked for or declined (RFC 3461), from RCPT to the sender's mailbox."""

from harness import sink as sinks

DSN_SINK = ("PIPELINING", "SIZE 0", "8BITMIME", "ENHANCEDSTATUSCODES", "DSN")


def send(one, recipients, sender="friend@here.test", options=("RET=HDRS", "ENVID=QQ314159")):
    """recipients: address -> options of RCPT."""
    with one.client() as client:
        client.ehlo()
        assert client.mail(sender, list(options))[0] == 250
        for recipient, recipient_options in recipients.items():
            code, text = client.rcpt(recipient, recipient_options)
            assert code == 250, (recipient, code, text)
        assert client.data(b"Subject: a letter\r\n\r\nThe body.\r\n")[0] == 250


def fields_of(report):
    """The per-message fields and those of each recipient."""
    [status] = [part for part in report.walk() if part.get_content_type() == "message/delivery-status"]
    return status.get_payload()


def test_success_is_reported_when_asked_for(here):
    send(here, {"you@here.test": ["NOTIFY=SUCCESS", "ORCPT=rfc822;first@else.test"], "friend@here.test": []})
    here.wait_for_mail("you@here.test")
    mails = here.wait_for_mail("friend@here.test", 2)
    [report] = [mail for mail in mails if mail.get_content_type() == "multipart/report"]
    message, *recipients = fields_of(report)
    assert message["Original-Envelope-Id"] == "QQ314159"
    [recipient] = [fields for fields in recipients if fields["Final-Recipient"]]
    assert recipient["Original-Recipient"] == "rfc822; first@else.test"
    assert recipient["Action"] == "delivered"
    assert recipient["Status"].startswith("2.")
    here.wait_for_empty_queue()


def test_relayed_is_reported_by_who_sees_it_last(make_instance):
    """A server without DSN: we say relayed. One with DSN is told NOTIFY= and reports itself."""
    with sinks.Sink() as old, sinks.Sink(extensions=DSN_SINK) as new:
        one = make_instance("here", users=["you@here.test", "friend@here.test"], settings={
            "transport_maps": f"inline:{{ {{ old.test=smtp:[127.0.0.1]:{old.port} }}, "
                              f"{{ new.test=smtp:[127.0.0.1]:{new.port} }} }}"}).start()
        send(one, {"a@old.test": ["NOTIFY=SUCCESS"], "b@new.test": ["NOTIFY=SUCCESS"]})
        [report] = one.wait_for_mail("friend@here.test")
        [recipient] = [fields for fields in fields_of(report)[1:] if fields["Final-Recipient"]]
        assert "a@old.test" in recipient["Final-Recipient"]
        assert recipient["Action"] == "relayed"
        one.wait_for_empty_queue()
        assert any("NOTIFY=SUCCESS" in command for command in new.commands)
        assert len(one.messages("friend@here.test")) == 1


def test_the_recipient_as_the_sender_wrote_it(make_instance):
    """ORCPT goes on as it came; of who was expanded without it the next server hears (RFC 3461 section 5.2.1)."""
    with sinks.Sink(extensions=DSN_SINK) as new:
        one = make_instance("here", users=["friend@here.test"], settings={
            "transport_maps": f"inline:{{ {{ new.test=smtp:[127.0.0.1]:{new.port} }} }}",
            "virtual_alias_maps": "inline:{ a+b@here.test=a@new.test, c@here.test=c@new.test }"}).start()
        send(one, {"a+b@here.test": [], "c@here.test": ["ORCPT=rfc822;first@else.test"], "d@new.test": []})
        one.wait_for_empty_queue()
        rcpts = {command.split(" ")[1]: command for command in new.commands if command.startswith("RCPT")}
        assert "ORCPT=rfc822;a+2Bb@here.test" in rcpts["TO:<a@new.test>"]
        assert "ORCPT=rfc822;first@else.test" in rcpts["TO:<c@new.test>"]
        assert "ORCPT" not in rcpts["TO:<d@new.test>"]


def test_failure_is_reported_unless_declined(make_instance):
    """NEVER, and conditions without FAILURE, decline it; nothing said asks for it."""
    with sinks.Sink(script={"RCPT": "550 5.1.1 nobody"}) as other:
        one = make_instance("here", users=["you@here.test", "friend@here.test"], settings={
            "transport_maps": f"inline:{{ {{ other.test=smtp:[127.0.0.1]:{other.port} }} }}"}).start()
        send(one, {"never@other.test": ["NOTIFY=NEVER"], "success@other.test": ["NOTIFY=SUCCESS"],
                   "failure@other.test": ["NOTIFY=FAILURE"], "usual@other.test": [],
                   "you@here.test": ["NOTIFY=SUCCESS,FAILURE"]})
        reports = one.wait_for_mail("friend@here.test", 2)
        told = {fields["Final-Recipient"].split(";")[1].strip(): fields["Action"]
                for report in reports for fields in fields_of(report)[1:] if fields["Final-Recipient"]}
        assert told == {"failure@other.test": "failed", "usual@other.test": "failed",
                        "you@here.test": "delivered"}
        one.wait_for_empty_queue()
        assert len(one.messages("friend@here.test")) == 2
