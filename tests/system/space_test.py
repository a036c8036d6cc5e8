"""A full file system under the queue: new mail waits outside, what was accepted goes on."""

import subprocess

import pytest

from harness.instance import wait_until

pytestmark = pytest.mark.own_machine


@pytest.fixture
def small_queue(make_instance, recording_sink):
    """An instance whose queue lies on a small file system of its own."""
    one = make_instance("here", users=["sender@here.test"], settings={
        "relayhost": f"[127.0.0.1]:{recording_sink.port}", "message_size_limit": "1000000",
        "queue_reserve_size": "2000000", "minimal_backoff_time": "1s", "maximal_backoff_time": "1s"})
    one.queue_directory.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16m,mode=755", "none", one.queue_directory],
                   check=True)
    yield one
    one.stop()
    subprocess.run(["umount", one.queue_directory], check=True)


def fill(path):
    """Until not a byte more goes in."""
    with open(path, "wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                pass


def test_reports_live_off_the_reserve(small_queue, recording_sink):
    one = small_queue
    recording_sink.script["RCPT"] = "450 4.2.0 later"
    one.start()
    one.tolerate("")
    reserve = one.queue_directory / "reserve"
    wait_until(lambda: reserve.stat().st_size == 2000000, "the reserve is there")
    sent = [one.send("user@there.test", sender="sender@here.test") for _ in range(3)]
    wait_until(lambda: one.log().count("status=deferred") >= 3, "all are deferred")
    fill(one.queue_directory / "filler")
    one.wait_for_log(r"qmgr\[\d+\]: warning: the queue file system is full: the reserve of 2000000 "
                     r"bytes is given to marks and reports")
    with pytest.raises(AssertionError, match="452, b.4.3.1 Insufficient system storage"):
        one.send("user@there.test", sender="sender@here.test")
    recording_sink.script["RCPT"] = "550 5.1.1 nobody"
    reports = one.wait_for_mail("sender@here.test", count=3, deadline_s=60)
    one.wait_for_empty_queue()
    assert all("550 5.1.1 nobody" in str(report) for report in reports)
    assert len(set(sent)) == 3

    (one.queue_directory / "filler").unlink()
    one.wait_for_log(r"qmgr\[\d+\]: the reserve on the queue file system is whole again")
    one.wait_for_log(r"qmgr\[\d+\]: enough space on the queue file system again")
    assert reserve.stat().st_size == 2000000
    recording_sink.script["RCPT"] = "250 2.1.5 Ok"
    one.send("user@there.test", sender="sender@here.test")
    one.wait_for_empty_queue()
    assert len(recording_sink.messages) == 1
