"""tests/harness/raw - a client of SMTP that says exactly what it is told.

Callers: tests/system."""

import socket


class Raw:
    """One connection to an instance, or to another port of it."""

    def __init__(self, instance, port=None, source=None, early=b""):
        """source: the client's address; early: sent before anything was read."""
        self.connection = socket.create_connection((instance.address, port or instance.port), 30,
                                                   (source, 0) if source else None)
        if early:
            self.connection.sendall(early)
        self.stream = self.connection.makefile("rb")
        self.greeting = self.reply()

    def reply(self):
        lines = []
        while True:
            line = self.stream.readline()
            if not line:
                return ""
            lines.append(line.decode("latin-1").rstrip("\r\n"))
            if line[3:4] != b"-":
                return "\n".join(lines)

    def say(self, text):
        self.connection.sendall(text if isinstance(text, bytes) else text.encode() + b"\r\n")
        return self.reply()

    def open(self, *recipients):
        assert self.say("EHLO client.example").startswith("250")
        assert self.say("MAIL FROM:<sender@client.example>").startswith("250")
        return [self.say(f"RCPT TO:<{recipient}>") for recipient in recipients]

    def is_closed(self):
        return self.stream.readline() == b""
