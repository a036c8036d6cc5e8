"""bench/backlog - what a large deferred queue costs: the start, memory, the first line of mailq.

The messages are really deferred: they are sent by SMTP and their next hop refuses connections.
Run it with bench/run backlog."""

import argparse
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests"))

from harness import instance  # noqa: E402  (the path is set just above)


def memory_kb(one, program):
    for line in one.run("posthouse", "-v", "status").stdout.splitlines():
        words = line.split()
        if len(words) > 3 and words[1] == program:
            status = pathlib.Path(f"/proc/{words[3]}/status").read_text()
            return int(next(row.split()[1] for row in status.splitlines() if row.startswith("VmRSS")))
    return 0


def first_greeting_s(port, started):
    while True:
        with socket.socket() as probe:
            probe.settimeout(5)
            if probe.connect_ex(("127.0.0.1", port)) == 0 and probe.recv(100).startswith(b"220"):
                return time.monotonic() - started
        time.sleep(0.001)


def main():
    parser = argparse.ArgumentParser(prog="bench/run backlog", description=__doc__.split("\n\n")[1])
    parser.add_argument("--build", default=os.environ.get("POSTHOUSE_BUILD") or str(TOP / "build"))
    parser.add_argument("--messages", type=int, default=200000)
    options = parser.parse_args()
    subprocess.run(["make", "-s", "-C", options.build, "bench/load"], check=True)
    workspace = pathlib.Path(tempfile.mkdtemp(prefix="posthouse-bench-", dir="/var/tmp"))
    workspace.chmod(0o755)
    try:
        programs = instance.Programs(options.build, workspace / "programs")
        one = instance.Instance(programs, workspace, "backlog", settings={
            "relayhost": "[127.0.0.1]:9", "smtpd_peername_lookup": "no", "minimal_backoff_time": "1h",
            "maximal_backoff_time": "2h", "notify_classes": "", "smtpd_recipient_limit": "1000"})
        one.start()
        begun = time.monotonic()
        subprocess.run([f"{options.build}/bench/load", "-p", str(one.port), "-s", "50", "-m",
                        str(options.messages), "-l", "1024", "-t", "user@there.test"], check=True,
                       stdout=subprocess.DEVNULL)
        while any(os.scandir(one.queue_directory / "new")):
            time.sleep(0.2)
        print(f"{options.messages} messages taken and deferred in {time.monotonic() - begun:.0f} s")
        print(f"qmgr before the stop: {memory_kb(one, 'qmgr')} KB")
        one.stop()
        started = time.monotonic()
        starting = subprocess.Popen(one.argv("posthouse", "start"), stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
        print(f"greeting after the start: {first_greeting_s(one.port, started) * 1e3:.0f} ms")
        one.send("you@backlog.test")
        print(f"first message accepted after: {(time.monotonic() - started) * 1e3:.0f} ms")
        starting.wait()
        time.sleep(2)
        print(f"qmgr after the start: {memory_kb(one, 'qmgr')} KB")
        begun = time.monotonic()
        with subprocess.Popen(one.argv("postqueue", "-p"), stdout=subprocess.PIPE) as listing:
            listing.stdout.readline()
            listing.stdout.readline()
            print(f"first message of mailq after: {(time.monotonic() - begun) * 1e3:.0f} ms")
            count = 1 + sum(1 for line in listing.stdout if line[:1].isalnum())
        print(f"all {count} of them after: {time.monotonic() - begun:.1f} s; qmgr then: {memory_kb(one, 'qmgr')} KB")
        one.stop()
    finally:
        shutil.rmtree(workspace, ignore_errors=True)


if __name__ == "__main__":
    main()
