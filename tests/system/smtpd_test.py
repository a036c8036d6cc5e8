"""What a client sees: policy, and each limit by its name."""

import os
import re
import signal
import socket
import subprocess

import pytest

from harness.instance import small_message, wait_until
from harness.raw import Raw


def test_banner_and_extensions(here):
    raw = Raw(here)
    assert raw.greeting.startswith("220 mx.here.test ESMTP")
    words = [line[4:] for line in raw.say("EHLO client.example").splitlines()]
    assert words[0].startswith("mx.here.test")
    assert {"PIPELINING", "SIZE 10240000", "8BITMIME", "ENHANCEDSTATUSCODES"} <= set(words)
    assert raw.say("QUIT").startswith("221 2.0.0")
    assert raw.is_closed()


def test_relay_only_for_mynetworks(make_instance):
    one = make_instance("here", settings={"mynetworks": "192.0.2.0/24"}).start()
    raw = Raw(one)
    [answer] = raw.open("friend@there.test")
    assert answer == "554 5.7.1 <friend@there.test>: Relay access denied" or \
        answer == "454 4.7.1 <friend@there.test>: Relay access denied"
    assert raw.say("RCPT TO:<you@here.test>").startswith("250 2.1.5")
    one.wait_for_log(r"NOQUEUE: reject: RCPT from \S+\[127\.0\.0\.1\]: [45]54 [45]\.7\.1 <friend@there\.test>: "
                     r"Relay access denied; from=<sender@client\.example> to=<friend@there\.test> proto=ESMTP "
                     r"helo=<client\.example>$")


def test_access_tables_that_postmap_makes(make_instance):
    """The daemon opens no files: addrd looks into them."""
    one = make_instance("here", users=["you@here.test"])
    access = one.etc / "access"
    access.write_text("client.example REJECT not from there\nother.example OK\n")
    assert one.run("postmap", f"hash:{access}").returncode == 0
    one.set(smtpd_sender_restrictions=f"check_sender_access hash:{access}, permit")
    one.start()
    assert Raw(one).open("you@here.test") == [
        "554 5.7.1 <sender@client.example>: Sender address rejected: not from there"]
    raw = Raw(one)
    raw.say("EHLO client.example")
    raw.say("MAIL FROM:<sender@other.example>")
    assert raw.say("RCPT TO:<you@here.test>").startswith("250 2.1.5")


def test_unknown_recipient_is_refused_at_rcpt(here):
    [answer] = Raw(here).open("unknown@here.test")
    assert answer == ("550 5.1.1 <unknown@here.test>: Recipient address rejected: "
                      "User unknown in virtual mailbox table")
    here.wait_for_log(r"NOQUEUE: reject: RCPT from .*User unknown in virtual mailbox table; ")


@pytest.fixture
def stranger(make_instance):
    """As here, but for no leniency towards clients on this machine."""
    return make_instance("here", users=["you@here.test"], settings={
        "smtpd_forbid_bare_newline_exclusions": "", "local_header_rewrite_clients": ""}).start()


@pytest.mark.parametrize("content", [
    b"Subject: x\r\n\r\nbare\nnewline\r\n.\r\n", b"Subject: x\r\n\r\nbare\rreturn\r\n.\r\n",
    b"Subject: x\r\n\r\nnul\0byte\r\n.\r\n", b"Subject: x\r\n\r\nx\n.\nQUIT\r\n.\r\n",
    b"Subject: x\r\n\r\nx\n.\r\nQUIT\r\n.\r\n", b"Subject: x\r\n\r\nx\r\n.\nQUIT\r\n.\r\n",
    b"Subject: x\r\n\r\nx\r\n.\rQUIT\r\n.\r\n", b"Subject: x\r\n\r\nx\r.\r\nQUIT\r\n.\r\n",
], ids=["lf", "cr", "nul", "lf-dot-lf", "lf-dot-crlf", "crlf-dot-lf", "crlf-dot-cr", "cr-dot-crlf"])
def test_only_crlf_dot_crlf_ends_data(stranger, content):
    here = stranger
    raw = Raw(here)
    raw.open("you@here.test")
    assert raw.say("DATA").startswith("354")
    answer = raw.say(content)
    assert answer.startswith(("521", "550", "554")), answer
    assert not here.messages("you@here.test")


def test_bare_newline_in_a_command(stranger):
    raw = Raw(stranger)
    assert raw.say(b"EHLO client.example\nMAIL FROM:<>\r\n")[0] == "5"


@pytest.mark.parametrize("mode", ["normalize", "note", "yes", "no"])
def test_smtpd_forbid_bare_newline(make_instance, mode):
    one = make_instance("here", settings={"smtpd_forbid_bare_newline": mode, "smtpd_forbid_bare_newline_exclusions": "",
                                          "local_header_rewrite_clients": ""}).start()
    raw = Raw(one)
    assert raw.say(b"EHLO client.example\n").startswith("250")
    raw.open("you@here.test")
    assert raw.say("DATA").startswith("354")
    assert raw.say(b"Subject: x\n\nfirst\n.\nQUIT\r\nlone\rreturn\n.\r\n.\r\n").startswith("250 2.0.0")
    one.wait_for_mail("you@here.test")
    [message] = one.messages("you@here.test")
    assert message.read_bytes().split(b"\n\n", 1)[1] == b"first\n.\nQUIT\nlone return\n.\n"
    raw.say("QUIT")
    one.wait_for_log(r"disconnect from \S+ .*commands=\d+" + (" notes=bare_lf$" if mode == "note" else "$"))


def test_headers_of_local_clients(make_instance):
    one = make_instance("here", settings={"mydomain": "here.test", "append_dot_mydomain": "yes"}).start()
    raw = Raw(one)
    raw.open("you@here.test")
    assert raw.say("DATA").startswith("354")
    assert raw.say(b"To: you (me), Friend <friend@here>\r\nBcc: secret@here.test\r\n\r\nx\r\n.\r\n").startswith("250")
    one.wait_for_mail("you@here.test")
    [message] = one.messages("you@here.test")
    header = message.read_text().split("\n\n")[0]
    assert "\nTo: you@mx.here.test (me), Friend <friend@here.here.test>\n" in header
    assert "Bcc" not in header
    for field in (r"Message-Id: <\d{14}\.\w+@mx\.here\.test>", r"Date: \w{3}, .*", "From: sender@client.example"):
        assert re.search(f"^{field}$", header, re.M), header


def test_message_size_limit(make_instance):
    one = make_instance("here", settings={"message_size_limit": "20000", "virtual_mailbox_limit": "20000"}).start()
    raw = Raw(one)
    assert "SIZE 20000" in raw.say("EHLO client.example")
    assert raw.say("MAIL FROM:<a@client.example> SIZE=20001").startswith("552 5.3.4")
    assert raw.say("MAIL FROM:<a@client.example> SIZE=20000").startswith("250")
    assert raw.say("RCPT TO:<you@here.test>").startswith("250")
    assert raw.say("DATA").startswith("354")
    assert raw.say(b"Subject: x\r\n\r\n" + (b"x" * 98 + b"\r\n") * 300 + b".\r\n").startswith("552 5.3.4")
    assert raw.say("NOOP").startswith("250")
    assert not one.messages("you@here.test")


def test_smtpd_recipient_limit(make_instance):
    one = make_instance("here", settings={"smtpd_recipient_limit": "3",
                                          "virtual_mailbox_maps": "static:x/"}).start()
    answers = Raw(one).open(*(f"user{i}@here.test" for i in range(4)))
    assert [answer[:3] for answer in answers] == ["250", "250", "250", "452"]
    assert answers[3].startswith("452 4.5.3")


def test_smtpd_hard_error_limit(make_instance):
    one = make_instance("here", settings={"smtpd_hard_error_limit": "3", "smtpd_error_sleep_time": "0"}).start()
    raw = Raw(one)
    answers = [raw.say("NONSENSE") for _ in range(3)]
    assert [answer[:9] for answer in answers] == ["500 5.5.2"] * 3, answers
    assert raw.reply().startswith("421 4.7.0")
    assert raw.is_closed()
    one.wait_for_log(r"too many errors after \w+ from \S+\[127\.0\.0\.1\]")


def test_smtpd_timeout(make_instance):
    one = make_instance("here", settings={"smtpd_timeout": "1s"}).start()
    raw = Raw(one)
    assert raw.reply().startswith("421 4.4.2")
    assert raw.is_closed()
    one.wait_for_log(r"timeout after CONNECT from \S+\[127\.0\.0\.1\]")


def test_smtpd_helo_required(make_instance):
    one = make_instance("here", settings={"smtpd_helo_required": "yes"}).start()
    assert Raw(one).say("MAIL FROM:<>").startswith("503 5.5.1")


def test_disable_vrfy_command(make_instance):
    one = make_instance("here", settings={"disable_vrfy_command": "yes"}).start()
    raw = Raw(one)
    raw.say("EHLO client.example")
    assert raw.say("VRFY you@here.test").startswith("502 5.5.1")


def test_vrfy(here):
    raw = Raw(here)
    raw.say("EHLO client.example")
    assert raw.say("VRFY you@here.test").startswith("252 2.0.0")
    assert raw.say("VRFY unknown@here.test").startswith("550 5.1.1")


def test_smtpd_banner(make_instance):
    one = make_instance("here", settings={"smtpd_banner": "$myhostname ESMTP at your service"}).start()
    assert Raw(one).greeting == "220 mx.here.test ESMTP at your service"


def test_service_options_override_main_cf(make_instance):
    one = make_instance("here")
    one.services = one.services.replace(" smtpd\n", " smtpd\n    -o smtpd_banner=$myhostname\\ by\\ option\n"
                                        "    -o { smtpd_helo_required = yes }\n", 1)
    one.services = one.services.replace("-o smtpd_banner=$myhostname\\ by\\ option",
                                        "-o { smtpd_banner = $myhostname by option }")
    one.write_configuration()
    one.start()
    raw = Raw(one)
    assert raw.greeting == "220 mx.here.test by option"
    assert raw.say("MAIL FROM:<>").startswith("503")


def test_many_sessions_at_once(here):
    sessions = [Raw(here) for _ in range(40)]
    for raw in sessions:
        assert raw.greeting.startswith("220")
        assert raw.open("you@here.test") == ["250 2.1.5 Ok"]
    for raw in sessions:
        assert raw.say("DATA").startswith("354")
        assert raw.say(small_message() + b".\r\n").startswith("250 2.0.0 Ok: queued as ")
    here.wait_for_mail("you@here.test", 40)


def test_pipelined_transaction(here):
    raw = Raw(here)
    raw.say("EHLO client.example")
    raw.connection.sendall(b"MAIL FROM:<a@client.example>\r\nRCPT TO:<you@here.test>\r\n"
                           b"RCPT TO:<unknown@here.test>\r\nDATA\r\n")
    assert [raw.reply()[:3] for _ in range(4)] == ["250", "250", "550", "354"]
    assert re.match("250 2.0.0 Ok: queued as ", raw.say(small_message() + b".\r\n"))


def test_byte_by_byte(make_instance):
    # Nothing waits for an answer here, which is allowed only when it is said so.
    here = make_instance("here", settings={"smtpd_forbid_unauth_pipelining": "no"}).start()
    raw = Raw(here)
    everything = (b"EHLO client.example\r\nMAIL FROM:<a@client.example>\r\nRCPT TO:<you@here.test>\r\nDATA\r\n" +
                  small_message(body=".dot\r\n").replace(b"\r\n.", b"\r\n..") + b".\r\nQUIT\r\n")
    raw.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for i in range(len(everything)):
        raw.connection.sendall(everything[i:i + 1])
    answers = [raw.reply()[:3] for _ in range(6)]
    assert answers == ["250", "250", "250", "354", "250", "221"]
    here.wait_for_mail("you@here.test")


def test_lost_connection_in_data_leaves_nothing(here):
    raw = Raw(here)
    raw.open("you@here.test")
    raw.say("DATA")
    raw.connection.sendall(b"Subject: half a mess")
    raw.stream.close()
    raw.connection.close()
    here.wait_for_log(r"lost connection after DATA \(\d+ bytes\) from \S+\[127\.0\.0\.1\]")
    here.wait_for_empty_queue()
    assert not here.messages("you@here.test")


def test_smtpd_client_limit(make_instance):
    one = make_instance("here", settings={"smtpd_client_limit": "2"}, smtpd_processes="1").start()
    first, second = Raw(one), Raw(one)
    # The third waits in the kernel's queue until there is room.
    connection = socket.create_connection((one.address, one.port), 30)
    connection.settimeout(0.5)
    with pytest.raises(TimeoutError):
        connection.recv(100)
    assert first.say("QUIT").startswith("221")
    connection.settimeout(30)
    assert connection.recv(100).startswith(b"220 ")
    assert second.say("NOOP").startswith("250")


def test_unknown_recipient_reject_code(make_instance):
    one = make_instance("here", settings={"unknown_virtual_mailbox_reject_code": "450"}).start()
    [answer] = Raw(one).open("unknown@here.test")
    assert answer.startswith("450 4.1.1 <unknown@here.test>: Recipient address rejected: ")


def test_smtpd_reject_unlisted_recipient(make_instance):
    one = make_instance("here", settings={"smtpd_reject_unlisted_recipient": "no"}).start()
    assert Raw(one).open("unknown@here.test") == ["250 2.1.5 Ok"]


def test_client_name_of_loopback(make_instance):
    one = make_instance("here", settings={"smtpd_peername_lookup": "yes"}).start()
    assert Raw(one).say("QUIT").startswith("221")
    one.wait_for_log(r"disconnect from localhost\[127\.0\.0\.1\] quit=1 commands=1$")


def kill(instance, program):
    """Every process of that name below the instance's master."""
    master = next(int(line.split()[0]) for line in ps() if f"-c {instance.etc} " in line + " "
                  and "master" in line.split()[2])
    for line in ps():
        number, parent, name = line.split()[:3]
        if int(parent) == master and name == program:
            os.kill(int(number), signal.SIGKILL)


def ps():
    return subprocess.run(["ps", "-eo", "pid=,ppid=,args="], check=True, capture_output=True,
                          text=True).stdout.splitlines()


@pytest.mark.parametrize("program", ["addrd", "qmgr"])
def test_a_session_outlives_its_helpers(here, program):
    """Killed between two transactions of a session: the next one waits, or is put off, and the
    session goes on."""
    raw = Raw(here)
    assert raw.open("you@here.test") == ["250 2.1.5 Ok"]
    kill(here, program)
    assert raw.say("RSET").startswith("250")

    def accepts(command):
        answer = raw.say(command)
        assert answer[:3] in ("250", "451"), answer
        return answer[:3] == "250"

    def is_served():
        assert raw.say("RSET").startswith("250")
        if not accepts("MAIL FROM:<sender@client.example>") or not accepts("RCPT TO:<you@here.test>"):
            return False
        assert raw.say("DATA").startswith("354")
        return accepts(small_message() + b".\r\n")  # its id may be from a qmgr that is gone

    wait_until(is_served, f"mail is taken after the death of {program}")
    here.wait_for_mail("you@here.test")
