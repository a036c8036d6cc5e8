"""Byte sequences of published scanners: what some servers take for the end of a message, so that a second one
can be hidden behind it, and commands put into a packet with STARTTLS. Ends of messages are tried with the
default settings and with those that take a bare LF for a line end."""

import json
import socket

from exceptions import later
from harness.instance import wait_until

EXCEPTIONS = {
    "starttls-smtp": later("STARTTLS"),
    "starttls-lmtp": later("STARTTLS"),
    "starttls-pop3": later("POP3"),
    "starttls-imap": later("IMAP"),
    "starttls-managesieve": later("ManageSieve"),
}
MODES = {"default": {}, "normalize": {"smtpd_forbid_bare_newline": "normalize"}}


class Client:
    def __init__(self, instance):
        self.connection = socket.create_connection((instance.address, instance.port), 30)
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


def inject(instance, data):
    client = Client(instance)
    client.say(b"EHLO client.example\r\n")
    answer = client.say(data)
    return f"STARTTLS: {answer}"


def run(directory, workbench):
    vectors = json.loads((directory / "vectors.json").read_text())
    for mode, settings in MODES.items():
        instance = workbench.instance(f"attack-{mode}", domain="testserver", settings={
            "mynetworks": "192.0.2.0/24", "smtpd_error_sleep_time": "0", **settings},
            users=["you@testserver", "hidden@testserver"])
        for vector in vectors["smuggling_end_of_data"]:
            yield f"{vector['id']}-{mode}", smuggle(instance, vector["sequence"].encode("latin-1"))
    for vector in vectors["starttls_injection"]:
        name = f"starttls-{vector['protocol']}"
        if vector["protocol"] in ("smtp", "lmtp"):
            yield name, inject(instance, vector["send"].encode())
        else:
            yield name, "there is no such server"
