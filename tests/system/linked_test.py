"""virtual_delivered_to = no: the recipients of a message share one file, where they can."""

import os
import pathlib
import signal
import subprocess

import pytest

from harness.instance import small_message, wait_until

USERS = [f"user{number}@here.test" for number in range(50)]


@pytest.fixture
def sharing(make_instance):
    return make_instance("here", users=USERS, settings={
        "virtual_delivered_to": "no", "minimal_backoff_time": "1s", "maximal_backoff_time": "2s",
        "virtual_destination_recipient_limit": "50"}).start()


def files_of(instance, users):
    for user in users:
        instance.wait_for_mail(user)
    return {user: [path.stat() for path in instance.messages(user)] for user in users}


def test_one_file_for_all(sharing):
    queue_id = sharing.send(USERS, small_message(body="line\r\n.dot\r\n"))
    files = files_of(sharing, USERS)
    assert all(len(found) == 1 for found in files.values())
    assert len({found[0].st_ino for found in files.values()}) == 1
    assert files[USERS[0]][0].st_nlink == len(USERS)
    [path] = sharing.messages(USERS[7])
    raw = path.read_bytes()
    assert raw.startswith(b"Return-Path: <sender@client.example>\nReceived: ")
    assert b"Delivered-To" not in raw and b"X-Original-To" not in raw
    assert raw.endswith(b"\n\nline\n.dot\n")
    assert path.name.endswith(f",S={len(raw)}")
    for user in USERS:
        assert not list((sharing.maildir(user) / "tmp").iterdir())
        sharing.wait_for_log(rf"{queue_id}: to=<{user}>, relay=virtual, .*, status=sent \(delivered to maildir\)$")
    sharing.wait_for_empty_queue()


def test_a_single_recipient(sharing):
    sharing.send(USERS[0])
    [status] = files_of(sharing, USERS[:1])[USERS[0]]
    assert status.st_nlink == 1
    assert b"Delivered-To" not in sharing.messages(USERS[0])[0].read_bytes()


@pytest.mark.parametrize("broken", [0, 3, 9])
def test_a_broken_mailbox_is_its_owners_trouble_alone(sharing, broken):
    users = USERS[:10]
    obstacle = sharing.maildir(users[broken])
    obstacle.write_text("not a directory\n")
    os.chown(obstacle, sharing.owner, sharing.owner)
    sharing.send(users)
    others = [user for user in users if user != users[broken]]
    files = files_of(sharing, others)
    assert len({found[0].st_ino for found in files.values()}) == 1
    assert files[others[0]][0].st_nlink == len(others)
    sharing.wait_for_log(rf"to=<{users[broken]}>, .*status=deferred")
    obstacle.unlink()
    sharing.wait_for_mail(users[broken])
    sharing.wait_for_empty_queue()
    assert all(len(sharing.messages(user)) == 1 for user in users)


@pytest.mark.own_machine
def test_another_file_system_has_a_file_of_its_own(sharing):
    users = USERS[:8]
    for user in users[2:5]:
        place = sharing.maildir(user)
        place.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"uid={sharing.owner},gid={sharing.owner},mode=0700", "tmpfs",
                        place], check=True)
    try:
        sharing.send(users)
        files = files_of(sharing, users)
        others = [user for user in users if user not in users[2:5]]
        assert len({files[user][0].st_ino for user in others}) == 1
        assert files[others[0]][0].st_nlink == len(others)
        # Each of the three is a file system of its own.
        assert all(files[user][0].st_nlink == 1 for user in users[2:5])
        sharing.wait_for_empty_queue()
        assert all(len(found) == 1 for found in files_of(sharing, users).values())
    finally:
        for user in users[2:5]:
            subprocess.run(["umount", "--lazy", sharing.maildir(user)], check=True)


def test_a_full_mailbox_gets_no_name(sharing):
    users = USERS[:5]
    full = sharing.maildir(users[2])
    for part in ("", "tmp", "new", "cur"):
        (full / part).mkdir()
        os.chown(full / part, sharing.owner, sharing.owner)
    quota = full / "maildirsize"
    quota.write_text("1000S\n990 1\n")
    (full / "cur" / "1.x,S=990:2,").write_text("x" * 990)
    for path in (quota, full / "cur" / "1.x,S=990:2,"):
        os.chown(path, sharing.owner, sharing.owner)
    sharing.send(users)
    others = [user for user in users if user != users[2]]
    files = files_of(sharing, others)
    assert files[others[0]][0].st_nlink == len(others)
    sharing.wait_for_log(rf"to=<{users[2]}>, .*status=deferred \(.*mailbox is full\)$")
    assert not list((full / "new").iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("delivered_to", ["no", "yes"])
def test_owners_from_tables(make_instance, delivered_to):
    """Recipients with the same owner are one worker's, and share a file; who has none waits alone."""
    owners = {user: 58301 + number % 3 for number, user in enumerate(USERS)}
    ownerless = USERS[49]
    here = make_instance("here", users=USERS, settings={
        "virtual_delivered_to": delivered_to, "virtual_gid_maps": "static:58399",
        "virtual_destination_recipient_limit": "50", "virtual_client_limit": "4",
        "minimal_backoff_time": "1s", "maximal_backoff_time": "2s"})
    here.set(virtual_uid_maps=f"texthash:{here.etc}/uids")
    (here.etc / "uids").write_text("".join(f"{user} {uid}\n" for user, uid in owners.items() if user != ownerless))
    for path in (here.mail / "here.test", here.mail, here.directory):
        path.chmod(0o777 if path.name == "here.test" else 0o755)
    here.start()
    queue_id = here.send(USERS)
    files = files_of(here, USERS[:49])
    for uid in set(owners.values()):
        theirs = [files[user] for user in USERS[:49] if owners[user] == uid]
        assert all(len(found) == 1 and (found[0].st_uid, found[0].st_gid) == (uid, 58399) for found in theirs)
        assert len({found[0].st_ino for found in theirs}) == (1 if delivered_to == "no" else len(theirs))
    here.wait_for_log(rf"{queue_id}: to=<{ownerless}>, relay=virtual, .*status=deferred \(recipient .* has no uid or "
                      r"gid\)$")
    # What the tables say next counts for the next message.
    (here.etc / "uids").write_text("".join(f"{user} {uid}\n" for user, uid in owners.items()))
    here.flush()
    [status] = files_of(here, [ownerless])[ownerless]
    assert status.st_uid == owners[ownerless]
    here.wait_for_empty_queue()


def askers():
    """Processes that look owners up; the machine is the test's own."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/comm"):
        try:
            if path.read_text() == "virtual: ?\n":
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found


@pytest.mark.own_machine
def test_who_looks_owners_up_dies(make_instance):
    """Asked, and killed without an answer: each recipient is looked up by itself; the next message is asked
    for again."""
    users = USERS[:6]
    here = make_instance("here", users=users, settings={"virtual_delivered_to": "no", "virtual_gid_maps": "static:58399"})
    here.set(virtual_uid_maps=f"texthash:{here.etc}/uids")
    (here.etc / "uids").write_text("".join(f"{user} 58301\n" for user in users))
    for path in (here.mail / "here.test", here.mail, here.directory):
        path.chmod(0o777 if path.name == "here.test" else 0o755)
    here.start()
    here.send(users)
    here.wait_for_empty_queue()
    [first] = askers()
    os.kill(first, signal.SIGSTOP)
    here.send(users)
    os.kill(first, signal.SIGKILL)
    here.wait_for_empty_queue()
    here.send(users)
    here.wait_for_empty_queue()
    wait_until(lambda: askers() not in ([], [first]), "another one")
    files = files_of(here, users)
    assert all(len(found) == 3 for found in files.values())
    # The second message may have been asked for of another process already.
    assert [status.st_nlink for found in files.values() for status in found].count(6) >= 12
