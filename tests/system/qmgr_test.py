"""What becomes of mail when something is full, missing or gone."""

import contextlib
import socket
import time

import pytest

from harness import sink as sinks
from harness.instance import small_message, wait_until


def test_due_mail_waits_for_room(make_instance):
    """An active set that is full of mail for a silent site, and deferred mail that comes due."""
    with sinks.Sink(delay_s=3600) as silent, sinks.Sink() as other:
        other.script["RCPT"] = "450 4.2.0 later"
        one = make_instance("here", settings={
            "transport_maps": f"inline:{{ {{ silent.test=smtp:[127.0.0.1]:{silent.port} }}, "
                              f"{{ other.test=smtp:[127.0.0.1]:{other.port} }} }}",
            "qmgr_message_active_limit": "4",
            "minimal_backoff_time": "1s", "maximal_backoff_time": "2s"}).start()
        one.send("you@other.test")
        one.wait_for_log("status=deferred")
        for i in range(5):
            one.send(f"user{i}@silent.test")
        time.sleep(3)   # the deferred message comes due meanwhile
        assert len(one.queue()) == 6
        one.send("you@other.test")
        assert len(one.queue()) == 7


def test_an_active_set_of_one(make_instance):
    with sinks.Sink({"RCPT": "450 4.2.0 later"}) as busy:
        one = make_instance("here", settings={
            "relayhost": f"[127.0.0.1]:{busy.port}", "qmgr_message_active_limit": "1",
            "minimal_backoff_time": "1s", "maximal_backoff_time": "2s"}).start()
        one.send("you@there.test")
        wait_until(lambda: one.log().count("status=deferred") > 1, "deferred mail is tried again")


@pytest.mark.parametrize("limit", [1, 2, 3, 6])
def test_new_mail_has_a_place_in_a_small_active_set(make_instance, limit):
    """Deferred mail for sites that accept connections and say nothing is flushed. New mail does not wait
    until they are over; where there is one place alone, it has the next turn."""
    with contextlib.ExitStack() as stack:
        sites = [stack.enter_context(socket.socket()) for _ in range(8)]
        for site in sites:
            site.bind(("127.0.0.1", 0))     # and refuses as yet
        ways = ", ".join(f"{{ site{number}.test=smtp:[127.0.0.1]:{site.getsockname()[1]} }}"
                         for number, site in enumerate(sites))
        one = make_instance("here", users=["you@here.test"], settings={
            "transport_maps": f"inline:{{ {ways} }}", "qmgr_message_active_limit": str(limit),
            "qmgr_clog_warn_time": "0"}).start()
        for number in range(len(sites)):
            one.send(f"out@site{number}.test")
        wait_until(lambda: len(list(one.queue_directory.glob("deferred/*/*"))) == len(sites), "all are put off")
        for site in sites:
            site.listen()
            site.settimeout(0)
        one.flush()
        peers = []

        def accept():
            for site in sites:
                with contextlib.suppress(BlockingIOError):
                    peers.append(stack.enter_context(site.accept()[0]))
            return peers
        wait_until(lambda: len(accept()) >= max(1, limit - limit // 4 - 1), "the deferred have their places")
        one.send("you@here.test")
        if limit == 1:
            peers[0].sendall(b"421 4.3.0 not now\r\n")
        one.wait_for_mail("you@here.test")


def test_a_transport_that_nobody_serves(make_instance):
    """Mail for it waits for an agent for a while; then it is put off with a reason."""
    one = make_instance("here", settings={"transport_maps": "inline:{ nowhere.test=nobody: }"}).start()
    one.send("you@nowhere.test")
    one.wait_for_log("status=deferred .*mail transport unavailable", 45)
    assert "mail transport unavailable" in next(iter(one.queue().values()))


def test_flush_of_one_message_and_of_one_site(make_instance, recording_sink):
    recording_sink.script["RCPT"] = "450 4.2.0 later"
    one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{recording_sink.port}"}).start()
    first = one.send("you@first.test")
    second = one.send("you@second.test")
    third = one.send(["other@third.test", "you@second.test"])
    wait_until(lambda: one.log().count("status=deferred") >= 4, "all are deferred")
    wait_until(lambda: not any(f"{queue_id}*" in one.run("postqueue", "-p").stdout
                               for queue_id in (first, second, third)), "none is active")
    recording_sink.script["RCPT"] = "250 2.1.5 Ok"

    assert one.run("postqueue", "-i", first).returncode == 0
    wait_until(lambda: first not in one.queue(), "the first is gone")
    assert recording_sink.recipients() == ["you@first.test"]
    assert set(one.queue()) == {second, third}

    assert one.run("postqueue", "-i", first).returncode == 69
    assert one.run("postqueue", "-i", "nonsense").returncode == 69

    assert one.run("postqueue", "-s", "SECOND.test").returncode == 0
    one.wait_for_empty_queue()
    assert one.run("postqueue", "-s", "elsewhere.test").returncode == 0


@pytest.mark.parametrize("how", ["all", "site"])
def test_a_flush_asks_a_dead_site_once(make_instance, how):
    """Not with each of the messages that wait for it, and puts off each of them once, although they come to
    lie where others are yet to be read; those that are asked for one by one are tried."""
    with sinks.Sink({"CONNECT": "421 4.3.2 away"}) as dead:
        one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{dead.port}",
                                              "minimal_backoff_time": "1h"}).start()
        ids = [one.send(f"user{i}@dead.test") for i in range(30)]

        def wait_until_put_off(count):
            wait_until(lambda: one.log().count("status=deferred") == count, "all were looked at")
            wait_until(lambda: "*" not in one.run("postqueue", "-p").stdout, "none is active")
        wait_until_put_off(30)
        before = dead.connections
        one.run("postqueue", *(["-f"] if how == "all" else ["-s", "dead.test"]), check=True)
        wait_until_put_off(60)
        assert before < dead.connections <= before + 5
        for count, queue_id in enumerate(ids[:3], 61):
            before = dead.connections
            one.run("postqueue", "-i", queue_id, check=True)
            wait_until_put_off(count)
            assert dead.connections == before + 1


def test_flush_of_a_site_leaves_others_alone(make_instance, recording_sink):
    recording_sink.script["RCPT"] = "450 4.2.0 later"
    one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{recording_sink.port}"}).start()
    for i in range(20):
        one.send(f"user{i}@first.test")
        one.send(f"user{i}@second.test")
    wait_until(lambda: one.log().count("status=deferred") >= 40, "all are deferred")
    recording_sink.script["RCPT"] = "250 2.1.5 Ok"
    assert one.run("postqueue", "-s", "first.test").returncode == 0
    wait_until(lambda: len(one.queue()) == 20, "the site's mail has gone")
    assert all(recipient.endswith("@first.test") for recipient in recording_sink.recipients())


def test_a_damaged_message_is_set_aside(make_instance, recording_sink):
    """Refused by its next hop, and then no report can return what is not what was sent."""
    recording_sink.script["RCPT"] = ["450 4.2.0 later", "550 5.1.1 no"]
    one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{recording_sink.port}"}).start()
    one.tolerate("damaged|digest|corrupt")
    queue_id = one.send("you@there.test", sender="you@here.test")
    wait_until(lambda: f"{queue_id}*" not in one.run("postqueue", "-p").stdout and
               "status=deferred" in one.log(), "it is deferred")
    file = next(one.queue_directory.glob(f"deferred/*/{queue_id}"))
    content = bytearray(file.read_bytes())
    at = content.index(b"One line.")
    content[at:at + 3] = b"Two"
    file.write_bytes(content)
    one.run("postqueue", "-i", queue_id, check=True)
    wait_until(lambda: (one.queue_directory / "corrupt" / queue_id).exists(), "it is set aside")
    one.wait_for_empty_queue()


def test_many_recipients_of_long_names_in_one_message(make_instance, recording_sink):
    """More than fits one delivery; and their report more than fits one request for a report."""
    one = make_instance("here", settings={
        "relayhost": f"[127.0.0.1]:{recording_sink.port}", "smtp_destination_recipient_limit": "1000",
        "default_destination_recipient_limit": "1000"}).start()
    recipients = [f"{'a' * 50}{i}@{'long-name.' * 15}test" for i in range(900)]
    one.send(recipients, small_message())
    one.wait_for_empty_queue()
    assert sorted(recording_sink.recipients()) == sorted(recipients)
    recording_sink.script["RCPT"] = "550 5.1.1 nobody of that name lives in this house " + "x" * 200
    one.send(recipients, small_message(), sender="you@here.test")
    reports = one.wait_for_mail("you@here.test", 2)
    one.wait_for_empty_queue()
    reports = one.wait_for_mail("you@here.test")
    named = sum(len([part for part in report.walk() if "Final-Recipient" in part]) for report in reports)
    assert named == 900


def test_retries_keep_their_distance(make_instance, recording_sink):
    """A least wait that is longer than the longest is still a wait."""
    recording_sink.script["RCPT"] = "450 4.2.0 later"
    one = make_instance("here", settings={
        "relayhost": f"[127.0.0.1]:{recording_sink.port}",
        "minimal_backoff_time": "600s", "maximal_backoff_time": "1s"}).start()
    one.send("you@there.test")
    one.wait_for_log("status=deferred")
    one.stop()
    one.start()
    one.send("you@here.test")
    one.wait_for_mail("you@here.test")
    time.sleep(1)
    assert one.log().count("status=deferred") == 1
