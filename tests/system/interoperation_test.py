"""To and from other people's mail servers: Exim and OpenSMTPD both ways, Dovecot and aiosmtpd by LMTP.

Each comes from Debian's archive, unpacked and not installed; without it its tests are left out."""

import email
import email.policy
import importlib
import subprocess
import sys

import pytest

from harness import more_peers, peers
from harness.instance import free_port, small_message, wait_until

pytestmark = pytest.mark.own_machine

SERVERS = {"exim": (more_peers.Exim, "127.0.0.4"), "opensmtpd": (more_peers.OpenSmtpd, "127.0.0.5")}


def needs(name):
    if not more_peers.have(name):
        pytest.skip(f"no {name}: its packages could not be had")


@pytest.fixture(scope="module", params=sorted(SERVERS))
def server(request, workspace):
    """One of them, which takes mail for its own users and sends all other to our port."""
    name = request.param
    kind, address = SERVERS[name]
    needs(kind.unpacked or name)
    with kind(workspace / name, address, users=[f"friend@{name}.test", f"other@{name}.test"],
              relay_port=free_port()) as one:
        yield one


@pytest.fixture
def here(make_instance, server):
    one = make_instance("here", port=server.relay_port, users=["you@here.test", "friend@here.test"], settings={
        "transport_maps": f"inline:{{ {server.program}.test=smtp:[{server.address}]:{server.port} }}",
        "minimal_backoff_time": "1s", "maximal_backoff_time": "2s"})
    return one.start()


def content_of(path):
    return email.message_from_bytes(path.read_bytes(), policy=email.policy.default)


BODIES = {
    "small": "One line.\r\n",
    "dots": ".\r\n..\r\n.x\r\n",
    "8bit": "Gr\u00fc\u00dfe\r\n",
    "long": "x" * 900 + "\r\n" + "y" * 50000 + "\r\n",
    "large": "line of a large message\r\n" * 20000,
}


@pytest.mark.parametrize("body", BODIES)
def test_to_them(here, server, body):
    users = [f"friend@{server.program}.test", f"other@{server.program}.test"]
    before = {user: set(server.messages(user)) for user in users}
    text = small_message(recipients=users, subject=body, body=BODIES[body])
    # smtplib writes ASCII only into the header, which this is.
    queue_id = here.send(users, text.replace(b"Subject:", b"MIME-Version: 1.0\r\nContent-Type: text/plain; "
                                             b"charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\nSubject:"),
                         options=["BODY=8BITMIME"])
    for user in users:
        wait_until(lambda user=user: set(server.messages(user)) - before[user],
                   f"{user} has it\n{here.log()[-3000:]}\n{server.log()[-2000:]}")
        [path] = set(server.messages(user)) - before[user]
        got = content_of(path)
        assert got["Subject"] == body
        if body != "long":   # of which a line was folded
            assert got.get_content().split() == BODIES[body].split()
    here.wait_for_log(rf"{queue_id}: to=<{users[0]}>, relay=.*\[{server.address}\]:{server.port}, .*status=sent \(2")
    here.wait_for_empty_queue()


def test_they_refuse_a_recipient(here, server):
    queue_id = here.send([f"friend@{server.program}.test", f"nobody@{server.program}.test"],
                         sender="you@here.test")
    [report] = here.wait_for_mail("you@here.test")
    assert f"nobody@{server.program}.test" in report.as_string()
    if server.program == "opensmtpd":
        here.wait_for_log(rf"{queue_id}: to=<nobody@opensmtpd\.test>, .*status=bounced \(host .* said: 5.*"
                          r"\(in reply to RCPT TO command\)\)")
    here.wait_for_log(rf"{queue_id}: to=<friend@{server.program}\.test>, .*status=sent")


def test_from_them(here, server, tmp_path):
    sent = [name for name in BODIES if name != "long"]
    for body in sent:
        file = tmp_path / body
        file.write_bytes(small_message(subject=body, body=BODIES[body]))
        done = subprocess.run(["swaks", "--server", f"{server.address}:{server.port}", "--from",
                               "a@client.example", "--to", "you@here.test,friend@here.test", "--helo",
                               "client.example", "--data", f"@{file}"], capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 0, done.stdout
    # They may have found us closed between two tests, and take their time to try again.
    here.wait_for_mail("friend@here.test", len(sent), 100)
    messages = {message["Subject"]: message for message in here.wait_for_mail("you@here.test", len(sent))}
    for body in sent:
        assert messages[body].get_payload(decode=True).split() == BODIES[body].encode().split()


# ---- LMTP

@pytest.fixture(scope="module")
def dovecot(workspace):
    needs("dovecot")
    with more_peers.Dovecot(workspace / "dovecot", "127.0.0.6", 2424,
                            users=["you@store.test", "friend@store.test"]) as one:
        yield one


@pytest.mark.parametrize("way", ["unix", "inet"])
def test_into_dovecot(make_instance, dovecot, way):
    nexthop = f"unix:{dovecot.socket}" if way == "unix" else f"inet:{dovecot.address}:{dovecot.port}"
    one = make_instance("here", services="lmtp unix - - y - - lmtp\n", settings={
        "virtual_mailbox_domains": "here.test store.test", "virtual_mailbox_maps": "static:x",
        "virtual_transport": f"lmtp:{nexthop}", "transport_maps": "inline:{ here.test=virtual: }"})
    one.start()
    before = {user: len(dovecot.messages(user)) for user in dovecot.users}
    queue_id = one.send([*dovecot.users, "stranger@store.test"], sender="sender@client.example")
    for user in dovecot.users:
        wait_until(lambda user=user: len(dovecot.messages(user)) == before[user] + 1,
                   f"{user} has it\n{one.log()[-3000:]}\n{dovecot.log()[-3000:]}")
        one.wait_for_log(rf"{queue_id}: to=<{user}>, relay=.*, dsn=2\.0\.0, status=sent \(250 2\.0\.0 <{user}> "
                         r"\S+ Saved\)")
    one.wait_for_log(rf"{queue_id}: to=<stranger@store\.test>, .*dsn=5\.1\.1, status=bounced \(host .* said: 550 "
                     r"5\.1\.1 <stranger@store\.test> User doesn't exist.* \(in reply to RCPT TO command\)\)")
    [last] = sorted(dovecot.messages(dovecot.users[0]), key=lambda path: path.stat().st_mtime_ns)[-1:]
    assert content_of(last)["Subject"] == "a letter"


def test_into_a_list_manager(make_instance):
    """aiosmtpd's LMTP server, which Mailman's is made of: it stays the same where Mailman is not to be had."""
    needs("aiosmtpd")
    sys.path.insert(0, str(peers.PEERS / "aiosmtpd/usr/lib/python3/dist-packages"))
    controller = importlib.import_module("aiosmtpd.controller")
    lmtp = importlib.import_module("aiosmtpd.lmtp")
    taken = []

    class Lists:
        async def handle_RCPT(self, _server, _session, envelope, address, options):
            if address.startswith("nolist"):
                return "550 Requested action not taken: mailbox unavailable"
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
            return "250 Ok"

        async def handle_DATA(self, _server, _session, envelope):
            taken.append((list(envelope.rcpt_tos), envelope.content))
            return "\r\n".join("250 Ok" for _ in envelope.rcpt_tos)

    class Controller(controller.Controller):
        def factory(self):
            return lmtp.LMTP(self.handler)

    server = Controller(Lists(), hostname="127.0.0.1", port=free_port())
    server.start()
    try:
        one = make_instance("here", services="lmtp unix - - y - - lmtp\n", settings={
            "transport_maps": f"inline:{{ lists.test=lmtp:[127.0.0.1]:{server.port} }}"}).start()
        queue_id = one.send(["a@lists.test", "b@lists.test", "nolist@lists.test"], sender="you@here.test")
        one.wait_for_log(rf"{queue_id}: to=<nolist@lists\.test>, .*status=bounced")
        one.wait_for_log(rf"{queue_id}: to=<b@lists\.test>, .*status=sent \(250 Ok\)")
        assert [sorted(recipients) for recipients, _ in taken] == [["a@lists.test", "b@lists.test"]]
    finally:
        server.stop()
