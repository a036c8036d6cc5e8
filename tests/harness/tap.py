"""tests/harness/tap - results as TAP lines, closed by "N passed, N failed, N skipped".

Automake's driver reads the first, people and run-tests the last line."""

import sys


class Results:
    """ok() as results arrive; finish() at the end gives the exit status."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def _line(self, word, name, note=""):
        number = self.passed + self.failed + self.skipped
        print(f"{word} {number} - {name}{note}", flush=True)

    def check(self, is_ok, name, problems=()):
        """problems: lines that explain a failure."""
        if is_ok:
            self.passed += 1
        else:
            self.failed += 1
        self._line("ok" if is_ok else "not ok", name)
        for problem in list(problems)[:60] if not is_ok else ():
            self.note(problem)
        return is_ok

    def skip(self, name, reason):
        self.skipped += 1
        self._line("ok", name, f" # SKIP {reason}")
        self.note(f"skipped: {reason}")

    @staticmethod
    def note(text):
        for line in str(text).splitlines():
            print(f"# {line}", flush=True)

    def finish(self):
        print(f"1..{self.passed + self.failed + self.skipped}")
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        return 1 if self.failed else 0


def skip_all(name, reason):
    """The whole script cannot run here."""
    results = Results()
    results.skip(name, reason)
    sys.exit(results.finish())
