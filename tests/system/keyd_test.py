"""Private keys are in keyd and nowhere else: handshakes of all kinds of keys, names, several keyds,
keyds that die, keys that cannot be used, and the memory of every other daemon."""

import os
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import threading
import time

import pytest

from harness.instance import free_port, wait_until
from harness.processes import memory_of, processes_of


def openssl(*arguments, stdin="", check=True):
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True,
                          text=True, timeout=60, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done.stdout


KINDS = {"rsa": ("RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
         "ec": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
         "ed": ("ED25519",)}


def make_key(path, kind):
    algorithm, *options = KINDS[kind]
    openssl("genpkey", "-algorithm", algorithm, *options, "-out", path)
    path.chmod(0o600)


def make_chain(directory, name, kind="ec", subject="mx.here.test", days="30", password=None):
    """A file with a key and its certificate; NAME.key and NAME.crt are there, too."""
    key, certificate, chain = (directory / f"{name}.{end}" for end in ("key", "crt", "pem"))
    make_key(key, kind)
    openssl("req", "-x509", "-new", "-key", key, "-subj", f"/CN={subject}", "-days", days,
            "-addext", f"subjectAltName=DNS:{subject}", "-out", certificate)
    if password:
        key.write_text(openssl("pkey", "-in", key, "-aes128", "-passout", f"pass:{password}"))
    chain.write_text(key.read_text() + certificate.read_text())
    chain.chmod(0o600)
    return chain


def expire(directory, name):
    """Its certificate becomes one that is over."""
    subprocess.run(["openssl", "x509", "-in", directory / f"{name}.crt", "-signkey",
                    directory / f"{name}.key", "-days", "0", "-out", directory / f"{name}.new"],
                   capture_output=True, check=True, timeout=60)
    chain = directory / f"{name}.pem"
    chain.write_text((directory / f"{name}.key").read_text() + (directory / f"{name}.new").read_text())


def s_client(one, *arguments):
    """What a handshake after STARTTLS shows."""
    done = subprocess.run(["openssl", "s_client", "-connect", f"{one.address}:{one.port}", "-starttls",
                           "smtp", *arguments], input="QUIT\r\n", capture_output=True, text=True,
                          timeout=60, check=False)
    return done.stdout + done.stderr


def subject_of(output):
    match = re.search(r"^subject=CN ?= ?(\S+)", output, re.MULTILINE)
    return match.group(1) if match else output


@pytest.fixture
def keys(make_instance):
    """keys(setting=value ...): an instance that is not started; chains go to its keys/."""
    def make(services="", **settings):
        settings.setdefault("smtpd_tls_security_level", "may")
        one = make_instance("here", settings=settings, services=services)
        one.keys = one.directory / "keys"
        one.keys.mkdir(mode=0o755, exist_ok=True)
        return one
    return make




def start(one, **settings):
    one.set(**settings)
    if one.run_as is not None:
        for path in one.keys.iterdir():
            os.chown(path, one.run_as, one.run_as)
    return one.start()


def pids(one, program):
    """Of this instance: others may be running."""
    found = []
    for pid in processes_of(one.programs)[program]:
        try:
            with open(f"/proc/{pid}/status", encoding="ascii") as status:
                parent = re.search(r"^PPid:\t(\d+)", status.read(), re.MULTILINE).group(1)
            with open(f"/proc/{parent}/cmdline", "rb") as command:
                if str(one.etc).encode() in command.read():
                    found.append(pid)
        except OSError:
            continue
    return found


# ---- what is served

def test_every_kind_of_key(keys):
    one = keys()
    chains = [make_chain(one.keys, kind, kind) for kind in ("rsa", "ec")]
    start(one, smtpd_tls_chain_files=" ".join(map(str, chains)), smtpd_tls_loglevel="1")
    for version in ("-tls1_3", "-tls1_2"):
        for algorithm, kind in (("ECDSA+SHA256", "ECDSA"), ("RSA-PSS+SHA256", "RSA-PSS")):
            output = s_client(one, version, "-sigalgs", algorithm)
            assert f"Peer signature type: {kind}" in output, output
    assert "Peer signature type: RSA" in s_client(one, "-tls1_2", "-sigalgs", "RSA+SHA256")
    one.wait_for_log("TLS connection established from .*TLSv1.3")


def test_ed25519_and_the_old_settings(keys):
    one = keys()
    make_chain(one.keys, "rsa", "rsa")
    make_chain(one.keys, "ed", "ed")
    start(one, smtpd_tls_cert_file=one.keys / "rsa.crt", smtpd_tls_key_file=one.keys / "rsa.key",
          smtpd_tls_eccert_file=one.keys / "ed.pem")
    assert "peer signature type: ed25519" in s_client(one, "-tls1_3").lower()
    assert "Peer signature type: RSA" in s_client(one, "-tls1_3", "-sigalgs", "RSA-PSS+SHA256")


@pytest.mark.parametrize("kind", ["hash", "btree", "cdb", "lmdb"])
def test_names(keys, kind):
    one = keys()
    if kind not in one.run("postconf", "-m").stdout.split():
        pytest.skip("not built")
    own = make_chain(one.keys, "own")
    for name in ("one", "two"):
        make_chain(one.keys, name, subject=name)
    (one.etc / "names").write_text(f"two.example {one.keys}/two.pem\n.two.example {one.keys}/two.pem\n")
    one.run("postmap", "-F", f"{kind}:{one.etc}/names", check=True)
    for table in one.etc.glob("names.*"):
        table.chmod(0o600)
        if one.run_as is not None:
            os.chown(table, one.run_as, one.run_as)
    start(one, smtpd_tls_chain_files=own,
          tls_server_sni_maps=f"inline:{{one.example={one.keys}/one.pem}}, {kind}:{one.etc}/names")
    for _ in range(2):
        for asked, shown in (("one.example", "one"), ("two.example", "two"), ("a.two.example", "two"),
                             ("b.one.example", "mx.here.test"), ("other.example", "mx.here.test")):
            assert subject_of(s_client(one, "-servername", asked)) == shown, asked
    assert subject_of(s_client(one, "-noservername")) == "mx.here.test"


def test_each_service_has_its_own(keys):
    one = keys()
    make_chain(one.keys, "own")
    make_chain(one.keys, "other", subject="other")
    with socket.socket() as probe:
        probe.bind((one.address, 0))
        port = probe.getsockname()[1]
    one.services += (f"{one.address}:{port} inet n - y - 1 smtpd\n"
                     f"  -o smtpd_tls_chain_files={one.keys}/other.pem\n")
    start(one, smtpd_tls_chain_files=one.keys / "own.pem")
    assert subject_of(s_client(one)) == "mx.here.test"
    one.port = port
    assert subject_of(s_client(one)) == "other"


def test_tickets_of_all_processes(keys):
    """A session is resumed at whichever process it comes to; and a reload costs no session."""
    one = keys()
    make_chain(one.keys, "own")
    start(one, smtpd_tls_chain_files=one.keys / "own.pem")
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    session = None
    for number in range(12):
        with socket.create_connection((one.address, one.port), 30) as plain:
            plain.recv(4096)
            plain.sendall(b"EHLO x\r\n")
            plain.recv(4096)
            plain.sendall(b"STARTTLS\r\n")
            plain.recv(4096)
            with context.wrap_socket(plain, session=session) as secure:
                secure.sendall(b"QUIT\r\n")
                assert secure.recv(4096).startswith(b"221")
                assert secure.session_reused == (number > 0)
                session = secure.session


# ---- what cannot be used

def starttls(one):
    """The words of EHLO, and what STARTTLS is answered."""
    with one.client() as client:
        client.ehlo()
        offered = client.has_extn("starttls")
        return offered, client.docmd("STARTTLS")


BROKEN = {
    "missing": (lambda one: one.keys / "absent.pem", r"open \S+absent.pem: No such file or directory"),
    "mismatch": (lambda one: mismatched(one), r"does not belong to the certificate"),
    "expired": (lambda one: expired(one), r"certificate \S+ in \S+ expired on .*: renew it"),
    "encrypted": (lambda one: make_chain(one.keys, "secret", password="sesame"), r"is encrypted"),
    "empty": (lambda one: written(one, ""), r"has no PEM in it"),
    "alone": (lambda one: written(one, (make_chain(one.keys, "own"),
                                                 (one.keys / "own.key").read_text())[1]),
                       r"no certificate follows the private key"),
}


def written(one, text):
    path = one.keys / "text.pem"
    path.write_text(text)
    return path


def mismatched(one):
    make_chain(one.keys, "a")
    make_chain(one.keys, "b")
    return written(one, (one.keys / "a.key").read_text() + (one.keys / "b.crt").read_text())


def expired(one):
    make_chain(one.keys, "old")
    expire(one.keys, "old")
    return one.keys / "old.pem"


@pytest.mark.parametrize("what", BROKEN)
def test_broken(keys, what):
    """One line that says what to do, in the log and by posthouse check; 454 to clients; and mail goes
    on."""
    one = keys()
    make, line = BROKEN[what]
    start(one, smtpd_tls_chain_files=make(one))
    one.wait_for_log(r"keyd\[\d+\]: warning: smtpd_tls_chain_files: .*" + line +
                     r".*; then run posthouse reload$")
    assert len(re.findall(line, one.log())) == 1
    offered, (code, text) = starttls(one)
    assert offered and code == 454 and text.startswith(b"4.7.0"), text
    one.send("you@here.test")
    one.wait_for_mail("you@here.test")
    checked = one.run("posthouse", "check")
    assert re.search(line, checked.stdout + checked.stderr), checked.stderr
    # It is mended, and nothing needs to stop.
    make_chain(one.keys, "good")
    one.set(smtpd_tls_chain_files=one.keys / "good.pem")
    if one.run_as is not None:
        os.chown(one.keys / "good.pem", one.run_as, one.run_as)
    one.reload()
    wait_until(lambda: subject_of(s_client(one)) == "mx.here.test", "TLS is there")


class Letter:
    """A message that comes in over TLS, in two parts with a pause between them."""

    def __init__(self, one):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.client = one.client()
        self.client.starttls(context=context)
        for command in ("EHLO client.example", "MAIL FROM:<a@client.example>", "RCPT TO:<you@here.test>", "DATA"):
            assert self.client.docmd(command)[0] in (250, 354)
        self.client.send("Subject: in two parts\r\n\r\none\r\n")

    def end(self):
        self.client.send("two\r\n.\r\n")
        assert self.client.getreply()[0] == 250
        assert self.client.noop()[0] == 250
        self.client.quit()


@pytest.mark.parametrize("what", ["new", *BROKEN])
def test_certificates_change_under_sessions(keys, what):
    """By a reload: whoever is there stays and can end what he has begun, also where the new one is of no
    use and the one before stays; mail comes in all the time; and the next reload mends it."""
    one = keys()
    make_chain(one.keys, "first", subject="first")
    start(one, smtpd_tls_chain_files=one.keys / "first.pem")
    letters = [Letter(one), Letter(one)]
    assert subject_of(s_client(one)) == "first"
    one.set(smtpd_tls_chain_files=BROKEN[what][0](one) if what in BROKEN else
            make_chain(one.keys, "second", "rsa", subject="second"))
    if one.run_as is not None:
        for path in one.keys.iterdir():
            os.chown(path, one.run_as, one.run_as)
    one.reload()
    if what in BROKEN:
        one.wait_for_log(BROKEN[what][1] + r".*; then run posthouse reload$")
        one.wait_for_log("the certificates from before stay in use")
        wait_until(lambda: subject_of(s_client(one)) == "first", "the one before is in use")
        one.send("you@here.test")
    else:
        wait_until(lambda: subject_of(s_client(one)) == "second", "the new one is in force")
    letters.pop().end()
    one.set(smtpd_tls_chain_files=make_chain(one.keys, "third", subject="third"))
    if one.run_as is not None:
        os.chown(one.keys / "third.pem", one.run_as, one.run_as)
    one.reload()
    wait_until(lambda: subject_of(s_client(one)) == "third", "it is mended")
    letters.pop().end()
    one.wait_for_mail("you@here.test", 3 if what in BROKEN else 2)
    assert not re.search(r"lost connection after DATA|killed by", one.log())


def test_one_of_two_is_broken(keys):
    one = keys()
    make_chain(one.keys, "good")
    start(one, smtpd_tls_chain_files=f"{one.keys}/absent.pem {one.keys}/good.pem")
    one.wait_for_log(r"absent.pem: No such file or directory")
    assert subject_of(s_client(one)) == "mx.here.test"


def test_soon_over(keys):
    one = keys()
    make_chain(one.keys, "short", days="3")
    start(one, smtpd_tls_chain_files=one.keys / "short.pem")
    one.wait_for_log(r'keyd.*: the certificate "mx.here.test", good until .*: renew it; then run')
    assert subject_of(s_client(one)) == "mx.here.test"


def test_names_are_checked(keys):
    one = keys()
    own = make_chain(one.keys, "own")
    one.set(smtpd_tls_chain_files=own, tls_server_sni_maps=f"inline:{{one.example={one.keys}/absent.pem}}")
    checked = one.run("posthouse", "check").stderr
    assert len(re.findall(r"tls_server_sni_maps: inline:.*absent.pem: No such file", checked)) == 1, checked
    one.start()
    one.wait_for_log(r"keyd\[\d+\]: warning: tls_server_sni_maps: inline:.*absent.pem: No such file")
    assert subject_of(s_client(one, "-servername", "other.example")) == "mx.here.test"


def test_not_configured(keys):
    """Where nobody named a certificate TLS is not offered, and nothing is to be complained of."""
    one = keys()
    start(one)
    offered, (code, _) = starttls(one)
    assert not offered and code in (454, 502)
    assert "keyd" not in one.log() or "warning" not in one.log()


# ---- keyds that die

class Load:
    """Handshakes, one after the other in each thread, and how they ended."""

    def __init__(self, one, threads=4, port=None):
        self.one, self.counts, self.stops = one, {"ok": 0, "failed": 0}, False
        self.errors = []
        self.port = port or one.port
        self.context = ssl.create_default_context()
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE
        self.context.options |= ssl.OP_NO_TICKET
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        while not self.stops:
            try:
                with smtplib.SMTP(self.one.address, self.port, "client.example", 30) as client:
                    client.starttls(context=self.context)
                    assert client.ehlo()[0] == 250
                self.counts["ok"] += 1
            except (OSError, smtplib.SMTPException) as error:
                self.counts["failed"] += 1
                self.errors.append(repr(error))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stops = True
        for thread in self.threads:
            thread.join()


def test_kills(keys):
    """A keyd that dies under load costs nobody a session: handshakes wait for the next one; sessions
    that are there do not notice."""
    one = keys()
    make_chain(one.keys, "own")
    start(one, smtpd_tls_chain_files=one.keys / "own.pem")
    one.tolerate("killed by signal 9")
    with one.client() as patient:
        patient.ehlo()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        patient.starttls(context=context)
        with Load(one) as load:
            for _ in range(5):
                before = load.counts["ok"]
                for pid in wait_until(lambda: pids(one, "keyd"), "keyd runs"):
                    os.kill(pid, signal.SIGKILL)
                wait_until(lambda: load.counts["ok"] > before + 20, "handshakes go on")
                assert patient.noop()[0] == 250
        assert load.counts["failed"] == 0


def descriptors(pids_):
    """What they have open, but for the queue files that they have in store: these come as they like."""
    found = []
    for pid in pids_:
        for entry in os.scandir(f"/proc/{pid}/fd"):
            try:
                found.append(os.readlink(entry.path))
            except FileNotFoundError:
                continue
    return sorted(re.sub(r":\[\d+\]", "", name) for name in found if "/queue/" not in name)


def shake(one):
    """A handshake of its own; what came of it."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with smtplib.SMTP(one.address, one.port, "client.example", 60) as client:
            client.starttls(context=context)
            return client.ehlo()[0]
    except (OSError, smtplib.SMTPException):
        return None


def test_hangs(keys):
    """A keyd that stands still: who needs it waits a while and fails, with a line that says why; nobody else
    waits, nobody spins, nothing is left over, and when it goes on all is well."""
    one = keys()
    make_chain(one.keys, "own")
    start(one, smtpd_tls_chain_files=one.keys / "own.pem")
    assert shake(one) == 250
    keepers, servers = pids(one, "keyd"), pids(one, "smtpd")
    wait_until(lambda: len(re.findall("commands=", one.log())) == len(re.findall(": connect from", one.log())),
               "nobody is connected")
    before = descriptors(servers)
    for pid in keepers:
        os.kill(pid, signal.SIGSTOP)
    try:
        results = []
        threads = [threading.Thread(target=lambda: results.append(shake(one))) for _ in range(20)]
        for thread in threads:
            thread.start()
        worked = {pid: cpu(pid) for pid in servers}
        one.send("you@here.test")
        one.wait_for_mail("you@here.test")
        for thread in threads:
            thread.join()
        assert results == [None] * 20
        assert all(cpu(pid) - worked[pid] < 2e9 for pid in servers)   # of ten seconds; it spins if it spins
    finally:
        for pid in keepers:
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: len(re.findall(r"smtpd\[\d+\]: warning: TLS library problem: .*no signature from keyd",
                                      one.log())) == 20, "a line for each")
    assert shake(one) == 250
    wait_until(lambda: descriptors(servers) == before, "the same descriptors as before")
    assert pids(one, "keyd") == keepers and pids(one, "smtpd") == servers


def test_several(keys):
    one = keys(services="keyd unix - - y - 3 keyd\n")
    make_chain(one.keys, "own")
    start(one, smtpd_tls_chain_files=one.keys / "own.pem")
    assert len(pids(one, "keyd")) == 3
    one.tolerate("killed by signal 9")
    with Load(one) as load:
        wait_until(lambda: load.counts["ok"] > 20, "handshakes")
        before = {pid: cpu(pid) for pid in pids(one, "keyd")}
        wait_until(lambda: all(cpu(pid) > ticks for pid, ticks in before.items()), "all of them sign")
        os.kill(pids(one, "keyd")[0], signal.SIGKILL)
        seen = load.counts["ok"]
        wait_until(lambda: load.counts["ok"] > seen + 20, "handshakes go on")
    assert load.counts["failed"] == 0


# ---- files that change

BEFORE, AFTER = "before.here.test", "after.here.test"


def publish(one, path):
    """Its owner may read it, as after any renewal."""
    if one.run_as is not None:
        os.chown(path, one.run_as, one.run_as)


def by_certbot(one, version):
    """Links in live/ are turned from one file in archive/ to another."""
    live, archive = one.keys / "live", one.keys / "archive"
    for directory in (live, archive):
        directory.mkdir(exist_ok=True)
    subject = (BEFORE, AFTER)[version]
    make_chain(archive, f"v{version}", subject=subject)
    for end in ("key", "crt"):
        publish(one, archive / f"v{version}.{end}")
        (live / f"now.{end}").unlink(missing_ok=True)
        (live / f"now.{end}").symlink_to(f"../archive/v{version}.{end}")
    return {"smtpd_tls_cert_file": live / "now.crt", "smtpd_tls_key_file": live / "now.key"}


def in_place(one, version):
    """A file is written anew, with a key of another kind."""
    chain = make_chain(one.keys, f"v{version}", ("rsa", "ec")[version], (BEFORE, AFTER)[version])
    now = one.keys / "now.pem"
    now.touch(0o600)
    publish(one, now)
    now.write_text(chain.read_text())
    return {"smtpd_tls_chain_files": now}


def by_rename(one, version):
    """Another takes its place at once."""
    chain = make_chain(one.keys, f"v{version}", subject=(BEFORE, AFTER)[version])
    publish(one, chain)
    chain.rename(one.keys / "now.pem")
    return {"smtpd_tls_chain_files": one.keys / "now.pem"}


def wait_for_subject(one, subject):
    wait_until(lambda: subject_of(s_client(one)) == subject, f"{subject} is shown")


@pytest.mark.parametrize("processes", ["1", "3"])
@pytest.mark.parametrize("renew", [by_certbot, in_place, by_rename])
def test_renewed(keys, renew, processes):
    """New files are noticed: new sessions get the new certificate, those that are there go on, and
    no handshake fails."""
    one = keys(services=f"keyd unix - - y - {processes} keyd\n", tls_renewal_delay="1s")
    start(one, **renew(one, 0))
    assert subject_of(s_client(one)) == BEFORE
    servers, keepers = pids(one, "smtpd"), pids(one, "keyd")
    with one.client() as patient:
        patient.ehlo()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        patient.starttls(context=context)
        with Load(one) as load:
            renew(one, 1)
            wait_for_subject(one, AFTER)
            wait_until(lambda: len(pids(one, "keyd")) == int(processes) and
                       not set(keepers) & set(pids(one, "keyd")), "who had the old keys has left")
            before = load.counts["ok"]
            wait_until(lambda: load.counts["ok"] > before + 20, "handshakes go on")
        assert not load.errors
        assert patient.noop()[0] == 250
    for arguments in ([], ["-sigalgs", "RSA-PSS+SHA256:ECDSA+SHA256"]):
        assert subject_of(s_client(one, *arguments)) == AFTER
    assert pids(one, "smtpd") == servers
    assert "keyd.refused" not in one.log()


def test_renewed_badly(keys):
    """What cannot be used is told in a line, and what was there before goes on; a reload and a killed
    smtpd change nothing about that. Mended files are noticed, too."""
    one = keys(tls_renewal_delay="1s")
    start(one, **by_rename(one, 0))
    now = one.keys / "now.pem"
    whole = now.read_text()
    broken = r"keyd\[\d+\]: warning: smtpd_tls_chain_files: no certificate follows the private key"
    kept = r"keyd\[\d+\]: warning: service \S+: the certificates from before stay in use, because the new files " \
           r"cannot be used$"
    now.write_text(whole[:len(whole) // 2])
    one.wait_for_log(kept)
    assert subject_of(s_client(one)) == BEFORE
    for times in (2, 3):
        one.reload()
        wait_until(lambda: len(re.findall(kept, one.log(), re.MULTILINE)) == times, "it is told again")
        wait_for_subject(one, BEFORE)
    assert len(re.findall(broken, one.log())) == 3
    assert "no private key that can be used" not in one.log()
    by_rename(one, 1)
    wait_for_subject(one, AFTER)


def test_a_name_renewed(keys):
    """Names have the same: a new certificate without a reload, and the old one where the new is broken."""
    one = keys(tls_renewal_delay="1s")
    own, named = make_chain(one.keys, "own"), one.keys / "named.pem"

    def write(subject):
        chain = make_chain(one.keys, "next", subject=subject)
        publish(one, chain)
        chain.rename(named)
    write(BEFORE)
    start(one, smtpd_tls_chain_files=own, tls_server_sni_maps=f"inline:{{name.example={named}}}")
    assert subject_of(s_client(one, "-servername", "name.example")) == BEFORE
    whole = named.read_text()
    named.write_text(whole[:100])
    one.wait_for_log(rf"warning: tls_server_sni_maps {named}: the certificates from before stay in use")
    assert subject_of(s_client(one, "-servername", "name.example")) == BEFORE
    write(AFTER)
    wait_until(lambda: subject_of(s_client(one, "-servername", "name.example")) == AFTER, "the new one is shown")
    assert subject_of(s_client(one)) == "mx.here.test"


def test_reload_with_files_that_are_gone(keys):
    """A reload that names what is not there has what was named before go on; what is to have no certificate
    has none."""
    one = keys()
    start(one, **by_rename(one, 0))
    one.set(smtpd_tls_chain_files=one.keys / "absent.pem")
    one.reload()
    one.wait_for_log("the certificates from before stay in use")
    wait_for_subject(one, BEFORE)
    one.set(**by_rename(one, 1))
    one.reload()
    wait_for_subject(one, AFTER)
    one.set(smtpd_tls_chain_files="")
    one.reload()
    wait_until(lambda: not starttls(one)[0], "STARTTLS is not offered")


def test_not_noticed(keys):
    """tls_renewal_delay = 0: a reload has them read, and nothing else."""
    one = keys(tls_renewal_delay="0")
    start(one, **by_rename(one, 0))
    keepers = pids(one, "keyd")
    by_rename(one, 1)
    assert subject_of(s_client(one)) == BEFORE and pids(one, "keyd") == keepers
    one.reload()
    wait_for_subject(one, AFTER)


def cpu(pid):
    """Nanoseconds that it has run."""
    with open(f"/proc/{pid}/schedstat", encoding="ascii") as stat:
        return int(stat.read().split()[0])


# ---- where the keys are

def secrets_of(key):
    """The numbers of a private key, as they may lie in memory: {name: [bytes, ...]}."""
    text = openssl("pkey", "-in", key, "-noout", "-text")
    found = {}
    for name, body in re.findall(r"^(\w+):\n((?:    [0-9a-f:]+\n)+)", text, re.MULTILINE):
        if name not in ("priv", "privateExponent", "prime1", "prime2", "exponent1", "exponent2",
                        "coefficient"):
            continue
        number = bytes.fromhex(re.sub(r"[\s:]", "", body)).lstrip(b"\0")
        found[name] = [number, number[::-1]]
    assert found
    return found


def find_secrets(pid, secrets):
    found = set()
    for block in memory_of(pid):
        for name, forms in secrets.items():
            if any(form in block for form in forms):
                found.add(name)
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="reads the memory of others")
def test_memory(keys, make_instance):
    """Under load no daemon but keyd has a part of a key in its memory; that keyd has them shows that
    the search would find them."""
    port = free_port()
    one = keys(services=f"127.0.0.1:{port} inet n - y - - submitd\n", smtp_tls_security_level="encrypt",
               smtp_connection_cache_on_demand="no", smtp_tls_loglevel="1", auth_databases="static:ann:{PLAIN}secret")
    secrets = {}
    for kind in ("rsa", "ec", "ed"):
        make_chain(one.keys, kind, kind)
        for name, forms in secrets_of(one.keys / f"{kind}.key").items():
            secrets[f"{kind} {name}"] = forms
    make_chain(one.keys, "sni", subject="sni")
    for name, forms in secrets_of(one.keys / "sni.key").items():
        secrets[f"sni {name}"] = forms
    (one.etc / "names").write_text(f"sni.example {one.keys}/sni.pem\n")
    one.run("postmap", "-F", f"hash:{one.etc}/names", check=True)
    if one.run_as is not None:
        os.chown(one.etc / "names.db", one.run_as, one.run_as)
    make_chain(one.keys, "other")
    there = make_instance("there", settings={
        "smtpd_tls_security_level": "encrypt", "smtpd_tls_ask_ccert": "yes", "smtpd_tls_loglevel": "2",
        "smtpd_tls_chain_files": one.keys / "other.pem"}).start()
    start(one, smtpd_tls_chain_files=f"{one.keys}/rsa.pem {one.keys}/ec.pem", relayhost=f"[{there.address}]:{there.port}",
          smtp_tls_chain_files=f"{one.keys}/ed.pem", tls_server_sni_maps=f"hash:{one.etc}/names")
    with Load(one, 2) as load, Load(one, 2, port) as submissions:
        wait_until(lambda: min(load.counts["ok"], submissions.counts["ok"]) > 25, "handshakes")
        for algorithm in ("ECDSA+SHA256", "RSA-PSS+SHA256"):
            s_client(one, "-sigalgs", algorithm)
        assert subject_of(s_client(one, "-servername", "sni.example")) == "sni"
        seen = set()
        for number in range(3):
            for _ in range(5):
                one.send("you@there.test")
            there.wait_for_mail("you@there.test", 5 * (number + 1))
            for program, processes in processes_of(one.programs).items():
                for pid in set(processes) & set(pids(one, program)):
                    try:
                        found = find_secrets(pid, secrets)
                    except ProcessLookupError:
                        continue
                    seen.add(program)
                    if program == "keyd":
                        assert {name.split()[0] for name in found} == {"rsa", "ec", "ed", "sni"}, found
                        assert {"rsa prime1", "rsa prime2", "ec priv", "ed priv", "sni priv"} <= found
                    else:
                        assert not found, (program, found)
        assert {"keyd", "smtpd", "submitd", "smtp", "authd", "dnsd", "qmgr", "addrd", "logd"} <= seen
        # The one that started all of them has read the files' names and nothing more.
        with open(f"/proc/{pids(one, 'keyd')[0]}/status", encoding="ascii") as status:
            master = int(re.search(r"^PPid:\t(\d+)", status.read(), re.MULTILINE).group(1))
        assert not find_secrets(master, secrets)
    assert load.counts["failed"] == submissions.counts["failed"] == 0
    there.wait_for_log(r"client-signature ED25519")    # what smtp showed, keyd signed


def test_tickets_are_not_on_disk(keys):
    """Nothing of keyd's is written anywhere: it has no file open but its channels."""
    one = keys()
    make_chain(one.keys, "own")
    start(one, smtpd_tls_chain_files=one.keys / "own.pem")
    s_client(one)
    for pid in pids(one, "keyd"):
        targets = [os.readlink(f"/proc/{pid}/fd/{number}") for number in os.listdir(f"/proc/{pid}/fd")]
        assert not [target for target in targets
                    if target.startswith("/") and not target.startswith(("/dev/", "/memfd:"))], targets


# ---- clients

def test_client_certificates(keys, make_instance):
    """smtp shows the certificate that its settings name, and keyd signs for it."""
    one = keys()
    make_chain(one.keys, "own", "rsa")
    make_chain(one.keys, "client", "ed", subject="client.here.test")
    there = make_instance("there", settings={
        "smtpd_tls_security_level": "encrypt", "smtpd_tls_ask_ccert": "yes", "smtpd_tls_loglevel": "2",
        "smtpd_tls_chain_files": one.keys / "own.pem"}).start()
    start(one, relayhost=f"[{there.address}]:{there.port}", smtp_tls_security_level="encrypt",
          smtp_tls_eccert_file=one.keys / "client.pem")
    one.send("you@there.test")
    there.wait_for_mail("you@there.test")
    there.wait_for_log(r"subject_CN=client\.here\.test")


@pytest.mark.parametrize("what", BROKEN)
def test_client_certificates_that_are_broken(keys, make_instance, what):
    """smtp shows none, of which the log has one line with what to do, and mail goes over TLS all the same."""
    one = keys()
    make_chain(one.keys, "there")
    there = make_instance("there", settings={
        "smtpd_tls_security_level": "encrypt", "smtpd_tls_ask_ccert": "yes", "smtpd_tls_loglevel": "1",
        "smtpd_tls_chain_files": one.keys / "there.pem"}).start()
    make, line = BROKEN[what]
    start(one, relayhost=f"[{there.address}]:{there.port}", smtp_tls_security_level="encrypt",
          smtp_tls_chain_files=make(one))
    one.wait_for_log(r"keyd\[\d+\]: warning: smtp_tls_chain_files: .*" + line + r".*; then run posthouse reload$")
    assert len(re.findall(line, one.log())) == 1
    one.send("you@there.test")
    there.wait_for_mail("you@there.test")
    there.wait_for_log("Anonymous TLS connection established from ")


def test_a_client_whose_keyd_hangs(keys, make_instance):
    """Mail waits for a signature, is put off, and goes when there is one."""
    one = keys(minimal_backoff_time="1s", maximal_backoff_time="2s")
    make_chain(one.keys, "own", "rsa")
    make_chain(one.keys, "client", subject="client.here.test")
    there = make_instance("there", settings={
        "smtpd_tls_security_level": "encrypt", "smtpd_tls_ask_ccert": "yes", "smtpd_tls_loglevel": "2",
        "smtpd_tls_chain_files": one.keys / "own.pem"}).start()
    start(one, relayhost=f"[{there.address}]:{there.port}", smtp_tls_security_level="encrypt",
          smtp_tls_chain_files=one.keys / "client.pem", smtp_connection_cache_on_demand="no",
          smtp_tls_session_cache_timeout="0")
    one.send("you@there.test")
    there.wait_for_mail("you@there.test")
    keepers = pids(one, "keyd")
    for pid in keepers:
        os.kill(pid, signal.SIGSTOP)
    try:
        one.send("you@there.test")
        one.wait_for_log(r"to=<you@there\.test>, .*dsn=4\.7\.5, status=deferred \(Cannot start TLS: handshake failure\)")
        one.wait_for_log(r"smtp\[\d+\]: warning: TLS library problem: .*no signature from keyd")
    finally:
        for pid in keepers:
            os.kill(pid, signal.SIGCONT)
    there.wait_for_mail("you@there.test", 2)
