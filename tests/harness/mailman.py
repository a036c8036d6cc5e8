"""tests/harness/mailman - Mailman 3, unpacked and run from a directory: it takes posts by LMTP and
sends them on by SMTP.

Callers: tests/system/lists_test."""

import os
import pathlib
import shutil
import subprocess
import sys

from . import instance, peers

IDLE_RUNNERS = ("rest", "digest", "nntp", "command", "bounces", "archive", "bad")


class Mailman:
    """lists: {posting address: [member]}. smtp_port: ours. Give its port to transport_maps."""

    def __init__(self, directory, lists, smtp_port):
        self.directory = pathlib.Path(directory)
        self.lists, self.smtp_port = lists, smtp_port
        self.port = instance.free_port()
        self.root = peers.PEERS / "mailman"
        self._process = None

    def __enter__(self):
        site = self.directory / "site"
        commands = self.directory / "bin"
        for path in (site, commands):
            path.mkdir(parents=True)
        packages = self.root / "usr/lib/python3/dist-packages"
        # Its packages are found by way of files that are read in a site directory alone.
        (site / "sitecustomize.py").write_text(f"import site\nsite.addsitedir({str(packages)!r})\n")
        for path in (self.root / "usr/lib/mailman3/bin").iterdir():
            shutil.copy(path, commands)
        self._environment = {**os.environ, "PYTHONPATH": str(site), "HOME": str(self.directory)}
        self._configuration = self.directory / "mailman.cfg"
        self._configuration.write_text(f"""\
[mailman]
layout: here
site_owner: postmaster@lists.test
[paths.here]
var_dir: {self.directory}/var
bin_dir: {commands}
[mta]
incoming: mailman.mta.null.NullMTA
outgoing: mailman.mta.deliver.deliver
lmtp_host: 127.0.0.1
lmtp_port: {self.port}
smtp_host: 127.0.0.1
smtp_port: {self.smtp_port}
[database]
url: sqlite:///{self.directory}/var/data/mailman.db
""" + "".join(f"[runner.{name}]\nstart: no\n" for name in IDLE_RUNNERS))
        for name, members in self.lists.items():
            self.command("create", "-d", name)
            text = self.directory / "members"
            text.write_text("".join(f"{member}\n" for member in members))
            self.command("addmembers", str(text), name)
        with (self.directory / "output").open("w") as output:
            self._process = subprocess.Popen(
                [sys.executable, commands / "master", "-C", self._configuration], env=self._environment,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
        instance.wait_until(lambda: instance.is_listening("127.0.0.1", self.port), "Mailman listens", 60)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def command(self, *arguments):
        done = subprocess.run([sys.executable, self.directory / "bin/mailman", "-C", self._configuration,
                               "--run-as-root", *arguments], env=self._environment, capture_output=True,
                              text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def log(self):
        return "".join(path.read_text(errors="replace") for path in
                       [self.directory / "output", *self.directory.glob("var/logs/*")] if path.exists())
