"""DANE (RFC 7672) all the way: a zone that is signed, served by NSD and validated by Unbound, and a real
Postfix that shows certificates."""

import re

import pytest

from harness import authority as authorities, peers
from harness.instance import wait_until
from harness.zones import Zone, Zones

pytestmark = [pytest.mark.own_machine,
              pytest.mark.skipif(not (peers.PEERS / "nsd").is_dir(), reason="no NSD here")]

USER = "friend@{}"
# next hop -> what comes of it: "Verified" and its like, "clear", or the deferral's text
OUTCOMES = {
    "key.signed.test": "Verified",
    "authority.signed.test": "Verified",
    "alias.signed.test": "Verified",
    "agile.signed.test": "Verified",
    "nomx.signed.test": "Verified",
    "oldkey.signed.test": "Verified",       # usage 3: dates mean nothing (RFC 7672 section 3.1.1)
    "oldauthority.signed.test": "Server certificate not verified",     # usage 2: they do
    "wrong.signed.test": "Server certificate not verified",
    "othername.signed.test": "Server certificate not verified",
    "unusable.signed.test": "Untrusted",
    "nothing.signed.test": "Untrusted",
    "insecure.test": "Untrusted",
    "tohost.insecure.test": "Trusted",
    "tampered.signed.test": "TLSA lookup error for mx.tampered.signed.test:25",
    "bogus.test": "Host or domain name not found. Name service error for name=bogus.test type=MX: Host not "
                  "found, try again",
    "expired.test": "Host or domain name not found. Name service error for name=expired.test type=MX: Host "
                    "not found, try again",
}


@pytest.fixture(scope="module")
def authority(workspace):
    return authorities.Authority(workspace / "authority")


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue("mx.key.signed.test", "mx.authority.signed.test")


@pytest.fixture(scope="module")
def old_certificate(authority):
    return authority.issue("mx.oldkey.signed.test", "mx.oldauthority.signed.test", days=-1)


def spoil(record):
    return record[:-1] + ("0" if record[-1] != "0" else "1")


@pytest.fixture(scope="module")
def resolver(workspace, authority, certificate, old_certificate):
    good, by_authority = certificate.tlsa(3, 1, 1), authority.tlsa(2, 0, 1)
    long_digest = certificate.tlsa(3, 1, 2)
    tampered = certificate.tlsa(3, 0, 1)
    hosts = ("authority", "agile", "wrong", "othername", "unusable", "nothing", "tampered")
    records = ["mx.key A 127.0.0.2", "key MX 10 mx.key", f"_25._tcp.mx.key TLSA {good}",
               "alias MX 10 mx.alias", "mx.alias CNAME mx.key",
               "nomx A 127.0.0.2", f"_25._tcp.nomx TLSA {good}",
               "mx.oldkey A 127.0.0.4", "oldkey MX 10 mx.oldkey",
               f"_25._tcp.mx.oldkey TLSA {old_certificate.tlsa(3, 1, 1)}",
               "mx.oldauthority A 127.0.0.4", "oldauthority MX 10 mx.oldauthority",
               f"_25._tcp.mx.oldauthority TLSA {by_authority}",
               "mx.clear A 127.0.0.3", f"_2525._tcp.mx.clear TLSA {good}",
               f"_25._tcp.mx.authority TLSA {by_authority}",
               # The certificate is not this host's.
               f"_25._tcp.mx.othername TLSA {by_authority}",
               f"_25._tcp.mx.agile TLSA {spoil(good)}", f"_25._tcp.mx.agile TLSA {long_digest}",
               f"_25._tcp.mx.wrong TLSA {spoil(good)}",
               f"_25._tcp.mx.unusable TLSA {certificate.tlsa(1, 1, 1)}",
               f"_25._tcp.mx.tampered TLSA {tampered}"]
    for host in hosts:
        records += [f"mx.{host} A 127.0.0.2", f"{host} MX 10 mx.{host}"]
    plain = ["@ MX 10 mx", "mx A 127.0.0.2", f"_25._tcp.mx TLSA {spoil(good)}",
             "tohost MX 10 mx.key.signed.test."]
    simple = ["@ MX 10 mx", "mx A 127.0.0.2", f"_25._tcp.mx TLSA {good}"]
    digest = tampered.split()[-1]
    with Zones(workspace / "zones", [
            Zone("signed.test", records, tampered=[(digest, spoil(digest))]),
            Zone("insecure.test", plain, is_signed=False),
            Zone("bogus.test", simple, tampered=[("MX\t10", "MX\t11")]),
            Zone("expired.test", simple, is_expired=True)]) as zones:
        peers.replace_file("/etc/resolv.conf", "nameserver 127.0.0.1\n", workspace)
        yield zones


@pytest.fixture(scope="module")
def postfix(workspace, certificate):
    with serve(workspace / "postfix", "127.0.0.2", certificate) as one:
        yield one


@pytest.fixture(scope="module")
def old_postfix(workspace, old_certificate):
    with serve(workspace / "postfix-old", "127.0.0.4", old_certificate) as one:
        yield one


def serve(directory, address, certificate):
    return peers.Postfix(directory, address, 25, users=[USER.format(domain) for domain in OUTCOMES], settings={
        "smtpd_tls_chain_files": certificate.chain, "smtpd_tls_security_level": "may"})


SETTINGS = {"smtp_dns_support_level": "dnssec", "smtp_tls_security_level": "dane", "smtp_tls_loglevel": "1",
            "smtp_connection_cache_on_demand": "no"}


@pytest.fixture
def sender(make_instance, resolver, postfix, old_postfix):
    return make_instance("here", settings=SETTINGS).start()


@pytest.mark.parametrize("domain", OUTCOMES)
def test_outcome(sender, postfix, old_postfix, domain):
    server = old_postfix if domain.startswith("old") else postfix
    outcome, user = OUTCOMES[domain], USER.format(domain)
    queue_id = sender.send(user)
    if " " in outcome:
        sender.wait_for_log(rf"{queue_id}: to=<{user}>, .*status=deferred \({re.escape(outcome)}")
        assert not server.messages(user)
        return
    wait_until(lambda: server.messages(user), f"Postfix delivered to {user}\n{sender.log()[-3000:]}")
    sender.wait_for_log(rf"{outcome} TLS connection established to \S+\[127\.0\.0\.[24]\]:25: TLSv1\.3 with "
                        r"cipher \S+ \(\d+/\d+ bits\) key-exchange X25519 server-signature ECDSA \(P-256\) "
                        r"server-digest SHA256")
    sender.wait_for_empty_queue()


def test_without_tls_where_it_must_be(make_instance, resolver, workspace):
    """Whoever publishes records has TLS (RFC 7672 section 2.2): a server without is somebody else's."""
    user = USER.format("key.signed.test")
    with peers.Postfix(workspace / "postfix-clear", "127.0.0.3", 2525, users=[user]):
        one = make_instance("here", settings={
            **SETTINGS, "transport_maps": "inline:{key.signed.test=smtp:[mx.clear.signed.test]:2525}"}).start()
        queue_id = one.send(user)
        one.wait_for_log(rf"{queue_id}: .*dsn=4\.7\.4, status=deferred \(TLS is required, but was not offered "
                         r"by host mx\.clear\.signed\.test\[127\.0\.0\.3\]\)")


def test_dane_only_takes_nothing_less(make_instance, resolver, postfix):
    one = make_instance("here", settings={**SETTINGS, "smtp_tls_security_level": "dane-only"}).start()
    for domain, reason in (("nothing.signed.test", "no TLSA records found"),
                           ("unusable.signed.test", "TLSA records unusable"),
                           ("tohost.insecure.test", "non DNSSEC destination")):
        queue_id = one.send(USER.format(domain))
        one.wait_for_log(rf"{queue_id}: .*dsn=4\.7\.5, status=deferred \({reason}\)")
    queue_id = one.send(USER.format("key.signed.test"))
    one.wait_for_log(rf"{queue_id}: .*status=sent ")


def test_resolver_that_is_not_believed(make_instance, resolver, postfix):
    """dns_trust_ad: what anybody could have said counts for nothing."""
    user = USER.format("wrong.signed.test")
    one = make_instance("here", settings={**SETTINGS, "dns_trust_ad": "no"}).start()
    queue_id = one.send(user)
    one.wait_for_log(rf"{queue_id}: .*status=sent ")
