"""tests/harness/etpan - a mail program on libetpan, the library of graphical ones.

Callers: tests/system."""

import pathlib
import shlex
import shutil
import ssl
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
LOGIN_REFUSED = 2


def why_not():
    """The reason why there can be no such program here, or None."""
    for program in ("cc", "pkg-config"):
        if not shutil.which(program):
            return f"needs {program}"
    found = subprocess.run(["pkg-config", "--exists", "libetpan"], check=False).returncode == 0
    return None if found else "needs libetpan (Debian: libetpan-dev, libsasl2-modules)"


class Etpan:
    """The program, made in directory; certificate is the one (PEM) that its server has to show."""

    def __init__(self, directory, certificate):
        directory = pathlib.Path(directory)
        self._program = directory / "etpan"
        if not self._program.exists():
            flags = subprocess.run(["pkg-config", "--cflags", "libetpan"], capture_output=True, text=True, check=True)
            subprocess.run(["cc", "-std=c17", "-D_GNU_SOURCE", "-O1", "-Wall", "-Wextra", "-Werror",
                            *shlex.split(flags.stdout), "-o", self._program, HERE / "etpan.c", "-letpan"], check=True)
        self._certificate = directory / "etpan.der"
        self._certificate.write_bytes(ssl.PEM_cert_to_DER_cert(pathlib.Path(certificate).read_text()))

    def send(self, port, is_wrapped, mechanism, user, secret, sender, recipients, message):
        """Returns the status, LOGIN_REFUSED or another (0: accepted), and what the program says of it."""
        done = subprocess.run([self._program, "tls" if is_wrapped else "starttls", str(port), self._certificate,
                               mechanism, user, secret, sender, *recipients], input=message, capture_output=True,
                              text=True, timeout=60, check=False)
        return done.returncode, done.stderr
