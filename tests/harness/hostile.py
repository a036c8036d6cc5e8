"""tests/harness/hostile - clients that mean no good, good senders that work beside them, and memory.

Each crowd and the good senders are processes of their own; a crowd is nice, since a real one would
not use this machine's processors, and keeps to a rate, since a real one has a line. Strangers come
from 127.1.0.0/16 and above, one address each; good senders from 127.0.0.1.

Callers: tests/system/hostile_test."""

import asyncio
import multiprocessing
import os
import pathlib
import random
import re
import resource
import selectors
import socket
import struct
import time

FORK = multiprocessing.get_context("fork")
REPLY_DEADLINE_S = 60
TICK_S = 0.05
CHUNK = b"a" * 16384
GREETED = [b"EHLO stranger.example\r\n"]
IN_CONTENT = GREETED + [b"MAIL FROM:<s@stranger.example>\r\n", b"RCPT TO:<you@here.test>\r\n", b"DATA\r\n"]
ENDLESS_BYTES_A_S = 20_000_000
NEW_SESSIONS_A_S = 400


# ---- good senders


class Senders:
    """Sessions that send as fast as they are answered, between resume() and pause()."""

    def __init__(self, instance, users, count=50):
        self._count = FORK.Value("Q", 0)
        self._goes = FORK.Event()
        self._open = FORK.Value("Q", 0)
        self._ours, theirs = FORK.Pipe()
        self._process = FORK.Process(target=self._main, daemon=True, args=(
            theirs, (instance.address, instance.port), list(users), count))
        self._process.start()

    def window(self, length_s):
        """How many messages were acknowledged in a while of sending."""
        self.resume()
        before = self._count.value
        time.sleep(length_s)
        done = self._count.value - before
        self.pause()
        return done

    def acknowledged(self):
        """How many messages, till now."""
        return self._count.value

    def resume(self):
        self._goes.set()

    def pause(self):
        self._goes.clear()
        end = time.monotonic() + REPLY_DEADLINE_S
        while self._open.value:
            assert time.monotonic() < end, "senders hang"
            time.sleep(0.01)

    def stop(self):
        """(acknowledged: {message id: recipient}, what went wrong: [text])"""
        self._ours.send(None)
        result = self._ours.recv()
        self._process.join(REPLY_DEADLINE_S)
        return result

    def end(self):
        """At once, if it has not ended."""
        self._process.kill()
        self._process.join()

    def _main(self, pipe, address, users, count):
        acknowledged, wrongs = {}, []

        async def session(number):
            while True:
                while not self._goes.is_set():
                    await asyncio.sleep(0.01)
                with self._open.get_lock():
                    self._open.value += 1
                try:
                    await asyncio.wait_for(self._connection(address, users, number, acknowledged), None)
                except (OSError, EOFError, AssertionError, asyncio.TimeoutError) as error:
                    wrongs.append(f"{type(error).__name__} {error}")
                    await asyncio.sleep(0.05)
                finally:
                    with self._open.get_lock():
                        self._open.value -= 1

        async def run():
            sessions = [asyncio.create_task(session(number)) for number in range(count)]
            while not pipe.poll():
                await asyncio.sleep(0.02)
            for one in sessions:
                one.cancel()
            await asyncio.gather(*sessions, return_exceptions=True)

        asyncio.run(run())
        pipe.send((acknowledged, wrongs))

    async def _connection(self, address, users, number, acknowledged):
        reader, writer = await asyncio.open_connection(*address, local_addr=("127.0.0.1", 0))

        async def answer(*codes):
            for code in codes:
                line = b"-" * 4
                while line[3:4] == b"-":
                    line = await asyncio.wait_for(reader.readuntil(b"\n"), REPLY_DEADLINE_S)
                assert line[:1] == code, line
        try:
            await answer(b"2")
            writer.write(b"EHLO good.example\r\n")
            await answer(b"2")
            while self._goes.is_set():
                message_id = f"{number}.{time.monotonic_ns()}@good.example"
                user = users[random.randrange(len(users))]
                writer.write(f"MAIL FROM:<good@good.example>\r\nRCPT TO:<{user}>\r\nDATA\r\n".encode())
                await answer(b"2", b"2", b"3")
                writer.write(f"From: <good@good.example>\r\nMessage-ID: <{message_id}>\r\n\r\n"
                             f"{'A line of text.' * 4}\r\n.\r\n".encode())
                await answer(b"2")
                acknowledged[message_id] = user
                with self._count.get_lock():
                    self._count.value += 1
            writer.write(b"QUIT\r\n")
            await answer(b"2")
        finally:
            writer.close()


def delivered(instance, users):
    """{message id: user} of what good senders sent and lies in the mailboxes; doubled ones are told."""
    found, doubled = {}, []
    for user in users:
        for path in instance.messages(user):
            match = re.search(rb"^Message-ID: <(\S+@good\.example)>", path.read_bytes(), re.MULTILINE)
            if match:
                message_id = match.group(1).decode()
                doubled += [message_id] if message_id in found else []
                found[message_id] = user
    return found, doubled


# ---- strangers


class Stranger:
    """One connection. script: what is said, each part after a whole reply; then it is ready."""

    def __init__(self, target, number, script):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
        self.socket.bind((f"127.{1 + number // 65000 % 200}.{number // 250 % 256}.{1 + number % 250}", 0))
        self.socket.connect_ex(target)
        self.script = list(script)
        self.last_line = b""
        self.is_ready = False
        self.number = number
        self._rest = b""

    def hear(self):
        """Read what is there. False when the connection has ended."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return True
        except OSError:
            return False
        if not data:
            return False
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            self.last_line = line
            if line[3:4] == b"-":
                continue
            if self.script:
                self.say(self.script.pop(0))
            else:
                self.is_ready = True
        return True

    def say(self, data):
        """How much of it went out; None when the connection has ended."""
        try:
            return self.socket.send(data)
        except BlockingIOError:
            return 0
        except OSError:
            return None

    def reset(self):
        """RST instead of FIN."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Crowd:
    """A process full of strangers. kind: one of KINDS."""

    def __init__(self, instance, kind, count):
        self._is_ready, self._ends = FORK.Event(), FORK.Event()
        self._ours, theirs = FORK.Pipe()
        self._process = FORK.Process(target=self._main, daemon=True, args=(
            theirs, (instance.address, instance.port), kind, count))
        self._process.start()

    def wait_until_ready(self, deadline_s=60):
        assert self._is_ready.wait(deadline_s), "the crowd did not get in"

    def stop(self):
        """What they noted: {"open": connections at the end, "ended": those that the server ended, ...}"""
        self._ends.set()
        assert self._ours.poll(REPLY_DEADLINE_S), "the crowd hangs"
        notes = self._ours.recv()
        self._process.join(REPLY_DEADLINE_S)
        return notes

    # ---- in the process

    def _main(self, pipe, target, kind, count):
        os.nice(10)
        limit = max(count + 100, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        resource.setrlimit(resource.RLIMIT_NOFILE,
                           (limit, max(limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
        self.target, self.count = target, count
        self.chance = random.Random(count)
        self.selector = selectors.EpollSelector()
        self.strangers = {}
        self.notes = {"ended": 0, "bytes": 0, "came": 0, "last": {}}
        try:
            KINDS[kind](self)
        finally:
            self.notes["open"] = len(self.strangers)
            pipe.send(self.notes)

    def is_wanted(self):
        return not self._ends.is_set()

    def ready(self):
        self._is_ready.set()

    def come(self, script=()):
        one = Stranger(self.target, self.notes["came"], script)
        self.notes["came"] += 1
        self.strangers[one.socket.fileno()] = one
        self.selector.register(one.socket, selectors.EVENT_READ, one)
        return one

    def leave(self, one, by_reset=False):
        if self.strangers.pop(one.socket.fileno(), None):
            self.selector.unregister(one.socket)
            if by_reset:
                one.reset()
            else:
                one.socket.close()

    def ended(self, one):
        self.notes["ended"] += 1
        code = one.last_line[:3].decode("latin-1")
        self.notes["last"][code] = self.notes["last"].get(code, 0) + 1
        self.leave(one)

    def listen(self, length_s=TICK_S):
        """Hear what comes for a while."""
        end = time.monotonic() + length_s
        while True:
            left = end - time.monotonic()
            for key, _ in self.selector.select(max(left, 0)):
                if not key.data.hear():
                    self.ended(key.data)
            if left <= 0:
                return

    def fill(self, script_of):
        """All come, not too many at once, and go through their scripts."""
        coming = []
        while self.is_wanted() and (len(coming) < self.count or not all(
                one.is_ready or one.socket.fileno() < 0 for one in coming[-1000:])):
            waiting = sum(not one.is_ready and one.socket.fileno() >= 0 for one in coming[-1000:])
            for _ in range(min(250 - waiting, self.count - len(coming))):
                coming.append(self.come(script_of(len(coming))))
            self.listen(0.01)

    def feed(self, one, data):
        sent = one.say(data)
        if sent is None:
            self.ended(one)
        else:
            self.notes["bytes"] += sent


def be_silent(crowd):
    crowd.fill(lambda _number: ())
    crowd.ready()
    while crowd.is_wanted():
        crowd.listen()


def be_slow(crowd):
    """A byte a second: in a command, in a header field, in a body."""
    scripts = (GREETED, IN_CONTENT, IN_CONTENT + [b"Subject: slow\r\n\r\n"])
    # The last one waits for no reply to what it says last.
    crowd.fill(lambda number: scripts[number % 3][:4])
    for one in list(crowd.strangers.values()):
        crowd.feed(one, (b"NOOP ", b"Subject: ", b"Subject: slow\r\n\r\n")[one.number % 3])
    crowd.ready()
    while crowd.is_wanted():
        for one in list(crowd.strangers.values()):
            crowd.feed(one, b"a")
        crowd.listen(1)


def say_without_end(script, data, opening=b""):
    """Who is sent away comes back."""
    def attack(crowd):
        crowd.fill(lambda _number: script)
        crowd.ready()
        has_begun = set()
        while crowd.is_wanted():
            budget = int(ENDLESS_BYTES_A_S * TICK_S)
            for one in list(crowd.strangers.values()):
                if one.is_ready and budget > 0:
                    piece = data if one in has_begun else opening + data
                    has_begun.add(one)
                    crowd.feed(one, piece)
                    budget -= len(piece)
            while len(crowd.strangers) < crowd.count and crowd.is_wanted():
                crowd.come(script)
            crowd.listen()
    return attack


def talk_and_never_listen(crowd):
    """Commands without end whose answers nobody reads."""
    crowd.fill(lambda _number: GREETED)
    for one in crowd.strangers.values():
        crowd.selector.unregister(one.socket)
        one.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    crowd.ready()
    commands = b"MAIL FROM:<s@stranger.example>\r\nRCPT TO:<you@here.test>\r\nRSET\r\n" * 200
    rests = {}
    while crowd.is_wanted():
        budget = int(ENDLESS_BYTES_A_S * TICK_S)
        for number, one in list(crowd.strangers.items()):
            rest = rests.get(number) or commands
            if budget <= 0:
                break
            sent = one.say(rest)
            if sent is None:
                crowd.notes["ended"] += 1
                del crowd.strangers[number]
                one.socket.close()
                continue
            rests[number] = rest[sent:]
            crowd.notes["bytes"] += sent
            budget -= sent
        time.sleep(TICK_S)


def close_one_half(crowd):
    """FIN after a part of a session, and ears open for what comes."""
    endings = (b"", b"NOO", b"MAIL FROM:<s@stranger.example>\r\n",
               b"MAIL FROM:<s@stranger.example>\r\nRCPT TO:<you@here.test>\r\nDATA\r\n",
               b"BDAT 100000 LAST\r\nSubject: half\r\n\r\n")

    def finish():
        for one in list(crowd.strangers.values()):
            if one.is_ready:
                one.is_ready = False
                if one.say(endings[one.number % len(endings)]) is not None:
                    one.socket.shutdown(socket.SHUT_WR)
    crowd.fill(lambda _number: GREETED)
    crowd.ready()
    visits(crowd, finish, lambda: GREETED)


def visits(crowd, act, script_of):
    """New sessions at a steady rate, in place of those that ended; act() is called now and then."""
    while crowd.is_wanted():
        act()
        for _ in range(min(int(NEW_SESSIONS_A_S * TICK_S), crowd.count - len(crowd.strangers))):
            crowd.come(script_of())
        crowd.listen()


def reset_at_any_point(crowd):
    """RST in all states: while connecting, after the greeting, in commands, in content."""
    def act():
        for one in list(crowd.strangers.values()):
            if one.is_ready or crowd.chance.random() < 0.3:
                one.say(b"Subject: half a message\r\n\r\nhalf a line")
                crowd.leave(one, by_reset=True)
    crowd.ready()
    visits(crowd, act, lambda: IN_CONTENT[:crowd.chance.randrange(len(IN_CONTENT) + 1)])


WORDS = [b"EHLO", b"HELO", b"MAIL FROM:", b"RCPT TO:", b"DATA", b"BDAT", b"RSET", b"VRFY", b"NOOP", b"ETRN",
         b"XCLIENT", b"XFORWARD", b"AUTH", b"STARTTLS", b"<", b">", b"@", b"you@here.test", b"[", b"]", b"\"", b"\\",
         b"SIZE=", b"BODY=8BITMIME", b"SMTPUTF8", b"NOTIFY=", b"ORCPT=rfc822;", b"99999999999999999999", b"-1",
         b"LAST", b"\0", b"\r", b"\n", b"\r\n.\r\n", b".\r\n", b"\xff\xfe", b"\xc3\xa4", b" ", b"\t", b":", b",", b"%s%n",
         b"a" * 3000, b"(" * 500, b"Subject: x", b"Received: "]


def say_nonsense(crowd):
    """The words of the protocol in no order, and bytes that are none."""
    def nonsense():
        words = [crowd.chance.choice(WORDS) + crowd.chance.choice((b"", b" ", b"\r\n"))
                 for _ in range(crowd.chance.randrange(1, 40))]
        if crowd.chance.random() < 0.2:
            words.append(crowd.chance.randbytes(500))
        return b"".join(words) + b"\r\n"

    def act():
        for one in list(crowd.strangers.values()):
            if one.is_ready and crowd.chance.random() < 0.5:
                crowd.feed(one, nonsense())
            if crowd.chance.random() < 0.05:
                crowd.leave(one)
    crowd.ready()
    visits(crowd, act, lambda: IN_CONTENT[:crowd.chance.randrange(len(IN_CONTENT) + 1)])


HEADER_LINES = b"".join(b"X-Line-%d: %s\r\n" % (number, b"h" * 900) for number in range(16))
KINDS = {
    "silent": be_silent,
    "slow": be_slow,
    "endless-command": say_without_end(GREETED, CHUNK, b"NOOP "),
    "endless-header-line": say_without_end(IN_CONTENT, CHUNK, b"Subject: "),
    "endless-header": say_without_end(IN_CONTENT, HEADER_LINES),
    "endless-folded-field": say_without_end(IN_CONTENT, (b" " + b"f" * 900 + b"\r\n") * 16, b"Subject: x\r\n"),
    "endless-body-line": say_without_end(IN_CONTENT, CHUNK, b"Subject: x\r\n\r\n"),
    "endless-body": say_without_end(IN_CONTENT, (b"b" * 70 + b"\r\n") * 200, b"Subject: x\r\n\r\n"),
    "never-listen": talk_and_never_listen,
    "half-closed": close_one_half,
    "reset": reset_at_any_point,
    "nonsense": say_nonsense,
}


# ---- memory


def memory_kib(pids):
    """What the processes hold in RAM, all together."""
    total = 0
    for pid in pids:
        try:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
        except OSError:
            continue
        match = re.search(r"^VmRSS:\s+(\d+) kB", status, re.MULTILINE)
        total += int(match.group(1)) if match else 0
    return total
