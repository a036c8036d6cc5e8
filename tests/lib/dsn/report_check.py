"""tests/lib/dsn/report_check - the sample reports are what RFC 3464, 6522 and 6533 ask for.

Argument: the directory that report_test wrote its samples to. One TAP line per sample."""
import email
import email.policy
import email.utils
import pathlib
import sys

EXPECTED = {
    "failure": {
        "subject": "A Report",
        "to": "a@example.org",
        "types": ["text/plain", "message/delivery-status", "message/rfc822"],
        "message": {
            "Original-Envelope-Id": "QQ+314159",
            "Reporting-MTA": "dns; mail.example.com",
            "X-Posthouse-Queue-ID": "1RpQ0P0000z00000000000000000",
            "X-Posthouse-Sender": "rfc822; a@example.org",
            "Arrival-Date": "Mon, 21 Sep 2026 15:13:20 +0100 (CET)",
        },
        "recipients": [
            {
                "Original-Recipient": "rfc822; sales+x@example.com",
                "Final-Recipient": "rfc822; b@example.net",
                "Action": "failed",
                "Status": "5.1.1",
                "Remote-MTA": "dns; mx.example.net",
                "Diagnostic-Code": "smtp; 550 5.1.1 <b@example.net>: Recipient address rejected: "
                "User unknown in virtual mailbox table",
                "Last-Attempt-Date": "Mon, 21 Sep 2026 15:15:00 +0100 (CET)",
            },
            {
                "Final-Recipient": 'rfc822; "odd name"@example.org',
                "Action": "failed",
                "Status": "5.4.6",
                "Diagnostic-Code": "X-Posthouse; mail for example.org loops back to myself",
            },
        ],
    },
    "delay": {
        "subject": "A Report",
        "to": "a@example.org",
        "types": ["text/plain", "message/delivery-status", "text/rfc822-headers"],
        "recipients": [{"Will-Retry-Until": "Sat, 26 Sep 2026 15:13:20 +0100 (CET)"}, {}],
        "header": {"References": "<original@example.org>", "In-Reply-To": "<original@example.org>"},
    },
    "success": {
        "subject": "A Report",
        "to": "a@example.org",
        "types": ["text/plain", "message/delivery-status", "text/rfc822-headers"],
        "recipients": [{}, {}],
    },
    "postmaster": {
        "subject": "Postmaster Copy: A Report",
        "to": "postmaster@example.com",
        "types": ["text/plain", "message/delivery-status", "message/rfc822"],
        "recipients": [{}, {}],
    },
    "international": {
        "subject": "A Report",
        "to": "änne@example.org",
        "types": ["text/plain", "message/global-delivery-status", "message/global"],
        "recipients": [
            {
                "Original-Recipient": "utf-8; j\\x{F6}rg@b\\x{FC}cher.example",
                "Final-Recipient": "utf-8; jörg@bücher.example",
                "Diagnostic-Code": 'X-Posthouse; unknown user: "jörg"',
            }
        ],
    },
}


def parts_of(raw, boundary):
    """The parts as bytes: Python's parser refuses to look into message/global."""
    delimiter = b"\r\n--" + boundary.encode()
    pieces = raw.split(delimiter)
    assert pieces[-1] == b"--\r\n", "the end"
    parts = []
    for piece in pieces[1:-1]:
        assert piece.startswith(b"\r\n"), "a delimiter line"
        head, body = piece[2:].split(b"\r\n\r\n", 1)
        parts.append((email.message_from_bytes(head + b"\r\n\r\n", policy=email.policy.SMTP), body))
    return parts


def groups_of(body):
    """Groups of fields, unfolded (RFC 3464 section 2.1)."""
    groups = []
    for group in body.decode("utf-8").strip("\r\n").split("\r\n\r\n"):
        fields = {}
        for line in group.replace("\r\n ", " ").split("\r\n"):
            name, value = line.split(": ", 1)
            assert name not in fields, "repeated " + name
            fields[name] = value
        groups.append(fields)
    return groups


def check(name, raw, expected):
    message = email.message_from_bytes(raw, policy=email.policy.SMTP.clone(utf8=True))
    assert not message.defects, message.defects
    assert message["Subject"] == expected["subject"]
    assert email.utils.parseaddr(str(message["From"])) == (
        "Mail Delivery System",
        "MAILER-DAEMON@example.com",
    ), message["From"]
    assert ("To: <%s>\r\n" % expected["to"]).encode() in raw
    assert message["Auto-Submitted"] == "auto-replied"
    assert email.utils.parsedate_to_datetime(str(message["Date"])).timestamp() == 1790000200
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    for field, value in expected.get("header", {}).items():
        assert message[field] == value, field
    head, body = raw.split(b"\r\n\r\n", 1)
    parts = parts_of(body, message.get_boundary())
    assert [part.get_content_type() for part, _ in parts] == expected["types"]
    for part, content in parts:
        assert not part.defects, part.defects
        if any(byte > 127 for byte in content):
            assert part["Content-Transfer-Encoding"] == "8bit", part.get_content_type()
            assert message["Content-Transfer-Encoding"] == "8bit"
        else:
            assert part["Content-Transfer-Encoding"] in (None, "8bit")
    groups = groups_of(parts[1][1])
    for field, value in expected.get("message", {}).items():
        assert groups[0][field] == value, (field, groups[0][field])
    assert len(groups) == 1 + len(expected["recipients"])
    for group, fields in zip(groups[1:], expected["recipients"]):
        for field in ("Final-Recipient", "Action", "Status"):
            assert field in group, field
        if fields and name == "failure":
            assert set(group) == set(fields), set(group) ^ set(fields)
        for field, value in fields.items():
            assert group[field] == value, (field, group[field])
    if name == "failure":  # and by Python alone, which knows these types
        assert [part.get_content_type() for part in message.iter_parts()] == expected["types"]
        status = message.get_payload()[1].get_payload()
        assert status[1]["Status"] == "5.1.1" and status[2]["Status"] == "5.4.6"
        original = message.get_payload()[2].get_payload()[0]
        assert original["Subject"] == "hello"
        assert original.get_payload().rstrip("\r\n") == "The original text"


def main():
    directory = pathlib.Path(sys.argv[1])
    print("1..%d" % len(EXPECTED))
    failed = 0
    for number, (name, expected) in enumerate(EXPECTED.items(), 1):
        try:
            check(name, (directory / (name + ".eml")).read_bytes(), expected)
            print("ok %d - %s" % (number, name))
        except Exception as error:  # a test reports whatever went wrong
            failed = 1
            print("not ok %d - %s: %s: %s" % (number, name, type(error).__name__, error))
    return failed


if __name__ == "__main__":
    sys.exit(main())
