"""Our log, read by what reads Postfix's: pflogsumm's totals, fail2ban's filter, and the shapes of
all lines of a run in which a bit of everything happens."""

import os
import re
import shutil
import socket
import subprocess
import sys

import pytest

from harness import log_shapes, more_peers, sink as sinks
from harness.instance import small_message, wait_until
from harness.more_peers import fail2ban
from limits_test import Client

# ---- the run

SETTINGS = {"syslog_name": "postfix", "minimal_backoff_time": "1s", "maximal_backoff_time": "1s",
            "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
            "mynetworks": "127.0.0.1/32", "smtpd_error_sleep_time": "0s",
            "smtpd_hard_error_limit": "5", "smtpd_client_event_limit_exceptions": "",
            "smtpd_client_connection_count_limit": "3", "smtpd_timeout": "5s",
            "virtual_alias_maps": "inline:{ { both@here.test = you@here.test, friend@here.test } }",
            "virtual_alias_domains": ""}


class Run:
    """What was sent, in numbers."""

    def __init__(self, instance, sink):
        self.instance = instance
        sink.script.update({"RCPT no@there.test": "550 5.1.1 no such user",
                            "RCPT later@there.test": ["450 4.2.0 come back", "250 2.1.5 Ok"]})
        for _ in range(7):
            instance.send("you@here.test")
        instance.send(["you@here.test", "friend@here.test", "a@there.test", "b@there.test"])
        instance.send("both@here.test")
        instance.send("later@there.test")
        instance.send("no@there.test", sender="friend@here.test")      # and a report
        instance.sendmail("you@here.test")
        self.received = 7 + 1 + 1 + 1 + 1 + 1 + 1
        self.delivered = 7 + 4 + 2 + 1 + 1 + 1
        self.deferred, self.bounced = 1, 1
        self.rejected = 0
        self.clients_that_misbehaved = []
        instance.wait_for_mail("friend@here.test", 3)
        instance.wait_for_empty_queue()
        self._refusals(instance)
        instance.stop()

    def _refusals(self, instance):
        stranger = Client(instance, "127.0.0.2")
        for answer in stranger.open("unknown@here.test", "friend@elsewhere.test"):
            assert answer.startswith("5")
        stranger.leave()
        self.rejected += 2
        many = Client(instance, "127.0.0.3")
        many.say("EHLO stranger.example")
        for _ in range(5):
            many.say("NONSENSE")
        many.stream.read()
        eager = Client(instance, "127.0.0.4")
        eager.connection.sendall(b"EHLO stranger.example\r\nMAIL FROM:<>\r\nRCPT TO:<you@here.test>\r\n")
        eager.stream.read()
        gone = Client(instance, "127.0.0.5")
        gone.open("you@here.test")
        gone.say("DATA")
        gone.connection.sendall(b"Subject: half\r\n\r\nhalf")
        gone.connection.shutdown(socket.SHUT_RDWR)
        gone.close()
        crowd = [Client(instance, "127.0.0.6") for _ in range(4)]
        assert crowd[-1].is_refused()
        for one in crowd:
            one.close()
        web = Client(instance, "127.0.0.7")
        web.connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        web.stream.read()
        slow = Client(instance, "127.0.0.8")
        slow.connection.settimeout(30)
        slow.stream.read()
        for host in range(2, 9):
            wait_until(lambda host=host: re.search(rf"disconnect from unknown\[127\.0\.0\.{host}\]", instance.log()),
                       f"127.0.0.{host} has left")


@pytest.fixture
def finished(make_instance, recording_sink):
    one = make_instance("here", users=["you@here.test", "friend@here.test"], settings={
        **SETTINGS, "relayhost": f"[127.0.0.1]:{recording_sink.port}"}).start()
    return Run(one, recording_sink)


# ---- other people's readers


@pytest.mark.skipif(not shutil.which("pflogsumm"), reason="needs pflogsumm")
def test_pflogsumm(finished):
    done = subprocess.run(["pflogsumm", finished.instance.log_file], capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    totals = {name: int(count) for count, name in
              re.findall(r"^ +(\d+) +(received|delivered|deferred|bounced|rejected)\b", done.stdout, re.MULTILINE)}
    assert totals == {"received": finished.received, "delivered": finished.delivered,
                      "deferred": finished.deferred, "bounced": finished.bounced,
                      "rejected": finished.rejected}, done.stdout


def test_fail2ban(finished):
    if not more_peers.have("fail2ban"):
        pytest.skip("no fail2ban: its package could not be had")
    log = finished.instance.log_file
    # Two refusals, and commands before their turn.
    assert sorted(fail2ban(log, "more")) == ["127.0.0.2", "127.0.0.2", "127.0.0.4"]
    # Where Postfix 3.10 has a queue id or NOQUEUE, this release of the filter knows none.
    older = log.with_name("older.log")
    older.write_text(re.sub(r"(\]: )\w+: ((lost connection|timeout|too many errors) after)", r"\1\2", log.read_text()))
    assert sorted(fail2ban(older, "more")) == ["127.0.0.2", "127.0.0.2", "127.0.0.3", "127.0.0.4"]
    assert fail2ban(older, "errors") == ["127.0.0.3"]
    assert set(fail2ban(older, "aggressive")) >= {"127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.6"}


# ---- every line


def test_every_line_has_a_shape_of_postfix(finished):
    unknown = log_shapes.unknown_lines(finished.instance.log())
    assert not unknown, "\n".join(unknown)


def test_debug_peer_list(make_instance):
    """What is said with hosts on the list is logged, in both directions, but for passwords."""
    with sinks.Sink(extensions=("PIPELINING",)) as sink:
        one = make_instance("here", users=["you@here.test"], settings={
            "relayhost": f"[127.0.0.1]:{sink.port}", "debug_peer_list": "127.0.0.0/8"}).start()
        with one.client() as client:
            client.ehlo()
            client.docmd("AUTH PLAIN c2VjcmV0")
        one.send("you@there.test")
        one.wait_for_empty_queue()
        for text in (r"smtpd\[\d+\]: < unknown\[127\.0\.0\.1\]: (?i:MAIL FROM):<sender@client\.example>",
                     r"smtpd\[\d+\]: > unknown\[127\.0\.0\.1\]: 250 2\.1\.5 Ok$",
                     r"smtpd\[\d+\]: > unknown\[127\.0\.0\.1\]: 250-PIPELINING$",
                     r"smtpd\[\d+\]: < unknown\[127\.0\.0\.1\]: AUTH \.\.\.$",
                     rf"smtp\[\d+\]: > 127\.0\.0\.1\[127\.0\.0\.1\]:{sink.port}: MAIL FROM:<sender@client\.example>",
                     rf"smtp\[\d+\]: < 127\.0\.0\.1\[127\.0\.0\.1\]:{sink.port}: 250 PIPELINING$"):
            one.wait_for_log(text)
        assert "c2VjcmV0" not in one.log()


def test_hosts_that_are_not_on_the_list(make_instance):
    one = make_instance("here", users=["you@here.test"], settings={"debug_peer_list": "192.0.2.1"}).start()
    one.send("you@here.test")
    one.wait_for_mail("you@here.test")
    one.wait_for_log("disconnect from")
    assert not re.search(r"smtpd\[\d+\]: [<>] ", one.log())
