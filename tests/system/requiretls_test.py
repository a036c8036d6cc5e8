"""REQUIRETLS (RFC 8689) from server to server: kept in the queue, passed on over TLS that is verified, and
returned where nobody promises as much."""

import contextlib
import shutil
import smtplib
import ssl

import pytest

from harness import authority as authorities, certificates, peers
from harness.instance import small_message

pytestmark = pytest.mark.own_machine


@pytest.fixture(scope="module")
def authority(workspace):
    return authorities.Authority(workspace / "requiretls-authority")


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue("localhost")


@contextlib.contextmanager
def client_over_tls(one):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with smtplib.SMTP("127.0.0.1", one.port, timeout=30) as client:
        client.ehlo("client.example")
        assert not client.has_extn("requiretls")
        client.starttls(context=context)
        client.ehlo("client.example")
        assert client.has_extn("requiretls")
        yield client


def send(one, recipient, sender, options=("REQUIRETLS",), content=None):
    with client_over_tls(one) as client:
        code, text = client.mail(sender, list(options))
        assert code == 250, text
        assert client.rcpt(recipient)[0] == 250
        code, text = client.data(content or small_message(sender, [recipient]))
        assert code == 250, text


def settings(authority, certificate, route=""):
    return {"smtpd_tls_chain_files": certificate.chain, "smtpd_tls_security_level": "may",
            "smtp_tls_CAfile": authority.certificate, "smtp_tls_loglevel": "1",
            "transport_maps": f"inline:{{{route}}}" if route else ""}


def test_from_server_to_server(make_instance, authority, certificate):
    there = make_instance("there", settings=settings(authority, certificate)).start()
    here = make_instance("here", settings=settings(
        authority, certificate, f"there.test=smtp:[localhost]:{there.port}")).start()
    send(here, "you@there.test", "a@client.example")
    here.wait_for_log(r"to=<you@there\.test>, relay=localhost\[127\.0\.0\.1\]:\d+, .*status=sent ")
    here.wait_for_log(r"Verified TLS connection established to localhost\[127\.0\.0\.1\]")
    there.wait_for_mail("you@there.test")


def test_authorities_of_the_system(make_instance, tmp_path, authority, certificate):
    """Those count, whether or not policies of MTA-STS do; where there are none nobody can be told apart,
    which is no fault of the message's."""
    tmp_path.chmod(0o755)
    there = make_instance("there", settings=settings(authority, certificate)).start()
    own = settings(authority, certificate, f"there.test=smtp:[localhost]:{there.port}")
    own.update({"smtp_tls_CAfile": "", "smtp_tls_mta_sts": "no"})
    with certificates.system_authorities(tmp_path):
        here = make_instance("here", settings=own).start()
        send(here, "you@there.test", "a@client.example")
        here.wait_for_log(r"to=<you@there\.test>, .*dsn=4\.7\.5, status=deferred \(TLS is required, but this "
                          r"system has no certification authorities\)")
        here.stop()
        shutil.copy(authority.certificate, tmp_path / "12345678.0")
        here.start()
        here.flush()
        there.wait_for_mail("you@there.test")


def test_not_in_clear(make_instance, authority, certificate):
    here = make_instance("here", settings=settings(authority, certificate)).start()
    with smtplib.SMTP("127.0.0.1", here.port, timeout=30) as client:
        client.ehlo("client.example")
        code, text = client.mail("a@client.example", ["REQUIRETLS"])
        assert code == 555, text


def test_returned_where_nobody_promises(make_instance, workspace, authority, certificate):
    """A Postfix of 3.7 has TLS and a good certificate, and does not know what it is asked for."""
    user = "friend@far.test"
    with peers.Postfix(workspace / "postfix-requiretls", "127.0.0.1", 2526, users=[user], settings={
            "smtpd_tls_chain_files": certificate.chain, "smtpd_tls_security_level": "may"}) as postfix:
        here = make_instance("here", settings=settings(
            authority, certificate, "far.test=smtp:[localhost]:2526")).start()
        send(here, user, "you@here.test")
        here.wait_for_log(rf"to=<{user}>, relay=localhost\[127\.0\.0\.1\]:2526, .*dsn=5\.7\.30, status=bounced "
                          r"\(REQUIRETLS is required, but was not offered by host localhost\[127\.0\.0\.1\]\)")
        [report] = here.wait_for_mail("you@here.test")
        # RFC 8689 section 5: no more than the header comes back.
        assert [part.get_content_type() for part in report.get_payload()][-1] == "text/rfc822-headers"
        assert not postfix.messages(user)


def test_would_rather_do_without(make_instance, workspace, authority, certificate):
    """TLS-Required: No: a server that MTA-STS or DANE would rule out still gets the message."""
    user = "friend@far.test"
    with peers.Postfix(workspace / "postfix-optional", "127.0.0.1", 2527, users=[user]) as postfix:
        here = make_instance("here", settings=settings(
            authority, certificate, "far.test=smtp:[localhost]:2527")).start()
        content = b"TLS-Required: No\r\n" + small_message("a@client.example", [user])
        send(here, user, "a@client.example", options=(), content=content)
        here.wait_for_log(rf"to=<{user}>, .*status=sent ")
        assert "TLS connection established" not in here.log()
        assert postfix.messages(user)
