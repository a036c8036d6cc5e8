"""More mail than qmgr keeps in memory: what it reads again later costs no more than other mail."""

import os
import pathlib
import re
import shutil
import signal
import tempfile

import pytest

from harness import clock
from harness.instance import wait_until
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
