"""tests/harness/instance - a Posthouse of a test's own: configuration, start, mail, queue, log.

Instance makes a configuration directory, ports, queue and mailboxes below one directory, and drives
the documented commands only: posthouse, postqueue, postmap, postconf. Nothing here sleeps for a
fixed time: wait_until() polls with a deadline.

Callers: tests/system, bench/run; tests that kill or cut power may use it, too."""

import email
import email.policy
import os
import pathlib
import re
import shutil
import smtplib
import socket
import subprocess
import time

DEADLINE_S = float(os.environ.get("POSTHOUSE_TESTS_DEADLINE", "30"))

MASTER_CF = """\
{address}:{port} inet n - y - {smtpd_processes} smtpd
qmgr unix n - y - 1 qmgr
addrd unix - - n - 1 addrd
dnsd unix - - n - 1 dnsd
limitd unix - - y - 1 limitd
logd unix - - n - 1 logd
bounce unix - - y - 1 bounce
verify unix - - y - 1 verify
pickup unix n - y 60 1 pickup
smtp unix - - y - - smtp
relay unix - - y - - smtp
local unix - n n - - local
virtual unix - n n - - virtual
error unix - - y - - error
retry unix - - y - - error
discard unix - - y - - discard
"""


def wait_until(question, what, deadline_s=DEADLINE_S, interval_s=0.02):
    """Returns the first true answer; raises when there is none before the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s:g} s: {what}")
        time.sleep(interval_s)


def free_port(address="127.0.0.1"):
    with socket.socket() as probe:
        probe.bind((address, 0))
        return probe.getsockname()[1]


def is_listening(address, port):
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex((address, port)) == 0


class Programs:
    """A build, installed into a directory that every user can reach."""

    def __init__(self, build, directory):
        self.root = pathlib.Path(directory)
        done = subprocess.run(["make", "-s", "-C", str(build), "install", f"DESTDIR={self.root}",
                               "prefix=/usr"], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"make install: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        for path in self.root.rglob("*"):
            if path.is_symlink():
                continue
            path.chmod(path.stat().st_mode | (0o555 if path.is_dir() else 0o444))
        self.daemons = self.root / "usr/libexec/posthouse"
        self.commands = self.root / "usr/sbin"

    def command(self, name):
        for directory in (self.commands, self.root / "usr/bin"):
            if (directory / name).exists():
                return str(directory / name)
        return str(self.commands / name)


class Instance:
    """settings: lines of main.cf, which override those made here; None removes one.
    users: addresses with a virtual mailbox. uid_base: with None (or without root) everything runs
    as the invoking user, or as run_as (a uid) when root starts it."""

    def __init__(self, programs, directory, name, domain=None, users=(), settings=None, services="",
                 uid_base=None, run_as=None, address="127.0.0.1", port=None, smtpd_processes="-"):
        self.programs = programs
        self.directory = pathlib.Path(directory) / name
        self.name = name
        self.domain = domain or f"{name}.test"
        self.address = address
        self.port = port or free_port(address)
        self.run_as = run_as
        self.etc = self.directory / "etc"
        self.mail = self.directory / "mail"
        self.queue_directory = self.directory / "queue"
        self.log_file = self.directory / "log" / "mail.log"
        self.tolerated_log_lines = []
        for path in (self.etc, self.mail, self.log_file.parent):
            path.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0 and run_as is None:
            owner = (uid_base or 58000) + 45
        else:
            owner = os.geteuid() if run_as is None else run_as
        self.owner = owner
        self.settings = {
            "queue_directory": self.queue_directory,
            "data_directory": self.directory / "data",
            "run_directory": self.directory / "run",
            "daemon_directory": programs.daemons,
            "command_directory": programs.commands,
            "maillog_file": self.log_file,
            "maillog_file_prefixes": self.log_file.parent,
            "myhostname": f"mx.{self.domain}",
            "mydestination": "",
            "alias_maps": "",
            "mynetworks": "127.0.0.0/8",
            "inet_protocols": "ipv4",
            "smtpd_peername_lookup": "no",
            "virtual_mailbox_domains": self.domain,
            "virtual_mailbox_maps": f"texthash:{self.etc}/users",
            "virtual_mailbox_base": self.mail,
            "virtual_uid_maps": f"static:{owner}",
            "virtual_gid_maps": f"static:{owner}",
        }
        if os.geteuid() == 0 and run_as is None:
            self.settings["daemon_uid_base"] = uid_base or 58000
        self.settings.update(settings or {})
        self.services = MASTER_CF.format(address=address, port=self.port,
                                         smtpd_processes=smtpd_processes) + services
        self.set_users(users or [f"you@{self.domain}"])
        self.write_configuration()

    # ---- configuration

    def write_configuration(self):
        lines = [f"{name} = {value}".rstrip() for name, value in self.settings.items()
                 if value is not None]
        (self.etc / "main.cf").write_text("\n".join(lines) + "\n")
        (self.etc / "master.cf").write_text(self.services)
        self._hand_over()

    def set_users(self, users):
        (self.etc / "users").write_text("".join(
            f"{user} {user.split('@')[1]}/{user.split('@')[0]}/\n" for user in users))
        for user in users:
            (self.mail / user.split("@")[1]).mkdir(exist_ok=True)
        self._hand_over()

    def set(self, **settings):
        """Change main.cf; None removes a line. Takes effect at the next start or reload."""
        self.settings.update(settings)
        self.write_configuration()

    def _hand_over(self):
        if os.geteuid() != 0:
            return
        places = [self.mail] if self.run_as is None else [self.directory]
        for place in places:
            for path in [place, *place.rglob("*")]:
                os.chown(path, self.owner, self.owner, follow_symlinks=False)

    # ---- commands

    def argv(self, name, *arguments, config=True):
        argv = [self.programs.command(name)] + (["-c", str(self.etc)] if config else []) + \
            [str(argument) for argument in arguments]
        if self.run_as is not None and os.geteuid() == 0:
            user = str(self.run_as)
            argv = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *argv]
        return argv

    def run(self, name, *arguments, check=False, config=True, stdin=None, timeout_s=60):
        done = subprocess.run(self.argv(name, *arguments, config=config), input=stdin, text=True,
                              capture_output=True, timeout=timeout_s, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f"{name} {' '.join(map(str, arguments))}: status {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}\n{self.log()[-4000:]}")
        return done

    def start(self):
        self.run("posthouse", "start", check=True)
        return self.wait_until_listening()

    def wait_until_listening(self):
        wait_until(lambda: is_listening(self.address, self.port), f"{self.name} listens")
        self._let_users_drop()
        return self

    def _let_users_drop(self):
        """What an installation does once: postdrop gets the group of the maildrop directory."""
        if os.geteuid() != 0 or self.run_as is not None:
            return
        group = (self.queue_directory / "maildrop").stat().st_gid
        for command in map(self.programs.command, ("postdrop", "postqueue")):
            if os.stat(command).st_gid != group or not os.stat(command).st_mode & 0o2000:
                os.chown(command, 0, group)
                os.chmod(command, 0o2755)

    def stop(self):
        return self.run("posthouse", "stop", check=True)

    def reload(self):
        return self.run("posthouse", "reload", check=True)

    def is_running(self):
        return self.run("posthouse", "status").returncode == 0

    def sendmail(self, *arguments, content="Subject: hello\n\nOne line.\n", user=None, env=None,
                 check=True, name="sendmail", timeout_s=60):
        """As a local program calls it; user: a uid and gid to be instead of root."""
        argv = [self.programs.command(name), *map(str, arguments)]
        if user is not None:
            argv = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", *argv]
        elif self.run_as is not None and os.geteuid() == 0:
            argv = ["setpriv", f"--reuid={self.run_as}", f"--regid={self.run_as}", "--clear-groups",
                    *argv]
        content = content.encode() if isinstance(content, str) else content
        done = subprocess.run(argv, input=content, capture_output=True, timeout=timeout_s, check=False,
                              env={"PATH": os.environ["PATH"], "MAIL_CONFIG": str(self.etc),
                                   **(env or {})})
        if check and done.returncode != 0:
            raise AssertionError(f"{name} {arguments}: status {done.returncode}\n{done.stdout}"
                                 f"{done.stderr}\n{self.log()[-4000:]}")
        return done

    def flush(self):
        return self.run("postqueue", "-f", check=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        if self.is_running():
            self.stop()

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    # ---- mail

    def client(self, timeout_s=DEADLINE_S, helo="client.example"):
        return smtplib.SMTP(self.address, self.port, helo, timeout_s)

    def send(self, recipients, content=None, sender="sender@client.example", options=()):
        """Returns the queue id. content: bytes with CRLF lines, or None for a small message."""
        if isinstance(recipients, str):
            recipients = [recipients]
        if content is None:
            content = small_message(sender, recipients)
        with self.client() as client:
            client.ehlo()
            code, text = client.mail(sender, options)
            assert code == 250, (code, text)
            for recipient in recipients:
                code, text = client.rcpt(recipient)
                assert code == 250, (recipient, code, text)
            code, text = client.data(content)
            assert code == 250, (code, text)
        return queue_id_of(text)

    def maildir(self, user):
        local_part, domain = user.split("@")
        return self.mail / domain / local_part

    def messages(self, user):
        """The files in new/ and cur/ of a user's Maildir, oldest first."""
        files = [path for part in ("new", "cur") if (self.maildir(user) / part).is_dir()
                 for path in (self.maildir(user) / part).iterdir()]
        return sorted(files, key=lambda path: path.stat().st_mtime_ns)

    def wait_for_mail(self, user, count=1, deadline_s=DEADLINE_S):
        try:
            wait_until(lambda: len(self.messages(user)) >= count,
                       f"{count} messages for {user}", deadline_s)
        except AssertionError as error:
            raise AssertionError(f"{error}; there are {len(self.messages(user))}\n"
                                 f"{self.log()[-4000:]}") from None
        return [email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
                for path in self.messages(user)]

    # ---- queue and log

    def queue(self):
        """What postqueue -p shows: {queue id: entry text}; {} when the queue is empty."""
        output = self.run("postqueue", "-p", check=True).stdout
        if output.strip() == "Mail queue is empty":
            return {}
        entries = {}
        for block in re.split(r"\n\n+", output.split("\n", 1)[1]):
            match = re.match(r"([0-9A-Za-z]+)[*!]?#?\s", block)
            if match:
                entries[match.group(1)] = block
        return entries

    def wait_for_empty_queue(self, deadline_s=DEADLINE_S):
        """Twice in a row: what becomes of a message that a listing has just passed is in the next one, and
        lines of log are on their way for a moment."""
        empty = [False]

        def is_empty():
            was_empty, empty[0] = empty[0], not self.queue()
            return was_empty and empty[0]
        try:
            wait_until(is_empty, f"the queue of {self.name} is empty", deadline_s, 0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.run('postqueue', '-p').stdout}\n"
                                 f"{self.log()[-4000:]}") from None

    def log(self):
        try:
            return self.log_file.read_text(errors="replace")
        except FileNotFoundError:
            return ""

    def wait_for_log(self, pattern, deadline_s=DEADLINE_S):
        """The match of a regular expression somewhere in the log, waited for."""
        try:
            return wait_until(lambda: re.search(pattern, self.log(), re.MULTILINE),
                              f"log line {pattern!r}", deadline_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()[-4000:]}") from None

    def tolerate(self, pattern):
        """Say that this complaint in the log is what the test is about."""
        self.tolerated_log_lines.append(re.compile(pattern))

    def complaints(self):
        """Log lines that no healthy instance writes; what a command refuses is for its caller to judge."""
        return [line for line in self.log().splitlines()
                if re.search(r": (fatal|panic|error): |sandbox\.|sandbox refused|assert|Sanitizer", line)
                and not re.search(r"/(sendmail|postdrop|postqueue|postsuper)\[\d+\]: fatal: ", line)
                and not any(pattern.search(line) for pattern in self.tolerated_log_lines)]


def small_message(sender="sender@client.example", recipients=("you@here.test",), subject="a letter",
                  body="One line.\r\n", message_id=None):
    message_id = message_id or f"{time.time_ns()}.{os.getpid()}@client.example"
    return (f"From: <{sender}>\r\nTo: {', '.join(recipients)}\r\nSubject: {subject}\r\n"
            f"Date: Sun, 22 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{message_id}>\r\n\r\n{body}").encode()


def queue_id_of(reply):
    """The id in "2.0.0 Ok: queued as ID"."""
    text = reply.decode() if isinstance(reply, bytes) else reply
    match = re.search(r"queued as ([0-9A-Za-z]+)", text)
    assert match, f"no queue id in {text!r}"
    return match.group(1)
