"""TLSRPT: a day's report by mail and by HTTPS, kept over restarts, sent once."""

import gzip
import json
import os
import pathlib
import signal
import tempfile
import time

import pytest

from harness import clock, https
from harness import sink as sinks
from harness.instance import small_message, wait_until
from harness.processes import processes_of

DAY_S = 86400
HEAD = "generation 00000000000000000001\n"
STS = "version: STSv1;mode: testing;mx: mx.{domain};max_age: 86400;"


@pytest.fixture
def world(workspace, request):
    """A name server, a web server, and settings for an instance that knows both."""
    directory = workspace / request.node.name[:40]
    authority = https.Authority(directory / "ca")
    (directory / "ca").chmod(0o755)
    server = https.Server({None: authority.issue("reports.far.test", "other.far.test")})
    names = https.NameServer({("reports.far.test", "A"): ["127.0.0.1"]})
    world.settings = {"dns_servers": f"127.0.0.1:{names.port}", "fetch_tls_CAfile": authority.file,
                      "fetch_https_port": server.port, "fetch_private_networks": "127.0.0.0/8", "smtp_tlsrpt_enable": "yes", "mydomain": "here.test",
                      "tlsrpt_report_delay": "0s", "tlsrpt_retry_time": "1s"}
    world.server, world.names = server, names
    yield world
    server.stop()
    names.stop()


def today():
    return int(time.time()) // DAY_S


def lines(domain, day=None, success=5):
    """Sessions of yesterday, as reportd keeps them."""
    day = today() - 1 if day is None else day
    policy = STS.format(domain=domain)
    return (f"S\t{day}\t{domain}\t{success}\tsts\tsuccess\t{domain}\t\t\t\t\t\t{policy}\n"
            f"S\t{day}\t{domain}\t2\tsts\tcertificate-expired\t{domain}\t192.0.2.1\tmx.{domain}\t\t198.51.100.1\t"
            f"certificate has expired\t{policy}\n")


def write_journal(one, text):
    """Between a stop and a start."""
    place = pathlib.Path(one.settings["data_directory"]) / "reportd"
    (place / "sessions.0").write_text(HEAD + text)
    (place / "sessions.1").write_text("")


def make(make_instance, world, text, **settings):
    one = make_instance("here", settings={**world.settings, **settings}, users=["you@here.test"])
    one.start()
    one.stop()
    write_journal(one, text)
    return one.start()


def check_document(document, domain, organization="here.test"):
    begin = time.strftime("%Y-%m-%d", time.gmtime((today() - 1) * DAY_S))
    assert document["organization-name"] == organization
    assert document["contact-info"] == "postmaster@here.test"
    assert document["date-range"] == {"start-datetime": f"{begin}T00:00:00Z", "end-datetime": f"{begin}T23:59:59Z"}
    assert document["report-id"] == f"{begin.replace('-', '')}.{domain}@mx.here.test"
    [policy] = document["policies"]
    assert policy["policy"] == {"policy-type": "sts", "policy-domain": domain, "mx-host": [f"mx.{domain}"],
                                "policy-string": ["version: STSv1", "mode: testing", f"mx: mx.{domain}",
                                                  "max_age: 86400"]}
    assert policy["summary"] == {"total-successful-session-count": 5, "total-failure-session-count": 2}
    assert policy["failure-details"] == [
        {"result-type": "certificate-expired", "sending-mta-ip": "192.0.2.1",
         "receiving-mx-hostname": f"mx.{domain}", "receiving-ip": "198.51.100.1", "failed-session-count": 2,
         "failure-reason-code": "certificate has expired"}]


def test_by_mail(make_instance, world):
    world.names.records[("_smtp._tls.here.test", "TXT")] = ['"v=TLSRPTv1; rua=mailto:you@here.test"']
    one = make(make_instance, world, lines("here.test"))
    [message] = one.wait_for_mail("you@here.test")
    assert message["From"].addresses[0].addr_spec == "postmaster@here.test"
    assert message["TLS-Report-Domain"] == "here.test" and message["TLS-Report-Submitter"] == "here.test"
    assert message["TLS-Required"] == "No"
    assert message["Subject"].startswith("Report Domain: here.test Submitter: here.test Report-ID: <")
    assert message.get_content_type() == "multipart/report" and message.get_param("report-type") == "tlsrpt"
    text, report = message.iter_parts()
    assert "here.test" in text.get_content()
    assert report.get_content_type() == "application/tlsrpt+gzip"
    begin = (today() - 1) * DAY_S
    assert report.get_filename() == f"here.test!here.test!{begin}!{begin + DAY_S - 1}.json.gz"
    check_document(json.loads(gzip.decompress(report.get_content())), "here.test")
    one.wait_for_log(r"reportd\[\d+\]: tlsrpt.sent: domain=here.test report=\S+ to=mailto:you@here.test")
    one.stop()
    one.start()
    one.send("you@here.test")   # after which a second report would have come
    one.wait_for_mail("you@here.test", 2)
    assert len([one for one in one.wait_for_mail("you@here.test", 2) if one["TLS-Report-Domain"]]) == 1


def test_by_https(make_instance, world):
    """A server that does not take it is asked again."""
    world.names.records[("_smtp._tls.far.test", "TXT")] = ['"v=TLSRPTv1;rua=https://reports.far.test/v1/tlsrpt?x=1"']
    world.server.answers["reports.far.test"] = https.Answer("busy", status=503)
    one = make(make_instance, world, lines("far.test"), tlsrpt_organization_name="Some \"Mail\" of ours")
    one.wait_for_log(r"tlsrpt.not_sent: domain=far.test .* reason=\"HTTP status 503\" next=\"tried again later\"")
    world.server.answers["reports.far.test"] = https.Answer("", status=201)
    one.wait_for_log(r"tlsrpt.sent: domain=far.test ")
    method, host, path, headers, body = world.server.requests[-1]
    assert (method, host, path) == ("POST", "reports.far.test", "/v1/tlsrpt?x=1")
    assert headers["Content-Type"] == "application/tlsrpt+gzip"
    check_document(json.loads(gzip.decompress(body)), "far.test", "Some \"Mail\" of ours")


def test_one_place_has_it(make_instance, world, programs):
    """Who has taken a report does not get it again, though another place did not and we are killed in between; nor
    when the places change their order meanwhile."""
    places = ["https://reports.far.test/v1", "https://other.far.test/v1"]
    record = ("_smtp._tls.far.test", "TXT")
    world.names.records[("other.far.test", "A")] = ["127.0.0.1"]
    world.names.records[record] = [f'"v=TLSRPTv1; rua={",".join(places)}"']
    world.server.answers["reports.far.test"] = https.Answer("", status=201)
    world.server.answers["other.far.test"] = https.Answer("busy", status=503)
    one = make(make_instance, world, lines("far.test"), tlsrpt_retry_time="1s")
    one.wait_for_log(r"tlsrpt.sent: domain=far.test .*to=https://reports.far.test/v1")
    one.wait_for_log(r"tlsrpt.not_sent: domain=far.test .*to=https://other.far.test/v1")
    world.names.records[record] = [f'"v=TLSRPTv1; rua={",".join(reversed(places))}"']
    [reporter] = processes_of(programs)["reportd"]
    os.kill(reporter, signal.SIGKILL)
    wait_until(lambda: world.server.count("other.far.test") > 2, "its successor tries the other")
    world.server.answers["other.far.test"] = https.Answer("", status=201)
    one.wait_for_log(r"tlsrpt.sent: domain=far.test .*to=https://other.far.test/v1")
    assert world.server.count("reports.far.test") == 1


def test_where_it_cannot_go(make_instance, world):
    """Nobody asks; another port; not one address; a stranger's certificate. Nothing is sent, nothing is lost."""
    records = {"wrong-port": "https://reports.far.test:1/x", "list": "mailto:a@here.test,b", "phone": "tel:+49",
               "strange": "https://strange.far.test/"}
    world.names.records[("strange.far.test", "A")] = ["127.0.0.1"]
    for name, uri in records.items():
        world.names.records[(f"_smtp._tls.{name}.test", "TXT")] = [f'"v=TLSRPTv1; rua={uri}"']
    one = make(make_instance, world, "".join(lines(f"{name}.test") for name in [*records, "silent"]),
               tlsrpt_retry_lifetime="2s")
    for name in ("wrong-port", "phone"):
        one.wait_for_log(rf"tlsrpt.not_sent: domain={name}.test .* next=\"given up\"")
    one.wait_for_log(r"tlsrpt.not_sent: domain=strange.test .* next=\"tried again later\"")
    one.wait_for_log(r"tlsrpt.given_up: domain=strange.test ")
    assert not world.server.requests and not one.messages("you@here.test")
    assert "domain=silent.test" not in one.log() and "domain=list.test" not in one.log()


def test_not_into_the_inside(make_instance, world):
    """A stranger's record names a host that only we can reach: nobody connects to it."""
    world.names.records[("inside.far.test", "A")] = ["10.1.2.3", "127.0.0.1"]
    world.names.records[("_smtp._tls.far.test", "TXT")] = [
        '"v=TLSRPTv1; rua=https://reports.far.test/v1,https://inside.far.test/"']
    one = make(make_instance, world, lines("far.test"), fetch_private_networks="")
    for host in ("reports", "inside"):
        one.wait_for_log(rf"fetchd\[\d+\]: fetch.failed: host={host}.far.test reason=\"all its addresses are private")
        one.wait_for_log(rf"tlsrpt.not_sent: domain=far.test .*to=https://{host}.far.test/.* "
                         r"reason=\"all its addresses are private, .*\" next=\"given up\"")
    assert not world.server.connections


def test_the_day_is_not_over(make_instance, world):
    """Yesterday's report leaves, today's waits; one of last month is of no use."""
    world.names.records[("_smtp._tls.here.test", "TXT")] = ['"v=TLSRPTv1; rua=mailto:you@here.test"']
    one = make(make_instance, world, lines("here.test") + lines("here.test", day=today(), success=9) +
               lines("here.test", day=today() - 30))
    one.wait_for_mail("you@here.test")
    one.stop()
    one.start()
    one.send("you@here.test")
    assert len([one for one in one.wait_for_mail("you@here.test", 2) if one["TLS-Report-Domain"]]) == 1


def test_switched_off(make_instance, world):
    world.names.records[("_smtp._tls.here.test", "TXT")] = ['"v=TLSRPTv1; rua=mailto:you@here.test"']
    one = make(make_instance, world, lines("here.test"), smtp_tlsrpt_enable="no")
    one.send("you@here.test")
    [message] = one.wait_for_mail("you@here.test")
    assert not message["TLS-Report-Domain"]
    one.stop()
    one.set(smtp_tlsrpt_enable="yes", tlsrpt_contact_info="nobody")
    done = one.run("posthouse", "start")
    assert done.returncode == 1 and "tlsrpt_contact_info = nobody: an address is allowed" in done.stderr


@pytest.mark.skipif(clock.why_not() is not None, reason=str(clock.why_not()))
def test_sessions_are_counted(make_instance, world, programs, workspace):
    """What smtp does is in the report of the day, also when reportd is killed meanwhile."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="clock-", dir=workspace))
    place.chmod(0o755)
    dial = clock.Clock(programs, place)
    world.names.records[("far.test", "MX")] = world.names.records[("quiet.test", "MX")] = ["10 mx.far.test."]
    world.names.records[("mx.far.test", "A")] = ["127.0.0.1"]
    world.names.records[("_smtp._tls.far.test", "TXT")] = ['"v=TLSRPTv1;rua=https://reports.far.test/v1"']
    world.server.answers["reports.far.test"] = https.Answer("", status=201)
    with sinks.Sink() as sink:
        one = make_instance("here", users=["you@here.test"], settings={
            **world.settings, "smtp_tcp_port": str(sink.port), "daemon_directory": dial.daemons,
            "smtp_tls_security_level": "may", "smtp_connection_cache_on_demand": "no"})
        one.start()
        one.send("friend@quiet.test", b"TLS-Required: No\r\n" + small_message())
        one.wait_for_empty_queue()
        for _ in range(2):
            one.send("friend@far.test")
            one.wait_for_empty_queue()
        data = pathlib.Path(one.settings["data_directory"]) / "reportd"
        wait_until(lambda: any(b"far.test" in path.read_bytes() for path in data.iterdir()),
                   "sessions are written down")
        assert not any(b"quiet.test" in path.read_bytes() for path in data.iterdir())
        [reporter] = [pid for pid in processes_of(programs)["reportd"]]
        os.kill(reporter, signal.SIGKILL)
        dial.set(DAY_S)
        wait_until(lambda: world.server.requests, "the report")
    document = json.loads(gzip.decompress(world.server.requests[0][4]))
    [policy] = document["policies"]
    assert policy["policy"] == {"policy-type": "no-policy-found", "policy-domain": "far.test"}
    assert policy["summary"]["total-successful-session-count"] == 0
    assert policy["summary"]["total-failure-session-count"] >= 1
    [failure] = policy["failure-details"]
    assert failure["result-type"] == "starttls-not-supported"
    assert failure["sending-mta-ip"] == "127.0.0.1" and failure["receiving-mx-helo"]
    assert failure["receiving-mx-hostname"] == "mx.far.test" and failure["receiving-ip"] == "127.0.0.1"
    assert len(world.server.requests) == 1
