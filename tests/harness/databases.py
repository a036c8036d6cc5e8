"""tests/harness/databases - servers of accounts, unpacked and never installed (tests/system/peers.sh), with the
same people in each: ann and o'neill, whose password is secret.

Callers: tests/system."""

import os
import pathlib
import shutil
import signal
import subprocess

from harness.instance import free_port, is_listening, wait_until

PEERS = pathlib.Path(os.environ.get("POSTHOUSE_PEERS", "/nonexistent"))
USER = 65534        # nobody: whom servers run as that refuse to be root, or somebody without a name
PEOPLE = {"ann": "{PLAIN}secret", "o'neill": "{PLAIN}secret"}
TABLE = ("CREATE TABLE people (name VARCHAR(64), password VARCHAR(255));\n" + "".join(
    f"INSERT INTO people VALUES ('{name.replace(chr(39), chr(39) * 2)}', '{stored}');\n"
    for name, stored in PEOPLE.items()))


def have(name):
    return (PEERS / name / ".complete").exists()


class Server:
    name = ""
    programs = "usr/sbin"
    stop_signal = signal.SIGTERM

    def __init__(self, directory):
        self.root = PEERS / self.name
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.data = self.directory / "data"
        self.data.mkdir()
        self.port = free_port()
        self.process = None
        if os.geteuid() == 0:
            for path in (self.directory, self.data):
                os.chown(path, USER, USER)

    def argv(self, program, *arguments):
        becoming = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"] if os.geteuid() == 0 else []
        return [*becoming, str(self.program(program)), *map(str, arguments)]

    def program(self, name):
        # A place that everybody may enter, unlike root's cache.
        copy = self.directory / "root"
        if not copy.exists():
            shutil.copytree(self.root, copy, symlinks=True)
        return copy / self.programs / name

    def environment(self):
        libraries = [str(path) for path in (self.directory / "root").glob("**/*-linux-gnu") if path.is_dir()]
        return {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries), "HOME": str(self.directory)}

    def run(self, program, *arguments, stdin=""):
        argv = self.argv(program, *arguments)
        done = subprocess.run(argv, env=self.environment(), input=stdin, text=True, capture_output=True, check=False,
                              cwd=self.directory, timeout=60)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"

    def spawn(self, program, *arguments):
        argv = self.argv(program, *arguments)
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen(argv, env=self.environment(), stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd=self.directory)
        wait_until(lambda: self.process.poll() is not None or is_listening("127.0.0.1", self.port), self.name)
        assert self.process.poll() is None, (self.directory / "log").read_text()

    def stop(self):
        if self.process:
            self.process.send_signal(self.stop_signal)
            self.process.wait(30)
            self.process = None

    def __enter__(self):
        self.prepare()
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()


class Postgres(Server):
    name = "postgresql"
    programs = "usr/lib/postgresql/15/bin"
    stop_signal = signal.SIGINT     # whoever is connected or not

    def prepare(self):
        (self.directory / "password").write_text("letmein\n")
        (self.directory / "password").chmod(0o644)
        self.run("initdb", "-D", self.data, "-U", "mail", "-A", "scram-sha-256", "--no-locale", "-E", "UTF8",
                 "--no-sync", f"--pwfile={self.directory}/password")
        self.run("postgres", "--single", "-D", self.data, "postgres",
                 stdin="".join(line + "\n" for line in TABLE.splitlines()))

    def start(self):
        self.spawn("postgres", "-D", self.data, "-h", "127.0.0.1", "-p", self.port, "-k", self.directory, "-F")

    def configuration(self):
        return (f"hosts = 127.0.0.1\nport = {self.port}\nuser = mail\npassword = letmein\ndbname = postgres\n"
                "query = SELECT password FROM people WHERE name = '%u'\n"
                "update_query = UPDATE people SET password = '%w' WHERE name = '%u' AND password = '%o'\n")


class MariaDb(Server):
    """certificate: a file with that and its key; without it there is no TLS."""
    name = "mariadb"

    def __init__(self, directory, certificate=None):
        self.certificate = certificate
        super().__init__(directory)

    def prepare(self):
        (self.directory / "init.sql").write_text("CREATE DATABASE IF NOT EXISTS mail;\nUSE mail;\n"
                                                 "DROP TABLE IF EXISTS people;\n" + TABLE)

    def start(self):
        messages = self.root / "usr/share/mysql"
        tls = [f"--ssl-cert={self.certificate}", f"--ssl-key={self.certificate}"] if self.certificate else []
        self.spawn("mariadbd", "--no-defaults", f"--datadir={self.data}", f"--port={self.port}",
                   "--bind-address=127.0.0.1", f"--socket={self.directory}/sock", "--skip-grant-tables",
                   f"--lc-messages-dir={self.directory}/root/usr/share/mysql" if messages.exists() else "--general-log=0",
                   f"--init-file={self.directory}/init.sql", "--innodb-use-native-aio=0", f"--pid-file={self.directory}/pid",
                   *tls)

    def configuration(self):
        return (f"hosts = 127.0.0.1\nport = {self.port}\nuser = mail\npassword = letmein\ndbname = mail\n"
                "query = SELECT password FROM people WHERE name = '%u'\n"
                "update_query = UPDATE people SET password = '%w' WHERE name = '%u' AND password = '%o'\n")


class Slapd(Server):
    """certificate: a file with that and its key, with which it begins TLS."""
    name = "slapd"

    def __init__(self, directory, certificate=None):
        self.certificate = certificate
        super().__init__(directory)

    def prepare(self):
        self.program("slapd")
        modules = self.directory / "root/usr/lib/ldap"
        schema = self.directory / "root/etc/ldap/schema"
        tls = "" if not self.certificate else (
            f"TLSCertificateFile {self.certificate}\nTLSCertificateKeyFile {self.certificate}\n")
        (self.directory / "slapd.conf").write_text(f"""\
include {schema}/core.schema
include {schema}/cosine.schema
include {schema}/inetorgperson.schema
modulepath {modules}
moduleload back_mdb.la
pidfile {self.directory}/pid
{tls}database mdb
suffix "dc=test"
rootdn "cn=admin,dc=test"
rootpw letmein
directory {self.data}
""")
        entries = "dn: dc=test\nobjectClass: dcObject\nobjectClass: organization\ndc: test\no: test\n\n" + "".join(
            f"dn: uid={name},dc=test\nobjectClass: inetOrgPerson\nuid: {name}\ncn: {name}\nsn: {name}\n"
            f"userPassword: secret\n\n" for name in PEOPLE)
        (self.directory / "people.ldif").write_text(entries)
        self.run("slapadd", "-f", self.directory / "slapd.conf", "-l", self.directory / "people.ldif")

    def start(self):
        self.spawn("slapd", "-f", self.directory / "slapd.conf", "-h", f"ldap://127.0.0.1:{self.port}/", "-d", "0")

    def configuration(self, bind=False):
        return (f"uri = ldap://127.0.0.1:{self.port}\nbase = dc=test\nbind_dn = cn=admin,dc=test\n"
                f"bind_password = letmein\nfilter = (uid=%u)\nauth_bind = {'yes' if bind else 'no'}\n")
