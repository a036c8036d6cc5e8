"""submitd, as mail programs use it: they log in over TLS, hand mail over, and it is delivered or relayed."""

import base64
import contextlib
import email
import json
import re
import shutil
import smtplib
import socket
import ssl
import subprocess

import pytest

from harness.instance import free_port, wait_until

PASSWORDS = "bob:{PLAIN}secret\nalice@here.test:{PLAIN}w0nderland\n"
MESSAGE = "From: Bob <bob@here.test>\r\nTo: you@here.test\r\nSubject: submitted\r\n\r\nhello\r\n"


def encode(*parts):
    return base64.b64encode(b"\0".join(part.encode() for part in parts)).decode()


def make_certificate(directory, name):
    """A chain's file for smtpd_tls_chain_files, and the certificate that clients are to trust."""
    key, certificate, chain = (directory / f"submission.{end}" for end in ("key", "crt", "pem"))
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-keyout", key, "-out", certificate, "-subj", f"/CN={name}", "-days", "30", "-addext",
                    f"subjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1"],
                   check=True, capture_output=True, timeout=60)
    chain.write_text(key.read_text() + certificate.read_text())
    chain.chmod(0o600)
    return chain, certificate


@pytest.fixture
def submission(make_instance):
    """submission(setting=value ...): a running instance whose .submission is port 587's, .submissions 465's."""
    def make(program="submitd", users=("you@here.test", "bob@here.test"), **settings):
        ports = free_port(), free_port()
        options = "" if program == "submitd" else (
            " -o smtpd_sasl_auth_enable=yes -o smtpd_tls_auth_only=yes"
            " -o smtpd_recipient_restrictions=permit_sasl_authenticated,reject")
        one = make_instance("here", users=list(users), settings={
            "mynetworks": "192.0.2.0/24", "auth_failure_delay": "0s", **settings}, services=(
            f"127.0.0.1:{ports[0]} inet n - y - - {program} -o syslog_name=posthouse/submission"
            f" -o smtpd_tls_security_level=encrypt{options}\n"
            f"127.0.0.1:{ports[1]} inet n - y - - {program} -o syslog_name=posthouse/submissions"
            f" -o smtpd_tls_wrappermode=yes{options}\n"))
        chain, one.certificate = make_certificate(one.etc, "mx.here.test")
        (one.etc / "passwords").write_text(PASSWORDS)
        one.submission, one.submissions = ports
        one.set(auth_databases=f"passwd-file:{one.etc}/passwords", smtpd_tls_chain_files=chain,
                smtpd_tls_security_level="may")
        return one.start()
    return make


def context_for(one):
    context = ssl.create_default_context(cafile=one.certificate)
    context.check_hostname = False
    return context


@contextlib.contextmanager
def client_of(one, user="bob", password="secret"):
    with smtplib.SMTP(one.address, one.submission, "client.example", 30) as client:
        client.starttls(context=context_for(one))
        client.ehlo()
        if user:
            client.login(user, password)
        yield client


def command(client, line):
    code, text = client.docmd(line)
    return f"{code} {text.decode()}"


# ---- who may

def test_nothing_without_tls(submission):
    one = submission()
    with smtplib.SMTP(one.address, one.submission, "client.example", 30) as client:
        client.ehlo()
        assert client.has_extn("starttls") and not client.has_extn("auth")
        assert command(client, "AUTH PLAIN " + encode("", "bob", "secret")).startswith(("530 5.7.0", "538 5.7.11"))
        assert command(client, "MAIL FROM:<bob@here.test>").startswith("530 5.7.0 Must issue a STARTTLS")


def test_no_login_without_tls_where_tls_is_not_demanded(make_instance):
    """Whatever smtpd_tls_security_level says."""
    port = free_port()
    one = make_instance("here", services=f"127.0.0.1:{port} inet n - y - - submitd\n")
    (one.etc / "passwords").write_text(PASSWORDS)
    chain, _ = make_certificate(one.etc, "mx.here.test")
    one.set(auth_databases=f"passwd-file:{one.etc}/passwords", smtpd_tls_chain_files=chain,
            smtpd_tls_security_level="may")
    one.start()
    with smtplib.SMTP(one.address, port, "client.example", 30) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        assert command(client, "AUTH PLAIN " + encode("", "bob", "secret")).startswith("538 5.7.11")
        assert command(client, "MAIL FROM:<bob@here.test>").startswith("530 5.7.0 Authentication required")


def test_nothing_without_a_login(submission):
    one = submission()
    with client_of(one, user=None) as client:
        assert client.has_extn("auth") and not client.has_extn("etrn")
        assert command(client, "MAIL FROM:<bob@here.test>") == "530 5.7.0 Authentication required"
        assert command(client, "VRFY you@here.test") == "530 5.7.0 Authentication required"
        assert command(client, "ETRN here.test").startswith("502")
        assert command(client, "RCPT TO:<you@here.test>").startswith("503")
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            client.login("bob", "wrong")
        assert refused.value.smtp_code == 535
        assert command(client, "NOOP").startswith("250")


@pytest.mark.parametrize("program", ["submitd", "smtpd"])
def test_smtplib(submission, program):
    one = submission(program)
    with client_of(one) as client:
        client.sendmail("bob@here.test", ["you@here.test"], MESSAGE)
    with smtplib.SMTP_SSL(one.address, one.submissions, "client.example", timeout=30,
                          context=context_for(one)) as client:
        client.login("alice@here.test", "w0nderland")
        client.sendmail("alice@here.test", ["you@here.test"], MESSAGE)
    one.wait_for_mail("you@here.test", count=2)
    for message in one.messages("you@here.test"):
        assert b"with ESMTPSA id " in message.read_bytes()
    one.wait_for_log(rf"posthouse/submission/{program}\[\d+\]: \w+: client=unknown\[127\.0\.0\.1\], "
                     r"sasl_method=\w+, sasl_username=bob$")
    one.wait_for_log(rf"posthouse/submissions/{program}\[\d+\]: \w+: client=.*sasl_username=alice@here\.test$")
    one.wait_for_log(r"disconnect from \S+ ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 data=1 quit=1 commands=8$")
