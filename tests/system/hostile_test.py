"""Clients that mean no good. Whatever they do: memory stays within the bound that each case states,
fifty good senders keep at least half the rate of a window without them, none of their sessions
suffers, and what was acknowledged to them is delivered.

POSTHOUSE_TESTS_LONG=yes (make soak-hostile) has crowds of full size; what it finds goes to the table in
the file that POSTHOUSE_TESTS_TABLE names."""

import os
import re
import signal
import socket
import types

import pytest

from harness import soak
from harness.hostile import Crowd, Senders, delivered, memory_kib
from harness.instance import small_message, wait_until
from harness.log_shapes import unknown_lines
from harness.processes import processes_of
from limits_test import Client

IS_LONG = os.environ.get("POSTHOUSE_TESTS_LONG") == "yes"
SENDERS = 50
USERS = [f"user{number}@here.test" for number in range(20)]
WINDOW_S = 3.0 if IS_LONG else 1.0
# Of windows with and without the crowd, at most, each longer than the one before: the machine may be
# busy, and what a crowd does as it comes, before nobody listens to it, may take more than the first.
ROUNDS = 4
SLACK_KIB = 8 * 1024    # what fifty senders at work may make of smtpd
IDLE_KIB = 16           # an idle connection, with what its process has for it
QUEUED_KIB = 3          # a message of one recipient in qmgr (measured: 1.7)
ACTIVE = 20000          # qmgr_message_recipient_limit: more are not in memory, however long the queue is
QMGR_SLACK_KIB = 4 * 1024   # ids at hand, threads


@pytest.fixture(autouse=True)
def more_time(limited_time):
    if IS_LONG:
        signal.alarm(1200)


@pytest.fixture(scope="module")
def table(request):
    """Rows of what was found; written at the end of the long form."""
    rows = []
    yield rows
    if IS_LONG and os.environ.get("POSTHOUSE_TESTS_TABLE"):
        failed = request.session.testsfailed
        soak.write(os.environ["POSTHOUSE_TESTS_TABLE"], "hostile",
                   types.SimpleNamespace(passed=request.session.testscollected - failed, failed=failed),
                   [f"{SENDERS} good senders"], [("what", "strangers", "messages alone", "messages beside them",
                                                  "memory, KiB", "bound, KiB"), *rows])


@pytest.fixture
def make_guarded(make_instance):
    """make_guarded(places, setting=value ...): an instance with so many places, and its senders."""
    made = []

    def make(places, **settings):
        one = make_instance("here", users=["you@here.test", *USERS], smtpd_processes="2", settings={
            "smtpd_client_limit": str(places // 2 + SENDERS), "mynetworks": "127.0.0.1/32", **settings})
        one.start()
        made.append(Senders(one, USERS, SENDERS))
        return one, made[-1]

    yield make
    for senders in made:
        senders.end()


def memory_of(instance, name):
    return memory_kib(processes_of(instance.programs)[name])


class Growth:
    """What smtpd and qmgr hold beyond what they held at first. Strangers may cost smtpd memory, each so
    much. They cost qmgr none: what it holds is the good mail that it has taken since and not delivered
    yet, which on a busy machine is nearly all of it."""

    def __init__(self, instance, senders):
        self._instance, self._senders = instance, senders
        self._before = self._now()
        self._acknowledged = senders.acknowledged()
        self.smtpd_kib = self.qmgr_kib = 0

    def _now(self):
        return memory_of(self._instance, "smtpd"), memory_of(self._instance, "qmgr")

    def look(self):
        smtpd_kib, qmgr_kib = self._now()
        queued = min(self._senders.acknowledged() - self._acknowledged, ACTIVE)
        self.smtpd_kib = max(self.smtpd_kib, smtpd_kib - self._before[0])
        self.qmgr_kib = max(self.qmgr_kib, qmgr_kib - self._before[1] - queued * QUEUED_KIB)


def check_growth(growths, smtpd_bound_kib, qmgr_bound_kib=QMGR_SLACK_KIB):
    """The columns for the table: what both grew by beside good mail, and the bound."""
    smtpd_kib = max(growth.smtpd_kib for growth in growths)
    qmgr_kib = max(growth.qmgr_kib for growth in growths)
    print(f"memory: smtpd {smtpd_kib} of {smtpd_bound_kib} KiB, qmgr beside good mail {qmgr_kib} of {qmgr_bound_kib}")
    assert smtpd_kib <= smtpd_bound_kib
    assert qmgr_kib <= qmgr_bound_kib
    return smtpd_kib + qmgr_kib, smtpd_bound_kib + qmgr_bound_kib


def settle(instance, senders):
    """Nobody who was good had trouble, and everything acknowledged is there, once."""
    acknowledged, wrongs = senders.stop()
    assert not wrongs, (len(wrongs), wrongs[:5])
    assert acknowledged
    # Looking at the queue is work for qmgr, too: first see that all could be there.
    wait_until(lambda: sum(len(instance.messages(user)) for user in USERS) >= len(acknowledged),
               f"{len(acknowledged)} messages are delivered", 120, 0.5)
    instance.wait_for_empty_queue(120)
    found, doubled = delivered(instance, USERS)
    assert not doubled
    missing = {message_id: user for message_id, user in acknowledged.items() if found.get(message_id) != user}
    assert not missing, (len(missing), len(acknowledged))
    unknown = unknown_lines(instance.log())
    assert not unknown, "\n".join(unknown[:20])


class Duel:
    """Good senders with a crowd and without, until they are seen to keep half their rate."""

    def __init__(self, instance, senders, kind, count):
        self.instance, self.senders, self.kind, self.count = instance, senders, kind, count
        self.alone = self.beside = 0
        self.notes = []
        self.growths = []

    def fight(self):
        self.senders.window(1.0)    # everybody has what it needs to work
        for number in range(1, ROUNDS + 1):
            self.alone += self.senders.window(WINDOW_S * number)
            self.growths.append(Growth(self.instance, self.senders))
            crowd = Crowd(self.instance, self.kind, self.count)
            crowd.wait_until_ready()
            self.beside += self.senders.window(WINDOW_S * number)
            self.growths[-1].look()
            self.notes.append(crowd.stop())
            if self.beside * 2 >= self.alone:
                break
        print(f"{self.kind}: {self.count} strangers, {self.alone} messages alone, {self.beside} beside them, "
              f"{self.notes}")
        assert self.beside * 2 >= self.alone > 0
        return self


# How many strangers there are, and how much memory each may cost, beside SLACK_KIB.
HEADER_KIB = 102400 // 1024     # header_size_limit
ATTACKS = {
    "endless-command": (40, 64),
    "endless-header-line": (40, 2 * HEADER_KIB),
    "endless-header": (40, 12 * HEADER_KIB),    # of all fields eight times the limit of one is kept
    "endless-folded-field": (40, 2 * HEADER_KIB),
    "endless-body-line": (40, 128),
    "endless-body": (40, 128),
    "never-listen": (40, 160),
    "half-closed": (100, 64),
    "reset": (100, 64),
    "nonsense": (100, 64),
}


@pytest.mark.parametrize("kind", ATTACKS)
def test_good_senders_beside(make_guarded, table, kind):
    count, kib_each = ATTACKS[kind]
    instance, senders = make_guarded(2 * count)
    duel = Duel(instance, senders, kind, count).fight()
    table.append((kind, count, duel.alone, duel.beside, *check_growth(duel.growths, count * kib_each + SLACK_KIB)))
    settle(instance, senders)
    # Nothing that a stranger began and did not end was taken for a message.
    assert not instance.messages("you@here.test") or kind == "nonsense"


def test_idle_connections(make_guarded, table):
    """They cost memory, little, and nobody's time."""
    count = 10000 if IS_LONG else 2000
    instance, senders = make_guarded(2 * count)
    duel = Duel(instance, senders, "silent", count).fight()
    assert [notes["ended"] for notes in duel.notes] == [0] * len(duel.notes)
    assert [notes["open"] for notes in duel.notes] == [count] * len(duel.notes)
    table.append(("silent", count, duel.alone, duel.beside, *check_growth(duel.growths, count * IDLE_KIB)))
    settle(instance, senders)


def test_slow_loris(make_guarded, table):
    """A byte a second keeps nothing open for longer than a request may take."""
    count = 3000 if IS_LONG else 300
    instance, senders = make_guarded(2 * count, smtpd_per_request_deadline="yes", smtpd_timeout="5s")
    senders.window(1.0)
    alone = beside = 0
    growths = []
    for number in range(1, ROUNDS + 1):
        alone += senders.window(WINDOW_S * number)
        growths.append(Growth(instance, senders))
        crowd = Crowd(instance, "slow", count)
        crowd.wait_until_ready()
        beside += senders.window(WINDOW_S * number)
        growths[-1].look()
        wait_until(lambda number=number: len(re.findall(r"timeout after \S+.* from unknown\[127\.", instance.log()))
                   >= count * number, "all are sent away", 60, 0.5)
        notes = crowd.stop()
        assert notes["ended"] == count and notes["last"] == {"421": count}
        if beside * 2 >= alone:
            break
    print(f"slow: {count} strangers, {alone} alone, {beside} beside")
    table.append(("slow", count, alone, beside, *check_growth(growths, count * 64 + SLACK_KIB)))
    assert beside * 2 >= alone > 0
    settle(instance, senders)


def test_all_places_are_taken(make_guarded):
    """A slow crowd larger than the service: under stress it has ten seconds, and good senders come in."""
    places = 2 * (100 + SENDERS)
    instance, senders = make_guarded(200, smtpd_timeout="${stress?{2}:{300}}s")
    instance.tolerate("all ports busy")
    alone = senders.window(WINDOW_S)
    crowd = Crowd(instance, "slow", places)
    instance.wait_for_log(r"timeout after \S+.* from unknown\[127\.", 60)
    crowd.stop()
    wait_until(lambda: senders.window(0.5) > 0, "good senders come in", 30)
    assert alone > 0
    acknowledged, _ = senders.stop()
    instance.wait_for_empty_queue(120)
    found, doubled = delivered(instance, USERS)
    assert not doubled and set(acknowledged) <= set(found)


def test_fin_ends_a_session_and_a_whole_message_counts(make_guarded):
    """RFC 5321 section 4.1.1.5: nothing is dropped that was complete when the client closed its half."""
    instance, senders = make_guarded(100)
    whole = Client(instance)
    assert whole.open("you@here.test") == ["250 2.1.5 Ok"]
    assert whole.say("DATA").startswith("354")
    whole.connection.sendall(small_message() + b".\r\n")
    whole.connection.shutdown(socket.SHUT_WR)
    assert whole.reply().startswith("250 2.0.0 Ok: queued as ")
    assert whole.is_closed()
    half = Client(instance)
    half.open("you@here.test")
    assert half.say("DATA").startswith("354")
    half.connection.sendall(small_message() + b".\r")
    half.connection.shutdown(socket.SHUT_WR)
    assert half.is_closed()
    instance.wait_for_log(r"lost connection after DATA \(\d+ bytes\) from unknown\[127\.0\.0\.2\]")
    instance.wait_for_mail("you@here.test")
    senders.window(0.5)
    settle(instance, senders)
    assert len(instance.messages("you@here.test")) == 1


def last_words(client):
    try:
        return client.reply()
    except ConnectionError:     # by a reset: there was more to read
        return ""


ENDLESS = {
    "command": ([], b"NOOP ", b"a" * 16384, "500"),
    "header-line": (["DATA"], b"Subject: ", b"a" * 16384, "552"),
    "header": (["DATA"], b"", b"X-Line: one of many\r\n" * 800, "552"),
    "folded-field": (["DATA"], b"Subject: x\r\n", b" one of many\r\n" * 1000, "552"),
    "body-line": (["DATA"], b"Subject: x\r\n\r\n", b"a" * 16384, "552"),
    "body": (["DATA"], b"Subject: x\r\n\r\n", b"A line of text.\r\n" * 1000, "552"),
}


@pytest.mark.parametrize("kind", ENDLESS)
def test_without_end(make_guarded, kind):
    """Much more than any limit: it is read, not kept, and refused; the next session is as ever."""
    commands, opening, piece, code = ENDLESS[kind]
    instance, senders = make_guarded(100)
    senders.window(1.0)
    growth = Growth(instance, senders)
    client = Client(instance)
    client.open("you@here.test")
    for command in commands:
        assert client.say(command).startswith("354")
    try:
        client.connection.sendall(opening)
        for _ in range(12):
            client.connection.sendall(piece * 256)
            growth.look()
        client.connection.sendall(b"\r\n.\r\n")
    except ConnectionError:
        pass    # it was sent away before that
    answer = last_words(client)
    assert answer[:3] in (code, ""), answer
    check_growth([growth], SLACK_KIB)
    senders.window(0.5)
    settle(instance, senders)
    assert not instance.messages("you@here.test")


def count_done(instance):
    """Lines of their deliveries; logd may be too busy for some, which discard then counts."""
    log = instance.log()
    return len(re.findall(r"to=<[^>]*@many\.test>.* status=sent ", log)) + \
        sum(map(int, re.findall(r"/discard\[\d+\]: warning: log\.dropped: lines=(\d+)$", log, re.MULTILINE)))


def send_to_many(instance, name, count):
    with socket.create_connection((instance.address, instance.port), 60, ("127.0.0.1", 0)) as connection:
        stream = connection.makefile("rb")

        def say(data, answers=1):
            connection.sendall(data)
            for _ in range(answers):
                line = b"---- "
                while line[3:4] == b"-":
                    line = stream.readline()
                assert line[:1] in (b"2", b"3"), line

        say(b"")
        say(b"EHLO good.example\r\n")
        say(b"MAIL FROM:<you@here.test>\r\n")
        for first in range(0, count, 200):
            say(b"".join(f"RCPT TO:<r{name}-{first + i}@many.test>\r\n".encode() for i in range(200)), 200)
        say(b"DATA\r\n")
        say(small_message() + b".\r\n")
        say(b"QUIT\r\n")


@pytest.mark.parametrize("per_message", [100000, 5000])
def test_many_recipients(make_guarded, table, per_message):
    """In one message or in several: each has its result, and memory follows what is worked on."""
    total = 100000 if IS_LONG else 20000
    per_message = min(per_message, total)
    instance, senders = make_guarded(100, smtpd_recipient_limit=str(per_message), relay_domains="many.test",
                                     transport_maps="inline:{ many.test=discard: }")
    senders.window(1.0)
    alone, beside = senders.window(WINDOW_S), 0
    growth = Growth(instance, senders)
    for number in range(total // per_message):
        send_to_many(instance, number, per_message)
        growth.look()
    beside += senders.window(WINDOW_S)
    growth.look()
    wait_until(lambda: count_done(instance) >= total, f"{total} recipients are done",
               600 if IS_LONG else 120, 0.5)
    growth.look()
    assert count_done(instance) == total
    # One window may have been a bad one: another without a big message, and the same with.
    for number in range(ROUNDS):
        if beside * 2 >= alone:
            break
        alone += senders.window(WINDOW_S)
        send_to_many(instance, f"again{number}", per_message)
        beside += senders.window(WINDOW_S)
        instance.wait_for_empty_queue(120)
    print(f"{total} recipients, {per_message} each: {alone} alone, {beside} beside")
    # 256 bytes for each, in all that both hold
    table.append((f"{total} recipients, {per_message} in a message", 1, alone, beside,
                  *check_growth([growth], total // 8 + SLACK_KIB, total // 8 + QMGR_SLACK_KIB)))
    assert beside * 2 >= alone > 0
    settle(instance, senders)
