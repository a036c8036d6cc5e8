"""reject_unverified_recipient and reject_unverified_sender: probes, what is remembered of them, and what
clients hear."""

import os
import re
import signal

import pytest

from harness import sink as sinks
from harness.instance import wait_until
from harness.processes import processes_of

RECIPIENT = {"smtpd_recipient_restrictions": "reject_unverified_recipient, permit_mynetworks",
             "address_verify_poll_delay": "10s"}


def relaying_to(sink, **settings):
    return {"mynetworks": "127.0.0.0/8", "relayhost": f"[127.0.0.1]:{sink.port}",
            "double_bounce_sender": "double-bounce", "myorigin": "here.test", **RECIPIENT, **settings}


def rcpt(one, recipient, sender="sender@client.example"):
    with one.client() as client:
        client.ehlo()
        assert client.mail(sender)[0] == 250
        code, text = client.rcpt(recipient)
        return code, text.decode()


def probes(sink, address):
    return sum(command.upper() == f"RCPT TO:<{address.upper()}>" for command in sink.commands)


def test_a_recipient_is_probed_once(make_instance):
    """Good and bad, by RCPT alone; remembered, over a restart too; never in the queue."""
    with sinks.Sink(script={"RCPT bad@far.test": "550 5.1.1 no such user"}) as sink:
        one = make_instance("here", settings=relaying_to(
            sink, unverified_recipient_reject_code="550")).start()
        assert rcpt(one, "good@far.test") == (250, "2.1.5 Ok")
        code, text = rcpt(one, "bad@far.test")
        assert code == 550
        assert text.startswith("5.1.1 <bad@far.test>: Recipient address rejected: unverified address: host ")
        assert "no such user" in text
        assert rcpt(one, "Good@FAR.test")[0] == 250
        assert probes(sink, "good@far.test") == probes(sink, "bad@far.test") == 1
        assert "MAIL FROM:<double-bounce@here.test>" in [command.split(" SIZE")[0] for command in sink.commands]
        assert not [command for command in sink.commands if command in ("DATA", "BDAT")]
        assert not sink.messages
        one.wait_for_log(r"smtp\[\d+\]: \w+: to=<good@far.test>, relay=.*, dsn=2.1.5, status=deliverable \(250 ")
        one.wait_for_log(r"smtp\[\d+\]: \w+: to=<bad@far.test>, relay=.*, dsn=5.1.1, status=undeliverable \(host ")
        one.wait_for_log(r"smtpd\[\d+\]: NOQUEUE: reject: RCPT from \S+: 550 5.1.1 <bad@far.test>: Recipient "
                         r"address rejected: unverified address: host ")
        assert one.queue() == {}
        one.stop()
        one.start()
        assert rcpt(one, "good@far.test")[0] == 250
        assert rcpt(one, "bad@far.test")[0] == 550
        assert probes(sink, "good@far.test") == probes(sink, "bad@far.test") == 1


def test_nobody_can_say(make_instance):
    """A temporary failure is 450, or passes where unverified_recipient_defer_code is 250."""
    with sinks.Sink(script={"RCPT": "450 4.3.0 later"}) as sink:
        one = make_instance("here", settings=relaying_to(sink)).start()
        code, text = rcpt(one, "some@far.test")
        assert code == 450 and "4.1.1 <some@far.test>: Recipient address rejected: unverified address" in text
        one.stop()
        one.set(unverified_recipient_defer_code="250")
        one.start()
        assert rcpt(one, "some@far.test")[0] == 250


def test_what_else_refuses(make_instance):
    """Where nobody can say, a later restriction may refuse for good; or, with defer, none is asked."""
    with sinks.Sink(script={"RCPT": "450 4.3.0 later"}) as sink:
        one = make_instance("here", settings=relaying_to(
            sink, smtpd_recipient_restrictions="reject_unverified_recipient, "
            "check_recipient_access inline:{ {bad@far.test=REJECT not here} }, permit_mynetworks")).start()
        assert rcpt(one, "bad@far.test") == (554, "5.7.1 <bad@far.test>: Recipient address rejected: not here")
        assert rcpt(one, "other@far.test")[0] == 450
        one.set(reject_tempfail_action="defer")
        one.reload()
        assert rcpt(one, "bad@far.test")[0] == 450
        one.set(unverified_recipient_tempfail_action="defer_if_permit")
        one.reload()
        assert rcpt(one, "bad@far.test")[0] == 554


def test_a_client_does_not_wait_for_ever(make_instance):
    """address_verify_poll_count times the delay; the answer counts for the next one."""
    with sinks.Sink(delay_s=1.5) as sink:
        one = make_instance("here", settings=relaying_to(
            sink, address_verify_poll_count="1", address_verify_poll_delay="1s")).start()
        code, text = rcpt(one, "slow@far.test")
        assert (code, text) == (450, "4.1.1 <slow@far.test>: Recipient address rejected: unverified address: "
                                     "Address verification in progress")
        one.wait_for_log("to=<slow@far.test>.*status=deliverable")
        assert rcpt(one, "slow@far.test")[0] == 250
        assert probes(sink, "slow@far.test") == 1


def test_a_sender_is_probed(make_instance):
    """reject_unverified_sender, with the words of unverified_sender_reject_reason; the null sender passes."""
    with sinks.Sink(script={"RCPT bad@far.test": "550 5.1.1 no such user"}) as sink:
        one = make_instance("here", settings={
            "relayhost": f"[127.0.0.1]:{sink.port}", "smtpd_sender_restrictions": "reject_unverified_sender",
            "unverified_sender_reject_reason": "we could not reach you", "address_verify_poll_delay": "10s",
            "address_verify_sender": "<>"}).start()
        assert rcpt(one, "you@here.test", "good@far.test")[0] == 250
        assert rcpt(one, "you@here.test", "")[0] == 250
        code, text = rcpt(one, "you@here.test", "bad@far.test")
        assert (code, text) == (450, "4.1.7 <bad@far.test>: Sender address rejected: we could not reach you")
        assert any(command.startswith("MAIL FROM:<>") for command in sink.commands)


def test_a_permission_before_it_ends_the_list(make_instance):
    with sinks.Sink(script={"RCPT": "550 5.1.1 no such user"}) as sink:
        one = make_instance("here", settings=relaying_to(
            sink, smtpd_recipient_restrictions="permit_mynetworks, reject_unverified_recipient")).start()
        assert rcpt(one, "any@far.test")[0] == 250
        assert not sink.commands


def test_our_own_mailboxes(make_instance):
    """virtual and the transports without agents say what they would do, and deliver nothing."""
    one = make_instance("here", settings={**RECIPIENT, "transport_maps":
                        "inline:{ { gone.test=retry:4.2.1 moved } , { void.test=discard: } }"}).start()
    assert rcpt(one, "you@here.test")[0] == 250
    one.wait_for_log(r"virtual\[\d+\]: \w+: to=<you@here.test>.*status=deliverable \(delivers to mailbox\)")
    assert one.messages("you@here.test") == []
    code, text = rcpt(one, "any@gone.test")
    assert code == 450 and "unverified address: moved" in text
    assert rcpt(one, "any@void.test")[0] == 250


def test_probes_take_a_way_of_their_own(make_instance):
    """address_verify_relayhost and address_verify_transport_maps are for probes alone."""
    with sinks.Sink() as real, sinks.Sink(script={"RCPT bad@far.test": "550 5.1.1 no such user"}) as judge:
        one = make_instance("here", settings=relaying_to(
            real, address_verify_relayhost=f"[127.0.0.1]:{judge.port}",
            address_verify_transport_maps="inline:{ { void.test=discard: } }")).start()
        assert rcpt(one, "bad@far.test")[0] == 450
        assert rcpt(one, "bad@void.test")[0] == 250
        one.send("good@far.test")
        one.wait_for_empty_queue()
        assert real.recipients() == ["good@far.test"]
        assert (probes(judge, "good@far.test"), probes(real, "good@far.test")) == (1, 1)
        assert probes(judge, "bad@void.test") == 0


def test_a_probe_may_go_as_far_as_data(make_instance):
    """smtp_address_verify_target = data: for servers that refuse there; they get no content."""
    with sinks.Sink(extensions=(), script={"DATA": ["550 5.7.1 not from you", "354 go on"]}) as sink:
        one = make_instance("here", settings=relaying_to(sink, smtp_address_verify_target="data")).start()
        assert rcpt(one, "bad@far.test")[0] == 450
        assert rcpt(one, "good@far.test")[0] == 250
        one.wait_for_log(r"to=<good@far.test>.*status=deliverable \(354 go on\)")
        assert not sink.messages


def test_results_expire(make_instance):
    with sinks.Sink(script={"RCPT": ["550 5.1.1 no such user", "250 2.1.5 Ok"]}) as sink:
        one = make_instance("here", settings=relaying_to(
            sink, address_verify_negative_expire_time="1s", address_verify_negative_refresh_time="1s")).start()
        assert rcpt(one, "new@far.test")[0] == 450
        wait_until(lambda: rcpt(one, "new@far.test")[0] == 250, "the bad result expires")


def test_no_room_for_a_probe_is_not_remembered(make_instance):
    """The queue is busy: that says nothing about the address, which is asked about again soon."""
    with sinks.Sink(delay_s=0.4) as sink:
        one = make_instance("here", settings=relaying_to(sink, qmgr_message_active_limit="1")).start()
        one.sendmail("-f", "me@here.test", "busy@far.test")
        wait_until(lambda: sink.commands, "the only place is taken")
        code, text = rcpt(one, "good@far.test")
        assert code == 450 and text.endswith("too many addresses are being verified")
        wait_until(lambda: rcpt(one, "good@far.test")[0] == 250, "there is room")


@pytest.mark.parametrize("program", ["verify", "qmgr"])
def test_killed_while_a_probe_runs(make_instance, program):
    """Clients hear 450; when all are there again the address is verified."""
    with sinks.Sink(delay_s=0.4) as sink:
        one = make_instance("here", settings=relaying_to(sink)).start()
        with one.client() as client:
            client.ehlo()
            client.mail("sender@client.example")
            client.putcmd("rcpt", "TO:<far@far.test>")
            wait_until(lambda: sink.commands, "a probe runs")
            os.kill(processes_of(one.programs)[program][0], signal.SIGKILL)
            assert client.getreply()[0] in (250, 450)
        wait_until(lambda: rcpt(one, "far@far.test")[0] == 250, "the address is verified")
        assert not sink.messages
        assert re.search("signal 9", one.log())
