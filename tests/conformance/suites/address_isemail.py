"""Suite address-isemail: which texts are mailboxes of RFC 5321, and which stand in headers only."""

import xml.etree.ElementTree

from cases import CONTRADICTS, FAILS, PASSES, Case, Ours, play

# Of the suite's categories, those whose addresses SMTP takes (RFC 5321 section 4.1.2).
IN_SMTP = {"ISEMAIL_VALID_CATEGORY", "ISEMAIL_DNSWARN", "ISEMAIL_RFC5321"}
NEVER = {"ISEMAIL_ERR"}

# Where the suite's verdict is not the RFC's, for SMTP.
SECTIONS = {
    "ISEMAIL_RFC5321_IPV6DEPRECATED": "RFC 5321 section 4.1.3: \"::\" stands for two groups or more",
    "ISEMAIL_RFC5322_TOOLONG": "RFC 5321 section 4.5.3.1.3: too long",
    "ISEMAIL_RFC5322_LOCAL_TOOLONG": "RFC 5321 section 4.5.3.1.1: too long",
}


def escape(text):
    """Control characters stand as U+2400 and following; the probe reads them behind a byte 1."""
    plain = "".join(chr(ord(c) - 0x2400) if 0x2400 <= ord(c) < 0x2420 else c for c in text)
    return "".join(f"\x01{chr(ord(c) + 65)}" if ord(c) < 32 else c for c in plain)


def cases(directory, ours):
    tests = xml.etree.ElementTree.parse(directory / "tests.xml").getroot().findall("test")
    rows = [(test.get("id"), test.findtext("address") or "", test.findtext("category"),
             test.findtext("diagnosis")) for test in tests]
    in_smtp = ours.probe([f"mailbox {escape(address)}" for _, address, _, _ in rows])
    in_header = ours.probe([f"header {escape(address)}" for _, address, _, _ in rows])
    for (number, address, category, diagnosis), smtp, header in zip(rows, in_smtp, in_header):
        name = f"{number} {address!r} {diagnosis}"
        expected = "ok" if category in IN_SMTP else "no"
        if smtp != expected and diagnosis in SECTIONS:
            yield Case(name, CONTRADICTS, SECTIONS[diagnosis])
        elif smtp != expected:
            yield Case(name, FAILS, f"as an SMTP mailbox: {smtp}")
        elif category not in IN_SMTP | NEVER and header != "ok":
            yield Case(name, CONTRADICTS, SECTIONS.get(diagnosis, "")) if diagnosis in SECTIONS else \
                Case(name, FAILS, "not taken in a header")
        else:
            yield Case(name, PASSES)


EXCEPTIONS = {}


def run(directory, workbench):
    yield from play(cases(directory, Ours(workbench.build)), EXCEPTIONS)
