"""tests/harness/load - mail under way, and the account of it.

Load sends messages over many SMTP sessions and keeps a ledger: what was acknowledged with 250, what
was refused, and what nobody knows (the connection broke between the final dot and the reply). It also
plays the other server: a recipient "later2-x" is refused with 450 twice and then taken, "never-x" is
refused with 550, so that deferrals and bounces are in flight, too; what it takes stands in the ledger.
account() then compares the ledger with the Maildirs.

Every message carries the digest of its body, so a damaged one counts as lost.

Callers: tests/kill, tests/powercut, tests/faults."""

import asyncio
import collections
import contextlib
import dataclasses
import hashlib
import os
import random
import re
import threading
import time

LOCAL_USERS = 8
RETURNS = "returns"  # the mailbox of the sender, where reports of failure arrive
TIMEOUT_S = 60

ACKNOWLEDGED, REFUSED, UNKNOWN = "acknowledged", "refused", "unknown"


@dataclasses.dataclass
class Entry:
    """One message of the ledger."""

    recipients: list
    state: str
    phase: str
    reply: str = ""


class Load:
    """on_event(text), when given, is called at once for "ack ID", before the session goes on, and for
    "got ID RECIPIENT", before the other server says 250. Everything runs in one thread."""

    def __init__(self, address, port, relay_port, domain="here.test", seed=0, on_event=None):
        self.address, self.port, self.relay_port = address, port, relay_port
        self.domain = domain
        self.ledger = {}
        self.received = collections.Counter()  # (message id, recipient) at the other server
        self.damaged = set()
        self.system_users = []                 # addresses that are not virtual, if there are any
        self.replies = collections.Counter()   # first words of what smtpd said, other than success
        self.phase = ""
        self.rate = 40.0                       # messages per second, all sessions together
        self._chance = random.Random(seed)
        self.on_event = on_event or (lambda _text: None)
        self._refusals = collections.Counter()
        self._number = 0
        self._is_sending = False
        self._senders = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server = None

    # ---- from outside

    def start(self, sessions=10):
        self.listen()
        self.resume(sessions)
        return self

    def listen(self):
        """Only the other server."""
        self._thread.start()
        self._call(self._listen())
        return self

    def resume(self, sessions=10):
        self._is_sending = True
        self._senders = [asyncio.run_coroutine_threadsafe(self._session(sessions), self._loop)
                         for _ in range(sessions)]

    def pause(self):
        """No further messages; those under way are finished first."""
        self._is_sending = False
        for sender in self._senders:
            sender.result(TIMEOUT_S * 2)
        self._senders = []

    def stop(self):
        self.pause()
        self._call(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(TIMEOUT_S)

    @property
    def users(self):
        """The virtual mailboxes."""
        return [f"user{number}@{self.domain}" for number in range(LOCAL_USERS)] + \
               [f"{RETURNS}@{self.domain}"]

    def count(self, state=ACKNOWLEDGED, phase=None):
        return sum(entry.state == state and phase in (None, entry.phase)
                   for entry in list(self.ledger.values()))

    # ---- the sending side

    def _recipients(self):
        chance, number = self._chance, self._number
        local = chance.sample(self.users[:LOCAL_USERS] + self.system_users, 3)
        remote = [f"any-{number}@there.test", f"later{chance.randint(1, 2)}-{number}@there.test"]
        return chance.choice([local[:1], local[:1], local[:1], local, remote[:1], remote, remote[1:],
                              local[:2] + remote, [f"never-{number}@there.test"],
                              [local[0], f"never-{number}@there.test", remote[0]]])

    def _compose(self):
        self._number += 1
        message_id = f"{self._number}.{os.getpid()}@load.test"
        recipients = self._recipients()
        line_count = 3000 if self._chance.random() < 0.03 else self._chance.randint(1, 60)
        lines = [self._chance.choice((".", "..", "", "a line of text", ". a dot first",
                                      f"{message_id} {self._chance.random()}" * 2))
                 for _ in range(line_count)]
        header = ["From: <returns@here.test>", f"To: <{recipients[0]}>", "Subject: load",
                  "Date: Sun, 22 Nov 2026 10:00:00 +0000", f"Message-ID: <{message_id}>",
                  f"X-Digest: {_digest(lines)}", ""]
        wire = "".join("." * line.startswith(".") + line + "\r\n" for line in header + lines)
        return message_id, recipients, wire.encode()

    async def _session(self, sessions):
        while self._is_sending:
            try:
                await self._connection(sessions)
            except (OSError, EOFError, asyncio.TimeoutError):
                await asyncio.sleep(0.05)  # refused, or killed below us

    async def _connection(self, sessions):
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection(self.address, self.port, limit=1 << 16), TIMEOUT_S)
        client = _Client(reader, writer, self.replies)
        try:
            if (await client.reply())[0] != "2" or (await client.say("EHLO load.test"))[0] != "2":
                return
            for _ in range(self._chance.choice((1, 5, 50))):
                if not self._is_sending:
                    break
                await self._message(client)
                await asyncio.sleep(self._chance.expovariate(self.rate / sessions))
            await client.say("QUIT")
        finally:
            writer.close()

    async def _message(self, client):
        message_id, recipients, wire = self._compose()
        entry = Entry(recipients, REFUSED, self.phase)
        try:
            entry.reply = await client.say(f"MAIL FROM:<{RETURNS}@{self.domain}>")
            if entry.reply[0] != "2":
                return
            accepted = []
            for recipient in recipients:
                entry.reply = await client.say(f"RCPT TO:<{recipient}>")
                if entry.reply[0] == "2":
                    accepted.append(recipient)
            entry.recipients = accepted
            if not accepted:
                await client.say("RSET")
                return
            entry.reply = await client.say("DATA")
            if entry.reply[0] != "3":
                await client.say("RSET")
                return
            entry.state = UNKNOWN
            entry.reply = await client.say_bytes(wire + b".\r\n")
            entry.state = ACKNOWLEDGED if entry.reply[0] == "2" else REFUSED
        finally:
            self.ledger[message_id] = entry
            if entry.state == ACKNOWLEDGED:
                self.on_event(f"ack {message_id}")

    # ---- the other server

    async def _listen(self):
        self._server = await asyncio.start_server(self._serve, self.address, self.relay_port,
                                                  limit=1 << 20, backlog=512)

    async def _serve(self, reader, writer):
        try:
            await self._converse(reader, writer)
        except (OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the client was killed, or went; or we go
        finally:
            writer.close()

    async def _close(self):
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _answer_to(self, recipient):
        match = re.match(r"later([0-9])-", recipient)
        if match and self._refusals[recipient] < int(match.group(1)):
            self._refusals[recipient] += 1
            return "450 4.2.0 later"
        return "550 5.1.1 never" if recipient.startswith("never-") else "250 2.1.5 Ok"

    async def _converse(self, reader, writer):
        writer.write(b"220 there.test ESMTP\r\n")
        recipients = []
        while True:
            command = (await reader.readuntil(b"\r\n"))[:-2].decode("latin-1")
            verb = command[:4].upper()
            answer = "250 2.0.0 Ok"
            if verb == "EHLO":
                answer = "250-there.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES"
            elif verb == "RCPT":
                recipient = command[command.index("<") + 1:command.index(">")]
                answer = self._answer_to(recipient)
                recipients += [recipient] if answer[0] == "2" else []
            elif verb == "DATA" and not recipients:
                answer = "554 5.5.1 no valid recipients"
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                self._take(await _read_content(reader), recipients)
                recipients = []
            elif verb == "QUIT":
                answer = "221 2.0.0 Bye"
            elif verb in ("MAIL", "RSET", "HELO"):
                recipients = []
            writer.write(answer.encode() + b"\r\n")
            await writer.drain()
            if verb == "QUIT":
                return

    def _take(self, lines, recipients):
        message_id, is_whole = _inspect(lines)
        for recipient in recipients:
            if is_whole:
                self.received[message_id, recipient] += 1
                self.on_event(f"got {message_id} {recipient}")
            else:
                self.damaged.add((message_id, recipient))


class _Client:
    """One command, one reply; deadlines on both."""

    def __init__(self, reader, writer, replies):
        self._reader, self._writer, self._replies = reader, writer, replies

    async def reply(self):
        while True:
            line = (await asyncio.wait_for(self._reader.readuntil(b"\n"), TIMEOUT_S)).decode("latin-1")
            if line[3:4] != "-":
                if line[:1] not in "23":
                    self._replies[re.sub(r"<[^>]*>", "<>", line.strip())] += 1
                return line.strip() or "?"

    async def say_bytes(self, data):
        self._writer.write(data)
        await asyncio.wait_for(self._writer.drain(), TIMEOUT_S)
        return await self.reply()

    async def say(self, command):
        return await self.say_bytes(command.encode() + b"\r\n")


async def _read_content(reader):
    lines = []
    while True:
        line = await reader.readuntil(b"\n")
        if line == b".\r\n":
            return lines
        lines.append(line.rstrip(b"\r\n")[line.startswith(b"."):].decode("latin-1"))


def _digest(lines):
    return hashlib.sha256("".join(line + "\n" for line in lines).encode()).hexdigest()


def _inspect(lines):
    """(message id, whether the body is what was sent)."""
    end = lines.index("") if "" in lines else len(lines)
    fields = dict(line.split(": ", 1) for line in lines[:end] if ": " in line)
    return (fields.get("Message-ID", "").strip("<>"),
            fields.get("X-Digest") == _digest(lines[end + 1:]))


# ---- the account


class Mailboxes:
    """What lies in new/ and cur/ of the users' Maildirs: counts of (message id, recipient). A file is
    read again only when it is another one: what a crash left unfinished may be replaced."""

    def __init__(self, path_of, users):
        """path_of(user) names the Maildir."""
        self._path_of, self._users = path_of, users
        self._known = {}  # (user, name): (file as it was read, what it is)
        self.forget()

    def forget(self):
        """Whatever was found so far is of no interest any more."""
        self._ignored = set(self._known)
        self.delivered = collections.Counter()
        self.reports = collections.Counter()  # failures that the sender was told of
        self.damaged = set()

    def read(self):
        present = {}
        for user in self._users:
            for part in ("new", "cur"):
                place = os.path.join(self._path_of(user), part)
                for name in os.listdir(place) if os.path.isdir(place) else ():
                    # The same file in new/ and in cur/ has one name, up to the flags.
                    key = (user, name.split(":2,")[0])
                    with contextlib.suppress(FileNotFoundError):
                        present[key] = self._look(key, os.path.join(place, name))
        self._known = present
        self.delivered.clear()
        self.reports.clear()
        self.damaged.clear()
        for key, (_file, (kind, facts)) in present.items():
            if key not in self._ignored:
                getattr(self, kind).update(facts)
        return self

    def _look(self, key, path):
        status = os.stat(path)
        file = (status.st_ino, status.st_size, status.st_mtime_ns)
        known = self._known.get(key)
        return known if known and known[0] == file else (file, self._classify(path, key[0]))

    @staticmethod
    def _classify(path, user):
        with open(path, encoding="latin-1", newline="\n") as file:
            text = file.read()
        message_id, is_whole = _inspect(text.split("\n")[:-1])
        if message_id.endswith("@load.test"):
            return ("delivered" if is_whole else "damaged"), [(message_id, user)]
        # A report: which message of ours does it give back?
        about = re.findall(r"^Message-ID: <([^>]*@load\.test)>", text, re.MULTILINE)
        failed = re.findall(r"^Final-Recipient: *rfc822; *(\S+)", text, re.MULTILINE)
        if not about or not failed:
            return "damaged", [(os.path.basename(path), user)]
        return "reports", [(about[0], recipient) for recipient in failed]


@dataclasses.dataclass
class Account:
    """Lists of (message id, recipient)."""

    missing: list         # acknowledged and not there
    doubled_local: list
    doubled_relay: list   # at least once is what SMTP can promise
    doubled_reports: list
    bounced: list         # reported as failed without a reason
    damaged: list


def account(load, mailboxes, received=None, acknowledged=None):
    """received, acknowledged: the ledger's own unless given."""
    received = load.received if received is None else received
    mailboxes.read()
    missing, doubled = [], {"local": [], "relay": [], "report": []}
    for message_id, entry in list(load.ledger.items()):
        is_ours = entry.state == ACKNOWLEDGED if acknowledged is None else message_id in acknowledged
        for recipient in entry.recipients:
            key, way = (message_id, recipient), way_of(recipient)
            count = {"local": mailboxes.delivered, "relay": received, "report": mailboxes.reports}[way][key]
            if is_ours and count == 0:
                missing.append(key)
            elif count > 1:
                doubled[way].append(key)
    bounced = [key for key in mailboxes.reports if way_of(key[1]) != "report"]
    return Account(missing, doubled["local"], doubled["relay"], doubled["report"], bounced,
                   sorted(load.damaged | mailboxes.damaged))


def way_of(recipient):
    """How a recipient's message, or word of its failure, arrives."""
    if recipient.startswith("never-"):
        return "report"
    return "relay" if recipient.endswith("@there.test") else "local"


def wait_until_settled(load, mailboxes, deadline_s, tick=lambda: None):
    """Until nothing is missing or the deadline passes; tick() is called now and then."""
    end = time.monotonic() + deadline_s
    while True:
        state = account(load, mailboxes)
        if not state.missing or time.monotonic() > end:
            return state
        tick()
        time.sleep(0.25)
