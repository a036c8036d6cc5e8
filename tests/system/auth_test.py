"""AUTH, as clients use it."""

import base64
import contextlib
import json
import os
import signal
import smtplib
import ssl
import time

import pytest

from harness import more_peers
from harness.authentication import Scram, encode_url, jwt
from harness.authority import Authority
from harness.instance import small_message, wait_until
from harness.more_peers import fail2ban
from harness.processes import running
from harness.raw import Raw

STRANGERS = {"mynetworks": "192.0.2.0/24"}


def encode(*parts):
    return base64.b64encode(b"\0".join(part.encode() for part in parts)).decode()


def set_passwords(one, text="bob:{PLAIN}secret\nalice@here.test:{PLAIN}w0nderland\n"):
    path = one.etc / "passwords"
    path.write_text(text)
    one.set(auth_databases=f"passwd-file:{path}")


@pytest.fixture
def server(make_instance):
    one = make_instance("here", users=["you@here.test"], settings={
        **STRANGERS, "smtpd_sasl_auth_enable": "yes", "auth_failure_delay": "0s"})
    set_passwords(one)
    return one.start()


def greet(one):
    raw = Raw(one)
    words = raw.say("EHLO client.example").splitlines()
    return raw, words


def test_offer(server):
    _, words = greet(server)
    assert "250-AUTH PLAIN LOGIN" in words
    assert not any(word.startswith("250-AUTH=") for word in words)


@pytest.mark.parametrize("settings, offer", [
    ({"smtpd_sasl_auth_enable": "no"}, None),
    ({"smtpd_sasl_security_options": "noanonymous, noplaintext"}, None),
    ({"smtpd_sasl_mechanism_filter": "login"}, "AUTH LOGIN"),
    ({"smtpd_sasl_mechanism_filter": ""}, "AUTH PLAIN LOGIN"),
    ({"smtpd_sasl_mechanism_filter": "!plain, static:rest"}, "AUTH LOGIN"),
    ({"smtpd_sasl_exceptions_networks": "127.0.0.0/8"}, None),
    ({"smtpd_discard_ehlo_keywords": "auth"}, None),
    ({"broken_sasl_auth_clients": "yes"}, "AUTH=PLAIN LOGIN"),
], ids=lambda value: next(iter(value)) if isinstance(value, dict) else str(value))
def test_what_is_offered(make_instance, settings, offer):
    one = make_instance("here", settings={**STRANGERS, "smtpd_sasl_auth_enable": "yes", **settings})
    set_passwords(one)
    one.start()
    raw, words = greet(one)
    offers = [word[4:] for word in words if word[4:].startswith("AUTH")]
    assert offer in offers if offer else not offers
    if not offer:
        assert raw.say("AUTH PLAIN " + encode("", "bob", "secret"))[:3] in ("503", "504", "538")


@pytest.mark.parametrize("lines, answers", [
    (["AUTH PLAIN " + encode("", "bob", "secret")], ["235 2.7.0 Authentication successful"]),
    (["AUTH PLAIN", encode("", "bob", "secret")], ["334 ", "235 2.7.0"]),
    (["auth plain", encode("", "bob", "secret")], ["334 ", "235 2.7.0"]),
    (["AUTH LOGIN", encode("bob"), encode("secret")], ["334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 2.7.0"]),
    (["AUTH LOGIN " + encode("bob"), encode("secret")], ["334 UGFzc3dvcmQ6", "235 2.7.0"]),
    (["AUTH PLAIN " + encode("", "bob", "wrong")], ["535 5.7.8 Error: authentication failed"]),
    (["AUTH PLAIN " + encode("", "nobody", "secret")], ["535 5.7.8 Error: authentication failed"]),
    (["AUTH PLAIN", "*"], ["334 ", "501 5.7.0 Authentication aborted"]),
    (["AUTH PLAIN", "not base64!"], ["334 ", "501 5.5.2"]),
    (["AUTH PLAIN AA==AA"], ["501 5.5.2"]),
    (["AUTH PLAIN ="], ["501 5.5.2"]),
    (["AUTH"], ["501 5.5.4 Syntax: AUTH mechanism"]),
    (["AUTH PLAIN a b"], ["501 5.5.4 Syntax: AUTH mechanism"]),
    (["AUTH NONSUCH"], ["504 5.5.4"]),
    (["AUTH PLAIN", "A" * 12400], ["334 ", "500 5.5.6"]),
    (["AUTH PLAIN " + encode("", "bob", "secret"), "AUTH PLAIN " + encode("", "bob", "secret")],
     ["235 2.7.0", "503 5.5.1 Error: already authenticated"]),
    (["MAIL FROM:<a@client.example>", "AUTH PLAIN " + encode("", "bob", "secret")],
     ["250 2.1.0", "503 5.5.1 Error: MAIL transaction in progress"]),
])
def test_dialogue(server, lines, answers):
    raw, _ = greet(server)
    for line, answer in zip(lines, answers):
        said = raw.say(line)
        assert said.startswith(answer), (line, said)
    assert raw.say("NOOP").startswith("250")


def test_a_user_may_relay(server):
    raw, _ = greet(server)
    assert raw.say("MAIL FROM:<bob@here.test>").startswith("250")
    assert raw.say("RCPT TO:<friend@there.test>").startswith("454 4.7.1")
    assert raw.say("RSET").startswith("250")
    assert raw.say("AUTH PLAIN " + encode("", "bob", "secret")).startswith("235")
    assert raw.say("MAIL FROM:<bob@here.test>").startswith("250")
    assert raw.say("RCPT TO:<friend@there.test>").startswith("250")


def test_log(server):
    with smtplib.SMTP(server.address, server.port, timeout=30) as client:
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("bob", "Tr0ub4dor")
        client.login("bob", "secret")
        client.sendmail("a@client.example", ["you@here.test"], small_message("logged"))
    server.wait_for_mail("you@here.test")
    server.wait_for_log(r"smtpd\[\d+\]: warning: unknown\[127\.0\.0\.1\]: SASL PLAIN authentication failed: [^,]+, "
                        r"sasl_username=bob$")
    server.wait_for_log(r"client=unknown\[127\.0\.0\.1\], sasl_method=\w+, sasl_username=bob$")
    server.wait_for_log(r"disconnect from \S+ ehlo=\d auth=1/[23] mail=1 ")
    assert "Tr0ub4dor" not in server.log() and "secret" not in server.log()


def test_aborted(server):
    raw, _ = greet(server)
    raw.say("AUTH LOGIN")
    raw.say("*")
    server.wait_for_log(r"warning: unknown\[127\.0\.0\.1\]: SASL LOGIN authentication aborted$")


def test_passwords_that_are_pipelined_are_not_logged(server):
    raw, _ = greet(server)
    raw.say(b"AUTH LOGIN\r\n" + encode("bob").encode() + b"\r\n" + encode("hunter2").encode() + b"\r\n")
    server.wait_for_log(r"improper command pipelining after AUTH from ")
    assert encode("hunter2") not in server.log()


def test_smtpd_client_auth_rate_limit(make_instance):
    one = make_instance("here", settings={
        **STRANGERS, "smtpd_sasl_auth_enable": "yes", "auth_failure_delay": "0s", "smtpd_client_auth_rate_limit": "1",
        "smtpd_client_event_limit_exceptions": ""})
    set_passwords(one)
    one.start()
    raw, _ = greet(one)
    assert raw.say("AUTH PLAIN " + encode("", "bob", "wrong")).startswith("535")
    assert raw.say("AUTH PLAIN " + encode("", "bob", "secret")) == \
        "450 4.7.1 Error: too many AUTH commands from 127.0.0.1"
    one.wait_for_log(r"warning: AUTH command rate limit exceeded: 2 from unknown\[127\.0\.0\.1\] for service ")


def test_without_authd_clients_come_back(server):
    """An authd that cannot ask its database is no reason to tell users that their passwords are wrong."""
    server.tolerate(r"auth\.database_unavailable")
    (server.etc / "passwords").unlink()
    raw, _ = greet(server)
    assert raw.say("AUTH PLAIN " + encode("", "bob", "secret")).startswith("454 4.7.0")
    server.wait_for_log(r"SASL PLAIN authentication failed: Connection lost to authentication server: ")


def test_a_process_that_authd_has_told_nothing_yet(server):
    """It does not know what authd does, and so cannot say that something is not to be had."""
    for process in running(server.programs, "authd"):
        os.kill(process, signal.SIGSTOP)
    old = running(server.programs, "smtpd")
    for process in old:
        os.kill(process, signal.SIGKILL)
    wait_until(lambda: set(running(server.programs, "smtpd")) - set(old), "another smtpd")
    raw, _ = greet(server)
    try:
        assert raw.say("AUTH PLAIN " + encode("", "bob", "secret")).startswith(("454 4.7.0", "235 "))
    finally:
        for process in running(server.programs, "authd"):
            os.kill(process, signal.SIGCONT)
    raw, offer = greet(server)
    assert any(word[4:].startswith("AUTH ") for word in offer), offer
    assert raw.say("AUTH PLAIN " + encode("", "bob", "secret")).startswith("235 ")


def test_fail2ban_bans_who_guesses_and_nobody_else(make_instance):
    if not more_peers.have("fail2ban"):
        pytest.skip("no fail2ban: its package could not be had")
    server = make_instance("here", settings={
        **STRANGERS, "smtpd_sasl_auth_enable": "yes", "auth_failure_delay": "0s", "syslog_name": "postfix"})
    set_passwords(server)
    server.start()
    for address, password in (("127.0.0.2", "wrong"), ("127.0.0.3", "secret")):
        with smtplib.SMTP(server.address, server.port, timeout=30, source_address=(address, 0)) as client:
            with contextlib.suppress(smtplib.SMTPAuthenticationError):
                client.login("bob", password)
    assert set(fail2ban(server.log_file, "auth")) == {"127.0.0.2"}


def guess(client, mechanism, word):
    """A password or token, and the code of the last answer."""
    if mechanism == "SCRAM-SHA-256":
        scram = Scram("bob", word, "sha256")
        code, text = client.docmd("AUTH", f"{mechanism} {encode(scram.first().decode())}")
        if code == 334:
            code, text = client.docmd(encode(scram.final(base64.b64decode(text)).decode()))
        return client.docmd("")[0] if code == 334 else code
    if mechanism == "PLAIN":
        return client.docmd("AUTH", f"{mechanism} {encode('', 'bob', word)}")[0]
    first = "user=bob" if mechanism == "XOAUTH2" else "n,a=bob,"
    code, _ = client.docmd("AUTH", f"{mechanism} " + encode(f"{first}\1auth=Bearer {word}\1\1"))
    return client.docmd(encode("\1"))[0] if code == 334 else code


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2"])
def test_who_guesses_is_locked_out(make_instance, tmp_path, mechanism):
    """Also by mechanisms that the filters of others do not know; a line in Postfix's form says so each time, and
    the user gets in from elsewhere."""
    key = bytes(range(40))
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{"kty": "oct", "k": encode_url(key)}]}))
    one = make_instance("here", settings={
        **STRANGERS, "smtpd_sasl_auth_enable": "yes", "auth_failure_delay": "0s", "auth_failure_exceptions": "",
        "auth_address_failure_limit": "3", "auth_oauth2_keys": keys, "auth_oauth2_username_claims": "email",
        "auth_mechanisms": "scram-sha-256, oauthbearer, xoauth2, plain"})
    set_passwords(one)
    one.start()
    words = [jwt({"email": "bob", "jti": str(number)}, bytes(40)) if "AUTH" in mechanism else f"guess{number}"
             for number in range(3)]
    with smtplib.SMTP(one.address, one.port, timeout=30, source_address=("127.0.0.2", 0)) as client:
        client.ehlo()
        assert [guess(client, mechanism, word) for word in words] == [535] * 3
        assert guess(client, mechanism, "another") == 454
        with pytest.raises(smtplib.SMTPAuthenticationError) as refused:     # also with what is right
            client.login("bob", "secret")
        assert refused.value.smtp_code == 454
    one.wait_for_log(r"(warning: unknown\[127\.0\.0\.2\]: SASL " + mechanism + r" authentication failed: [^\n]+, "
                     r"sasl_username=bob\n(.|\n)*){3}")
    with smtplib.SMTP(one.address, one.port, timeout=30, source_address=("127.0.0.3", 0)) as client:
        client.ehlo()
        token = jwt({"email": "bob", "exp": int(time.time()) + 600}, key)
        assert guess(client, mechanism, token if "AUTH" in mechanism else "secret") == 235


@pytest.mark.parametrize("clients, is_completed", [("permit_sasl_authenticated", True), ("192.0.2.1", False)])
def test_headers_of_users_are_completed(make_instance, clients, is_completed):
    one = make_instance("here", users=["you@here.test"], settings={
        **STRANGERS, "smtpd_sasl_auth_enable": "yes", "local_header_rewrite_clients": clients})
    set_passwords(one)
    one.start()
    with smtplib.SMTP(one.address, one.port, timeout=30) as client:
        client.login("bob", "secret")
        client.sendmail("bob@here.test", ["you@here.test"], "Subject: bare\r\n\r\nx\r\n")
    one.wait_for_mail("you@here.test")
    [message] = one.messages("you@here.test")
    assert (b"\nmessage-id: <" in message.read_bytes().lower()) == is_completed


def test_authd_may_die(server):
    """What was under way fails for now; the next one is asked."""
    raw, _ = greet(server)
    assert raw.say("AUTH LOGIN").startswith("334")
    for process in running(server.programs, "authd"):
        with contextlib.suppress(ProcessLookupError):  # its workers may have gone with it
            os.kill(process, signal.SIGKILL)
    answer = raw.say(encode("bob"))
    assert answer.startswith(("454 4.7.0", "334 ")), answer
    if answer.startswith("334"):
        raw.say("*")
    wait_until(lambda: raw.say("AUTH PLAIN " + encode("", "bob", "secret")).startswith("235"), "another has come")


@pytest.mark.parametrize("logs_in_again", [False, True])
def test_a_login_before_tls_is_forgotten(make_instance, logs_in_again):
    """RFC 3207 section 4.2, with all that a user is granted: here, that a header is completed."""
    one = make_instance("here", users=["you@here.test"], settings={
        **STRANGERS, "smtpd_sasl_auth_enable": "yes", "smtpd_tls_security_level": "may",
        "local_header_rewrite_clients": "permit_sasl_authenticated"})
    set_passwords(one)
    chain = one.directory / "server.pem"
    chain.write_text(Authority(one.directory / "authority").issue("mx.here.test").chain.read_text())
    one.set(smtpd_tls_chain_files=chain)
    one.start()
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP(one.address, one.port, "client.example", 30) as client:
        client.login("alice@here.test", "w0nderland")
        client.starttls(context=context)
        client.ehlo()
        if logs_in_again:
            client.login("alice@here.test", "w0nderland")
        client.sendmail("alice@here.test", "you@here.test", "Subject: x\r\n\r\nx\r\n")
    wait_until(lambda: one.messages("you@here.test"), "it arrives")
    assert ("\nFrom: " in one.messages("you@here.test")[0].read_text()) == logs_in_again
