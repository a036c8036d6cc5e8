"""Transports that deliver nowhere: error, retry and discard; with and without their services."""

import pytest

MAPS = {"you@here.test": "error:5.2.1 gone fishing", "friend@here.test": "retry:4.7.9 back on Monday",
        "noreply@here.test": "discard:nobody reads this"}


def settings():
    rows = [f" {{ {name} = {value} }}" for name, value in MAPS.items()]
    return {"transport_maps": f"inline:{{{','.join(rows)} }}"}


@pytest.fixture
def refusing(make_instance):
    return make_instance("here", users=list(MAPS), settings=settings()).start()


def line(who, dsn, status, text):
    return (rf"posthouse/{who}\[\d+\]: \w+: to=<[^>]+>, relay=none, delay=[\d.]+, "
            rf"delays=[\d./]+, dsn={dsn}, status={status} \({text}\)$")


def test_retry_puts_off(refusing):
    queue_id = refusing.send("friend@here.test")
    refusing.wait_for_log(line("error", "4.7.9", "deferred", "back on Monday"))
    assert "back on Monday" in refusing.queue()[queue_id]


def test_discard_is_silent(refusing):
    refusing.send("noreply@here.test")
    refusing.wait_for_log(line("discard", "2.0.0", "sent", "nobody reads this"))
    refusing.wait_for_empty_queue()
    assert not refusing.messages("noreply@here.test")


def test_error_is_told_at_rcpt(refusing):
    with refusing.client() as client:
        client.ehlo()
        client.mail("sender@client.example")
        code, text = client.rcpt("you@here.test")
    assert (code, text) == (550, b"5.2.1 <you@here.test>: Recipient address rejected: gone fishing")


def test_error_returns_what_was_accepted_before(refusing):
    refusing.set(transport_maps="inline:{ you@here.test=retry:later }")
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
    refusing.reload()
    refusing.send("friend@here.test")
    refusing.wait_for_log(line("qmgr", "4.7.9", "deferred", "back on Monday"))
