"""tests/harness/isolate - a machine of the test's own, as far as the kernel gives one.

enter() goes on in private mount, process and network namespaces, with a memory file system to work
in. Whatever the script leaves behind (mounts, loop devices, servers, files) goes with the namespaces,
however it ends: by return, exception, ^C, SIGTERM or SIGKILL.

Callers: tests/powercut, tests/kill, tests/faults."""

import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys

_CLONE_NEWNS, _CLONE_NEWPID, _CLONE_NEWNET = 0x00020000, 0x20000000, 0x40000000
_PR_SET_PDEATHSIG = 1
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 0x1
_LIBC = ctypes.CDLL(None, use_errno=True)


def why_not(*programs):
    """The reason why enter() cannot work here, or None."""
    if os.geteuid() != 0:
        return "needs root"
    for program in ("unshare", "mount", *programs):
        if not shutil.which(program):
            return f"needs {program}"
    probe = subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "true"],
                           stderr=subprocess.DEVNULL, check=False)
    return None if probe.returncode == 0 else "needs namespaces (unshare is refused)"


def enter(workspace_bytes=2 << 30):
    """Returns the directory to work in; only ever returns inside of the namespaces, in a process of
    its own. Call it before threads are started."""
    sys.stdout.flush()
    sys.stderr.flush()
    if _LIBC.unshare(_CLONE_NEWNS | _CLONE_NEWPID | _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    _fork_and_follow()
    # Here we are process 1. We stay as the reaper of orphans (a killed daemon must not remain as a
    # zombie that looks alive) in a process group of our own, so that ^C arrives on one way only.
    os.setpgid(0, 0)
    _fork_and_follow()
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(128 + signal.SIGTERM))
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", "/proc"], check=True)
    _raise_loopback()
    workspace = _place_for_workspace()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={workspace_bytes},mode=0755", "tmpfs",
                    workspace], check=True)
    return workspace


def _fork_and_follow():
    """Returns in the child; the parent waits for it, hands signals on and ends as it ends."""
    numbers = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    child = os.fork()
    if child == 0:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
        return
    for number in numbers:
        signal.signal(number, lambda received, _frame: os.kill(child, received))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, numbers)
    while True:
        ended, status = os.wait()
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def _raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        flags = struct.unpack("16sH14x", fcntl.ioctl(control, _SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def _place_for_workspace():
    """An existing directory which hides nothing that we need when something is mounted over it."""
    needed = [os.path.realpath(path) for path in (os.getcwd(), sys.argv[0], sys.executable,
                                                  os.environ.get("POSTHOUSE_BUILD", "/usr"))]
    for place in ("/mnt", "/media", "/srv", "/opt"):
        if os.path.isdir(place) and not any(path.startswith(place + "/") for path in needed):
            return place
    raise RuntimeError("no directory to mount the workspace on")
