"""Out to another server: results for each recipient, deferral and retry, bounces."""

import email
import email.policy
import re

from harness import sink as sinks
from harness.instance import small_message, wait_until


def test_message_is_relayed_as_it_came(relaying, recording_sink):
    content = small_message(recipients=["friend@there.test"], body=".dot\r\nline\r\n")
    queue_id = relaying.send("friend@there.test", content)
    wait_until(lambda: recording_sink.messages, "the sink got it")
    [message] = recording_sink.messages
    assert message.sender == "sender@client.example"
    assert message.recipients == ["friend@there.test"]
    assert message.content.endswith(content.split(b"\r\n\r\n", 1)[1])
    assert message.content.startswith(b"Received: from client.example")
    assert b"Return-Path" not in message.content
    relaying.wait_for_log(
        rf"/smtp\[\d+\]: {queue_id}: to=<friend@there\.test>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:"
        rf"{recording_sink.port}, delay=[\d.]+, delays=[\d./]+, dsn=2\.0\.0, status=sent "
        r"\(250 2\.0\.0 Ok: queued as S0\)$")
    relaying.wait_for_log(f"{queue_id}: removed$")
    relaying.wait_for_empty_queue()


def test_greeting_and_pipelining(relaying, recording_sink):
    relaying.send(["a@there.test", "b@there.test", "c@there.test"])
    wait_until(lambda: recording_sink.messages, "the sink got it")
    assert recording_sink.commands[0] == "EHLO mx.here.test"
    assert recording_sink.messages[0].recipients == ["a@there.test", "b@there.test", "c@there.test"]


def test_a_server_that_knows_no_ehlo(relaying, recording_sink):
    recording_sink.script["EHLO"] = "502 5.5.2 what?"
    relaying.send("friend@there.test")
    wait_until(lambda: recording_sink.messages, "the sink got it")
    assert "HELO mx.here.test" in recording_sink.commands


def test_each_recipient_has_a_result_of_its_own(relaying, recording_sink):
    recording_sink.script.update({"RCPT no@there.test": "550 5.1.1 no such user",
                                  "RCPT later@there.test": ["450 4.2.0 come back", "250 2.1.5 Ok"]})
    queue_id = relaying.send(["yes@there.test", "no@there.test", "later@there.test"],
                             sender="you@here.test")
    relaying.wait_for_log(rf"{queue_id}: to=<yes@there\.test>, .*status=sent \(250 ")
    relaying.wait_for_log(rf"{queue_id}: to=<no@there\.test>, .*dsn=5\.1\.1, status=bounced \(host "
                          r"127\.0\.0\.1\[127\.0\.0\.1\] said: 550 5\.1\.1 no such user "
                          r"\(in reply to RCPT TO command\)\)")
    relaying.wait_for_log(rf"{queue_id}: to=<later@there\.test>, .*dsn=4\.2\.0, status=deferred \(host "
                          r"127\.0\.0\.1\[127\.0\.0\.1\] said: 450 4\.2\.0 come back "
                          r"\(in reply to RCPT TO command\)\)")
    # The retry concerns the one recipient that is left.
    wait_until(lambda: len(recording_sink.messages) == 2, "the second attempt")
    assert recording_sink.messages[1].recipients == ["later@there.test"]
    relaying.wait_for_log(rf"{queue_id}: to=<later@there\.test>, .*status=sent ")
    relaying.wait_for_mail("you@here.test")
    relaying.wait_for_empty_queue()
    assert sorted(recording_sink.recipients()) == ["later@there.test", "yes@there.test"]


def test_bounce_is_a_report_of_rfc_3464(relaying, recording_sink):
    recording_sink.script["RCPT no@there.test"] = "550 5.1.1 <no@there.test>: no such user"
    queue_id = relaying.send("no@there.test", small_message("you@here.test", message_id="lost@client.example"),
                             sender="you@here.test")
    [report] = relaying.wait_for_mail("you@here.test")
    assert report["Return-Path"] == "<>"
    assert report["To"] == "you@here.test"
    assert report["Auto-Submitted"].startswith("auto-replied")  # RFC 3834 section 2
    assert report.get_content_type() == "multipart/report"
    assert report.get_param("report-type") == "delivery-status"
    human, machine, returned = report.iter_parts()
    assert "no such user" in human.get_content()
    assert machine.get_content_type() == "message/delivery-status"
    about_message, about_recipient = machine.get_payload()
    assert about_message["Reporting-MTA"] == "dns; mx.here.test"
    assert about_message["Arrival-Date"]
    assert about_recipient["Final-Recipient"].replace(" ", "") == "rfc822;no@there.test"
    assert about_recipient["Action"] == "failed"
    assert about_recipient["Status"] == "5.1.1"
    assert "550 5.1.1 <no@there.test>: no such user" in about_recipient["Diagnostic-Code"]
    assert about_recipient["Remote-MTA"].startswith("dns; ")
    assert returned.get_content_type() in ("message/rfc822", "text/rfc822-headers")
    assert "lost@client.example" in returned.as_string()
    match = relaying.wait_for_log(rf"{queue_id}: sender non-delivery notification: (\w+)$")
    relaying.wait_for_log(rf"{match.group(1)}: from=<>, ")
    relaying.wait_for_empty_queue()


def test_a_bounce_does_not_bounce(relaying, recording_sink):
    recording_sink.script["RCPT"] = "550 5.1.1 no"
    queue_id = relaying.send("no@there.test", sender="")
    relaying.wait_for_log(rf"{queue_id}: to=<no@there\.test>, .*status=bounced ")
    relaying.wait_for_log(f"{queue_id}: removed$")
    relaying.wait_for_empty_queue()
    assert "non-delivery notification" not in relaying.log()


def test_deferral_and_retry_after_end_of_data(relaying, recording_sink):
    recording_sink.script["."] = ["451 4.3.0 not now", "250 2.0.0 Ok: queued as LATER"]
    queue_id = relaying.send("friend@there.test")
    relaying.wait_for_log(rf"{queue_id}: to=<friend@there\.test>, .*dsn=4\.3\.0, status=deferred \(host .* "
                          r"said: 451 4\.3\.0 not now \(in reply to end of DATA command\)\)")
    relaying.wait_for_log(rf"{queue_id}: to=<friend@there\.test>, .*status=sent \(250 2\.0\.0 Ok: "
                          r"queued as LATER\)")
    relaying.wait_for_empty_queue()


def test_a_deferred_message_in_mailq_and_flush(make_instance, recording_sink):
    recording_sink.script["RCPT"] = "450 4.2.0 come back"
    one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{recording_sink.port}"}).start()
    queue_id = one.send(["friend@there.test", "other@there.test"], sender="you@here.test")
    one.wait_for_log(rf"{queue_id}: to=<other@there\.test>, .*status=deferred ")
    # A star marks a message that is still in the active queue.
    wait_until(lambda: not one.run("postqueue", "-p").stdout.splitlines()[1].startswith(f"{queue_id}*"),
               "the message is back in the deferred queue")
    text = one.run("postqueue", "-p", check=True).stdout
    lines = text.splitlines()
    assert re.match(r"-+Queue ID-+ --Size-- ---Arrival Time---- --Sender/Recipient------", lines[0]), text
    assert re.match(rf"{queue_id}\s+\d+ \w{{3}} \w{{3}} [ \d]\d \d\d:\d\d:\d\d\s+you@here\.test$", lines[1]), text
    assert "450 4.2.0 come back" in text and "(in reply to RCPT TO command)" in text
    assert re.search(r"^\s+friend@there\.test$", text, re.MULTILINE), text
    assert re.search(r"^-- \d+ Kbytes in 1 Request\.$", lines[-1]), text
    assert one.run("mailq").stdout == text
    # Without a flush the next attempt is five minutes away.
    recording_sink.script["RCPT"] = "250 2.1.5 Ok"
    one.flush()
    one.wait_for_empty_queue()
    assert sorted(recording_sink.recipients()) == ["friend@there.test", "other@there.test"]


def test_connection_refused_is_a_deferral(make_instance):
    from harness.instance import free_port
    port = free_port()
    one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{port}"}).start()
    queue_id = one.send("friend@there.test")
    one.wait_for_log(rf"{queue_id}: to=<friend@there\.test>, relay=none, .*dsn=4\.4\.1, status=deferred "
                     rf"\(connect to 127\.0\.0\.1\[127\.0\.0\.1\]:{port}: Connection refused\)")
    assert queue_id in one.queue()
    # The server comes back.
    with sinks.Sink(port=port) as sink:
        one.flush()
        one.wait_for_empty_queue()
        assert sink.recipients() == ["friend@there.test"]


def test_a_message_that_is_too_old_is_returned(make_instance, recording_sink):
    recording_sink.script["RCPT"] = "450 4.2.0 never"
    one = make_instance("here", settings={
        "relayhost": f"[127.0.0.1]:{recording_sink.port}", "maximal_queue_lifetime": "2s",
        "minimal_backoff_time": "1s", "maximal_backoff_time": "1s"}).start()
    queue_id = one.send("friend@there.test", sender="you@here.test")
    one.wait_for_log(rf"{queue_id}: from=<you@here\.test>, status=expired, returned to sender$")
    [report] = one.wait_for_mail("you@here.test")
    assert "4.2.0 never" in report.as_string()
    one.wait_for_empty_queue()


def test_transport_maps_choose_the_way(make_instance, recording_sink):
    one = make_instance("here", settings={
        "transport_maps": f"inline:{{ special.test=smtp:[127.0.0.1]:{recording_sink.port} }}",
        "relayhost": "[127.0.0.1]:9"}).start()
    one.send("a@special.test")
    wait_until(lambda: recording_sink.messages, "the sink got it")
    assert recording_sink.recipients() == ["a@special.test"]


def test_eight_bit_to_a_server_without_8bitmime(make_instance):
    with sinks.Sink(extensions=["PIPELINING"]) as sink:
        one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{sink.port}"}).start()
        content = (b"Subject: 8 bit\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                   b"Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa4\r\n")
        queue_id = one.send("friend@there.test", content, sender="you@here.test", options=["BODY=8BITMIME"])
        # RFC 6152 section 3: convert it or return it; never send it as it is.
        wait_until(lambda: sink.messages or one.messages("you@here.test"), "converted or returned")
        if sink.messages:
            assert sink.messages[0].content.isascii()
            message = email.message_from_bytes(sink.messages[0].content, policy=email.policy.default)
            assert message.get_content().strip() == "\u00e4"
        else:
            one.wait_for_log(rf"{queue_id}: .*dsn=5\.6\.3, status=bounced")


GENERIC = "inline:{ you@here.test=me@isp.example, @here.test=other@isp.example }"


def test_other_names_for_strangers(make_instance, recording_sink):
    """smtp_generic_maps: envelope and header; log lines keep the names of here."""
    one = make_instance("here", settings={
        "relayhost": f"[127.0.0.1]:{recording_sink.port}", "smtp_generic_maps": GENERIC}).start()
    content = (b"From: You <you@here.test>\r\nTo: friend@there.test,\r\n\t\"A, B\" <boss@here.test>\r\n"
               b"Subject: you@here.test\r\n\r\n.from you@here.test\r\n")
    queue_id = one.send("friend@there.test", content, sender="you@here.test")
    wait_until(lambda: recording_sink.messages, "the sink got it")
    [message] = recording_sink.messages
    assert message.sender == "me@isp.example"
    header, body = message.content.split(b"\r\n\r\n", 1)
    assert b"\r\nFrom: You <me@isp.example>\r\n" in header
    assert b"\r\nTo: friend@there.test,\r\n\t\"A, B\" <other@isp.example>\r\n" in header
    assert b"\r\nSubject: you@here.test\r\n" in header
    assert body == b".from you@here.test\r\n"
    size = re.search(r"SIZE=(\d+)", next(line for line in recording_sink.commands if line.startswith("MAIL")))
    assert int(size.group(1)) == len(message.content)
    one.wait_for_log(rf"{queue_id}: to=<friend@there\.test>, .*status=sent")


def test_other_names_in_large_and_eight_bit_mail(make_instance):
    with sinks.Sink(extensions=["PIPELINING"]) as sink:
        one = make_instance("here", settings={
            "relayhost": f"[127.0.0.1]:{sink.port}", "smtp_generic_maps": GENERIC}).start()
        text = "Gr\u00fc\u00dfe\r\n" * 20000
        content = (b"From: you@here.test\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                   b"Content-Transfer-Encoding: 8bit\r\n\r\n" + text.encode())
        one.send("friend@there.test", content, sender="you@here.test", options=["BODY=8BITMIME"])
        wait_until(lambda: sink.messages, "the sink got it")
        message = email.message_from_bytes(sink.messages[0].content, policy=email.policy.default)
        assert message["From"] == "me@isp.example"
        assert message.get_content().split() == text.split()


def test_names_that_cannot_be_told_now(make_instance, recording_sink):
    one = make_instance("here", settings={
        "relayhost": f"[127.0.0.1]:{recording_sink.port}",
        "smtp_generic_maps": "fail:today"}).start()
    one.tolerate("fail:")
    queue_id = one.send("friend@there.test", sender="you@here.test")
    one.wait_for_log(rf"{queue_id}: to=<friend@there\.test>, relay=none, .*status=deferred ")
    assert not recording_sink.commands


def test_two_instances(make_instance):
    there = make_instance("there", users=["friend@there.test"]).start()
    here = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{there.port}"}).start()
    here.send(["you@here.test", "friend@there.test"])
    here.wait_for_mail("you@here.test")
    [message] = there.wait_for_mail("friend@there.test")
    assert len(message.get_all("Received")) == 2
    here.wait_for_empty_queue()
    there.wait_for_empty_queue()


def test_fifty_recipients_in_one_transaction_and_more_in_two(relaying, recording_sink):
    recipients = [f"user{i}@there.test" for i in range(120)]
    relaying.send(recipients)
    relaying.wait_for_empty_queue()
    assert sorted(recording_sink.recipients()) == sorted(recipients)
    assert max(len(message.recipients) for message in recording_sink.messages) <= 50


def test_what_a_host_said_is_logged_where_another_is_tried(make_instance):
    """As in Postfix: a line of its own for each host but the last, whose words stand in the recipient's."""
    with sinks.Sink(script={"RCPT": "450 4.2.0 first"}) as first, sinks.Sink(script={"RCPT": "450 4.2.0 last"}) as last:
        one = make_instance("here", settings={
            "relayhost": f"[127.0.0.1]:{first.port}", "smtp_fallback_relay": f"[127.0.0.1]:{last.port}"}).start()
        queue_id = one.send("you@there.test")
        one.wait_for_log(rf"{queue_id}: to=<you@there.test>.* status=deferred \(host .* said: 450 4.2.0 last ")
        said = re.findall(rf"smtp\[\d+\]: {queue_id}: host 127\S+ said: 450 4.2.0 (\w+) ", one.log())
        assert said == ["first"]
