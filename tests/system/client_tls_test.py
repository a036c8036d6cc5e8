"""smtp's side of TLS with a real Postfix as the server: certificates of our own, TLS from the first
byte, sessions resumed, connections reused, policies from a table."""

import re
import subprocess

import pytest

from harness import authority as authorities, peers
from harness.authenticating import AuthenticatingServer
from harness.instance import wait_until

pytestmark = pytest.mark.own_machine

DOMAIN = "far.test"
USER = f"friend@{DOMAIN}"
SERVER = "127.0.0.2"
ROUTE = {"transport_maps": f"inline:{{{DOMAIN}=smtp:[{SERVER}]:2525}}"}


@pytest.fixture(scope="module")
def authority(workspace):
    return authorities.Authority(workspace / "client-authority")


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue("mx.far.test")


@pytest.fixture(scope="module")
def postfix(workspace, authority, certificate):
    with peers.Postfix(workspace / "postfix-tls", SERVER, 2525, users=[USER], settings={
            "smtpd_tls_chain_files": certificate.chain,
            "smtpd_tls_security_level": "may", "smtpd_tls_loglevel": "1", "smtpd_tls_ask_ccert": "yes",
            "smtpd_tls_CAfile": authority.certificate,
            "smtpd_tls_session_cache_timeout": "3600s"}) as one:
        yield one


def test_certificate_of_our_own(make_instance, postfix, authority):
    """The key stays in keyd; the server sees that we have it."""
    own = authority.issue("here.test")
    one = make_instance("here", settings={**ROUTE, "smtp_tls_chain_files": own.chain,
                                          "smtp_tls_loglevel": "1"}).start()
    queue_id = one.send(USER)
    one.wait_for_log(rf"{queue_id}: to=<{USER}>, .*status=sent ")
    one.wait_for_log(rf"TLS connection established to {SERVER}\[{SERVER}\]:2525: .* client-signature ECDSA "
                     r"\(P-256\) client-digest SHA256")
    wait_until(lambda: re.search(r"Trusted TLS connection established from .*client-signature ECDSA",
                                 postfix.log()), f"Postfix saw the certificate\n{postfix.log()[-2000:]}")


SENT, UNVERIFIED = r"status=sent \(250 ", r"dsn=4\.7\.5, status=deferred \(Server certificate not verified\)"
NOT_OFFERED = r"dsn=4\.7\.4, status=deferred \(TLS is required, but was not offered by host "
# policy for a server with TLS, its authority known or not: the log's word for the connection, what becomes of mail
LEVELS = [
    ("none", True, None, SENT),
    ("may", True, "Trusted", SENT),
    ("may", False, "Untrusted", SENT),
    ("encrypt", False, "Untrusted", SENT),
    ("encrypt protocols=TLSv1.2 ciphers=high", True, r"Trusted .*: TLSv1\.2 with cipher ECDHE-", SENT),
    ("verify match=mx.far.test", True, "Verified", SENT),
    ("verify match=nexthop:mx.far.test", True, "Verified", SENT),
    ("verify match=mx.other.test", True, None, UNVERIFIED),
    ("verify match=mx.far.test", False, None, UNVERIFIED),
    ("secure match=.far.test", True, "Verified", SENT),
    ("secure", True, None, UNVERIFIED),
    ("fingerprint match={good}", False, "Verified", SENT),
    ("fingerprint match=00:{bad}|{good}", False, "Verified", SENT),
    ("fingerprint match={bad}", True, None, UNVERIFIED),
]


@pytest.mark.parametrize("policy, is_known, connection, result", LEVELS,
                         ids=[f"{number}-{row[0].split()[0]}" for number, row in enumerate(LEVELS)])
def test_each_level(make_instance, postfix, authority, certificate, policy, is_known, connection, result):
    good = certificate.fingerprint()
    policy = policy.format(good=good, bad="00" + good[2:] if good[:2] != "00" else "01" + good[2:])
    one = make_instance("here", settings={
        **ROUTE, "smtp_tls_policy_maps": f"inline:{{ {{[{SERVER}]:2525 = {policy}}} }}", "smtp_tls_loglevel": "1",
        "smtp_tls_fingerprint_digest": "sha256", "smtp_connection_cache_on_demand": "no",
        **({"smtp_tls_CAfile": authority.certificate} if is_known else {})}).start()
    queue_id = one.send(USER)
    one.wait_for_log(rf"{queue_id}: to=<{USER}>, .*{result}")
    if connection:
        one.wait_for_log(connection.split(" ")[0] + r" TLS connection established to " +
                         (connection.split(" ", 1)[1] if " " in connection else ""))
    elif result == SENT:
        assert "TLS connection established" not in one.log()


@pytest.mark.parametrize("level, result", [
    ("may", SENT), ("encrypt", NOT_OFFERED), ("verify", NOT_OFFERED), ("secure", NOT_OFFERED), ("dane", SENT)])
def test_each_level_without_tls(make_instance, workspace, level, result):
    with peers.Postfix(workspace / f"postfix-clear-{level}", SERVER, 2526, users=[USER]):
        one = make_instance("here", settings={
            "transport_maps": f"inline:{{{DOMAIN}=smtp:[{SERVER}]:2526}}", "smtp_tls_security_level": level}).start()
        queue_id = one.send(USER)
        one.wait_for_log(rf"{queue_id}: to=<{USER}>, .*{result}")


def test_connections_are_reused_and_sessions_resumed(make_instance, postfix):
    one = make_instance("here", settings={**ROUTE, "smtp_tls_loglevel": "1",
                                          "smtp_tls_security_level": "encrypt",
                                          "smtp_connection_cache_time_limit": "20s"}).start()
    for _ in range(3):
        queue_id = one.send(USER)
        one.wait_for_log(rf"{queue_id}: to=<{USER}>, .*status=sent ")
    one.wait_for_log(r"conn_use=3, ")
    assert one.log().count("TLS connection reused to") == 2
    assert one.log().count("TLS connection established") == 1
    two = make_instance("there", settings={**ROUTE, "smtp_tls_loglevel": "1",
                                           "smtp_tls_connection_reuse": "no"}).start()
    for _ in range(3):
        queue_id = two.send(USER)
        two.wait_for_log(rf"{queue_id}: to=<{USER}>, .*status=sent ")
    assert "conn_use" not in two.log()
    assert two.log().count("TLS connection established") == 3
    # Who resumes a session signs nothing.
    lines = [line for line in two.log().splitlines() if "TLS connection established" in line]
    assert "server-signature" in lines[0]
    wait_until(lambda: any("server-signature" not in line for line in lines), "\n".join(lines))


@pytest.mark.parametrize("injection", [b"250 mx.far.test\r\n", b"250-mx.far.test\r\n250-AUTH PLAIN\r\n250 SIZE 1\r\n", b"421 "])
def test_answers_before_the_handshake_do_not_count(make_instance, certificate, injection):
    """Somebody in between puts them behind the server's answer to STARTTLS: whoever took them for the server's
    would be one answer ahead of it from then on."""
    with AuthenticatingServer(None, {}, (certificate.chain, certificate.key), SERVER) as server:
        server.takes_strangers, server.injection = True, injection
        one = make_instance("here", settings={
            "transport_maps": f"inline:{{{DOMAIN}=smtp:[{SERVER}]:{server.port}}}", "smtp_tls_security_level": "encrypt",
            "smtp_tls_loglevel": "1"}).start()
        queue_id = one.send(USER)
        one.wait_for_log(rf"{queue_id}: to=<{USER}>, .*status=sent \(250 2\.0\.0 Ok\)")
        one.wait_for_log(r"Untrusted TLS connection established to ")
        assert [command.split()[0] for command in server.commands[:4]] == ["EHLO", "STARTTLS", "EHLO", "MAIL"]
        assert [recipients for _, _, recipients in server.messages] == [[USER]]


def test_tls_from_the_first_byte(make_instance, workspace, authority):
    """RFC 8314 section 3.3: port 465 of a provider."""
    with peers.Postfix(workspace / "postfix-wrapped", SERVER, 4650, users=[USER], settings={
            "smtpd_tls_chain_files": authority.issue("smtps.far.test").chain,
            "smtpd_tls_wrappermode": "yes"}):
        one = make_instance("here", settings={
            "transport_maps": f"inline:{{{DOMAIN}=smtp:[{SERVER}]:4650}}", "smtp_tls_wrappermode": "yes",
            "smtp_tls_security_level": "secure", "smtp_tls_secure_cert_match": "smtps.far.test",
            "smtp_tls_CAfile": authority.certificate, "smtp_tls_loglevel": "1"}).start()
        queue_id = one.send(USER)
        one.wait_for_log(rf"{queue_id}: to=<{USER}>, .*status=sent ")
        one.wait_for_log(r"Verified TLS connection established to ")


def test_policies_from_a_table_that_changes(make_instance, postfix, authority):
    one = make_instance("here", settings={**ROUTE, "smtp_tls_CAfile": authority.certificate,
                                          "smtp_tls_loglevel": "1",
                                          "smtp_connection_cache_on_demand": "no"})
    table = one.etc / "tls_policy"
    key = f"[{SERVER}]:2525"

    def write(policy):
        table.write_text(f"{key} {policy}\n")
        subprocess.run([one.programs.command("postmap"), f"hash:{table}"], check=True,
                       env={"MAIL_CONFIG": str(one.etc)})

    write("secure match=mx.far.test")
    one.set(smtp_tls_policy_maps=f"hash:{table}")
    one.start()
    queue_id = one.send(USER)
    one.wait_for_log(rf"{queue_id}: to=<{USER}>, .*status=sent ")
    one.wait_for_log(r"Verified TLS connection established to ")
    write("secure match=mx.other.test")

    def is_refused():
        queue_id = one.send(USER)
        one.wait_for_log(rf"{queue_id}: to=<{USER}>, .*status=")
        return re.search(rf"{queue_id}: .*dsn=4\.7\.5, status=deferred \(Server certificate not verified\)",
                         one.log())

    wait_until(is_refused, "the table's new text counts")
