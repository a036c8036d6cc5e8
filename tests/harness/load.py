"""tests/harness/load - mail under way, and the account of it.

Load sends messages over many SMTP sessions and keeps a ledger: what was acknowledged with 250, what
was refused, and what nobody knows (the connection broke between the final dot and the reply). It also
plays the other server: a recipient "later2-x" is refused with 450 twice and then taken, "never-x" is
refused with 550, so that deferrals and bounces are in flight, too; what it takes stands in the ledger.
account() then compares the ledger with the Maildirs and the other places where mail ends (forms.py).
With a Secured (secured.py) part of it is protected by TLS, and part comes from users who log in.

Every message carries the digest of its body, so a damaged one counts as lost.

Callers: tests/kill, tests/powercut, tests/faults."""

import asyncio
import collections
import contextlib
import dataclasses
import functools
import hashlib
import os
import random
import re
import threading
import time

LOCAL_USERS = 8
RETURNS = "returns"  # the mailbox of the sender, where reports of failure arrive
TIMEOUT_S = 60
FORMS_SHARE = 0.3     # of the messages, go one of the ways of forms.py where there are any
SUCCESS_SHARE = 0.05  # of them, ask for a report of success
SESSION_LENGTHS = (1, 5, 50)  # messages

ACKNOWLEDGED, REFUSED, UNKNOWN = "acknowledged", "refused", "unknown"


@dataclasses.dataclass
class Entry:
    """One message of the ledger."""

    recipients: list
    state: str
    phase: str
    reply: str = ""
    successes: list = dataclasses.field(default_factory=list)  # recipients whose success is reported
    is_dropped: bool = False  # by sendmail
    door: str = ""            # by which it came, if not
    began: float = dataclasses.field(default_factory=time.time)


@dataclasses.dataclass
class Break:
    """A session that ended in the midst of it."""

    moment: float
    door: object
    phase: str
    what: str


class Clear:
    """The door of who has no TLS."""

    name, program, context = "clear", "smtpd", None

    def __init__(self, port):
        self.port = port

    @staticmethod
    async def enter(client, _chance):
        return (await client.reply())[0] == "2" and (await client.say("EHLO load.test"))[0] == "2"


class Load:
    """on_event(text), when given, is called at once for "ack ID", before the session goes on, and for
    "got ID RECIPIENT", before the other server says 250. Everything runs in one thread."""

    def __init__(self, address, port, relay_port, domain="here.test", seed=0, on_event=None):
        self.address, self.port, self.relay_port = address, port, relay_port
        self.domain = domain
        self.ledger = {}
        self.received = collections.Counter()  # (message id, recipient) at the other server
        self.taken = collections.defaultdict(list)  # the same: when
        self.damaged = set()
        self.system_users = []                 # addresses that are not virtual, if there are any
        self.ends = {}                         # address -> where its mail ends, if not there alone
        self.only_dropped = set()              # of them, those that smtpd refuses
        self.store_path = None                 # a socket, to play a mail store at
        self.doors = [Clear(port)]             # by which sessions come in
        self.secured = None                    # what the other server knows of TLS and of who may log in
        self.relay_domains = ["there.test"]    # its own
        self.breaks = []
        self.replies = collections.Counter()   # first words of what smtpd said, other than success
        self.phase = ""
        self.session_lengths = SESSION_LENGTHS
        self.rate = 40.0                       # messages per second, all sessions together
        self._chance = random.Random(seed)
        self.on_event = on_event or (lambda _text: None)
        self._refusals = collections.Counter()
        self._taken_by = collections.Counter()  # messages, by the name of the door
        self._number = 0
        self._is_sending = False
        self._senders = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._servers = []

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
        """Each session begins at another door, and when that has taken a message, goes on at any."""
        self._is_sending = True
        self._senders = [asyncio.run_coroutine_threadsafe(
            self._session(sessions, self.doors[number % len(self.doors)]), self._loop)
            for number in range(sessions)]

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

    def compose_from_outside(self):
        """(message id, recipients, lines) of a message that somebody else sends."""
        async def compose():
            return self._compose(is_dropped=True)
        return self._call(compose())

    @property
    def sender(self):
        return f"{RETURNS}@{self.domain}"

    @property
    def users(self):
        """The virtual mailboxes."""
        return [f"user{number}@{self.domain}" for number in range(LOCAL_USERS)] + \
               [f"{RETURNS}@{self.domain}"]

    def count(self, state=ACKNOWLEDGED, phase=None):
        return sum(entry.state == state and phase in (None, entry.phase)
                   for entry in list(self.ledger.values()))

    def count_by(self, door, phase=None):
        """Messages acknowledged there."""
        return sum(entry.state == ACKNOWLEDGED and entry.door == door.name and phase in (None, entry.phase)
                   for entry in list(self.ledger.values()))

    # ---- the sending side

    def _recipients(self, is_dropped):
        chance, number = self._chance, self._number
        local = chance.sample(self.users[:LOCAL_USERS] + self.system_users, 3)
        remote = [f"any-{number}@{chance.choice(self.relay_domains)}",
                  f"later{chance.randint(1, 2)}-{number}@{chance.choice(self.relay_domains)}"]
        ways = sorted(set(self.ends) - (set() if is_dropped else self.only_dropped))
        ways = chance.sample(ways, min(len(ways), chance.choice((1, 1, 3))))
        if ways and chance.random() < FORMS_SHARE:
            return ways + chance.choice(([], local[:1], remote[:1]))
        return chance.choice([local[:1], local[:1], local[:1], local, remote[:1], remote, remote[1:],
                              local[:2] + remote, [f"never-{number}@there.test"],
                              [local[0], f"never-{number}@there.test", remote[0]]])

    def _compose(self, is_dropped=False):
        self._number += 1
        message_id = f"{self._number}.{os.getpid()}@load.test"
        recipients = self._recipients(is_dropped)
        line_count = 3000 if self._chance.random() < 0.03 else self._chance.randint(1, 60)
        lines = [self._chance.choice((".", "..", "", "a line of text", ". a dot first",
                                      f"{message_id} {self._chance.random()}" * 2))
                 for _ in range(line_count)]
        header = ["From: <returns@here.test>", f"To: <{recipients[0]}>", "Subject: load",
                  "Date: Sun, 22 Nov 2026 10:00:00 +0000", f"Message-ID: <{message_id}>",
                  f"X-Digest: {_digest(lines)}", ""]
        return message_id, recipients, header + lines

    async def _session(self, sessions, door):
        while self._is_sending:
            is_in = False
            before = self._taken_by[door.name]
            with contextlib.suppress(OSError, EOFError, asyncio.TimeoutError):  # refused, or killed below us
                is_in = await self._connection(door, sessions)
            if self._taken_by[door.name] > before:
                door = self._chance.choice(self.doors)
            if not is_in:
                await asyncio.sleep(0.05)

    async def _connection(self, door, sessions):
        """Whether it was let in."""
        reader, writer = await asyncio.wait_for(
            asyncio.open_connection(self.address, door.port, limit=1 << 16), TIMEOUT_S)
        client = _Client(reader, writer, self.replies, self.secured and self.secured.host)
        try:
            if not await door.enter(client, self._chance):
                return False
            for _ in range(self._chance.choice(self.session_lengths)):
                if not self._is_sending:
                    break
                await self._message(client, door)
                await asyncio.sleep(self._chance.expovariate(self.rate / sessions))
            await client.say("QUIT")
            return True
        except (OSError, EOFError, asyncio.TimeoutError) as failure:
            if client.last_reply[:3] not in ("", "421"):  # else it was not let in, or was told to go
                self.breaks.append(Break(time.time(), door, self.phase, f"{failure!r} after {client.last_reply}"))
            raise
        finally:
            writer.close()

    async def _message(self, client, door):
        message_id, recipients, lines = self._compose()
        wire = "".join("." * line.startswith(".") + line + "\r\n" for line in lines).encode()
        entry = Entry(recipients, REFUSED, self.phase, door=door.name)
        asks = self._chance.random() < SUCCESS_SHARE
        try:
            entry.reply = await client.say(f"MAIL FROM:<{RETURNS}@{self.domain}>")
            if entry.reply[0] != "2":
                return
            accepted = []
            for recipient in recipients:
                is_asked = asks and recipient in self.users
                option = " NOTIFY=SUCCESS,FAILURE" if is_asked else ""
                entry.reply = await client.say(f"RCPT TO:<{recipient}>{option}")
                if entry.reply[0] == "2":
                    accepted.append(recipient)
                    entry.successes += [recipient] if is_asked else []
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
                self._taken_by[door.name] += 1
                self.on_event(f"ack {message_id}")

    # ---- the other server

    async def _listen(self):
        self._servers = [await asyncio.start_server(self._serve, self.address, self.relay_port,
                                                    limit=1 << 20, backlog=512)]
        if self.secured:
            self._servers.append(await asyncio.start_server(
                functools.partial(self._serve, smarthost=self.secured.smarthost), self.address,
                self.relay_port + 1, limit=1 << 20, backlog=512))
        if self.store_path:
            self._servers.append(await asyncio.start_unix_server(self._serve, self.store_path,
                                                                 limit=1 << 20, backlog=512))
            os.chmod(self.store_path, 0o777)

    async def _serve(self, reader, writer, smarthost=None):
        try:
            await self._converse(reader, writer, smarthost)
        except (OSError, EOFError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass  # the client was killed, or went; or we go
        finally:
            writer.close()

    async def _close(self):
        for server in self._servers:
            server.close()
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

    async def _converse(self, reader, writer, smarthost):
        writer.write(b"220 there.test ESMTP\r\n")
        recipients, is_store, is_encrypted, is_known = [], False, False, not smarthost
        while True:
            command = (await reader.readuntil(b"\r\n"))[:-2].decode("latin-1")
            verb = command[:4].upper()
            answer = "250 2.0.0 Ok"
            if verb in ("EHLO", "LHLO"):
                is_store = verb == "LHLO"
                words = ["there.test", "PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"]
                if is_encrypted and smarthost:
                    words.append(" ".join(("AUTH", *smarthost.mechanisms)))
                elif self.secured and not is_encrypted:
                    words.append("STARTTLS")
                answer = "\r\n".join([*(f"250-{word}" for word in words[:-1]), f"250 {words[-1]}"])
            elif verb == "STAR":
                writer.write(b"220 2.0.0 go ahead\r\n")
                await writer.start_tls(self.secured.server_context)
                is_encrypted = True
                continue
            elif verb == "AUTH":
                answer = await smarthost.authenticate(command, reader, writer)
                is_known = answer[0] == "2"
            elif verb == "RCPT":
                recipient = command[command.index("<") + 1:command.index(">")]
                answer = self._answer_to(recipient)
                if not is_known or not is_encrypted and recipient.endswith("@sts.there.test"):
                    answer = "530 5.7.0 not without protection"
                recipients += [recipient] if answer[0] == "2" else []
            elif verb == "DATA" and not recipients:
                answer = "554 5.5.1 no valid recipients"
            elif verb == "DATA":
                writer.write(b"354 go on\r\n")
                self._take(await _read_content(reader), recipients)
                if is_store:  # RFC 2033 section 4.2: a reply for each
                    answer = "\r\n".join([answer] * len(recipients))
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
            if recipient.startswith("postmaster@"):
                continue  # a notice of what went wrong in a session
            if is_whole:
                self.received[message_id, recipient] += 1
                self.taken[message_id, recipient].append(time.time())
                self.on_event(f"got {message_id} {recipient}")
            else:
                self.damaged.add((message_id, recipient))


class _Client:
    """One command, one reply; deadlines on both."""

    def __init__(self, reader, writer, replies, host=None):
        self._reader, self._writer, self._replies, self._host = reader, writer, replies, host
        self.last_reply = ""

    async def start_tls(self, context):
        self.last_reply = "a handshake"
        await self._writer.start_tls(context, server_hostname=self._host, ssl_handshake_timeout=TIMEOUT_S)

    async def reply(self):
        while True:
            line = (await asyncio.wait_for(self._reader.readuntil(b"\n"), TIMEOUT_S)).decode("latin-1")
            if not line.strip().isprintable():
                self._replies[f"5xx, were it readable: {line!r}"] += 1  # nobody may be told anything like that
            if line[3:4] != "-":
                if line[:1] not in "23":
                    self._replies[re.sub(r"<[^>]*>", "<>", line.strip())] += 1
                self.last_reply = line.strip() or "?"
                return self.last_reply

    async def say_bytes(self, data):
        self._writer.write(data)
        with contextlib.suppress(ConnectionError):  # it may have said 421 before
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
    """(message id, whether the body is what was sent). Behind it, up to two lines of a mailbox file are
    no part of it."""
    end = lines.index("") if "" in lines else len(lines)
    fields = dict(line.split(": ", 1) for line in lines[:end] if ": " in line)
    return (fields.get("Message-ID", "").strip("<>"),
            any(fields.get("X-Digest") == _digest(body) for body in _bodies(lines[end + 1:])))


def _bodies(lines):
    yield lines
    for _ in range(2):
        if not lines or lines[-1]:
            return
        lines = lines[:-1]
        yield lines


# ---- the account


class Mailboxes:
    """What lies in new/ and cur/ of the users' Maildirs, and in the directories and files of forms:
    counts of (message id, end). A file is read again only when it is another one: what a crash left
    unfinished may be replaced."""

    def __init__(self, path_of, users, directories=None, files=None):
        """path_of(user) names the Maildir; directories and files: {end: path}."""
        self._path_of, self._users = path_of, users
        self._directories, self._files = directories or {}, files or {}
        self._known = {}  # (end, name): (file as it was read, [what it is])
        self.forget()

    def forget(self):
        """Whatever was found so far is of no interest any more."""
        self._ignored = {(key, fact) for key, (_file, facts) in self._known.items() for fact in facts}
        self.delivered = collections.Counter()
        self.reports = collections.Counter()  # of failures, delays and success that the sender was told of
        self.damaged = collections.Counter()
        self.torn = collections.Counter()     # the same in a file that is appended to, or with a command: a
        # crash leaves it so, or a queue file that could be read to its half only
        self.times = collections.defaultdict(list)  # (message id, end): when, where a command keeps files

    def _places(self):
        """(end, file)"""
        for user in self._users:
            for part in ("new", "cur"):
                yield from _files_in(user, os.path.join(self._path_of(user), part), "")
        for end, place in self._directories.items():
            yield from _files_in(end, place, "msg.")
        yield from self._files.items()

    def read(self):
        present = {}
        for end, path in self._places():
            # The same file in new/ and in cur/ has one name, up to the flags.
            key = (end, os.path.basename(path).split(":2,")[0])
            with contextlib.suppress(FileNotFoundError):
                present[key] = self._look(key, path)
        self._known = present
        for found in (self.delivered, self.reports, self.damaged, self.torn, self.times):
            found.clear()
        for key, (file, facts) in present.items():
            for fact in facts:
                if (key, fact) not in self._ignored:
                    kind, about = fact
                    getattr(self, kind).update(about)
                    if key[0] in self._directories:
                        self.times[about[0]].append(file[2] / 1e9)
        return self

    def empty(self):
        """Makes room; only when all that is known has been accounted for."""
        for _end, path in list(self._places()):
            if os.path.isfile(path):
                os.unlink(path)
        self.read()
        self.forget()

    def _look(self, key, path):
        status = os.stat(path)
        file = (status.st_ino, status.st_size, status.st_mtime_ns)
        known = self._known.get(key)
        if known and known[0] == file:
            return known
        with open(path, encoding="latin-1", newline="\n") as content:
            text = content.read()
        # No line of the load begins with "From ".
        texts = ("\n" + text).split("\nFrom ")[1:] if key[0] in self._files else [text]
        facts = [self._classify(text, path, key[0]) for text in texts]
        if key[0] in self._files or key[0] in self._directories:
            facts = [("torn" if kind == "damaged" else kind, about) for kind, about in facts]
        return file, facts

    @staticmethod
    def _classify(text, path, end):
        message_id, is_whole = _inspect(text.split("\n"))
        if message_id.endswith("@load.test"):
            return ("delivered" if is_whole else "damaged"), ((message_id, end),)
        # A report: which message of ours does it give back, and what does it say of whom?
        about = re.findall(r"^Message-ID: <([^>]*@load\.test)>", text, re.MULTILINE)
        told = re.findall(r"^Final-Recipient: *rfc822; *(\S+)$.*?^Action: *(\S+)", text,
                          re.MULTILINE | re.DOTALL)
        if not about or not told:
            return "damaged", ((os.path.basename(path), end),)
        before = {"failed": "", "delayed": "delayed:"}
        return "reports", tuple((about[0], before.get(action, "success:") + recipient)
                                for recipient, action in told)


def _files_in(end, place, beginning):
    for name in os.listdir(place) if os.path.isdir(place) else ():
        if name.startswith(beginning):
            yield end, os.path.join(place, name)


@dataclasses.dataclass
class Account:
    """Lists of (message id, recipient)."""

    missing: list         # acknowledged and not there
    doubled_local: list
    doubled_relay: list   # at least once is what SMTP can promise
    doubled_handed: list  # and commands, and files that are appended to
    doubled_reports: list
    bounced: list         # reported as failed without a reason
    damaged: list


def account(load, mailboxes, received=None, acknowledged=None):
    """received, acknowledged: the ledger's own unless given."""
    received = load.received if received is None else received
    mailboxes.read()
    missing, doubled = [], {"local": [], "relay": [], "report": [], "handed": []}
    for message_id, entry in list(load.ledger.items()):
        is_ours = entry.state == ACKNOWLEDGED if acknowledged is None else message_id in acknowledged
        ends = [end for recipient in entry.recipients for end in load.ends.get(recipient, [recipient])]
        for end in ends + [f"success:{recipient}" for recipient in entry.successes]:
            key, way = (message_id, end), way_of(end)
            count = {"relay": received, "report": mailboxes.reports}.get(way, mailboxes.delivered)[key]
            if is_ours and count == 0:
                missing.append(key)
            elif count > 1:
                doubled[way].append(key)
    bounced = []
    for key, count in mailboxes.reports.items():
        if way_of(key[1]) != "report":
            bounced.append(key)
        elif key[1].startswith("delayed:") and count > 1:
            doubled["report"].append(key)
    return Account(missing, doubled["local"], doubled["relay"], doubled["handed"], doubled["report"],
                   bounced, sorted(load.damaged | set(mailboxes.damaged)))


def way_of(end):
    """How a message, or word of what became of it, arrives."""
    if end.startswith(("never-", "success:", "delayed:")):
        return "report"
    if end.startswith(("command:", "file:")):
        return "handed"
    return "relay" if end.endswith(("@there.test", ".there.test", "@store.test")) else "local"


def wait_until_settled(load, mailboxes, deadline_s, tick=lambda: None):
    """Until nothing is missing or the deadline passes; tick() is called now and then."""
    end = time.monotonic() + deadline_s
    while True:
        state = account(load, mailboxes)
        if not state.missing or time.monotonic() > end:
            return state
        tick()
        time.sleep(0.25)
