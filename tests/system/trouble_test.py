"""Trouble that is nobody's fault, under load: reloads, helpers that hang, clocks that jump. Whatever
happens, a client is told 250 or 4xx, and what got a 250 arrives whole and once."""

import time

import pytest

from harness.instance import free_port, wait_until
from harness.load import Load, Mailboxes, wait_until_settled

SETTINGS = {"minimal_backoff_time": "1s", "maximal_backoff_time": "2s", "queue_run_delay": "1s",
            "service_throttle_time": "2s"}
SETTLE_DEADLINE_S = 60


class Scene:
    """An instance under load, and the account of it."""

    def __init__(self, instance, load):
        self.instance, self.load = instance, load
        self.mailboxes = Mailboxes(instance.maildir, load.users)

    def wait_for_acknowledgements(self, count, deadline_s=30):
        wait_until(lambda: self.load.count(phase=self.load.phase) >= count,
                   f"{count} messages are accepted in phase {self.load.phase}", deadline_s)

    def settle(self):
        """Ends the load and accounts for all of it. Returns the temporary refusals."""
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
def scene(make_instance):
    relay_port = free_port()
    load = Load("127.0.0.1", free_port(), relay_port)
    instance = make_instance("here", users=load.users, port=load.port,
                             settings={**SETTINGS, "relayhost": f"[127.0.0.1]:{relay_port}"}).start()
    load.rate = 200
    load.phase = "start"
    load.start(sessions=8)
    one = Scene(instance, load)
    one.wait_for_acknowledgements(20)
    yield one
    load.stop()


def test_a_reload_every_second(scene):
    scene.load.phase = "reloads"
    for _ in range(8):
        scene.instance.reload()
        time.sleep(1)
    count = scene.load.count(phase="reloads")
    assert count >= 20
    refused = scene.settle()
    print(count, refused, scene.load.replies)
    assert refused <= count // 20
