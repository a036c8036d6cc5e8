"""The list of the queue as programs for Postfix read it, from public/showq."""

import os
import pathlib
import socket
import subprocess

import pytest

from harness import sink
from harness.instance import wait_until

PEER = pathlib.Path(os.environ.get("POSTHOUSE_PEERS", "/nonexistent")) / "postfix"


def lists(data):
    """[[(name, value) ...] ...]; the empty list at the end is left out."""
    found, current, words = [], [], iter(data.split(b"\0"))
    for name in words:
        if name:
            current.append((name.decode(), next(words).decode()))
        else:
            found.append(current)
            current = []
    assert found[-2:] == [found[-2], []] and not current, data[-100:]
    return found[:-2] if found[-2] == [] else found[:-1]


def read_all(one):
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(30)
        client.connect(str(one.queue_directory / "public/showq"))
        return b"".join(iter(lambda: client.recv(65536), b""))


@pytest.fixture
def waiting(make_instance, recording_sink):
    recording_sink.script["RCPT"] = "450 4.2.0 later"
    one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{recording_sink.port}"}).start()
    one.send(["a@there.test", "b@there.test"])
    one.send("c@there.test", sender="")
    wait_until(lambda: one.log().count("status=deferred") >= 3, "all are deferred")
    wait_until(lambda: "*" not in one.run("postqueue", "-p").stdout, "none is active")
    return one


def test_attributes(waiting):
    protocol, *messages = lists(read_all(waiting))
    assert protocol == [("protocol", "mail_queue_list_protocol")]
    assert {dict(message)["queue_id"] for message in messages} == set(waiting.queue())
    for message in messages:
        names = [name for name, _ in message]
        assert names[:6] == ["queue_name", "queue_id", "time", "size", "forced_expire", "sender"]
        assert names[6:] == ["recipient", "reason"] * (len(names[6:]) // 2)
        values = dict(message)
        assert values["queue_name"] == "deferred" and values["forced_expire"] == "0"
        assert values["reason"].startswith("host 127.0.0.1[127.0.0.1] said: 450 4.2.0 later")
        assert int(values["size"]) > 100 and int(values["time"]) > 1_600_000_000
    assert sorted(value for message in messages for name, value in message if name == "recipient") == [
        "a@there.test", "b@there.test", "c@there.test"]
    assert {dict(message)["sender"] for message in messages} == {"sender@client.example", "MAILER-DAEMON"}


def test_an_empty_queue(make_instance):
    one = make_instance("here").start()
    assert read_all(one) == b"protocol\0mail_queue_list_protocol\0\0\0"


def test_more_than_a_page(make_instance):
    """And a reader who does not read, beside one who does."""
    with sink.Sink() as refusing:
        refusing.script["RCPT"] = "450 4.2.0 later"
        one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{refusing.port}"}).start()
        sent = {one.send([f"user{i}.{j}@there.test" for j in range(40)]) for i in range(60)}
        wait_until(lambda: one.log().count("status=deferred") >= 60 * 40, "all are deferred")
        wait_until(lambda: "*" not in one.run("postqueue", "-p").stdout, "none is active")
        with socket.socket(socket.AF_UNIX) as idle:
            idle.connect(str(one.queue_directory / "public/showq"))
            messages = lists(read_all(one))[1:]
        assert {dict(message)["queue_id"] for message in messages} == sent
        assert sum(name == "recipient" for message in messages for name, _ in message) == 60 * 40


def test_whom_the_operator_leaves_out(make_instance):
    if os.geteuid() != 0:
        pytest.skip("as one user there is nobody to leave out")
    one = make_instance("here").start()
    path = one.queue_directory / "public/showq"
    assert path.stat().st_mode & 0o777 == 0o666
    one.set(authorized_mailq_users="root")
    one.reload()
    wait_until(lambda: path.stat().st_mode & 0o777 == 0o660, "the socket is guarded")


@pytest.mark.skipif(not (PEER / "usr/sbin/postqueue").exists(), reason="no Postfix here to ask with")
def test_with_the_command_of_postfix(waiting, tmp_path):
    """Debian's postqueue lists our queue."""
    if os.geteuid() != 0:
        pytest.skip("its configuration names other users")
    (tmp_path / "main.cf").write_text(
        f"compatibility_level = 3.6\nqueue_directory = {waiting.queue_directory}\nmail_owner = mail\n"
        "setgid_group = daemon\ndefault_privs = nobody\nmyhostname = here.test\nalias_maps =\n"
        f"daemon_directory = {PEER}/usr/lib/postfix/sbin\ncommand_directory = {PEER}/usr/sbin\n"
        f"data_directory = {tmp_path}\nimport_environment = MAIL_CONFIG LD_LIBRARY_PATH\n")
    (tmp_path / "master.cf").write_text("")
    libraries = ":".join(map(str, [PEER / "usr/lib/postfix", *(PEER / "usr/lib").glob("*-linux-gnu"),
                                   *(PEER / "lib").glob("*-linux-gnu")]))
    done = subprocess.run([PEER / "usr/sbin/postqueue", "-c", tmp_path, "-p"], capture_output=True, text=True,
                          timeout=60, check=False, env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": libraries})
    assert done.returncode == 0, done.stderr
    for queue_id in waiting.queue():
        assert queue_id in done.stdout
    for text in ("a@there.test", "b@there.test", "c@there.test", "MAILER-DAEMON", "450 4.2.0 later",
                 "in 2 Requests."):
        assert text in done.stdout, done.stdout
