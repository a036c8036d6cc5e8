#!/usr/bin/python3 -B
"""tests/stsd/stsd_test - MTA-STS with a real HTTPS server: stsd, fetchd and dnsd in their sandboxes, asked as
smtp asks (tests/stsd/ask). TAP on standard output."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(os.environ.get("top_srcdir", pathlib.Path(__file__).resolve().parents[2]))
BUILD = pathlib.Path(os.environ.get("top_builddir", "."))
sys.path.insert(0, str(TOP / "tests"))

from harness import tap  # noqa: E402  (the path is set just above)

try:
    from harness import https
except ImportError as error:
    tap.skip_all("MTA-STS", f"needs python3-dnspython: {error}")

DEADLINE_S = float(os.environ.get("POSTHOUSE_TESTS_DEADLINE", "30"))
POLICY = "version: STSv1\r\nmode: {mode}\r\nmx: mail.{domain}\r\nmx: *.hosts.test\r\nmax_age: {max_age}\r\n"
DOMAINS = ("good", "testing", "none", "redirect", "missing", "type", "large", "largest", "slow", "malformed", "busy",
           "changed", "renamed", "ends", "gone", "long", "two-records", "bad-record", "down", "fetched", "silent",
           "headers", "body", "drip", "cut", "reset")


def policy(domain, mode="enforce", max_age=86400):
    return POLICY.format(mode=mode, domain=f"{domain}.test", max_age=max_age)


class World:
    """The servers, and the daemons that ask them."""

    def __init__(self, directory, **settings):
        self.directory = pathlib.Path(directory)
        self.directory.chmod(0o755)
        authority = https.Authority(self.directory / "ca")
        stranger = https.Authority(self.directory / "stranger", "Somebody else")
        certificates = {None: authority.issue(*(f"mta-sts.{name}.test" for name in DOMAINS)),
                        "mta-sts.wildcard.test": authority.issue("*.wildcard.test"),
                        "login.test": authority.issue("login.test"),
                        "mta-sts.wrong.test": authority.issue("mta-sts.good.test", "wrong.test"),
                        "mta-sts.subject.test": authority.issue(common_name="mta-sts.subject.test"),
                        "mta-sts.expired.test": authority.issue("mta-sts.expired.test", days=-1),
                        "mta-sts.stranger.test": stranger.issue("mta-sts.stranger.test")}
        self.server = https.Server(certificates)
        self.names = https.NameServer({})
        for host in [f"mta-sts.{name}.test" for name in DOMAINS] + list(certificates):
            if host:
                self.names.records[(host, "A")] = ["127.0.0.1"]
        self.names.records[("mta-sts.down.test", "A")] = ["127.0.0.99"]
        self._settings = {"dns_servers": f"127.0.0.1:{self.names.port}", "inet_protocols": "ipv4",
                          "fetch_tls_CAfile": authority.file, "fetch_https_port": self.server.port,
                          "fetch_private_networks": "127.0.0.0/8",
                          "data_directory": self.directory / "data", "mta_sts_check_time": "1s",
                          "mta_sts_fetch_timeout": "3s",
                          "auth_oauth2_introspection_url": f"https://login.test:{self.server.port}/introspect?v=1",
                          **settings}
        (self.directory / "data/stsd").mkdir(parents=True, exist_ok=True)
        main = self.directory / "main.cf"
        main.write_text("".join(f"{name} = {value}\n" for name, value in self._settings.items()))
        self._asker = subprocess.Popen([BUILD / "tests/stsd/ask", main], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        self._expect("ready")

    def _expect(self, line):
        read = self._asker.stdout.readline().strip()
        assert read == line, f"{read!r} for {line!r}"

    def _say(self, line):
        self._asker.stdin.write(line + "\n")
        self._asker.stdin.flush()

    def obey(self, line):
        self._say(line)
        self._expect("done")

    def told(self, line):
        self._say(line)
        return self._asker.stdout.readline().split(None, 2)

    def log(self):
        self._say("log")
        return "".join(iter(self._asker.stdout.readline, ".\n"))

    def wait_for_log(self, text):
        end = time.monotonic() + DEADLINE_S
        while text not in self.log():
            assert time.monotonic() < end, f"no {text!r} in\n{self.log()}"

    def announce(self, name, policy_id="1", **arguments):
        self.names.records[(f"_mta-sts.{name}.test", "TXT")] = [f'"v=STSv1; id={policy_id};"']
        self.server.answers[f"mta-sts.{name}.test"] = https.Answer(policy(name, **arguments))

    def ask(self, name, host=None):
        """(state, id, failure, permits)"""
        self._say(f"ask {name}.test {host or f'mail.{name}.test'}")
        line = self._asker.stdout.readline()
        match = re.match(r"(\w+) id=(\S*) failure=(\S+) permits=(\w+) reason=(.*)", line)
        assert match, line
        self.reason = match.group(5)
        return match.group(1), match.group(2), match.group(3), match.group(4)

    def count(self, name):
        return self.server.count(f"mta-sts.{name}.test")

    def until(self, name, expected):
        """Asks until the answer is that one; the last answer."""
        end = time.monotonic() + DEADLINE_S
        while (answer := self.ask(name)) != expected and time.monotonic() < end:
            time.sleep(0.1)
        return answer

    def stop(self):
        self._asker.stdin.close()
        status = self._asker.wait(DEADLINE_S)
        self.server.stop()
        self.names.stop()
        return status


TESTS = []


def test(function):
    TESTS.append(function)
    return function


def same(actual, expected):
    assert actual == expected, f"got {actual}, expected {expected}"


@test
def a_policy_is_found_and_kept(world):
    world.announce("good")
    same(world.ask("good"), ("enforce", "1", "success", "yes"))
    same(world.ask("good", "MAIL.good.TEST."), ("enforce", "1", "success", "yes"))
    same(world.ask("good", "a.hosts.test")[3], "yes")
    same(world.ask("good", "a.b.hosts.test")[3], "no")
    same(world.ask("good", "mail.other.test")[3], "no")
    same(world.ask("GOOD")[:2], ("enforce", "1"))
    same(world.count("good"), 1)
    method, _, path, headers, body = world.server.requests[-1]
    same((method, path, body), ("GET", "/.well-known/mta-sts.txt", b""))
    assert "Cookie" not in headers and "Authorization" not in headers


@test
def modes(world):
    world.announce("testing", mode="testing")
    same(world.ask("testing", "other.test"), ("testing", "1", "success", "no"))
    world.announce("none", mode="none")
    same(world.ask("none", "other.test")[0], "none")


@test
def without_a_record_nothing_is_fetched(world):
    same(world.ask("nobody"), ("none", "", "success", "yes"))
    world.announce("two-records")
    world.names.records[("_mta-sts.two-records.test", "TXT")] = ['"v=STSv1; id=1"', '"v=STSv1; id=2"']
    same(world.ask("two-records")[0], "none")
    world.announce("bad-record", policy_id="not-an-id")
    same(world.ask("bad-record")[0], "none")
    same(world.count("two-records") + world.count("bad-record"), 0)
    world.names.silent.add("_mta-sts.silent.test")
    same(world.ask("silent"), ("none", "", "success", "yes"))
    same(world.ask("[192.0.2.1]")[0], "none")


@test
def a_record_in_several_strings(world):
    world.announce("fetched")
    world.names.records[("_mta-sts.fetched.test", "TXT")] = ['"v=STSv" "1; id" "=44;"', '"v=spf1 -all"']
    same(world.ask("fetched"), ("enforce", "44", "success", "yes"))


def fails(world, name, failure, reason, **answer):
    world.announce(name)
    if answer:
        answer = {"body": policy(name), **answer}  # of no use to one that is sent raw
        world.server.answers[f"mta-sts.{name}.test"] = https.Answer(**answer)
    same(world.ask(name, "anybody.test"), ("none", "", failure, "yes"))
    assert re.search(reason, world.reason), world.reason
    world.wait_for_log(f"sts.no_policy: domain={name}.test ")


@test
def redirects_are_not_followed(world):
    fails(world, "redirect", "sts-policy-fetch-error", "HTTP status 301", status=301,
          headers=[("Location", f"https://mta-sts.good.test:{world.server.port}/.well-known/mta-sts.txt")])
    same(world.count("redirect"), 1)


@test
def not_found(world):
    fails(world, "missing", "sts-policy-fetch-error", "HTTP status 404", status=404)


@test
def not_text(world):
    fails(world, "type", "sts-policy-invalid", "media type", content_type="text/html")


@test
def text_with_parameters(world):
    world.announce("long")
    world.server.answers["mta-sts.long.test"].content_type = "Text/Plain; charset=utf-8"
    same(world.ask("long")[0], "enforce")


@test
def no_policy(world):
    fails(world, "malformed", "sts-policy-invalid", "malformed", body="<html>")


@test
def at_most_64_kilobytes(world):
    lines = policy("largest") + "x: " + "y" * 60 + "\n"
    full = lines + "\n" * (65536 - len(lines))
    world.announce("largest")
    world.server.answers["mta-sts.largest.test"] = https.Answer(full)
    same(world.ask("largest"), ("enforce", "1", "success", "yes"))
    fails(world, "large", "sts-policy-invalid", "too long", body=full + "\n")


@test
def too_slow(world):
    fails(world, "slow", "sts-policy-fetch-error", "time|Time", before=lambda: time.sleep(30))


def forever(piece, first=b""):
    yield first
    while True:
        yield piece


def dripping(text):
    for byte in text:
        yield bytes([byte])
        time.sleep(0.1)


@test
def answers_without_end(world):
    """Neither header fields nor a body nor time."""
    ok = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    fails(world, "headers", "sts-policy-fetch-error", ".", raw=lambda: forever(b"X-%s: y\r\n" % (b"x" * 1000), ok))
    assert world.server.answers["mta-sts.headers.test"].sent_bytes < 4 << 20
    fails(world, "body", "sts-policy-invalid", "too long",
          raw=lambda: forever(b"2710\r\n%s\r\n" % (b"x" * 10000), ok + b"Transfer-Encoding: chunked\r\n\r\n"))
    assert world.server.answers["mta-sts.body.test"].sent_bytes < 4 << 20
    fails(world, "drip", "sts-policy-fetch-error", "time|Time", raw=lambda: dripping(ok + b"\r\n" + b"x" * 1000))


@test
def half_a_policy_is_none(world):
    """What is cut off might have gone on with another host."""
    ok = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
    whole = policy("cut").encode()
    fails(world, "cut", "sts-policy-fetch-error", ".",
          raw=lambda: iter([ok + b"Content-Length: %d\r\n\r\n" % (len(whole) + 20) + whole]))
    fails(world, "reset", "sts-policy-fetch-error", ".", raw=lambda: iter([ok + b"\r\n" + whole]))


@test
def nobody_listens(world):
    fails(world, "down", "sts-policy-fetch-error", "connect|refused")


@test
def certificates(world):
    world.announce("wildcard")
    same(world.ask("wildcard")[0], "enforce")
    for name in ("wrong", "subject", "expired", "stranger"):
        fails(world, name, "sts-webpki-invalid", "certificate|SSL")
        same(world.count(name), 0)


@test
def a_failure_is_not_repeated(world):
    world.announce("busy")
    world.server.answers["mta-sts.busy.test"].status = 503
    for _ in range(5):
        same(world.ask("busy"), ("none", "", "sts-policy-fetch-error", "yes"))
    time.sleep(1.1)   # mta_sts_check_time
    same(world.ask("busy"), ("none", "", "sts-policy-fetch-error", "yes"))
    same(world.count("busy"), 1)


@test
def another_id_is_another_policy(world):
    world.announce("changed")
    same(world.ask("changed"), ("enforce", "1", "success", "yes"))
    world.announce("changed", policy_id="2", mode="testing")
    same(world.until("changed", ("testing", "2", "success", "yes")), ("testing", "2", "success", "yes"))
    world.announce("changed", policy_id="3", mode="none")
    same(world.until("changed", ("none", "3", "success", "yes")), ("none", "3", "success", "yes"))


@test
def a_policy_outlives_its_server(world):
    world.announce("renamed")
    same(world.ask("renamed"), ("enforce", "1", "success", "yes"))
    world.announce("renamed", policy_id="2", mode="none")
    world.server.answers["mta-sts.renamed.test"].status = 500
    expected = ("enforce", "1", "sts-policy-fetch-error", "yes")
    same(world.until("renamed", expected), expected)
    world.wait_for_log("the policy from before counts on")


@test
def a_policy_outlives_its_record(world):
    world.announce("gone")
    same(world.ask("gone"), ("enforce", "1", "success", "yes"))
    del world.names.records[("_mta-sts.gone.test", "TXT")]
    time.sleep(2.2)   # mta_sts_check_time, and the record's TTL
    same(world.ask("gone"), ("enforce", "1", "success", "yes"))
    world.names.silent.add("_mta-sts.gone.test")
    time.sleep(2.2)
    same(world.ask("gone"), ("enforce", "1", "success", "yes"))


@test
def a_policy_ends(world):
    world.announce("ends", max_age=2)
    same(world.ask("ends")[0], "enforce")
    world.server.answers["mta-sts.ends.test"].status = 404
    expected = ("none", "", "sts-policy-fetch-error", "yes")
    same(world.until("ends", expected), expected)


@test
def a_restart_forgets_nothing(world):
    world.announce("good")
    same(world.ask("good")[:2], ("enforce", "1"))
    count = world.count("good")
    for how in ("restart", "kill"):
        world.obey(how)
        same(world.ask("good"), ("enforce", "1", "success", "yes"))
    same(world.count("good"), count)


@test
def tokens_are_asked_about(world):
    world.server.answers["login.test"] = https.Answer('{"active": true}', content_type="application/json")
    same(world.told("introspect token=xyz&a=b"), ["answered", "200", '{"active": true}\n'])
    method, host, path, headers, body = world.server.requests[-1]
    same((method, host, path, body), ("POST", "login.test", "/introspect?v=1", b"token=xyz&a=b"))
    same((headers["Authorization"], headers["Content-Type"]), ("Bearer abc", "application/x-www-form-urlencoded"))
    world.server.answers["login.test"].status = 401
    same(world.told("introspect token=xyz")[:2], ["answered", "401"])


@test
def everybody_asks_for_what_is_theirs(world):
    count = len(world.server.requests)
    kinds = {"stsd": 0, "reportd": 1, "authd": 2}
    for role in kinds:
        for kind in range(4):
            if kinds[role] != kind:
                same(world.told(f"as {role} {kind}")[:2], ["refused", "0"])
    for kind in range(4):
        same(world.told(f"as smtp {kind}")[:2], ["unavailable", "0"])   # its channel is closed
    same(len(world.server.requests), count)


@test
def without_fetchd_nobody_can_say(world):
    world.obey("lose fetchd")
    same(world.ask("good")[0], "enforce")
    world.announce("unheard")
    same(world.ask("unheard")[0], "unknown")


def refreshed(directory):
    """Policies are fetched again before they end, though nobody asks."""
    world = World(directory, mta_sts_refresh_time="1s", mta_sts_negative_time="1s")
    try:
        world.announce("good")
        same(world.ask("good")[0], "enforce")
        end = time.monotonic() + DEADLINE_S
        while world.count("good") < 3 and time.monotonic() < end:
            time.sleep(0.1)
        assert world.count("good") >= 3, world.log()
    finally:
        same(world.stop(), 0)


def refused(directory):
    """A host that only we can reach is nobody's policy server; the one for tokens may be anywhere."""
    world = World(directory, fetch_private_networks="!127.0.0.1, 127.0.0.0/8")
    try:
        world.announce("good")
        same(world.ask("good"), ("none", "", "sts-policy-fetch-error", "yes"))
        assert "all its addresses are private" in world.reason, world.reason
        world.wait_for_log("fetch.failed: host=mta-sts.good.test reason=\"all its addresses are private")
        world.announce("changed")
        world.names.records[("mta-sts.changed.test", "A")] = ["10.1.2.3", "127.0.0.1", "127.0.0.2"]
        same(world.ask("changed")[3], "yes")
        assert "private" not in world.reason, world.reason
        same(world.server.connections, 0)
        world.server.answers["login.test"] = https.Answer("{}", content_type="application/json")
        same(world.told("introspect token=xyz")[:2], ["answered", "200"])
    finally:
        same(world.stop(), 0)


def nobody_to_trust(directory):
    """Without certification authorities nobody can say; a policy that was known before counts on."""
    before = World(directory)
    try:
        before.announce("good")
        same(before.ask("good")[:2], ("enforce", "1"))
    finally:
        same(before.stop(), 0)
    world = World(directory, fetch_tls_CAfile=f"{directory}/none.pem")
    try:
        world.wait_for_log("fetch.no_authorities: ")
        world.announce("good", "2", mode="none")
        same(world.ask("good")[:2], ("enforce", "1"))
        world.announce("changed")
        same(world.ask("changed")[0], "unknown")
        same(world.reason, "this system has no certification authorities")
        world.wait_for_log('fetch.failed: host=mta-sts.changed.test reason="this system has no certification')
        same(world.ask("changed")[0], "unknown")
        assert "sts.no_policy" not in world.log()
        same(world.server.connections, 0)
    finally:
        same(world.stop(), 0)


def switched_off(directory):
    world = World(directory, smtp_tls_mta_sts="no")
    try:
        world.announce("good")
        same(world.ask("good"), ("none", "", "success", "yes"))
        same(world.count("good"), 0)
    finally:
        same(world.stop(), 0)


def run(results, name, body, *arguments):
    try:
        body(*arguments)
        results.check(True, name)
    except AssertionError as problem:
        results.check(False, name, [str(problem)])


def main():
    results = tap.Results()
    with tempfile.TemporaryDirectory(prefix="posthouse-stsd-") as directory:
        world = World(directory)
        for function in TESTS:
            run(results, function.__name__.replace("_", " "), function, world)
        run(results, "all daemons leave when told to", lambda: same(world.stop(), 0))
    for function in (refreshed, refused, nobody_to_trust, switched_off):
        with tempfile.TemporaryDirectory(prefix="posthouse-stsd-") as directory:
            run(results, function.__name__.replace("_", " "), function, directory)
    return results.finish()


if __name__ == "__main__":
    sys.exit(main())
