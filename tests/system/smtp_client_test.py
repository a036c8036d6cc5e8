"""smtp as the servers that it talks to see it: what they answer, where it comes from, how often."""

import re
import socket
import threading

import pytest

from harness import sink as sinks
from harness.instance import wait_until

FAST = {"minimal_backoff_time": "1s", "maximal_backoff_time": "1s"}


def to(sink, *domains):
    routes = ", ".join(f"{{ {domain}=smtp:[127.0.0.1]:{sink.port} }}" for domain in domains)
    return {"transport_maps": f"inline:{{ {routes} }}"}


LONG = "\r\n".join(["250-" + "x" * 1000] * 100)


TAKEN = {
    "controls": {".": "250 2.0.0 O\0k \x01\x1b[1m"},
    "lines": {".": LONG + "\r\n250 2.0.0 Ok"},
    "line": {".": "250 " + "x" * 5000},
    "noise": {".": "thank you\r\n\r\n250 2.0.0 Ok"},
    "codes": {".": "250-2.0.0 a\r\n251 2.0.0 b"},
    "utf8": {".": "250 2.0.0 Gr\u00fc\u00dfe"},
    "all": {"CONNECT": "220 h\0st", "EHLO": LONG + "\r\n250 8BITMIME", "MAIL": LONG + "\r\n250 ok",
            "RCPT": LONG + "\r\n250 ok"},
}


@pytest.mark.parametrize("kind", TAKEN)
def test_what_was_taken_is_sent_once(make_instance, kind):
    """However odd the answer is: it begins with 2, and nobody gets a second copy."""
    with sinks.Sink(script=TAKEN[kind]) as other:
        one = make_instance("here", settings={**FAST, **to(other, "other.test")}).start()
        queue_id = one.send(["a@other.test", "b@other.test"])
        one.wait_for_empty_queue()
        wait_until(lambda: len(re.findall(rf"{queue_id}: to=<.@other\.test>, .*status=sent ", one.log())) == 2,
                   "both are logged")
        assert len(re.findall(rf"{queue_id}: to=<.@other\.test>, ", one.log())) == 2
        assert other.commands.count("DATA") == 1
        later = one.send("c@other.test")
        one.wait_for_log(rf"{later}: to=<c@other\.test>, .*status=sent ")


@pytest.mark.parametrize("answer, said", ids=lambda _: "", argvalues=[
    ("250-a\r\n550 5.1.1 b", "sent something that is no SMTP reply while sending RCPT TO: 250-a"),
    ("354 go", r"said: 354 go \(in reply to RCPT TO command\)"),
    ("199 no", "sent something that is no SMTP reply while sending RCPT TO: 199 no"),
    ("600 no", "sent something that is no SMTP reply while sending RCPT TO: 600 no"),
    ("250ok", "sent something that is no SMTP reply while sending RCPT TO: 250ok"),
    ("299 5.1.1 fine", None),
    ("251 will forward", None),
    ("252 cannot verify", None),
])
def test_codes_out_of_place(make_instance, answer, said):
    """In doubt mail waits; 2xx is yes (RFC 5321 section 4.3.2: the first digit decides)."""
    with sinks.Sink(script={"RCPT": answer}) as other:
        one = make_instance("here", settings=to(other, "other.test")).start()
        queue_id = one.send("a@other.test", sender="you@here.test")
        if said:
            one.wait_for_log(rf"{queue_id}: to=<a@other\.test>, .*status=deferred \(host \S+ {said}")
            assert queue_id in one.queue()
        else:
            one.wait_for_log(rf"{queue_id}: to=<a@other\.test>, .*status=sent ")
        assert not one.messages("you@here.test")


class Peers(threading.Thread):
    """Says good-bye to everybody and notes from where they came."""

    def __init__(self):
        super().__init__(daemon=True)
        self.seen = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        while True:
            connection, address = self.socket.accept()
            self.seen.append(address[0])
            connection.sendall(b"421 4.3.2 closed\r\n")
            connection.close()


@pytest.mark.parametrize("settings, address, warns", [
    ({"smtp_bind_address": "127.0.0.44"}, "127.0.0.44", False),
    ({"smtp_bind_address": "192.0.2.1"}, "127.0.0.1", True),
    ({"smtp_bind_address": "192.0.2.1", "smtp_bind_address_enforce": "yes"}, None, True),
])
def test_where_it_comes_from(make_instance, settings, address, warns):
    """An address that this machine does not have is told, and with smtp_bind_address_enforce mail waits."""
    peers = Peers()
    one = make_instance("here", settings={**to(peers, "other.test"), **settings}).start()
    queue_id = one.send("a@other.test")
    one.wait_for_log(rf"{queue_id}: to=<a@other\.test>, .*status=deferred ")
    assert peers.seen == [address] if address else peers.seen == []
    assert bool(re.search(r"warning: smtp_connect_addr: bind 192\.0\.2\.1: Cannot assign requested address$",
                          one.log(), re.MULTILINE)) == warns


def test_domains_with_one_host_share_a_connection(make_instance):
    with sinks.Sink() as other:
        domains = [f"d{number}.test" for number in range(4)]
        one = make_instance("here", settings={
            **to(other, *domains), "smtp_connection_cache_time_limit": "20s"}).start()
        for domain in domains:
            queue_id = one.send(f"a@{domain}")
            one.wait_for_log(rf"{queue_id}: .*status=sent ")
        assert other.connections == 1
        wait_until(lambda: len(other.messages) == len(domains), "all are there")
        one.wait_for_log(r"to=<a@d3\.test>, .*conn_use=4, ")


@pytest.mark.parametrize("greeting, command", ids=lambda _: "", argvalues=[
    ("220 h.test", "HELO"), ("220 h.test ESMTP", "EHLO"), ("220 h.test esmtp ready", "EHLO"),
    ("220 h.test NOESMTP", "HELO"), ("220-h.test\r\n220 ESMTP", "EHLO")])
def test_the_word_that_asks_for_ehlo(make_instance, greeting, command):
    """smtp_always_send_ehlo = no."""
    with sinks.Sink(script={"CONNECT": greeting}) as other:
        one = make_instance("here", settings={**to(other, "other.test"), "smtp_always_send_ehlo": "no"}).start()
        one.send("a@other.test")
        one.wait_for_empty_queue()
        assert other.commands[0] == f"{command} mx.here.test"
