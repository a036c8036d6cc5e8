#!/usr/bin/env python3
"""tests/master/master_test - the posthouse command and master, with tests/master/testd in the place
of every daemon: starting, stopping, dying, hanging, reloading, complaining. TAP on standard output.
As root the daemons have uids of their own; as another user all run as that user."""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("top_builddir", "."))
PROGRAMS = ("logd", "qmgr", "addrd", "dnsd", "smtpd", "smtp", "local", "virtual", "bounce",
            "error", "discard", "limitd", "pipe", "lmtp", "connectd", "verify", "pickup", "stsd", "authd",
            "reportd", "fetchd", "keyd")
DEADLINE_S = float(os.environ.get("POSTHOUSE_TESTS_DEADLINE", "30"))
NOBODY = 65534

SERVICES = """\
127.0.0.1:{port} inet n - y - 2 smtpd
smtp unix - - y - 1 smtp
local unix - n n - - local
"""
LISTENING = min(2, len(os.sched_getaffinity(0)))
COUNT = LISTENING + len(("logd", "qmgr", "addrd", "dnsd", "smtp", "local", "bounce", "limitd", "pickup", "stsd",
                         "reportd", "authd", "fetchd", "keyd", "connectd"))


def wait_until(question, what):
    end = time.monotonic() + DEADLINE_S
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {DEADLINE_S:g} s: {what}")
        time.sleep(0.01)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Instance:
    def __init__(self, place, name="one", services=SERVICES, user=None, **settings):
        self.place = pathlib.Path(place) / name
        self.port = free_port()
        self.user = user
        self.etc = self.place / "etc"
        self.daemons = self.place / "daemons"
        self.etc.mkdir(parents=True)
        self.daemons.mkdir()
        for program in PROGRAMS:
            shutil.copy(BUILD / "tests/master/testd", self.daemons / program)
        shutil.copy(BUILD / "master/master", self.daemons / "master")
        shutil.copy(BUILD / "tools/posthouse", self.place / "posthouse")
        self.settings = {
            "queue_directory": self.place / "queue", "data_directory": self.place / "data",
            "run_directory": self.place / "run", "daemon_directory": self.daemons,
            "myhostname": "mx.one.test", "mydestination": "", "inet_protocols": "ipv4"}
        if os.geteuid() == 0 and user is None:
            self.settings["daemon_uid_base"] = 57000
        self.settings.update(settings)
        self.services = services
        self.foreground = None
        self.write()
        if user is not None:
            for path in [self.place, *self.place.rglob("*")]:
                os.chown(path, user, user)

    def write(self):
        (self.etc / "main.cf").write_text("".join(
            f"{name} = {value}\n" for name, value in self.settings.items() if value is not None))
        (self.etc / "master.cf").write_text(self.services.format(port=self.port))

    def argv(self, *arguments):
        argv = [str(self.place / "posthouse"), "-c", str(self.etc), *arguments]
        if self.user is not None:
            argv = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", *argv]
        return argv

    def run(self, *arguments):
        return subprocess.run(self.argv(*arguments), text=True, capture_output=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=DEADLINE_S)

    def ok(self, *arguments):
        done = self.run(*arguments)
        assert done.returncode == 0, f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}"
        return done

    def fails(self, expected, *arguments):
        done = self.run(*arguments)
        assert done.returncode == 1, f"{arguments}: {done.returncode}: {done.stdout}{done.stderr}"
        assert re.search(expected, done.stderr), f"{expected!r} is not in {done.stderr!r}"
        return done

    def start_fg(self):
        """In the foreground, where the log can be read."""
        with open(self.place / "log", "w") as log, open(self.place / "errors", "w") as errors:
            self.foreground = subprocess.Popen(self.argv("start-fg"), stdin=subprocess.DEVNULL,
                                               stdout=log, stderr=errors)
        wait_until(lambda: self.foreground.poll() is not None or
                   len(self.processes("serving")) == len(self.processes()) > 0, "all serve")
        assert self.foreground.poll() is None, self.errors()
        return self

    def log(self):
        return (self.place / "log").read_text()

    def errors(self):
        return (self.place / "errors").read_text()

    def wait_for_log(self, pattern, count=1):
        return wait_until(lambda: len(re.findall(pattern, self.log(), re.M)) >= count and
                          re.findall(pattern, self.log(), re.M), f"{pattern!r} in\n{self.log()}")

    def processes(self, state=None, generation=None):
        """[(service, program, pid)] as posthouse -v status lists them."""
        done = self.run("-v", "status")
        rows = re.findall(r"^(\S+) +(\S+) +pid (\d+) +generation (\d+) (\w+)$", done.stdout, re.M)
        return [(name, program, int(pid)) for name, program, pid, number, now in rows
                if state in (None, now) and generation in (None, int(number))]

    def pid(self, program):
        found = [pid for _, one, pid in self.processes("serving") if one == program]
        return found[0] if found else 0

    def stop(self):
        if self.run("status").returncode == 0:
            self.ok("stop")
        if self.foreground:
            assert self.foreground.wait(DEADLINE_S) in (0, -signal.SIGKILL), self.errors()
            assert "Sanitizer" not in self.errors(), self.errors()


TESTS = []


def test(function):
    TESTS.append(function)
    return function


@test
def start_status_stop(place):
    one = Instance(place)
    one.fails("is not running", "status")
    one.fails("is not running", "stop")
    one.fails("is not running", "reload")
    one.ok("check")
    one.ok("start")
    assert "is running: PID: " in one.ok("status").stderr
    pid = int(re.search(r"PID: (\d+)", one.ok("status").stderr).group(1))
    assert int((one.place / "queue/pid/master.pid").read_text()) == pid
    assert len(one.processes("serving")) == COUNT, one.processes()
    one.fails(rf"already running: PID: {pid}", "start")
    pids = [pid for _, _, pid in one.processes()]
    one.ok("stop")
    one.fails("is not running", "status")
    for pid in pids:
        assert not pathlib.Path(f"/proc/{pid}").exists()


@test
def daemons_are_wired_by_the_table(place):
    one = Instance(place).start_fg()
    one.wait_for_log(r"^qmgr: testd: listens on public/qmgr$")
    one.wait_for_log(rf"^smtpd: testd: listens on 127\.0\.0\.1:{one.port}$", LISTENING)
    one.wait_for_log(r"^smtpd: testd: client of qmgr number", LISTENING)
    one.wait_for_log(r"^qmgr: testd: server of 127\.0\.0\.1:\d+ number", LISTENING)
    one.wait_for_log(r"^smtp: testd: client of dnsd number")
    one.wait_for_log(r"^smtp: testd: server of qmgr number")
    assert not re.search(r"^smtp: testd: client of (qmgr|local|virtual)", one.log(), re.M)
    assert not re.search(r"^smtpd: testd: client of (smtp|local|pickup)", one.log(), re.M)
    one.wait_for_log(r"^master: daemon started -- version \S+, configuration /")
    one.ok("stop")
    one.wait_for_log("^master: terminating on signal 15$")
    one.foreground.wait(DEADLINE_S)
    leaving = re.findall(r"^(\w+): testd: drains$", one.log(), re.M)
    assert set(leaving[:5]) <= {"smtpd", "smtp", "local", "bounce", "pickup"}, leaving
    assert leaving.index("qmgr") < leaving.index("addrd"), leaving


@test
def killed_daemon_comes_back_with_new_channels(place):
    one = Instance(place).start_fg()
    smtpd_count = LISTENING

    def kill(program):
        pid = one.pid(program)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: one.pid(program) not in (0, pid) and
                   len(one.processes("serving")) == COUNT, f"another {program}")
        one.wait_for_log(rf"^master: warning: process \S+/{program} pid {pid} killed by signal 9$")

    one.wait_for_log(r"^smtpd: testd: client of qmgr number", smtpd_count)
    # What a process has to say waits for up to 50 ms: one that is killed before takes it along.
    one.wait_for_log(r"^qmgr: testd: client of addrd number")
    kill("qmgr")
    one.wait_for_log(r"^smtpd: testd: channel to qmgr closed", smtpd_count)
    one.wait_for_log(r"^smtpd: testd: client of qmgr number", 2 * smtpd_count)
    one.wait_for_log(r"^qmgr: testd: client of addrd number", 2)
    kill("smtpd")
    one.wait_for_log(r"^smtpd: testd: client of qmgr number", 2 * smtpd_count + 1)
    kill("logd")
    kill("addrd")
    one.wait_for_log(r"^qmgr: testd: client of addrd number", 3)


@test
def hung_daemon_is_replaced(place):
    one = Instance(place, watchdog_timeout="1s").start_fg()
    pid = one.pid("dnsd")
    os.kill(pid, signal.SIGSTOP)
    wait_until(lambda: one.pid("dnsd") not in (0, pid), "another dnsd")
    assert not pathlib.Path(f"/proc/{pid}").exists()
    one.wait_for_log(r"dnsd pid \d+ gives no answer for 1 s: killed$")


@test
def restarts_slow_down(place):
    one = Instance(place).start_fg()
    for _ in range(2):
        pid = wait_until(lambda: one.pid("dnsd"), "dnsd")
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: one.pid("dnsd") != pid, "its end")
    one.wait_for_log(r"dnsd: bad command startup -- throttling: next start in 1 s$")
    wait_until(lambda: one.pid("dnsd"), "the next dnsd")


@test
def port_in_use(place):
    one = Instance(place)
    with socket.socket() as other:
        other.bind(("127.0.0.1", one.port))
        other.listen()
        done = one.fails(rf"cannot listen on 127\.0\.0\.1:{one.port}: another program listens there", "start")
        assert len(done.stderr.splitlines()) == 2, done.stderr
    one.fails("is not running", "status")
    one.ok("start")


@test
def failing_daemon_stops_the_start(place):
    one = Instance(place, services=SERVICES + "fails unix - n n - - local\n")
    one.fails("fatal: local: I was told to fail: call me by another name", "start")
    one.fails("is not running", "status")
    one.services = SERVICES + "aborts unix - n n - - local\n"
    one.write()
    one.fails("fatal: local: .*aborts", "start")
    one.services = SERVICES
    one.write()
    shutil.copy("/bin/false", one.daemons / "dnsd")
    one.fails("fatal: dnsd: exit status 1", "start")
    (one.daemons / "dnsd").write_text("not a program")
    one.fails("fatal: dnsd: cannot run .*/dnsd: Exec format error", "start")
    (one.daemons / "dnsd").unlink()
    one.fails("program .*/dnsd: No such file.*: install it, or correct daemon_directory", "start")
    one.fails("program .*/dnsd: No such file.*: install it, or correct daemon_directory", "check")


@test
def check_finds_what_is_wrong(place):
    one = Instance(place, services=SERVICES + "cleanup unix n - y - 0 cleanup\n")
    done = one.ok("check")
    assert "service cleanup/unix is left out" in done.stderr, done.stderr
    one.settings.update(watchdog_timeout="soon", drain_timeout="never")
    one.write()
    done = one.fails("watchdog_timeout", "check")
    assert "drain_timeout" in done.stderr, done.stderr
    one.settings.update(watchdog_timeout=None, drain_timeout=None)
    one.services = "127.0.0.1:25 inet n\n"
    one.write()
    one.fails("master.cf, line 1", "check")
    one.services = SERVICES
    one.write()
    (one.place / "run/empty/file").write_text("")
    one.fails("run/empty must be empty", "check")
    (one.place / "run/empty/file").unlink()
    (one.place / "queue").chmod(0o777)
    one.fails("queue may be written to by others", "check")
    (one.place / "queue").chmod(0o755)
    if os.geteuid() == 0:
        os.chown(one.place / "queue/tmp", NOBODY, NOBODY)
        one.fails(f"queue/tmp belongs to uid {NOBODY} instead of 57001: chown", "check")
        os.chown(one.place / "queue/tmp", 57001, 57001)
        (one.place / "queue/pid").rename(one.place / "queue/pid.old")
        (one.place / "queue/pid").symlink_to("/tmp")
        one.fails("queue/pid: cannot open it", "check")
        (one.place / "queue/pid").unlink()
        one.settings["daemon_uid_base"] = None
        one.write()
        one.fails("user posthouse-logd does not exist.*posthouse.sysusers.*daemon_uid_base", "check")
    shutil.rmtree(one.etc)
    one.fails("configuration directory .*: No such file", "check")


@test
def reload_replaces_everybody(place):
    one = Instance(place).start_fg()
    before = {pid for _, _, pid in one.processes("serving")}
    one.ok("reload")
    one.wait_for_log(r"^master: reload -- version \S+, configuration /")
    after = {pid for _, _, pid in one.processes("serving")}
    assert len(after) == COUNT and not before & after, (before, after)
    wait_until(lambda: len(one.processes()) == COUNT, "the old ones are gone")
    one.services = SERVICES + "relay unix - - y - 1 smtp\n"
    one.write()
    os.kill(int((one.place / "queue/pid/master.pid").read_text()), signal.SIGHUP)
    one.wait_for_log("^master: reload -- ", 2)
    wait_until(lambda: len(one.processes("serving")) == COUNT + 1, "one more")


@test
def failed_reload_changes_nothing(place):
    one = Instance(place).start_fg()
    before = one.processes("serving")
    one.settings["watchdog_timeout"] = "soon"
    one.write()
    one.fails("watchdog_timeout", "reload")
    one.settings["watchdog_timeout"] = None
    one.services = SERVICES + "fails unix - n n - - local\n"
    one.write()
    one.fails("local: I was told to fail", "reload")
    wait_until(lambda: len(one.processes()) == COUNT, "the new ones are gone")
    one.services = SERVICES
    one.settings["queue_directory"] = one.place / "other"
    one.write()
    (one.place / "other").mkdir()
    # The command looks where the configuration points to: nothing runs there.
    one.fails("is not running", "reload")
    os.kill(int((one.place / "queue/pid/master.pid").read_text()), signal.SIGHUP)
    one.wait_for_log("queue_directory has changed|reload given up, what ran before goes on", 3)
    one.settings["queue_directory"] = one.place / "queue"
    one.write()
    assert one.processes("serving") == before
    one.ok("reload")
    wait_until(lambda: len(one.processes("serving")) == COUNT, "the old ones are gone")


@test
def sockets_survive_reloads(place):
    one = Instance(place).start_fg()
    with socket.create_connection(("127.0.0.1", one.port)):
        for _ in range(3):
            one.ok("reload")
        with socket.create_connection(("127.0.0.1", one.port)):
            pass
    one.port = free_port()
    one.write()
    one.ok("reload")
    with socket.create_connection(("127.0.0.1", one.port)):
        pass


@test
def sessions_finish_after_a_reload(place):
    one = Instance(place, services=SERVICES + "patient unix - n n - - local\n").start_fg()
    one.ok("reload")
    # The one that is not done, and the helpers that it may need.
    wait_until(lambda: {program for _, program, _ in one.processes(generation=1)} ==
               {"local", "addrd", "dnsd", "authd", "connectd", "fetchd", "keyd", "logd"}, "all others are gone")
    wait_until(lambda: [name for name, _, _ in one.processes("draining")] == ["patient"],
               "only the patient one is left")
    one.ok("stop")
    one.wait_for_log("^local: testd: ends sessions$")


@test
def what_does_not_leave_is_killed(place):
    one = Instance(place, services=SERVICES + "stubborn unix - n n - - local\n", drain_timeout="1s").start_fg()
    one.ok("reload")
    wait_until(lambda: [name for name, _, _ in one.processes("leaving")] == ["stubborn"], "its time is over")
    one.wait_for_log("local pid [0-9]+ has not left within 10 s: killed$")
    wait_until(lambda: len(one.processes()) == COUNT + 1, "the old stubborn one is gone")
    one.ok("abort")
    one.foreground.wait(DEADLINE_S)


@test
def children_leave_with_master(place):
    one = Instance(place).start_fg()
    pids = [pid for _, _, pid in one.processes()]
    one.foreground.kill()
    one.foreground.wait()
    for pid in pids:
        wait_until(lambda: not pathlib.Path(f"/proc/{pid}").exists() or
                   "\nState:\tZ" in pathlib.Path(f"/proc/{pid}/status").read_text(), f"{pid} is gone")
    one.start_fg()
    for _ in range(5):
        one.foreground.kill()
        one.foreground.wait()
        one.start_fg()  # while they are still leaving


@test
def two_instances(place):
    one, two = Instance(place, "one"), Instance(place, "two")
    if os.geteuid() == 0:
        two.settings["daemon_uid_base"] = 57100
        two.write()
    one.ok("start")
    two.ok("start")
    one.ok("stop")
    assert "is running" in two.ok("status").stderr
    assert len(two.processes("serving")) == COUNT
    two.ok("stop")


@test
def two_instances_on_one_queue(place):
    one, two = Instance(place, "one"), Instance(place, "two")
    two.settings["queue_directory"] = one.settings["queue_directory"]
    two.write()
    one.ok("start")
    two.fails("already running", "start")
    one.ok("stop")


@test
def as_an_ordinary_user(place):
    if os.geteuid() != 0:
        return
    one = Instance(place, user=NOBODY)
    one.ok("check")
    one.ok("start")
    for _, program, pid in one.processes("serving"):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        assert f"Uid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}" in status, program
        assert "\nSeccomp:\t2" in status, program
    one.ok("stop")


@test
def as_root_each_has_a_uid_of_its_own(place):
    if os.geteuid() != 0:
        return
    one = Instance(place, virtual_uid_maps="static:57050", virtual_gid_maps="static:57051",
                   services=SERVICES + "virtual unix - n n - - virtual\n")
    one.ok("start")
    expected = {program: 57000 + i for i, program in enumerate(PROGRAMS)}
    expected["virtual"] = 57050
    for _, program, pid in one.processes("serving"):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        uid, gid = expected[program], 57051 if program == "virtual" else expected[program]
        assert f"Uid:\t{uid}\t{uid}\t{uid}\t{uid}" in status, status
        assert f"Gid:\t{gid}\t{gid}\t{gid}\t{gid}" in status, status
        assert "\nCapBnd:\t0000000000000000" in status, status
        assert os.readlink(f"/proc/{pid}/root") == str(one.place / "run/empty"), program
        assert sorted(map(int, os.listdir(f"/proc/{pid}/fd")))[:4] == [0, 1, 2, 3]
    one.ok("stop")


def main():
    chosen = [function for function in TESTS if len(sys.argv) < 2 or function.__name__ in sys.argv[1:]]
    print(f"1..{len(chosen)}")
    failed = False
    for number, function in enumerate(chosen, 1):
        place = tempfile.mkdtemp(prefix="posthouse-master-", dir="/tmp")
        os.chmod(place, 0o755)
        instances = []
        make = Instance.__init__

        def remember(self, *arguments, make=make, instances=instances, **settings):
            make(self, *arguments, **settings)
            instances.append(self)

        Instance.__init__ = remember
        try:
            function(place)
            print(f"ok {number} - {function.__name__}")
        except Exception as error:  # pylint: disable=broad-except
            failed = True
            text = f"{type(error).__name__}: {error} (line {error.__traceback__.tb_next.tb_lineno})"
            print(f"not ok {number} - {function.__name__}")
            for line in text.splitlines():
                print(f"# {line}")
        finally:
            Instance.__init__ = make
            for one in instances:
                try:
                    one.stop()
                except AssertionError as error:
                    failed = True
                    print(f"# {error}")
                finally:
                    if one.foreground and one.foreground.poll() is None:
                        one.foreground.kill()
                        one.foreground.wait()
            shutil.rmtree(place, ignore_errors=True)
        sys.stdout.flush()
    return failed


if __name__ == "__main__":
    sys.exit(main())
