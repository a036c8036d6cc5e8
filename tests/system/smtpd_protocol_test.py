"""smtpd as more than a plain SMTP server: LMTP, proxies, ETRN and local clients, against a running instance."""

import contextlib
import re
import smtplib
import socket
import struct

import pytest

from harness.instance import free_port, small_message, wait_until

LMTP_SERVICES = """\
{address}:{port} inet n - y - - smtpd -o smtpd_protocol=lmtp -o syslog_name=posthouse/lmtp
lmtp-in unix n - y - - smtpd -o smtpd_protocol=lmtp
"""


@pytest.mark.parametrize("kind", ["inet", "unix"])
def test_lmtp(make_instance, kind):
    port = free_port()
    one = make_instance("here", users=["you@here.test", "friend@here.test"],
                        services=LMTP_SERVICES.format(address="127.0.0.1", port=port)).start()
    with smtplib.LMTP() as client:
        client.connect(*(("127.0.0.1", port) if kind == "inet" else (str(one.queue_directory / "public/lmtp-in"), 0)))
        assert client.ehlo_or_helo_if_needed() is None
        assert client.mail("sender@client.example")[0] == 250
        codes = [client.rcpt(f"{user}@here.test")[0] for user in ("you", "unknown", "friend")]
        assert codes == [250, 550, 250]
        assert client.data(small_message())[0] == 250
        assert client.getreply()[0] == 250  # one answer for each accepted recipient
        # Whoever is not in mynetworks may not relay, and a socket has no address.
        code, _ = client.docmd("MAIL", "FROM:<sender@client.example>")
        assert code == 250
        code, answer = client.docmd("RCPT", "TO:<friend@there.test>")
        assert (code, answer[:5]) == ((454, b"4.7.1") if kind == "unix" else (250, b"2.1.5"))
    for user in ("you@here.test", "friend@here.test"):
        [message] = one.wait_for_mail(user)
        assert re.search(r"with LMTP\s+id ", message["Received"])
    assert not one.complaints()


def test_proxy_protocol(make_instance):
    port = free_port()
    one = make_instance("here", settings={"smtpd_peername_lookup": "no"}, services=(
        f"127.0.0.1:{port} inet n - y - - smtpd -o smtpd_upstream_proxy_protocol=haproxy\n")).start()
    header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(
        "!H4s4sHH", 12, socket.inet_aton("192.0.2.7"), socket.inet_aton("127.0.0.1"), 4711, 25)
    for start, address in ((b"PROXY TCP4 192.0.2.9 127.0.0.1 4711 25\r\n", "192.0.2.9"), (header, "192.0.2.7")):
        with socket.create_connection(("127.0.0.1", port), 30) as client:
            client.sendall(start)
            stream = client.makefile("rb")
            assert stream.readline().startswith(b"220 ")
            client.sendall(b"HELO x\r\n")
            assert stream.readline().startswith(b"250 ")
            client.sendall(b"MAIL FROM:<a@b.example>\r\n")
            assert stream.readline().startswith(b"250 ")
            client.sendall(b"RCPT TO:<friend@there.test>\r\n")
            # mynetworks has the proxy, not the client.
            assert stream.readline().startswith(b"454 4.7.1 ")
        one.wait_for_log(rf"connect from unknown\[{re.escape(address)}\]")
    with socket.create_connection(("127.0.0.1", port), 30) as client:
        client.sendall(b"EHLO x\r\n")
        with contextlib.suppress(ConnectionResetError):     # what it sent was not read
            assert client.recv(100) == b""
    one.wait_for_log("warning: haproxy read: bad header from")


def test_etrn(make_instance, recording_sink):
    """Mail for a site that was away goes out when the site says so, and other mail does not."""
    one = make_instance("here", settings={
        "relayhost": f"[127.0.0.1]:{free_port()}", "fast_flush_domains": "there.test",
        "minimal_backoff_time": "1000s", "maximal_backoff_time": "1000s"}).start()
    one.send(["you@there.test"])
    one.send(["you@elsewhere.test"])
    one.wait_for_log(r"to=<you@there\.test>.*status=deferred")
    one.wait_for_log(r"to=<you@elsewhere\.test>.*status=deferred")
    one.set(relayhost=f"[127.0.0.1]:{recording_sink.port}")
    one.reload()
    with one.client() as client:
        client.ehlo("client.example")
        assert client.has_extn("etrn")
        assert client.docmd("ETRN", "elsewhere.test") == (459, b"<elsewhere.test>: service unavailable")
        assert client.docmd("ETRN", "there.test") == (250, b"Queuing started")
    one.wait_for_log(r"to=<you@there\.test>.*status=sent")
    wait_until(lambda: len(one.queue()) == 1, "the other message alone waits")
    assert "you@elsewhere.test" in "".join(one.queue().values())
