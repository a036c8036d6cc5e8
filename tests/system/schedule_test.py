"""Slow and dead destinations hold up nobody else."""

import os
import signal
import time

import pytest

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


def relay_to(sink, **settings):
    return {"relayhost": f"[127.0.0.1]:{sink.port}", **settings}


def test_a_destination_rests_between_deliveries(make_instance, recording_sink):
    one = make_instance("here", settings=relay_to(
        recording_sink, smtp_destination_rate_delay="1h")).start()
    for i in range(3):
        one.send(f"user{i}@there.test")
    wait_until(lambda: recording_sink.messages, "the first one was delivered")
    one.wait_for_log(r"status=sent")
    assert len(one.queue()) == 2 and len(recording_sink.messages) == 1
    one.set(smtp_destination_rate_delay="1s")
    one.reload()
    one.wait_for_empty_queue()
    assert len(recording_sink.messages) == 3 and recording_sink.busy_max == 1


def test_where_one_is_delivered_at_a_time_the_destination_is_the_recipient(make_instance, recording_sink):
    """Under all its names; others need not wait for it."""
    one = make_instance("here", settings=relay_to(
        recording_sink, smtp_destination_rate_delay="1h", smtp_destination_recipient_limit="1",
        recipient_delimiter="+")).start()
    one.send(["ann+first@there.test", "bob@there.test"])
    wait_until(lambda: len(recording_sink.messages) == 2, "both were delivered")
    one.send(["Ann+second@there.test", "carol@there.test"])
    wait_until(lambda: len(recording_sink.messages) == 3, "who is new was, too")
    one.send("dan@there.test")
    one.wait_for_log(r"to=<dan@there\.test>.*status=sent")
    assert sorted(recording_sink.recipients()) == [
        "ann+first@there.test", "bob@there.test", "carol@there.test", "dan@there.test"]
    [entry] = one.queue().values()
    assert "Ann+second@there.test" in entry and "carol" not in entry


def test_a_transport_rests_between_deliveries(make_instance, recording_sink):
    one = make_instance("here", settings={
        "transport_maps": "inline:{ " + ", ".join(
            f"{{ there{i}.test=smtp:[127.0.0.1]:{recording_sink.port} }}" for i in range(3)) + " }",
        "smtp_transport_rate_delay": "1h"}).start()
    for i in range(3):
        one.send(f"user@there{i}.test")
    wait_until(lambda: recording_sink.messages, "the first one was delivered")
    one.wait_for_log(r"status=sent")
    assert len(one.queue()) == 2 and len(recording_sink.messages) == 1


def test_deferred_transports_wait_for_a_flush(make_instance, recording_sink):
    one = make_instance("here", settings=relay_to(recording_sink, defer_transports="uucp, smtp")).start()
    one.send("user@there.test")
    one.wait_for_log(r"to=<user@there\.test>, relay=none, .*dsn=4\.3\.2, status=deferred "
                     r"\(deferred transport\)")
    assert not recording_sink.messages
    one.send("you@here.test")
    one.wait_for_mail("you@here.test")
    one.flush()
    one.wait_for_empty_queue()
    assert len(recording_sink.messages) == 1


def test_a_large_list_gives_way_to_small_mail(make_instance):
    with sinks.Sink(delay_s=0.01) as slow:
        one = make_instance("here", settings=relay_to(
            slow, smtp_destination_recipient_limit="2", smtp_destination_concurrency_limit="1")).start()
        one.send([f"member{i}@there.test" for i in range(600)])
        wait_until(lambda: len(slow.messages) > 3, "the list is being delivered")
        for i in range(5):
            one.send(f"small{i}@there.test")
        sent_before = len(slow.messages)
        wait_until(lambda: sum(m.recipients[0].startswith("small") for m in slow.messages) == 5,
                   "small mail was delivered")
        order = [m.recipients[0] for m in slow.messages]
        last_small = max(i for i, name in enumerate(order) if name.startswith("small"))
        assert last_small < 250 and last_small - sent_before < 20
        one.wait_for_empty_queue()
        assert len(slow.messages) == 305


def test_small_mail_does_not_stop_a_large_list(make_instance):
    """One delivery in default_delivery_slot_cost is the list's, as long as both wait."""
    with sinks.Sink(delay_s=0.01) as slow:
        one = make_instance("here", settings=relay_to(
            slow, smtp_destination_recipient_limit="2", smtp_destination_concurrency_limit="1",
            default_minimum_delivery_slots="1", default_delivery_slot_cost="3")).start()
        one.set(smtp_destination_rate_delay="1h")
        one.reload()
        one.send("first@there.test")     # the rest that follows it lets the others gather
        wait_until(lambda: slow.messages, "the first one was delivered")
        one.wait_for_log(r"first@there.*status=sent")
        for i in range(40):
            one.send(f"small{i}@there.test")
        one.send([f"member{i}@there.test" for i in range(40)])
        one.set(smtp_destination_rate_delay="0s")
        one.reload()
        one.wait_for_empty_queue()
        is_large = [m.recipients[0].startswith("member") for m in slow.messages[1:]]
        assert is_large.count(True) == 20 and len(is_large) == 60
        large_in_first_half = is_large[:30].count(True)
        assert 7 <= large_in_first_half <= 20


def test_a_window_closes_where_deliveries_fail(make_instance):
    """Without feedback and without a limit of failed cohorts nothing is left alone: each message is
    tried; by default the second one is put off untried."""
    with sinks.Sink({"CONNECT": "421 4.3.2 go away"}) as bad:
        one = make_instance("here", settings=relay_to(bad)).start()
        one.send("one@there.test")
        one.wait_for_log(r"to=<one@there\.test>.*status=deferred")
        one.send("two@there.test")
        one.wait_for_log(r"to=<two@there\.test>.*relay=none.*delivery temporarily suspended: ")
        assert bad.connections == 1
        one.set(smtp_destination_concurrency_failed_cohort_limit="0")
        one.reload()
        one.send("three@there.test")
        one.wait_for_log(r"to=<three@there\.test>.*status=deferred")
        one.send("four@there.test")
        one.wait_for_log(r"to=<four@there\.test>.*status=deferred \(.*go away")
        assert bad.connections == 3


def test_one_site_keeps_no_more_than_its_share(make_instance, recording_sink):
    """It accepts connections and says nothing, and has more mail than the active set takes. Mail for
    others has its turn before that site has answered once; and nothing is returned for having been put
    off like that, untried."""
    with sinks.Sink(delay_s=3600) as silent:
        one = make_instance("here", settings={
            "transport_maps": f"inline:{{ {{ slow.test=smtp:[127.0.0.1]:{silent.port} }}, "
                              f"{{ good.test=smtp:[127.0.0.1]:{recording_sink.port} }} }}",
            "qmgr_message_active_limit": "20", "qmgr_clog_warn_time": "0", "maximal_queue_lifetime": "0"}).start()
        for i in range(100):
            one.send(f"user{i}@slow.test")
        for i in range(5):
            one.send(f"user{i}@good.test")
        wait_until(lambda: len(recording_sink.messages) == 5, "the others have their mail", 60)
        one.wait_for_log(r"qmgr\[\d+\]: \w+: to=<user\d+@slow\.test>, relay=none, delay=.*, dsn=4\.4\.5, "
                         rf"status=deferred \(too much mail waits for \[127\.0\.0\.1\]:{silent.port}\)")
        assert not silent.commands and silent.connections < 20
        assert len(one.queue()) == 100 and len(recording_sink.messages) == 5


def test_a_site_that_is_busy_loses_nothing_to_others(make_instance, recording_sink):
    """Whoever gets rid of its mail in time keeps its place, however much it has."""
    with sinks.Sink(delay_s=0.05) as busy:
        one = make_instance("here", settings={
            "transport_maps": f"inline:{{ {{ busy.test=smtp:[127.0.0.1]:{busy.port} }}, "
                              f"{{ good.test=smtp:[127.0.0.1]:{recording_sink.port} }} }}",
            "smtp_destination_concurrency_limit": "2", "qmgr_message_active_limit": "30",
            "qmgr_clog_warn_time": "0"}).start()
        for i in range(200):
            one.send(f"user{i}@busy.test")
        one.send("user@good.test")
        wait_until(lambda: len(busy.messages) == 200 and recording_sink.messages, "all have their mail", 120)
        assert "status=deferred" not in one.log()


def test_who_fills_the_active_set_is_named(make_instance):
    with sinks.Sink(delay_s=3600) as silent:
        one = make_instance("here", settings=relay_to(
            silent, qmgr_message_recipient_limit="20", smtp_destination_concurrency_limit="1")).start()
        one.tolerate(r"is using up")
        for i in range(25):
            one.send(f"user{i}@there.test")
        one.wait_for_log(rf"warning: mail for \[127\.0\.0\.1\]:{silent.port} is using up \d+ of \d+ "
                         r"recipients in the active queue")


@pytest.mark.parametrize("limit", [1, 5])
def test_what_is_said_of_a_small_active_set(make_instance, limit):
    """Everything in it is one silent site's; only where something waits is there a turn to wait for."""
    with sinks.Sink(delay_s=3600) as silent:
        one = make_instance("here", settings=relay_to(
            silent, qmgr_message_active_limit=str(limit), smtp_destination_concurrency_limit="1")).start()
        one.tolerate(r"is using up")
        for i in range(limit + 2):
            one.send(f"user{i}@there.test")
        advice = {1: "a larger qmgr_message_active_limit, ", 5: "smtp_destination_concurrency_limit, "}[limit]
        one.wait_for_log(rf"is using up ({limit} of {limit}|4 of 5) recipients in the active queue; {advice}")


def test_an_agent_that_does_not_read(make_instance, recording_sink):
    """It has more places than its channel has room for: what does not go in waits, and is not put off."""
    one = make_instance("here", services="many unix - - n - 1 smtp -o smtp_client_limit=1000\n", settings={
        "transport_maps": f"inline:{{ {{ there.test=many:[127.0.0.1]:{recording_sink.port} }} }}",
        "many_initial_destination_concurrency": "1000", "many_destination_concurrency_limit": "1000",
        "watchdog_timeout": "300s"}).start()
    one.send("first@there.test")
    one.wait_for_empty_queue()
    names = [f"{'n' * 55}{i}@there.test" for i in range(50)]
    pid = int(one.wait_for_log(r"smtp\[(\d+)\]: \w+: to=<first@there\.test>").group(1))
    os.kill(pid, signal.SIGSTOP)
    try:
        with one.client() as client:
            for number in range(400):
                client.sendmail("a@here.test", names, f"Subject: {number}\r\n\r\n")
    finally:
        os.kill(pid, signal.SIGCONT)
    one.wait_for_empty_queue(100)
    assert "status=deferred" not in one.log()
    assert len(recording_sink.recipients()) == 1 + 400 * len(names)


def test_an_agent_that_hangs_with_a_connection(make_instance, recording_sink):
    """The next mail for a site goes to the process that has a connection to it; all of it only as long as
    that process answers."""
    one = make_instance("here", services="two unix - - n - 2 smtp\n", settings={
        "transport_maps": f"inline:{{ {{ there.test=two:[127.0.0.1]:{recording_sink.port} }} }}",
        "watchdog_timeout": "300s"}).start()
    one.send("first@there.test")
    pid = int(one.wait_for_log(r"smtp\[(\d+)\]: \w+: to=<first@there\.test>").group(1))
    one.wait_for_empty_queue()
    os.kill(pid, signal.SIGSTOP)
    try:
        for number in range(40):
            one.send(f"user{number}@there.test")
        wait_until(lambda: len(recording_sink.messages) > 20, "the other one delivers")
    finally:
        os.kill(pid, signal.SIGCONT)
    one.wait_for_empty_queue()
    assert "status=deferred" not in one.log()
