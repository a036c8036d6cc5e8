"""Byte sequences of published scanners: what some servers take for the end of a message, so that a second one
can be hidden behind it, and commands put into a packet with STARTTLS. Ends of messages are tried with the
default settings and with those that take a bare LF for a line end."""

import json
import socket
import ssl

from exceptions import later
from harness.certificates import self_signed
from harness.instance import free_port, wait_until

EXCEPTIONS = {
    "starttls-pop3": later("POP3"),
    "starttls-imap": later("IMAP"),
    "starttls-managesieve": later("ManageSieve"),
}
MODES = {"default": {}, "normalize": {"smtpd_forbid_bare_newline": "normalize"}}


class Client:
    def __init__(self, instance, port=None):
        self.connection = socket.create_connection((instance.address, port or instance.port), 30)
        self.stream = self.connection.makefile("rb")
        self.reply()

    def reply(self):
        while True:
            line = self.stream.readline().decode("latin-1")
            if line[3:4] != "-":
                return line.rstrip("\r\n")

    def say(self, data):
        self.connection.sendall(data)
        return self.reply()


def smuggle(instance, sequence):
    """What went wrong, or None: at most the outer message may be taken, and never the inner one."""
    before = len(instance.messages("you@testserver"))
    client = Client(instance)
    for command in (b"EHLO client.example\r\n", b"MAIL FROM:<outer@client.example>\r\n",
                    b"RCPT TO:<you@testserver>\r\n", b"DATA\r\n"):
        answer = client.say(command)
        if answer[:1] not in "23":
            return f"{command!r}: {answer}"
    answer = client.say(b"Subject: outer\r\n\r\nbody" + sequence +
                        b"MAIL FROM:<smuggled@client.example>\r\nRCPT TO:<hidden@testserver>\r\nDATA\r\n"
                        b"Subject: smuggled\r\n\r\nhello\r\n.\r\n")
    # Whatever answers come before that to QUIT belong to commands that were none.
    client.connection.sendall(b"QUIT\r\n")
    last = client.reply()
    if not last.startswith("221"):
        return f"more than one answer: {answer!r}, {last!r}"
    if answer.startswith("250"):
        wait_until(lambda: len(instance.messages("you@testserver")) > before, "the outer message")
    if instance.messages("hidden@testserver"):
        return "the inner message was delivered"
    if answer.startswith("250") and b"hello" not in instance.messages("you@testserver")[-1].read_bytes():
        return "the message was cut"
    return None


def inject(instance, port, hello, data):
    """What came of bytes behind STARTTLS in one packet, or None: either the session ends, or they are
    gone after the handshake."""
    client = Client(instance, port)
    client.say(hello)
    answer = client.say(data)
    if answer.startswith("554"):
        rest = client.connection.recv(1000)
        return f"more than a refusal: {rest!r}" if rest else None
    if not answer.startswith("220"):
        return f"STARTTLS: {answer}"
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(client.connection) as connection:
        connection.sendall(b"QUIT\r\n")
        # An answer to what was injected would come first.
        first = connection.recv(1000)
    return None if first.startswith(b"221") else f"after the handshake: {first!r}"


def run_injections(vectors, workbench):
    """As smtpd is, and where it takes commands that come before their time."""
    port = free_port()
    instance = workbench.instance("attack-starttls", domain="testserver", services=(
        f"127.0.0.1:{port} inet n - y - 1 smtpd -o smtpd_protocol=lmtp\n"), settings={
            "mynetworks": "192.0.2.0/24", "smtpd_error_sleep_time": "0", "smtpd_tls_security_level": "may",
            "smtpd_tls_chain_files": self_signed(workbench.directory_for("attack-keys"), "mx", "mx.testserver")},
        users=["you@testserver"])
    ways = {"smtp": (instance.port, b"EHLO client.example\r\n"), "lmtp": (port, b"LHLO client.example\r\n")}
    for mode in ("", "-patient"):
        if mode:
            instance.set(smtpd_forbid_unauth_pipelining="no")
            instance.reload()
        for vector in vectors:
            name = f"starttls-{vector['protocol']}"
            if vector["protocol"] in ways:
                yield name + mode, inject(instance, *ways[vector["protocol"]], vector["send"].encode())
            elif not mode:
                yield name, "there is no such server"


def run(directory, workbench):
    vectors = json.loads((directory / "vectors.json").read_text())
    for mode, settings in MODES.items():
        instance = workbench.instance(f"attack-{mode}", domain="testserver", settings={
            "mynetworks": "192.0.2.0/24", "smtpd_error_sleep_time": "0", **settings},
            users=["you@testserver", "hidden@testserver"])
        for vector in vectors["smuggling_end_of_data"]:
            yield f"{vector['id']}-{mode}", smuggle(instance, vector["sequence"].encode("latin-1"))
    yield from run_injections(vectors["starttls_injection"], workbench)
