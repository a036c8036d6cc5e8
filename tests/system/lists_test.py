"""Mailman 3 behind us: posts come to it by LMTP, and go to the members by SMTP.

It comes from Debian's archive, unpacked and not installed; without it its tests are left out."""

import pytest

from harness import mailman, more_peers
from harness.instance import free_port, small_message, wait_until

MEMBERS = ["you@here.test", "friend@here.test"]


@pytest.mark.own_machine
def test_mailman(make_instance, tmp_path):
    if not more_peers.have("mailman"):
        pytest.skip("no mailman: its packages could not be had")
    port = free_port()
    with mailman.Mailman(tmp_path / "mailman", {"friends@lists.test": MEMBERS}, port) as lists:
        one = make_instance("here", port=port, users=MEMBERS, services="lmtp unix - - y - - lmtp\n", settings={
            "relay_domains": "lists.test", "transport_maps": f"inline:{{ lists.test=lmtp:[127.0.0.1]:{lists.port} }}",
            "minimal_backoff_time": "1s", "maximal_backoff_time": "2s"}).start()
        queue_id = one.send("friends@lists.test", small_message("you@here.test", ["friends@lists.test"], "to the list"),
                            sender="you@here.test")
        one.wait_for_log(rf"/lmtp\[\d+\]: {queue_id}: to=<friends@lists\.test>, .* status=sent \(250 ")
        try:
            for member in MEMBERS:
                wait_until(lambda member=member: any(b"to the list" in path.read_bytes()
                                                     for path in one.messages(member)), f"{member} has it", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{lists.log()[-4000:]}") from None
        [message] = [message for message in one.wait_for_mail("friend@here.test")
                     if "to the list" in message["Subject"]]
        assert message["Subject"] == "[Friends] to the list"
        assert message["List-Id"] == "<friends.lists.test>"
        assert "friends-bounces@lists.test" in message["Return-Path"]
        # A list that is not there is refused by Mailman, and the sender is told.
        queue_id = one.send("nolist@lists.test", sender="friend@here.test")
        one.wait_for_log(rf"{queue_id}: to=<nolist@lists\.test>, .* dsn=5\.\d\.\d, status=bounced ")
        one.wait_for_empty_queue()
