"""What becomes of mail when something is full, missing or gone."""

import time

from harness import sink as sinks


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


def test_a_transport_that_nobody_serves(make_instance):
    """Mail for it waits for an agent for a while; then it is put off with a reason."""
    one = make_instance("here", settings={"transport_maps": "inline:{ nowhere.test=nobody: }"}).start()
    one.send("you@nowhere.test")
    one.wait_for_log("status=deferred .*mail transport unavailable", 45)
    assert "mail transport unavailable" in next(iter(one.queue().values()))
