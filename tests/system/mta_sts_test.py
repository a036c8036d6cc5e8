"""MTA-STS (RFC 8461) all the way: policies from a real HTTPS server, mail to a real Postfix."""

import re

import pytest

from harness import certificates, https, peers
from harness.instance import wait_until

pytestmark = pytest.mark.own_machine

USER = "friend@{}"
ENFORCE, TESTING = "enforce", "testing"
# domain: (mode, hosts of the policy, address, what comes of it)
DOMAINS = {
    "good.test": (ENFORCE, "mx.good.test", "127.0.0.2", "Verified"),
    "wild.test": (ENFORCE, "*.wild.test", "127.0.0.2", "Verified"),
    "other.test": (ENFORCE, "mx9.other.test", "127.0.0.2",
                   "MTA-STS policy of other.test does not name host mx.other.test"),
    "badcert.test": (ENFORCE, "mx.badcert.test", "127.0.0.2", "Server certificate not verified"),
    "clear.test": (ENFORCE, "mx.clear.test", "127.0.0.3",
                   "TLS is required, but was not offered by host mx.clear.test[127.0.0.3]"),
    "trial.test": (TESTING, "mx9.trial.test", "127.0.0.2", "Trusted"),
    "trialclear.test": (TESTING, "mx.trialclear.test", "127.0.0.3", "clear"),
    "gone.test": (None, "", "127.0.0.2", "Untrusted"),     # a record, and no policy behind it
    "without.test": ("none", "", "127.0.0.2", "Untrusted"),
    # Policies that do not count: mail goes as if there were none.
    "redirect.test": (ENFORCE, "mx9.redirect.test", "127.0.0.2", "Untrusted"),
    "stranger.test": (ENFORCE, "mx9.stranger.test", "127.0.0.2", "Untrusted"),
    "othername.test": (ENFORCE, "mx9.othername.test", "127.0.0.2", "Untrusted"),
    "expired.test": (ENFORCE, "mx9.expired.test", "127.0.0.2", "Untrusted"),
    "type.test": (ENFORCE, "mx9.type.test", "127.0.0.2", "Untrusted"),
    "large.test": (ENFORCE, "mx9.large.test", "127.0.0.2", "Untrusted"),
    "broken.test": (ENFORCE, "mx9.broken.test", "127.0.0.2", "Untrusted"),
    "down.test": (ENFORCE, "mx9.down.test", "127.0.0.2", "Untrusted"),
}
POLICY = "version: STSv1\nmode: {mode}\nmx: {hosts}\nmax_age: 86400\n"
ANSWERS = {"redirect.test": {"status": 301, "headers": [("Location", "https://mta-sts.good.test/x")]},
           "type.test": {"content_type": "text/html"}, "large.test": {"more": "x: y\n" * 20000},
           "broken.test": {"more": "mode: whatever\nmax_age: never\n", "less": "version: STSv1\n"}}
NEVER_REACHED = ("stranger.test", "othername.test", "expired.test", "down.test")
NAMES_IN_CERTIFICATE = ["mx.good.test", "mx.wild.test", "mx.other.test", "mx.trial.test"]


@pytest.fixture(scope="module")
def authority(workspace):
    one = https.Authority(workspace / "sts-authority")
    one.directory.chmod(0o755)
    one.file.chmod(0o644)
    return one


@pytest.fixture(scope="module")
def name_server(workspace):
    records = []
    for domain, (mode, _, address, _) in DOMAINS.items():
        records += [f"{domain}. 60 IN MX 10 mx.{domain}.", f"mx.{domain}. 60 IN A {address}",
                    f"mta-sts.{domain}. 60 IN A {'127.0.0.99' if domain == 'down.test' else '127.0.0.1'}"]
        if mode != "none":
            records.append(f'_mta-sts.{domain}. 60 IN TXT "v=STSv1; id=1;"')
    peers.replace_file("/etc/resolv.conf", "nameserver 127.0.0.1\n", workspace)
    with peers.Unbound(workspace / "sts-unbound", records) as one:
        yield one


@pytest.fixture(scope="module")
def web(authority):
    names = {domain: f"mta-sts.{domain}" for domain in DOMAINS}
    strangers = https.Authority(authority.directory / "strangers", "Somebody else")
    server = https.Server({
        None: authority.issue(*(name for domain, name in names.items() if domain != "othername.test")),
        names["stranger.test"]: strangers.issue(names["stranger.test"]),
        names["expired.test"]: authority.issue(names["expired.test"], days=-1)}, port=443)
    for domain, (mode, hosts, _, _) in DOMAINS.items():
        if mode in (ENFORCE, TESTING):
            how = dict(ANSWERS.get(domain, {}))
            text = POLICY.format(mode=mode, hosts=hosts).replace(how.pop("less", "\0"), "") + how.pop("more", "")
            server.answers[names[domain]] = https.Answer(text, **how)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def servers(workspace, authority):
    users = [USER.format(domain) for domain in DOMAINS]
    certificate = authority.issue(*NAMES_IN_CERTIFICATE)
    lines = certificate.read_text()
    start = lines.index("-----BEGIN PRIVATE KEY")
    chain = workspace / "sts-chain.pem"
    chain.write_text(lines[start:] + lines[:start] + authority.file.read_text())
    with peers.Postfix(workspace / "postfix-sts", "127.0.0.2", 25, users=users, settings={
            "smtpd_tls_chain_files": chain, "smtpd_tls_security_level": "may"}) as one, \
            peers.Postfix(workspace / "postfix-sts-clear", "127.0.0.3", 25, users=users) as two:
        yield [one, two]


@pytest.fixture
def sender(make_instance, name_server, web, servers, authority):
    return make_instance("here", settings={
        "smtp_tls_loglevel": "1", "smtp_connection_cache_on_demand": "no",
        "fetch_tls_CAfile": authority.file, "fetch_private_networks": "127.0.0.0/8",
        "smtp_tls_CAfile": authority.file}).start()


@pytest.mark.parametrize("domain", DOMAINS)
def test_outcome(sender, servers, web, domain):
    outcome, user = DOMAINS[domain][3], USER.format(domain)
    queue_id = sender.send(user)
    if " " in outcome:
        sender.wait_for_log(rf"{queue_id}: to=<{user}>, .*status=deferred \({re.escape(outcome)}")
        assert not any(server.messages(user) for server in servers)
        return
    sender.wait_for_log(rf"{queue_id}: to=<{user}>, .*status=sent ")
    asked = [host for _, host, *_ in web.requests]
    assert (f"mta-sts.{domain}" in asked) == (DOMAINS[domain][0] != "none" and domain not in NEVER_REACHED)
    wait_until(lambda: any(server.messages(user) for server in servers), "Postfix delivered")
    if outcome in ("Verified", "Trusted"):
        sender.wait_for_log(rf"{outcome} TLS connection established to mx\.{domain}\[")
    elif outcome == "Untrusted":
        sender.wait_for_log(rf"(Untrusted|Trusted) TLS connection established to mx\.{domain}\[")
    else:
        assert "TLS connection established" not in sender.log()


def test_a_policy_of_the_operator_comes_first(make_instance, name_server, web, servers, authority):
    user = USER.format("badcert.test")
    one = make_instance("here", settings={
        "smtp_tls_policy_maps": "inline:{badcert.test=may}", "fetch_tls_CAfile": authority.file,
        "fetch_private_networks": "127.0.0.0/8", "smtp_tls_CAfile": authority.file}).start()
    queue_id = one.send(user)
    one.wait_for_log(rf"{queue_id}: to=<{user}>, .*status=sent ")


@pytest.mark.parametrize("domain", ["good.test", "trial.test", "without.test"])
def test_no_authorities(make_instance, name_server, web, servers, authority, tmp_path, domain):
    """Policies are known, and nobody could prove to be their host: mail under one that is enforced waits."""
    user = USER.format(domain)
    with certificates.system_authorities(tmp_path):
        one = make_instance("here", settings={"fetch_tls_CAfile": authority.file,
                                              "fetch_private_networks": "127.0.0.0/8"}).start()
        one.wait_for_log("warning: tls.no_authorities: ")
        queue_id = one.send(user)
        outcome = (r"dsn=4\.7\.5, status=deferred \(MTA-STS policy of good\.test cannot be followed: this system has no "
                   r"certification authorities\)" if DOMAINS[domain][0] == ENFORCE else "status=sent ")
        one.wait_for_log(rf"{queue_id}: to=<{user}>, .*{outcome}")


def test_no_policy_without_authorities(make_instance, name_server, web, servers, tmp_path):
    """Nor can anybody say what the policy is: mail waits until somebody can. Other domains do not mind."""
    with certificates.system_authorities(tmp_path):
        one = make_instance("here", settings={
            "fetch_tls_CAfile": tmp_path / "none.pem", "fetch_private_networks": "127.0.0.0/8"}).start()
        queue_id = one.send(USER.format("good.test"))
        one.wait_for_log(rf"{queue_id}: to=<friend@good\.test>, .*dsn=4\.7\.5, status=deferred \(MTA-STS policy lookup "
                         r"error for good\.test: this system has no certification authorities\)")
        queue_id = one.send(USER.format("without.test"))
        one.wait_for_log(rf"{queue_id}: to=<friend@without\.test>, .*status=sent ")
