"""What the queue holds is there after a stop, and goes out after a start."""

import fcntl
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import tempfile

import pytest

from harness import sink
from harness.instance import small_message, wait_until
from harness.intruder import channel_between, delivered
from harness.processes import Injection
from rootless_test import processes_of


def test_deferred_mail_survives_a_restart(make_instance, recording_sink):
    recording_sink.script["RCPT"] = "450 4.2.0 later"
    one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{recording_sink.port}"}).start()
    queue_ids = {one.send(f"user{i}@there.test") for i in range(10)}
    wait_until(lambda: one.log().count("status=deferred") >= 10, "all are deferred")
    one.stop()
    one.start()
    assert set(one.queue()) == queue_ids
    recording_sink.script["RCPT"] = "250 2.1.5 Ok"
    one.flush()
    one.wait_for_empty_queue()
    assert len(recording_sink.messages) == 10


def test_a_flush_before_the_queue_is_read(make_instance, recording_sink):
    """A queue manager that waits for the one before it keeps the wish until it can be granted."""
    recording_sink.script["RCPT"] = "450 4.2.0 later"
    one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{recording_sink.port}"}).start()
    one.send("you@there.test")
    one.wait_for_log("status=deferred")
    one.stop()
    recording_sink.script["RCPT"] = "250 2.1.5 Ok"
    with open(one.queue_directory / "lock", "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        one.start()
        one.wait_for_log("waiting for another queue manager")
        one.flush()
    one.wait_for_empty_queue()
    assert recording_sink.recipients() == ["you@there.test"]


def test_new_mail_survives_a_kill_of_everything(make_instance, recording_sink):
    recording_sink.script["CONNECT"] = "421 4.3.0 later"
    one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{recording_sink.port}"}).start()
    one.tolerate("")
    queue_ids = {one.send(f"user{i}@there.test") for i in range(10)}
    for pid in sorted(processes_of(one).values()):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    wait_until(lambda: not processes_of(one), "all are gone")
    one.start()
    assert set(one.queue()) == queue_ids
    del recording_sink.script["CONNECT"]
    one.flush()
    one.wait_for_empty_queue()
    assert sorted(recording_sink.recipients()) == sorted(f"user{i}@there.test" for i in range(10))


def test_qmgr_is_restarted(make_instance):
    one = make_instance("here").start()
    one.tolerate("qmgr")
    before = processes_of(one)["qmgr"]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: processes_of(one).get("qmgr", before) != before, "a new qmgr runs")

    def accepts():
        try:
            one.send("you@here.test", small_message())
            return True
        except AssertionError:
            return False

    wait_until(accepts, "mail is accepted again", interval_s=0.5)
    one.wait_for_mail("you@here.test")
    one.wait_for_empty_queue()


def test_a_queue_file_that_somebody_removed(make_instance):
    with sink.Sink({"RCPT": "450 4.2.0 later"}, delay_s=0.5) as slow:
        one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{slow.port}"}).start()
        queue_id = one.send("you@there.test")
        (one.queue_directory / "new" / queue_id).unlink()
        one.wait_for_log(f"{queue_id}: .*removed by somebody else")
        one.wait_for_empty_queue()


def test_a_new_qmgr_leaves_other_deliveries_alone(make_instance):
    """Two deliveries of one message are under way when qmgr dies; the first result that is repeated
    to the new one must not begin the other a second time."""
    with sink.Sink(delay_s=0.3) as quick, sink.Sink(delay_s=1) as slow:
        one = make_instance("here", settings={
            "transport_maps": f"inline:{{ {{ quick.test=smtp:[127.0.0.1]:{quick.port} }}, "
                              f"{{ slow.test=smtp:[127.0.0.1]:{slow.port} }} }}"}).start()
        one.tolerate("qmgr")
        one.send(["you@quick.test", "you@slow.test"])
        wait_until(lambda: quick.connections and slow.connections, "both are under way")
        os.kill(processes_of(one)["qmgr"], signal.SIGKILL)
        wait_until(lambda: slow.messages, "the slow one has it")
        one.wait_for_empty_queue()
        assert quick.recipients() == ["you@quick.test"]
        assert slow.recipients() == ["you@slow.test"]


def test_an_agent_speaks_for_nobody_elses_recipients(make_instance):
    """It knows the ids of messages of which it had a recipient, and calls the others delivered: while
    one of them is under way with another agent, and when the message lies on disk."""
    with socket.create_server(("127.0.0.1", 0)) as slow:
        one = make_instance("here", services="other unix - - n - - smtp\n", settings={
            "transport_maps": f"inline:{{ {{ slow.test=other:[127.0.0.1]:{slow.getsockname()[1]} }} }}"}).start()
        queue_id = one.send(["you@here.test", "me@slow.test"])
        one.wait_for_mail("you@here.test")
        slow.settimeout(30)
        peer, _ = slow.accept()
        with channel_between(processes_of(one)["virtual"], processes_of(one)["qmgr"]) as channel:
            channel.send(delivered(queue_id, 0) + delivered(queue_id, 1))
            peer.sendall(b"421 4.3.0 not now\r\n")
            peer.close()
            wait_until(lambda: list(one.queue_directory.glob(f"deferred/*/{queue_id}")), "the other has put it off")
            wait_until(lambda: f"{queue_id}*" not in one.run("postqueue", "-p").stdout, "it is out of memory")
            channel.send(delivered(queue_id, 1))
            wait_until(lambda: one.log().count("status=deferred") == 2, "it was looked at once more")
            assert "me@slow.test" in one.queue()[queue_id]


def test_an_agent_speaks_for_nobody_elses_recipients_after_a_restart(make_instance):
    """It calls a recipient delivered that the last queue manager put off. No agent has that message any
    more, so there is no delivery of it whose result the next one could have missed."""
    with socket.create_server(("127.0.0.1", 0)) as slow:
        slow.settimeout(30)
        one = make_instance("here", settings={
            "transport_maps": f"inline:{{ {{ slow.test=smtp:[127.0.0.1]:{slow.getsockname()[1]} }} }}",
            "minimal_backoff_time": "1h"}).start()
        one.tolerate("killed by signal 9")

        def put_off(count):
            peer, _ = slow.accept()
            peer.sendall(b"421 4.3.0 not now\r\n")
            peer.close()
            wait_until(lambda: one.log().count("status=deferred") == count, "it was put off")
        queue_id = one.send(["you@here.test", "me@slow.test"])
        one.wait_for_mail("you@here.test")
        put_off(1)
        wait_until(lambda: list(one.queue_directory.glob(f"deferred/*/{queue_id}")), "it waits")
        first = processes_of(one)["qmgr"]
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: processes_of(one).get("qmgr", first) != first, "another queue manager")
        one.send("you@here.test")
        one.wait_for_mail("you@here.test", 2)
        with channel_between(processes_of(one)["virtual"], processes_of(one)["qmgr"]) as channel:
            channel.send(delivered(queue_id, 1))
            put_off(2)
            assert "me@slow.test" in one.queue()[queue_id]


def test_a_new_qmgr_gives_no_more_than_agents_have_room_for(make_instance, workspace):
    """What they still have from the one before takes its place until it is done: nothing runs twice."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="runs-", dir=workspace))
    place.chmod(0o777)
    script = place / "run.sh"
    script.write_text(f'#!/bin/sh\necho "$1" >>{place}/begun\n'
                      f'until test "$1" = user0@here.test -o -e {place}/go; do sleep 0.1; done\ncat >/dev/null\n')
    script.chmod(0o755)
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    users = [f"user{i}@here.test" for i in range(50)]
    one = make_instance("here", users=users, services=(
        f"slow unix - n n - 20 pipe\n  user={user} argv={script} ${{recipient}}\n"), settings={
        "virtual_transport": "slow", "slow_initial_destination_concurrency": "20"}).start()
    one.tolerate("qmgr.* killed by signal 9")

    def begun():
        return (place / "begun").read_text().split() if (place / "begun").exists() else []

    one.send(users[0])     # a site that has taken mail gets all the places
    one.wait_for_empty_queue()
    for name in users[1:]:
        one.send(name)
    wait_until(lambda: len(begun()) == 21, "as many as there is room for")
    before = processes_of(one)["qmgr"]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: processes_of(one).get("qmgr", before) != before, "a new qmgr runs")
    one.wait_for_log(r"qmgr\[\d+\]: .*queue active(?s:.*)"
                     r"qmgr\[(?!%d)\d+\]: .*queue active" % before)
    (place / "go").touch()
    one.wait_for_empty_queue(60)
    assert sorted(begun()) == sorted(users)


def test_a_new_qmgr_finds_the_sessions_of_smtp_in_use(make_instance):
    with socket.create_server(("", 0)) as silent:
        port = silent.getsockname()[1]
        ways = " ".join(f"{{ away{i}.test=thin:[127.0.0.{i + 2}]:{port} }}," for i in range(8))
        one = make_instance("here", services="thin unix - - y - 1 smtp\n", settings={
            "transport_maps": f"inline:{{ {ways} }}", "smtp_client_limit": "3", "smtp_helo_timeout": "1h"}).start()
        one.tolerate("qmgr.* killed by signal 9")
        for i in range(8):
            one.send(f"you@away{i}.test")
        sessions = [silent.accept()[0] for _ in range(3)]
        before = processes_of(one)["qmgr"]
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: len(re.findall(rf"qmgr\[(?!{before})\d+\]: .*queue active", one.log())) >= 5,
                   "a new qmgr has the others")
        one.send("you@here.test")
        one.wait_for_mail("you@here.test")
        silent.settimeout(0)
        with pytest.raises(BlockingIOError):
            sessions.append(silent.accept()[0])
        for session in sessions:
            session.close()
        silent.settimeout(30)
        silent.accept()[0].close()


def test_a_result_for_a_file_that_cannot_be_read_at_once(make_instance):
    """A new qmgr hears of a delivery, and cannot read the message just then: it tries again."""
    with sink.Sink(delay_s=1) as slow:
        one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{slow.port}"}).start()
        one.tolerate("qmgr.* killed by signal 9")
        queue_id = one.send("you@there.test")
        wait_until(lambda: slow.connections, "it is under way")
        os.kill(processes_of(one)["qmgr"], signal.SIGKILL)
        file = one.queue_directory / "new" / queue_id
        file.chmod(0)
        wait_until(lambda: slow.messages, "the sink has it")
        one.wait_for_log(rf"{queue_id}: .*status=sent(?s:.*){queue_id}: cannot read the queue file")
        file.chmod(0o600)
        one.wait_for_empty_queue()
        assert slow.recipients() == ["you@there.test"]


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
def test_a_directory_that_cannot_be_read_at_once(make_instance, programs, tmp_path):
    """What was accepted without room in memory is found, although new/ could not be listed at first."""
    with sink.Sink(delay_s=1) as slow:
        one = make_instance("here", settings={
            "relayhost": f"[127.0.0.1]:{slow.port}", "qmgr_message_active_limit": "1"}).start()
        one.send("first@there.test")
        wait_until(lambda: slow.connections, "one is under way")
        one.send("second@there.test")
        trace = tmp_path / "trace"
        trouble = Injection(programs, "qmgr", "getdents64", "error=EIO", "1+1", trace)
        wait_until(lambda: "(INJECTED)" in trace.read_text(), "new/ could not be listed", 60)
        trouble.end()
        one.wait_for_empty_queue()
        assert slow.recipients() == ["first@there.test", "second@there.test"]


@pytest.mark.skipif(os.geteuid() != 0, reason="daemons have no users of their own")
def test_deferred_mail_that_cannot_be_listed_at_once(make_instance, recording_sink):
    one = make_instance("here", settings={"relayhost": "[127.0.0.1]:9"}).start()
    queue_id = one.send("you@there.test")
    wait_until(lambda: list(one.queue_directory.glob(f"deferred/*/{queue_id}")), "it waits")
    one.stop()
    one.set(relayhost=f"[127.0.0.1]:{recording_sink.port}")
    deferred = one.queue_directory / "deferred"
    deferred.chmod(0)
    one.start()
    one.wait_for_log("cannot list the deferred queue: Permission denied; trying again")
    deferred.chmod(0o700)
    wait_until(lambda: one.run("postqueue", "-f").returncode == 0 and recording_sink.messages, "it is found",
               interval_s=0.2)


def test_a_queue_that_somebody_has_been_in(make_instance, recording_sink):
    """What is damaged, or no file, is put out of the way with a word; the rest goes out."""
    def replace(make):
        def change(path):
            facts = path.stat()
            path.unlink()
            make(path)
            os.chown(path, facts.st_uid, facts.st_gid, follow_symlinks=False)
        return change

    changes = {
        "pipe": (replace(os.mkfifo), r"not a regular file; removed|moved to corrupt"),
        "link": (replace(lambda path: path.symlink_to("/etc/passwd")), r"not a regular file; removed|moved to corrupt"),
        "directory": (replace(pathlib.Path.mkdir), r"\(malformed preamble\); moved to corrupt"),
        "empty": (lambda path: path.write_bytes(b""), r"\(no preamble\); moved to corrupt"),
        "cut": (lambda path: os.truncate(path, path.stat().st_size - 300), r"damaged \([a-z ]+\); moved to corrupt"),
        "zeros": (lambda path: path.write_bytes(bytes(512) + path.read_bytes()[512:]), r"\(no preamble\); moved to corrupt"),
        "huge": (lambda path: os.truncate(path, 1 << 40), None),
        "whole": (lambda path: None, None),
    }
    recording_sink.script["RCPT"] = "450 4.2.0 later"
    one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{recording_sink.port}"}).start()
    one.tolerate("queue file is damaged")
    queue_ids = {name: one.send(f"{name}@there.test") for name in changes}
    wait_until(lambda: one.log().count("status=deferred") >= len(changes), "all are deferred")
    one.stop()
    for name, (change, _) in changes.items():
        [path] = one.queue_directory.glob(f"deferred/*/{queue_ids[name]}")
        change(path)
    one.run("postqueue", "-p")  # waits for none of them
    recording_sink.script["RCPT"] = "250 2.1.5 Ok"
    one.start()
    one.flush()
    for name, (_, words) in changes.items():
        if words:
            one.wait_for_log(rf"qmgr\[\d+\]: (error|warning): {queue_ids[name]}: .*({words})$")
    one.wait_for_empty_queue()
    assert sorted(recording_sink.recipients()) == ["huge@there.test", "whole@there.test"]
    assert not [path for path in one.queue_directory.glob("deferred/*/*")]
