"""submitd, as mail programs use it: they log in over TLS, hand mail over, and it is delivered or relayed."""

import base64
import contextlib
import email
import json
import pathlib
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time

import pytest

from harness import clock, etpan
from harness.authentication import encode_url, jwt
from harness.instance import free_port, wait_until
from harness.processes import memory_of, running
from harness.sink import Sink

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


# ---- mail programs of others, each with every mechanism that it knows

def run(*arguments, stdin="", env=None):
    done = subprocess.run(list(map(str, arguments)), input=stdin, capture_output=True, text=True, timeout=60,
                          check=False, env=env)
    assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
    return done.stdout


def by_swaks(one, mechanism, is_wrapped):
    run("swaks", "--server", one.address, "--port", one.submissions if is_wrapped else one.submission,
        "--tls-on-connect" if is_wrapped else "--tls", "--auth", mechanism, "--auth-user", "bob", "--auth-password",
        "secret", "--from", "bob@here.test", "--to", "you@here.test,friend@there.test", "--ehlo", "client.example",
        "--data", MESSAGE.replace("\r\n", "\n"))


def by_msmtp(one, mechanism, is_wrapped, secret="secret", user="bob", more=""):
    settings = one.directory / "msmtprc"
    settings.write_text(f"""account default
host {one.address}
port {one.submissions if is_wrapped else one.submission}
tls on
tls_starttls {"off" if is_wrapped else "on"}
tls_trust_file {one.certificate}
auth {mechanism.lower()}
user {user}
password {secret}
from bob@here.test
{more}""")
    settings.chmod(0o600)
    run("msmtp", "-C", settings, "you@here.test", "friend@there.test", stdin=MESSAGE)


def by_curl(one, mechanism, is_wrapped, secret="secret"):
    letter = one.directory / "letter"
    letter.write_text(MESSAGE)
    where = f"smtps://{one.address}:{one.submissions}" if is_wrapped else f"smtp://{one.address}:{one.submission}"
    user = ["--user", f"bob:{secret}"] if secret == "secret" else ["--user", "bob", "--oauth2-bearer", secret]
    run("curl", "-gsS", "--ssl-reqd", "--cacert", one.certificate, "--url", f"{where}/client.example", *user,
        "--login-options", f"AUTH={mechanism}", "--mail-from", "bob@here.test", "--mail-rcpt",
        "you@here.test", "--mail-rcpt", "friend@there.test", "--upload-file", letter)


def by_mutt(one, mechanism, is_wrapped, secret="secret"):
    where = f"smtps://bob@localhost:{one.submissions}/" if is_wrapped else f"smtp://bob@localhost:{one.submission}/"
    settings = one.directory / "muttrc"
    settings.write_text(f"""set from=bob@here.test
set realname=Bob
set use_envelope_from=yes
set smtp_url="{where}"
set smtp_pass={secret}
set smtp_oauth_refresh_command="echo {secret}"
set smtp_authenticators={mechanism.lower()}
set ssl_starttls=yes
set ssl_force_tls=yes
set certificate_file={one.certificate}
set ssl_verify_dates=no
set copy=no
""")
    run("mutt", "-F", settings, "-s", "submitted", "you@here.test", "friend@there.test", stdin="hello\n",
        env={"HOME": str(one.directory), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "dumb"})


def by_smtplib(one, mechanism, is_wrapped):
    kind = smtplib.SMTP_SSL if is_wrapped else smtplib.SMTP
    context = {"context": context_for(one)} if is_wrapped else {}
    with kind(one.address, one.submissions if is_wrapped else one.submission, "client.example", timeout=30,
              **context) as client:
        if not is_wrapped:
            client.starttls(context=context_for(one))
        client.ehlo()
        client.user, client.password = "bob", "secret"
        client.auth(mechanism, getattr(client, "auth_" + mechanism.lower().replace("-", "_")))
        client.sendmail("bob@here.test", ["you@here.test", "friend@there.test"], MESSAGE)


NET_SMTP = """use strict; use Net::SMTP; use Authen::SASL;
my ($host, $port, $mechanism, $wrapped, $ca) = @ARGV;
my $smtp = Net::SMTP->new($host, Port => $port, Hello => "client.example", SSL => $wrapped, SSL_ca_file => $ca,
                          SSL_verifycn_scheme => "none") or die "connect: $@";
$wrapped or $smtp->starttls(SSL_ca_file => $ca, SSL_verifycn_scheme => "none") or die "starttls: " . $smtp->message;
my $sasl = Authen::SASL->new(mechanism => $mechanism,
                             callback => {user => "bob", pass => "secret", authname => ""});
$smtp->auth($sasl) or die "auth: " . $smtp->message;
$smtp->mail('bob@here.test') or die $smtp->message;
$smtp->recipient('you@here.test', 'friend@there.test') or die $smtp->message;
my $letter = do { local $/; <STDIN> };
$smtp->data($letter) or die $smtp->message;
$smtp->quit or die $smtp->message;
"""


def by_perl(one, mechanism, is_wrapped):
    run("perl", "-e", NET_SMTP, one.address, one.submissions if is_wrapped else one.submission, mechanism,
        int(is_wrapped), one.certificate, stdin=MESSAGE.replace("\r\n", "\n"))


def with_etpan(one, mechanism, is_wrapped, secret):
    return etpan.Etpan(one.directory, one.certificate).send(
        one.submissions if is_wrapped else one.submission, is_wrapped, mechanism, "bob", secret,
        "bob@here.test", ["you@here.test", "friend@there.test"], MESSAGE)


def by_etpan(one, mechanism, is_wrapped, secret="secret"):
    status, said = with_etpan(one, mechanism, is_wrapped, secret)
    assert status == 0, said


ETPAN_MECHANISMS = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]
CLIENTS = [
    (by_swaks, "swaks", ["PLAIN", "LOGIN", "CRAM-MD5"]),
    (by_msmtp, "msmtp", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]),
    (by_curl, "curl", ["PLAIN", "LOGIN", "CRAM-MD5"]),
    (by_mutt, "mutt", ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"]),
    (by_smtplib, "python3", ["PLAIN", "LOGIN", "CRAM-MD5"]),
    (by_perl, "perl", ["PLAIN", "LOGIN", "CRAM-MD5"]),
    (by_etpan, "libetpan", ETPAN_MECHANISMS),
]
MECHANISMS = "scram-sha-512, scram-sha-256, scram-sha-1, cram-md5, plain, login"


def why_not(program):
    if program == "libetpan":
        return etpan.why_not()
    return None if shutil.which(program) else f"no {program} here"


@pytest.mark.parametrize("send, program, mechanisms", CLIENTS, ids=[row[1] for row in CLIENTS])
def test_programs_of_others(submission, recording_sink, send, program, mechanisms):
    """Over both ports with each mechanism: one recipient is here, one elsewhere."""
    if why_not(program):
        pytest.skip(why_not(program))
    sink = recording_sink
    one = submission(auth_mechanisms=MECHANISMS, relayhost=f"[127.0.0.1]:{sink.port}")
    for mechanism in mechanisms:
        for is_wrapped in (False, True):
            send(one, mechanism, is_wrapped)
            one.wait_for_log(rf"client=.*sasl_method={mechanism}, sasl_username=bob$")
    count = 2 * len(mechanisms)
    one.wait_for_mail("you@here.test", count=count)
    wait_until(lambda: len(sink.messages) >= count, "all of it was relayed")
    for message in one.messages("you@here.test"):
        letter = email.message_from_bytes(message.read_bytes())
        assert letter["Message-ID"] and letter["Date"] and not letter["Bcc"]
        assert "with ESMTPSA id" in letter["Received"]


@pytest.mark.skipif(etpan.why_not() is not None, reason=str(etpan.why_not()))
def test_wrong_passwords_from_a_program(submission):
    """With each mechanism the program learns that it was the password, and may try again with the right one."""
    one = submission(auth_mechanisms=MECHANISMS, auth_address_failure_limit="100")
    for mechanism in ETPAN_MECHANISMS:
        for is_wrapped in (False, True):
            status, said = with_etpan(one, mechanism, is_wrapped, secret="wrong")
            assert status == etpan.LOGIN_REFUSED and "535 5.7.8 " in said, said
            one.wait_for_log(rf"auth\.failed: .*mechanism={mechanism} ")
    assert one.run("postqueue", "-p").stdout.startswith("Mail queue is empty")
    by_etpan(one, ETPAN_MECHANISMS[-1], is_wrapped=True)
    one.wait_for_mail("you@here.test")
    assert len(one.messages("you@here.test")) == 1


TOKEN_CLIENTS = [
    (by_msmtp, "msmtp", ["OAUTHBEARER", "XOAUTH2"]),
    (by_curl, "curl", ["OAUTHBEARER"]),
    (by_curl, "curl", ["XOAUTH2"]),     # where there is no other: it prefers the former, whatever it is told
    (by_mutt, "mutt", ["OAUTHBEARER", "XOAUTH2"]),
    (by_etpan, "libetpan", ["XOAUTH2"]),
]


@pytest.mark.parametrize("send, program, mechanisms", TOKEN_CLIENTS, ids=[row[1] for row in TOKEN_CLIENTS])
def test_tokens_from_programs_of_others(submission, tmp_path, send, program, mechanisms):
    """A token does in place of a password, until it has expired."""
    if why_not(program):
        pytest.skip(why_not(program))
    key = bytes(range(40))
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"keys": [{"kty": "oct", "kid": "1", "k": encode_url(key)}]}))
    one = submission(users=["you@here.test"], auth_mechanisms=", ".join(mechanisms), auth_oauth2_keys=keys,
                     auth_oauth2_username_claims="email", auth_address_failure_limit="100",
                     relay_domains="there.test", relay_transport="discard:")
    good, expired = (jwt({"email": "bob", "exp": int(time.time()) + left_s}, key) for left_s in (600, -600))
    for mechanism in mechanisms:
        for is_wrapped in (False, True):
            with pytest.raises(AssertionError):
                send(one, mechanism, is_wrapped, expired)
            one.wait_for_log(rf'auth\.failed: .*mechanism={mechanism} .*reason="the token has expired"')
            send(one, mechanism, is_wrapped, good)
            one.wait_for_log(rf"client=.*sasl_method={mechanism}, sasl_username=bob$")
    one.wait_for_mail("you@here.test", count=2 * len(mechanisms))
    assert len(one.messages("you@here.test")) == 2 * len(mechanisms)


# ---- rules for users

OWNERS = "inline:{{bob@here.test = bob}, {alice@here.test = alice@here.test, bob}, {boss@here.test = boss}}"


def test_senders_belong_to_logins(submission):
    one = submission(smtpd_sender_login_maps=OWNERS)
    with client_of(one) as client:
        for sender in ("bob@here.test", "alice@here.test", ""):
            assert command(client, f"MAIL FROM:<{sender}>").startswith("250")
            assert command(client, "RSET").startswith("250")
        for sender in ("boss@here.test", "bob@elsewhere.test"):
            assert command(client, f"MAIL FROM:<{sender}>") == \
                f"553 5.7.1 <{sender}>: Sender address rejected: not owned by user bob"
    one.wait_for_log(r"NOQUEUE: reject: MAIL from unknown\[127\.0\.0\.1\]: 553 5\.7\.1 <boss@here\.test>: "
                     r"Sender address rejected: not owned by user bob; from=<boss@here\.test> proto=ESMTP "
                     r"helo=<client\.example> sasl_method=\S+ sasl_username=bob$")


def test_domains_are_whole(submission):
    """RFC 6409 section 4.2; and section 5.1: what is no address is none."""
    one = submission(append_dot_mydomain="no")
    with client_of(one) as client:
        for line, answer in (
                ("MAIL FROM:<bob@sales>", "554 5.1.8 <bob@sales>: Sender address rejected: need fully-qualified address"),
                ("MAIL FROM:<bob@sales.>", "554 5.1.8 "), ("MAIL FROM:<b ob@here.test>", "501 5.1.7"),
                ("MAIL FROM:<>", "250 2.1.0"), ("RSET", "250"), ("MAIL FROM:<bob>", "250 2.1.0"),
                ("RCPT TO:<you@here>", "554 5.1.2 <you@here>: Recipient address rejected: need fully-qualified address"),
                ("RCPT TO:<@here.test>", "501 5.1.3"), ("RCPT TO:<postmaster>", "250 2.1.5"),
                ("RCPT TO:<you@[192.0.2.1]>", "250 2.1.5"), ("RCPT TO:<you@here.test>", "250 2.1.5"), ("RSET", "250")):
            assert command(client, line).startswith(answer), line
        for field, answer in (("To: you, Friend <friend@there.test>, nobody:;", "250 2.0.0"),
                              ("To: you@here.test, friend@there", "554 5.1.0 <friend@there>: Header address rejected: "),
                              ("Reply-To: bob@sales", "554 5.1.0"), ("Subject: bob@sales", "250 2.0.0")):
            command(client, "MAIL FROM:<bob@here.test>")
            command(client, "RCPT TO:<you@here.test>")
            command(client, "DATA")
            client.send(f"From: bob@here.test\r\n{field}\r\n\r\nx\r\n.\r\n")
            code, text = client.getreply()
            assert f"{code} {text.decode()}".startswith(answer), field
    one.wait_for_mail("you@here.test", 2)
    one.set(append_dot_mydomain="yes", mydomain="here.test")
    one.reload()
    with client_of(one) as client:
        assert command(client, "MAIL FROM:<bob@sales>").startswith("250")
        assert command(client, "RCPT TO:<you@here.test>").startswith("250")
        command(client, "DATA")
        client.send("From: bob@sales\r\n\r\nx\r\n.\r\n")
        assert client.getreply()[0] == 250
    one.wait_for_mail("you@here.test", 3)
    assert b"From: bob@sales.here.test" in one.messages("you@here.test")[-1].read_bytes()


def test_letters_beyond_ascii(submission):
    """In content and in addresses, and on to a server that takes them."""
    with Sink(extensions=["PIPELINING", "8BITMIME", "SMTPUTF8"]) as sink:
        one = submission(relayhost=f"[127.0.0.1]:{sink.port}", users=["you@here.test", "j\u00f6rg@here.test"],
                         smtpd_sender_login_maps="inline:{{bob@here.test=bob}, {j\u00f6rg@here.test=bob}}")
        with client_of(one) as client:
            client.command_encoding = "utf-8"
            assert {"8bitmime", "smtputf8"} <= set(client.esmtp_features)
            client.sendmail("bob@here.test", ["you@here.test", "friend@there.test"], (
                "From: bob@here.test\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                "Content-Transfer-Encoding: 8bit\r\n\r\nGr\u00fc\u00dfe\r\n").encode(), mail_options=["BODY=8BITMIME"])
            client.sendmail("j\u00f6rg@here.test", ["j\u00f6rg@here.test", "fr\u00e4nd@there.test"], (
                "From: J\u00f6rg <j\u00f6rg@here.test>\r\nSubject: \u00fc\r\n\r\nx\r\n").encode(),
                mail_options=["SMTPUTF8", "BODY=8BITMIME"])
        wait_until(lambda: len(sink.messages) == 2, "both are relayed")
        one.wait_for_mail("you@here.test")
        one.wait_for_mail("j\u00f6rg@here.test")
    assert any("BODY=8BITMIME" in line for line in sink.commands)
    assert any("SMTPUTF8" in line and line.startswith("MAIL FROM:<j\u00f6rg@here.test>") for line in sink.commands), \
        sink.commands
    assert all(word in b"".join(message.content for message in sink.messages)
               for word in ("Gr\u00fc\u00dfe".encode(), "J\u00f6rg".encode()))


@pytest.mark.parametrize("header, is_taken", [
    ("From: Bob <bob@here.test>", True),
    ("From: bob@here.test, Alice <alice@here.test>", True),
    ("From: Boss <boss@here.test>", False),
    ("From: bob@here.test\r\nFrom: boss@here.test", False),
    ("From: Bob <bob@here.test>, boss@here.test", False),
    ("From: Bob bob@here.test", False),
    ("From: boss@here.test bob@here.test", False),
    ("From: <boss@here.test", False),
    ("From: <bob@here.test> <boss@here.test>", False),
    ("From: Bob <boss@here.test> (Bob) bob", False),
    ("From: boss@here.test: bob@here.test", False),
    ("From: boss@here.test:;", False),
    ("From: boss@here.test <bob@here.test>", False),
    ("From: bob@here.test <bob@here.test>", True),
    ("From: \"Bob @ home\": <bob@here.test>;", True),
    ("From: " + ",\r\n ".join(["bob@here.test"] * 1000), True),
    ("Sender: bob@here.test", True),
], ids=["own", "both", "stranger", "two-fields", "two-names", "no-brackets", "no-comma", "half-open", "two-brackets", "behind",
        "group", "empty-group", "name", "own-name", "quoted-group", "many", "none"])
def test_submitd_from_check(submission, header, is_taken):
    one = submission(smtpd_sender_login_maps=OWNERS, submitd_from_check="login", smtpd_recipient_limit="5")
    with client_of(one) as client:
        command(client, "MAIL FROM:<bob@here.test>")
        command(client, "RCPT TO:<you@here.test>")
        command(client, "DATA")
        client.send(f"{header}\r\nSubject: x\r\n\r\nx\r\n.\r\n")
        code, text = client.getreply()
        answer = f"{code} {text.decode()}"
    assert answer.startswith("250" if is_taken else (
        "553 5.7.1 <boss@here.test>: Sender address rejected: not owned by user bob",
        "553 5.7.1 <Bob@mx.here.test>: Sender address rejected: not owned by user bob",
        "550 5.7.1 Error: a From address cannot be read"))


def test_a_message_becomes_complete_and_keeps_secrets(submission):
    one = submission(smtpd_hide_client_session="yes", smtpd_tls_received_header="yes")
    with client_of(one) as client:
        client.sendmail("bob@here.test", ["you@here.test"], "Subject: bare\r\nTo: you@here.test\r\n"
                        "Bcc: friend@there.test\r\n\r\nx\r\n")
    one.wait_for_mail("you@here.test")
    [message] = one.messages("you@here.test")
    letter = email.message_from_bytes(message.read_bytes())
    assert letter["Date"] and letter["Message-ID"] and letter["From"] == "bob@here.test" and not letter["Bcc"]
    assert re.match(r"by mx\.here\.test \(Posthouse\) with ESMTPSA id \w+", letter["Received"])
    assert "127.0.0.1" not in message.read_text() and "client.example" not in message.read_text()


def test_smtpd_sasl_authenticated_header(submission):
    one = submission(smtpd_sasl_authenticated_header="yes")
    with client_of(one) as client:
        client.sendmail("bob@here.test", ["you@here.test"], MESSAGE)
    one.wait_for_mail("you@here.test")
    [message] = one.messages("you@here.test")
    assert "\n\t(Authenticated sender: bob)\n\tby mx.here.test" in message.read_text()


def test_rates_of_a_user(submission):
    one = submission(submitd_user_message_rate_limit="2", submitd_user_recipient_rate_limit="3")
    with client_of(one) as client:
        assert command(client, "MAIL FROM:<bob@here.test>").startswith("250")
        for count in range(4):
            answer = command(client, "RCPT TO:<you@here.test>")
            assert answer.startswith("250" if count < 3 else "450 4.7.1 <bob>: User rejected: too many recipients")
        command(client, "RSET")
    with client_of(one) as client:
        assert command(client, "MAIL FROM:<bob@here.test>").startswith("250")
        command(client, "RSET")
        assert command(client, "MAIL FROM:<other@here.test>") == "450 4.7.1 <bob>: User rejected: too much mail"
    with client_of(one, "alice@here.test", "w0nderland") as client:
        assert command(client, "MAIL FROM:<alice@here.test>").startswith("250")


# ---- when, by when, and before which others

def send(client, parameters, recipient="you@here.test", sender="bob@here.test"):
    answer = command(client, f"MAIL FROM:<{sender}> {parameters}")
    assert answer.startswith("250"), answer
    assert command(client, f"RCPT TO:<{recipient}>").startswith("250")
    assert command(client, "DATA").startswith("354")
    client.send(MESSAGE + ".\r\n")
    code, text = client.getreply()
    assert code == 250, text
    return re.search(r"queued as (\w+)", text.decode()).group(1)


def test_what_is_offered(submission):
    one = submission(submitd_deliver_by_minimum="60s")
    with client_of(one) as client:
        assert re.fullmatch(r"604800 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", client.esmtp_features["futurerelease"])
        assert client.esmtp_features["deliverby"] == "60"
        assert "mt-priority" in client.esmtp_features
    with smtplib.SMTP(one.address, one.port, "client.example", 30) as client:
        client.ehlo()
        assert not any(client.has_extn(name) for name in ("futurerelease", "deliverby", "mt-priority"))
        for parameter in ("HOLDFOR=5", "BY=5;R", "MT-PRIORITY=3", "AUTH=<>"):
            assert command(client, f"MAIL FROM:<a@client.example> {parameter}").startswith("555 5.5.4")


VALUES = [
    ("HOLDFOR=604801", "501 5.5.4"), ("HOLDFOR=0", "501 5.5.4"), ("HOLDFOR=x", "501 5.5.4"),
    ("HOLDUNTIL=2999-01-01T00:00:00Z", "501 5.5.4"), ("HOLDUNTIL=tomorrow", "501 5.5.4"),
    ("HOLDUNTIL=2020-01-01T00:00:00Z", "250"), ("HOLDFOR=5 HOLDUNTIL=2020-01-01T00:00:00Z", "501 5.5.4"),
    ("HOLDFOR=100 BY=50;R", "501 5.5.4"), ("HOLDFOR=50 BY=100;R", "250"), ("BY=0;R", "501 5.5.4"),
    ("BY=-5;N", "250"), ("BY=5", "501 5.5.4"), ("BY=30;R", "501 5.5.4"), ("BY=120;NT", "250"),
    ("MT-PRIORITY=10", "501 5.5.2"), ("MT-PRIORITY=-9", "250 2.1.0"), ("MT-PRIORITY=4", "250 2.1.0"),
    ("MT-PRIORITY=9", "250 2.3.6 4 is the highest priority here"), ("AUTH=bob@here.test", "250"), ("AUTH=b+4", "501"),
]


def test_values(submission):
    one = submission(submitd_deliver_by_minimum="60s", submitd_priority_limit="4", smtpd_hard_error_limit="100",
                     smtpd_soft_error_limit="100")
    with client_of(one) as client:
        for parameters, answer in VALUES:
            said = command(client, f"MAIL FROM:<bob@here.test> {parameters}")
            assert said.startswith(answer), (parameters, said)
            command(client, "RSET")


def test_a_message_is_held(submission):
    one = submission()
    with client_of(one) as client:
        held = send(client, "HOLDFOR=4")
        send(client, "")
    one.wait_for_mail("you@here.test")
    one.wait_for_log(rf"qmgr\[\d+\]: {held}: held until \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ, as its sender asked$")
    assert len(one.messages("you@here.test")) == 1 and held in one.run("postqueue", "-p").stdout
    one.run("postqueue", "-f", check=True)     # the sender's wish counts
    one.wait_for_mail("you@here.test", count=2)
    one.wait_for_log(rf"{held}: removed$")


def test_a_message_is_held_over_a_restart(submission):
    one = submission()
    with client_of(one) as client:
        send(client, "HOLDFOR=6")
    one.wait_for_log(r"held until ")
    one.stop()
    one.start()
    assert not one.messages("you@here.test")
    one.wait_for_mail("you@here.test")


def test_what_is_late_is_returned(submission):
    """BY=...;R: no attempt after the time, and the sender learns why."""
    one = submission(relayhost="[127.0.0.1]:9", minimal_backoff_time="1s", maximal_backoff_time="1s")
    with client_of(one) as client:
        late = send(client, "BY=3;R", recipient="friend@there.test")
    one.wait_for_mail("bob@here.test")
    [report] = one.messages("bob@here.test")
    text = report.read_text()
    assert "Status: 5.4.7" in text and "Action: failed" in text and "\nDeliver-By-Date: " in text
    one.wait_for_log(rf"{late}: removed$")


@pytest.mark.skipif(clock.why_not() is not None, reason=str(clock.why_not()))
def test_a_clock_that_is_set_makes_nothing_late(submission, programs, workspace):
    """BY=...;R: mail is not returned because somebody set the clock, perhaps by mistake."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="clock-", dir=workspace))
    place.chmod(0o755)
    dial = clock.Clock(programs, place)
    one = submission(relayhost="[127.0.0.1]:9", minimal_backoff_time="1s", maximal_backoff_time="1s",
                     daemon_directory=dial.daemons)
    with client_of(one) as client:
        late = send(client, "BY=7200;R", recipient="friend@there.test")
    one.wait_for_log(rf"{late}: .*status=deferred")
    dial.set(3 * 3600)
    one.wait_for_log(r"the clock was set forward by (.|\n)*" + rf"({late}: .*status=deferred(.|\n)*){{3}}")
    assert "status=expired" not in one.log() and not one.messages("bob@here.test")
    dial.set(0)


def test_of_what_is_late_the_sender_is_told(submission):
    """BY=...;N: it goes on trying."""
    one = submission(relayhost="[127.0.0.1]:9", minimal_backoff_time="1s", maximal_backoff_time="1s")
    with client_of(one) as client:
        send(client, "BY=3;N", recipient="friend@there.test")
    one.wait_for_mail("bob@here.test")
    [report] = one.messages("bob@here.test")
    text = report.read_text()
    assert "Status: 4.4.7" in text and "Action: delayed" in text
    assert "friend@there.test" in one.run("postqueue", "-p").stdout


def relayed_to(submission, sink, **settings):
    return submission(relayhost=f"[127.0.0.1]:{sink.port}", submitd_priority_limit="9", **settings)


def test_time_and_priority_go_on(submission):
    with Sink(extensions=["PIPELINING", "DSN", "DELIVERBY 60", "MT-PRIORITY"]) as sink:
        one = relayed_to(submission, sink)
        with client_of(one) as client:
            send(client, "BY=600;R MT-PRIORITY=7", recipient="friend@there.test")
            send(client, "BY=-20;N MT-PRIORITY=-3", recipient="friend@there.test")
        wait_until(lambda: len(sink.messages) == 2, "both are relayed")
    mails = [line for line in sink.commands if line.upper().startswith("MAIL")]
    assert sorted(re.search(rb"\tPRIORITY (-?\d);", message.content).group(1) for message in sink.messages) == \
        [b"-3", b"7"]
    assert any(re.search(r" BY=(600|59\d);R MT-PRIORITY=7$", line) for line in mails), mails
    assert any(re.search(r" BY=-2\d;N MT-PRIORITY=-3$", line) for line in mails), mails


@pytest.mark.parametrize("extensions, reason", [
    (["DSN"], "DELIVERBY is required, but was not offered by host"),
    (["DSN", "DELIVERBY 900"], "would take longer than is left"),
], ids=["unknown", "slow"])
def test_what_nobody_delivers_in_time_is_returned(submission, extensions, reason):
    with Sink(extensions=extensions) as sink:
        one = relayed_to(submission, sink)
        with client_of(one) as client:
            send(client, "BY=600;R", recipient="friend@there.test")
        one.wait_for_mail("bob@here.test")
        assert not sink.messages
    [report] = one.messages("bob@here.test")
    assert reason in " ".join(report.read_text().split())


def test_a_relay_is_reported(submission):
    """To a server without DELIVERBY, although nobody asked for NOTIFY=SUCCESS."""
    with Sink(extensions=["DSN"]) as sink:
        one = relayed_to(submission, sink)
        with client_of(one) as client:
            send(client, "BY=600;N", recipient="friend@there.test")
        one.wait_for_mail("bob@here.test")
    [report] = one.messages("bob@here.test")
    assert "Action: relayed" in report.read_text()
    assert any(line.endswith(" NOTIFY=FAILURE,DELAY") for line in sink.commands), sink.commands


def test_what_is_urgent_goes_first(submission):
    """While a destination waits, its messages line up by their priority."""
    with Sink(extensions=["MT-PRIORITY"]) as sink:
        one = relayed_to(submission, sink, defer_transports="smtp, relay", minimal_backoff_time="1s",
                         maximal_backoff_time="1s", default_destination_concurrency_limit="1")
        with client_of(one) as client:
            for priority in (0, -5, 9, 3):
                send(client, f"MT-PRIORITY={priority}", recipient="friend@there.test")
        one.wait_for_log(r"status=deferred")
        one.stop()
        one.set(defer_transports=None, smtp_destination_rate_delay="1s")
        one.start()
        one.run("postqueue", "-f", check=True)
        wait_until(lambda: len(sink.messages) == 4, "all are relayed")
    seen = [int(re.search(r"MT-PRIORITY=(-?\d)", line).group(1)) for line in sink.commands
            if line.upper().startswith("MAIL")]
    assert sorted(seen[1:], reverse=True) == seen[1:], seen    # whichever was there first was under way already


@pytest.mark.skipif(not shutil.which("gsasl"), reason="needs gsasl")
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS"])
def test_logins_that_are_bound_to_the_connection(submission, mechanism):
    """gsasl binds them with what TLS gives it; of another connection they would be worth nothing."""
    one = submission(auth_mechanisms="scram-sha-256-plus, scram-sha-1-plus, plain")
    done = subprocess.run(
        ["gsasl", "--smtp", "--starttls", f"--x509-ca-file={one.certificate}", "--connect",
         f"localhost:{one.submission}", f"--mechanism={mechanism}", "--authentication-id=bob", "--password=secret",
         "--quality-of-protection=qop-auth", "--no-client-first"],
        input="\nQUIT\n", capture_output=True, text=True, timeout=60, check=False)
    assert "235 2.7.0" in done.stdout, done.stdout + done.stderr
    one.wait_for_log(rf"authd\[\d+\]: auth\.succeeded: .*mechanism={mechanism} ")


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_passwords_do_not_stay(submission, mechanism):
    """What came over the line is gone from the process that reads lines as soon as authd has it."""
    secret = "Zx9Qw7LmPassword42"
    one = submission()
    (one.etc / "passwords").write_text(f"bob:{{PLAIN}}{secret}\n")
    traces = [secret.encode(), encode(secret).rstrip("=").encode(), encode("", "bob", secret).rstrip("=").encode()]
    with client_of(one, user=None) as client:
        client.user, client.password = "bob", secret
        client.auth(mechanism, getattr(client, "auth_" + mechanism.lower()))
        for pid in running(one.programs, "submitd"):
            for block in memory_of(pid):
                assert not any(trace in block for trace in traces), f"{pid} remembers"


def test_tables_have_messages_of_users_held(submission):
    one = submission(smtpd_sender_restrictions="check_sasl_access inline:{{bob = HOLD}}")
    with client_of(one) as client:
        client.sendmail("bob@here.test", ["you@here.test"], MESSAGE)
    one.wait_for_log(r"submission/submitd\[\d+\]: NOQUEUE: hold: RCPT from .*: <bob>: SASL login name triggers HOLD "
                     r"action; from=<bob@here\.test> to=<you@here\.test> proto=ESMTP")
    wait_until(lambda: '"queue_name": "hold"' in one.run("postqueue", "-j").stdout, "it lies on hold")
