"""More mail than qmgr keeps in memory: what it reads again later costs no more than other mail."""

import fcntl
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile

import pytest

from harness import clock
from harness.instance import small_message, wait_until
from harness.processes import processes_of, running, traced

COUNT = 60


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
def test_what_was_never_tried_is_not_looked_for(make_instance, tmp_path):
    """A delivery that may have been made before has to look through the whole mailbox. Of mail that only
    waited for room nobody needs to think so."""
    one = make_instance("here", settings={"qmgr_message_recipient_limit": "5"}).start()
    one.send("you@here.test")
    one.wait_for_log(r"status=sent")
    pid = running(one.programs, "virtual")[0]
    trace = tmp_path / "trace"
    with traced(pid, "getdents64,renameat2,linkat", trace):
        os.kill(pid, signal.SIGSTOP)
        for _ in range(COUNT):
            one.send("you@here.test")
        os.kill(pid, signal.SIGCONT)
        one.wait_for_empty_queue(60)
    assert processes_of(one.programs)["virtual"] == [pid]
    calls = trace.read_text()
    assert len(one.messages("you@here.test")) == COUNT + 1
    # The trace saw the deliveries: each file gets its name in new/ by one or the other.
    assert calls.count("renameat2(") + calls.count("linkat(") >= COUNT
    assert calls.count("getdents64(") == 0


def test_what_was_tried_by_a_qmgr_before_is_looked_for(make_instance):
    """Killed between a delivery and its result: the mail is there once."""
    one = make_instance("here", settings={"qmgr_message_recipient_limit": "5"}).start()
    one.tolerate(r"qmgr.* killed by signal 9|451 4\.3\.0")
    one.send("you@here.test")
    one.wait_for_log(r"status=sent")
    qmgr = running(one.programs, "qmgr")[0]
    virtual = running(one.programs, "virtual")[0]
    os.kill(virtual, signal.SIGSTOP)
    for _ in range(COUNT):
        one.send("you@here.test")
    os.kill(qmgr, signal.SIGSTOP)
    os.kill(virtual, signal.SIGCONT)    # delivers what it has, and nobody hears of it
    one.wait_for_mail("you@here.test", 2)
    os.kill(qmgr, signal.SIGKILL)
    one.wait_for_empty_queue(60)
    assert len(one.messages("you@here.test")) == COUNT + 1


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a capability is taken from the whole suite")
def test_more_messages_than_descriptors(make_instance):
    """What waits for its first delivery may not take the descriptors that the next message comes in with."""
    descriptors, count = 600, 900
    one = make_instance("here", settings={"smtpd_error_sleep_time": "0"})
    drops = ["setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"]
    subprocess.run(["prlimit", f"--nofile={descriptors}", *drops, *one.argv("posthouse", "start")], check=True)
    one.wait_until_listening()
    qmgr, virtual = (running(one.programs, name)[0] for name in ("qmgr", "virtual"))
    limits = pathlib.Path(f"/proc/{qmgr}/limits").read_text()
    assert re.search(rf"^Max open files +{descriptors} +{descriptors} ", limits, re.MULTILINE), limits
    os.kill(virtual, signal.SIGSTOP)
    with one.client() as client:
        for _ in range(count):
            assert client.sendmail("sender@client.example", ["you@here.test"],
                                   small_message("sender@client.example", ["you@here.test"])) == {}
    assert len(os.listdir(f"/proc/{qmgr}/fd")) < descriptors
    os.kill(virtual, signal.SIGCONT)
    one.wait_for_empty_queue(60)
    assert len(one.messages("you@here.test")) == count
    assert "Too many open files" not in one.log()


@pytest.mark.skipif(not shutil.which("strace") or clock.why_not() is not None, reason="no strace or no clock here")
def test_what_was_flushed_in_vain_is_left_alone(make_instance, programs, workspace, tmp_path):
    """Its next hop is away still, so it waits for its time again. Until then nobody looks at it."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="clock-", dir=workspace))
    place.chmod(0o755)
    dial = clock.Clock(programs, place)
    one = make_instance("here", settings={
        "daemon_directory": dial.daemons, "relayhost": "[127.0.0.1]:9", "minimal_backoff_time": "1h"}).start()
    ids = {one.send("you@far.test") for _ in range(20)}
    wait_until(lambda: one.log().count("status=deferred") == 20, "all were tried")
    one.run("postqueue", "-f", check=True)
    wait_until(lambda: one.log().count("status=deferred") == 40, "and once more")
    wait_until(lambda: "*" not in one.run("postqueue", "-p").stdout, "none is active")
    trace = tmp_path / "trace"
    pid = running(one.programs, "qmgr")[0]
    with traced(pid, "openat", trace):
        dial.set(50)    # not yet a jump
        for _ in range(2):     # what the first one wakes is over when the second one is
            latest = one.send("me@far.test")
            wait_until(lambda: re.search(rf"{latest}.*O_(WRONLY|RDWR)", trace.read_text()), "it was put off")
    assert not [queue_id for queue_id in ids if queue_id in trace.read_text()]


@pytest.mark.skipif(clock.why_not() is not None, reason="no clock here")
@pytest.mark.parametrize("flush", ["-f", "-s far.test", "-i ID"])
def test_flushed_after_the_clock_was_set_back(make_instance, programs, workspace, flush):
    """The last attempt seems to be still to come, and was not made for this flush nevertheless."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="clock-", dir=workspace))
    place.chmod(0o755)
    dial = clock.Clock(programs, place)
    one = make_instance("here", settings={
        "daemon_directory": dial.daemons, "relayhost": "[127.0.0.1]:9", "minimal_backoff_time": "1h"}).start()
    queue_id = one.send("you@far.test")
    wait_until(lambda: list(one.queue_directory.glob(f"deferred/*/{queue_id}")), "it waits")
    dial.set(-600)      # not so far that what is to come would be taken for a mistake
    one.run("postqueue", *flush.replace("ID", queue_id).split(), check=True)
    wait_until(lambda: one.log().count("status=deferred") == 2, "it was tried again")


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
@pytest.mark.parametrize("steps", [["-h", "-H"], ["-r"], ["-e"]])
def test_messages_that_are_altered_in_turn_are_not_sought_everywhere(make_instance, tmp_path, steps):
    """They lie where the one before them lay, as a rule, and not in each of the other buckets."""
    one = make_instance("here", settings={"relayhost": "[127.0.0.1]:9", "minimal_backoff_time": "1h"}).start()
    ids = [one.send("you@far.test") for _ in range(COUNT)]
    wait_until(lambda: one.log().count("status=deferred") == COUNT, "all were tried")
    wait_until(lambda: "*" not in one.run("postqueue", "-p").stdout, "none is active")
    assert len(list((one.queue_directory / "deferred").iterdir())) > 8
    trace = tmp_path / "trace"
    pid = running(one.programs, "qmgr")[0]
    with traced(pid, "newfstatat", trace):
        for step in steps:
            one.run("postsuper", step, "ALL", check=True)
    looks = sum(queue_id in line for line in trace.read_text().splitlines() for queue_id in ids)
    assert 0 < looks < 5 * len(steps) * COUNT, looks


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
def test_what_is_flushed_while_an_agent_still_has_it(make_instance, tmp_path):
    """The attempt is made later, and although the next hop is left alone."""
    one = make_instance("here", settings={"relayhost": "[127.0.0.1]:9", "minimal_backoff_time": "1h"}).start()
    queue_id = one.send("you@far.test")
    place = wait_until(lambda: list(one.queue_directory.glob(f"deferred/*/{queue_id}")), "it waits")[0]
    trace = tmp_path / "trace"
    with open(place, "rb") as file, traced(running(one.programs, "qmgr")[0], "flock", trace):
        fcntl.flock(file, fcntl.LOCK_SH)
        one.run("postqueue", "-i", queue_id, check=True)
        wait_until(lambda: "EAGAIN" in trace.read_text(), "it is locked")
    one.wait_for_log(rf"smtp\[\d+\]: {queue_id}: (?s:.*)smtp\[\d+\]: {queue_id}: ")


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
def test_what_is_flushed_when_it_is_known_that_an_agent_still_has_it(make_instance, recording_sink, tmp_path):
    """It was found to be locked when it was due: the flush that comes then is not forgotten either."""
    one = make_instance("here", settings={
        "relayhost": f"[127.0.0.1]:{recording_sink.port}", "defer_transports": "smtp",
        "minimal_backoff_time": "2s", "maximal_backoff_time": "2s"}).start()
    trace = tmp_path / "trace"
    with traced(running(one.programs, "qmgr")[0], "flock", trace):
        queue_id = one.send("you@far.test")
        place = wait_until(lambda: list(one.queue_directory.glob(f"deferred/*/{queue_id}")), "it waits")[0]
        with open(place, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            wait_until(lambda: "EAGAIN" in trace.read_text(), "it is locked")
            one.flush()
    one.wait_for_empty_queue()
    assert recording_sink.recipients() == ["you@far.test"]


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
def test_what_is_not_due_yet_is_not_read_again_and_again(make_instance, tmp_path):
    """Many are due one after the other within half a minute, and lie in one directory."""
    count = 400
    one = make_instance("here", settings={
        "relayhost": "[127.0.0.1]:9", "minimal_backoff_time": "20s", "maximal_backoff_time": "20s"}).start()
    with one.client() as client:
        client.ehlo()
        for _ in range(count):
            client.mail("sender@client.example")
            client.rcpt("you@far.test")
            client.data(small_message())
    wait_until(lambda: one.log().count("status=deferred") >= count, "all were tried")
    trace = tmp_path / "trace"
    with traced(running(one.programs, "qmgr")[0], "openat", trace):
        wait_until(lambda: one.log().count("status=deferred") >= 2 * count, "and once more", 90)
    looks = len(re.findall(r"/[0-9A-Za-z]{20,}\", O_RDONLY", trace.read_text()))
    assert count / 2 < looks < 15 * count, looks
