"""tests/harness/processes - the processes of an instance, and system calls of theirs that go wrong.

Callers: tests/kill, tests/faults, tests/powercut, tests/system."""

import collections
import contextlib
import pathlib
import re
import signal
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
    return int(re.search(r"^PPid:\t(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.MULTILINE).group(1))


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
def traced(pid, calls, trace):
    """Writes down the calls of a process and its threads while the body runs."""
    tracer = subprocess.Popen(["strace", "-f", "-q", "-o", str(trace), "-e", f"trace={calls}", "-p", str(pid)],
                              stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: _has_tracer(pid), "strace is there")
        yield
    finally:
        tracer.send_signal(signal.SIGTERM)  # it detaches and ends
        tracer.wait(10)


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
