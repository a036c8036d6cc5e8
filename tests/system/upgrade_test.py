"""posthouse upgrade: other program files take over, and nobody's session or mail is lost."""

import re
import shutil
import subprocess
import threading

from harness.instance import small_message, wait_until
from master_test import processes


def generations(one):
    return {int(number) for number in re.findall(r"generation (\d+) serving",
                                                 one.run("posthouse", "-v", "status").stdout)}


def master_pid(one):
    return int((one.queue_directory / "pid/master.pid").read_text())


def other_release(one, is_foreign):
    """The instance's programs in another place, as an installed package is replaced; a foreign one
    declares its messages otherwise."""
    place = one.directory / "release"
    shutil.copytree(one.programs.daemons, place)
    shutil.copy(one.programs.command("posthouse"), place)
    if is_foreign:
        for path in place.iterdir():
            content = path.read_bytes()
            assert content.count(b"pong711serialU32") == 1, path
            path.write_bytes(content.replace(b"pong711serialU32", b"pong711SERIALU32"))
    one.settings["daemon_directory"] = place
    one.write_configuration()
    return lambda word: subprocess.run([place / "posthouse", "-c", one.etc, word], timeout=60,
                                       capture_output=True, text=True, check=False)


def test_session_outlives_an_upgrade(make_instance):
    one = make_instance("here").start()
    pid, before = master_pid(one), {pid for pids in processes(one).values() for pid in pids}
    with one.client() as client:
        client.ehlo()
        client.mail("sender@client.example")
        other_release(one, is_foreign=False)
        done = one.run("posthouse", "upgrade")
        assert done.returncode == 0, done.stderr
        one.wait_for_log(r"posthouse/master\[\d+\]: upgrade -- version \S+, configuration /")
        assert client.rcpt("you@here.test")[0] == 250
        assert client.data(small_message())[0] == 250
        one.send("you@here.test")
    one.wait_for_mail("you@here.test", 2)
    assert master_pid(one) == pid
    wait_until(lambda: generations(one) == {2}, "the old ones are gone")
    assert not before & {pid for pids in processes(one).values() for pid in pids}
    one.reload()
    wait_until(lambda: generations(one) == {3}, "there is one generation")
    one.stop()


def test_session_outlives_an_upgrade_to_other_messages(make_instance):
    """Old and new processes cannot talk: what the session wants of the queue is put off, no more."""
    one = make_instance("here").start()
    with one.client() as client:
        client.ehlo()
        command = other_release(one, is_foreign=True)
        done = command("upgrade")
        assert done.returncode == 0, done.stderr
        assert client.noop()[0] == 250
        assert client.mail("sender@client.example")[0] == 451   # nor is there an id to be had
        one.send("you@here.test")
    one.wait_for_mail("you@here.test")
    assert command("stop").returncode == 0


def test_upgrades_under_load(make_instance):
    # Of what clients are refused meanwhile the postmaster need not hear: nobody takes that mail here.
    one = make_instance("here", settings={"notify_classes": ""}).start()
    sent, refused, is_over = [], [], threading.Event()

    def send():
        while not is_over.is_set():
            try:
                sent.append(one.send("you@here.test"))
            except AssertionError as error:
                refused.append(str(error))

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    for _ in range(5):
        done = one.run("posthouse", "upgrade")
        assert done.returncode == 0, done.stderr
    is_over.set()
    for sender in senders:
        sender.join()
    one.wait_for_empty_queue()
    one.wait_for_mail("you@here.test", len(sent))
    assert len(one.messages("you@here.test")) == len(sent) == len(set(sent))
    assert not [text for text in refused if not re.search(r"\b4\d\d\b", text)]


def test_what_does_not_run_is_not_become(make_instance):
    one = make_instance("here").start()
    before = processes(one)
    other_release(one, is_foreign=False)
    (one.directory / "release/master").write_text("#!/bin/sh\nexit 1\n")
    one.tolerate("upgrade given up")
    done = one.run("posthouse", "upgrade")
    assert done.returncode == 1
    assert processes(one) == before
    one.send("you@here.test")
    one.wait_for_mail("you@here.test")
