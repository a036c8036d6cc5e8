"""tests/harness/reports - is this a report as RFC 6522, 3464 and 6533 have it?

check(raw) reads bytes, without Python's email package (which overlooks what it does not like), and
returns (header, text, message fields, {final recipient: fields}, type of the third part). It raises
AssertionError for whatever is not as it should be.

Callers: tests/system."""

import re

ACTIONS = {"failed", "delayed", "delivered", "relayed", "expanded"}
VERIFY_ACTIONS = {"deliverable", "undeliverable"}
DATE = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), [ 0-3]\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
                  r" \d{4} \d\d:\d\d:\d\d [+-]\d{4}( \(\w+\))?")
ATOM = r"[!#$%&'*+/=?^_`{|}~0-9A-Za-z-]+"


def fields_of(block):
    """Unfolded fields, in a dictionary: no report of ours has one twice."""
    fields = {}
    lines = block.split(b"\r\n")
    for line in lines:
        assert b"\n" not in line and b"\r" not in line, ("bare CR or LF", line)
        assert len(line) <= 998, "RFC 5322 section 2.1.1"
    for line in re.sub(rb"\r\n(?=[ \t])", b"", block).split(b"\r\n"):
        name, separator, value = line.decode("utf-8").partition(":")
        assert separator and re.fullmatch(r"[!-9;-~]+", name), ("no field", line)
        assert name.lower() not in {known.lower() for known in fields} or name == "Received", ("twice", name)
        fields[name] = value.strip()
    return fields


def split_parts(body, boundary):
    pieces = (b"\r\n" + body).split(b"\r\n--" + boundary)
    assert len(pieces) == 5, f"three parts, not {len(pieces) - 2}"
    assert pieces[-1].startswith(b"--\r\n"), "the closing delimiter"
    parts = []
    for piece in pieces[1:-1]:
        assert piece.startswith(b"\r\n")
        head, _, content = piece[2:].partition(b"\r\n\r\n")
        parts.append((fields_of(head), content))
    return parts


def check_recipient(fields, is_verification, is_utf8):
    for name in ("Final-Recipient", "Action", "Status"):
        assert name in fields, f"RFC 3464 section 2.3: {name}"
    kind, _, address = fields["Final-Recipient"].partition("; ")
    assert kind == ("rfc822" if address.isascii() else "utf-8") and address
    assert address.isascii() or is_utf8, "RFC 6533 section 4"
    if "Original-Recipient" in fields:
        assert re.match(ATOM + "; .", fields["Original-Recipient"])
    action = fields["Action"]
    assert action in (VERIFY_ACTIONS | ACTIONS if is_verification else ACTIONS), action
    assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", fields["Status"]), fields["Status"]
    expected = {"failed": "5", "delayed": "4", "delivered": "2", "relayed": "2", "expanded": "2"}
    assert fields["Status"][0] == expected.get(action, fields["Status"][0]), (action, fields["Status"])
    if "Remote-MTA" in fields:
        assert re.match("dns; .", fields["Remote-MTA"])
    if "Diagnostic-Code" in fields:
        kind, _, text = fields["Diagnostic-Code"].partition("; ")
        assert re.fullmatch(ATOM, kind) and text
        assert kind != "smtp" or re.match(r"[245]\d\d[ -]", text), "RFC 3464 section 2.3.6"
    for name in ("Last-Attempt-Date", "Will-Retry-Until"):
        assert name not in fields or DATE.fullmatch(fields[name]), fields.get(name)
    assert "Will-Retry-Until" not in fields or action == "delayed", "RFC 3464 section 2.3.9"


def check(raw):
    raw = raw if b"\r\n" in raw else raw.replace(b"\n", b"\r\n")
    head, _, body = raw.partition(b"\r\n\r\n")
    header = fields_of(head)
    for name in ("Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Auto-Submitted"):
        assert name in header, name
    assert header["Auto-Submitted"] == "auto-replied", "RFC 3834 section 5"
    assert DATE.fullmatch(header["Date"])
    match = re.fullmatch(r'multipart/report; report-type=delivery-status; *boundary="([^"]{1,70})"',
                         header["Content-Type"])
    assert match, header["Content-Type"]
    is_8bit = any(byte > 127 for byte in body)
    assert (header.get("Content-Transfer-Encoding", "7bit") == "8bit") or not is_8bit
    parts = split_parts(body, match.group(1).encode())
    for fields, content in parts:
        encoding = fields.get("Content-Transfer-Encoding", "7bit")
        assert encoding == "8bit" or not any(byte > 127 for byte in content), fields
    (text_head, text), (status_head, status), (returned_head, _returned) = parts
    assert text_head["Content-Type"].startswith("text/plain; charset=")
    is_utf8 = status_head["Content-Type"] == "message/global-delivery-status"
    assert is_utf8 or status_head["Content-Type"] == "message/delivery-status"
    returned = returned_head["Content-Type"]
    assert returned in ("message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers")
    message, *recipients = [fields_of(group) for group in status.strip(b"\r\n").split(b"\r\n\r\n")]
    assert re.match("dns; .", message["Reporting-MTA"]), "RFC 3464 section 2.2.2"
    assert DATE.fullmatch(message["Arrival-Date"])
    assert recipients, "RFC 3464 section 2.1: at least one recipient"
    is_verification = header["Subject"] == "Mail Delivery Status Report"
    for fields in recipients:
        check_recipient(fields, is_verification, is_utf8)
    by_address = {fields["Final-Recipient"].partition("; ")[2]: fields for fields in recipients}
    assert len(by_address) == len(recipients), "a recipient twice"
    return header, text.decode("utf-8"), message, by_address, returned
