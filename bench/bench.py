"""bench/bench - what Posthouse and Postfix do for the same mail on the same machine.

Both run at the same time, idle unless it is their turn; one loop goes round the servers, so that
whatever else the machine does hits all of them, and only ratios within a round are compared.
Postfix takes part as it comes and with in_flow_delay = 0; of the two the better one of each round
counts. Places: a journalled ext4 image on a loop device (the main case: what durable mail costs)
and a tmpfs (what the CPU alone allows). CPU is that of a server's control group, its children
included, kernel threads and the client not. System calls are counted in a run of their own.

Run it with bench/run."""

import argparse
import collections
import contextlib
import datetime
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests"))

from harness import instance, peers  # noqa: E402  (the path is set just above)

USER = "user@example.test"
IMAGE_BYTES = 4 << 30


class Group:
    """A control group that counts the CPU of a server, version 1 or 2, whichever is mounted."""

    def __init__(self, name):
        version_1 = pathlib.Path("/sys/fs/cgroup/cpuacct")
        version_2 = next((path for path in (pathlib.Path("/sys/fs/cgroup"), pathlib.Path("/sys/fs/cgroup/unified"))
                          if (path / "cgroup.controllers").exists()), None)
        self.is_version_1 = version_1.is_dir()
        root = version_1 if self.is_version_1 else version_2
        if root is None:
            raise SystemExit("bench: no control groups are mounted")
        self.path = root / f"posthouse-bench-{os.getpid()}-{name}"
        self.path.mkdir(exist_ok=True)

    def enter(self):
        """The beginning of a command line that runs the rest inside."""
        return ["sh", "-c", f'echo $$ >{self.path}/cgroup.procs && exec "$@"', "sh"]

    def cpu_s(self):
        """(all, in the kernel)"""
        if self.is_version_1:
            return (int((self.path / "cpuacct.usage").read_text()) / 1e9,
                    int((self.path / "cpuacct.usage_sys").read_text()) / 1e9)
        fields = dict(line.split() for line in (self.path / "cpu.stat").read_text().splitlines())
        return int(fields["usage_usec"]) / 1e6, int(fields["system_usec"]) / 1e6

    def processes(self):
        return (self.path / "cgroup.procs").read_text().split()

    def remove(self):
        with contextlib.suppress(OSError):
            self.path.rmdir()


class Sink:
    def __init__(self, program, directory, port):
        self.counter = directory / "sink.count"
        self.port = port
        self.process = subprocess.Popen([str(program), "-p", str(port), "-c", str(self.counter)])
        instance.wait_until(lambda: instance.is_listening("127.0.0.1", port), "the sink listens")

    def count(self):
        return struct.unpack("=Q", self.counter.read_bytes())[0]

    def stop(self):
        self.process.terminate()
        self.process.wait()


def make_certificate(directory):
    """A key of each server's own kind costs them the same: ECDSA P-256."""
    key, chain = directory / "key.pem", directory / "certificate.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=bench.test", "-days", "2", "-keyout", str(key), "-out", str(chain)],
                   check=True, capture_output=True)
    return {"smtpd_tls_security_level": "may", "smtpd_tls_cert_file": str(chain), "smtpd_tls_key_file": str(key)}


def recipients(options):
    """As bench/load names them: with several the number goes before the address."""
    return [USER] if options.recipients == 1 else [f"{i}{USER}" for i in range(1, options.recipients + 1)]


class Server:
    """One server in one cell: where it listens, how its results are counted and cleared."""

    def __init__(self, name, port, group):
        self.name, self.port, self.group = name, port, group
        self.maildirs = []      # with delivery into Maildirs
        self.sink = None        # with relaying
        self.sink_before = 0
        self.stop = lambda: None
        self.log = lambda: ""

    def clear(self):
        if self.sink:
            self.sink_before = self.sink.count()
        else:
            for maildir in self.maildirs:
                if (maildir / "new").is_dir():
                    for entry in os.scandir(maildir / "new"):
                        os.unlink(entry.path)

    def delivered(self):
        if self.sink:
            return self.sink.count() - self.sink_before
        return sum(1 for maildir in self.maildirs if (maildir / "new").is_dir()
                   for _ in os.scandir(maildir / "new"))


def grouped(one, group):
    """Have an Instance start its master inside a control group."""
    plain = one.argv

    def argv(name, *arguments, config=True):
        command = plain(name, *arguments, config=config)
        return group.enter() + command if name == "posthouse" and "start" in arguments else command

    one.argv = argv
    return one


def start_posthouse(programs, place, cell, port, sink, options, extra):
    group = Group(f"posthouse-{cell}-{port}")
    settings = {"maximal_queue_lifetime": "1h", "smtpd_peername_lookup": "no"}
    if cell == "relay":
        settings["relayhost"] = f"[127.0.0.1]:{sink.port}"
        domain, users = "unused.test", ["user@unused.test"]
    else:
        domain, users = "example.test", recipients(options)
    settings.update(extra)
    one = grouped(instance.Instance(programs, place, f"posthouse-{cell}", domain=domain, users=users,
                                    settings=settings, port=port), group)
    one.start()
    server = Server("posthouse", port, group)
    server.sink = sink
    server.maildirs = [] if cell == "relay" else [one.maildir(user) for user in users]
    server.stop, server.log = one.stop, one.log
    return server


def start_postfix(name, place, cell, port, sink, options, extra):
    group = Group(f"{name}-{cell}-{port}")
    settings = {"smtpd_peername_lookup": "no", **extra}
    users = [] if cell == "relay" else recipients(options)
    if cell == "relay":
        settings["relayhost"] = f"[127.0.0.1]:{sink.port}"
    one = peers.Postfix(place / f"{name}-{cell}", "127.0.0.1", port, settings=settings, users=users,
                        into_group=group.enter())
    one.start()
    server = Server(name, port, group)
    server.sink = sink
    server.maildirs = [one.maildir(user) for user in users]
    server.stop, server.log = one.stop, one.log
    return server


def one_run(server, options, load, messages):
    """Returns a dictionary of what was measured."""
    server.clear()
    os.sync()
    time.sleep(0.3)
    cpu_before = server.group.cpu_s()
    started = time.monotonic()
    if options.generator == "load":
        done = subprocess.run([str(load), "-p", str(server.port), "-s", str(options.sessions), "-m",
                               str(messages), "-l", str(options.size), "-t", USER,
                               "-r", str(options.recipients),
                               *(["-P"] if options.pipelined else []),
                               *(["-n"] if options.reconnect or options.tls else []),
                               *(["-T"] if options.tls else []), *(["-R"] if options.tls == "resumed" else [])],
                              capture_output=True, text=True, timeout=300, check=False)
        if done.returncode != 0:
            raise SystemExit(f"bench: load against {server.name}: {done.stdout}{done.stderr}\n{server.log()[-3000:]}")
        accept_s = json.loads(done.stdout)["seconds"]
        resumed = json.loads(done.stdout)["resumed"]
        if options.tls == "resumed" and resumed < messages - options.sessions:
            raise SystemExit(f"bench: {server.name} resumed {resumed} of {messages} TLS sessions")
        client_cpu_s = json.loads(done.stdout)["cpu_seconds"]
    else:
        done, accept_s = peers.SmtpSource.run("127.0.0.1", server.port, messages, options.sessions, USER,
                                              options.size)
        client_cpu_s = 0.0
        if done.returncode != 0:
            raise SystemExit(f"bench: smtp-source against {server.name}: {done.stderr}")
    # Deliveries are counted only now: looking into directories would cost the server time.
    last, last_s = -1, time.monotonic()
    wanted = messages * (1 if server.sink else options.recipients)
    while True:
        count = server.delivered()
        now = time.monotonic()
        if count != last:
            last, last_s = count, now
        if count >= wanted:
            break
        if now - last_s > 60:
            raise SystemExit(f"bench: {server.name} delivered {count} of {wanted}\n{server.log()[-3000:]}")
        time.sleep(0.005)
    total_s = time.monotonic() - started if last_s - started > accept_s else accept_s
    time.sleep(0.5)     # the end of the work: unlinks, log lines
    cpu_after = server.group.cpu_s()
    server.clear()
    return {"server": server.name, "messages": messages, "accept_rate": messages / accept_s,
            "rate": messages / max(total_s, accept_s),
            "cpu_ms": (cpu_after[0] - cpu_before[0]) * 1e3 / messages,
            "sys_ms": (cpu_after[1] - cpu_before[1]) * 1e3 / messages,
            "client_cpu_ms": client_cpu_s * 1e3 / messages}


def count_system_calls(server, options, load, messages):
    """System calls per message: {name: calls}, counted by strace in a run of its own."""
    with tempfile.NamedTemporaryFile("r", suffix=".strace") as report:
        tracer = subprocess.Popen(["strace", "-f", "-c", "-U", "calls,name", "-o", report.name,
                                   *(word for pid in server.group.processes() for word in ("-p", pid))],
                                  stderr=subprocess.PIPE, text=True)
        time.sleep(1.5)
        one_run(server, options, load, messages)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)
        calls = collections.Counter()
        for line in report.read().splitlines():
            match = re.match(r"\s*(\d+)\s+(\w+)$", line)
            if match and match.group(2) != "total":
                calls[match.group(2)] += int(match.group(1))
    return {name: count / messages for name, count in calls.most_common()}


@contextlib.contextmanager
def mounted(kind, workspace):
    """A file system of our own: "journal" or "tmpfs"."""
    place = pathlib.Path(workspace) / kind
    place.mkdir()
    if kind == "tmpfs":
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2g,mode=755", "tmpfs", str(place)], check=True)
        image = None
    else:
        image = pathlib.Path(workspace) / "journal.img"
        with image.open("wb") as file:
            file.truncate(IMAGE_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-F", str(image)], check=True)
        subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    place.chmod(0o755)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=False)
        if image:
            image.unlink()


def spread(values):
    return f"{statistics.median(values):.4g} ({min(values):.4g}-{max(values):.4g})"


class Report:
    def __init__(self, path):
        self.path = path
        self.lines = []

    def line(self, text=""):
        print(text, flush=True)
        self.lines.append(text)

    def table(self, head, rows):
        widths = [max(len(str(row[i])) for row in [head, *rows]) for i in range(len(head))]
        for row in [head, ["-" * width for width in widths], *rows]:
            self.line("| " + " | ".join(str(cell).ljust(width) for cell, width in zip(row, widths)) + " |")


def compare(report, place_name, cell, rounds, system_calls):
    names = list(dict.fromkeys(run["server"] for run in rounds[0]))
    by_name = {name: [next(run for run in one if run["server"] == name) for one in rounds] for name in names}
    rows = []
    for name in names:
        runs = by_name[name]
        calls = system_calls.get(name)
        rows.append([name, spread([run["accept_rate"] for run in runs]), spread([run["rate"] for run in runs]),
                     spread([run["cpu_ms"] for run in runs]), spread([run["sys_ms"] for run in runs]),
                     f"{statistics.median(run['client_cpu_ms'] for run in runs):.3g}",
                     f"{sum(calls.values()):.0f}" if calls else "-"])
    report.line(f"\n### {cell}, {place_name}\n")
    report.table(["server", "accepted/s", "delivered/s", "CPU ms/message", "of it kernel", "client ms",
                  "system calls/message"], rows)
    others = [name for name in names if name != "posthouse"]
    if "posthouse" in names and others:
        def ratios(key, better):
            return [ours[key] / better(theirs[i][key] for theirs in (by_name[name] for name in others))
                    for i, ours in enumerate(by_name["posthouse"])]
        report.line()
        report.line(f"Posthouse / the better Postfix of each round: accepted {spread(ratios('accept_rate', max))}, "
                    f"delivered {spread(ratios('rate', max))}, CPU {spread(ratios('cpu_ms', min))}")
    for name, calls in system_calls.items():
        report.line(f"  {name}: " + " ".join(f"{call}={count:.2f}" for call, count in list(calls.items())[:24]))


def main():
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__.split("\n\n")[1],
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default=os.environ.get("POSTHOUSE_BUILD"),
                        help="a build directory (default: build, or build-tests/gcc)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=8000)
    parser.add_argument("--sessions", type=int, default=10)
    parser.add_argument("--recipients", type=int, default=1, help="of each message")
    parser.add_argument("--size", type=int, default=1024, help="bytes of body")
    parser.add_argument("--pipelined", action="store_true", help="the client pipelines (RFC 2920)")
    parser.add_argument("--reconnect", action="store_true", help="a connection for each message")
    parser.add_argument("--tls", choices=["full", "resumed"],
                        help="STARTTLS and a handshake for each message, which has its own connection")
    parser.add_argument("--cells", default="maildir,relay")
    parser.add_argument("--places", default="journal,tmpfs")
    parser.add_argument("--servers", default="posthouse,postfix,postfix-noflow")
    parser.add_argument("--generator", choices=["load", "smtp-source"], default="load")
    parser.add_argument("--no-system-calls", action="store_true", help="leave out the runs under strace")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="a setting of main.cf for Posthouse")
    parser.add_argument("--output", help="directory for the results (default: build-bench)")
    options = parser.parse_args()
    if not peers.own_machine():
        raise SystemExit("bench: start this with bench/run")

    build = pathlib.Path(options.build or next(
        (TOP / name for name in ("build", "build-tests/gcc") if (TOP / name / "Makefile").exists()), "build"))
    subprocess.run(["make", "-s", "-C", str(build), "bench/load", "bench/sink"], check=True)
    load, sink_program = build / "bench/load", build / "bench/sink"
    output = pathlib.Path(options.output or TOP / "build-bench")
    output.mkdir(parents=True, exist_ok=True)
    stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
    report = Report(output / f"{stamp}.md")
    results = []
    # Below /var/tmp: a disk, not the memory file system that /tmp may be.
    workspace = pathlib.Path(tempfile.mkdtemp(prefix="posthouse-bench-", dir="/var/tmp"))
    workspace.chmod(0o755)
    servers = []
    try:
        programs = instance.Programs(build, workspace / "programs")
        report.line(f"# Posthouse and Postfix, {datetime.datetime.now():%Y-%m-%d %H:%M}")
        report.line(f"\n{options.size} bytes, {options.sessions} sessions, {options.messages} messages a run, "
                    f"{options.recipients} recipient{'s' if options.recipients > 1 else ''} each, "
                    f"{options.rounds} rounds, client: {options.generator}"
                    f"{', pipelined' if options.pipelined else ''}"
                    f"{f', TLS ({options.tls} handshakes)' if options.tls else ''}"
                    f"{', a connection each' if options.tls or options.reconnect else ''}; {os.cpu_count()} CPUs, Linux {os.uname().release}. "
                    "Median (minimum-maximum).")
        for_all = make_certificate(workspace) if options.tls else {}
        extra = dict(setting.split("=", 1) for setting in options.set)
        for place_name in options.places.split(","):
            with mounted(place_name, workspace) as place:
                for cell in options.cells.split(","):
                    sinks = []
                    servers = []
                    for i, name in enumerate(options.servers.split(",")):
                        sink = None
                        if cell == "relay":
                            directory = workspace / f"sink-{place_name}-{name}"
                            directory.mkdir(exist_ok=True)
                            sink = Sink(sink_program, directory, 2600 + i)
                            sinks.append(sink)
                        if name == "posthouse":
                            servers.append(start_posthouse(programs, place, cell, 2500, sink, options,
                                                           {**for_all, **extra}))
                        else:
                            servers.append(start_postfix(
                                name, place, cell, 2500 + i, sink, options,
                                {**for_all, **({"in_flow_delay": "0"} if name.endswith("-noflow") else {})}))
                    for server in servers:      # warm up: processes started, directories grown
                        one_run(server, options, load, max(options.messages // 5, 50))
                    rounds = []
                    for number in range(options.rounds):
                        turn = servers[number % len(servers):] + servers[:number % len(servers)]
                        rounds.append([one_run(server, options, load, options.messages) for server in turn])
                        for run in rounds[-1]:
                            results.append({"place": place_name, "cell": cell, "round": number, **run})
                    system_calls = {}
                    if not options.no_system_calls:
                        for server in servers:
                            if not server.name.endswith("-noflow"):
                                system_calls[server.name] = count_system_calls(server, options, load, 400)
                                results.append({"place": place_name, "cell": cell, "server": server.name,
                                                "system_calls": system_calls[server.name]})
                    compare(report, place_name, cell, rounds, system_calls)
                    for server in servers:
                        server.stop()
                    for sink in sinks:
                        sink.stop()
        report.path.write_text("\n".join(report.lines) + "\n")
        (output / f"{stamp}.json").write_text("".join(json.dumps(result) + "\n" for result in results))
        print(f"\nresults: {report.path} and {output / (stamp + '.json')}")
    finally:
        for server in servers:
            server.group.remove()
        shutil.rmtree(workspace, ignore_errors=True)


if __name__ == "__main__":
    main()
