"""What a queue manager is in the middle of when it is killed happens once: the reports it has asked
for, the mail that was made of its recipients."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import tempfile
import time

import pytest

from harness import clock
from harness import sink as sinks
from harness.instance import wait_until
from harness.processes import Injection, cut_channels, delayed, processes_of, running
from local_test import people    # noqa: F401  (a fixture)
from report_test import send


def pid_of(one, program):
    [pid] = running(one.programs, program)
    return pid


def kill_at(one, call, trace, act):
    """qmgr dies when it next makes this call, after what act() begins."""
    one.tolerate(r"qmgr|queue manager|notification|killed by signal 9|has died|ended")
    pid = pid_of(one, "qmgr")
    injection = Injection(one.programs, "qmgr", call, "signal=KILL", "1+", trace)
    try:
        act()
        wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), f"qmgr dies at {call}", 30)
    finally:
        injection.end()


@pytest.mark.parametrize("kind", ["failed", "relayed", "delayed"])
@pytest.mark.parametrize("call", ["fsync", "fdatasync"])
def test_a_report_comes_once(make_instance, workspace, kind, call):
    """Killed while the report is committed, or when it is and its recipients are to be marked."""
    if kind == "delayed" and call == "fdatasync":
        pytest.skip("a warning is noted in the journal, not marked")
    answer = {"failed": "550 5.1.1 nobody", "relayed": "250 2.1.5 Ok", "delayed": "450 4.2.0 later"}[kind]
    with sinks.Sink(script={"RCPT": answer}, delay_s=0.5) as far:
        one = make_instance("here", users=["friend@here.test"], settings={
            "relayhost": f"[127.0.0.1]:{far.port}", "delay_warning_time": "1s", "minimal_backoff_time": "1s",
            "maximal_backoff_time": "2s"}).start()
        send(one, {"a@far.test": ["NOTIFY=SUCCESS,FAILURE,DELAY"], "b@far.test": ["NOTIFY=NEVER"]})
        kill_at(one, call, workspace / "trace", lambda: None)
        wait_until(lambda: one.messages("friend@here.test"), "the report is there", 60)
        far.script["RCPT"] = "550 5.1.1 gone"
        if kind != "delayed":
            one.wait_for_empty_queue(60)
        else:
            time.sleep(3)
        one.wait_for_log(r"qmgr\[\d+\]: \w+: removed")
        actions = [action for path in one.messages("friend@here.test")
                   for action in re.findall(r"^Action: (\w+)", path.read_text(), re.MULTILINE)]
        assert actions.count(kind) == 1, actions


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


@pytest.mark.own_machine
def test_forwarded_once_although_the_recovery_is_killed(people, workspace):    # noqa: F811
    """The message that a recipient became is on disk. The next queue manager must not let it go
    before that recipient is marked, or one that comes after a second kill forwards again."""
    with sinks.Sink() as far:
        one = people.start("list: you@far.test\n", relayhost=f"[127.0.0.1]:{far.port}", service_throttle_time="1s")
        locals_ = running(one.programs, "local")
        signal_all(locals_, signal.SIGSTOP)
        one.send("list@here.test")
        first = pid_of(one, "qmgr")
        kill_at(one, "fsync", workspace / "trace", lambda: signal_all(locals_, signal.SIGCONT))
        # Nobody is left who could tell the next one what became of the recipient.
        locals_ = processes_of(one.programs)["local"]
        signal_all(locals_, signal.SIGSTOP)
        [second] = wait_until(lambda: [pid for pid in processes_of(one.programs)["qmgr"] if pid != first],
                              "another queue manager")
        wait_until(lambda: far.messages, "it delivers what it found", 20)
        os.kill(second, signal.SIGKILL)
        signal_all(locals_, signal.SIGKILL)
        one.wait_for_empty_queue(60)
        assert far.recipients() == ["you@far.test"]


@contextlib.contextmanager
def stopped_at(one, call, trace, act):
    """qmgr goes no further than to this call, the next time that it makes it, after what act() begins."""
    pid = pid_of(one, "qmgr")
    injection = Injection(one.programs, "qmgr", call, "signal=STOP", "1+", trace)
    try:
        act()
        wait_until(lambda: "stopped by SIGSTOP" in trace.read_text(), f"qmgr stops at {call}", 30)
        yield
        os.kill(pid, signal.SIGKILL)
    finally:
        injection.end()


@pytest.mark.own_machine
def test_forwarded_once_although_the_original_is_held(people, workspace):    # noqa: F811
    """The message that a recipient became is on disk, and that it became one is not. Before the next queue
    manager comes, somebody puts the original on hold."""
    with sinks.Sink() as far:
        one = people.start("list: you@far.test\n", relayhost=f"[127.0.0.1]:{far.port}")
        one.tolerate(r"qmgr|queue manager|killed by signal 9|has died|ended|local")
        locals_ = running(one.programs, "local")
        signal_all(locals_, signal.SIGSTOP)
        queue_id = one.send("list@here.test")
        [master] = running(one.programs, "master")
        os.kill(master, signal.SIGSTOP)
        with stopped_at(one, "fsync", workspace / "trace", lambda: signal_all(locals_, signal.SIGCONT)):
            pass
        signal_all([*processes_of(one.programs)["local"], master], signal.SIGKILL)
        wait_until(lambda: not any(processes_of(one.programs).values()), "all have left")
        held = one.run("postsuper", "-h", queue_id)
        assert "Placed on hold: 1 message" in held.stdout + held.stderr
        one.start()
        wait_until(lambda: far.messages, "what the recipient became is delivered", 30)
        released = one.run("postsuper", "-H", queue_id)
        assert "Released from hold: 1 message" in released.stdout + released.stderr
        one.wait_for_empty_queue(60)
        assert far.recipients() == ["you@far.test"]


@pytest.mark.own_machine
@pytest.mark.parametrize("is_gone", [False, True])
def test_forwarded_once_although_two_are_killed(people, workspace, is_gone):    # noqa: F811
    """The message that a recipient became is on disk when the first queue manager is killed; the second has
    delivered it when that one is killed, too. local, which has heard of neither, asks the third: the recipient
    is settled, or its message (is_gone: somebody deletes it) is no more."""
    with sinks.Sink() as far:
        one = people.start("list: you@far.test\n", relayhost=f"[127.0.0.1]:{far.port}")
        one.tolerate(r"qmgr|queue manager|killed by signal 9|has died|ended")
        locals_ = running(one.programs, "local")
        signal_all(locals_, signal.SIGSTOP)
        queue_id = one.send("list@here.test")
        first = pid_of(one, "qmgr")
        with stopped_at(one, "fsync", workspace / "trace", lambda: signal_all(locals_, signal.SIGCONT)):
            signal_all(locals_, signal.SIGSTOP)
        wait_until(lambda: far.messages, "the next one delivers what it found", 60)
        one.wait_for_log(rf"qmgr\[\d+\]: (?!{queue_id})\w+: removed", 60)
        [second] = [pid for pid in processes_of(one.programs)["qmgr"] if pid != first]
        if is_gone:
            one.run("postsuper", "-d", queue_id)
        os.kill(second, signal.SIGKILL)
        wait_until(lambda: processes_of(one.programs)["qmgr"] not in ([], [second]), "a third queue manager")
        signal_all(locals_, signal.SIGCONT)
        one.send("last@far.test")
        wait_until(lambda: "last@far.test" in far.recipients(), "what came later")
        one.wait_for_empty_queue(60)
        assert sorted(far.recipients()) == ["last@far.test", "you@far.test"]


@pytest.mark.own_machine
@pytest.mark.parametrize("call", ["renameat,renameat2,rename", "fsync", "fdatasync"])
def test_a_command_beside_addresses_runs_once(people, workspace, call):    # noqa: F811
    """An alias has its command run and then makes a message for its addresses. When the queue manager
    dies under the latter, the former is not done again: local goes on with the next one."""
    with sinks.Sink() as far:
        out = people.base / "runs"
        one = people.start(f'list: "|echo run >> {out}", you@far.test\n', relayhost=f"[127.0.0.1]:{far.port}",
                           default_privs="alice")
        people.base.chmod(0o777)
        locals_ = running(one.programs, "local")
        signal_all(locals_, signal.SIGSTOP)
        one.send("list@here.test")
        kill_at(one, call, workspace / "trace", lambda: signal_all(locals_, signal.SIGCONT))
        one.wait_for_empty_queue(60)
        assert far.recipients() == ["you@far.test"]
        assert out.read_text() == "run\n"


def say(connection, text):
    connection.sendall(text)
    answer = b""
    while not re.search(rb"^\d\d\d [^\n]*\n\Z", answer, re.MULTILINE):
        more = connection.recv(4096)
        assert more, "closed"
        answer += more
    return answer.decode()


@pytest.mark.parametrize("change", ["kill", "reload"])
@pytest.mark.parametrize("moment", ["recipient", "content", "flush"])
def test_a_client_hears_nothing_of_another_queue_manager(make_instance, workspace, change, moment):
    """Whatever becomes of the queue manager between a client's RCPT and the end of its message: the
    message is taken, under the id that it had, and delivered once."""
    if (change, moment) == ("reload", "flush"):
        pytest.skip("one that leaves answers first")
    one = make_instance("here", users=["you@here.test"]).start()
    one.tolerate(r"qmgr|killed by signal 9")
    first = pid_of(one, "qmgr")

    def replace():
        if change == "reload":
            one.reload()
        else:
            os.kill(first, signal.SIGKILL)
        wait_until(lambda: processes_of(one.programs)["qmgr"] not in ([], [first]), "another queue manager")
    lines = "A line of the body.\r\n" * 20000
    with socket.create_connection((one.address, one.port), 60) as connection:
        say(connection, b"")
        for command in ("EHLO client.example", "MAIL FROM:<me@client.example>", "RCPT TO:<you@here.test>"):
            assert say(connection, f"{command}\r\n".encode()).startswith("250"), command
        if moment == "recipient":
            replace()
        assert say(connection, b"DATA\r\n").startswith("354")
        connection.sendall(f"Subject: x\r\n\r\n{lines}".encode())
        if moment == "content":
            replace()
        if moment == "flush":
            kill_at(one, "fsync", workspace / "trace", lambda: connection.sendall(b"the end\r\n.\r\n"))
            answer = say(connection, b"")
        else:
            answer = say(connection, b"the end\r\n.\r\n")
        assert answer.startswith("250 2.0.0 Ok: queued as "), answer
    queue_id = answer.split()[-1]
    one.wait_for_mail("you@here.test")
    one.wait_for_empty_queue()
    [path] = one.messages("you@here.test")
    text = path.read_text()
    assert text.endswith(lines.replace("\r", "") + "the end\n") and queue_id in text
    one.wait_for_log(rf"smtpd\[\d+\]: {queue_id}: client=")


@pytest.mark.skipif(os.geteuid() != 0, reason="not our processes")
def test_a_channel_closes_while_a_message_is_committed(make_instance):
    """Both processes live on. The client waits until it is known what became of its message."""
    one = make_instance("here", users=["you@here.test"]).start()
    one.send("you@here.test")
    one.wait_for_mail("you@here.test")
    with socket.create_connection((one.address, one.port), 60) as connection:
        say(connection, b"")
        for command in ("EHLO client.example", "MAIL FROM:<me@client.example>", "RCPT TO:<you@here.test>"):
            assert say(connection, f"{command}\r\n".encode()).startswith("250"), command
        assert say(connection, b"DATA\r\n").startswith("354")
        with delayed(pid_of(one, "qmgr"), "fsync", 4):
            connection.sendall(b"Subject: x\r\n\r\nthe end\r\n.\r\n")
            wait_until(lambda: list((one.queue_directory / "new").iterdir()), "it is being committed")
            assert cut_channels(one.programs, "smtpd", "qmgr") > 0
            answer = say(connection, b"")
    assert answer.startswith("250 2.0.0 Ok: queued as "), answer
    one.wait_for_empty_queue()
    assert len(one.messages("you@here.test")) == 2


def test_held_after_a_delivery_that_nobody_heard_of(make_instance, workspace):
    """An agent dies with its result; the message was held meanwhile. After its release it is looked for."""
    one = make_instance("here", settings={"minimal_backoff_time": "1s", "maximal_backoff_time": "1s"}).start()
    one.tolerate(r"killed by signal 9")
    mailbox = one.maildir("you@here.test")
    mailbox.touch()     # no directory
    queue_id = one.send("you@here.test")
    one.wait_for_log("status=deferred")
    virtual = running(one.programs, "virtual")
    signal_all(virtual, signal.SIGSTOP)
    mailbox.unlink()
    attempts = one.log().count("queue active")
    wait_until(lambda: one.log().count("queue active") > attempts, "it is under way again")
    one.run("postsuper", "-h", queue_id, check=True)
    injection = Injection(one.programs, "virtual", "sendmsg", "signal=KILL", "1+", workspace / "trace")
    signal_all(virtual, signal.SIGCONT)
    wait_until(lambda: (one.queue_directory / "hold" / queue_id).exists(), "it is held", 60)
    injection.end()
    [path] = one.messages("you@here.test")     # and is read
    path.rename(path.parent.parent / "cur" / f"{path.name}:2,S")
    one.run("postsuper", "-H", queue_id, check=True)
    one.wait_for_empty_queue(60)
    assert len(one.messages("you@here.test")) == 1


@pytest.mark.skipif(clock.why_not() is not None, reason="no clock here")
def test_the_clock_goes_back_before_a_queue_manager_dies(make_instance, programs, workspace):
    """What the one before put off and delivered later is not taken for what the next one put off."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="clock-", dir=workspace))
    place.chmod(0o755)
    dial = clock.Clock(programs, place)
    one = make_instance("here", settings={
        "daemon_directory": dial.daemons, "minimal_backoff_time": "1s", "maximal_backoff_time": "1s"}).start()
    one.tolerate(r"killed by signal 9|the clock was set")
    mailbox = one.maildir("you@here.test")
    mailbox.touch()     # no directory
    one.send("you@here.test")
    one.wait_for_log("status=deferred")
    virtual = running(one.programs, "virtual")
    signal_all(virtual, signal.SIGSTOP)
    mailbox.unlink()
    attempts = one.log().count("queue active")
    wait_until(lambda: one.log().count("queue active") > attempts, "it is under way again")
    qmgr = pid_of(one, "qmgr")
    os.kill(qmgr, signal.SIGSTOP)
    signal_all(virtual, signal.SIGCONT)
    one.wait_for_mail("you@here.test")
    [path] = one.messages("you@here.test")     # and is read
    path.rename(path.parent.parent / "cur" / f"{path.name}:2,S")
    dial.set(-3600)
    signal_all([qmgr, *virtual], signal.SIGKILL)
    one.wait_for_empty_queue(60)
    assert len(one.messages("you@here.test")) == 1


@pytest.mark.parametrize("moment", ["recipients", "content"])
def test_many_recipients_and_another_queue_manager(make_instance, moment):
    """More of them than one message between processes holds: those of before are not forgotten."""
    users = [f"{'a-rather-long-name-' * 2}{number}@here.test" for number in range(900)]
    one = make_instance("here", users=users, settings={"smtpd_error_sleep_time": "0"}).start()
    one.tolerate(r"qmgr|killed by signal 9")
    [first] = processes_of(one.programs)["qmgr"]
    with one.client() as client:
        client.ehlo()
        assert client.mail("me@client.example")[0] == 250
        for number, user in enumerate(users):
            assert client.rcpt(user)[0] == 250
            if (moment, number) == ("recipients", 800):
                os.kill(first, signal.SIGKILL)
        if moment == "content":
            os.kill(first, signal.SIGKILL)
        wait_until(lambda: processes_of(one.programs)["qmgr"] not in ([], [first]), "another queue manager")
        assert client.data(b"Subject: x\r\n\r\none\r\n")[0] == 250
    wait_until(lambda: len(set(re.findall(r"to=<(\S+)>, .*status=sent", one.log()))) == len(users), "all have it")
    one.wait_for_empty_queue()
    assert [len(one.messages(user)) for user in users] == [1] * len(users)


@pytest.mark.own_machine
def test_a_client_is_slower_than_the_next_queue_manager(make_instance, workspace):
    """Killed when the message is in the queue and nobody has been told. The next one has delivered it and
    removed it before the client's server comes back with its question."""
    with sinks.Sink() as far:
        one = make_instance("here", users=[], settings={"relayhost": f"[127.0.0.1]:{far.port}"}).start()
        one.tolerate(r"qmgr|queue manager|killed by signal 9|has died|ended")
        with socket.create_connection((one.address, one.port), 60) as connection:
            say(connection, b"")
            for command in ("EHLO client.example", "MAIL FROM:<me@client.example>", "RCPT TO:<you@far.test>"):
                assert say(connection, f"{command}\r\n".encode()).startswith("250"), command
            assert say(connection, b"DATA\r\n").startswith("354")
            servers = running(one.programs, "smtpd")
            with stopped_at(one, "fsync", workspace / "trace",
                            lambda: connection.sendall(b"Subject: x\r\n\r\none\r\n.\r\n")):
                signal_all(servers, signal.SIGSTOP)
            one.wait_for_log(r"qmgr\[\d+\]: \w+: removed", 60)
            signal_all(servers, signal.SIGCONT)
            answer = say(connection, b"")
        assert answer.startswith("250 2.0.0 Ok: queued as "), answer
        one.wait_for_log(rf"qmgr\[\d+\]: {answer.split()[-1]}: removed")
        one.send("last@far.test")
        wait_until(lambda: "last@far.test" in far.recipients(), "what came later")
        one.wait_for_empty_queue()
        assert far.recipients() == ["you@far.test", "last@far.test"]
