"""Virtual mailboxes that are files, and mailboxes whose owners stand in tables."""

import fcntl
import mailbox
import os
import subprocess
import sys
import threading

import pytest

from harness.instance import small_message

QUICK = {"minimal_backoff_time": "1s", "maximal_backoff_time": "2s"}
USERS = ["you@here.test", "friend@here.test", "folder@here.test"]


@pytest.fixture
def with_files(make_instance):
    """you@ and friend@ have files, folder@ has a Maildir."""
    one = make_instance("here", users=USERS, settings={
        **QUICK, "virtual_mailbox_limit": "100000", "deliver_lock_attempts": "3", "deliver_lock_delay": "1s"})
    (one.etc / "users").write_text("you@here.test here.test/you\nfriend@here.test here.test/deep/er/friend\n"
                                   "folder@here.test here.test/folder/\n")
    return one.start()


def path_of(instance, user):
    return instance.mail / {"you@here.test": "here.test/you", "friend@here.test": "here.test/deep/er/friend"}[user]


def test_messages_are_appended(with_files):
    for number in range(3):
        queue_id = with_files.send(USERS, small_message(subject=f"letter {number}", body="From here\r\n.dot\r\n"))
        for user in USERS:
            with_files.wait_for_log(rf"{queue_id}: to=<{user}>, relay=virtual, .*status=sent "
                                    rf"\(delivered to mail{'dir' if user[0:2] == 'fo' else 'box'}\)$")
    for user in USERS[:2]:
        path = path_of(with_files, user)
        assert path.stat().st_uid == with_files.owner
        assert path.stat().st_mode & 0o077 == 0
        box = mailbox.mbox(path, create=False)
        assert sorted(message["Subject"] for message in box) == [f"letter {number}" for number in range(3)]
        assert all(message["Delivered-To"] == user for message in box)
        assert path.read_bytes().count(b"\n>From here\n.dot\n") == 3
        assert not path.with_name(path.name + ".lock").exists()
    assert len(with_files.messages("folder@here.test")) == 3
    with_files.wait_for_empty_queue()


def test_a_locked_file_waits(with_files):
    with_files.send("you@here.test")
    with_files.wait_for_log("status=sent")
    path = path_of(with_files, "you@here.test")
    with open(path, "r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        with_files.send("you@here.test")
        with_files.wait_for_log(r"to=<you@here\.test>, .*status=deferred \(cannot update mailbox here\.test/you\. "
                                r"lock it for exclusive access")
    with_files.wait_for_empty_queue()
    assert len(mailbox.mbox(path)) == 2


def test_many_at_once(with_files):
    def send():
        for _ in range(10):
            with_files.send("you@here.test")
    threads = [threading.Thread(target=send) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with_files.wait_for_empty_queue()
    assert len(mailbox.mbox(path_of(with_files, "you@here.test"))) == 40


def test_limit(with_files):
    with_files.send("you@here.test", small_message(body="0123456789\r\n" * 6000))
    with_files.wait_for_log("status=sent")
    with_files.send("you@here.test", small_message(body="0123456789\r\n" * 6000))
    with_files.wait_for_log(r"dsn=5\.2\.2, status=bounced \(cannot update mailbox here\.test/you\. ")
    assert len(mailbox.mbox(path_of(with_files, "you@here.test"))) == 1


def test_a_link_leads_nowhere(with_files):
    outside = with_files.directory / "outside"
    outside.mkdir()
    os.chown(outside, with_files.owner, with_files.owner)
    (with_files.mail / "here.test" / "deep").symlink_to(outside)
    target = with_files.directory / "target"
    target.write_text("keep\n")
    os.chown(target, with_files.owner, with_files.owner)
    (with_files.mail / "here.test" / "you").symlink_to(target)
    with_files.send(["you@here.test", "friend@here.test"])
    for user in USERS[:2]:
        with_files.wait_for_log(rf"to=<{user}>, .*status=deferred")
    assert target.read_text() == "keep\n"
    assert not list(outside.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_owners_from_tables(make_instance):
    """Each mailbox belongs to whom the tables name; virtual_minimum_uid is a floor."""
    uids = {"you": 58201, "friend": 58202, "low": 57, "none": None, "wrong": 58203}
    one = make_instance("here", users=[f"{name}@here.test" for name in uids], settings={
        **QUICK, "virtual_uid_maps": "", "virtual_gid_maps": "static:58299", "virtual_minimum_uid": "1000"})
    one.set(virtual_uid_maps=f"texthash:{one.etc}/uids")
    (one.etc / "uids").write_text("".join(f"{name}@here.test {uid}\n" for name, uid in uids.items() if uid))
    (one.mail / "here.test").chmod(0o777)
    one.mail.chmod(0o755)
    one.directory.chmod(0o755)
    theirs = one.mail / "here.test" / "wrong"
    theirs.mkdir()
    os.chown(theirs, 58250, 58250)
    theirs.chmod(0o777)
    one.start()
    for name in uids:
        one.send(f"{name}@here.test")
    for name in ("you", "friend"):
        one.wait_for_mail(f"{name}@here.test")
        [path] = one.messages(f"{name}@here.test")
        assert (path.stat().st_uid, path.stat().st_gid) == (uids[name], 58299)
    one.wait_for_log(r"to=<low@here\.test>, .*status=deferred \(recipient .* has an owner \(uid 57\) that is not "
                     r"permitted\)$")
    one.wait_for_log(r"to=<none@here\.test>, .*status=deferred \(recipient .* has no uid or gid\)$")
    one.wait_for_log(r"to=<wrong@here\.test>, .*status=deferred \(.*has another owner")
    for name in ("low", "none", "wrong"):
        assert not one.messages(f"{name}@here.test")


# Takes messages out, as the file's owner, until as many have come as it was told; prints their ids.
READER = """
import mailbox, sys, time
path, wanted = sys.argv[1], int(sys.argv[2])
while wanted > 0:
    time.sleep(0.05)
    try:
        box = mailbox.mbox(path, create=False)
        box.lock()
        for key in box.keys():
            print(box[key]["Message-ID"], flush=True)
            box.remove(key)
            wanted -= 1
        box.close()
    except (mailbox.ExternalClashError, mailbox.NoSuchMailboxError, FileNotFoundError):
        pass    # somebody is writing
"""


@pytest.mark.parametrize("lock", ["fcntl, dotlock", "fcntl", "dotlock"], ids=["both", "fcntl", "dotlock"])
def test_a_reader_beside_it(make_instance, lock):
    """Somebody takes messages out of the file while others are appended; the reader locks by fcntl and by
    a dotlock, as Python's mailbox module does. None is lost or twice."""
    one = make_instance("reader", users=["you@here.test"], domain="here.test", settings={
        **QUICK, "virtual_mailbox_lock": lock, "deliver_lock_attempts": "30"})
    (one.etc / "users").write_text("you@here.test here.test/you\n")
    one.start()
    path = one.mail / "here.test" / "you"
    wanted = [f"<{number}@reader.test>" for number in range(40)]
    argv = [sys.executable, "-c", READER, str(path), str(len(wanted))]
    if os.geteuid() == 0:
        argv = ["setpriv", f"--reuid={one.owner}", f"--regid={one.owner}", "--clear-groups", *argv]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as reader:
        try:
            for message_id in wanted:
                one.send("you@here.test", small_message(message_id=message_id[1:-1]))
            one.wait_for_empty_queue(60)
            taken = reader.communicate(timeout=60)[0].split()
        finally:
            reader.kill()
    assert sorted(taken) == sorted(wanted)
    assert path.read_bytes() == b"" and not path.with_name("you.lock").exists()
