"""A mail server of changing moods: at any step it may close, reset, say 421 or 4yz or 5yz, answer byte by byte, say
too much, half of it or nothing, or break TLS. Whatever it does: who is logged as sent has been accepted with the
content, nobody who was accepted for certain gets a second copy, nobody is returned but for what the server said of
him, and when it has calmed down everybody arrives. MOODY_SEED chooses other moods."""

import asyncio
import collections
import os
import random
import re
import ssl

import pytest

from harness import authority as authorities
from harness.serving import Serving

MESSAGES, DOMAINS = 150, 5
CALM_AFTER = 900        # answers
MOODS = ("close", "reset", "421", "421 close", "451", "550", "slow", "noise", "silent", "half", "long", "more")
SEED = int(os.environ.get("MOODY_SEED", "1"))


class Gone(Exception):
    """The session is over."""


class MoodyServer(Serving):
    def __init__(self, certificate, speaks_lmtp):
        super().__init__()
        self.random = random.Random(SEED)
        self.speaks_lmtp = speaks_lmtp
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate.chain, certificate.key)
        self.answers = 0
        self.accepted = collections.Counter()       # (message, recipient): with the content
        self.certain = set()                        # likewise, and the client went on after the answer
        self.doubled = []

    async def _session(self, reader, writer):
        try:
            await Session(self, reader, writer).run()
        except (asyncio.CancelledError, asyncio.IncompleteReadError, Gone, OSError):
            pass
        writer.close()

    def mood(self):
        self.answers += 1
        return "kind" if self.answers > CALM_AFTER or self.random.random() < 0.85 else self.random.choice(MOODS)


class Session:
    def __init__(self, server, reader, writer):
        self.server, self.reader, self.writer = server, reader, writer
        self.words = [word for word in ("PIPELINING", "CHUNKING", "DSN") if server.random.random() < 0.5]
        self.is_tls = self.has_mail = False
        self.recipients = []
        self.unsure = []        # accepted by the last answer: certain when the client goes on

    async def write(self, data):
        self.writer.write(data)
        await self.writer.drain()

    async def say(self, answer, may_add=False):
        """The code of the answer that was given."""
        mood = self.server.mood()
        code = mood.split(" ")[0] if mood[0].isdigit() else answer[:3]
        data = answer.encode() + b"\r\n" if code == answer[:3] else code.encode() + b" in a mood\r\n"
        if mood == "close":
            raise Gone
        if mood == "reset":
            self.writer.transport.abort()
            raise Gone
        if mood == "silent":
            await asyncio.sleep(4)
            raise Gone
        if mood == "half":
            await self.write(data[:len(data) // 2])
            raise Gone
        if mood == "slow":
            for byte in data:
                await self.write(bytes([byte]))
            return code
        before = {"noise": b"*** what?\r\n\r\n", "long": (code.encode() + b"-more\r\n") * 3000}
        await self.write(before.get(mood, b"") + data + (b"250 one more\r\n" if mood == "more" and may_add else b""))
        if mood == "421 close":
            raise Gone
        return code

    async def run(self):
        await self.say("220 moody ESMTP")
        is_open = True
        while is_open:
            line = (await self.reader.readuntil(b"\n")).decode("ascii").strip()
            self.server.certain.update(self.unsure)
            self.unsure = []
            is_open = await getattr(self, line.split(" ")[0].lower())(line) is not False

    async def ehlo(self, _line):
        words = self.words + ([] if self.is_tls else ["STARTTLS"])
        await self.say("".join(f"250-{word}\r\n" for word in ["moody"] + words) + "250 8BITMIME", may_add=True)

    lhlo = ehlo

    async def helo(self, _line):
        await self.say("250 moody")

    async def starttls(self, _line):
        if await self.say("220 2.0.0 go") != "220":
            return True
        if self.server.mood() != "kind":
            await self.write(b"\x15\x03\x03\x00\x02\x02\x50")       # an alert: internal error
            return False
        self.writer._transport = await self.server.loop.start_tls(
            self.writer.transport, self.writer.transport.get_protocol(), self.server.context, server_side=True,
            ssl_handshake_timeout=5)
        self.reader._transport = self.writer.transport
        self.is_tls = True
        return True

    async def mail(self, _line):
        self.recipients = []
        self.has_mail = await self.say("250 2.1.0 Ok") == "250"

    async def rcpt(self, line):
        if await self.say("250 2.1.5 Ok" if self.has_mail else "503 5.5.1 no MAIL") == "250":
            self.recipients.append(re.search("<(.*?)>", line).group(1))

    async def data(self, _line):
        if await self.say("354 go" if self.recipients else "503 5.5.1 nobody") != "354":
            return
        if self.server.mood() in ("close", "half"):
            raise Gone
        await self.take(await self.reader.readuntil(b"\r\n.\r\n"))

    async def bdat(self, line):
        content = await self.reader.readexactly(int(line.split(" ")[1]))
        if self.recipients:
            await self.take(content)
        else:
            await self.say("503 5.5.1 nobody")

    async def take(self, content):
        message = re.search(rb"^Subject: (\d+)", content, re.MULTILINE).group(1).decode()
        keys = [(message, recipient) for recipient in self.recipients]
        self.recipients, self.has_mail = [], False
        accepted = []
        for group in [[key] for key in keys] if self.server.speaks_lmtp else [keys]:
            self.server.doubled += [key for key in group if key in self.server.certain]
            self.server.accepted.update(group)      # now, since an answer may arrive though the session ends
            if await self.say("250 2.0.0 Ok", may_add=group[-1] == keys[-1]) == "250":
                accepted += group
            else:
                self.server.accepted.subtract(group)
        self.unsure = accepted

    async def rset(self, _line):
        self.recipients, self.has_mail = [], False
        await self.say("250 2.0.0 Ok")

    async def quit(self, _line):
        await self.say("221 2.0.0 bye")
        return False


@pytest.fixture(scope="module")
def certificate(workspace):
    return authorities.Authority(workspace / "moody-authority").issue("moody.test")


@pytest.mark.parametrize("transport", ["smtp", "lmtp"])
def test_whatever_the_server_does(make_instance, certificate, transport):
    hello = "lhlo" if transport == "lmtp" else "helo"
    timeouts = {f"{transport}_{stage}_timeout": "2s" for stage in (
        hello, "starttls", "mail", "rcpt", "data_init", "data_done", "rset", "quit")}
    with MoodyServer(certificate, transport == "lmtp") as server:
        routes = " ".join(f"{{ d{i}.test={transport}:[127.0.0.1]:{server.port} }}" for i in range(DOMAINS))
        one = make_instance("here", services="lmtp unix - - y - - lmtp\n" if transport == "lmtp" else "", settings={
            "transport_maps": f"inline:{{ {routes} }}", f"{transport}_tls_security_level": "may",
            f"{transport}_skip_quit_response": "no", "default_destination_concurrency_failed_cohort_limit": "0",
            "minimal_backoff_time": "1s", "maximal_backoff_time": "1s", **timeouts}).start()
        ids = {}
        for number in range(MESSAGES):
            people = [f"{who}{number}@d{number % DOMAINS}.test" for who in "abc"]
            content = b"Subject: %d\r\n\r\n.\r\n" % number + b"body\r\n" * (20000 if number % 30 == 0 else 10)
            ids[one.send(people, content=content, sender="")] = str(number)
        one.wait_for_empty_queue(deadline_s=140)
        log = one.log()
    sent = collections.Counter()
    for queue_id, recipient, status, why in re.findall(r": (\w+): to=<([^>]+)>, relay=.*status=(\w+) (.*)", log):
        key = (ids.get(queue_id), recipient)
        if status == "sent":
            sent[key] += 1
            assert server.accepted[key] > 0, (key, why)
        elif status == "bounced":
            assert "550 in a mood" in why, (key, why)
    assert sum(sent.values()) > MESSAGES and max(sent.values()) == 1
    assert not server.doubled
