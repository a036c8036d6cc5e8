"""Into mail stores by LMTP: over a Unix socket and over TCP, with a result for each recipient."""

import os
import re

import pytest

from harness import sink as sinks
from harness.instance import small_message, wait_until

SERVICES = "lmtp unix - - y - - lmtp\nstore unix - - y - 1 lmtp\n"
RETRY_SOON = {"minimal_backoff_time": "1s", "maximal_backoff_time": "2s"}


def reachable(store):
    """The server decides who may connect: here everybody."""
    os.chmod(store.path, 0o777)
    return store


@pytest.fixture
def place(make_instance):
    """An instance whose mailboxes are behind private/store; the server comes later."""
    return make_instance("here", services=SERVICES, settings={
        "virtual_transport": "lmtp:unix:private/store", **RETRY_SOON},
        users=["you@here.test", "full@here.test", "friend@here.test"])


def socket_of(one):
    return str(one.queue_directory / "private/store")


def test_mailboxes_behind_a_socket(place):
    place.start()
    with sinks.Sink(path=socket_of(place), lmtp=True) as store:
        reachable(store)
        store.script[". full@here.test"] = "552 5.2.2 Mailbox is full"
        store.script[". friend@here.test"] = ["450 4.2.1 Mailbox is busy", "250 2.1.5 Saved"]
        queue_id = place.send(["you@here.test", "full@here.test", "friend@here.test"],
                              sender="sender@client.example")
        place.wait_for_log(rf"/lmtp\[\d+\]: {queue_id}: to=<you@here\.test>, relay=mx\.here\.test"
                           r"\[private/store\], delay=[\d.]+, delays=[\d./]+, dsn=2\.0\.0, "
                           r"status=sent \(250 2\.0\.0 Ok: queued as S0\)$")
        place.wait_for_log(rf"{queue_id}: to=<full@here\.test>, relay=mx\.here\.test\[private/store\], "
                           r".*dsn=5\.2\.2, status=bounced \(host mx\.here\.test\[private/store\] said: "
                           r"552 5\.2\.2 Mailbox is full \(in reply to end of DATA command\)\)")
        place.wait_for_log(rf"{queue_id}: to=<friend@here\.test>, .*dsn=4\.2\.1, status=deferred \(host ")
        place.wait_for_log(rf"{queue_id}: to=<friend@here\.test>, .*status=sent ")
        assert sorted(store.recipients()) == ["friend@here.test", "you@here.test"]
        assert store.commands[0] == "LHLO mx.here.test"


def test_the_server_comes_later(place):
    place.start()
    queue_id = place.send("you@here.test")
    place.wait_for_log(rf"{queue_id}: to=<you@here\.test>, relay=none, .*dsn=4\.4\.1, status=deferred "
                       r"\(connect to mx\.here\.test\[private/store\]: No such file or directory\)")
    with sinks.Sink(path=socket_of(place), lmtp=True) as store:
        reachable(store)
        place.wait_for_empty_queue()
        assert store.recipients() == ["you@here.test"]
    # It is gone, and its socket file is still there.
    queue_id = place.send("you@here.test")
    place.wait_for_log(rf"{queue_id}: .*status=deferred \(connect to mx\.here\.test\[private/store\]: "
                       "Connection refused")


def test_a_socket_that_nobody_named(make_instance, workspace):
    """What a table says is not enough: connectd reaches what main.cf names."""
    directory = workspace / "elsewhere"
    directory.mkdir(exist_ok=True)
    path = directory / "store"
    one = make_instance("here", services=SERVICES, settings={
        "transport_maps": f"inline:{{ far.test=lmtp:unix:{path} }}", **RETRY_SOON}).start()
    with sinks.Sink(path=str(path), lmtp=True) as store:
        reachable(store)
        queue_id = one.send("a@far.test")
        one.wait_for_log(rf"{queue_id}: .*relay=none, .*dsn=4\.3\.5, status=deferred \(connect to "
                         rf"mx\.here\.test\[{re.escape(str(path))}\]: the socket is not among "
                         r"lmtp_unix_sockets\)")
        assert store.connections == 0
        one.set(lmtp_unix_sockets=f"private/ {directory}/")
        one.reload()
        one.wait_for_empty_queue()
        assert store.recipients() == ["a@far.test"]
    path.unlink()


def test_over_tcp(make_instance):
    with sinks.Sink(lmtp=True) as store:
        one = make_instance("here", services=SERVICES, settings={
            "transport_maps": f"inline:{{ far.test=store:inet:127.0.0.1:{store.port}, "
                              f"near.test=lmtp:[127.0.0.1]:{store.port} }}"}).start()
        one.send(["a@far.test", "b@far.test"])
        one.send("c@near.test")
        one.wait_for_empty_queue()
        assert sorted(store.recipients()) == ["a@far.test", "b@far.test", "c@near.test"]
        one.wait_for_log(rf"to=<c@near\.test>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:{store.port}, ")


@pytest.mark.parametrize("assumes", ["yes", "no"])
def test_delivered_or_relayed(place, assumes):
    """RFC 3461 section 6.2.3, or delivery into a mailbox where the operator says that it is one."""
    place.set(lmtp_assume_final=assumes, virtual_mailbox_domains="here.test",
              transport_maps="inline:{ you@here.test=virtual: }")
    place.start()
    with sinks.Sink(path=socket_of(place), lmtp=True) as store:
        reachable(store)
        with place.client() as client:
            client.ehlo()
            client.mail("you@here.test")
            client.rcpt("friend@here.test", ["NOTIFY=SUCCESS"])
            client.data(small_message())
        [report] = place.wait_for_mail("you@here.test")
        action = "delivered" if assumes == "yes" else "relayed"
        assert re.search(rf"^Action: {action}", report.as_string(), re.MULTILINE), report.as_string()
        wait_until(lambda: store.recipients() == ["friend@here.test"], "it is in the store")
