"""Transports that deliver nowhere: error, retry and discard; with and without their services."""

import pytest

MAPS = {"you@here.test": "error:5.2.1 gone fishing", "friend@here.test": "retry:4.7.9 back on Monday",
        "noreply@here.test": "discard:nobody reads this"}


def settings():
    rows = [f" {{ {name} = {value} }}" for name, value in MAPS.items()]
    return {"transport_maps": f"inline:{{{','.join(rows)} }}", "smtpd_reject_unlisted_recipient": "yes"}


def take_all(refusing):
    """What goes nowhere is found out when it is on its way."""
    refusing.set(smtpd_reject_unlisted_recipient="no")
    refusing.reload()


@pytest.fixture
def refusing(make_instance):
    return make_instance("here", users=list(MAPS), settings=settings()).start()


def line(who, dsn, status, text):
    return (rf"posthouse/{who}\[\d+\]: \w+: to=<[^>]+>, relay=none, delay=[\d.]+, "
            rf"delays=[\d./]+, dsn={dsn}, status={status} \({text}\)$")


def test_retry_puts_off(refusing):
    take_all(refusing)
    queue_id = refusing.send("friend@here.test")
    refusing.wait_for_log(line("error", "4.7.9", "deferred", "back on Monday"))
    assert "back on Monday" in refusing.queue()[queue_id]


def test_discard_is_silent(refusing):
    refusing.send("noreply@here.test")
    refusing.wait_for_log(line("discard", "2.0.0", "sent", "nobody reads this"))
    refusing.wait_for_empty_queue()
    assert not refusing.messages("noreply@here.test")


@pytest.mark.parametrize("who, reply", [
    ("you", (550, b"5.2.1 <you@here.test>: Recipient address rejected: gone fishing")),
    ("friend", (450, b"4.7.9 <friend@here.test>: Recipient address rejected: back on Monday"))])
def test_it_is_told_at_rcpt(refusing, who, reply):
    with refusing.client() as client:
        client.ehlo()
        client.mail("sender@client.example")
        assert client.rcpt(f"{who}@here.test") == reply
    take_all(refusing)
    with refusing.client() as client:
        client.ehlo()
        client.mail("sender@client.example")
        assert client.rcpt(f"{who}@here.test")[0] == 250


def test_whoever_may_not_relay_hears_that(refusing):
    refusing.set(transport_maps="inline:{ { a@far.test = retry:later } }", smtpd_relay_restrictions="reject_unauth_destination")
    refusing.reload()
    with refusing.client() as client:
        client.ehlo()
        client.mail("sender@client.example")
        assert client.rcpt("a@far.test") == (554, b"5.7.1 <a@far.test>: Relay access denied")


def test_error_returns_what_was_accepted_before(refusing):
    refusing.set(transport_maps="inline:{ you@here.test=retry:later }", smtpd_reject_unlisted_recipient="no")
    refusing.reload()
    refusing.send("you@here.test")
    refusing.wait_for_log(line("error", "4.0.0", "deferred", "later"))
    refusing.set(**settings())
    refusing.reload()
    refusing.flush()
    refusing.wait_for_log(line("error", "5.2.1", "bounced", "gone fishing"))
    refusing.wait_for_log("sender non-delivery notification")


def test_without_services_qmgr_says_the_same(refusing):
    refusing.services = "".join(row + "\n" for row in refusing.services.splitlines()
                                if row.split()[0] not in ("error", "retry"))
    refusing.write_configuration()
    take_all(refusing)
    refusing.send("friend@here.test")
    refusing.wait_for_log(line("qmgr", "4.7.9", "deferred", "back on Monday"))


def test_what_nobody_can_tell_is_no_relaying(refusing):
    """Nor is the sender anybody's that can be told of."""
    refusing.set(relay_domains=f"texthash:{refusing.etc}/missing", smtpd_reject_unlisted_sender="yes",
                 smtpd_sender_restrictions="reject_unauth_destination")
    refusing.reload()
    with refusing.client() as client:
        client.ehlo()
        client.mail("sender@client.example")
        code, text = client.rcpt("a@far.test")
    assert (code, text) == (451, b"4.3.0 <a@far.test>: Temporary lookup failure")
