"""authd as other mail servers see it, over Dovecot's authentication protocol: who gets in, who is
locked out, what happens when a database is away; and real peers on both sides of the protocol."""

import base64
import fcntl
import hashlib
import json
import os
import pwd
import re
import shutil
import signal
import smtplib
import socket
import sqlite3
import ssl
import stat
import struct
import subprocess
import termios
import threading
import time

import pytest

from harness import databases, https, more_peers, peers, processes
from harness.authentication import Asker, Scram, encode, encode_url, jwt, scram_verifier
from harness.instance import free_port, wait_until
from limits_test import pid_of
from smtpd_test import kill, ps
from submission_test import context_for, submission  # noqa: F401  (a fixture)

USERS = f"""\
ann:{{PLAIN}}secret
bob@example.org:{{SCRAM-SHA-256}}{scram_verifier("secret")}
carl:{{SCRAM-SHA-1}}{scram_verifier("secret", "sha1")}
"""
MECHANISMS = "scram-sha-256, scram-sha-1, cram-md5, plain, login"
FORWARDED = 60      # of 10 KB: more than a Unix socket holds


def reached(one):
    return os.path.join(one.directory, "auth")


@pytest.fixture
def authenticating(make_instance):
    """authenticating(users, setting=value ...): a running instance with the socket and users."""
    def make(users=USERS, **settings):
        one = make_instance("here")
        (one.etc / "passwords").write_text(users)
        (one.etc / "passwords").chmod(0o644)
        one.set(**{"auth_socket": reached(one), "auth_databases": f"passwd-file:{one.etc}/passwords",
                   "auth_mechanisms": MECHANISMS, "auth_failure_delay": "0", **settings})
        one.start()
        return one
    return make


def test_mechanisms(authenticating):
    one = authenticating()
    with Asker(reached(one)) as asker:
        assert list(asker.mechanisms) == ["SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN"]
        assert "plaintext" in asker.mechanisms["PLAIN"]
        assert asker.plain("ann", "secret") == ("OK", ["user=ann"])
        assert asker.login("ann", "secret") == ("OK", ["user=ann"])
        assert asker.plain("ann", "Secret") == ("FAIL", ["user=ann"])
        assert asker.login("nobody", "secret") == ("FAIL", ["user=nobody"])
        # From a password in clear, from a verifier, and a verifier by PLAIN.
        assert asker.scram("ann", "secret") == ("OK", ["user=ann"])
        assert asker.scram("ann", "Secret") == ("FAIL", ["user=ann"])
        assert asker.scram("ann", "secret", "sha1", "SCRAM-SHA-1") == ("OK", ["user=ann"])
        assert asker.scram("bob@example.org", "secret") == ("OK", ["user=bob@example.org"])
        assert asker.scram("bob@example.org", "geheim")[0] == "FAIL"
        assert asker.plain("bob@example.org", "secret")[0] == "OK"
        assert asker.scram("carl", "secret", "sha1", "SCRAM-SHA-1")[0] == "OK"
        assert asker.scram("carl", "secret")[0] == "FAIL"       # there is no verifier of that kind
        assert asker.scram("nobody", "secret")[0] == "FAIL"
    log = one.wait_for_log(r"authd\[\d+\]: auth\.failed: .*user=carl .*reason=")
    assert "secret" not in one.log() and "geheim" not in one.log(), log


def test_salts_of_nobody_look_like_those_of_users(authenticating):
    one = authenticating()

    def salt_of(asker, user):
        asker.begin("SCRAM-SHA-256", f"n,,n={user},r=0123456789".encode())
        words = asker.read()
        assert words[0] == "CONT"
        asker.send(f"CANCEL\t{asker.number}")
        return [word for word in base64.b64decode(words[2]).decode().split(",") if word[0] in "si"]

    with Asker(reached(one)) as asker:
        salt_of(asker, "bob@example.org")
        first = salt_of(asker, "nobody")
        # Capitals are nothing to a database, whether it has the user or not.
        for user in ("nobody", "ann", "bob@example.org"):
            assert salt_of(asker, user.upper()) == salt_of(asker, user)
        assert salt_of(asker, "nobody") == first != salt_of(asker, "nobody.else")
        assert len(first[0]) == len(salt_of(asker, "bob@example.org")[0])
    one.stop()
    one.start()
    with Asker(reached(one)) as asker:
        assert salt_of(asker, "nobody") == first


def test_nobody_has_the_iterations_of_users(authenticating):
    users = "".join(f"{name}:{{SCRAM-SHA-256}}{scram_verifier('secret', iterations=8192)}\n" for name in ("bob", "eve"))
    one = authenticating(users)

    def iterations_of(asker, user):
        asker.begin("SCRAM-SHA-256", f"n,,n={user},r=0123456789".encode())
        words = asker.read()
        asker.send(f"CANCEL\t{asker.number}")
        return base64.b64decode(words[2]).decode().rpartition(",i=")[2]

    with Asker(reached(one)) as asker:
        assert asker.scram("bob", "secret") == ("OK", ["user=bob"])
        assert iterations_of(asker, "nobody") == iterations_of(asker, "eve") == "8192"
        assert asker.scram("nobody", "secret")[0] == "FAIL"
        # Where passwords are stored as they are, too, nobody looks like their users.
        (one.etc / "passwords").write_text(users + "ann:{PLAIN}secret\n")
        wait_until(lambda: asker.plain("ann", "secret")[0] == "OK", "the file is read anew")
        assert asker.scram("ann", "secret") == ("OK", ["user=ann"])
        assert iterations_of(asker, "nobody") == iterations_of(asker, "ann")
        assert asker.scram("nobody", "secret")[0] == "FAIL"
        assert asker.scram("bob", "secret") == ("OK", ["user=bob"])


def test_many_at_once_in_any_order(authenticating):
    one = authenticating(auth_user_failure_limit="0")
    with Asker(reached(one)) as asker:
        for i in range(60):
            asker.begin("PLAIN", f"\0ann\0{'secret' if i % 3 else f'wrong{i}'}".encode(), address=f"192.0.2.{i}")
        answers = {}
        for _ in range(60):
            words = asker.read()
            answers[int(words[1])] = words[0]
        assert all(answers[i + 1] == ("OK" if i % 3 else "FAIL") for i in range(60)), answers


@pytest.mark.parametrize("lines", [
    "VERSION\t2\t0\n", "AUTH\t1\tPLAIN\tservice=smtp\n", "x" * 20000, "VERSION\t1\t1\nCPID\t1\nAUTH\n",
    "VERSION\t1\t1\nCPID\t1\nAUTH\tx\tPLAIN\n"])
def test_nonsense_ends_the_connection(authenticating, lines):
    one = authenticating()
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(30)
        connection.connect(reached(one))
        connection.sendall(lines.encode())
        try:
            while connection.recv(4096):
                pass
        except ConnectionResetError:
            pass
    with Asker(reached(one)) as asker:      # others are served
        assert asker.plain("ann", "secret")[0] == "OK"
        asker.send("NOVELTY\t1")            # of a later version
        asker.begin("PLAIN")
        assert asker.read() == ["CONT", str(asker.number), ""]
        asker.send(f"CONT\t{asker.number}\t***")
        assert asker.read()[0] == "FAIL"
        asker.go_on(b"late")
        assert asker.read()[0] == "FAIL"
        assert asker.plain("ann", "secret")[0] == "OK"


def test_certificates_are_shown_by_the_program_and_not_by_its_client(authenticating):
    """What stands behind a response could be the client's words."""
    one = authenticating(auth_mechanisms="external, plain")
    shown = ["valid-client-cert", "cert_username=ann"]
    for words, answer in ((shown + ["resp="], ["OK", "1", "user=ann"]), (shown + ["resp=="], ["OK", "1", "user=ann"]),
                          (["resp="] + shown, ["FAIL"]), (["resp="], ["FAIL"]), (["cert_username=ann", "resp="], ["FAIL"])):
        with Asker(reached(one)) as asker:
            asker.send("\t".join(["AUTH", "1", "EXTERNAL", "service=smtp", "rip=192.0.2.7", *words]))
            assert asker.read()[:len(answer)] == answer, words


def test_programs_of_older_versions(authenticating):
    """As Exim and Postfix are. They send an empty response where the client sent none."""
    one = authenticating()
    one.tolerate("auth.database_unavailable")
    for version, word in ((0, "CONT"), (1, "CONT"), (2, "FAIL")):
        with Asker(reached(one), version) as asker:
            asker.begin("PLAIN", b"")
            assert asker.read()[:2] == [word, "1"]
            if word == "CONT":
                asker.go_on(b"\0ann\0secret")
                assert asker.read() == ["OK", "1", "user=ann"]
    (one.etc / "passwords").unlink()
    for version, word in ((0, ""), (1, "FAIL")):     # the oldest do not know what is temporary: an end is
        with Asker(reached(one), version) as asker:
            asker.begin("PLAIN", b"\0ann\0secret")
            assert asker.read()[0] == word


# ---- lock-out ----

def test_guessing_locks_the_address_and_not_the_user(authenticating):
    one = authenticating(auth_address_failure_limit="3", auth_user_failure_limit="5")
    home, office, stranger = "192.0.2.10", "198.51.100.5", "203.0.113.9"
    with Asker(reached(one)) as asker:
        assert asker.plain("ann", "secret", address=home)[0] == "OK"
        for i in range(3):
            assert asker.plain("ann", f"guess{i}", address=stranger) == ("FAIL", ["user=ann"])
        # Whoever he says to be, and even with the right password.
        assert asker.plain("ann", "secret", address=stranger) == ("FAIL", ["user=ann", "temp"])
        assert asker.scram("bob@example.org", "secret", address=stranger)[1][-1] == "temp"
        for i in range(2):
            assert asker.plain("ann", f"guess{i}", address=f"203.0.113.{20 + i}")[1] == ["user=ann"]
        # Where ann has never been, nobody is ann for a while; at home she is.
        assert asker.plain("ann", "secret", address=office) == ("FAIL", ["user=ann", "temp"])
        assert asker.plain("ann", "secret", address=home)[0] == "OK"
        assert asker.plain("carl", "secret", address=office)[0] == "OK"
    one.wait_for_log(r"auth\.put_off: client=unknown\[203\.0\.113\.9\].*too many failures from this address")
    # It is known beyond restarts, of authd and of all.
    before = pid_of(one, "authd")
    kill(one, "authd")
    wait_until(lambda: pid_of(one, "authd") not in (0, before), "another authd")
    with connected(one) as asker:
        assert asker.plain("ann", "secret", address=office) == ("FAIL", ["user=ann", "temp"])
    one.stop()
    one.start()
    with connected(one) as asker:
        assert asker.plain("ann", "secret", address=office) == ("FAIL", ["user=ann", "temp"])
        assert asker.plain("ann", "secret", address=home)[0] == "OK"


def test_guesses_side_by_side_are_no_more_than_one_after_the_other(authenticating):
    one = authenticating(auth_address_failure_limit="3", auth_user_failure_limit="5")

    def answers(guesses, addresses):
        with Asker(reached(one)) as asker:
            for guess, address in zip(guesses, addresses):
                asker.begin("PLAIN", f"\0ann\0{guess}".encode(), address=address)
            return [asker.read() for _ in guesses]

    # Who has the password is let in, however many come at once.
    assert {words[0] for words in answers(["secret"] * 40, ["192.0.2.10"] * 40)} == {"OK"}
    judged = [words for words in answers([f"guess{i}" for i in range(40)], ["203.0.113.9"] * 40) if "temp" not in words]
    assert len(judged) == 3 and all(words[0] == "FAIL" for words in judged)
    # From everywhere at once; three of the user's five are used up. And where the user is known.
    many = answers([f"other{i}" for i in range(40)], [f"198.51.100.{i}" for i in range(40)])
    assert len([words for words in many if "temp" not in words]) == 2
    home = answers([f"more{i}" for i in range(40)], ["192.0.2.10"] * 40)
    assert len([words for words in home if "temp" not in words]) == 5


def connected(one):
    """As soon as there is somebody."""
    def attempt():
        try:
            return Asker(reached(one))
        except OSError:
            return None
    return wait_until(attempt, "authd takes connections")


def waiting_bytes(connection):
    """What has been written to it and not been read."""
    return struct.unpack("i", fcntl.ioctl(connection, termios.FIONREAD, b"\0" * 4))[0]


def mechanisms_of(one):
    with connected(one) as asker:
        return set(asker.mechanisms)


def test_a_program_that_repeats_one_wrong_password_is_not_locked_out(authenticating):
    one = authenticating(auth_address_failure_limit="3")
    with Asker(reached(one)) as asker:
        for _ in range(6):
            assert asker.plain("ann", "last year's") == ("FAIL", ["user=ann"])
        assert asker.plain("ann", "secret")[0] == "OK"


def test_a_network_of_ipv6_is_one_client(authenticating):
    one = authenticating(auth_address_failure_limit="3")
    with Asker(reached(one)) as asker:
        for i in range(3):
            assert asker.plain("ann", f"guess{i}", address=f"2001:db8:1:2::{i}")[1] == ["user=ann"]
        assert asker.plain("ann", "secret", address="2001:db8:1:2:3:4:5:6")[1][-1] == "temp"
        assert asker.plain("ann", "secret", address="2001:db8:1:3::1")[0] == "OK"


@pytest.mark.parametrize("address", [None, "", "unknown", "192.0.2.7.1"])
def test_clients_without_an_address_are_one_client(authenticating, address):
    one = authenticating(auth_address_failure_limit="3")
    with Asker(reached(one)) as asker:
        for i in range(3):
            assert asker.plain(f"nobody{i}", "guess", address=address) == ("FAIL", [f"user=nobody{i}"])
        for other in (None, "", "unknown", "192.0.2.7.1"):
            assert asker.plain("ann", "secret", address=other) == ("FAIL", ["user=ann", "temp"])
        assert asker.plain("ann", "secret", address="192.0.2.1")[0] == "OK"


def test_exceptions_and_no_limitd(authenticating):
    one = authenticating(auth_address_failure_limit="2", auth_failure_exceptions="192.0.2.0/24")
    with Asker(reached(one)) as asker:
        for i in range(4):
            assert asker.plain("ann", f"guess{i}", address="192.0.2.1")[1] == ["user=ann"]
        assert asker.plain("ann", "secret", address="192.0.2.1")[0] == "OK"
    one.tolerate("limitd")
    kill(one, "limitd")
    with connected(one) as asker:
        assert asker.plain("ann", "secret", address="198.51.100.1")[0] == "OK"


def test_failures_are_held_back_and_others_are_not(authenticating):
    one = authenticating(auth_failure_delay="2s")
    with Asker(reached(one)) as asker:
        wrong = asker.begin("PLAIN", b"\0ann\0wrong")
        right = asker.begin("PLAIN", b"\0ann\0secret")
        assert asker.read()[:2] == ["OK", str(right)]
        assert asker.read()[:2] == ["FAIL", str(wrong)]


def test_who_has_gone_keeps_no_place(authenticating):
    one = authenticating(auth_failure_delay="60s", auth_failure_delay_limit="60s", auth_address_failure_limit="0")
    with Asker(reached(one)) as asker:      # the kind that cancels
        for _ in range(499):
            asker.begin("NOVELTY")
        asker.send(*(f"CANCEL\t{number}" for number in range(1, 500)))
        for _ in range(4):                  # the kind that leaves
            with Asker(reached(one)) as rude:
                for i in range(400):
                    rude.begin("NOVELTY")
                rude.begin("LOGIN")         # the others have begun, too
                assert rude.read()[:2] == ["CONT", "401"]
        # All of 2000 places, if those had kept theirs.
        assert asker.plain("ann", "secret")[0] == "OK"


# ---- databases that are away ----

def test_a_database_that_is_away(authenticating):
    one = authenticating()
    one.tolerate("auth.database_unavailable")
    (one.etc / "passwords").unlink()
    with Asker(reached(one)) as asker:
        assert asker.plain("ann", "secret") == ("FAIL", ["user=ann", "temp"])
        assert asker.scram("ann", "secret")[1][-1] == "temp"
        one.wait_for_log(r"error: auth\.database_unavailable: database=passwd-file:\S+ reason=\"cannot read .*No such "
                         r"file or directory\" effect=")
        (one.etc / "passwords").write_text(USERS)
        (one.etc / "passwords").chmod(0o644)
        assert asker.plain("ann", "secret")[0] == "OK"
        one.wait_for_log(r"auth\.database_available: database=passwd-file:")
        assert len(re.findall("auth.database_unavailable", one.log())) == 1     # for two clients
        (one.etc / "passwords").chmod(0)
        (one.etc / "passwords").write_text("ann:{PLAIN}new\n")
        if os.geteuid() == 0:
            assert asker.plain("ann", "new")[1][-1] == "temp"


def test_the_first_database_that_knows_the_user_decides(authenticating):
    one = authenticating(auth_databases="static:dora:{PLAIN}one, passwd-file:/nowhere/users, static:erna:two")
    one.tolerate("auth.database_unavailable")
    with Asker(reached(one)) as asker:
        assert asker.plain("dora", "one")[0] == "OK"
        assert asker.plain("dora", "two")[1] == ["user=dora"]
        assert asker.plain("erna", "three")[1][-1] == "temp"    # the one that is away might know her
        assert asker.plain("nobody", "x")[1][-1] == "temp"


def test_workers_that_die_are_replaced(authenticating):
    one = authenticating()
    one.tolerate("a worker has ended")
    with Asker(reached(one)) as asker:
        assert asker.plain("ann", "secret")[0] == "OK"
        workers = [grandchild for child in children_of(pid_of(one, "authd")) for grandchild in children_of(child)]
        assert workers
        for pid in workers:
            os.kill(pid, 9)
        assert asker.plain("ann", "secret")[0] == "OK"


def children_of(parent):
    return [int(line.split()[0]) for line in ps() if int(line.split()[1]) == parent]


class Swapper:
    """Owns the directory of the socket, and puts a link to somebody's file in the place of whatever
    appears there under the name that is meant to be passing."""

    def __init__(self, path, victim):
        self.path, self.victim, self.is_over, self.count = path, victim, threading.Event(), 0
        self.thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()

    def _run(self):
        link = self.path.with_name("link")
        while not self.is_over.is_set():
            try:
                if not self.path.is_symlink() and self.path.exists():
                    link.symlink_to(self.victim)
                    link.rename(self.path)
                    self.count += 1
            except OSError:
                pass


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away")
def test_the_socket_is_given_to_whom_it_is_meant_for_and_nothing_else(make_instance):
    one = make_instance("here", users=["you@here.test"])
    place = one.etc.parent / "theirs"
    place.mkdir()
    victim = one.etc.parent / "victim"
    victim.write_text("root's own")
    victim.chmod(0o600)
    one.set(auth_socket=place / "auth", auth_socket_owner="nobody", auth_socket_mode="0640",
            auth_databases=f"passwd-file:{one.etc}/passwords")
    (one.etc / "passwords").write_text("")
    one.start()
    facts = (place / "auth").stat()
    assert (stat.S_IMODE(facts.st_mode), facts.st_uid) == (0o640, pwd.getpwnam("nobody").pw_uid)
    one.tolerate("")
    with Swapper(place / "auth.new", victim):
        for _ in range(15):
            one.run("posthouse", "reload")  # or it is given up: that is theirs to choose
    facts = victim.stat()
    assert (stat.S_IMODE(facts.st_mode), facts.st_uid) == (0o600, 0)


# ---- real peers ----

@pytest.mark.own_machine
def test_a_real_postfix_lets_our_users_in(authenticating, workspace):
    one = authenticating(auth_socket_mode="0666")
    with peers.Postfix(workspace / "postfix-auth", port=free_port(), users=["you@postfix.test"], settings={
            "mynetworks": "192.0.2.0/24", "smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot",
            "smtpd_sasl_path": reached(one),
            "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject"}) as postfix:
        mechanisms = ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "PLAIN", "LOGIN")
        for mechanism in mechanisms:
            with smtplib.SMTP(postfix.address, postfix.port, timeout=30) as client:
                client.ehlo("client.example")
                assert set(mechanisms) == set(client.esmtp_features["auth"].split())
                with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
                    authenticate(client, mechanism, "ann", "wrong")
                assert refusal.value.smtp_code == 535
                authenticate(client, mechanism, "ann", "secret")
                client.sendmail("ann@client.example", ["you@postfix.test"], f"Subject: {mechanism}\r\n\r\nHello\r\n")
        wait_until(lambda: len(postfix.messages("you@postfix.test")) == len(mechanisms), "the mail is there")
        for mechanism in mechanisms:
            assert f"sasl_method={mechanism}, sasl_username=ann" in postfix.log()
        one.tolerate("auth.database_unavailable")
        (one.etc / "passwords").unlink()
        with smtplib.SMTP(postfix.address, postfix.port, timeout=30) as client:
            client.ehlo("client.example")
            with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
                authenticate(client, "PLAIN", "ann", "secret")
            assert refusal.value.smtp_code == 454


def authenticate(client, mechanism, user, password):
    """Anything that the server says but 235 is an error."""
    if mechanism.startswith("SCRAM-"):
        scram = Scram(user, password, mechanism.replace("SCRAM-SHA-", "sha"))
        code, text = bound(client, mechanism, scram)
    elif mechanism in ("OAUTHBEARER", "XOAUTH2"):
        first = f"user={user}" if mechanism == "XOAUTH2" else f"n,a={user},"
        code, text = client.docmd("AUTH", f"{mechanism} " + encode(f"{first}\1auth=Bearer {password}\1\1".encode()))
        if code == 334:     # it says why not
            assert json.loads(base64.b64decode(text))["status"] in ("invalid_token", "401")
            code, text = client.docmd(encode(b"\1"))
    else:
        client.user, client.password = user, password
        client.auth(mechanism, getattr(client, "auth_" + mechanism.lower().replace("-", "_")),
                    initial_response_ok=mechanism == "PLAIN")
        return
    if code != 235:
        raise smtplib.SMTPAuthenticationError(code, text)


@pytest.mark.own_machine
@pytest.mark.skipif(not more_peers.have("exim-heavy"), reason="no Exim")
def test_a_real_exim_lets_our_users_in(authenticating, workspace, tmp_path):
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{"kty": "oct", "kid": "1", "k": encode_url(SECRET)}]}))
    token, expired = (jwt({"email": "ann", "exp": int(time.time()) + left_s}, SECRET) for left_s in (600, -600))
    one = authenticating(auth_socket_mode="0666", auth_mechanisms=f"xoauth2, oauthbearer, {MECHANISMS}",
                         auth_oauth2_keys=keys, auth_oauth2_username_claims="email")
    with more_peers.Exim(workspace / "exim-auth", "127.0.0.1", free_port(), users=["you@exim.test"],
                         auth_socket=reached(one)) as exim:
        for mechanism in exim.mechanisms:
            with smtplib.SMTP(exim.address, exim.port, timeout=30) as client:
                client.ehlo("client.example")
                assert set(exim.mechanisms) == set(client.esmtp_features["auth"].split())
                is_token = mechanism in ("XOAUTH2", "OAUTHBEARER")
                with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
                    authenticate(client, mechanism, "ann", expired if is_token else "wrong")
                assert refusal.value.smtp_code == 535
                assert client.mail("ann@client.example")[0] == 250
                assert client.rcpt("you@exim.test")[0] == 550
                client.rset()
                authenticate(client, mechanism, "ann", token if is_token else "secret")
                client.sendmail("ann@client.example", ["you@exim.test"], f"Subject: {mechanism}\r\n\r\nHello\r\n")
        wait_until(lambda: len(exim.messages("you@exim.test")) == len(exim.mechanisms), f"the mail is there{exim.log()}")
        for mechanism in exim.mechanisms:
            assert f"A={mechanism.replace('-', '_').lower()}:ann " in exim.log()
        # While the passwords cannot be read nobody is told that his is wrong.
        one.tolerate("auth.database_unavailable")
        (one.etc / "passwords").unlink()
        with smtplib.SMTP(exim.address, exim.port, timeout=30) as client:
            client.ehlo("client.example")
            with pytest.raises(smtplib.SMTPAuthenticationError) as refusal:
                authenticate(client, "PLAIN", "ann", "secret")
            assert refusal.value.smtp_code == 435


@pytest.mark.own_machine
@pytest.mark.skipif(not more_peers.have("dovecot"), reason="no Dovecot")
def test_a_real_dovecot_lets_its_users_in(authenticating, workspace):
    with more_peers.Dovecot(workspace / "dovecot-auth", "127.0.0.6", 2425, users=["ann@dovecot.test"]) as dovecot:
        wait_until(dovecot.auth_socket.exists, "Dovecot's socket")
        one = authenticating(smtpd_sasl_type="dovecot", smtpd_sasl_path=dovecot.auth_socket, auth_databases="")
        one.tolerate("auth.database_unavailable")

        wait_until(lambda: mechanisms_of(one) == set(dovecot.mechanisms), "those of Dovecot")
        name = "ann@dovecot.test"
        success = ("OK", [f"user={name}"])
        token, expired = (jwt({"email": name, "sub": name, "exp": int(time.time()) + left_s}, dovecot.TOKEN_KEY)
                          for left_s in (600, -600))
        with connected(one) as asker:
            assert asker.plain(name, "x") == asker.login(name, "x") == success
            assert asker.plain(name, "y") == asker.login(name, "y") == ("FAIL", [f"user={name}"])
            assert asker.scram(name, "x") == asker.scram(name, "x", "sha1", "SCRAM-SHA-1") == success
            assert asker.scram(name, "y")[0] == asker.scram(name, "y", "sha1", "SCRAM-SHA-1")[0] == "FAIL"
            assert asker.cram_md5(name, "x") == success
            assert asker.cram_md5(name, "y")[0] == "FAIL"
            for mechanism in ("XOAUTH2", "OAUTHBEARER"):
                assert bearer(asker, token, name, mechanism)[:2] == success
                assert bearer(asker, expired, name, mechanism)[0] == "FAIL"
            asker.begin("EXTERNAL", b"")
            assert asker.read()[0] == "FAIL"
            # Dovecot dies in the middle of an exchange, and another is there later.
            asker.begin("LOGIN")
            assert asker.read()[0] == "CONT"
            dovecot.__exit__()
            asker.go_on(name.encode())
            assert asker.read() == ["FAIL", str(asker.number), "temp"]
            assert asker.plain(name, "x")[1][-1] == "temp"
            dovecot.restart()
            wait_until(lambda: asker.plain(name, "x") == success, "Dovecot is asked again")
            one.wait_for_log(r"auth\.database_available: database=")


def test_a_server_that_is_not_there(authenticating):
    one = authenticating(smtpd_sasl_type="dovecot", smtpd_sasl_path="private/nobody", auth_databases="")
    one.tolerate("auth.database_unavailable")
    with connected(one) as asker:
        assert asker.mechanisms == {}
        assert asker.plain("ann", "secret") == ("FAIL", ["temp"])
    one.wait_for_log(r"error: auth\.database_unavailable: database=private/nobody reason=\"No such file or directory\" "
                     r"effect=\"clients are told to try later\" next=\"see that it runs .*\"$")


def test_a_server_that_stops_reading_and_talks_nonsense(authenticating, workspace):
    """What was being written to it then has no part in the next connection."""
    path = str(workspace / "stuck-server")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        os.chmod(path, 0o666)
        listener.listen()
        listener.settimeout(30)
        one = authenticating(smtpd_sasl_type="dovecot", smtpd_sasl_path=path, auth_databases="")
        one.tolerate("auth.database_unavailable")
        server = listener.accept()[0]
        server.sendall(b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nDONE\n")
        wait_until(lambda: "PLAIN" in mechanisms_of(one), "the server's mechanisms")
        with connected(one) as asker:
            for _ in range(FORWARDED):
                asker.begin("PLAIN", b"\0ann\0" + b"x" * 8000)
            seen = [0, 0]
            wait_until(lambda: seen.append(waiting_bytes(server)) or seen[-1] == seen[-2] > 100000,
                       "no more room in the socket", interval_s=0.3)
            server.sendall(b"x" * 20000)
            for _ in range(FORWARDED):
                assert asker.read()[2:] == ["temp"]
        with listener.accept()[0] as again, again.makefile("rb") as said:
            again.settimeout(30)
            assert [said.readline().split(b"\t")[0] for _ in range(2)] == [b"VERSION", b"CPID"]
        server.close()


# ---- tokens ----

SECRET = bytes(range(40))


def bearer(asker, token, user="", mechanism="OAUTHBEARER", **more):
    """What the server says of a token, and what it told the client before."""
    if mechanism == "XOAUTH2":
        message = f"user={user}\1auth=Bearer {token}\1\1"
    else:
        message = f"n,{'a=' + user if user else ''},\1auth=Bearer {token}\1\1"
    asker.begin(mechanism, message.encode(), **more)
    words, told = asker.read(), None
    if words[0] == "CONT":
        told = json.loads(base64.b64decode(words[2]))
        asker.go_on(b"\1" if mechanism == "OAUTHBEARER" else b"")
        words = asker.read()
    return words[0], words[2:], told


def test_tokens_that_prove_themselves(authenticating, tmp_path):
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{"kty": "oct", "kid": "1", "k": encode_url(SECRET)}]}))
    one = authenticating(auth_mechanisms="oauthbearer, xoauth2, plain", auth_oauth2_keys=keys,
                         auth_oauth2_issuers="https://id.test", auth_oauth2_audiences="mail",
                         auth_oauth2_scopes="smtp", auth_oauth2_configuration_url="https://id.test/configuration",
                         auth_oauth2_username_claims="email")
    now = int(time.time())
    good = {"iss": "https://id.test", "aud": "mail", "scope": "openid smtp", "email": "Ann@example.org",
            "exp": now + 600}
    with Asker(reached(one)) as asker:
        assert list(asker.mechanisms) == ["OAUTHBEARER", "XOAUTH2", "PLAIN"]
        for mechanism in ("OAUTHBEARER", "XOAUTH2"):
            assert bearer(asker, jwt(good, SECRET), "ann@example.org", mechanism)[:2] == ("OK", ["user=ann@example.org"])
            assert bearer(asker, jwt(good, SECRET), "bob@example.org", mechanism)[0] == "FAIL"
        assert bearer(asker, jwt(good, SECRET))[:2] == ("OK", ["user=ann@example.org"])
        result, _, told = bearer(asker, jwt(good, b"x" * 40))
        assert result == "FAIL"
        assert told["status"] == "invalid_token" and told["scope"] == "smtp"
        assert told["openid-configuration"] == "https://id.test/configuration"
        for wrong in ({"exp": now - 600}, {"iss": "https://other.test"}, {"aud": "web"}, {"scope": "imap"},
                      {"email": ""}, {"nbf": now + 600}):
            assert bearer(asker, jwt({**good, **wrong}, SECRET))[0] == "FAIL", wrong
        assert bearer(asker, jwt(good, SECRET, "none"))[0] == "FAIL"
        assert bearer(asker, "opaque")[0] == "FAIL"
        assert asker.plain("ann", "secret")[0] == "OK"
    one.wait_for_log(r"auth\.failed: .* mechanism=OAUTHBEARER .*reason=\"the token has expired\"")
    assert "auth_oauth2_audiences" not in one.log()
    one.set(auth_oauth2_audiences="")
    one.reload()
    one.wait_for_log(r"authd\[\d+\]: warning: auth_oauth2_audiences is empty: .*set it to")


@pytest.mark.parametrize("mechanism, user", [("XOAUTH2", "ann"), ("OAUTHBEARER", "")])
def test_who_leaves_when_a_token_is_refused_has_failed(authenticating, tmp_path, mechanism, user):
    """A client that is told so, and never answers, is counted as well; also one that does not say who it is."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{"kty": "oct", "kid": "1", "k": encode_url(SECRET)}]}))
    one = authenticating(auth_mechanisms="oauthbearer, xoauth2", auth_oauth2_keys=keys, auth_oauth2_issuers="",
                         auth_oauth2_audiences="", auth_oauth2_username_claims="email", auth_address_failure_limit="3")
    good = {"email": "ann", "exp": int(time.time()) + 600}
    stranger = "203.0.113.9"
    with Asker(reached(one)) as asker:
        assert bearer(asker, jwt(good, SECRET), user, mechanism, address=stranger)[:2] == ("OK", ["user=ann"])
    other = "203.0.113.10"
    for i in range(3):
        with Asker(reached(one)) as asker:
            wrong = jwt({**good, "jti": str(i)}, b"x" * 40)
            token = f"auth=Bearer {wrong}\1\1"
            asker.begin(mechanism, (f"user={user}\1" if user else "n,,\1").encode() + token.encode(), address=other)
            assert asker.read()[0] == "CONT"
    one.wait_for_log(r"(auth\.failed: .*the token is not signed by any of the keys(.|\n)*){3}")
    with Asker(reached(one)) as asker:
        words = bearer(asker, jwt(good, SECRET), user, mechanism, address=other)[1]
        assert words[-1] == "temp"
        assert bearer(asker, jwt(good, SECRET), user, mechanism, address=stranger)[:2] == ("OK", ["user=ann"])


def test_tokens_that_are_asked_about(authenticating, workspace, tmp_path):
    authority = https.Authority(workspace / "token-authority")
    server = https.Server({None: authority.issue("tokens.test")})
    names = https.NameServer({("tokens.test", "A"): ["127.0.0.1"]})
    (tmp_path / "client").write_text("posthouse:ge heim\n")
    (authority.directory / "ca.pem").chmod(0o644)
    one = authenticating(
        auth_mechanisms="oauthbearer", auth_databases="", dns_servers=f"127.0.0.1:{names.port}",
        auth_oauth2_introspection_url=f"https://tokens.test:{server.port}/introspect",
        auth_oauth2_client_file=tmp_path / "client", fetch_tls_CAfile=authority.file,
        auth_oauth2_username_claims="username")
    one.tolerate("auth.database_unavailable")
    one.tolerate("fetch")
    try:
        with Asker(reached(one)) as asker:
            server.answers["tokens.test"] = https.Answer('{"active": true, "username": "ann"}',
                                                         content_type="application/json")
            assert bearer(asker, "opa+que/token") == ("OK", ["user=ann"], None)
            method, _, path, headers, body = server.requests[-1]
            assert (method, path) == ("POST", "/introspect")
            assert body == b"token=opa%2Bque%2Ftoken&token_type_hint=access_token"
            assert headers["Authorization"] == "Basic " + encode(b"posthouse:ge heim")
            server.answers["tokens.test"] = https.Answer('{"active": false}', content_type="application/json")
            assert bearer(asker, "revoked")[0] == "FAIL"
            server.answers["tokens.test"] = https.Answer("out of order", status=503)
            assert bearer(asker, "any")[:2] == ("FAIL", ["temp"])
            one.wait_for_log(r"auth\.database_unavailable: database=https://tokens\.test:\d+/introspect "
                             r"reason=\"HTTP status 503\"")
            for broken in ('{"active"', '{"error": "try later"}', "<html>Welcome</html>", ""):
                server.answers["tokens.test"] = https.Answer(broken, content_type="application/json")
                assert bearer(asker, "any")[:2] == ("FAIL", ["temp"]), broken
            names.silent.add("tokens.test")
        assert "opa+que" not in one.log()
    finally:
        server.stop()
        names.stop()


def test_slow_web_servers_of_others_keep_nobody_out(authenticating, workspace, tmp_path):
    """While an MTA-STS policy is not coming, tokens are asked about."""
    authority = https.Authority(workspace / "slow-authority")
    (authority.directory / "ca.pem").chmod(0o644)
    server = https.Server({None: authority.issue("tokens.test", "mta-sts.slow.test")})
    names = https.NameServer({
        ("tokens.test", "A"): ["127.0.0.1"], ("mta-sts.slow.test", "A"): ["127.0.0.1"],
        ("slow.test", "MX"): ["10 mx.slow.test."], ("mx.slow.test", "A"): ["127.0.0.1"],
        ("_mta-sts.slow.test", "TXT"): ['"v=STSv1; id=1;"']})
    asked, enough = threading.Event(), threading.Event()

    def hang():
        asked.set()
        enough.wait(60)
    server.answers["mta-sts.slow.test"] = https.Answer("", before=hang)
    server.answers["tokens.test"] = https.Answer('{"active": true, "username": "ann"}',
                                                 content_type="application/json")
    one = authenticating(
        auth_mechanisms="oauthbearer", auth_databases="", dns_servers=f"127.0.0.1:{names.port}",
        auth_oauth2_introspection_url=f"https://tokens.test:{server.port}/introspect",
        auth_oauth2_username_claims="username", fetch_tls_CAfile=authority.file, fetch_https_port=server.port,
        fetch_private_networks="127.0.0.0/8", fetch_concurrency_limit="1", smtp_tls_security_level="may", smtp_tcp_port="9")
    try:
        one.send("friend@slow.test")
        assert asked.wait(30)
        with Asker(reached(one)) as asker:
            assert bearer(asker, "opaque") == ("OK", ["user=ann"], None)
        assert not enough.is_set()
    finally:
        enough.set()
        server.stop()
        names.stop()


# ---- bound to a connection ----

def bound(client, mechanism, scram):
    """AUTH over SMTP; the final reply's code and text."""
    code, text = client.docmd("AUTH", f"{mechanism} {encode(scram.first())}")
    if code == 334:
        code, text = client.docmd(encode(scram.final(base64.b64decode(text))))
    if code == 334:
        assert scram.is_proved(base64.b64decode(text))
        code, text = client.docmd("")
    return code, text


def test_scram_bound_to_the_connection(submission):
    one = submission(auth_mechanisms="scram-sha-256-plus, scram-sha-256, plain")

    def attempt(header, binding_of, mechanism="SCRAM-SHA-256-PLUS", version=ssl.TLSVersion.TLSv1_3):
        context = context_for(one)
        context.minimum_version = context.maximum_version = version
        with smtplib.SMTP(one.address, one.submission, "client.example", 30) as client:
            client.starttls(context=context)
            client.ehlo()
            assert client.esmtp_features["auth"].split()[0] == "SCRAM-SHA-256-PLUS"
            return bound(client, mechanism, Scram("bob", "secret", "sha256", header, binding_of(client.sock)))[0]

    def end_point(sock):
        return hashlib.sha256(sock.getpeercert(True)).digest()

    assert attempt("p=tls-server-end-point,,", end_point) == 235
    assert attempt("p=tls-unique,,", lambda sock: sock.get_channel_binding("tls-unique"),
                   version=ssl.TLSVersion.TLSv1_2) == 235
    assert attempt("p=tls-server-end-point,,", lambda _: b"x" * 32) == 535       # somebody in between
    assert attempt("p=tls-server-end-point,,", lambda _: b"") == 535
    assert attempt("y,,", lambda _: b"", "SCRAM-SHA-256") == 535                 # who took PLUS off the list?
    assert attempt("n,,", lambda _: b"", "SCRAM-SHA-256") == 235
    assert attempt("n,,", lambda _: b"") in (501, 535)


# ---- kinds of databases ----

def sqlite_file(one, query, update=""):
    """A database of users and the file that says how to ask it."""
    path = one.directory / "accounts" / "users.db"
    path.parent.mkdir(exist_ok=True)
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE users (name TEXT PRIMARY KEY, password TEXT, closed INTEGER DEFAULT 0)")
        database.execute("CREATE TABLE passwords (name TEXT, app TEXT, scope TEXT, password TEXT)")
        database.executemany("INSERT INTO users (name, password, closed) VALUES (?, ?, ?)", [
            ("ann", "{PLAIN}secret", 0), ("o'neill", "{PLAIN}secret", 0), ("closed", "{PLAIN}secret", 1),
            ("empty", None, 0)])
        database.executemany("INSERT INTO passwords VALUES (?, ?, ?, ?)", [
            ("ann", None, None, "{PLAIN}secret"), ("ann", "phone", "imap", "{PLAIN}phone"),
            ("ann", "desk", "smtp", "{PLAIN}desk")])
    configuration = one.etc / "auth-sqlite.cf"
    configuration.write_text(f"# accounts\ndbname = {path}\nquery = {query}\n{update}")
    configuration.chmod(0o600)      # root reads it before the workers become what they are
    for file in (path.parent, path):
        os.chmod(file, 0o777 if file == path.parent else 0o666)
    return f"sqlite:{configuration}"


def test_sqlite(authenticating, make_instance):
    one = authenticating()
    one.tolerate("auth.database_unavailable")
    one.set(auth_databases=sqlite_file(
        one, "SELECT password, closed AS nologin FROM users WHERE name = '%u'"))
    one.reload()
    with connected(one) as asker:
        assert asker.plain("ann", "secret")[0] == "OK"
        assert asker.scram("ann", "secret")[0] == "OK"
        assert asker.plain("ann", "wrong")[1] == ["user=ann"]
        assert asker.plain("o'neill", "secret") == ("OK", ["user=o'neill"])
        assert asker.plain("' OR name = 'ann", "secret")[0] == "FAIL"
        assert asker.plain("closed", "secret")[1][-1] == "user_disabled"
        assert asker.plain("empty", "")[0] == "FAIL"
        assert asker.plain("nobody", "secret")[1] == ["user=nobody"]
    one.set(auth_databases=one.settings["auth_databases"].replace("auth-sqlite", "auth-apps"))
    apps = one.etc / "auth-apps.cf"
    apps.write_text((one.etc / "auth-sqlite.cf").read_text().replace(
        "SELECT password, closed AS nologin FROM users",
        "SELECT password, app AS app_name, scope AS app_scope FROM passwords"))
    one.reload()
    with connected(one) as asker:
        assert asker.plain("ann", "secret")[0] == "OK"
        assert asker.plain("ann", "desk")[0] == "OK"
        assert asker.plain("ann", "phone")[0] == "FAIL"
        assert asker.plain("ann", "phone", service="imap")[0] == "OK"
    one.wait_for_log("app_password=phone")
    apps.write_text("dbname = /nowhere.db\nquery = SELECT password\nquerry = x\n")
    one.reload()
    with connected(one) as asker:
        assert asker.plain("ann", "secret")[1][-1] == "temp"
    one.wait_for_log(r"auth\.database_unavailable: database=sqlite:\S+ reason=\".*line 3: this means nothing here\"")


def test_sqlite_between_double_quotes(authenticating):
    """SQLite takes what is no name for a text, and single quotes are not all there is."""
    one = authenticating()
    injection = '" UNION SELECT \'{PLAIN}mine\' --'
    one.set(auth_databases=sqlite_file(one, 'SELECT password FROM users WHERE name = "%u"'), auth_username_characters="")
    one.reload()
    with connected(one) as asker:
        assert asker.plain("ann", "secret")[0] == "OK"
        assert asker.plain(injection, "mine")[0] == "FAIL"
    file = one.etc / "auth-sqlite.cf"
    file.write_text(file.read_text().replace('"%u"', "'%u'"))
    one.reload()
    with connected(one) as asker:
        assert asker.plain("ann", "secret")[0] == "OK"
        assert asker.plain('an"n', "secret")[0] == "FAIL"
    one.wait_for_log(r"auth\.failed: .*reason=.unknown user")


def test_passwords_get_stronger_when_their_users_log_in(authenticating):
    one = authenticating()
    users = one.directory / "accounts" / "passwords"
    users.parent.mkdir(exist_ok=True)
    users.write_text("# people\nann:{PLAIN}secret::::::app_password=desk//{PLAIN}desk\nbob:{PLAIN}other\n")
    owner = uid_of(pid_of(one, "authd"))
    for file in (users.parent, users):
        os.chown(file, owner, owner)
    users.chmod(0o640)
    one.set(auth_databases=f"passwd-file:{users}", auth_password_upgrade="SHA512-CRYPT",
            auth_password_upgrade_cost="6000")
    one.reload()
    with connected(one) as asker:
        assert asker.plain("ann", "wrong")[0] == "FAIL"
        assert users.read_text().startswith("# people\nann:{PLAIN}secret:")
        assert asker.plain("ann", "secret")[0] == "OK"
        assert asker.plain("ann", "desk")[0] == "OK"
        lines = users.read_text().splitlines()
        assert re.fullmatch(r"ann:\{SHA512-CRYPT\}\$6\$rounds=6000\$\S+::::::app_password=desk//"
                            r"\{SHA512-CRYPT\}\$6\$rounds=6000\$\S+", lines[1])
        assert lines[2] == "bob:{PLAIN}other"
        assert (users.stat().st_mode & 0o777, users.stat().st_uid) == (0o640, owner)
        assert asker.plain("ann", "secret")[0] == "OK"
        assert asker.plain("ann", "desk")[0] == "OK"
        assert users.read_text().splitlines() == lines
    configuration = sqlite_file(one, "SELECT password FROM users WHERE name = '%u'",
                                "update_query = UPDATE users SET password = '%w' WHERE name = '%u' "
                                "AND password = '%o'\n")
    one.set(auth_databases=configuration)
    one.reload()
    with connected(one) as asker:
        for _ in range(2):
            assert asker.plain("o'neill", "secret")[0] == "OK"
    with sqlite3.connect(one.directory / "accounts" / "users.db") as database:
        stored = dict(database.execute("SELECT name, password FROM users"))
    assert stored["o'neill"].startswith("{SHA512-CRYPT}") and stored["ann"] == "{PLAIN}secret"


def uid_of(pid):
    return os.stat(f"/proc/{pid}").st_uid


@pytest.mark.own_machine
def test_accounts_of_the_system(authenticating, workspace):
    stored = subprocess.run(["openssl", "passwd", "-6", "secret"], check=True, capture_output=True,
                            text=True).stdout.strip()
    passwd, shadow = (open(path, encoding="utf-8").read() for path in ("/etc/passwd", "/etc/shadow"))
    peers.replace_file("/etc/passwd", passwd + "".join(
        f"{name}:x:{57600 + i}:{57600 + i}::/nonexistent:/bin/false\n"
        for i, name in enumerate(("sysann", "syslocked", "sysold"))), workspace)
    peers.replace_file("/etc/shadow", shadow + f"sysann:{stored}:19000:0:99999:7:::\n"
                       f"syslocked:!{stored}:19000:0:99999:7:::\nsysold:{stored}:19000:0:99999:7::100:\n", workspace)
    os.chmod("/etc/shadow", 0o600)
    peers.replace_file("/etc/pam.d/other", "auth required pam_unix.so\naccount required pam_unix.so\n", workspace)
    one = authenticating(auth_databases="shadow", auth_worker_count="2", auth_user_failure_limit="0")
    for database in ("shadow", "pam:posthouse-test"):
        one.set(auth_databases=database)
        one.reload()
        with connected(one) as asker:
            assert asker.plain("sysann", "secret") == ("OK", ["user=sysann"]), database
            assert asker.plain("sysann", "wrong") == ("FAIL", ["user=sysann"]), database
            assert asker.plain("syslocked", "secret")[0] == "FAIL", database
            assert asker.plain("sysold", "secret")[1] == ["user=sysold", "pass_expired"], database
            assert asker.plain("sysnobody", "secret") == ("FAIL", ["user=sysnobody"]), database
            assert asker.plain("root", "")[0] == "FAIL", database


@pytest.mark.parametrize("database", ["shadow", "pam:posthouse-test"])
def test_helpers_leave_when_master_is_gone(authenticating, database):
    one = authenticating(auth_databases=database, auth_worker_count="2")
    one.tolerate("authd")
    with connected(one) as asker:
        asker.plain("nobody-there", "secret")
    everybody = processes.processes_of(one.programs)
    assert len(everybody["authd"]) > 2
    os.kill(everybody["master"][0], signal.SIGKILL)
    wait_until(lambda: not processes.processes_of(one.programs)["authd"], "all of them are gone")


@pytest.mark.own_machine
def test_modules_of_the_system(authenticating, workspace):
    """A service of PAM of our own: a program that says yes or no, accounts that are closed, and modules that
    cannot find it out or never come back."""
    place = workspace / "pam"
    shutil.copytree("/etc/pam.d", place, symlinks=True)
    place.chmod(0o755)
    program = place / "check"
    program.write_text("#!/bin/sh\nword=$(tr -d '\\000')\ntest \"$PAM_USER$PAM_TYPE$word\" = annauthsecret && "
                       "test \"$PAM_RHOST\" = 192.0.2.7\n")
    program.chmod(0o755)
    asks = f"auth sufficient pam_exec.so expose_authtok quiet {program}\nauth required pam_deny.so\n"
    permits = "account required pam_permit.so\n"
    for name, text in {"good": asks + permits, "closed": asks + "account required pam_deny.so\n",
                       "down": "auth required pam_debug.so auth=authinfo_unavail\n" + permits,
                       "hung": "auth required pam_exec.so quiet /bin/sleep 300\n" + permits}.items():
        (place / f"mail-{name}").write_text(text)
    subprocess.run(["mount", "--bind", place, "/etc/pam.d"], check=True)
    one = authenticating(auth_user_failure_limit="0", auth_worker_count="2", auth_database_timeout="2s")
    one.tolerate("auth.database_unavailable")
    one.tolerate("a worker")
    try:
        for name, answers in {"good": ("OK", "FAIL"), "closed": ("FAIL", "FAIL"), "down": ("temp", "temp"),
                              "hung": ("temp", "temp")}.items():
            one.set(auth_databases=f"static:dora:{{PLAIN}}dora pam:mail-{name}")
            one.reload()
            with connected(one) as asker:
                for password, answer in zip(("secret", "wrong"), answers):
                    number = asker.begin("PLAIN", f"\0ann\0{password}".encode())
                    dora = asker.begin("PLAIN", b"\0dora\0dora")
                    said = {int(words[1]): words for words in (asker.read(), asker.read())}
                    assert said[dora][0] == "OK"
                    assert answer in said[number] and ("temp" in said[number]) == (answer == "temp"), (name, said)
            if answers[0] == "temp":
                one.wait_for_log(rf"error: auth\.database_unavailable: database=pam:mail-{name} reason=\".+\"")
    finally:
        subprocess.run(["umount", "/etc/pam.d"], check=True)


# ---- the command ----

def make_password(one, *arguments, password="secret"):
    return one.run("posthouse", "password", *arguments, config=False, stdin=password + "\n")


def test_posthouse_password(authenticating):
    one = authenticating(users="")
    schemes = make_password(one, "-l").stdout.split()
    assert {"YESCRYPT", "BLF-CRYPT", "SHA512-CRYPT", "SCRAM-SHA-256", "PLAIN"} <= set(schemes)
    made = {scheme: make_password(one, "-s", scheme).stdout.strip() for scheme in schemes}
    (one.etc / "passwords").write_text("".join(f"{scheme.lower()}:{stored}\n" for scheme, stored in made.items()))
    with Asker(reached(one)) as asker:
        for scheme, stored in made.items():
            assert stored.startswith("{" + scheme + "}"), stored
            assert asker.plain(scheme.lower(), "secret")[0] == "OK", scheme
            assert asker.plain(scheme.lower(), "Secret", address="127.0.0.1")[0] == "FAIL", scheme
            assert make_password(one, "-t", stored).stdout == "yes\n"
            assert make_password(one, "-t", stored, password="other").returncode == 1
        assert asker.scram("scram-sha-256", "secret")[0] == "OK"
    assert make_password(one).stdout.startswith("{YESCRYPT}$y$")
    assert make_password(one, "-s", "SHA512-CRYPT", "-r", "7000").stdout.startswith("{SHA512-CRYPT}$6$rounds=7000$")
    assert make_password(one, "-s", "NOSUCH").returncode == 1
    assert make_password(one, "-t", "{NOSUCH}x").returncode == 1
    assert make_password(one, "extra").returncode == 2
    assert make_password(one, password="").returncode == 1


# ---- servers of accounts ----

def test_a_database_that_hangs_holds_up_nobody_else(authenticating):
    with socket.create_server(("127.0.0.1", 0)) as hung:
        one = authenticating(auth_database_timeout="1s", auth_worker_count="2", auth_user_failure_limit="0")
        one.tolerate("auth.database_unavailable")
        one.tolerate("a worker")
        (one.etc / "ldap.cf").write_text(f"uri = ldap://127.0.0.1:{hung.getsockname()[1]}\nbase = dc=test\n")
        one.set(auth_databases=f"passwd-file:{one.etc}/passwords ldap:{one.etc}/ldap.cf")
        one.reload()
        with connected(one) as asker:
            slow = [asker.begin("PLAIN", f"\0nobody{i}\0x".encode()) for i in range(6)]
            quick = asker.begin("PLAIN", b"\0ann\0secret")
            assert asker.read()[:2] == ["OK", str(quick)]
            answers = [asker.read() for _ in slow]
            assert {int(words[1]) for words in answers} == set(slow)
            assert all(words[0] == "FAIL" and words[-1] == "temp" for words in answers)
            assert asker.plain("ann", "secret")[0] == "OK"
        one.wait_for_log(r"auth\.database_unavailable: database=ldap:\S+ reason=")


def ask_server(authenticating, server, kind, configuration, **settings):
    """People get in; while the server is away they are told to try later, and then get in again."""
    one = authenticating(auth_default_scheme="PLAIN", auth_user_failure_limit="0", **settings)
    one.tolerate("auth.database")
    file = one.etc / f"{kind}.cf"
    file.write_text(configuration)
    file.chmod(0o600)
    one.set(auth_databases=f"static:dora:{{PLAIN}}dora {kind}:{file}")
    one.reload()
    with connected(one) as asker:
        for _ in range(2):
            assert asker.plain("ann", "secret") == ("OK", ["user=ann"])
            assert asker.plain("o'neill", "secret") == ("OK", ["user=o'neill"])
            assert asker.plain("ann", "wrong") == ("FAIL", ["user=ann"])
            assert asker.plain("nobody", "secret") == ("FAIL", ["user=nobody"])
            assert asker.plain("*", "secret") == ("FAIL", ["user=*"])
            assert asker.plain("x' OR name = 'ann", "secret")[0] == "FAIL"
            assert asker.plain("ann)(uid=*", "secret")[0] == "FAIL"
        asker.begin("LOGIN")    # on its way when the server ends
        assert asker.read()[0] == "CONT"
        server.stop()
        asker.go_on(b"ann")
        assert asker.read()[0] == "CONT"
        asker.go_on(b"secret")
        assert asker.read() == ["FAIL", str(asker.number), "user=ann", "temp"]
        for _ in range(3):
            assert asker.plain("ann", "secret") == ("FAIL", ["user=ann", "temp"])
            assert asker.plain("dora", "dora") == ("OK", ["user=dora"])     # whom another database knows
        one.wait_for_log(rf"error: auth\.database_unavailable: database={kind}:\S+ reason=\".+\" effect=\"clients are "
                         r"told to try later\" next=\"mend .*\"$")
        assert len(re.findall("auth.database_unavailable", one.log())) == 1
        server.start()
        wait_until(lambda: asker.plain("ann", "secret")[0] == "OK", "the server answers again")
        assert asker.plain("ann", "wrong")[1] == ["user=ann"]
    assert "letmein" not in one.log()
    return one


@pytest.mark.skipif(not databases.have("postgresql"), reason="no PostgreSQL")
def test_postgresql(authenticating, workspace):
    with databases.Postgres(workspace / "postgresql") as server:
        one = ask_server(authenticating, server, "pgsql", server.configuration(),
                         auth_password_upgrade="SHA256-CRYPT")
        one.wait_for_log(r"auth\.password_upgraded: database=pgsql:\S+ user=ann scheme=SHA256-CRYPT")


@pytest.mark.skipif(not databases.have("mariadb"), reason="no MariaDB")
def test_mariadb(authenticating, workspace):
    with databases.MariaDb(workspace / "mariadb") as server:
        ask_server(authenticating, server, "mysql", server.configuration())


@pytest.mark.skipif(not databases.have("slapd"), reason="no OpenLDAP")
@pytest.mark.parametrize("bind", [False, True])
def test_ldap(authenticating, workspace, bind):
    with databases.Slapd(workspace / f"slapd-{bind}") as server:
        one = ask_server(authenticating, server, "ldap", server.configuration(bind))
        with connected(one) as asker:
            assert asker.plain("ann", "")[0] == "FAIL"      # to a directory that would be nobody, and welcome
            assert asker.scram("ann", "secret")[0] == ("FAIL" if bind else "OK")


SERVERS = [("slapd", "ldap", databases.Slapd, "start_tls = yes\n"), ("mariadb", "mysql", databases.MariaDb, "")]


@pytest.mark.parametrize("peer, kind, make, more", SERVERS, ids=[row[1] for row in SERVERS])
def test_a_database_proves_who_it_is(authenticating, workspace, peer, kind, make, more):
    """With tls_ca_file: by these authorities, in a directory of the operator's choice; anybody else is not asked."""
    if not databases.have(peer):
        pytest.skip(f"no {peer}")
    directory = workspace / f"proves-{kind}"
    directory.mkdir()
    directory.chmod(0o755)
    ours, others = https.Authority(directory / "ours"), https.Authority(directory / "others")
    for authority in (ours, others):
        authority.directory.chmod(0o755)
        authority.file.chmod(0o644)

    one = authenticating(auth_default_scheme="PLAIN", auth_user_failure_limit="0")
    one.tolerate("auth.database")
    file = one.etc / f"{kind}.cf"

    def ask(server, authority):
        text = server.configuration().replace("127.0.0.1", "localhost")
        file.write_text(f"{text}{more}tls_ca_file = {authority.file}\n")
        file.chmod(0o600)
        one.set(auth_databases=f"{kind}:{file}")
        one.reload()
        with connected(one) as asker:
            return asker.plain("ann", "secret")
    # libldap takes the machine's own name for localhost.
    leaf = ours.issue("localhost", socket.gethostname(), socket.getfqdn())
    leaf.chmod(0o644)
    with make(directory / "tls", leaf) as server:
        assert ask(server, ours) == ("OK", ["user=ann"])
        assert ask(server, others) == ("FAIL", ["user=ann", "temp"])
    strange = ours.issue("elsewhere.test")
    strange.chmod(0o644)
    with make(directory / "strange", strange) as server:
        assert ask(server, ours) == ("FAIL", ["user=ann", "temp"])
    with make(directory / "clear") as server:
        assert ask(server, ours) == ("FAIL", ["user=ann", "temp"])


# ---- where secrets are ----

def has_seen(secret, pid):
    return any(secret in block for block in processes.memory_of(pid))


@pytest.mark.skipif(os.geteuid() != 0, reason="reads the memory of others")
def test_secrets_stay_where_they_are_used(authenticating):
    hashed = subprocess.run(["openssl", "passwd", "-6", "-salt", "pepperandsalt", "Blumenkohl7"], check=True,
                            capture_output=True, text=True).stdout.strip()
    verifier = scram_verifier("Rosenkohl9")
    one = authenticating(users=f"ann:{{SHA512-CRYPT}}{hashed}\nbob:{{SCRAM-SHA-256}}{verifier}\n",
                         smtpd_sasl_auth_enable="yes")
    secrets = {"hash": hashed.split("$")[3].encode(), "verifier": verifier.split(",")[3].encode(),
               "password": b"Blumenkohl7"}
    with Asker(reached(one)) as asker:
        for _ in range(3):
            assert asker.plain("ann", "Blumenkohl7")[0] == "OK"
            assert asker.scram("bob", "Rosenkohl9")[0] == "OK"
    with smtplib.SMTP(one.address, one.port, timeout=30) as client:
        client.ehlo("client.example")
        client.login("ann", "Blumenkohl7")
        worker = children_of(children_of(pid_of(one, "authd"))[0])[0]
        assert has_seen(secrets["hash"], worker)     # there it belongs, and this test sees it
        authd = pid_of(one, "authd")
        master = next(int(line.split()[1]) for line in ps() if int(line.split()[0]) == authd)
        programs = {int(line.split()[0]): line.split()[2] for line in ps() if int(line.split()[1]) == master}
        assert {"smtpd", "qmgr", "addrd", "limitd", "logd", "dnsd", "authd", "keyd"} <= set(programs.values())
        for pid, program in [(master, "master"), *programs.items()]:
            assert sum(map(len, processes.memory_of(pid))) > 1 << 20
            assert [name for name in ("hash", "verifier") if has_seen(secrets[name], pid)] == [], program
        # The process that parses what clients say has seen the password, and has it no more.
        assert not has_seen(secrets["password"], authd)
