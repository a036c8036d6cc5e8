"""postcat and postlog: what is in a queue file, and lines in the log."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys

import pytest

from harness import sink as sinks
from harness.instance import free_port, wait_until
from harness.intruder import record
from harness.processes import Injection, delayed, running


QUEUE_FLUSH = 134   # lib/ipc/schema.def
ID_OF_NONE = "4jXFSK6yLxzVJPxwWwkvdZdG5sJh"


def deferred(instance):
    """An id of a message that waits, because nobody listens where it is to go."""
    instance.set(relayhost=f"[127.0.0.1]:{free_port()}")
    instance.start()
    queue_id = instance.send(["first@away.test", "second@away.test"], b"Subject: kept\r\nX-Odd: a\r\n"
                             b"\r\n.dot\r\nlast line\r\n")
    instance.wait_for_log(rf"{queue_id}: to=<second@away.test>.*status=deferred")
    return queue_id


def test_postcat(make_instance):
    one = make_instance("here")
    queue_id = deferred(one)
    shown = one.run("postcat", "-q", queue_id, check=True).stdout
    assert re.search(rf"^\*\*\* ENVELOPE RECORDS (deferred/[0-9a-f]{{8}}|new)/{queue_id} \*\*\*$", shown,
                     re.MULTILINE), shown
    for line in ("sender: sender@client.example", "recipient: first@away.test",
                 "recipient: second@away.test", "Subject: kept", "last line",
                 "status: pending first@away.test"):
        assert f"\n{line}\n" in shown, (line, shown)
    assert "\r" not in shown
    body = one.run("postcat", "-bq", queue_id, check=True).stdout
    assert body == "\n.dot\nlast line\n"
    header = one.run("postcat", "-hq", queue_id, check=True).stdout
    assert header.startswith("Received: ") and "\nX-Odd: a\n" in header, header
    both = one.run("postcat", "-b", "-h", "-q", queue_id, check=True).stdout
    assert both == header + body
    one.stop()
    [path] = [found for found in one.queue_directory.rglob(queue_id)]
    assert one.run("postcat", "-b", path, check=True).stdout == body
    assert re.match(r" +\d+ \n +\d+ \.dot\n +\d+ last line\n$", one.run("postcat", "-bo", path).stdout)
    for source in (path.open("rb"), subprocess.Popen(["cat", path], stdout=subprocess.PIPE).stdout):
        with source:
            assert subprocess.run(one.argv("postcat", "-b"), stdin=source, capture_output=True, text=True,
                                  check=True, timeout=60).stdout == body


def test_postcat_refuses(make_instance):
    one = make_instance("here")
    one.start()
    done = one.run("postcat", stdin="no queue file\n")
    assert done.returncode == 1 and done.stdout == "" and "postcat: fatal: stdin: " in done.stderr, done
    done = one.run("postcat", "-q", ID_OF_NONE)
    assert done.returncode == 1 and "no such message" in done.stderr, done
    done = one.run("postcat", "-q", "../../etc/passwd")
    assert done.returncode == 1 and "not a queue id" in done.stderr, done
    done = one.run("postcat", one.etc / "main.cf")
    assert done.returncode == 1 and done.stdout == "" and "postcat: fatal:" in done.stderr, done


def test_postlog(make_instance):
    one = make_instance("here")
    one.run("postlog", "a", "line", check=True)
    one.run("postlog", "-p", "warn", "-t", "script/of-mine", check=True, stdin="first\nsec\x01ond\n")
    lines = one.log().splitlines()
    assert re.search(r" posthouse/postlog\[\d+\]: a line$", lines[0]), lines
    assert re.search(r" script/of-mine\[\d+\]: warning: first$", lines[1]), lines
    assert re.search(r" script/of-mine\[\d+\]: warning: sec\?ond$", lines[2]), lines
    assert one.run("postlog", "-p", "loud", "text").returncode == 64


def places(instance, queue_id):
    return [str(path.relative_to(instance.queue_directory).parts[0])
            for path in instance.queue_directory.rglob(queue_id)]


def attempts(instance, queue_id):
    return len(re.findall(rf"{queue_id}: to=<first@away.test>", instance.log()))


def wait_for_place(instance, queue_id, place):
    wait_until(lambda: places(instance, queue_id) == [place] and
               (place != "deferred" or "*" not in instance.queue()[queue_id].split("\n")[0]),
               f"{queue_id} in {place}")


def test_hold_and_release(make_instance):
    one = make_instance("here")
    queue_id = deferred(one)
    wait_for_place(one, queue_id, "deferred")
    done = one.run("postsuper", "-h", queue_id, check=True)
    assert done.stderr.endswith(f"postsuper: {queue_id}: placed on hold\n"
                                "postsuper: Placed on hold: 1 message\n"), done
    assert places(one, queue_id) == ["hold"]
    assert re.match(rf"{queue_id}! ", one.queue()[queue_id])
    one.wait_for_log(rf"posthouse/postsuper\[\d+\]: {queue_id}: placed on hold")
    tried = attempts(one, queue_id)
    one.flush()
    assert one.run("postsuper", "-h", queue_id, check=True).stderr == "postsuper: Placed on hold: 0 messages\n"
    assert attempts(one, queue_id) == tried
    done = one.run("postsuper", "-H", "ALL", check=True)
    assert done.stderr.endswith("Released from hold: 1 message\n"), done
    wait_until(lambda: attempts(one, queue_id) > tried, "an attempt after the release")
    wait_for_place(one, queue_id, "deferred")
    tried = attempts(one, queue_id)
    one.run("postsuper", "-r", queue_id, check=True)
    wait_until(lambda: attempts(one, queue_id) > tried, "an attempt after requeue")


def test_requeued_mail_takes_the_new_route(make_instance):
    one = make_instance("here", users=["you@here.test"])
    queue_id = deferred(one)
    wait_for_place(one, queue_id, "deferred")
    one.set(relayhost="", virtual_mailbox_domains="here.test, away.test",
            virtual_mailbox_maps="inline:{ {first@away.test = here.test/you/}, "
                                 "{second@away.test = here.test/you/} }")
    one.reload()
    one.run("postsuper", "-r", "ALL", check=True)
    one.wait_for_mail("you@here.test", 2)
    one.wait_for_empty_queue()


def test_delete(make_instance):
    one = make_instance("here")
    first, second = deferred(one), one.send("first@away.test")
    done = one.run("postsuper", "-d", "-", stdin=f"{first}\n", check=True)
    assert done.stderr.endswith("Deleted: 1 message\n"), done
    wait_until(lambda: places(one, first) == [], "the file is gone")
    assert places(one, second)
    one.run("postsuper", "-d", ID_OF_NONE, check=True)
    done = one.run("postsuper", "-d", "-", stdin="../new\n\n0123456789A\n", check=True)
    assert done.stderr == ("postsuper: warning: invalid mail queue id: ../new\n"
                           "postsuper: Deleted: 0 messages\n"), done
    done = one.run("postsuper", "-d", "ALL", "nonsense")
    assert done.returncode == 1 and "postsuper: fatal: invalid directory name: nonsense\n" in done.stderr, done
    one.wait_for_log(r"posthouse/postsuper\[\d+\]: fatal: invalid directory name: nonsense$")
    one.run("postsuper", "-d", "ALL", "hold", check=True)
    assert places(one, second)
    one.run("postsuper", "-d", "ALL", "deferred", "active", "incoming", check=True)
    one.wait_for_empty_queue()
    assert not re.search("returned to sender|non-delivery", one.log())


def test_an_active_message(make_instance):
    """What an agent has under way goes on; the rest is put aside when that has ended."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{port}"})
        one.start()
        held = one.send("first@slow.test")
        peer, _ = server.accept()     # and no greeting: the delivery is under way
        one.run("postsuper", "-h", held, check=True)
        assert places(one, held) == ["new"]
        peer.sendall(b"421 4.3.0 not now\r\n")
        peer.close()
        wait_until(lambda: places(one, held) == ["hold"], "held after the attempt")
        server.settimeout(0.5)
        one.run("postsuper", "-H", held, check=True)
        server.settimeout(30)
        peer, _ = server.accept()
        one.run("postsuper", "-d", held, check=True)
        wait_until(lambda: places(one, held) == [], "deleted while an agent has it")
        peer.close()
        one.wait_for_log(f"{held}: removed")
        one.wait_for_empty_queue()


def test_what_waits_for_a_busy_site(make_instance):
    """It can be held, released and deleted as any other mail, and does not keep its room in memory."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        one = make_instance("here", settings={
            "relayhost": f"[127.0.0.1]:{silent.getsockname()[1]}", "smtp_destination_concurrency_limit": "1",
            "smtp_helo_timeout": "1h", "qmgr_message_active_limit": "4"}).start()
        first = one.send("first@slow.test")
        wait_until(lambda: "*" in one.queue()[first].split("\n")[0], "one is under way")
        waiting = [one.send("next@slow.test") for _ in range(3)]
        for queue_id in waiting[:2]:
            assert "Placed on hold: 1 " in one.run("postsuper", "-h", queue_id, check=True).stderr
            wait_for_place(one, queue_id, "hold")
            assert f"{queue_id}!" in one.queue()[queue_id]
        assert "Released from hold: 1 " in one.run("postsuper", "-H", waiting[0], check=True).stderr
        wait_until(lambda: places(one, waiting[0]) != ["hold"], "it was released")
        assert "Deleted: 3 " in one.run("postsuper", "-d", "-", stdin="\n".join(waiting), check=True).stderr
        wait_until(lambda: not any(places(one, queue_id) for queue_id in waiting), "they are gone")
        one.send("you@here.test")
        one.send("you@here.test")
        one.send("you@here.test")
        one.wait_for_mail("you@here.test", 3)


def test_held_mail_whose_agent_dies(make_instance):
    """Nobody delivers it again before it is released."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        one = make_instance("here", settings={
            "relayhost": f"[127.0.0.1]:{silent.getsockname()[1]}", "smtp_helo_timeout": "1h"}).start()
        held = one.send("first@slow.test")
        peer, _ = silent.accept()     # and no greeting: the delivery is under way
        one.run("postsuper", "-h", held, check=True)
        one.tolerate(r"smtp.* killed by signal 9")
        os.kill(running(one.programs, "smtp")[0], signal.SIGKILL)
        wait_for_place(one, held, "hold")
        one.run("postsuper", "-H", held, check=True)
        silent.accept()[0].close()
        peer.close()


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
@pytest.mark.parametrize("command, effect", [
    (["postsuper", "-r"], r"to=.*status=deferred(?s:.*)smtp\[\d+\]: {0}: to=.*status=deferred"),
    (["postqueue", "-i"], r"to=.*status=deferred(?s:.*)smtp\[\d+\]: {0}: to=.*status=deferred"),
    (["postsuper", "-e"], "from=<sender@client.example>, status=force-expired, returned to sender")])
def test_a_wish_while_the_message_is_put_off(make_instance, command, effect):
    """It comes true, although the time of the next attempt is just being written."""
    one = make_instance("here", settings={"relayhost": "[127.0.0.1]:9", "minimal_backoff_time": "1h"}).start()
    with delayed(running(one.programs, "qmgr")[0], "rename,renameat,renameat2", 3):
        queue_id = one.send("you@far.test")
        one.wait_for_log(f"{queue_id}: .*status=deferred")
        one.run(*command, queue_id, check=True)
    one.wait_for_log(f"{queue_id}: {effect.format(queue_id)}")


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
def test_a_wish_while_the_message_cannot_be_put_off(make_instance, workspace):
    """It is not forgotten with the write that failed."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = make_instance("here", settings={
            "relayhost": f"[127.0.0.1]:{server.getsockname()[1]}", "minimal_backoff_time": "1h"}).start()
        server.settimeout(30)
        queue_id = one.send("you@far.test")
        peer, _ = server.accept()
        trouble = Injection(one.programs, "qmgr", "rename,renameat,renameat2",
                            "error=EIO:delay_enter=3000000", "1+", workspace / "trace")
        peer.sendall(b"421 4.3.0 not now\r\n")
        peer.close()
        one.wait_for_log(f"{queue_id}: .*status=deferred")
        one.run("postsuper", "-r", queue_id, check=True)
        one.tolerate("cannot defer the queue file: Input/output error")
        one.wait_for_log(f"(?s:{queue_id}: cannot defer the queue file.*){queue_id}: cannot defer")
        trouble.end()
        server.accept()[0].close()


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
@pytest.mark.parametrize("call", ["openat", "sendmsg"])
@pytest.mark.parametrize("option", ["-p", "-j"])
def test_a_listing_while_mail_is_taken_in(make_instance, workspace, call, option):
    """What goes from maildrop into the queue meanwhile is shown, and once."""
    one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{free_port()}"}).start()
    [pickup] = running(one.programs, "pickup")
    trace = workspace / "listing"
    os.kill(pickup, signal.SIGSTOP)
    try:
        one.sendmail("you@far.test")
        [dropped] = [path.name for path in (one.queue_directory / "maildrop").iterdir()]
        where = ["-P", one.queue_directory / "maildrop"] if call == "openat" else []
        listing = subprocess.Popen(["strace", "-q", "-o", trace, *where, "-e", f"trace={call}",
                                    "-e", f"inject={call}:delay_enter=2000000:when=1", *one.argv("postqueue", option)],
                                   stdout=subprocess.PIPE, text=True)
        wait_until(lambda: trace.exists() and call in trace.read_text(), f"{call}() has begun")
    finally:
        os.kill(pickup, signal.SIGCONT)
    one.wait_for_log(f"{dropped}: .*status=deferred")
    shown, _ = listing.communicate(timeout=60)
    trace.unlink()
    assert shown.count(dropped) == 1 and len(re.findall(r"(?<!orig_address\": \")you@far\.test", shown)) == 1, shown


def test_while_the_system_is_down(make_instance):
    one = make_instance("here")
    queue_id = deferred(one)
    one.stop()
    one.run("postsuper", "-h", "ALL", check=True)
    assert places(one, queue_id) == ["hold"]
    one.start()
    tried = attempts(one, queue_id)
    one.flush()
    one.stop()
    assert attempts(one, queue_id) == tried
    one.run("postsuper", "-H", queue_id, check=True)
    one.start()
    wait_until(lambda: attempts(one, queue_id) > tried, "an attempt after the release")
    one.stop()
    done = one.run("postsuper", "-d", "ALL", check=True)
    assert done.stderr.endswith("Deleted: 1 message\n"), done
    assert places(one, queue_id) == []


def test_only_the_superuser(make_instance):
    import os
    import subprocess
    import pytest
    if os.geteuid() != 0:
        pytest.skip("needs root")
    one = make_instance("here")
    queue_id = deferred(one)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                           one.programs.command("postsuper"), "-c", str(one.etc), "-d", queue_id],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "superuser" in done.stderr, done
    assert places(one, queue_id)


HANGING = """
import os, socket, sys, time
path = sys.argv[1] + "/public/qmgr"
held = []
for _ in range(200):
    held.append(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
    held[-1].settimeout(5)
    held[-1].connect(path)
print("all", flush=True)
time.sleep(100)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_commands_that_hang(make_instance):
    """A user who leaves commands hanging keeps neither the superuser nor others from the queue."""
    one = make_instance("here")
    one.start()
    group = (one.queue_directory / "maildrop").stat().st_gid
    with subprocess.Popen(["setpriv", "--reuid=61001", f"--regid={group}", "--clear-groups", sys.executable, "-c",
                           HANGING, one.queue_directory], stdout=subprocess.PIPE, text=True) as hanging:
        try:
            assert hanging.stdout.readline() == "all\n"
            assert one.run("postsuper", "-h", "ALL", check=True).stderr == "postsuper: Placed on hold: 0 messages\n"
            assert one.run("postqueue", "-p", check=True).stdout == "Mail queue is empty\n"
            as_other = subprocess.run(["setpriv", "--reuid=61002", f"--regid={group}", "--clear-groups",
                                       *one.argv("postqueue", "-p")], capture_output=True, text=True, check=False)
            assert as_other.stdout == "Mail queue is empty\n", as_other
        finally:
            hanging.kill()


def test_who_asks_for_an_attempt_without_end(make_instance):
    """While there is no room in the active set: what was asked for is remembered, and in bounds."""
    with sinks.Sink(delay_s=3600) as silent:
        one = make_instance("here", settings={
            "transport_maps": f"inline:{{ {{ silent.test=smtp:[127.0.0.1]:{silent.port} }} }}",
            "qmgr_message_active_limit": "1", "qmgr_clog_warn_time": "0"})
        queue_id = deferred(one)
        wait_for_place(one, queue_id, "deferred")
        one.send("you@silent.test")
        wait_until(lambda: silent.connections, "the active set is full")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as tool:
            tool.connect(str(one.queue_directory / "public" / "qmgr"))
            tool.send(tool.recv(65536))     # as the other end opens
            answers = []
            for number in range(1, 2001):
                tool.send(record(QUEUE_FLUSH, 1, [(2, queue_id.encode())], request=number))
                answers.append(b"too many others" in tool.recv(65536))
        assert not any(answers[:500]) and all(answers[1500:])
