"""The posthouse command and master with all real daemons: each of them dies, hangs, is replaced."""

import os
import re
import signal
import smtplib

import pytest

from harness.instance import small_message, wait_until

DAEMONS = ("logd", "qmgr", "addrd", "dnsd", "smtpd", "smtp", "virtual", "bounce", "limitd")


def processes(instance, state="serving"):
    """{program: [pid]} as posthouse -v status lists them."""
    found = {}
    for program, pid, now in re.findall(r"^\S+ +(\S+) +pid (\d+) +generation \d+ (\w+)$",
                                        instance.run("posthouse", "-v", "status").stdout, re.MULTILINE):
        if now == state:
            found.setdefault(program, []).append(int(pid))
    return found


def wait_until_whole(instance, without=()):
    """All daemons serve, and none of them is one of the processes named."""
    whole = getattr(instance, "process_count", 0)

    def is_whole():
        now = [pid for pids in processes(instance).values() for pid in pids]
        return len(now) >= whole and not set(now) & set(without)
    wait_until(is_whole, f"all daemons of {instance.name} serve")


@pytest.fixture
def whole(here):
    here.process_count = sum(map(len, processes(here).values()))
    return here


def test_status_and_phrases(make_instance):
    one = make_instance("here")
    assert one.run("posthouse", "status").returncode == 1
    assert "is not running" in one.run("posthouse", "stop").stderr
    one.start()
    status = one.run("posthouse", "status")
    assert status.returncode == 0
    pid = re.search(r"the Posthouse mail system is running: PID: (\d+)", status.stderr).group(1)
    assert (one.queue_directory / "pid/master.pid").read_text().strip() == pid
    again = one.run("posthouse", "start")
    assert again.returncode == 1 and "already running" in again.stderr
    assert one.run("posthouse", "flush").returncode == 0
    one.wait_for_log(r"posthouse/master\[\d+\]: daemon started -- version \S+, configuration /")
    one.stop()
    assert re.search(r"posthouse/master\[\d+\]: terminating on signal 15", one.log())


@pytest.mark.parametrize("program", DAEMONS)
def test_mail_goes_on_after_a_kill(whole, program):
    whole.tolerate(r"killed by signal 9")
    whole.send("you@here.test")
    killed = processes(whole)[program]
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    wait_until_whole(whole, killed)
    whole.send("you@here.test")
    whole.wait_for_mail("you@here.test", 2)
    whole.wait_for_empty_queue()


def test_hung_daemon_is_replaced(make_instance):
    one = make_instance("here", settings={"watchdog_timeout": "2s"}).start()
    one.process_count = sum(map(len, processes(one).values()))
    hung = processes(one)["addrd"]
    for pid in hung:
        os.kill(pid, signal.SIGSTOP)
    wait_until_whole(one, hung)
    one.send("you@here.test")
    one.wait_for_mail("you@here.test")


def test_session_outlives_a_reload(whole):
    before = {pid for pids in processes(whole).values() for pid in pids}
    with whole.client() as client:
        client.ehlo()
        client.mail("sender@client.example")
        whole.reload()
        # It goes on where it was, with the new qmgr, while others are served by the new processes.
        assert client.rcpt("you@here.test")[0] == 250
        assert client.data(small_message())[0] == 250
        whole.send("you@here.test")
        assert client.noop()[0] == 250
        assert len(processes(whole, "draining")) == 1
    whole.wait_for_mail("you@here.test", 2)

    def all_are_new():
        now = {pid for pids in processes(whole).values() for pid in pids}
        return len(now) == whole.process_count and not before & now
    wait_until(all_are_new, "the old ones are gone")


def test_nothing_is_refused_during_reloads(whole):
    sent = 0
    for _ in range(5):
        whole.reload()
        for _ in range(5):
            try:
                whole.send("you@here.test", small_message(subject=f"number {sent}"))
                sent += 1
            except (AssertionError, smtplib.SMTPResponseException) as error:
                assert re.search(r"\b4\d\d\b", str(error)), error
    assert sent >= 20
    whole.wait_for_mail("you@here.test", sent)
    whole.wait_for_empty_queue()


def test_bad_configuration_changes_nothing(whole):
    before = processes(whole)
    whole.set(smtpd_timeout="soon")
    done = whole.run("posthouse", "reload")
    assert done.returncode == 1 and "smtpd_timeout" in done.stderr
    assert processes(whole) == before
    whole.send("you@here.test")
    whole.wait_for_mail("you@here.test")
    whole.set(smtpd_timeout=None)
    whole.tolerate("reload given up")


def test_two_instances_side_by_side(make_instance):
    one, two = make_instance("here").start(), make_instance("there").start()
    one.stop()
    assert two.is_running()
    two.send("you@there.test")
    two.wait_for_mail("you@there.test")


def test_reloads_faster_than_sessions_end(make_instance):
    """The oldest sessions make room, and are told so."""
    one = make_instance("here").start()
    clients = []
    for _ in range(10):
        clients.append(one.client())
        clients[-1].ehlo()
        one.reload()
    code, text = clients[0].getreply()
    assert code == 421 and text.startswith(b"4.3.2"), (code, text)
    assert clients[-1].noop()[0] == 250
    for client in clients:
        client.close()
