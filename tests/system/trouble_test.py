"""Trouble that is nobody's fault, under load: reloads, helpers that hang, clocks that jump. Whatever
happens, a client is told 250 or 4xx, and what got a 250 arrives whole and once."""

import os
import pathlib
import signal
import tempfile
import time

import pytest

from harness.clock import Clock, why_not as why_no_clock
from harness.instance import free_port, wait_until
from harness.load import Load, Mailboxes, wait_until_settled
from harness.processes import running
from harness.users import SystemUsers

SETTINGS = {"minimal_backoff_time": "1s", "maximal_backoff_time": "2s",
            "service_throttle_time": "2s", "notify_classes": ""}
SETTLE_DEADLINE_S = 60
HANG_S = 3
DAY_S = 24 * 3600


class Scene:
    """An instance under load, and the account of it."""

    def __init__(self, instance, load, mailboxes):
        self.instance, self.load, self.mailboxes = instance, load, mailboxes

    def wait_for_acknowledgements(self, count, deadline_s=60):
        wait_until(lambda: self.load.count(phase=self.load.phase) >= count,
                   f"{count} messages are accepted in phase {self.load.phase}", deadline_s)

    def settle(self):
        """Ends the load and accounts for all of it. Returns the number of temporary refusals."""
        self.load.phase = "afterwards"
        self.wait_for_acknowledgements(20)
        self.load.pause()
        state = wait_until_settled(self.load, self.mailboxes, SETTLE_DEADLINE_S)
        assert not state.missing
        assert not state.damaged
        assert not state.bounced
        assert not state.doubled_local
        forever = {reply: count for reply, count in self.load.replies.items() if reply[0] == "5"}
        assert not forever
        self.instance.wait_for_empty_queue()
        return sum(self.load.replies.values())


@pytest.fixture
def make_scene(make_instance):
    """make_scene(rate, users=SystemUsers or None, **settings): a loaded instance."""
    loads = []

    def make(rate, users=None, **settings):
        relay_port = free_port()
        load = Load("127.0.0.1", free_port(), relay_port)
        loads.append(load)
        load.system_users = users.addresses if users else []
        instance = make_instance("here", users=load.users, port=load.port, settings={
            **SETTINGS, **(users.settings if users else {}), "relayhost": f"[127.0.0.1]:{relay_port}",
            **settings}).start()
        load.rate = rate
        load.phase = "start"
        load.start(sessions=8)
        one = Scene(instance, load, Mailboxes(users.maildir_of(instance) if users else instance.maildir,
                                              load.users + load.system_users))
        one.wait_for_acknowledgements(20)
        return one

    yield make
    for load in loads:
        load.stop()


def make_place(workspace):
    place = pathlib.Path(tempfile.mkdtemp(dir=workspace))
    place.chmod(0o755)
    return place


@pytest.fixture
def system_users(workspace):
    users = SystemUsers(make_place(workspace))
    yield users
    users.close()


def test_a_reload_every_second(make_scene):
    scene = make_scene(200)
    scene.load.phase = "reloads"
    for _ in range(8):
        scene.instance.reload()
        time.sleep(1)
    count = scene.load.count(phase="reloads")
    assert count >= 20
    assert scene.settle() <= count // 20


def send_signal(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


DAEMONS = ("smtpd", "addrd", "dnsd", "logd", "qmgr", "bounce", "smtp", "virtual", "local")


@pytest.mark.own_machine
@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_daemon_that_hangs_for_a_while(make_scene, system_users, daemon):
    """Nobody reads its channels: they fill, and its peers must neither block nor lose anything."""
    scene = make_scene(200, system_users)
    pids = running(scene.instance.programs, daemon)
    scene.load.phase = daemon
    send_signal(pids, signal.SIGSTOP)
    try:
        time.sleep(HANG_S)
    finally:
        send_signal(pids, signal.SIGCONT)
    scene.settle()


@pytest.mark.own_machine
@pytest.mark.parametrize("daemon", DAEMONS)
def test_a_daemon_that_hangs_for_good(make_scene, system_users, daemon):
    """The watchdog takes it for dead, and another one takes its place."""
    scene = make_scene(60, system_users, watchdog_timeout="2s")
    scene.instance.tolerate("killed|watchdog")
    hung = running(scene.instance.programs, daemon)
    scene.load.phase = daemon
    send_signal(hung, signal.SIGSTOP)
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}/exe") for pid in hung), f"{daemon} is ended", 30)
    scene.settle()


@pytest.mark.skipif(why_no_clock() is not None, reason=str(why_no_clock()))
@pytest.mark.parametrize("jumps", [(10 * DAY_S, 0), (-10 * DAY_S, 0), (3600, -3600, 0), (3650 * DAY_S, 0),
                                   (-1000000000, 5, 0)],
                         ids=["days-on", "days-back", "an-hour", "ten-years", "long-ago"])
def test_a_clock_that_jumps(make_scene, programs, workspace, jumps):
    """Deferred mail comes back and nothing is too old, wherever the clock has been meanwhile."""
    clock = Clock(programs, make_place(workspace))
    scene = make_scene(60, daemon_directory=clock.daemons)
    for jump in jumps:
        scene.load.phase = f"{jump} s"
        clock.set(jump)
        scene.wait_for_acknowledgements(60)
    scene.settle()
