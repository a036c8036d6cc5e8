"""tests/conformance/cases - what suites share that ask our programs and parsers: results, and the programs.

Such a suite has cases(directory, ours), which yields Case objects, and gives them to play()."""

import dataclasses
import os
import pathlib
import subprocess
import tempfile

from exceptions import contradicts, later, own_form

PASSES, FAILS, LATER, CONTRADICTS, OWN_FORM = "passes", "fails", "later feature", "contradicts", "own form"


@dataclasses.dataclass
class Case:
    """kind: PASSES or FAILS; LATER with the feature; CONTRADICTS with the RFC section; OWN_FORM: the
    case is about a form that is the other program's own, with what it is."""

    name: str
    kind: str
    detail: str = ""


def compare(name, actual, expected):
    if actual == expected:
        return Case(name, PASSES)
    return Case(name, FAILS, f"got {actual!r}, expected {expected!r}")


def play(cases, exceptions):
    """Cases as tests/conformance/run wants them; reasons go to exceptions, under names that are there once."""
    seen = {}
    for case in cases:
        seen[case.name] = seen.get(case.name, 0) + 1
        name = case.name if seen[case.name] == 1 else f"{case.name} #{seen[case.name]}"
        if case.kind == LATER:
            exceptions[name] = later(case.detail)
        elif case.kind == CONTRADICTS:
            exceptions[name] = contradicts(*case.detail.split(": ", 1))
        elif case.kind == OWN_FORM:
            exceptions[name] = own_form(case.detail)
        yield name, None if case.kind == PASSES else case.detail


class Ours:
    """The programs of a build."""

    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.work = tempfile.TemporaryDirectory(prefix="posthouse-conformance-")

    def probe(self, lines, settings=()):
        """The answers of tests/conformance/probe to these lines, one each."""
        main_cf = pathlib.Path(self.work.name) / "main.cf"
        base = {"myhostname": "mx.here.test", "mydestination": "", "alias_maps": ""}
        main_cf.write_text("".join(f"{name} = {value}\n" for name, value in {**base, **dict(settings)}.items()))
        done = subprocess.run([self.build / "tests/conformance/probe", main_cf], check=True, timeout=60,
                              input="".join(f"{line}\n" for line in lines).encode(), capture_output=True)
        answers = done.stdout.decode().split("\n")[:-1]
        assert len(answers) == len(lines), (len(answers), len(lines), done.stderr)
        return answers

    def tool(self, name, *arguments, stdin="", directory=None):
        """Standard output and error together, as a terminal shows them, and the status."""
        program = self.build / "tools" / ("postmap" if name == "postalias" else name)
        done = subprocess.run([program, *arguments], executable=program, input=stdin, text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                              cwd=directory or self.work.name, env={**os.environ, "LC_ALL": "C.UTF-8"})
        return done.stdout, done.returncode

    def alias(self, name, program):
        """Another name for a tool, which it goes by."""
        path = pathlib.Path(self.work.name) / name
        if not path.exists():
            path.symlink_to(self.build / "tools" / program)
        return path
