"""tests/harness/peers - other people's servers, unpacked and never installed, run from a directory.

Postfix wants users of its own and Unbound wants port 53; both get that in the private mount and
network namespaces that tests/system/run or bench/run made (see own_machine()).

Callers: tests/system, bench/run."""

import os
import pathlib
import pwd
import subprocess
import time

from . import instance

PEERS = pathlib.Path(os.environ.get("POSTHOUSE_PEERS") or
                     pathlib.Path.home() / ".cache/posthouse-peers")


def own_machine():
    """Whether /etc and the ports below 1024 are ours alone."""
    return os.environ.get("POSTHOUSE_TESTS_OWN_MACHINE") == "yes"


def replace_file(path, text, workspace):
    """Put a text in place of a file of /etc, in our mount namespace only."""
    assert own_machine()
    copy = pathlib.Path(workspace) / ("etc-" + pathlib.Path(path).name)
    copy.write_text(text)
    copy.chmod(0o644)
    subprocess.run(["mount", "--bind", str(copy), os.path.realpath(path)], check=True)


def add_postfix_users(workspace):
    try:
        pwd.getpwnam("postfix")
        return
    except KeyError:
        pass
    replace_file("/etc/passwd", pathlib.Path("/etc/passwd").read_text() +
                 "postfix:x:57000:57000::/var/spool/postfix:/usr/sbin/nologin\n", workspace)
    replace_file("/etc/group", pathlib.Path("/etc/group").read_text() +
                 "postfix:x:57000:\npostdrop:x:57001:\n", workspace)


def library_path(root):
    return ":".join(str(path) for path in [root / "usr/lib/postfix",
                                           *root.glob("usr/lib/*-linux-gnu"),
                                           *root.glob("lib/*-linux-gnu")] if path.is_dir())


def environment(peer):
    return {**os.environ, "LD_LIBRARY_PATH": library_path(PEERS / peer)}


def postfix_command(name):
    return str(PEERS / "postfix/usr/sbin" / name)


class Postfix:
    """A real Postfix with a private configuration; settings are lines of main.cf."""

    def __init__(self, directory, address="127.0.0.1", port=25, settings=None, users=(), owner=57050,
                 into_group=()):
        root = PEERS / "postfix"
        self.directory = pathlib.Path(directory)
        self.address, self.port, self.owner = address, port, owner
        self.etc, self.mail = self.directory / "etc", self.directory / "mail"
        self.log_file = self.directory / "log/mail.log"
        self.into_group = list(into_group)
        add_postfix_users(self.directory.parent)
        for path in (self.etc, self.mail, self.log_file.parent, self.directory / "spool",
                     self.directory / "data"):
            path.mkdir(parents=True, exist_ok=True)
        os.chown(self.directory / "data", 57000, 57000)
        os.chown(self.mail, owner, owner)
        self.settings = {
            "compatibility_level": "3.6",
            "queue_directory": self.directory / "spool",
            "data_directory": self.directory / "data",
            "command_directory": root / "usr/sbin",
            "daemon_directory": root / "usr/lib/postfix/sbin",
            "shlib_directory": root / "usr/lib/postfix",
            "meta_directory": root / "etc/postfix",
            "sendmail_path": root / "usr/sbin/sendmail",
            "mailq_path": root / "usr/bin/mailq",
            "newaliases_path": root / "usr/bin/newaliases",
            "import_environment": f"MAIL_CONFIG LANG=C LD_LIBRARY_PATH={library_path(root)}",
            "export_environment": f"LANG=C LD_LIBRARY_PATH={library_path(root)}",
            "mail_owner": "postfix",
            "setgid_group": "postdrop",
            "myhostname": "mx.postfix.test",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "inet_protocols": "ipv4",
            "inet_interfaces": "127.0.0.1",
            "maillog_file": self.log_file,
            "maillog_file_prefixes": self.directory,
            "smtpd_recipient_restrictions": "permit_mynetworks, reject",
            "smtp_host_lookup": "native",
            "smtp_dns_support_level": "disabled",
            "smtputf8_enable": "yes",
            "alias_maps": "",
            "alias_database": "",
            "virtual_mailbox_maps": f"texthash:{self.etc}/users",
            "virtual_mailbox_base": self.mail,
            "virtual_uid_maps": f"static:{owner}",
            "virtual_gid_maps": f"static:{owner}",
        }
        domains = sorted({user.split("@")[1] for user in users})
        self.settings["virtual_mailbox_domains"] = " ".join(domains)
        self.settings.update(settings or {})
        (self.etc / "users").write_text("".join(
            f"{user} {user.split('@')[1]}/{user.split('@')[0]}/\n" for user in users))
        for domain in domains:
            (self.mail / domain).mkdir(exist_ok=True)
            os.chown(self.mail / domain, owner, owner)
        (self.etc / "main.cf").write_text("".join(
            f"{name} = {value}\n" for name, value in self.settings.items() if value is not None))
        (self.etc / "master.cf").write_text(f"""\
{address}:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
tlsmgr unix - - n 1000? 1 tlsmgr
""")

    def postfix(self, verb):
        done = subprocess.run([*self.into_group, postfix_command("postfix"), "-c", str(self.etc), verb],
                              env=environment("postfix"), capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL)
        if done.returncode != 0 and verb in ("start", "stop"):
            raise AssertionError(f"postfix {verb}: {done.stdout}{done.stderr}{self.log()[-3000:]}")
        return done

    def start(self):
        self.postfix("check")
        self.postfix("start")
        instance.wait_until(lambda: instance.is_listening(self.address, self.port), "Postfix listens")
        return self

    def stop(self):
        self.postfix("stop")

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    def log(self):
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def maildir(self, user):
        return self.mail / user.split("@")[1] / user.split("@")[0]

    def messages(self, user):
        new = self.maildir(user) / "new"
        return list(new.iterdir()) if new.is_dir() else []

    def queue_is_empty(self):
        return not any(path.is_file() for part in ("incoming", "active", "deferred", "maildrop")
                       for path in (self.directory / "spool" / part).rglob("*"))


class Unbound:
    """A name server that knows the records given (zone file lines), and nothing else."""

    def __init__(self, directory, records, address="127.0.0.1", port=53, zones=("test.",),
                 modules="iterator", further=""):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.address, self.port = address, port
        self.process = None
        zone_lines = "".join(f'    local-zone: "{zone}" static\n'
                             f'    local-data: "{zone} 60 IN SOA ns.test. root.test. 1 60 60 60 60"\n'
                             for zone in zones)
        data_lines = "".join(f"    local-data: '{record}'\n" for record in records)
        (self.directory / "unbound.conf").write_text(f"""\
server:
    interface: {address}@{port}
    access-control: 127.0.0.0/8 allow
    chroot: ""
    username: ""
    directory: "{self.directory}"
    pidfile: ""
    use-syslog: no
    logfile: "{self.directory}/unbound.log"
    do-daemonize: no
    module-config: "{modules}"
    local-zone: "in-addr.arpa." static
    local-zone: "127.in-addr.arpa." static
{zone_lines}{data_lines}{further}remote-control:
    control-enable: no
""")

    def __enter__(self):
        self.process = subprocess.Popen(
            [str(PEERS / "unbound/usr/sbin/unbound"), "-d", "-c", str(self.directory / "unbound.conf")],
            env=environment("unbound"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=(self.directory / "unbound.err").open("w"))

        def is_up():
            if self.process.poll() is not None:
                raise AssertionError("unbound ended: " + (self.directory / "unbound.err").read_text())
            return instance.is_listening(self.address, self.port)

        instance.wait_until(is_up, "Unbound listens")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class SmtpSource:
    """Postfix's smtp-source, a client that other people wrote."""

    @staticmethod
    def run(address, port, count, sessions, recipient, size=1024, sender="sender@client.example",
            keep=True, timeout_s=120):
        started = time.monotonic()
        done = subprocess.run(
            [postfix_command("smtp-source"), "-s", str(sessions), "-m", str(count), "-l", str(size),
             "-f", sender, "-t", recipient, *(["-d"] if keep else []), f"{address}:{port}"],
            env=environment("postfix"), capture_output=True, text=True, timeout=timeout_s, check=False)
        return done, time.monotonic() - started
