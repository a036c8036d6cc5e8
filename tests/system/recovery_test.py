"""What the queue holds is there after a stop, and goes out after a start."""

import fcntl
import os
import signal

from harness import sink
from harness.instance import small_message, wait_until
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
