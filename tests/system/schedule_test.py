"""Slow and dead destinations hold up nobody else."""

import time

from harness import sink as sinks
from harness.instance import wait_until


def test_a_hundred_dead_destinations_do_not_slow_a_live_one(make_instance, recording_sink):
    """The dead ones accept the connection and then say nothing, which costs their client the most."""
    with sinks.Sink(delay_s=3600) as silent:
        ways = " ".join([f"{{ dead{i}.test=smtp:[127.0.0.{i + 2}]:{silent.port} }}" for i in range(100)])
        one = make_instance("here", settings={
            "transport_maps": f"inline:{{ {ways}, {{ live.test=smtp:[127.0.0.1]:{recording_sink.port} }} }}",
            "smtp_helo_timeout": "60s", "smtp_connect_timeout": "60s"})
        # The silent sink listens on one address only; the others refuse or hang, as they like.
        one.start()
        for i in range(100):
            one.send([f"a@dead{i}.test"])
        started = time.monotonic()
        for i in range(20):
            one.send(f"user{i}@live.test")
        wait_until(lambda: len(recording_sink.messages) == 20, "the live destination got its mail", 10)
        assert time.monotonic() - started < 10


def test_a_slow_destination_does_not_hold_up_a_mailbox(make_instance):
    with sinks.Sink(delay_s=3600) as silent:
        one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{silent.port}"}).start()
        for i in range(60):
            one.send(f"user{i}@there.test")
        started = time.monotonic()
        one.send("you@here.test")
        one.wait_for_mail("you@here.test", deadline_s=5)
        assert time.monotonic() - started < 5


def test_a_destination_has_a_window_of_connections(make_instance):
    with sinks.Sink(delay_s=0.05) as slow:
        one = make_instance("here", settings={
            "relayhost": f"[127.0.0.1]:{slow.port}", "default_destination_concurrency_limit": "3",
            "smtp_destination_concurrency_limit": "3"}).start()
        for i in range(30):
            one.send(f"user{i}@there.test")
        one.wait_for_empty_queue()
        assert len(slow.messages) == 30
        assert slow.busy_max <= 3   # connections that wait for more mail do not count
