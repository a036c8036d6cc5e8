"""tests/harness/processes - the processes of an instance, and system calls of theirs that go wrong.

Callers: tests/kill, tests/faults, tests/powercut, tests/system."""

import collections
import contextlib
import ctypes
import os
import pathlib
import re
import signal
import socket
import subprocess

from .instance import wait_until

START_DEADLINE_S = 20
ATTACH_ATTEMPTS = 5


def processes_of(programs):
    """{program: [pid]} of everything that runs from the installed daemons."""
    found = collections.defaultdict(list)
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            executable = (entry / "exe").readlink()
        except OSError:
            continue
        if executable.parent == programs.daemons:
            found[executable.name].append(int(entry.name))
    return found


def parent_of(pid):
    """None when it has gone meanwhile."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(re.search(r"^PPid:\t(\d+)", status, re.MULTILINE).group(1))


def running(programs, daemon):
    """Its pids, waited for."""
    return wait_until(lambda: processes_of(programs)[daemon], f"{daemon} runs", START_DEADLINE_S)


def memory_of(pid):
    """All that a process has mapped and can be read; nothing of one that has gone, as those do that a
    reload has left to finish their work."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
            open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps, \
            open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            match = re.match(r"([0-9a-f]+)-([0-9a-f]+) (r)", line)
            if not match or "[vvar" in line or "[vsyscall" in line:
                continue
            begin, end = int(match.group(1), 16), int(match.group(2), 16)
            if end - begin > 1 << 32:
                continue  # sanitizers reserve more than any machine has
            tail = b""
            while begin < end:
                try:
                    memory.seek(begin)
                    block = memory.read(min(end - begin, 1 << 22))
                except OSError:
                    break  # a guard page
                if not block:
                    break
                yield tail + block
                tail = block[-512:]
                begin += len(block)


@contextlib.contextmanager
def _with_strace(pid, *options, follow=("-f",)):
    tracer = subprocess.Popen(["strace", *follow, "-q", *options, "-p", str(pid)],
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _has_tracer(pid), "strace is there")
        yield
    finally:
        tracer.send_signal(signal.SIGTERM)  # it detaches and ends
        tracer.wait(10)


def traced(pid, calls, trace):
    """Writes down the calls of a process and its threads while the body runs."""
    return _with_strace(pid, "-o", str(trace), "-e", f"trace={calls}")


def delayed(pid, calls, seconds):
    """Each of the calls of a process and its threads takes that long while the body runs."""
    return _with_strace(pid, "-o", "/dev/null", "-e", f"trace={calls}",
                        "-e", f"inject={calls}:delay_enter={int(seconds * 1000000)}")


def failing(pid, call, error, when):
    """Calls of a process, not of its children, fail while the body runs: when is strace's, "2+" say."""
    return _with_strace(pid, "-o", "/dev/null", "-e", f"trace={call}",
                        "-e", f"inject={call}:error={error}:when={when}", follow=())


PIDFD_GETFD = 438     # the same on all architectures


def cut_channels(programs, left, right):
    """Shuts the channels between the processes of two daemons, from outside. How many there were."""
    ends = {}
    for line in subprocess.run(["ss", "-xpH"], capture_output=True, text=True, check=True).stdout.splitlines():
        words = line.split()
        for name, pid, descriptor in re.findall(r'\("([^"]*)",pid=(\d+),fd=(\d+)\)', line):
            if int(pid) in processes_of(programs)[name]:
                ends[words[5]] = (name, words[7], int(pid), int(descriptor))
    count = 0
    for name, peer, pid, descriptor in ends.values():
        if name != left or peer not in ends or ends[peer][0] != right:
            continue
        process = os.pidfd_open(pid)
        copy = ctypes.CDLL(None, use_errno=True).syscall(PIDFD_GETFD, process, descriptor, 0)
        os.close(process)
        assert copy >= 0, os.strerror(ctypes.get_errno())
        with socket.socket(fileno=copy) as channel:
            channel.shutdown(socket.SHUT_RDWR)
        count += 1
    return count


class Injection:
    """Calls of a daemon have another effect ("error=EIO", "retval=0") each time (when = 1+1) or now
    and then, in all threads of its processes, but not in programs that they run. strace lets gettid
    happen in their place, which every sandbox permits, and changes the result."""

    def __init__(self, programs, daemon, calls, effect, when, trace):
        self._trace = trace
        for attempts_left in reversed(range(ATTACH_ATTEMPTS)):
            try:
                self._attach(running(programs, daemon), calls, effect, when)
                return
            except AssertionError:
                # A process that ended meanwhile ends strace, too; where it is killed that is meant.
                if attempts_left == 0 or effect == "signal=KILL":
                    raise

    def _attach(self, pids, calls, effect, when):
        self._process = subprocess.Popen(
            ["strace", "-f", "-b", "execve", "-q", "-o", str(self._trace), "-e", f"trace={calls}",
             "-e", f"inject={calls}:{effect}:syscall=gettid:when={when}",
             *(word for pid in pids for word in ("-p", str(pid)))],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

        def is_attached():
            if self._process.poll() is not None:
                raise AssertionError(f"strace: {self._process.stderr.read()}")
            if not any(pathlib.Path(f"/proc/{pid}/exe").exists() for pid in pids):
                raise AssertionError("they have ended already")
            return all(_has_tracer(pid) for pid in pids)
        try:
            wait_until(is_attached, "strace is attached", 10)
        except AssertionError:
            self._stop()  # it would go on with those that it has
            raise

    def _stop(self):
        self._process.send_signal(signal.SIGTERM)  # strace detaches and ends
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:  # it waits for a process that was killed below it
            self._process.kill()
            self._process.wait(10)
        self._process.stderr.close()

    def end(self):
        """How many calls it was."""
        self._stop()
        with open(self._trace, errors="replace") as trace:
            return sum("(INJECTED)" in line for line in trace)


def _has_tracer(pid):
    try:
        return "\nTracerPid:\t0\n" not in pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False
