"""tests/harness/authority - a certification authority of our own, by openssl(1), and what TLSA
records say of its certificates.

Callers: tests/system, secured.py."""

import hashlib
import pathlib
import subprocess


def openssl(*arguments, text=None):
    done = subprocess.run(["openssl", *arguments], input=text, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


class Authority:
    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        self.certificate, self.key = self.directory / "authority.pem", self.directory / "authority.key"
        self.make_key(self.key)
        openssl("req", "-x509", "-new", "-key", str(self.key), "-subj", "/CN=Test Authority", "-days", "30",
                "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign",
                "-out", str(self.certificate))
        self.certificate.chmod(0o644)

    @staticmethod
    def make_key(path):
        openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(path))

    def issue(self, name, *others, days=30, self_signed=False):
        """A file with key, certificate and the authority's behind them, as Postfix's chain files are."""
        stem = self.directory / f"{name}{'-self' if self_signed else ''}{'' if days > 0 else '-expired'}"
        key, request, certificate = (stem.with_name(stem.name + end) for end in (".key", ".csr", ".pem"))
        chain = stem.with_name(stem.name + ".chain")
        self.make_key(key)
        extension = stem.with_name(stem.name + ".ext")
        extension.write_text("subjectAltName=" + ",".join(f"DNS:{one}" for one in (name, *others)) + "\n")
        openssl("req", "-new", "-key", str(key), "-subj", f"/CN={name}", "-out", str(request))
        by = (["-signkey", str(key)] if self_signed else
              ["-CA", str(self.certificate), "-CAkey", str(self.key), "-CAcreateserial"])
        dates = ["-days", str(days)]
        openssl("x509", "-req", "-in", str(request), "-extfile", str(extension), *by, *dates, "-out",
                str(certificate))
        chain.write_text(key.read_text() + certificate.read_text() +
                         ("" if self_signed else self.certificate.read_text()))
        chain.chmod(0o644)
        return Certificate(certificate, chain, key)

    def tlsa(self, usage, selector, matching):
        return tlsa(self.certificate, usage, selector, matching)


class Certificate:
    def __init__(self, path, chain, key):
        self.path, self.chain, self.key = path, chain, key

    def tlsa(self, usage, selector, matching):
        return tlsa(self.path, usage, selector, matching)

    def fingerprint(self):
        digest = hashlib.sha256(openssl("x509", "-in", str(self.path), "-outform", "DER")).hexdigest()
        return ":".join(digest[i:i + 2] for i in range(0, len(digest), 2)).upper()


def tlsa(path, usage, selector, matching):
    """As it stands in a zone file: "3 1 1 AB12..."."""
    if selector == 0:
        data = openssl("x509", "-in", str(path), "-outform", "DER")
    else:
        data = openssl("pkey", "-pubin", "-outform", "DER",
                       text=openssl("x509", "-in", str(path), "-noout", "-pubkey"))
    if matching:
        data = hashlib.new({1: "sha256", 2: "sha512"}[matching], data).digest()
    return f"{usage} {selector} {matching} {data.hex()}"
