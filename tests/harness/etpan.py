"""tests/harness/etpan - a mail program on libetpan, the library of graphical ones.

Callers: tests/system."""

import os
import pathlib
import shutil
import ssl
import subprocess

from .peers import PEERS, library_path

ROOT = PEERS / "libetpan"
HERE = pathlib.Path(__file__).resolve().parent
LOGIN_REFUSED = 2


def why_not():
    """The reason why there can be no such program here, or None."""
    if not shutil.which("cc"):
        return "needs cc"
    return None if (ROOT / ".complete").exists() else "needs libetpan (tests/system/peers.sh libetpan)"


class Etpan:
    """The program, made in directory; certificate is the one (PEM) that its server has to show."""

    def __init__(self, directory, certificate):
        directory = pathlib.Path(directory)
        self._program = directory / "etpan"
        if not self._program.exists():
            paths = library_path(ROOT).split(":")
            subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror",
                            "-isystem", ROOT / "usr/include", "-o", self._program, HERE / "etpan.c",
                            *(f"-L{path}" for path in paths), *(f"-Wl,-rpath-link,{path}" for path in paths),
                            "-letpan"], check=True)
        self._certificate = directory / "etpan.der"
        self._certificate.write_bytes(ssl.PEM_cert_to_DER_cert(pathlib.Path(certificate).read_text()))

    def send(self, port, is_wrapped, mechanism, user, secret, sender, recipients, message):
        """Returns the status, LOGIN_REFUSED or another (0: accepted), and what the program says of it."""
        done = subprocess.run([self._program, "tls" if is_wrapped else "starttls", str(port), self._certificate,
                               mechanism, user, secret, sender, *recipients], input=message, capture_output=True,
                              env={**os.environ, "LD_LIBRARY_PATH": library_path(ROOT)}, text=True, timeout=60,
                              check=False)
        return done.returncode, done.stderr
