"""tests/harness/transcript - play a conversation from a text file against a server.

A file of tests/transcripts holds lines:
  C: text     the client sends this line with CRLF; \\r \\n \\0 \\xHH \\\\ are understood, and a
              line that ends in \\c gets no CRLF
  S: text     the server must answer this line; {words} stands for anything, {id} for a queue id
  S~ regex    the answer must match a regular expression
  S! close    the server must close the connection
  # set: name = value     a setting of main.cf that the conversation needs
  # anything else         a comment
Consecutive C: lines are sent in one packet, as a pipelining client does.

Callers: tests/system/transcripts_test.py."""

import re
import socket


class Mismatch(AssertionError):
    pass


def settings_of(path):
    """The "# set:" lines of a transcript."""
    found = {}
    for line in path.read_text().splitlines():
        match = re.match(r"#\s*set:\s*(\w+)\s*=\s*(.*)$", line)
        if match:
            found[match.group(1)] = match.group(2).strip()
    return found


def _unescape(text):
    ending = b"\r\n"
    if text.endswith("\\c"):
        text, ending = text[:-2], b""

    def one(match):
        code = match.group(1)
        if code.startswith("x"):
            return chr(int(code[1:], 16))
        return {"r": "\r", "n": "\n", "0": "\0", "\\": "\\", "t": "\t"}[code]

    return re.sub(r"\\(x[0-9a-fA-F]{2}|[rn0t\\])", one, text).encode("latin-1") + ending


def _pattern(kind, text):
    if kind == "S~":
        return re.compile(text)
    parts = re.split(r"(\{[^{}]*\})", text)
    return re.compile("".join(
        "[0-9A-Za-z]+" if part == "{id}" else ".*" if re.fullmatch(r"\{[^{}]*\}", part) else
        re.escape(part) for part in parts))


def _without(lines, keyword):
    """The lines of a transcript, without a last line of EHLO's answer that offers this keyword."""
    kept = []
    for line in lines:
        if keyword and line.startswith(f"S: 250 {keyword}") and kept[-1].startswith("S: 250-"):
            kept[-1] = "S: 250 " + kept[-1][len("S: 250-"):]
            line = "# " + line
        kept.append(line)
    return kept


def play(path, address, port, timeout_s=30, not_offered=None):
    """Raises Mismatch with the line of the file that did not go as written. not_offered: a keyword that this server
    does not have at the end of EHLO's answer."""
    with socket.create_connection((address, port), timeout_s) as connection:
        stream = connection.makefile("rb")
        pending = b""
        for number, raw in enumerate(_without(path.read_text().splitlines(), not_offered), 1):
            where = f"{path.name}:{number}"
            kind, text = raw[:2], raw[3:]
            if not raw.strip() or raw.startswith("#"):
                continue
            if kind == "C:":
                pending += _unescape(text)
                continue
            if pending:
                connection.sendall(pending)
                pending = b""
            if kind not in ("S:", "S~", "S!"):
                raise Mismatch(f"{where}: not a line of a transcript: {raw!r}")
            try:
                answer = stream.readline()
            except ConnectionResetError:
                answer = b""
            except TimeoutError:
                raise Mismatch(f"{where}: no answer within {timeout_s} s") from None
            if kind == "S!":
                if answer:
                    raise Mismatch(f"{where}: expected the connection to close, got {answer!r}")
                return
            if not answer.endswith(b"\r\n"):
                raise Mismatch(f"{where}: expected {text!r}, got {answer!r}")
            line = answer[:-2].decode("latin-1")
            if not _pattern(kind, text).fullmatch(line):
                raise Mismatch(f"{where}: expected {text!r}, got {line!r}")
        if pending:
            connection.sendall(pending)
