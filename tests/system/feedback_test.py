"""What deliveries do to the number of deliveries at once, beside a real Postfix: the same answers of
two servers, and each step that the log tells."""

import re
import smtplib

import pytest

from harness import peers
from harness import sink as sinks
from harness.instance import free_port, small_message, wait_until

MESSAGES = 9
STEPS = {True: 3, False: 6}     # up, down: later ones depend on who is faster
STEP = re.compile(r"qmgr_queue_(un)?throttle: (?:(feedback) (\S+)|queue \S+ limit (\S+) window (\S+) "
                  r"success (\S+) failure (\S+) fail_cohorts (\S+))$", re.MULTILINE)


def steps_of(log, is_up):
    """Numbers to two places, because ours have six."""
    steps = []
    for match in STEP.finditer(log):
        if bool(match[1]) == is_up:
            numbers = [round(float(part), 2) + 0.0 for part in match.groups()[2:8] if part is not None]
            steps.append((match[2] or "queue", *numbers))
    return steps[:2 * STEPS[is_up]]


def settings_of(good, bad, positive, negative, limit):
    return {"transport_maps": f"inline:{{ {{ good.test=smtp:[127.0.0.1]:{good.port} }}, "
                              f"{{ bad.test=smtp:[127.0.0.1]:{bad.port} }} }}",
            "initial_destination_concurrency": "6",
            "default_destination_concurrency_failed_cohort_limit": limit,
            "default_destination_concurrency_positive_feedback": positive,
            "default_destination_concurrency_negative_feedback": negative,
            "destination_concurrency_feedback_debug": "yes"}


def play(server, log):
    """Enough for all places; each server takes its time, so that all are taken before it answers."""
    for site in ("good", "bad"):
        for i in range(MESSAGES):
            recipient = f"{site}{i}@{site}.test"
            with smtplib.SMTP(server.address, server.port, timeout=30) as client:
                client.sendmail("sender@client.example", [recipient], small_message(recipients=[recipient]))
    wait_until(lambda: len(re.findall(r"status=(?:sent|deferred)", log())) == 2 * MESSAGES, "all were tried", 90)


@pytest.mark.own_machine
@pytest.mark.parametrize("positive, negative, limit", [
    ("1", "1", "20"), ("1/concurrency", "1/concurrency", "20"), ("0.6/concurrency", "0.45", "2")])
def test_steps_are_those_of_postfix(make_instance, workspace, positive, negative, limit):
    with sinks.Sink(delay_s=1) as good, sinks.Sink({"CONNECT": "421 4.3.2 not now"}, delay_s=1) as bad:
        settings = settings_of(good, bad, positive, negative, limit)
        with peers.Postfix(workspace / f"postfix-feedback-{free_port()}", port=free_port(),
                           settings=settings) as postfix:
            play(postfix, postfix.log)
            theirs = postfix.log()
        one = make_instance("here", settings=settings).start()
        play(one, one.log)
        ours = one.log()
    for is_up in (True, False):
        assert steps_of(theirs, is_up)
        assert steps_of(ours, is_up) == steps_of(theirs, is_up)
