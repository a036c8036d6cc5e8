"""What tables in lists of restrictions want done with messages that they let pass: access(5)."""

import json
import os
import signal
import smtplib

from harness.instance import free_port, wait_until
from harness.processes import running
from harness.sink import Sink

def queue_names(one):
    lines = one.run("postqueue", "-j").stdout.splitlines()
    return [json.loads(line)["queue_name"] for line in lines]


USERS = ["you@here.test", "friend@here.test", "spy@here.test"]


def test_hold_until_released(make_instance):
    one = make_instance("here", users=USERS, settings={
        "smtpd_sender_restrictions": "inline:{{bad.example = HOLD}}"}).start()
    held = one.send(["you@here.test", "friend@here.test"], sender="a@bad.example")
    one.wait_for_log(r"hold: RCPT from .*: <a@bad\.example>: Sender address triggers HOLD action; from=<a@bad\.example>")
    wait_until(lambda: queue_names(one) == ["hold"], "it lies on hold")
    one.send("you@here.test", sender="a@good.example")
    one.wait_for_mail("you@here.test")
    # Neither a flush nor another queue manager lets it go.
    one.flush()
    one.reload()
    one.stop()
    one.start()
    one.send("you@here.test", sender="a@good.example")
    one.wait_for_mail("you@here.test", 2)
    wait_until(lambda: list(one.queue()) == [held], "the other mail is gone from the queue")
    assert not one.messages("friend@here.test")
    assert f"{held}: from=" not in one.log(), "it was never active"
    one.run("postsuper", "-H", held, check=True)
    one.wait_for_mail("friend@here.test")
    one.wait_for_mail("you@here.test", 3)
    one.wait_for_empty_queue()


def test_what_is_held_stays_held_when_qmgr_dies(make_instance):
    one = make_instance("here", users=USERS, settings={
        "smtpd_sender_restrictions": "inline:{{bad.example = HOLD}}"}).start()
    for number in range(9):
        one.send("you@here.test", sender=f"{number}@bad.example")
        if number % 3 == 2:
            [pid] = running(one.programs, "qmgr")
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: queue_names(one) == ["hold"] * 9, "all lie on hold")
    assert not one.messages("you@here.test")


def test_discard_looks_like_success(make_instance):
    one = make_instance("here", users=USERS, settings={
        "smtpd_recipient_restrictions": "inline:{{friend@here.test = DISCARD}}"}).start()
    gone = one.send(["you@here.test", "friend@here.test"])
    kept = one.send("you@here.test")
    one.wait_for_mail("you@here.test")
    one.wait_for_empty_queue()
    one.wait_for_log(r"discard: RCPT from .*: <friend@here\.test>: Recipient address triggers DISCARD action; "
                     r"from=<sender@client\.example> to=<friend@here\.test> proto=ESMTP helo=<client\.example>")
    one.wait_for_log(f"{kept}: removed")
    assert f"{gone}: removed" not in one.log() and f"{gone}: to=" not in one.log()
    assert len(one.messages("you@here.test")) == 1


def test_filter_takes_the_message_elsewhere(make_instance):
    """All recipients, local ones as well, by that transport and next hop, and in one delivery."""
    with Sink() as sink:
        one = make_instance("here", users=USERS, settings={
            "mynetworks": "127.0.0.0/8",
            "smtpd_sender_restrictions": "inline:{{scan.example = FILTER scan:[127.0.0.1]:%d}, "
                                         "{other.example = FILTER scan:}}" % sink.port,
            "default_filter_nexthop": "[127.0.0.1]:%d" % sink.port}, services=
            "scan unix - - y - - smtp -o smtp_send_xforward_command=no\n").start()
        first = one.send(["you@here.test", "else@there.test"], sender="a@scan.example")
        wait_until(lambda: sink.messages, "the filter got it")
        assert sorted(sink.messages[0].recipients) == ["else@there.test", "you@here.test"]
        one.wait_for_log(rf"scan/smtp\[\d+\]: {first}: to=<you@here\.test>, relay=127\.0\.0\.1|"
                         rf"smtp\[\d+\]: {first}: to=<you@here\.test>, relay=127\.0\.0\.1")
        one.send("you@here.test", sender="a@other.example")
        wait_until(lambda: len(sink.messages) == 2, "the default next hop")
        one.send("you@here.test", sender="a@free.example")
        one.wait_for_mail("you@here.test")
        assert len(sink.messages) == 2
        one.wait_for_empty_queue()


def test_filter_outlives_a_deferral(make_instance):
    """What waits for its filter still goes by it after a restart, whatever tables say."""
    with Sink() as sink:
        port = sink.port
        one = make_instance("here", users=USERS, settings={
            "smtpd_sender_restrictions": "inline:{{scan.example = FILTER smtp:[127.0.0.1]:%d}}" % port,
            "defer_transports": "smtp"}).start()
        one.send("you@here.test", sender="a@scan.example")
        wait_until(lambda: queue_names(one) == ["deferred"], "it waits")
        one.stop()
        one.set(defer_transports="")
        one.start()
        one.flush()
        wait_until(lambda: sink.messages, "the filter got it")
        one.wait_for_empty_queue()
        assert not one.messages("you@here.test")


def test_redirect_replaces_all_recipients(make_instance):
    """Also when most of them have gone ahead to the queue manager."""
    users = [f"user{number}-with-a-rather-long-name-in-its-local-part@here.test" for number in range(900)]
    one = make_instance("here", users=USERS + users, settings={
        "smtpd_end_of_data_restrictions": "check_sender_access inline:{{bad.example = REDIRECT spy@here.test}}"}).start()
    queue_id = one.send(users, sender="a@bad.example")
    [message] = one.wait_for_mail("spy@here.test")
    one.wait_for_empty_queue()
    one.wait_for_log(rf"redirect: END-OF-MESSAGE from .*: <a@bad\.example>: Sender address triggers REDIRECT "
                     rf"spy@here\.test")
    one.wait_for_log(rf"{queue_id}: from=<a@bad\.example>, size=\d+, nrcpt=1 ")
    one.wait_for_log(rf"{queue_id}: to=<spy@here\.test>, orig_to=<{users[0]}>")
    assert not one.messages(users[0]) and not one.messages(users[-1])
    assert message


def test_bcc_and_prepend(make_instance):
    """A copy goes where aliases say; fields stand above Received."""
    one = make_instance("here", users=USERS, settings={
        "virtual_alias_maps": "inline:{{watch@here.test = spy@here.test}}",
        "smtpd_recipient_restrictions": "check_recipient_access inline:{{you@here.test = BCC watch@here.test}}, "
                                        "check_client_access static:{PREPEND X-Seen: by us}"}).start()
    one.send(["you@here.test", "friend@here.test"])
    for user in USERS:
        [message] = one.wait_for_mail(user)
        assert [name for name in message.keys() if name in ("X-Seen", "Received")] == ["X-Seen", "Received"]
    one.wait_for_empty_queue()
    one.wait_for_log("triggers BCC watch@here.test; from=")
    one.wait_for_log("triggers PREPEND X-Seen: by us; from=")


def test_content_filter(make_instance):
    """All that comes in, by SMTP and by sendmail; what the filter gives back goes its own way, and reports are none
    of its business. A table knows better."""
    back = free_port()
    with Sink() as sink, Sink() as other:
        one = make_instance("here", users=USERS, settings={
            "content_filter": f"scan:[127.0.0.1]:{sink.port}", "transport_maps": "inline:{gone.test=fails:}",
            "smtpd_sender_restrictions": "inline:{{other.example = FILTER scan:[127.0.0.1]:%d}}" % other.port},
            services=f"scan unix - - y - - smtp\n127.0.0.1:{back} inet n - y - - smtpd -o content_filter=\n"
                     "fails unix - n n - - pipe user=nobody argv=/bin/sh -c {exit 67}\n").start()
        one.send(["you@here.test", "friend@here.test"], sender="a@client.example")
        wait_until(lambda: sink.messages, "the filter got it")
        assert sorted(sink.messages[0].recipients) == ["friend@here.test", "you@here.test"]
        one.sendmail("friend@here.test")
        wait_until(lambda: len(sink.messages) == 2, "from sendmail, too")
        one.send("you@here.test", sender="a@other.example")
        wait_until(lambda: other.messages, "the other filter got it")
        with smtplib.SMTP("127.0.0.1", back, "filter.example", 30) as client:
            client.sendmail("spy@here.test", ["you@here.test", "nobody@gone.test"], sink.messages[0].content)
        one.wait_for_mail("you@here.test")
        one.wait_for_mail("spy@here.test")
        one.wait_for_empty_queue()
        assert len(sink.messages) == 2 and len(other.messages) == 1


def test_a_filter_that_is_none(make_instance):
    one = make_instance("here", settings={"content_filter": "nowhere:[127.0.0.1]:10024"})
    assert 'content_filter = nowhere:[127.0.0.1]:10024: master.cf has no service "nowhere" that delivers mail' in \
        one.run("posthouse", "check").stderr
