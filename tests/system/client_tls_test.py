"""smtp's side of TLS with a real Postfix as the server: certificates of our own, TLS from the first
byte, sessions resumed, connections reused, policies from a table."""

import re
import subprocess

import pytest

from harness import authority as authorities, peers
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
def postfix(workspace, authority):
    with peers.Postfix(workspace / "postfix-tls", SERVER, 2525, users=[USER], settings={
            "smtpd_tls_chain_files": authority.issue("mx.far.test").chain,
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
