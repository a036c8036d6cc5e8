"""tests/harness/clock - daemons whose clock a test can set while they run.

A directory of small scripts stands in for the daemons' own: each starts the real one with clock.c
loaded before the C library.

Callers: tests/system."""

import os
import pathlib
import shutil
import struct
import subprocess

HERE = pathlib.Path(__file__).resolve().parent


def why_not():
    """The reason why there can be no such clock here, or None."""
    return None if shutil.which("cc") else "needs cc"


class Clock:
    """daemons: for daemon_directory."""

    def __init__(self, programs, directory):
        directory = pathlib.Path(directory)
        self._offset = directory / "clock-offset"
        self.set(0)
        self._offset.chmod(0o644)
        library = directory / "clock.so"
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-o", library, HERE / "clock.c"], check=True)
        self.daemons = directory / "daemons"
        self.daemons.mkdir()
        for daemon in programs.daemons.iterdir():
            script = self.daemons / daemon.name
            script.write_text(f"#!/bin/sh\nexec env LD_PRELOAD={library} TEST_CLOCK={self._offset} "
                              f"ASAN_OPTIONS=verify_asan_link_order=0 {daemon} \"$@\"\n")
            script.chmod(0o755)

    def set(self, offset_s):
        """Seconds by which all daemons are off from now on."""
        with open(self._offset, "r+b" if self._offset.exists() else "wb") as file:
            os.pwrite(file.fileno(), struct.pack("=q", offset_s), 0)
