"""tests/harness/certificates - certificates and keys of a test's own, made by openssl(1).

Callers: tests/system, tests/conformance."""

import contextlib
import os
import pathlib
import subprocess

KEY_KINDS = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
             "rsa": ["-newkey", "rsa:2048"]}


def openssl(*arguments, stdin="", check=True, timeout_s=60):
    """What it printed, on both channels where it may fail."""
    done = subprocess.run(["openssl", *map(str, arguments)], input=stdin, capture_output=True,
                          text=True, timeout=timeout_s, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"openssl {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout if check else done.stdout + done.stderr


def self_signed(directory, name, subject, kind="ec"):
    """A file with key and certificate, for smtpd_tls_chain_files."""
    directory = pathlib.Path(directory)
    key, certificate, chain = (directory / f"{name}.{end}" for end in ("key", "crt", "pem"))
    openssl("req", "-x509", "-nodes", *KEY_KINDS[kind], "-keyout", key, "-out", certificate,
            "-subj", f"/CN={subject}", "-days", "30", "-addext", f"subjectAltName=DNS:{subject}")
    return _join(chain, key, certificate)


def _join(chain, key, certificate):
    chain.write_text(key.read_text() + certificate.read_text())
    chain.chmod(0o600)
    return chain


class Authority:
    """Signs for others; certificate is the file that trusts it."""

    def __init__(self, directory, name="Test CA"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.certificate = self.directory / "authority.crt"
        self._key = self.directory / "authority.key"
        openssl("req", "-x509", "-nodes", *KEY_KINDS["ec"], "-keyout", self._key, "-out",
                self.certificate, "-subj", f"/CN={name}", "-days", "30")

    def issue(self, name, subject, kind="ec", alternative=None):
        """The chain's file; NAME.key and NAME.crt lie beside it."""
        key, request, certificate, chain = (self.directory / f"{name}.{end}"
                                            for end in ("key", "csr", "crt", "pem"))
        extensions = self.directory / f"{name}.ext"
        extensions.write_text(f"subjectAltName={alternative or 'DNS:' + subject}\n")
        openssl("req", "-nodes", *KEY_KINDS[kind], "-keyout", key, "-out", request, "-subj",
                f"/CN={subject}")
        openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key,
                "-CAcreateserial", "-days", "30", "-extfile", extensions, "-out", certificate)
        return _join(chain, key, certificate)


def fingerprint(certificate):
    """As smtpd writes it, of SHA-256."""
    return openssl("x509", "-in", certificate, "-noout", "-fingerprint", "-sha256").split("=")[1].strip()


@contextlib.contextmanager
def system_authorities(directory):
    """The authorities of this system are those in the directory; on a machine of our own."""
    place = os.path.realpath("/etc/ssl/certs")
    subprocess.run(["mount", "--bind", str(directory), place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)
