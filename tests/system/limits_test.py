"""Limits per client and per sender, counted by limitd over all smtpd processes; stress; the wait
before the greeting. Clients come from 127.0.0.2 and its neighbours, and no exception holds for
them unless a test says so."""

import os
import re
import signal
import socket
import time

import pytest

from harness.instance import small_message, wait_until
from harness.raw import Raw
from smtpd_test import kill, ps


class Client(Raw):
    """From an address of its own."""

    def __init__(self, instance, source="127.0.0.2", early=b""):
        super().__init__(instance, source=source, early=early)

    def is_refused(self):
        return self.greeting.startswith("421")

    def leave(self):
        assert self.say("QUIT").startswith("221")
        assert self.is_closed()
        self.close()

    def close(self):
        self.stream.close()
        self.connection.close()

    def mail(self, sender="sender@client.example"):
        return self.say(f"MAIL FROM:<{sender}>")


@pytest.fixture
def limited(make_instance):
    """limited(setting=value ...): a running instance whose limits hold everybody."""
    def make(smtpd_processes="-", **settings):
        settings.setdefault("smtpd_client_event_limit_exceptions", "")
        return make_instance("here", settings=settings, smtpd_processes=smtpd_processes).start()
    return make


def service(one):
    return re.escape(f"{one.address}:{one.port}")


def pid_of(one, program):
    master = next(int(line.split()[0]) for line in ps() if f"-c {one.etc} " in line + " "
                  and "master" in line.split()[2])
    return next((int(line.split()[0]) for line in ps()
                 if int(line.split()[1]) == master and line.split()[2] == program), 0)


# ---- connections


def test_connection_count_limit(limited):
    one = limited(smtpd_client_connection_count_limit="2")
    first, second, third = (Client(one) for _ in range(3))
    assert first.greeting.startswith("220") and second.greeting.startswith("220")
    assert third.greeting == "421 4.7.0 mx.here.test Error: too many connections from 127.0.0.2"
    assert third.is_closed()
    assert not Client(one, "127.0.0.3").is_refused()
    one.wait_for_log(r"smtpd\[\d+\]: warning: Connection concurrency limit exceeded: 3 from "
                     rf"unknown\[127\.0\.0\.2\] for service {service(one)}$")
    one.wait_for_log(r"disconnect from unknown\[127\.0\.0\.2\] commands=0/0$")
    first.leave()
    wait_until(lambda: not Client(one).is_refused(), "the place of the first is free")


def test_connection_count_over_processes(limited):
    one = limited(smtpd_processes="2", smtpd_client_connection_count_limit="5")
    clients = [Client(one) for _ in range(8)]
    assert [client.is_refused() for client in clients] == [False] * 5 + [True] * 3


def test_connection_rate_limit(limited):
    one = limited(smtpd_client_connection_rate_limit="2", anvil_rate_time_unit="1h")
    for _ in range(2):
        Client(one).leave()
    refused = Client(one)
    assert refused.greeting == "421 4.7.0 mx.here.test Error: too many connections from 127.0.0.2"
    one.wait_for_log(r"warning: Connection rate limit exceeded: 3 from unknown\[127\.0\.0\.2\] for service "
                     rf"{service(one)}$")
    assert not Client(one, "127.0.0.3").is_refused()


def test_a_window_ends(limited):
    one = limited(smtpd_client_connection_rate_limit="1", anvil_rate_time_unit="1s")
    wait_until(lambda: Client(one).is_refused(), "two in one window", interval_s=0)
    wait_until(lambda: not Client(one).is_refused(), "another window")


def test_prefix_length(limited):
    one = limited(smtpd_client_connection_count_limit="1", smtpd_client_ipv4_prefix_length="24",
                  anvil_status_update_time="1s")
    first = Client(one, "127.0.5.2")
    assert not first.is_refused()
    assert Client(one, "127.0.5.3").is_refused()
    assert not Client(one, "127.0.6.3").is_refused()
    one.wait_for_log(rf"statistics: max connection count 2 for \({service(one)}:127\.0\.5\.0/24\) at ")
    first.leave()


def test_behind_a_proxy(limited):
    """Who speaks for others is not limited, and they are."""
    one = limited(smtpd_client_connection_count_limit="1", smtpd_authorized_xclient_hosts="127.0.0.2")
    proxies = [Client(one) for _ in range(4)]
    for proxy in proxies:
        assert proxy.say("EHLO proxy.example").startswith("250")
    assert proxies[0].say("XCLIENT ADDR=192.0.2.7").startswith("220")
    assert proxies[1].say("XCLIENT ADDR=192.0.2.7") == \
        "421 4.7.0 mx.here.test Error: too many connections from 192.0.2.7"
    assert proxies[2].say("XCLIENT ADDR=192.0.2.8").startswith("220")
    proxies[0].leave()

    def is_free():
        proxy = Client(one)
        proxy.say("EHLO proxy.example")
        return proxy.say("XCLIENT ADDR=192.0.2.7").startswith("220")

    wait_until(is_free, "what the first held is free")


# ---- messages and recipients


def test_message_rate_limit(limited):
    one = limited(smtpd_client_message_rate_limit="2", anvil_rate_time_unit="1h")
    client = Client(one)
    client.say("EHLO client.example")
    for _ in range(2):
        assert client.mail().startswith("250")
        client.say("RSET")
    assert client.mail() == "450 4.7.1 Error: too much mail from 127.0.0.2"
    one.wait_for_log(r"warning: Message delivery request rate limit exceeded: 3 from unknown\[127\.0\.0\.2\] "
                     rf"for service {service(one)}$")
    other = Client(one, "127.0.0.3")
    other.say("EHLO client.example")
    assert other.mail().startswith("250")


def test_recipient_rate_limit(limited):
    one = limited(smtpd_client_recipient_rate_limit="2", anvil_rate_time_unit="1h",
                  virtual_mailbox_maps="static:x/")
    client = Client(one)
    answers = client.open("a@here.test", "b@here.test", "c@here.test")
    assert answers == ["250 2.1.5 Ok", "250 2.1.5 Ok", "450 4.7.1 Error: too many recipients from 127.0.0.2"]
    one.wait_for_log(r"warning: Recipient address rate limit exceeded: 3 from unknown\[127\.0\.0\.2\] "
                     rf"for service {service(one)}$")
    # The message goes on with the recipients that it has.
    assert client.say("DATA").startswith("354")
    assert client.say(small_message() + b".\r\n").startswith("250 2.0.0 Ok: queued as ")


def test_sender_rate_limits(limited):
    one = limited(smtpd_sender_message_rate_limit="1", smtpd_sender_recipient_rate_limit="1",
                  smtpd_sender_rate_time_unit="1d")
    client = Client(one)
    client.say("EHLO client.example")
    assert client.mail("one@client.example").startswith("250")
    assert client.say("RCPT TO:<you@here.test>").startswith("250")
    assert client.say("RCPT TO:<you@here.test>") == \
        "450 4.7.1 <one@client.example>: Sender address rejected: too many recipients"
    client.say("RSET")
    other = Client(one, "127.0.0.3")
    other.say("EHLO client.example")
    assert other.mail("One@Client.Example") == \
        "450 4.7.1 <One@Client.Example>: Sender address rejected: too much mail"
    assert other.mail("two@client.example").startswith("250")
    other.say("RSET")
    for _ in range(3):  # reports have no sender, and are no one sender's
        assert other.mail("").startswith("250")
        other.say("RSET")


# ---- exceptions


@pytest.mark.parametrize("words, is_excepted", [
    (None, True),  # $mynetworks
    ("127.0.0.2", True), ("[::1]", False), ("192.0.2.0/24, 127.0.0.0/24", True), ("!127.0.0.2 127.0.0.0/8", False),
    ("! 127.0.0.3, 127.0.0.0/8", True), ("{etc}/list", True), ("!{etc}/list 127.0.0.0/8", False),
    ("cidr:{etc}/cidr", True), ("texthash:{etc}/names", True), ("hash:{etc}/names", True),
    ("inline:{{127.0.0.3=x}}", False), ("static:x", True),
], ids=["mynetworks", "address", "ipv6", "networks", "negated", "negated-with-space", "file", "negated-file", "cidr",
        "texthash", "hash", "inline", "static"])
def test_event_limit_exceptions(make_instance, words, is_excepted):
    one = make_instance("here", settings={"smtpd_client_connection_count_limit": "1"})
    (one.etc / "list").write_text("# friends\n192.0.2.7\n127.0.0.2\n")
    (one.etc / "cidr").write_text("127.0.0.0/29 friends\n")
    (one.etc / "names").write_text("127.0.0.2 friend\n")
    if words is not None:
        one.set(smtpd_client_event_limit_exceptions=words.format(etc=one.etc))
    one.run("postmap", f"hash:{one.etc}/names", check=True)
    one.start()
    clients = [Client(one) for _ in range(2)]
    assert [client.is_refused() for client in clients] == [False, not is_excepted]


@pytest.mark.parametrize("kind", ["texthash", "hash"])
def test_who_may_speak_for_others_by_table(make_instance, kind):
    one = make_instance("here")
    (one.etc / "friends").write_text("127.0.0.2 yes\n")
    one.run("postmap", f"hash:{one.etc}/friends", check=True)
    one.set(smtpd_authorized_xclient_hosts=f"{kind}:{one.etc}/friends",
            smtpd_authorized_xforward_hosts=f"!{kind}:{one.etc}/friends, 127.0.0.2")
    one.start()
    client = Client(one)
    lines = client.say("EHLO client.example")
    assert "XCLIENT" in lines and "XFORWARD" not in lines


@pytest.mark.parametrize("name", ["smtpd_authorized_xclient_hosts", "smtpd_authorized_xforward_hosts",
                                  "smtpd_forbid_bare_newline_exclusions", "local_header_rewrite_clients"])
def test_a_list_of_clients_that_no_sandbox_can_ask(make_instance, name):
    one = make_instance("here", settings={name: "ldap:/etc/clients, pgsql:/etc/clients"})
    done = one.run("posthouse", "check")
    assert done.returncode != 0
    assert re.search(rf"main\.cf, line \d+: {name}\b.*: .*held in memory", done.stderr), done.stderr


@pytest.mark.parametrize("words, is_excepted", [("localhost", True), (".localdomain localhos", False)],
                         ids=["itself", "others"])
def test_exceptions_by_name(limited, words, is_excepted):
    one = limited(smtpd_client_connection_count_limit="1", smtpd_peername_lookup="yes",
                  smtpd_client_event_limit_exceptions=words)
    clients = [Client(one) for _ in range(2)]
    assert [client.is_refused() for client in clients] == [False, not is_excepted]


def test_an_exception_that_is_none(make_instance):
    one = make_instance("here", settings={"smtpd_client_event_limit_exceptions": "/no/such/file"})
    one.tolerate("smtpd_client_event_limit_exceptions")
    for command in ("check", "start"):
        done = one.run("posthouse", command)
        assert done.returncode != 0
        assert re.search(r"main\.cf, line \d+: smtpd_client_event_limit_exceptions\b.*: /no/such/file: "
                         r"No such file or directory", done.stderr), done.stderr


@pytest.mark.parametrize("words, complaint", [
    ("192.0.2.1/24", "192.0.2.1/24: is no name, address, network, /file or type:table"),
    ("regexp:/x", "regexp:/x: a list of clients is held in memory"),
    ("cidr:/no/such/file", "/no/such/file: No such file or directory"),
], ids=["network", "regexp", "cidr"])
def test_lists_are_checked(make_instance, words, complaint):
    one = make_instance("here", settings={"smtpd_greet_exceptions": f"127.0.0.1, {words}"})
    done = one.run("posthouse", "check")
    assert done.returncode != 0
    assert re.search(rf"main\.cf, line \d+: smtpd_greet_exceptions\b.*: {complaint}", done.stderr), done.stderr


# ---- deaths and restarts


def test_what_a_dead_smtpd_held_is_free(limited):
    one = limited(smtpd_processes="1", smtpd_client_connection_count_limit="2")
    clients = [Client(one) for _ in range(2)]
    assert Client(one).is_refused()
    kill(one, "smtpd")
    wait_until(lambda: not Client(one).is_refused(), "a new smtpd takes connections")
    again = [Client(one) for _ in range(3)]
    assert again[2].is_refused()
    assert len(clients) == 2


def test_a_new_limitd_knows_who_is_there(limited):
    one = limited(smtpd_client_connection_count_limit="2")
    clients = [Client(one) for _ in range(2)]
    assert Client(one).is_refused()
    before = pid_of(one, "limitd")
    kill(one, "limitd")
    wait_until(lambda: pid_of(one, "limitd") not in (0, before), "another limitd")
    wait_until(lambda: Client(one).is_refused(), "it counts who is there")
    clients[0].leave()
    wait_until(lambda: not Client(one).is_refused(), "it counts who leaves")


def test_a_session_outlives_limitd(limited):
    one = limited(smtpd_client_message_rate_limit="100", smtpd_client_recipient_rate_limit="100")
    client = Client(one)
    kill(one, "limitd")
    assert client.open("you@here.test") == ["250 2.1.5 Ok"]
    assert client.say("DATA").startswith("354")
    assert client.say(small_message() + b".\r\n").startswith("250 2.0.0 Ok: queued as ")
    one.wait_for_mail("you@here.test")


def test_a_hung_limitd_holds_up_nobody(limited):
    one = limited(smtpd_client_connection_count_limit="1", smtpd_client_message_rate_limit="1")
    hung = pid_of(one, "limitd")
    os.kill(hung, signal.SIGSTOP)
    clients = [Client(one) for _ in range(3)]
    assert [client.is_refused() for client in clients] == [False] * 3
    for client in clients:
        assert client.open("you@here.test") == ["250 2.1.5 Ok"]
    os.kill(hung, signal.SIGCONT)
    wait_until(lambda: Client(one).is_refused(), "it counts again, and knows of those three")


def test_counts_go_on_after_a_reload(limited):
    one = limited(smtpd_client_connection_rate_limit="3", smtpd_client_connection_count_limit="2",
                  anvil_rate_time_unit="1h")
    held = Client(one)
    Client(one).leave()
    one.reload()
    second = wait_until(lambda: Client(one), "a connection")
    assert not second.is_refused()
    assert Client(one).is_refused()  # two are there, and it is the fourth
    one.wait_for_log(r"warning: Connection concurrency limit exceeded: 3 from ")
    held.leave()
    second.leave()
    wait_until(lambda: re.search(r"warning: Connection rate limit exceeded: \d from ", one.log()) or
               Client(one).close(), "rates are counted on")


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_sender_counts_survive(limited, how):
    one = limited(smtpd_sender_message_rate_limit="1", smtpd_sender_rate_time_unit="1d", limit_save_time="1s")
    client = Client(one)
    client.say("EHLO client.example")
    assert client.mail("one@client.example").startswith("250")
    client.close()
    if how == "stop":
        one.stop()
        one.start()
    else:
        state = one.directory / "data" / "limitd"
        wait_until(lambda: b"one@client.example" in (state / "counters.0").read_bytes() +
                   (state / "counters.1").read_bytes(), "it is on disk")
        before = pid_of(one, "limitd")
        kill(one, "limitd")
        wait_until(lambda: pid_of(one, "limitd") not in (0, before), "another limitd")
    client = Client(one)
    client.say("EHLO client.example")

    def is_refused():
        answer = client.mail("one@client.example")
        client.say("RSET")
        return answer.startswith("450 4.7.1 ")

    wait_until(is_refused, "the count goes on")


def test_damaged_state(limited):
    one = limited(smtpd_sender_message_rate_limit="1", smtpd_sender_rate_time_unit="1d")
    client = Client(one)
    client.say("EHLO client.example")
    assert client.mail("one@client.example").startswith("250")
    client.close()
    one.stop()
    state = one.directory / "data" / "limitd"
    for name in ("counters.0", "counters.1"):
        content = (state / name).read_bytes()
        (state / name).write_bytes(content[:-1] + b"?" if content else b"?")
    one.start()
    one.wait_for_log(r"limitd\[\d+\]: warning: limitd\.state_damaged: ")
    client = Client(one)
    client.say("EHLO client.example")
    assert client.mail("one@client.example").startswith("250")  # counts began anew
    client.say("RSET")
    assert client.mail("one@client.example").startswith("450")
    client.close()
    one.stop()
    one.start()
    client = Client(one)
    client.say("EHLO client.example")
    assert client.mail("one@client.example").startswith("450")  # and are kept again


def test_statistics(limited):
    one = limited(smtpd_client_message_rate_limit="100", smtpd_client_recipient_rate_limit="100",
                  anvil_status_update_time="1s")
    clients = [Client(one) for _ in range(2)]
    clients[0].open("you@here.test", "you@here.test")
    at = r" at [A-Z][a-z][a-z] [ \d]\d \d\d:\d\d:\d\d$"
    who = rf" for \({service(one)}:127\.0\.0\.2\)"
    for what in ("rate 2/60s", "count 2"):
        one.wait_for_log(rf"limitd\[\d+\]: statistics: max connection {what}{who}{at}")
    one.wait_for_log(rf"statistics: max message rate 1/60s{who}{at}")
    one.wait_for_log(rf"statistics: max recipient rate 2/60s{who}{at}")
    one.wait_for_log(rf"statistics: max cache size \d+{at}")


# ---- stress


def test_stress(make_instance):
    one = make_instance("here", smtpd_processes="1", settings={
        "smtpd_client_limit": "3", "smtpd_timeout": "${stress?{1}:{300}}s"}).start()
    clients = [Client(one) for _ in range(3)]
    for client in clients:  # they waited when it began, and get the time that is left to them now
        assert client.reply() == "421 4.4.2 mx.here.test Error: timeout exceeded"
        assert client.is_closed()
    one.wait_for_log(r"limitd\[\d+\]: entering STRESS mode with 3 connections$")
    one.wait_for_log(r"limitd\[\d+\]: leaving STRESS mode with \d connections$")
    one.wait_for_log(r"timeout after CONNECT from unknown\[127\.0\.0\.2\]$")
    assert Client(one).say("NOOP").startswith("250")


def test_stress_of_all_processes(make_instance):
    one = make_instance("here", smtpd_processes="2", settings={
        "smtpd_client_limit": "2", "smtpd_error_sleep_time": "0"}).start()
    first = Client(one)
    assert first.say("NONSENSE").startswith("500 5.5.2")
    assert first.say("NOOP").startswith("250")
    clients = [first] + [Client(one) for _ in range(3)]
    one.wait_for_log(r"entering STRESS mode with 4 connections$")

    def is_strict():  # smtpd_hard_error_limit is 1 under stress
        for client in clients:
            if client.say("NONSENSE").startswith("421 4.7.0"):
                return True
            if client.connection.fileno() < 0 or client.reply().startswith("421 4.7.0"):
                return True
        return False

    assert is_strict()


def test_stress_that_is_set(make_instance):
    one = make_instance("here", settings={"smtpd_error_sleep_time": "0"})
    one.services = one.services.replace(" smtpd\n", " smtpd -o stress=yes\n", 1)
    one.write_configuration()
    one.start()
    client = Client(one)
    assert client.say("NONSENSE").startswith("500")
    assert client.reply() == "421 4.7.0 mx.here.test Error: too many errors"


def test_all_server_ports_are_busy(make_instance):
    one = make_instance("here", smtpd_processes="1", settings={
        "smtpd_client_limit": "1", "smtpd_timeout": "300s"}).start()
    first = Client(one)
    second = Client(one, "127.0.0.3")  # waits in the kernel's queue, then is told
    assert second.greeting == "421 4.3.2 All server ports are busy"
    assert second.is_closed()
    one.wait_for_log(r"NOQUEUE: reject: CONNECT from \[127\.0\.0\.3\]:\d+: all server ports busy$")
    first.leave()
    assert Client(one).greeting.startswith("220")


def test_one_full_process_is_no_reason_to_turn_anybody_away(make_instance):
    """Another one has room: it takes all that come, while the first is full for longer than anybody is
    asked to wait."""
    one = make_instance("here", smtpd_processes="2", settings={"smtpd_client_limit": "4"}).start()
    held = [Client(one) for _ in range(5)]
    for _ in range(70):
        client = Client(one, "127.0.0.3")
        assert client.greeting.startswith("220")
        client.leave()
        time.sleep(0.1)
    for client in held:
        client.leave()
    assert "server ports busy" not in one.log()


# ---- before the greeting


@pytest.fixture
def screened(make_instance):
    def make(**settings):
        settings.setdefault("smtpd_greet_wait", "1s")
        settings.setdefault("smtpd_greet_exceptions", "")
        return make_instance("here", settings=settings).start()
    return make


def test_a_client_that_waits_is_remembered(screened):
    one = screened()
    client = Client(one)
    assert client.greeting == "220-mx.here.test ESMTP Posthouse\n220 mx.here.test ESMTP Posthouse"
    one.wait_for_log(r"PASS NEW \[127\.0\.0\.2\]:\d+$")
    client.leave()
    assert Client(one).greeting == "220 mx.here.test ESMTP Posthouse"
    one.wait_for_log(r"PASS OLD \[127\.0\.0\.2\]:\d+$")
    assert Client(one, "127.0.0.3").greeting.startswith("220-")
    one.stop()
    one.start()
    assert Client(one).greeting == "220 mx.here.test ESMTP Posthouse"


def test_greet_drop(screened):
    one = screened(postscreen_greet_action="drop", postscreen_greet_banner="", smtpd_greet_wait="60s")
    client = Client(one, early=b"EHLO spam.example\r\n")
    assert client.greeting == "521 5.5.1 Protocol error"
    assert client.is_closed()
    one.wait_for_log(r"smtpd\[\d+\]: PREGREET 19 after [\d.]+ from \[127\.0\.0\.2\]:\d+: EHLO spam\.example\\r\\n$")


def test_greet_enforce(screened):
    one = screened(postscreen_greet_action="enforce", smtpd_greet_wait="60s")
    client = Client(one, early=b"EHLO spam.example\r\n")
    assert client.greeting == "220-mx.here.test ESMTP Posthouse\n220 mx.here.test ESMTP Posthouse"
    assert client.reply().startswith("250-mx.here.test")
    assert client.mail().startswith("250")
    assert client.say("RCPT TO:<you@here.test>") == "550 5.5.1 Protocol error"
    one.wait_for_log(r"NOQUEUE: reject: RCPT from unknown\[127\.0\.0\.2\]: 550 5\.5\.1 Protocol error; "
                     r"from=<sender@client\.example> to=<you@here\.test> proto=ESMTP helo=<spam\.example>$")


def test_greet_ignore(screened):
    one = screened(smtpd_greet_wait="60s")
    client = Client(one, early=b"EHLO spam.example\r\n")
    assert client.reply().startswith("250-mx.here.test")
    assert client.mail().startswith("250")
    assert client.say("RCPT TO:<you@here.test>").startswith("250")
    one.wait_for_log(r"PREGREET 19 after ")


def test_greet_hangup(screened):
    one = screened(smtpd_greet_wait="60s")
    with socket.create_connection((one.address, one.port), 30, ("127.0.0.2", 0)):
        pass
    one.wait_for_log(r"HANGUP after [\d.]+ from \[127\.0\.0\.2\]:\d+ in tests before SMTP handshake$")


def test_greet_exceptions(screened):
    one = screened(smtpd_greet_exceptions="$mynetworks", smtpd_greet_wait="60s")
    assert Client(one).greeting == "220 mx.here.test ESMTP Posthouse"


# ---- a session's limits


def trickle(client, count):
    """Byte by byte, until the server has had enough of it; its last words, or none."""
    client.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.connection.settimeout(0.1)
    for _ in range(count):
        client.connection.sendall(b"x")
        try:
            return client.connection.recv(1000).decode()
        except TimeoutError:
            pass
    client.connection.settimeout(30)
    return ""


@pytest.mark.parametrize("is_stressed", [False, True], ids=["set", "by-stress"])
def test_smtpd_per_request_deadline(make_instance, is_stressed):
    one = make_instance("here", settings={"smtpd_timeout": "1s"})
    if is_stressed:
        one.services = one.services.replace(" smtpd\n", " smtpd -o stress=yes\n", 1)
        one.write_configuration()
    else:
        one.set(smtpd_per_request_deadline="yes")
    one.start()
    client = Client(one)
    client.open("you@here.test")
    assert client.say("DATA").startswith("354")
    assert trickle(client, 300) == "421 4.4.2 mx.here.test Error: timeout exceeded\r\n"
    one.wait_for_log(r"timeout after DATA \(\d+ bytes\) from unknown\[127\.0\.0\.2\]$")


@pytest.mark.parametrize("settings", [{}, {"smtpd_per_request_deadline": "yes", "smtpd_min_data_rate": "1"}],
                         ids=["no-deadline", "fast-enough"])
def test_a_slow_line_is_no_trickle(make_instance, settings):
    one = make_instance("here", settings=dict(settings, smtpd_timeout="1s")).start()
    client = Client(one)
    client.open("you@here.test")
    assert client.say("DATA").startswith("354")
    assert trickle(client, 25) == ""
    assert client.say("\r\n.").startswith("250 2.0.0 Ok: queued as ")


def test_a_command_has_one_deadline(make_instance):
    one = make_instance("here", settings={"smtpd_timeout": "1s"}).start()
    assert trickle(Client(one), 300).startswith("421 4.4.2 ")


def test_smtpd_junk_command_limit(make_instance):
    one = make_instance("here", settings={"smtpd_junk_command_limit": "3", "smtpd_hard_error_limit": "2",
                                          "smtpd_error_sleep_time": "0"}).start()
    client = Client(one)
    for _ in range(4):
        assert client.say("NOOP").startswith("250")
    assert client.say("RSET").startswith("250")      # the first error
    assert client.say("VRFY you@here.test")[0] == "2"  # the second
    assert client.reply() == "421 4.7.0 mx.here.test Error: too many errors"


def test_accepted_mail_sets_error_counts_back(make_instance):
    one = make_instance("here", settings={"smtpd_junk_command_limit": "2", "smtpd_hard_error_limit": "3",
                                          "smtpd_error_sleep_time": "0"}).start()
    client = Client(one)
    for _ in range(4):
        for command in ("NONSENSE", "NONSENSE"):
            assert client.say(command).startswith("500")
        client.open("you@here.test")
        assert client.say("DATA").startswith("354")
        assert client.say(small_message() + b".\r\n").startswith("250")


def test_smtpd_recipient_overshoot_limit(make_instance):
    one = make_instance("here", settings={
        "smtpd_recipient_limit": "2", "smtpd_recipient_overshoot_limit": "2", "smtpd_hard_error_limit": "2",
        "smtpd_error_sleep_time": "0", "virtual_mailbox_maps": "static:x/"}).start()
    client = Client(one)
    answers = client.open(*(f"user{i}@here.test" for i in range(6)))
    assert [answer[:9] for answer in answers] == ["250 2.1.5"] * 2 + ["452 4.5.3"] * 4
    assert client.reply().startswith("421 4.7.0")  # the third and fourth too many were errors


def test_line_length_limit(make_instance):
    one = make_instance("here", settings={"line_length_limit": "512"}).start()
    client = Client(one)
    assert client.say("NOOP " + "x" * 505).startswith("250")
    assert client.say("NOOP " + "x" * 506) == "500 5.5.2 Error: line too long"
    client.open("you@here.test")
    assert client.say("DATA").startswith("354")
    assert client.say(b"Subject: x\r\n\r\n" + b"y" * 5000 + b"\r\n.\r\n").startswith("250")
    [message] = one.wait_for_mail("you@here.test")
    assert message.get_content() == "y" * 5000 + "\n"


def test_header_size_limit(make_instance):
    one = make_instance("here", settings={"header_size_limit": "1024"}).start()
    one.send("you@here.test", b"Subject: " + b"s" * 2000 + b"\r\nX-Folded: f\r\n" + b" f\r\n" * 500 +
             b"X-Short: kept\r\n\r\n" + b"b" * 2000 + b"\r\n")
    [message] = one.wait_for_mail("you@here.test")
    assert message["Subject"] == "s" * (1024 - len("Subject: "))
    assert message["X-Folded"].count("f") in range(250, 260)
    assert message["X-Short"] == "kept"
    assert message.get_content() == "b" * 2000 + "\n"
    client = Client(one)
    client.open("you@here.test")
    assert client.say("DATA").startswith("354")
    assert client.say(b"X-Many: 0123456789\r\n" * 500 + b"\r\n.\r\n") == \
        "552 5.3.4 Error: message header too big"


def test_hopcount_limit(make_instance):
    one = make_instance("here", settings={"hopcount_limit": "3"}).start()
    received = b"Received: from a by b; Sun, 22 Nov 2026 10:00:00 +0000\r\n"
    one.send("you@here.test", received + small_message())
    client = Client(one)
    client.open("you@here.test")
    assert client.say("DATA").startswith("354")
    assert client.say(received * 2 + small_message() + b".\r\n") == "554 5.4.0 Error: too many hops"


def test_smtpd_noop_commands(make_instance):
    one = make_instance("here", settings={"smtpd_noop_commands": "FROBNICATE, vrfy"}).start()
    client = Client(one)
    assert client.say("FROBNICATE it") == "250 2.0.0 Ok"
    assert client.say("VRFY unknown@here.test") == "250 2.0.0 Ok"


@pytest.mark.parametrize("name", ["smtpd_noop_commands", "smtpd_forbidden_commands"])
def test_a_list_of_commands_that_cannot_tell(make_instance, name):
    """Postfix's answer: a warning, and the command is in no list."""
    one = make_instance("here", settings={name: "fail:broken FROBNICATE"}).start()
    client = Client(one)
    assert client.say("FROBNICATE it").startswith("500 5.5.2 ")
    assert client.say("NOOP") == "250 2.0.0 Ok"
    one.wait_for_log(rf"smtpd\[\d+\]: warning: {name}: fail:broken: table lookup problem$")
