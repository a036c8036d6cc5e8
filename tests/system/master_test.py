"""The posthouse command and master with all real daemons: each of them dies, hangs, is replaced."""

import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import threading
import time

import pytest

from harness.instance import small_message, wait_until
from harness.intruder import Liar, channel_between, listening_sockets, socket_numbers
from harness.processes import failing

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


class Stalling:
    """A server that greets, and then has nothing to say until it is told to go."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.session, self.over = threading.Event(), threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.listener.close()

    def _serve(self):
        client, _ = self.listener.accept()
        with client:
            client.sendall(b"220 there\r\n")
            client.recv(1000)
            self.session.set()
            self.over.wait(60)


def test_delivery_outlives_a_reload_in_peace(make_instance):
    """An agent of before has helpers of after: nobody quarrels about that."""
    with Stalling() as server:
        one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{server.port}"}).start()
        one.send("friend@there.test")
        assert server.session.wait(30)
        one.reload()
        time.sleep(2.5)     # channels that are missed are made again after one second
        assert processes(one, "draining").keys() == {"smtp"}
        assert "making another" not in one.log()


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


def test_a_socket_that_is_made_to_stop_listening(whole):
    """An intruder's last act must not close the port for those after it."""
    whole.tolerate("stop listening")
    pid = processes(whole)["smtpd"][0]
    for one in listening_sockets(pid):
        one.shutdown(socket.SHUT_RD)
        one.close()
    os.kill(pid, signal.SIGKILL)
    wait_until_whole(whole, [pid])
    whole.send("you@here.test")
    whole.wait_for_mail("you@here.test")
    whole.wait_for_log(r"has made 127\.0\.0\.1:\d+ stop listening")


def test_who_lies_about_channels_gets_no_crowd_of_them(whole):
    """And master has other things to do than to listen to that."""
    def sockets():
        return {program: sum(len(socket_numbers(pid)) for pid in pids) for program, pids in processes(whole).items()}
    before = sockets()
    with Liar(processes(whole)["smtpd"][0]) as liar:
        for _ in range(40):     # eight seconds: one more each second would show
            liar.says_lost(range(1, 200))
            time.sleep(0.2)
        for _ in range(200):
            liar.says_lost(range(1000, 3000))   # about processes that never were
    whole.send("you@here.test")
    whole.wait_for_mail("you@here.test")
    grown = {program: count - before[program] for program, count in sockets().items()}
    assert all(grown[program] <= 5 for program in ("qmgr", "addrd", "limitd", "authd")), grown


def test_a_channel_that_breaks_while_one_end_is_stopped(whole):
    """Who hears of it late does not cost the two the channel that they have got meanwhile."""
    whole.tolerate("making another")
    before = processes(whole)
    client, server = before["smtpd"][0], before["limitd"][0]
    os.kill(server, signal.SIGSTOP)
    try:
        with channel_between(client, server) as channel:
            channel.shutdown(socket.SHUT_RDWR)
        whole.wait_for_log("the channel from smtpd to limitd is missing: making another")
    finally:
        os.kill(server, signal.SIGCONT)
    time.sleep(5)   # two seconds, and then four, and so on, they waited for the next
    assert whole.log().count("making another") == 1
    assert processes(whole) == before


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
def test_channels_that_cannot_be_made(make_instance):
    """While descriptors are short a new process has nobody to speak with. That is made good afterwards."""
    one = make_instance("here").start()
    one.tolerate(r"cannot make a channel|killed by signal 9|is missing: making another|451 4\.3\.0")
    master = int((one.queue_directory / "pid" / "master.pid").read_text())
    killed = processes(one)["qmgr"][0]
    with failing(master, "socketpair", "EMFILE", "2+"):     # the first is its way to master
        os.kill(killed, signal.SIGKILL)
        one.wait_for_log("cannot make a channel from smtpd to qmgr: Too many open files")
        wait_until(lambda: processes(one).get("qmgr", [killed]) != [killed], "another qmgr serves")
    one.send("you@here.test")
    one.wait_for_mail("you@here.test")


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
def test_listeners_that_cannot_be_given(make_instance):
    """A process that was started while descriptors were short serves its port all the same, soon after."""
    one = make_instance("here").start()
    one.tolerate(r"cannot give 127\.0\.0\.1:\d+ to smtpd|killed by signal 9")
    master = int((one.queue_directory / "pid" / "master.pid").read_text())
    before = set(processes(one)["smtpd"])
    others = before - {min(before)}
    with failing(master, "fcntl", "EMFILE", "6+"):     # those before are its control channel's, notes and settings
        os.kill(min(before), signal.SIGKILL)
        one.wait_for_log(r"cannot give 127\.0\.0\.1:\d+ to smtpd\[\d+\]: Too many open files")
    wait_until(lambda: len(processes(one)["smtpd"]) == len(before), "all smtpd serve")
    [pid] = set(processes(one)["smtpd"]) - before
    for other in others:
        os.kill(other, signal.SIGSTOP)
    try:
        one.send("you@here.test")
    finally:
        for other in others:
            os.kill(other, signal.SIGCONT)
    one.wait_for_mail("you@here.test")
    one.wait_for_log(rf"smtpd\[{pid}\] has its listening sockets now")
    assert len(re.findall(r"cannot give .*Too many open files: trying again", one.log())) == 1


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


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
def test_a_channel_of_master_to_logd_that_cannot_be_made(make_instance):
    """Its own lines come all the same, when descriptors are to be had again."""
    one = make_instance("here").start()
    one.tolerate(r"cannot make a channel|killed by signal 9|is missing: making another")
    master = int((one.queue_directory / "pid" / "master.pid").read_text())
    [killed] = processes(one)["logd"]
    with failing(master, "socketpair", "EMFILE", "2+"):     # the first is logd's way to master
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: processes(one).get("logd", [killed]) != [killed], "another logd serves")
    one.wait_for_log("cannot make a channel from smtpd to logd: Too many open files")


def test_a_signal_to_reload_during_a_reload(make_instance):
    """What was changed meanwhile takes effect, and who waits for the first one hears how that ended."""
    one = make_instance("here").start()
    program = [*one.argv("posthouse", "reload")]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as first:
        wait_until(lambda: processes(one, "starting") or first.poll() is not None, "a reload is under way")
        one.set(smtpd_banner="changed.test ESMTP")
        os.kill(int((one.queue_directory / "pid" / "master.pid").read_text()), signal.SIGHUP)
        answer = first.communicate(timeout=60)[1]
    assert first.returncode == 0, answer
    wait_until(lambda: len(re.findall(r"master\[\d+\]: reload -- version", one.log())) == 2, "it has been reloaded twice")
    with socket.create_connection((one.address, one.port), timeout=30) as client:
        assert client.recv(1000).startswith(b"220 changed.test ")


LOCKER = """
import fcntl, sys
with open(sys.argv[1]) as pid_file:
    fcntl.lockf(pid_file, fcntl.LOCK_SH)
    print("locked", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="is another user")
def test_nobody_keeps_us_from_starting(make_instance):
    one = make_instance("here").start()
    pid_file = one.queue_directory / "pid/master.pid"
    one.stop()
    pid_file.chmod(0o644)   # as earlier releases made it
    one.start()
    one.stop()
    for directory in pid_file.parents:  # of the tests, which are nobody else's
        if not directory.stat().st_mode & 0o001:
            directory.chmod(directory.stat().st_mode | 0o001)
    with subprocess.Popen([sys.executable, "-c", LOCKER, pid_file], user=65534, group=65534, extra_groups=[],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as locker:
        locker.stdout.readline()
        one.start()
        locker.stdin.close()
    one.send("you@here.test")
    one.wait_for_mail("you@here.test")


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
