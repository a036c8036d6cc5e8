"""The same system started by an ordinary user."""

import os
import pathlib
import re

import pytest

NOBODY = 65534


@pytest.fixture
def rootless(make_instance):
    run_as = NOBODY if os.geteuid() == 0 else None
    return make_instance("here", run_as=run_as).start()


def processes_of(instance):
    """{program: pid} of the daemons of an instance. Daemons let nobody look at what they execute
    but root; for another user they are the children of the master with this configuration."""
    found, parents = {}, {}
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            name = process.joinpath("comm").read_text().strip()
            parents[int(process.name)] = (name, int(status_of(process.name)["PPid"]))
            if name == "master" and str(instance.etc).encode() in process.joinpath("cmdline").read_bytes():
                found.setdefault(name, int(process.name))
            executable = process.joinpath("exe").readlink()
        except OSError:
            continue
        if str(executable).startswith(str(instance.programs.root)):
            found.setdefault(executable.name, int(process.name))
    if os.geteuid() != 0:
        for pid, (name, parent) in sorted(parents.items()):
            if parent == found.get("master"):
                found.setdefault(name, pid)
    return found


def status_of(pid):
    return dict(re.findall(r"^(\w+):\s+(.*)$", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE))


def test_mail_goes_through(rootless, recording_sink):
    rootless.set(relayhost=f"[127.0.0.1]:{recording_sink.port}")
    rootless.reload()
    rootless.send(["you@here.test", "friend@there.test"])
    rootless.wait_for_mail("you@here.test")
    rootless.wait_for_empty_queue()
    assert recording_sink.recipients() == ["friend@there.test"]


def test_every_daemon_is_the_user_and_sandboxed(rootless):
    rootless.send("you@here.test")
    rootless.wait_for_mail("you@here.test")
    daemons = processes_of(rootless)
    assert {"master", "smtpd", "qmgr"} <= daemons.keys()
    for program, pid in daemons.items():
        status = status_of(pid)
        assert status["Uid"].split()[0] == str(rootless.owner), program
        if program != "master":
            assert status["Seccomp"] == "2", program
            assert status["NoNewPrivs"] == "1", program


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_as_root_every_daemon_has_a_uid_of_its_own(here):
    here.send("you@here.test")
    here.wait_for_mail("you@here.test")
    daemons = processes_of(here)
    uids = {}
    for program, pid in daemons.items():
        status = status_of(pid)
        if program == "master":
            continue
        assert status["Seccomp"] == "2", program
        uids.setdefault(status["Uid"].split()[0], []).append(program)
    assert all(len(programs) == 1 for programs in uids.values()), uids
    assert "0" not in uids or uids["0"] == ["local"], uids
