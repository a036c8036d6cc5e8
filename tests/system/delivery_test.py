"""Into a Maildir: what is delivered, how it is logged, that nothing is left behind."""

import re

import pytest

from harness.instance import small_message


def body_of(raw):
    return raw.split(b"\n\n", 1)[1]


def test_message_arrives_whole(here):
    content = small_message(recipients=["you@here.test"], body="First line.\r\n.dot\r\n..dots\r\n\r\nLast.\r\n")
    here.send("you@here.test", content)
    [message] = here.wait_for_mail("you@here.test")
    raw = here.messages("you@here.test")[0].read_bytes()
    assert body_of(raw) == b"First line.\n.dot\n..dots\n\nLast.\n"
    assert message["Return-Path"] == "<sender@client.example>"
    assert message["Delivered-To"] == "you@here.test"
    assert message["Subject"] == "a letter"
    assert list(message.keys())[:3] == ["Return-Path", "X-Original-To", "Delivered-To"]
    here.wait_for_empty_queue()


def test_received_header(here):
    queue_id = here.send("you@here.test")
    [message] = here.wait_for_mail("you@here.test")
    received = re.sub(r"\s+", " ", message["Received"])
    # RFC 5321 section 4.4: from, by, with, id, for, and a date after the semicolon.
    assert re.match(r"from client\.example \(.*\[127\.0\.0\.1\]\) by mx\.here\.test \(.*\) with ESMTP "
                    rf"id {queue_id} for <you@here\.test>; ", received), received


def test_no_address_in_received_with_two_recipients(here):
    here.send(["you@here.test", "friend@here.test"])
    for user in ("you@here.test", "friend@here.test"):
        [message] = here.wait_for_mail(user)
        assert message["Delivered-To"] == user
        assert " for <" not in re.sub(r"\s+", " ", message["Received"])
    here.wait_for_empty_queue()


def test_file_is_private_and_belongs_to_the_mailbox_owner(here):
    here.send("you@here.test")
    here.wait_for_mail("you@here.test")
    [path] = here.messages("you@here.test")
    status = path.stat()
    assert status.st_uid == here.owner
    assert status.st_mode & 0o077 == 0
    assert path.parent.name == "new"
    assert not list((here.maildir("you@here.test") / "tmp").iterdir())


@pytest.mark.parametrize("size", [0, 1, 1000, 70_000, 5_000_000])
def test_sizes(here, size):
    line = "0123456789" * 7 + "\r\n"
    body = (line * (size // len(line) + 1))[:size]
    if body and not body.endswith("\r\n"):
        body += "\r\n"
    here.send("you@here.test", small_message(body=body))
    here.wait_for_mail("you@here.test")
    raw = here.messages("you@here.test")[0].read_bytes()
    assert body_of(raw) == body.replace("\r\n", "\n").encode()


def test_eight_bit_content(here):
    content = small_message(body="").rstrip(b"\r\n") + b"\r\n\r\n" + bytes(range(128, 256)) + b"\r\n"
    here.send("you@here.test", content, options=["BODY=8BITMIME"])
    here.wait_for_mail("you@here.test")
    assert body_of(here.messages("you@here.test")[0].read_bytes()) == bytes(range(128, 256)) + b"\n"


def test_journey_in_the_log(here):
    queue_id = here.send("you@here.test", small_message(message_id="journey@client.example"))
    here.wait_for_log(f"{queue_id}: removed$")
    tag = r"^.{15,32} \S+ \S+/%s\[\d+\]: "
    for daemon, text in (
            ("smtpd", r"connect from \S+\[127\.0\.0\.1\]$"),
            ("smtpd", rf"{queue_id}: client=\S+\[127\.0\.0\.1\]$"),
            (r"\w+", rf"{queue_id}: message-id=<journey@client\.example>$"),
            ("qmgr", rf"{queue_id}: from=<sender@client\.example>, size=\d+, nrcpt=1 \(queue active\)$"),
            ("virtual", rf"{queue_id}: to=<you@here\.test>, relay=virtual, delay=[\d.]+, "
                        r"delays=[\d.]+/[\d.]+/[\d.]+/[\d.]+, dsn=2\.0\.0, status=sent "
                        r"\(delivered to maildir\)$"),
            ("qmgr", rf"{queue_id}: removed$"),
            ("smtpd", r"disconnect from \S+\[127\.0\.0\.1\] ehlo=\d+ mail=1 rcpt=1 data=1 quit=1 "
                      r"commands=\d+$")):
        here.wait_for_log(tag % daemon + text)


def test_many_messages_on_many_connections(here):
    ids = set()
    for _ in range(5):
        with here.client() as client:
            for _ in range(20):
                client.sendmail("sender@client.example", ["you@here.test"], small_message())
    messages = here.wait_for_mail("you@here.test", 100)
    ids = {message["Message-ID"] for message in messages}
    assert len(messages) == len(ids) == 100
    here.wait_for_empty_queue()


def test_address_extension(make_instance):
    one = make_instance("here", settings={"recipient_delimiter": "+"}).start()
    one.send("you+lists@here.test")
    [message] = one.wait_for_mail("you@here.test")
    assert message["Delivered-To"] == "you+lists@here.test"


def test_recipient_is_matched_without_case(here):
    here.send("YOU@Here.Test")
    here.wait_for_mail("you@here.test")


@pytest.mark.own_machine
def test_system_user_gets_a_maildir(make_instance, workspace):
    """local: a mailbox of a user in the passwd file, below the home directory, as that user."""
    import pathlib
    from harness import peers
    home = workspace / "home-traveller"
    home.mkdir(exist_ok=True)
    import os
    os.chown(home, 57200, 57200)
    peers.replace_file("/etc/passwd", pathlib.Path("/etc/passwd").read_text() +
                       f"traveller:x:57200:57200::{home}:/bin/sh\n", workspace)
    one = make_instance("here", settings={
        "mydestination": "local.test", "home_mailbox": "Maildir/", "alias_maps": "",
        "local_recipient_maps": "inline:{ traveller=x }"}).start()
    queue_id = one.send("traveller@local.test")
    one.wait_for_log(rf"{queue_id}: to=<traveller@local\.test>, relay=local, .*status=sent "
                     r"\(delivered to maildir\)")
    [path] = (home / "Maildir/new").iterdir()
    assert path.stat().st_uid == 57200
    with one.client() as client:
        client.ehlo()
        client.mail("sender@client.example")
        code, text = client.rcpt("nobody-of-that-name@local.test")
    assert code == 550 and b"User unknown in local recipient table" in text


def test_many_messages_to_many_mailboxes(make_instance):
    """More files at once than a process may have open: they take turns, and none is put off."""
    users = [f"user{i}@here.test" for i in range(50)]
    one = make_instance("here", users=users).start()
    clients = [one.client() for _ in range(60)]
    for client in clients:
        client.ehlo()
        client.mail("sender@client.example")
        for user in users:
            assert client.rcpt(user)[0] == 250
    for client in clients:      # 3,000 deliveries, as close together as one sender can have them
        assert client.data(small_message())[0] == 250
        client.quit()
    one.wait_for_empty_queue()
    assert "status=deferred" not in one.log()
    assert all(len(one.messages(user)) == 60 for user in users)
