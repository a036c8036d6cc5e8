"""tests/harness/soak - the table of results in tests/SOAK.md, a part of which each long test rewrites.

Callers: tests/kill, tests/faults, tests/powercut."""

import os
import pathlib
import platform
import re
import time


def write(path, name, results, sentences, rows):
    """Replaces what stands between the marks of that name; rows: the first is the head."""
    path = pathlib.Path(path)
    text = path.read_text()
    verdict = "all passed" if results.failed == 0 else f"{results.failed} checks FAILED"
    lines = [f"Last run: {time.strftime('%Y-%m-%d %H:%M', time.gmtime())} UTC, Linux {platform.release()}, "
             f"{os.cpu_count()} processors; {results.passed} checks, {verdict}. " + " ".join(
                 sentence.rstrip(".") + "." for sentence in sentences), ""]
    head, *body = rows
    lines += [_row(head), _row(["---"] * len(head)), *map(_row, body)]
    part = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    if not part.search(text):
        raise AssertionError(f"{path} has no part for {name}")
    path.write_text(part.sub(lambda match: match.group(1) + "\n".join(lines) + "\n" + match.group(2), text))


def _row(cells):
    return "| " + " | ".join(str(cell).replace("|", "/") for cell in cells) + " |"
