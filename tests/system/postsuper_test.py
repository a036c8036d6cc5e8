"""postsuper: forced expiry, wishes that outlive the queue manager, many messages, and a broken queue."""

import os
import re
import signal
import socket

import pytest

from harness import sink as sinks
from harness.instance import wait_until
from harness.processes import running


def away(make_instance, **settings):
    return make_instance("here", users=["you@here.test"],
                         settings={"relayhost": "[127.0.0.1]:1", "myorigin": "here.test", **settings})


def places(one, queue_id):
    return [str(path.relative_to(one.queue_directory).parts[0])
            for path in one.queue_directory.rglob(queue_id)]


def wait_for_place(one, queue_id, place):
    wait_until(lambda: places(one, queue_id) == [place], f"{queue_id} in {place}, not {places(one, queue_id)}")


def test_expire(make_instance):
    one = away(make_instance)
    one.start()
    queue_id = one.send("out@away.test", sender="you@here.test")
    wait_for_place(one, queue_id, "deferred")
    done = one.run("postsuper", "-e", queue_id, check=True)
    assert done.stderr.endswith(f"postsuper: {queue_id}: expired\npostsuper: Force-expired: 1 message\n"), done
    wait_until(lambda: re.match(rf"{queue_id}# ", one.queue()[queue_id]), "its mark")
    assert '"forced_expire": true' in one.run("postqueue", "-j", check=True).stdout
    assert one.run("postsuper", "-e", queue_id, check=True).stderr == "postsuper: Force-expired: 0 messages\n"
    os.kill(running(one.programs, "qmgr")[0], signal.SIGKILL)
    one.tolerate("killed by signal 9")
    wait_until(lambda: one.run("postqueue", "-i", queue_id).returncode == 0, "the next one answers")
    one.wait_for_log(rf"{queue_id}: from=<you@here.test>, status=force-expired, returned to sender$")
    one.wait_for_mail("you@here.test")
    one.wait_for_empty_queue()


def test_expire_what_is_held(make_instance):
    one = away(make_instance)
    one.start()
    first, second = (one.send("out@away.test", sender="you@here.test") for _ in range(2))
    for queue_id in (first, second):
        wait_for_place(one, queue_id, "deferred")
    one.run("postsuper", "-h", "ALL", check=True)
    one.run("postsuper", "-e", first, check=True)
    assert re.match(rf"{first}!# ", one.queue()[first])     # what is held is seen to be
    one.flush()
    assert places(one, first) == ["hold"]
    one.run("postsuper", "-f", "-", stdin=f"{first}\n{second}\n", check=True)
    one.wait_for_mail("you@here.test", 2)
    one.wait_for_empty_queue()


def test_expire_while_the_system_is_down(make_instance):
    one = away(make_instance)
    one.start()
    queue_id = one.send("out@away.test", sender="you@here.test")
    wait_for_place(one, queue_id, "deferred")
    one.stop()
    one.run("postsuper", "-f", "ALL", check=True)
    one.start()
    one.flush()
    one.wait_for_mail("you@here.test")


def test_a_hold_outlives_the_queue_manager(make_instance):
    """The message is at an agent when it is to be held, and qmgr dies before the agent is done."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = away(make_instance, relayhost=f"[127.0.0.1]:{server.getsockname()[1]}")
        one.start()
        held = one.send("first@slow.test")
        peer, _ = server.accept()
        one.run("postsuper", "-h", held, check=True)
        assert places(one, held) == ["new"]
        os.kill(running(one.programs, "qmgr")[0], signal.SIGKILL)
        one.tolerate("killed by signal 9")
        peer.sendall(b"421 4.3.0 not now\r\n")
        peer.close()
        wait_for_place(one, held, "hold")
        one.run("postsuper", "-H", held, check=True)
        server.settimeout(30)
        peer, _ = server.accept()
        peer.sendall(b"421 4.3.0 not now\r\n")
        peer.close()
        wait_for_place(one, held, "deferred")


def test_what_is_held_while_its_route_is_asked_for_can_be_released(make_instance):
    """addrd does not answer: the question outlives the message's stay in memory, and is in nobody's way."""
    one = away(make_instance)
    one.start()
    queue_id = one.send("out@away.test", sender="you@here.test")
    wait_for_place(one, queue_id, "deferred")
    addresses = running(one.programs, "addrd")
    for pid in addresses:
        os.kill(pid, signal.SIGSTOP)
    try:
        one.run("postqueue", "-i", queue_id, check=True)
        wait_until(lambda: f"{queue_id}*" in one.run("postqueue", "-p").stdout, "it is to be tried")
        one.run("postsuper", "-h", queue_id, check=True)
        wait_for_place(one, queue_id, "hold")
        done = one.run("postsuper", "-H", queue_id, check=True)
        assert done.stderr.endswith("postsuper: Released from hold: 1 message\n"), done
        done = one.run("postsuper", "-d", queue_id, check=True)
        assert done.stderr.endswith("postsuper: Deleted: 1 message\n"), done
    finally:
        for pid in addresses:
            os.kill(pid, signal.SIGCONT)
    one.wait_for_empty_queue()


def wait_for_growth(file, size):
    wait_until(lambda: file.stat().st_size > size, "the wish is written")


@pytest.mark.parametrize("option", ["-H", "-r"])
def test_a_release_outlives_the_queue_manager(make_instance, option):
    """It was held and released while it is at an agent. The queue file says so before the agent is done, or
    the next queue manager, which finds that it was to be held, would hold it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        one = away(make_instance, relayhost=f"[127.0.0.1]:{server.getsockname()[1]}")
        one.start()
        queue_id = one.send("out@slow.test")
        peer, _ = server.accept()
        file = one.queue_directory / "new" / queue_id
        for wish in ("-h", option):
            size = file.stat().st_size
            one.run("postsuper", wish, queue_id, check=True)
            wait_for_growth(file, size)
        os.kill(running(one.programs, "qmgr")[0], signal.SIGKILL)
        one.tolerate("killed by signal 9")
        peer.sendall(b"421 4.3.0 not now\r\n")
        peer.close()
        wait_for_place(one, queue_id, "deferred")


def test_a_release_is_not_forgotten(make_instance):
    """It is at an agent when it is held, released and requeued: the attempt after that is still to come."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        one = away(make_instance, relayhost=f"[127.0.0.1]:{server.getsockname()[1]}")
        one.start()
        queue_id = one.send("out@slow.test")
        peer, _ = server.accept()
        for option in ("-h", "-H", "-r"):
            one.run("postsuper", option, queue_id, check=True)
        peer.sendall(b"421 4.3.0 not now\r\n")
        peer.close()
        peer, _ = server.accept()
        peer.close()


@pytest.mark.parametrize("command", ["postsuper -r ID", "postqueue -i ID", "postqueue -f", "postqueue -s away.test",
                                     "postqueue -s [127.0.0.1]:PORT"])
def test_a_wish_that_comes_while_the_sender_is_told(make_instance, command):
    """All of the message has been tried, and bounce takes its time for a report: the rest is tried again."""
    with sinks.Sink({"RCPT gone@away.test": "550 5.1.1 nobody", "RCPT": "450 4.2.0 later"}) as far:
        one = away(make_instance, relayhost=f"[127.0.0.1]:{far.port}")
        one.start()
        bounces = running(one.programs, "bounce")
        for pid in bounces:
            os.kill(pid, signal.SIGSTOP)
        try:
            queue_id = one.send(["gone@away.test", "slow@away.test"], sender="you@here.test")
            one.wait_for_log(rf"{queue_id}: to=<gone@away\.test>.*status=bounced(?s:.*)"
                             rf"{queue_id}: to=<slow@away\.test>.*status=deferred")
            far.script["RCPT"] = "250 2.1.5 Ok"
            one.run(*command.replace("ID", queue_id).replace("PORT", str(far.port)).split(), check=True)
        finally:
            for pid in bounces:
                os.kill(pid, signal.SIGCONT)
        one.wait_for_mail("you@here.test")
        wait_until(lambda: far.recipients() == ["slow@away.test"], "it was tried again")


def test_many(make_instance):
    one = away(make_instance)
    one.start()
    with one.client() as client:
        for number in range(1200):
            client.sendmail("a@away.test", "b@away.test", f"Subject: {number}\r\n\r\n")
    wait_until(lambda: len(list(one.queue_directory.glob("deferred/*/*"))) == 1200, "all are put off", 100)
    done = one.run("postsuper", "-h", "ALL", "deferred", check=True)
    assert done.stderr.endswith("Placed on hold: 1200 messages\n"), done.stderr[-200:]
    done = one.run("postsuper", "-d", "ALL", check=True)
    assert done.stderr.endswith("Deleted: 1200 messages\n"), done.stderr[-200:]
    one.wait_for_empty_queue()


def test_a_broken_queue(make_instance):
    one = away(make_instance)
    one.start()
    good, bad = one.send("out@away.test"), one.send("out@away.test")
    for queue_id in (good, bad):
        wait_for_place(one, queue_id, "deferred")
    one.stop()
    one.run("postsuper", "-p", "-s", check=True)
    assert places(one, good) == places(one, bad) == ["deferred"]
    [path] = one.queue_directory.rglob(bad)
    with open(path, "r+b") as file:
        file.seek(20)
        file.write(b"\xff" * 400)
    left = one.queue_directory / "tmp" / (good[:-1] + ("0" if good[-1] != "0" else "1"))
    left.write_text("never acknowledged")
    done = one.run("postsuper", "-p", "-S")
    assert done.returncode == 1 and f"{bad}: the file is damaged; moved to corrupt" in done.stderr, done
    assert places(one, bad) == ["corrupt"] and places(one, good) == ["deferred"] and not left.exists()
    one.run("postsuper", check=True)


def test_flush_by_next_hop(make_instance):
    one = away(make_instance, relayhost="[relay.invalid]", transport_maps="inline:{ {else.test = smtp:[127.0.0.1]:1} }")
    one.start()
    first, second = one.send("out@away.test"), one.send("out@else.test")
    for queue_id in (first, second):
        wait_for_place(one, queue_id, "deferred")

    def attempts(queue_id):
        return len(re.findall(rf"{queue_id}: to=.*status=deferred", one.log()))
    wait_until(lambda: attempts(first) and attempts(second), "both are in the log")
    for site, flushed, other in (("relay.invalid", first, second), ("[127.0.0.1]:1", second, first)):
        tried, left = attempts(flushed), attempts(other)
        one.run("postqueue", "-s", site, check=True)
        wait_until(lambda: attempts(flushed) > tried, f"flushed by {site}")
        assert attempts(other) == left
        wait_for_place(one, flushed, "deferred")
