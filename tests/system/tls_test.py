"""smtpd over TLS, as clients of others see it: STARTTLS, TLS from the first byte, what is spoken by
default, certificates of clients, and sessions that are many or hang."""

import contextlib
import os
import re
import resource
import shutil
import smtplib
import socket
import ssl
import subprocess

import pytest

from harness.certificates import Authority, fingerprint, openssl
from harness.instance import free_port, wait_until
from harness.processes import running

IS_LONG = bool(os.environ.get("POSTHOUSE_TESTS_LONG"))
SESSIONS = 5000 if IS_LONG else 400
IDLE_SESSION_MAX_KIB = 45


@pytest.fixture
def protected(make_instance):
    """protected(setting=value ...): a running instance with a certificate that .authority signed; its
    port for TLS from the first byte is .wrapped_port, that of submitd .submissions."""
    made = []

    def make(kinds=("ec",), service_options="", **settings):
        port, submissions = free_port(), free_port()
        one = make_instance("here", services=(
            f"127.0.0.1:{port} inet n - y - - smtpd -o smtpd_tls_wrappermode=yes"
            f" -o syslog_name=posthouse/smtps {service_options}\n"
            f"127.0.0.1:{submissions} inet n - y - - submitd -o smtpd_tls_wrappermode=yes\n"))
        one.authority = Authority(one.directory / "keys")
        chains = [one.authority.issue(kind, "mx.here.test", kind) for kind in kinds]
        one.wrapped_port, one.submissions = port, submissions
        one.set(**{"smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1",
                   "smtpd_tls_chain_files": " ".join(map(str, chains)), **settings})
        made.append(one)
        return one.start()
    return make


def context_for(one, certificate=None):
    context = ssl.create_default_context(cafile=one.authority.certificate)
    context.check_hostname = False
    if certificate:
        context.load_cert_chain(certificate)
    return context


def names_checked(one):
    context = context_for(one)
    context.check_hostname = True
    return context


def s_client(one, *arguments, stdin="QUIT\r\n", is_wrapped=False):
    port = one.wrapped_port if is_wrapped else one.port
    start = [] if is_wrapped else ["-starttls", "smtp"]
    return openssl("s_client", "-connect", f"{one.address}:{port}", *start, *arguments, stdin=stdin,
                   check=False)


MESSAGE = b"Subject: over TLS\r\n\r\nhello\r\n"


# ---- clients of others

def test_starttls_by_smtplib(protected):
    one = protected(smtpd_tls_received_header="yes")
    with smtplib.SMTP(one.address, one.port, "client.example", 30) as client:
        client._host = "mx.here.test"   # whom the certificate is to be of
        client.ehlo()
        assert client.has_extn("starttls")
        client.starttls(context=names_checked(one))
        client.ehlo()
        assert not client.has_extn("starttls")
        client.sendmail("sender@client.example", ["you@here.test"], MESSAGE)
    message = one.wait_for_mail("you@here.test")[0]
    received = re.sub(r"\s+", " ", message["Received"])
    assert re.search(r"\(using TLSv1\.3 with cipher TLS_AES_256_GCM_SHA384 \(256/256 bits\) "
                     r"key-exchange \S+ server-signature ECDSA \(P-256\) server-digest SHA256\) "
                     r"\(No client certificate requested\) by mx\.here\.test \(Posthouse\) with ESMTPS id \S+ "
                     r"for <you@here\.test> tls TLS_AES_256_GCM_SHA384 group \S+; ", received), received
    one.wait_for_log(r"posthouse/smtpd\[\d+\]: Anonymous TLS connection established from unknown\[127\.0\.0\.1\]"
                     r": TLSv1\.3 with cipher TLS_AES_256_GCM_SHA384 \(256/256 bits\) key-exchange")
    one.wait_for_log(r"disconnect from unknown\[127\.0\.0\.1\] ehlo=2 starttls=1 mail=1 rcpt=1 data=1 "
                     r"quit=1 commands=7$")


def test_wrapped_by_smtplib(protected):
    one = protected()
    with smtplib.SMTP_SSL(one.address, one.wrapped_port, "client.example", timeout=30,
                          context=context_for(one)) as client:
        client.sendmail("sender@client.example", ["you@here.test"], MESSAGE)
    received = one.wait_for_mail("you@here.test")[0]["Received"]
    assert " with ESMTPS id " in received and "(using" not in received
    assert re.search(r"\stls TLS_AES_256_GCM_SHA384 group ", received)
    one.wait_for_log(r"posthouse/smtps/smtpd\[\d+\]: Anonymous TLS connection established")


@pytest.mark.parametrize("how", ["--tls", "--tls-on-connect"])
def test_swaks(protected, how):
    if not shutil.which("swaks"):
        pytest.skip("no swaks")
    one = protected(kinds=("rsa",))
    port = one.wrapped_port if how == "--tls-on-connect" else one.port
    done = subprocess.run(["swaks", how, "--server", one.address, "--port", str(port), "--to",
                           "you@here.test", "--from", "sender@client.example", "--tls-verify",
                           "--tls-ca-path", str(one.authority.certificate), "--tls-protocol", "tlsv1_2"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "TLS started with cipher TLSv1.2:ECDHE-RSA-AES256-GCM-SHA384:256" in done.stdout
    one.wait_for_mail("you@here.test")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("is_wrapped", [False, True], ids=["starttls", "wrapped"])
def test_sessions_are_resumed(protected, tmp_path, version, is_wrapped):
    one = protected()
    session = tmp_path / "session"
    # It leaves when the server does: in TLS 1.3 the ticket comes after the handshake.
    first = s_client(one, version, "-ign_eof", "-sess_out", session, is_wrapped=is_wrapped)
    assert "New, TLSv1" in first and session.exists(), first
    again = s_client(one, version, "-sess_in", session, is_wrapped=is_wrapped)
    assert "Reused, TLSv1" in again, again
    one.set(smtpd_tls_session_cache_timeout="0")
    one.reload()
    never = tmp_path / "never"
    s_client(one, version, "-ign_eof", "-sess_out", never, is_wrapped=is_wrapped)
    assert not never.exists() or \
        "Reused, TLSv1" not in s_client(one, version, "-sess_in", never, is_wrapped=is_wrapped)


def test_a_name_of_its_own_is_logged(protected):
    """As in Postfix only such a one is: programs that read the log count on it."""
    one = protected()
    one.authority.issue("other", "other.test")
    one.set(tls_server_sni_maps=f"inline:{{other.test={one.authority.directory}/other.pem}}")
    one.reload()
    wait_until(lambda: "CN = other.test" in s_client(one, "-servername", "other.test"), "the name's certificate")
    one.wait_for_log(r"TLS connection established from unknown\[127\.0\.0\.1\] to other\.test: TLSv1\.3 with cipher ")
    s_client(one, "-servername", "mx.here.test", "-tls1_2")
    one.wait_for_log(r"TLS connection established from unknown\[127\.0\.0\.1\]: TLSv1\.2 with cipher ")


# ---- what is spoken by default

def test_old_versions_are_not_spoken(protected):
    one = protected(kinds=("ec", "rsa"))
    for is_wrapped in (False, True):
        for version in ("-tls1", "-tls1_1"):
            output = s_client(one, version, "-cipher", "ALL:@SECLEVEL=0", is_wrapped=is_wrapped)
            assert "Cipher is (NONE)" in output, output
        assert "Cipher is ECDHE-" in s_client(one, "-tls1_2", is_wrapped=is_wrapped)


WEAK = ["eNULL", "aNULL", "EXPORT", "LOW", "DES", "3DES", "RC4", "RC2", "IDEA", "SEED", "MD5", "PSK", "SRP",
        "kRSA", "kDHE", "CAMELLIA", "ARIA", "AESCCM", "SHA1", "SHA256", "SHA384"]


def test_weak_ciphers_are_not_taken(protected):
    one = protected(kinds=("ec", "rsa"))
    for cipher in WEAK:
        output = s_client(one, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
        # Some of them this OpenSSL does not have at all.
        assert "Cipher is (NONE)" in output or "no cipher match" in output, output


def test_no_renegotiation_and_no_compression(protected):
    one = protected()
    output = s_client(one, "-tls1_2", stdin="R\nEHLO x\r\n")
    assert "no renegotiation" in output and "Compression: NONE" in output, output
    assert "Secure Renegotiation IS supported" in output
    assert "Compression: NONE" in s_client(one, "-tls1_2", "-comp")


def test_as_nmap_sees_it(protected):
    if not shutil.which("nmap"):
        pytest.skip("no nmap")
    one = protected(kinds=("ec", "rsa"))
    for port in (one.port, one.wrapped_port, one.submissions):
        done = subprocess.run(["nmap", "-Pn", "-n", "-sT", "-sV", "--version-light", "--script",
                               "ssl-enum-ciphers", "-p", str(port), one.address],
                              capture_output=True, text=True, timeout=120, check=False)
        versions = set(re.findall(r"^\|\s+(SSLv3|TLSv1\.\d):", done.stdout, re.MULTILINE))
        grades = set(re.findall(r" - ([A-F])$", done.stdout, re.MULTILINE))
        assert versions and versions <= {"TLSv1.2", "TLSv1.3"}, done.stdout
        assert grades == {"A"} and "warnings" not in done.stdout, done.stdout
        assert "least strength: A" in done.stdout
        assert set(re.findall(r"^\|\s+compressors: \n\|\s+(\S+)", done.stdout, re.MULTILINE)) <= {"NULL"}


def test_settings_widen_it(protected):
    one = protected(smtpd_tls_exclude_ciphers="aNULL", smtpd_tls_ciphers="high",
                    tls_preempt_cipherlist="yes", smtpd_tls_mandatory_protocols="TLSv1.2",
                    tls_eecdh_auto_curves="prime256v1")
    assert "Cipher is ECDHE-ECDSA-AES256-SHA\n" in s_client(one, "-tls1_2", "-cipher", "SHA1")
    assert "Server Temp Key: ECDH, prime256v1" in s_client(one)
    # The other service demands TLS.
    assert "Protocol  : TLSv1.2" in s_client(one, "-tls1_2", is_wrapped=True)
    assert "Cipher is (NONE)" in s_client(one, "-tls1_3", is_wrapped=True)


# ---- TLS that may not be left out

def test_encrypt(protected):
    one = protected(smtpd_tls_security_level="encrypt")
    with smtplib.SMTP(one.address, one.port, "client.example", 30) as client:
        assert client.docmd("HELO", "client.example") == (530, b"5.7.0 Must issue a STARTTLS command first")
        client.ehlo()
        assert client.mail("sender@client.example") == (530, b"5.7.0 Must issue a STARTTLS command first")
        client.starttls(context=context_for(one))
        client.sendmail("sender@client.example", ["you@here.test"], MESSAGE)
    one.wait_for_mail("you@here.test")


def test_new_sessions_have_a_rate(protected):
    one = protected(smtpd_client_new_tls_session_rate_limit="2", smtpd_client_event_limit_exceptions="")
    answers = []
    for _ in range(4):
        with smtplib.SMTP(one.address, one.port, "client.example", 30) as client:
            client.ehlo()
            try:
                answers.append(client.starttls(context=context_for(one))[0])
                answers[-1] = client.ehlo()[0]
            except smtplib.SMTPResponseException as error:
                answers.append(error.smtp_code)
    assert answers == [250, 250, 421, 454]
    one.wait_for_log(r"warning: New TLS session rate limit exceeded: 3 from unknown\[127\.0\.0\.1\] for service ")
    one.wait_for_log(r"warning: Refusing STARTTLS request from unknown\[127\.0\.0\.1\] for service ")


def test_who_demands_tls_needs_a_certificate(make_instance):
    one = make_instance("here", settings={"smtpd_tls_security_level": "encrypt"})
    assert re.search(r"warning: .*master\.cf, line 1: 127\.0\.0\.1:\d+ demands TLS and has no certificate",
                     one.run("posthouse", "check").stderr)
    one.set(smtpd_tls_chain_files="none")
    assert "demands TLS and has no certificate" in one.run("posthouse", "check").stderr
    one.set(smtpd_tls_security_level="may")
    assert "demands TLS" not in one.run("posthouse", "check").stderr


def test_who_lets_users_log_in_needs_a_certificate(make_instance):
    """submitd demands TLS whatever is set; as long as nobody could log in there is nothing to say."""
    one = make_instance("here", services="127.0.0.1:5870 inet n - y - - submitd\n")
    assert "demands TLS" not in one.run("posthouse", "check").stderr
    one.set(auth_databases="static:bob:secret", smtpd_tls_security_level="none")
    said = one.run("posthouse", "check").stderr
    assert re.search(r"warning: .*master\.cf, line \d+: 127\.0\.0\.1:5870 demands TLS and has no certificate, so that it "
                     r"serves nobody: smtpd_tls_chain_files", said) and "secret" not in said
    one.set(smtpd_tls_chain_files="/etc/ssl/private/mail.pem")
    assert "demands TLS" not in one.run("posthouse", "check").stderr


# ---- certificates of clients

def test_client_certificates_relay(protected):
    one = protected(smtpd_tls_ask_ccert="yes", smtpd_tls_received_header="yes", mynetworks="192.0.2.0/24",
                    smtpd_relay_restrictions="permit_tls_clientcerts, reject_unauth_destination")
    one.authority.issue("bob", "bob", alternative="email:bob@client.example")
    one.authority.issue("eve", "eve")
    (one.etc / "relay").write_text(f"{fingerprint(one.authority.directory / 'bob.crt')} bob\n")
    one.run("postmap", f"hash:{one.etc}/relay", check=True)
    one.set(smtpd_tls_CAfile=one.authority.certificate, relay_clientcerts=f"hash:{one.etc}/relay",
            default_transport="discard:")
    one.reload()

    def relay(name):
        with smtplib.SMTP(one.address, one.port, "client.example", 30) as client:
            client.starttls(context=context_for(one, name and one.authority.directory / f"{name}.pem"))
            client.ehlo()
            client.mail("sender@client.example")
            return client.rcpt("friend@there.test")

    wait_until(lambda: relay("bob")[0] == 250, "bob relays")
    assert relay("eve")[0] == relay(None)[0] == 554
    one.wait_for_log(r"Trusted TLS connection established from unknown\[127\.0\.0\.1\]")
    with smtplib.SMTP(one.address, one.port, "client.example", 30) as client:
        client.starttls(context=context_for(one, one.authority.directory / "bob.pem"))
        client.sendmail("sender@client.example", ["you@here.test"], MESSAGE)
    received = re.sub(r"\s+", " ", one.wait_for_mail("you@here.test")[0]["Received"])
    assert '(Client CN "bob", Issuer "Test CA" (verified OK))' in received


def test_check_ccert_access(protected):
    one = protected(smtpd_tls_ask_ccert="yes")
    for name in ("bob", "eve"):
        one.authority.issue(name, name)
    (one.etc / "certificates").write_text(f"{fingerprint(one.authority.directory / 'eve.crt')} REJECT not you\n")
    one.run("postmap", f"hash:{one.etc}/certificates", check=True)
    one.set(smtpd_client_restrictions=f"check_ccert_access hash:{one.etc}/certificates")
    one.reload()

    def greeted(name):
        with smtplib.SMTP(one.address, one.port, "client.example", 30) as client:
            client.starttls(context=context_for(one, name and one.authority.directory / f"{name}.pem"))
            client.ehlo()
            client.mail("sender@client.example")
            return client.rcpt("you@here.test")

    wait_until(lambda: greeted("eve")[0] == 554, "eve is refused")
    assert greeted("eve")[1].endswith(b"Client certificate rejected: not you")
    assert greeted("bob")[0] == greeted(None)[0] == 250


def test_a_file_of_authorities_that_is_not_there(protected):
    """A line for the operator, and mail comes in."""
    one = protected(smtpd_tls_ask_ccert="yes", smtpd_tls_CAfile="/no/such/file",
                    smtpd_relay_restrictions="permit_tls_all_clientcerts, reject_unauth_destination",
                    mynetworks="192.0.2.0/24")
    assert "smtpd_tls_CAfile = /no/such/file: No such file or directory" in one.run("posthouse", "check").stderr
    one.wait_for_log(r"warning: smtpd_tls_CAfile, smtpd_tls_CApath: cannot read certificates from /no/such/file")
    one.authority.issue("bob", "bob")
    with smtplib.SMTP(one.address, one.port, "client.example", 30) as client:
        client.starttls(context=context_for(one, one.authority.directory / "bob.pem"))
        client.sendmail("sender@client.example", ["you@here.test"], MESSAGE)
        client.mail("sender@client.example")
        assert client.rcpt("friend@there.test")[0] == 554
    one.wait_for_mail("you@here.test")
    one.wait_for_log("Untrusted TLS connection established from ")


def test_who_was_trusted_before_is_not_resumed(protected, tmp_path):
    one = protected(smtpd_tls_ask_ccert="yes", smtpd_tls_received_header="yes")
    one.set(smtpd_tls_CAfile=one.authority.certificate)
    one.reload()
    one.authority.issue("bob", "bob")
    session = tmp_path / "session"
    shown = ["-tls1_2", "-cert", one.authority.directory / "bob.pem", "-key", one.authority.directory / "bob.key"]
    wait_until(lambda: "Trusted TLS connection" in (s_client(one, *shown), one.log())[1], "bob is trusted")
    s_client(one, *shown, "-ign_eof", "-sess_out", session)
    assert "Reused, " in s_client(one, *shown, "-sess_in", session)
    other = Authority(one.directory / "others", "Other CA")
    one.set(smtpd_tls_CAfile=other.certificate)
    one.reload()
    wait_until(lambda: "Untrusted TLS connection" in (s_client(one, *shown), one.log())[1], "bob is not")
    assert "New, " in s_client(one, *shown, "-sess_in", session)


# ---- sessions that are many, or hang

def test_hanging_handshakes_cost_nobody_anything(protected):
    one = protected(smtpd_client_limit="40")
    with contextlib.ExitStack() as stack:
        for number in range(30):
            hanging = stack.enter_context(socket.create_connection((one.address, one.port), 30))
            lines = hanging.makefile("rb")
            lines.readline()
            hanging.sendall(b"STARTTLS\r\n")
            assert lines.readline().startswith(b"220 ")
            hanging.sendall(b"\x16\x03\x01\x02\x00\x01"[:number % 6])  # it begins, or does not
        for _ in range(3):
            with smtplib.SMTP(one.address, one.port, "client.example", 30) as client:
                client.starttls(context=context_for(one))
                client.sendmail("sender@client.example", ["you@here.test"], MESSAGE)
        one.wait_for_mail("you@here.test", 3)


def memory_kib(pid):
    """What the process has for itself alone."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file
                   if line.startswith(("Private_Clean:", "Private_Dirty:", "Swap:")))


def open_session(one, context):
    connection = socket.create_connection((one.address, one.port), 60)
    connection.recv(1000)
    connection.sendall(b"EHLO client.example\r\n")
    while b"\r\n250 " not in connection.recv(1000):
        pass
    connection.sendall(b"STARTTLS\r\n")
    connection.recv(1000)
    protected_connection = context.wrap_socket(connection)
    protected_connection.sendall(b"EHLO client.example\r\n")
    assert protected_connection.recv(2000).startswith(b"250")
    return protected_connection


def test_many_sessions_in_one_process(make_instance):
    """An idle one has to stay small."""
    descriptors = SESSIONS + 1000
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < descriptors:
        pytest.skip(f"{descriptors} descriptors are not to be had")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, descriptors), hard))
    one = make_instance("here", smtpd_processes="1", settings={
        "smtpd_client_limit": SESSIONS + 100, "smtpd_tls_security_level": "may",
        "smtpd_client_connection_count_limit": "0", "smtpd_timeout": "600s"})
    one.authority = Authority(one.directory / "keys")
    one.set(smtpd_tls_chain_files=f"{one.authority.issue('rsa', 'mx.here.test', 'rsa')} "
                                  f"{one.authority.issue('ec', 'mx.here.test')}")
    one.start()
    [pid] = running(one.programs, "smtpd")
    context = context_for(one)
    with contextlib.ExitStack() as stack:
        for _ in range(50):  # what is there once, however many come
            stack.enter_context(open_session(one, context))
        before = memory_kib(pid)
        for _ in range(SESSIONS):
            stack.enter_context(open_session(one, context))
        each = (memory_kib(pid) - before) / SESSIONS
        print(f"{SESSIONS} sessions: {each:.1f} KiB each")
        assert each <= IDLE_SESSION_MAX_KIB
        with smtplib.SMTP(one.address, one.port, "client.example", 30) as client:
            client.starttls(context=context)
            client.sendmail("sender@client.example", ["you@here.test"], MESSAGE)
    one.wait_for_mail("you@here.test")
