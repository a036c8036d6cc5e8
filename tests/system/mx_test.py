"""By MX to a real Postfix, found through a real name server, on ports 25 and 53."""

import email
import os
import re
import socket
import subprocess

import pytest

from harness import peers
from harness.instance import small_message, wait_until

pytestmark = pytest.mark.own_machine

CLIENT_NAMES = [f"customer-number-{number:03}" for number in range(200)]
RECORDS = [
    "plain.test. 60 IN MX 10 mx.plain.test.",
    "mx.plain.test. 60 IN A 127.0.0.2",
    "deadfirst.test. 60 IN MX 10 dead.deadfirst.test.",
    "deadfirst.test. 60 IN MX 20 live.deadfirst.test.",
    "dead.deadfirst.test. 60 IN A 127.0.0.66",
    "live.deadfirst.test. 60 IN A 127.0.0.2",
    "vanished.test. 60 IN MX 10 gone.vanished.test.",
    "vanished.test. 60 IN MX 20 mx.plain.test.",
    "nomx.test. 60 IN A 127.0.0.2",
    "nullmx.test. 60 IN MX 0 .",
    "alldead.test. 60 IN MX 10 dead.deadfirst.test.",
    "mine.test. 60 IN MX 10 me.mine.test.",
    "mine.test. 60 IN MX 20 mx.plain.test.",
    "me.mine.test. 60 IN A 127.0.0.1",
    "backup.test. 60 IN MX 10 mx.plain.test.",
    "backup.test. 60 IN MX 20 me.mine.test.",
    "xn--bcher-kva.test. 60 IN MX 10 mx.plain.test.",
    "second.test. 60 IN MX 10 gone.second.test.",
    "second.test. 60 IN MX 20 me.mine.test.",
    "backupofdead.test. 60 IN MX 10 dead.deadfirst.test.",
    "backupofdead.test. 60 IN MX 20 me.mine.test.",
    "onlyaddress.test. 60 IN A 127.0.0.1",
    "behindproxy.test. 60 IN MX 10 proxy.behindproxy.test.",
    "proxy.behindproxy.test. 60 IN A 127.0.0.77",
    "numeric.test. 60 IN MX 10 127.0.0.2.",
    "cname.test. 60 IN CNAME plain.test.",
    "mxcname.test. 60 IN MX 10 alias.mxcname.test.",
    "alias.mxcname.test. 60 IN CNAME mx.plain.test.",
    "dual.test. 60 IN MX 10 six.dual.test.",
    "dual.test. 60 IN MX 20 four.dual.test.",
    *[f"six.dual.test. 60 IN AAAA 2001:db8::{number}" for number in range(1, 8)],
    "four.dual.test. 60 IN A 127.0.0.2",
    "either.test. 60 IN AAAA ::1",
    "either.test. 60 IN A 127.0.0.66",
    *[f"10.2.0.192.in-addr.arpa. 60 IN PTR {name}.hosted-here.test." for name in CLIENT_NAMES],
    *[f"{name}.hosted-here.test. 60 IN A 192.0.2.10" for name in CLIENT_NAMES],
]


@pytest.fixture(scope="module")
def name_server(workspace):
    peers.replace_file("/etc/resolv.conf", "nameserver 127.0.0.1\n", workspace)
    with peers.Unbound(workspace / "unbound", RECORDS) as one:
        yield one


def test_a_client_with_many_names(make_instance, name_server):
    """One of them is its name, and there is room for what it says."""
    one = make_instance("here", settings={"smtpd_peername_lookup": "yes", "smtpd_upstream_proxy_protocol": "haproxy"}).start()
    with socket.create_connection((one.address, one.port), 30) as client, client.makefile("rw", newline="\r\n") as lines:
        lines.write("PROXY TCP4 192.0.2.10 127.0.0.1 4000 25\n")
        lines.flush()
        assert lines.readline().startswith("220 ")
        for _ in range(2):
            lines.write(f"HELO {'long.' * 80}test\n")
            lines.flush()
            assert lines.readline().startswith("250 mx.here.test")
    one.wait_for_log(r" connect from customer-number-\d+\.hosted-here\.test\[192\.0\.2\.10\]$")


@pytest.fixture(scope="module")
def postfix(workspace):
    users = [f"friend@{domain}.test" for domain in
             ("plain", "deadfirst", "vanished", "nomx", "backup", "numeric", "cname", "mxcname", "dual", "xn--bcher-kva")]
    with peers.Postfix(workspace / "postfix", "127.0.0.2", 25, users=users) as one:
        yield one


@pytest.fixture
def sender(make_instance, name_server):
    return make_instance("here").start()


@pytest.mark.parametrize("domain", ["plain", "deadfirst", "vanished", "nomx", "backup", "numeric", "cname",
                                    "mxcname"])
def test_relay_to_postfix(sender, postfix, domain):
    user = f"friend@{domain}.test"
    queue_id = sender.send(user, small_message(recipients=[user], subject=domain))
    wait_until(lambda: postfix.messages(user), f"Postfix delivered to {user}\n{sender.log()[-3000:]}")
    message = email.message_from_bytes(postfix.messages(user)[0].read_bytes())
    assert message["Subject"] == domain
    mx = {"plain": "mx.plain.test", "deadfirst": "live.deadfirst.test", "vanished": "mx.plain.test",
          "nomx": "nomx.test", "backup": "mx.plain.test", "numeric": "127.0.0.2",
          "cname": "mx.plain.test", "mxcname": "alias.mxcname.test"}[domain]
    sender.wait_for_log(rf"{queue_id}: to=<{user}>, relay={mx}\[127\.0\.0\.2\]:25, .*dsn=2\.0\.0, "
                        r"status=sent \(250 2\.0\.0 Ok: \d+ bytes queued as \w+\)")
    if domain == "deadfirst":
        sender.wait_for_log(r"connect to dead\.deadfirst\.test\[127\.0\.0\.66\]:25: Connection refused")
    sender.wait_for_empty_queue()


@pytest.mark.parametrize("preference", ["any", "ipv4", "ipv6"])
def test_many_addresses_that_lead_nowhere(make_instance, name_server, postfix, preference):
    """Seven of IPv6 at the best host, and no way to them: among the five that are tried is the one of IPv4."""
    one = make_instance("here", settings={"inet_protocols": "all", "smtp_address_preference": preference}).start()
    queue_id = one.send("friend@dual.test")
    one.wait_for_log(rf"{queue_id}: .*relay=four\.dual\.test\[127\.0\.0\.2\]:25, .*status=sent ")
    assert len(re.findall(r"connect to six\.dual\.test\[2001:db8::\d\]:25: Network is unreachable", one.log())) == 4


@pytest.mark.parametrize("preference, first", [("ipv4", "127.0.0.66"), ("ipv6", "::1")])
def test_which_protocol_is_tried_first(make_instance, name_server, preference, first):
    one = make_instance("here", settings={"inet_protocols": "all", "inet_interfaces": "127.0.0.9",
                                          "smtp_address_preference": preference}).start()
    queue_id = one.send("friend@either.test")
    one.wait_for_log(rf"{queue_id}: .*status=deferred ")
    tried = re.findall(r": connect to either\.test\[(\S+)\]:25: Connection refused$", one.log(), re.MULTILINE)
    assert len(tried) == 2 and tried[0] == first


def test_all_servers_dead_is_a_deferral(sender, postfix):
    queue_id = sender.send("friend@alldead.test")
    sender.wait_for_log(rf"{queue_id}: .*relay=none, .*dsn=4\.4\.1, status=deferred \(connect to "
                        r"dead\.deadfirst\.test\[127\.0\.0\.66\]:25: Connection refused\)")
    assert queue_id in sender.queue()


def test_null_mx_is_a_bounce(sender, postfix):
    """RFC 7505 section 3: the domain accepts no mail."""
    queue_id = sender.send("friend@nullmx.test", sender="you@here.test")
    sender.wait_for_log(rf"{queue_id}: .*dsn=5\.1\.10?, status=bounced ")
    sender.wait_for_mail("you@here.test")
    sender.wait_for_empty_queue()


def test_unknown_domain_is_a_bounce(sender, postfix):
    queue_id = sender.send("friend@nowhere.test", sender="you@here.test")
    sender.wait_for_log(rf"{queue_id}: .*relay=none, .*dsn=5\.4\.4, status=bounced \(Host or domain name "
                        r"not found\. ")
    sender.wait_for_mail("you@here.test")


def test_silent_name_server_is_a_deferral(make_instance, workspace):
    """Temporary failure is told from absence: nobody answers on 127.0.0.9."""
    one = make_instance("here", settings={"dns_servers": "127.0.0.9"}).start()
    queue_id = one.send("friend@plain.test")
    one.wait_for_log(rf"{queue_id}: .*relay=none, .*dsn=4\.4\.3, status=deferred \(Host or domain name not "
                     r"found\. ", 60)
    assert queue_id in one.queue()


def test_postfix_refuses_a_recipient(sender, postfix):
    queue_id = sender.send("unknown@plain.test", sender="you@here.test")
    [report] = sender.wait_for_mail("you@here.test")
    assert "User unknown in virtual mailbox table" in report.as_string()
    sender.wait_for_log(rf"{queue_id}: to=<unknown@plain\.test>, .*dsn=5\.1\.1, status=bounced ")


def test_from_postfix_to_us(sender, postfix, workspace):
    """The other way round: a real Postfix relays to us."""
    with peers.Postfix(workspace / "postfix-out", "127.0.0.3", 2525, settings={
            "relayhost": f"[127.0.0.1]:{sender.port}"}) as out:
        done = subprocess.run(["swaks", "--server", "127.0.0.3:2525", "--from", "a@client.example", "--to",
                               "you@here.test", "--helo", "client.example", "--h-Subject", "from Postfix"],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout
        [message] = sender.wait_for_mail("you@here.test")
        assert message["Subject"] == "from Postfix"
        wait_until(out.queue_is_empty, "Postfix's queue is empty")


def test_mail_that_would_loop(sender, postfix):
    """RFC 5321 section 5.1: this machine is the best exchanger of a domain that it does not know."""
    queue_id = sender.send("friend@mine.test", sender="you@here.test")
    sender.wait_for_log(rf"{queue_id}: .*relay=none, .*dsn=5\.4\.6, status=bounced \(mail for mine\.test "
                        r"loops back to myself\)")


@pytest.mark.parametrize("domain, settings", [
    ("onlyaddress", {}), ("behindproxy", {"proxy_interfaces": "127.0.0.76 127.0.0.77"}),
    ("behindproxy", {"inet_interfaces": "127.0.0.1, proxy.behindproxy.test"})])
def test_other_loops(make_instance, name_server, postfix, domain, settings):
    """A domain without MX records that has our address; an address that somebody keeps for us; a name of ours."""
    one = make_instance("here", settings=settings).start()
    queue_id = one.send(f"friend@{domain}.test", sender="you@here.test")
    one.wait_for_log(rf"{queue_id}: .*relay=none, .*dsn=5\.4\.6, status=bounced \(mail for {domain}\.test "
                     r"loops back to myself\)")


def test_a_server_with_our_name(make_instance, name_server, postfix):
    """Tables may lead back to us in ways that no address shows; a lesser host may be called as we are."""
    one = make_instance("here", settings={"myhostname": "mx.postfix.test"}).start()
    loops = one.send("friend@plain.test", sender="you@here.test")
    one.wait_for_log(r"warning: host mx\.plain\.test\[127\.0\.0\.2\]:25 replied to HELO/EHLO with my own "
                     r"hostname mx\.postfix\.test$")
    one.wait_for_log(rf"{loops}: .*relay=mx\.plain\.test\[127\.0\.0\.2\]:25, .*dsn=5\.4\.6, status=bounced "
                     r"\(mail for plain\.test loops back to myself\)")
    [report] = one.wait_for_mail("you@here.test")
    assert "loops back to myself" in report.as_string()
    goes = one.send("friend@deadfirst.test")
    one.wait_for_log(rf"{goes}: .*relay=live\.deadfirst\.test\[127\.0\.0\.2\]:25, .*status=sent ")


def test_an_address_of_another_protocol(sender):
    """inet_protocols = ipv4 here."""
    queue_id = sender.send("friend@[IPv6:::5]", sender="you@here.test")
    sender.wait_for_log(rf"{queue_id}: .*relay=none, .*dsn=5\.4\.4, status=bounced \(inet_protocols leaves no "
                        r"way to ::5\)")


def test_a_better_exchanger_without_address(sender, postfix):
    """It may have one tomorrow: that we are the best one known is no loop."""
    queue_id = sender.send("friend@second.test", sender="you@here.test")
    sender.wait_for_log(rf"{queue_id}: .*relay=none, .*dsn=4\.4\.4, status=deferred \(unable to find primary "
                        r"relay for second\.test\)")
    assert queue_id in sender.queue()


def test_no_fallback_for_domains_whose_exchanger_we_are(make_instance, name_server, recording_sink):
    """The fallback relay would find us by the same records."""
    one = make_instance("here", settings={
        "smtp_fallback_relay": f"[127.0.0.1]:{recording_sink.port}"}).start()
    waiting = [one.send(f"friend@{domain}.test") for domain in ("backupofdead", "second")]
    for queue_id in waiting:
        one.wait_for_log(rf"{queue_id}: .*status=deferred ")
    one.send("friend@alldead.test")
    wait_until(lambda: recording_sink.messages, "the fallback relay got it")
    assert recording_sink.recipients() == ["friend@alldead.test"]
    assert sorted(one.queue()) == sorted(waiting)


def test_best_mx_transport_takes_such_mail(make_instance, name_server, recording_sink):
    one = make_instance("here", settings={
        "best_mx_transport": f"relay:[127.0.0.1]:{recording_sink.port}"}).start()
    queue_id = one.send(["friend@mine.test", "other@mine.test"])
    wait_until(lambda: recording_sink.messages, "the sink got it")
    assert sorted(recording_sink.recipients()) == ["friend@mine.test", "other@mine.test"]
    one.wait_for_log(rf"{queue_id}: to=<friend@mine\.test>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:"
                     rf"{recording_sink.port}, .*status=sent ")
    one.wait_for_empty_queue()


def test_transports_that_hand_over_to_each_other(make_instance, name_server):
    """The second of them hands nothing on: the mail waits, and the reason is in the log."""
    one = make_instance("here", settings={"best_mx_transport": "relay"}).start()
    queue_id = one.send("friend@mine.test")
    one.wait_for_log(rf"{queue_id}: to=<friend@mine\.test>, .*status=deferred \(mail transport loop\)")
    assert queue_id in one.queue()


def test_smtp_hands_over_to_no_command(make_instance, name_server):
    """It talks to strangers: who took it over could choose next hops for commands."""
    ran = "/tmp/posthouse-mx-test-ran"
    one = make_instance("here", settings={"best_mx_transport": "told:-x"}, services=(
        f"told unix - n n - - pipe user=nobody argv=/usr/bin/touch {ran}\n")).start()
    queue_id = one.send("friend@mine.test")
    one.wait_for_log(rf"{queue_id}: to=<friend@mine\.test>, .*status=deferred "
                     r"\(mail transport unavailable\)")
    assert queue_id in one.queue() and not os.path.exists(ran)


def test_names_in_etc_hosts(make_instance, postfix, workspace):
    """smtp_host_lookup = native, and delivery without DNS; nobody answers on 127.0.0.9."""
    peers.replace_file("/etc/hosts", "127.0.0.1 localhost\n127.0.0.2 written.test\n", workspace)
    one = make_instance("here", settings={
        "dns_servers": "127.0.0.9", "smtp_host_lookup": "native", "disable_dns_lookups": "yes",
        "transport_maps": "inline:{ plain.test=smtp:written.test }"}).start()
    queue_id = one.send("friend@plain.test")
    one.wait_for_log(rf"{queue_id}: .*relay=written\.test\[127\.0\.0\.2\]:25, .*status=sent ")


def test_a_domain_in_utf8(make_instance, name_server, postfix):
    """The server need know no SMTPUTF8: the domain goes in A-labels."""
    one = make_instance("here", settings={"smtp_discard_ehlo_keywords": "smtputf8"}).start()
    user = "friend@xn--bcher-kva.test"
    with one.client() as client:
        client.ehlo()
        if not client.has_extn("smtputf8"):
            pytest.skip("smtpd does not offer SMTPUTF8")
        assert client.mail("sender@client.example", ["SMTPUTF8"])[0] == 250
        client.command_encoding = "utf-8"
        assert client.rcpt("friend@b\u00fccher.test")[0] == 250
        assert client.rcpt("friend@plain.test")[0] == 250
        assert client.data(small_message())[0] == 250
    wait_until(lambda: postfix.messages(user), f"Postfix delivered it\n{one.log()[-3000:]}")
    one.wait_for_empty_queue()
