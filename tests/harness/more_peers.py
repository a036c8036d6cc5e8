"""tests/harness/more_peers - Exim, OpenSMTPD and Dovecot, run from a directory (see peers).

They have users and paths compiled in; the private mount namespace of tests/system/run gives them
these. Each has address and port, messages(user) and relays through relay_port when it is given.

Callers: tests/system."""

import base64
import contextlib
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys

from . import instance, peers

OWNER = 57060   # of mailboxes
ACCOUNTS = {"Debian-exim": 57070, "opensmtpd": 57071, "opensmtpq": 57072, "dovecot": 57073,
            "dovenull": 57074, "mailbox": OWNER}


def have(name):
    return (peers.PEERS / name / ".complete").exists()


def fail2ban(log_file, mode):
    """The addresses that its filter finds in a log, one for each line that it matches."""
    root = peers.PEERS / "fail2ban"
    done = subprocess.run(
        [sys.executable, root / "usr/bin/fail2ban-regex", "-c", root / "etc/fail2ban", "-o", "ip",
         log_file, f"postfix[mode={mode}]"], capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(root / "usr/lib/python3/dist-packages")})
    assert done.returncode == 0, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if re.fullmatch(r"[0-9.]+", line)]


def add_accounts(workspace):
    """All at once: /etc/passwd can be replaced, but its replacement not changed, by two peers."""
    text = pathlib.Path("/etc/passwd").read_text()
    if "dovenull:" in text:
        return
    peers.replace_file("/etc/passwd", text + "".join(
        f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n"
        for name, number in ACCOUNTS.items()), workspace)
    peers.replace_file("/etc/group", pathlib.Path("/etc/group").read_text() + "".join(
        f"{name}:x:{number}:\n" for name, number in ACCOUNTS.items()), workspace)


class Peer:
    program = None
    unpacked = None     # as peers.sh calls it

    def __init__(self, directory, address, port=25, users=(), relay_port=None):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        # The cache may lie where their users cannot reach it; a copy has no bits that change users.
        self.root = self.directory / "root"
        shutil.copytree(peers.PEERS / (self.unpacked or self.program), self.root, symlinks=True, copy_function=shutil.copyfile)
        for path in self.root.rglob("*"):
            if not path.is_symlink():
                path.chmod(0o755)
        self.root.chmod(0o755)
        self.address, self.port, self.relay_port = address, port, relay_port
        self.users = list(users)
        self.mail = self.directory / "mail"
        self.process = None
        self.mail.mkdir(parents=True, exist_ok=True)
        self.mail.chmod(0o755)
        os.chown(self.mail, OWNER, OWNER)
        add_accounts(self.directory.parent)

    def domains(self):
        return sorted({user.split("@")[1] for user in self.users})

    def environment(self):
        libraries = [pathlib.Path("/usr/lib/dovecot"), self.root / "usr/lib", *self.root.glob("usr/lib/*-linux-gnu"),
                     *self.root.glob("lib/*-linux-gnu")]
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(str(path) for path in libraries if path.is_dir())}

    def spawn(self, *argv):
        self.output = (self.directory / "output").open("w")
        self.process = subprocess.Popen([str(word) for word in argv], env=self.environment(),
                                        stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=subprocess.STDOUT)

    def log(self):
        return "".join(path.read_text(errors="replace") for path in
                       [self.directory / "output", *self.directory.glob("log/*")] if path.exists())

    def is_up(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.program} ended:\n{self.log()[-3000:]}")
        return instance.is_listening(self.address, self.port)

    def __enter__(self):
        self.start()
        instance.wait_until(self.is_up, f"{self.program} listens")
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def messages(self, user):
        local_part, domain = user.split("@")
        new = self.mail / domain / local_part / "new"
        return list(new.iterdir()) if new.is_dir() else []


class Exim(Peer):
    """auth_socket: of a server that speaks Dovecot's protocol and knows Exim's users; only they may relay then."""
    program = "exim"
    unpacked = "exim-heavy"     # of Debian's two the one that knows Dovecot's protocol
    mechanisms = ["PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "XOAUTH2", "OAUTHBEARER"]

    def __init__(self, *arguments, auth_socket=None, **settings):
        super().__init__(*arguments, **settings)
        self.auth_socket = auth_socket

    def authenticators(self):
        return "" if not self.auth_socket else "begin authenticators\n" + "".join(f"""\
{name.replace("-", "_").lower()}:
  driver = dovecot
  public_name = {name}
  server_socket = {self.auth_socket}
  server_set_id = $auth1
""" for name in self.mechanisms)

    def start(self):
        spool = self.directory / "spool"
        log = self.directory / "log"
        program = self.root / "usr/sbin/exim4"
        for path in (spool, log, self.mail):
            path.mkdir(exist_ok=True)
            os.chown(path, ACCOUNTS["Debian-exim"], ACCOUNTS["Debian-exim"])
        relay = f"""\
out:
  driver = manualroute
  route_list = * 127.0.0.1::{self.relay_port}
  transport = out
  self = send
""" if self.relay_port else ""
        (self.directory / "exim.conf").write_text(f"""\
exim_user = Debian-exim
exim_group = Debian-exim
exim_path = {program}
deliver_drop_privilege = true
primary_hostname = mx.exim.test
spool_directory = {spool}
log_file_path = {log}/%slog
domainlist ours = {" : ".join(self.domains())}
acl_smtp_rcpt = check
acl_smtp_data = accept
host_lookup =
never_users =
keep_environment = LD_LIBRARY_PATH
rfc1413_query_timeout = 0s
chunking_advertise_hosts = *
tls_advertise_hosts =
smtputf8_advertise_hosts = *
local_interfaces = {self.address}
daemon_smtp_ports = {self.port}
begin acl
check:
  {"accept authenticated = *" if self.auth_socket else "accept domains = +ours"}
  {"" if self.auth_socket else "accept hosts = 127.0.0.0/8"}
  deny
begin routers
in:
  driver = accept
  domains = +ours
  local_parts = {" : ".join(sorted({user.split("@")[0] for user in self.users}))}
  transport = in
refuse:
  driver = redirect
  domains = +ours
  allow_fail
  data = :fail: no such user
{relay}begin transports
in:
  driver = appendfile
  maildir_format
  directory = {self.mail}/${{domain_data}}/${{local_part_data}}
  user = Debian-exim
  group = Debian-exim
out:
  driver = smtp
  allow_localhost
  hosts_try_chunking = *
begin retry
* * F,1h,2s
{self.authenticators()}""")
        (self.directory / "exim.conf").chmod(0o644)
        self.spawn(program, "-C", self.directory / "exim.conf", "-bdf", "-q2s")


class OpenSmtpd(Peer):
    program = "opensmtpd"

    def start(self):
        libexec = pathlib.Path("/usr/libexec")
        libexec.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "none", libexec], check=True)
        shutil.copytree(self.root / "usr/libexec/opensmtpd", libexec / "opensmtpd")
        for place in ("/var/spool", "/var/lib"):
            subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
        for path in ("/var/lib/opensmtpd/empty", "/var/spool/smtpd"):
            pathlib.Path(path).mkdir(parents=True)
        pathlib.Path("/var/spool/smtpd").chmod(0o711)
        (self.directory / "users").write_text("".join(f"{user} mailbox\n" for user in self.users))
        relay = f"""\
action "out" relay host "smtp://127.0.0.1:{self.relay_port}"
match from any for any action "out"
""" if self.relay_port else ""
        (self.directory / "smtpd.conf").write_text(f"""\
table users file:{self.directory}/users
listen on {self.address} port {self.port} hostname mx.opensmtpd.test
action "in" maildir "{self.mail}/%{{rcpt.domain}}/%{{rcpt.user}}" virtual <users>
match from any for domain {{ {", ".join(f'"{name}"' for name in self.domains()) or '"none.invalid"'} }} action "in"
{relay}""")
        (self.directory / "smtpd.conf").chmod(0o600)
        self.spawn(self.root / "usr/sbin/smtpd", "-d", "-f", self.directory / "smtpd.conf")


class Dovecot(Peer):
    """Its LMTP server, on a Unix socket and on a port; its authentication on a Unix socket, where the
    password of everybody is x; TOKEN_KEY is what tokens (HS256) are to be signed with, and their "email" says
    whose they are."""
    program = "dovecot"
    TOKEN_KEY = bytes(range(40))
    mechanisms = ["PLAIN", "LOGIN", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "DIGEST-MD5", "XOAUTH2",
                  "OAUTHBEARER", "EXTERNAL"]

    def start(self):
        self.socket = self.directory / "run/lmtp"
        self.auth_socket = self.directory / "run/auth-client"
        # It looks for some of its parts in these places and no other.
        (self.directory / "lib").mkdir()
        (self.root / "usr/lib/dovecot").rename(self.directory / "lib/dovecot")
        for below, place in ((self.root / "usr/bin", "/usr/bin"), (self.directory / "lib", "/usr/lib")):
            # Of overlays on overlays the kernel takes few: another Dovecot's is in the way.
            subprocess.run(["umount", "-l", "-t", "overlay", place], check=False, capture_output=True)
            subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={below}:{place}", place],
                           check=True)
        (self.directory / "log").mkdir(exist_ok=True)
        (self.directory / "dovecot.conf").write_text(f"""\
base_dir = {self.directory}/run
state_dir = {self.directory}/state
libexec_dir = /usr/lib/dovecot
log_path = {self.directory}/log/dovecot
import_environment = LD_LIBRARY_PATH
protocols = lmtp
ssl = no
mail_location = maildir:{self.mail}/%d/%n
mail_uid = mailbox
mail_gid = mailbox
first_valid_uid = 500
auth_mechanisms = {" ".join(self.mechanisms).lower()}
auth_ssl_username_from_cert = yes
auth_failure_delay = 0
service auth {{
  unix_listener auth-client {{
    mode = 0666
  }}
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {self.directory}/oauth2.conf
}}
passdb {{
  driver = static
  mechanisms = external
  args = nopassword=y
}}
passdb {{
  driver = passwd-file
  mechanisms = plain login scram-sha-256 scram-sha-1 cram-md5 digest-md5
  args = {self.directory}/users
}}
userdb {{
  driver = passwd-file
  args = {self.directory}/users
}}
service lmtp {{
  unix_listener lmtp {{
    mode = 0666
  }}
  inet_listener lmtp {{
    address = {self.address}
    port = {self.port}
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
""")
        (self.directory / "oauth2.conf").write_text(f"""\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={self.directory}/keys/
username_attribute = email
""")
        (self.directory / "keys/default/HS256").mkdir(parents=True)
        (self.directory / "keys/default/HS256/default").write_text(base64.b64encode(self.TOKEN_KEY).decode())
        (self.directory / "users").write_text("".join(
            f"{user}:{{PLAIN}}x:{OWNER}:{OWNER}::{self.mail}/home::\n" for user in self.users))
        self.restart()

    def __exit__(self, *_):
        """Its processes leave when their clients do, which may be never."""
        children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.process.pid)], capture_output=True, text=True,
                                  check=False).stdout.split()
        self.process.kill()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        self.process.wait()

    def restart(self):
        (self.directory / "run/master.pid").unlink(missing_ok=True)
        self.spawn(self.root / "usr/sbin/dovecot", "-F", "-c", self.directory / "dovecot.conf")
