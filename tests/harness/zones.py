"""tests/harness/zones - zones under DNSSEC: signed by ldns-signzone, served by NSD, and looked at by an
Unbound that trusts their keys and nobody else's. With own_machine() only: it answers on port 53.

Callers: tests/system."""

import pathlib
import subprocess
import time

from . import instance, peers

NSD_PORT = 5300
SOA = "@ 60 IN SOA ns root 1 3600 3600 86400 60\n@ 60 IN NS ns\nns 60 IN A 127.0.0.1\n"


class Zone:
    """records: lines of a zone file. is_signed: with a key that the resolver trusts; expired: by
    signatures of last month; tampered: (old, new), changed in the file when it was signed."""

    def __init__(self, name, records, is_signed=True, is_expired=False, tampered=()):
        self.name, self.records = name, list(records)
        self.is_signed, self.is_expired, self.tampered = is_signed, is_expired, tampered


class Zones:
    def __init__(self, directory, zones):
        self.directory = pathlib.Path(directory)
        self.zones = list(zones)
        self.nsd = self.unbound = None

    def run(self, program, *arguments):
        done = subprocess.run([str(peers.PEERS / "nsd/usr/bin" / program), *arguments], cwd=self.directory,
                              env=peers.environment("nsd"), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, zone):
        """The zone's file, and the key to trust, or None."""
        plain = self.directory / f"{zone.name}.zone"
        plain.write_text(f"$ORIGIN {zone.name}.\n$TTL 60\n" + SOA + "".join(f"{line}\n" for line in zone.records))
        if not zone.is_signed:
            return plain, None
        key = self.run("ldns-keygen", "-a", "ECDSAP256SHA256", "-k", f"{zone.name}.")
        now = time.time() - (40 * 86400 if zone.is_expired else 3600)
        dates = [time.strftime("%Y%m%d%H%M%S", time.gmtime(now + plus)) for plus in (0, 30 * 86400)]
        self.run("ldns-signzone", "-i", dates[0], "-e", dates[1], "-f", f"{plain}.signed", str(plain), key)
        signed = pathlib.Path(f"{plain}.signed")
        for old, new in zone.tampered:
            text = signed.read_text()
            assert old in text
            signed.write_text(text.replace(old, new))
        return signed, self.directory / f"{key}.key"

    def __enter__(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        lines, further = "", '    local-zone: "test." nodefault\n    do-not-query-localhost: no\n'
        stubs = ""
        for zone in self.zones:
            path, key = self.write(zone)
            lines += f'zone:\n    name: "{zone.name}"\n    zonefile: "{path}"\n'
            stubs += f'stub-zone:\n    name: "{zone.name}."\n    stub-addr: 127.0.0.1@{NSD_PORT}\n'
            if key:
                further += f'    trust-anchor-file: "{key}"\n'
        (self.directory / "nsd.conf").write_text(f"""\
server:
    ip-address: 127.0.0.1@{NSD_PORT}
    username: ""
    chroot: ""
    zonesdir: ""
    database: ""
    pidfile: ""
    xfrdfile: ""
    zonelistfile: "{self.directory}/zone.list"
    xfrdir: "{self.directory}"
    cookie-secret-file: ""
remote-control:
    control-enable: no
{lines}""")
        self.nsd = subprocess.Popen(
            [str(peers.PEERS / "nsd/usr/sbin/nsd"), "-d", "-c", str(self.directory / "nsd.conf")],
            env=peers.environment("nsd"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=(self.directory / "nsd.err").open("w"))

        def is_up():
            if self.nsd.poll() is not None:
                raise AssertionError("NSD ended: " + (self.directory / "nsd.err").read_text())
            return instance.is_listening("127.0.0.1", NSD_PORT)

        instance.wait_until(is_up, "NSD listens")
        self.unbound = peers.Unbound(self.directory / "unbound", [], zones=(), modules="validator iterator",
                                     further=further + stubs)
        self.unbound.__enter__()
        return self

    def __exit__(self, *_):
        self.unbound.__exit__()
        self.nsd.terminate()
        self.nsd.wait()
