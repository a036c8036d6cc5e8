"""Logins at submitd with certificates, by hand with openssl s_client, and of users whom a real Dovecot knows."""

import base64
import hmac
import re
import shutil
import subprocess
import time

import pytest

from harness import more_peers
from harness.authentication import Scram, encode, jwt
from harness.certificates import Authority
from harness.instance import wait_until
from submission_test import MESSAGE, by_msmtp, run, submission  # noqa: F401  (a fixture)

OPEN = {"smtpd_tls_ask_ccert": "yes", "smtpd_sasl_mechanism_filter": "", "auth_mechanisms": "external, plain",
        "relay_domains": "there.test", "relay_transport": "discard:"}


# ---- certificates (RFC 4422 appendix A)

@pytest.fixture
def certified(submission):      # noqa: F811
    """certified(setting=value ...): a server with an authority for users: bob by his address, ann by her name."""
    def make(**settings):
        one = submission(**{**OPEN, **settings})
        one.authority, one.strangers = (Authority(one.directory / name, name) for name in ("users", "strangers"))
        one.authority.issue("bob", "Bob Builder", alternative="email:bob@here.test")
        one.authority.issue("ann", "ann")
        one.strangers.issue("eve", "bob", alternative="email:bob@here.test")
        one.set(smtpd_tls_CAfile=one.authority.certificate)
        one.reload()
        return one
    return make


def msmtp(one, certificate, is_wrapped, name="bob@here.test"):
    by_msmtp(one, "EXTERNAL", is_wrapped, user=name, more=(
        f"tls_cert_file {certificate.with_suffix('.crt')}\ntls_key_file {certificate.with_suffix('.key')}\n"))


def curl(one, certificate, is_wrapped, name="bob@here.test"):
    letter = one.directory / "letter"
    letter.write_text(MESSAGE)
    where = f"smtps://{one.address}:{one.submissions}" if is_wrapped else f"smtp://{one.address}:{one.submission}"
    run("curl", "-gsS", "--ssl-reqd", "--cacert", one.certificate, "--cert", certificate.with_suffix(".crt"), "--key",
        certificate.with_suffix(".key"), "--url", f"{where}/client.example", "--user", f"{name}:",
        "--login-options", "AUTH=EXTERNAL", "--mail-from", "bob@here.test", "--mail-rcpt", "you@here.test", "--upload-file", letter)


def gsasl(one, certificate, is_wrapped, name=""):
    """Which knows STARTTLS alone, and sends no message."""
    if is_wrapped:
        msmtp(one, certificate, is_wrapped, name or "bob@here.test")
        return
    done = run("gsasl", "--smtp", "--starttls", f"--x509-ca-file={one.certificate}", "--connect",
               f"localhost:{one.submission}", "--mechanism=EXTERNAL", f"--authorization-id={name}",
               f"--x509-cert-file={certificate.with_suffix('.crt')}", f"--x509-key-file={certificate.with_suffix('.key')}",
               stdin="\nQUIT\n")
    assert "235 2.7.0" in done


@pytest.mark.parametrize("send", [msmtp, curl, gsasl])
def test_certificates_log_in(certified, send):
    if not shutil.which(send.__name__):
        pytest.skip(f"no {send.__name__} here")
    one = certified()
    ours, strangers = one.authority.directory, one.strangers.directory
    wait_until(lambda: attempt(send, one, ours / "bob.pem", False), "bob is let in")
    send(one, ours / "bob.pem", True)
    for is_wrapped in (False, True):
        send(one, ours / "ann.pem", is_wrapped, "ann")
        assert not attempt(send, one, ours / "ann.pem", is_wrapped, "bob@here.test")    # that is somebody else
        assert not attempt(send, one, strangers / "eve.pem", is_wrapped)
    one.wait_for_log(r"auth\.succeeded: .*mechanism=EXTERNAL user=bob@here\.test$")
    one.wait_for_log(r"auth\.succeeded: .*mechanism=EXTERNAL user=ann$")
    one.wait_for_log(r"auth\.failed: .*mechanism=EXTERNAL user=ann reason=\"no right to act as somebody else\"")
    one.wait_for_mail("you@here.test", 2 if send is gsasl else 4)
    wait_until(lambda: len(re.findall("auth.succeeded", one.log())) == 4, "four logins in the log")
    assert "Bob Builder" not in one.log()


def attempt(send, *arguments):
    try:
        send(*arguments)
        return True
    except (AssertionError, subprocess.TimeoutExpired):
        return False


def test_certificates_are_no_logins_by_default(certified):
    """A public authority signs for anybody: it takes an administrator to say that one's signature is a login."""
    one = certified(smtpd_sasl_mechanism_filter=None)
    bob = one.authority.directory / "bob.pem"
    with Typist(one, "-cert", bob, "-key", bob) as typist:
        assert "EXTERNAL" not in typist.say("EHLO client.example") and "AUTH PLAIN" in typist.last
        assert typist.say("AUTH EXTERNAL =").startswith("504 5.5.4")


# ---- by hand

class Typist:
    """openssl s_client, and somebody who types."""

    def __init__(self, one, *arguments, is_wrapped=False):
        port, start = (one.submissions, []) if is_wrapped else (one.submission, ["-starttls", "smtp"])
        self.process = subprocess.Popen(
            ["openssl", "s_client", "-connect", f"{one.address}:{port}", *start, "-quiet", "-crlf", "-CAfile",
             one.certificate, "-verify_return_error", *arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.last = self.read() if is_wrapped else ""     # the greeting, which s_client has read itself otherwise

    def read(self):
        lines = []
        while not lines or lines[-1][3:4] == "-":
            line = self.process.stdout.readline()
            assert line, "".join(lines)
            lines.append(line)
        self.last = "".join(lines)
        return self.last

    def say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.read()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


def type_plain(typist, secret):
    return typist.say("AUTH PLAIN " + encode(f"\0bob\0{secret}".encode()))


def type_login(typist, secret):
    assert typist.say("AUTH LOGIN").startswith("334 VXNlcm5hbWU6")
    assert typist.say(encode(b"bob")).startswith("334 UGFzc3dvcmQ6")
    return typist.say(encode(secret.encode()))


def type_cram_md5(typist, secret):
    challenge = base64_of(typist.say("AUTH CRAM-MD5"))
    return typist.say(encode(f"bob {hmac.new(secret.encode(), challenge, 'md5').hexdigest()}".encode()))


def type_scram(typist, secret):
    scram = Scram("bob", secret, "sha256")
    final = scram.final(base64_of(typist.say("AUTH SCRAM-SHA-256 " + encode(scram.first()))))
    answer = typist.say(encode(final))
    return answer if answer.startswith("535") else typist.say("") if scram.is_proved(base64_of(answer)) else answer


def base64_of(answer):
    assert answer.startswith("334 "), answer
    return base64.b64decode(answer[4:])


@pytest.mark.parametrize("type_it", [type_plain, type_login, type_cram_md5, type_scram])
@pytest.mark.parametrize("is_wrapped", [False, True], ids=["starttls", "wrapped"])
def test_openssl_s_client(submission, type_it, is_wrapped):     # noqa: F811
    one = submission(auth_mechanisms="scram-sha-256, cram-md5, plain, login", auth_address_failure_limit="100")
    with Typist(one, is_wrapped=is_wrapped) as typist:
        assert "250-AUTH SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN" in typist.say("EHLO client.example")
        assert type_it(typist, "wrong").startswith("535 5.7.8 ")
        assert type_it(typist, "secret").startswith("235 2.7.0 ")
        # In lower case: s_client has commands of its own, R and Q, which -quiet leaves out.
        for line, answer in (("mail from:<bob@here.test>", "250"), ("rcpt to:<you@here.test>", "250"), ("data", "354"),
                             ("Subject: typed\n\nRQ\n.", "250")):
            assert typist.say(line).startswith(answer), typist.last
    one.wait_for_mail("you@here.test")


# ---- users of a real Dovecot

@pytest.mark.own_machine
@pytest.mark.skipif(not more_peers.have("dovecot") or not shutil.which("msmtp"), reason="no Dovecot or no msmtp")
def test_users_of_a_real_dovecot(submission, workspace):        # noqa: F811
    """By each mechanism that a mail program and Dovecot know."""
    name = "bob@here.test"
    with more_peers.Dovecot(workspace / "dovecot-login", "127.0.0.6", 2427, users=[name]) as dovecot:
        wait_until(dovecot.auth_socket.exists, "Dovecot's socket")
        one = submission(**OPEN, smtpd_sasl_type="dovecot", smtpd_sasl_path=dovecot.auth_socket)
        one.tolerate("auth.database_unavailable")
        authority = Authority(one.directory / "users")
        bob = authority.issue("bob", name, alternative=f"email:{name}").with_suffix("")
        one.set(auth_databases="", smtpd_tls_CAfile=authority.certificate)
        one.reload()
        key = f"tls_cert_file {bob}.crt\ntls_key_file {bob}.key\n"
        token, expired = (jwt({"email": name, "sub": name, "exp": int(time.time()) + left_s}, dovecot.TOKEN_KEY)
                          for left_s in (600, -600))

        def send(mechanism, secret, is_wrapped=False):
            try:
                by_msmtp(one, mechanism, is_wrapped, secret, name, key if mechanism == "EXTERNAL" and secret else "")
                return True
            except AssertionError as error:
                return str(error)
        wait_until(lambda: send("PLAIN", "x") is True, "Dovecot is asked")
        for mechanism in dovecot.mechanisms:
            good, bad = (token, expired) if mechanism in ("XOAUTH2", "OAUTHBEARER") else \
                ("x", "" if mechanism == "EXTERNAL" else "y")
            for is_wrapped in (False, True):
                assert send(mechanism, bad, is_wrapped) is not True, mechanism
                assert send(mechanism, good, is_wrapped) is True, mechanism
            one.wait_for_log(rf"sasl_method={mechanism}, sasl_username={name}$")
        dovecot.__exit__()
        answer = send("PLAIN", "x")
        assert "454 4.7.0" in str(answer), answer
        one.wait_for_log(r"error: auth\.database_unavailable: database=\S+auth-client reason=")
        dovecot.restart()
        wait_until(lambda: send("PLAIN", "x") is True, "Dovecot is asked again")
