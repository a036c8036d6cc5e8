"""Suite scram-xdg: exchanges of SCRAM, with the nonces and salts that both sides chose."""

import json
import re
import unicodedata

from cases import CONTRADICTS, Case, Ours, compare, play

# Where we say something else than the suite, or its case cannot be.
SECTIONS = {
    "unknown user": "RFC 5802 section 7: \"other-error\" and the like may hide who exists; ours gets a salt",
    "SHA-256 no-SASLprep": "RFC 5802 section 2.2: passwords are prepared by SASLprep",
}


def escape(text):
    return re.sub("[\x00-\x1f]", lambda found: f"\x01{chr(ord(found.group()) + 65)}" if found.group() != "\t" else "\t",
                  text)


def ask(ours, command, *fields):
    [said] = ours.probe([escape(f"{command} " + "\t".join(fields))])
    return said.split("\t")


def server(case, ours):
    """The server's messages are every other one; one without success says its error and ends."""
    steps = case["steps"]
    # Names are compared as SASLprep makes them; NFKC is what that does to the suite's.
    user = unicodedata.normalize("NFKC", case["user"])
    said = ask(ours, "scram", case["digest"], user, case["pass"], case["salt64"].strip(), str(case["iters"]),
               case["serverNonce"], *steps[0::2])
    return said, [*steps[1::2], *([""] if case["valid"] else []), "yes" if case["valid"] else "no"]


def client(case, ours):
    steps = case["steps"]
    said = ask(ours, "scram-client", case["digest"], case["user"], case["pass"], case["authID"], case["clientNonce"],
               *steps[1::2])
    return said, [*steps[0::2], "yes"]


def cases(directory, ours):
    for path in sorted(directory.glob("*/*.json")):
        case = json.loads(path.read_text())
        sides = [server] if path.parent.name == "bad-client" else [server, client]
        for side in sides:
            name = f"{case['label']}, our {side.__name__}"
            actual, expected = side(case, ours)
            if actual != expected and case["label"] in SECTIONS:
                yield Case(name, CONTRADICTS, SECTIONS[case["label"]])
            else:
                yield compare(name, actual, expected)


EXCEPTIONS = {}


def run(directory, workbench):
    yield from play(cases(directory, Ours(workbench.build)), EXCEPTIONS)
