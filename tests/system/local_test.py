"""local: aliases, .forward files, mailboxes and commands of the users of this system, as root, with
users in a passwd file of the test's own."""

import contextlib
import email
import os
import pathlib
import re
import shutil
import signal
import stat
import subprocess
import time

import pytest
from harness import instance, more_peers, peers

pytestmark = pytest.mark.own_machine

FIRST_UID = 57300
USERS = ("alice", "bob", "carol", "eve", "posthouse-qmgr")


class People:
    """System users with home directories, and an instance that they are local to."""

    def __init__(self, workspace, make_instance):
        self.workspace = workspace
        self.make_instance = make_instance
        self.base = pathlib.Path(workspace) / "people"
        shutil.rmtree(self.base, ignore_errors=True)
        self.base.mkdir(mode=0o755)
        self.spool = self.base / "spool"
        self.spool.mkdir()
        self.spool.chmod(0o1777)
        lines = []
        for number, name in enumerate(USERS):
            home = self.home(name)
            home.mkdir(mode=0o755)
            os.chown(home, FIRST_UID + number, FIRST_UID + number)
            lines.append(f"{name}:x:{FIRST_UID + number}:{FIRST_UID + number}::{home}:/bin/sh\n")
        original = pathlib.Path(workspace) / "passwd-before"
        if not original.exists():
            original.write_text(pathlib.Path("/etc/passwd").read_text())
        peers.replace_file("/etc/passwd", original.read_text() + "".join(lines), workspace)
        self.here = None

    def home(self, name):
        return self.base / name

    def uid(self, name):
        return FIRST_UID + USERS.index(name)

    def start(self, aliases=None, **settings):
        values = {"mydestination": "here.test", "virtual_mailbox_domains": "", "myorigin": "here.test",
                  "recipient_delimiter": "+", "local_recipient_maps": "",
                  "minimal_backoff_time": "1s", "maximal_backoff_time": "2s"}
        if aliases is not None:
            values["alias_maps"] = f"hash:{self.aliases(aliases)}"
        values.update(settings)
        self.here = self.make_instance("here", settings=values).start()
        return self.here

    def aliases(self, text, name="aliases", owner=0):
        """A table of aliases, built by postalias."""
        path = self.base / name
        path.write_text(text)
        path.chmod(0o644)
        maker = self.here or self.make_instance("maker", uid_base=59800)
        maker.run("postalias", f"hash:{path}", check=True)
        for file in (path, path.with_suffix(".db") if path.suffix else pathlib.Path(f"{path}.db")):
            os.chown(file, owner, owner)
        return path

    def write(self, name, path, text, mode=0o644, owner=None):
        """A file in a user's home directory."""
        file = self.home(name) / path
        file.write_text(text)
        file.chmod(mode)
        uid = self.uid(name) if owner is None else owner
        os.chown(file, uid, uid)
        return file

    def mail(self, name, folder="Maildir"):
        box = self.home(name) / folder
        files = [path for part in ("new", "cur") if (box / part).is_dir() for path in (box / part).iterdir()]
        for path in files:
            assert path.stat().st_uid == self.uid(name)
        return [email.message_from_bytes(path.read_bytes()) for path in files]

    def wait_for_mail(self, name, count=1, folder="Maildir"):
        instance.wait_until(lambda: len(self.mail(name, folder)) >= count, f"{count} messages for {name}")
        return self.mail(name, folder)

    def log_of(self, queue_id, address):
        """What became of the recipient: (relay, dsn, status, text)."""
        match = self.here.wait_for_log(
            rf"{queue_id}: to=<{re.escape(address)}>,.* relay=(\S+), .*dsn=(\S+), status=(\S+) \((.*)\)$")
        return match.groups()

    def send(self, recipient, **arguments):
        """Sends, and says what became of it."""
        queue_id = self.here.send(recipient, **arguments)
        return self.log_of(queue_id, recipient)


@pytest.fixture
def people(workspace, make_instance):
    return People(workspace, make_instance)


# ---- aliases


def test_alias_to_addresses_commands_files_and_include(people):
    out = people.base / "out"
    out.mkdir()
    out.chmod(0o777)
    (people.base / "list").write_text("# people\nbob@here.test\ncarol, bob\n")
    people.start(f"""team: alice, :include:{people.base}/list
program: "|cat > {out}/command; id -un >> {out}/command"
archive: {out}/box
many: alice, {out}/many, "|cat > {out}/many-command"
nothing: /dev/null
""")
    relay, dsn, status, text = people.send("team@here.test")
    assert (relay, dsn, status) == ("local", "2.0.0", "sent") and text.startswith("forwarded as ")
    for name in ("alice", "bob", "carol"):
        [message] = people.wait_for_mail(name)
        assert message.get_all("Delivered-To") == [f"{name}@here.test", "team@here.test"]
        assert message["X-Original-To"] == "team@here.test"
    people.here.wait_for_empty_queue()
    assert len(people.mail("bob")) == 1

    relay, dsn, status, text = people.send("program@here.test")
    assert (dsn, status) == ("2.0.0", "sent") and text.startswith("delivered to command: cat > ")
    lines = (out / "command").read_text().splitlines()
    assert lines[0].startswith("From sender@client.example  ") and lines[-1] == "nobody"
    assert "Delivered-To: program@here.test" in lines

    assert people.send("archive@here.test")[2:] == ("sent", f"delivered to file: {out}/box")
    people.send("archive@here.test")
    text = (out / "box").read_text()
    assert len(re.findall(r"^From sender@client\.example  ", text, re.MULTILINE)) == 2
    assert (out / "box").stat().st_uid == 65534 and stat.S_IMODE((out / "box").stat().st_mode) == 0o600

    text = people.send("many@here.test")[3]
    assert f"delivered to file: {out}/many; delivered to command: " in text and "forwarded as" in text
    people.wait_for_mail("alice", 2)
    assert people.send("nothing@here.test")[2:] == ("sent", "delivered to file: /dev/null")


def test_alias_with_one_that_is_no_address(people):
    """It fails by itself; the others have their mail."""
    people.start(f"team: alice, {'x' * 1015}\n")
    people.here.send("team@here.test", sender="bob@here.test")
    people.wait_for_mail("alice")
    people.here.wait_for_log(r"to=<xxx.*dsn=5\.1\.3, status=bounced")
    [report] = people.wait_for_mail("bob")
    assert "Undelivered" in report["Subject"]


def test_alias_of_a_user_and_of_others(people):
    people.start("alice: \\alice, bob\nbob: bob\nroot: alice\n")
    people.send("root@here.test")
    people.wait_for_mail("alice")
    [message] = people.wait_for_mail("bob")
    assert message.get_all("Delivered-To") == ["bob@here.test", "alice@here.test", "root@here.test"]
    people.here.wait_for_empty_queue()
    assert len(people.mail("alice")) == 1 and len(people.mail("bob")) == 1


def test_alias_of_a_user_who_forwards_and_of_others(people):
    """The user's .forward makes a message, and what the alias has besides makes another."""
    people.start("bob: bob, alice\n")
    people.write("bob", ".forward", "carol@here.test\n")
    people.send("bob@here.test")
    people.wait_for_mail("carol")
    people.wait_for_mail("alice")
    people.here.wait_for_empty_queue()
    assert [len(people.mail(name)) for name in ("alice", "bob", "carol")] == [1, 0, 1]


def test_loops_end(people):
    people.start("a: b\nb: c\nc: a\n")
    people.here.send("a@here.test", sender="alice@here.test")
    people.here.wait_for_log(r"dsn=5\.4\.6, status=bounced \(mail forwarding loop for a@here\.test\)")
    [report] = people.wait_for_mail("alice")
    assert "mail forwarding loop" in report.as_string()
    people.here.wait_for_empty_queue()


def test_owner_of_a_list(people):
    people.start("list: bob@here.test, nobody-there@here.test\nowner-list: alice\n")
    people.here.send("list@here.test", sender="carol@here.test")
    [message] = people.wait_for_mail("bob")
    assert message["Return-Path"] == "<owner-list@here.test>"
    [report] = people.wait_for_mail("alice")
    assert report.get_content_type() == "multipart/report"
    people.here.wait_for_empty_queue()
    assert not people.mail("carol")


def test_a_table_of_somebody_elses(people):
    """Commands run as the table's owner, and a table that says nothing passes on to the next."""
    out = people.home("eve") / "out"
    people.start("bob: carol\n", alias_maps="")
    table = people.aliases(f'eves: "|id -un > {out}"\n', "eves", owner=people.uid("eve"))
    first = people.aliases("bob: carol\n", "first")
    people.here.set(alias_maps=f"hash:{first}, hash:{table}")
    people.here.reload()
    assert people.send("eves@here.test")[2] == "sent"
    assert out.read_text() == "eve\n"
    people.send("bob@here.test")
    people.wait_for_mail("carol")
    people.send("alice@here.test")
    people.wait_for_mail("alice")


def test_restrictions(people):
    out = people.base / "out"
    out.mkdir(mode=0o777)
    out.chmod(0o777)
    eves = people.write("eve", "list", f'"|touch {out}/eve", {out}/eve-file\n')
    world = people.write("eve", "world", "bob\n", mode=0o666)
    roots = people.base / "roots-list"
    roots.write_text(f'"|touch {out}/root"\n')
    people.start(f"""command: "|touch {out}/never"
file: {out}/never
eves: :include:{eves}
world: :include:{world}
relative: :include:list
roots: :include:{roots}
endless: :include:{people.base}/endless
""", allow_mail_to_commands="forward", allow_mail_to_files="forward")
    (people.base / "endless").write_text(f":include:{people.base}/endless\nbob\n")
    assert people.send("command@here.test")[1:] == ("5.7.1", "bounced", "mail to command is restricted")
    assert people.send("file@here.test")[1:] == ("5.7.1", "bounced", "mail to file is restricted")
    assert people.send("roots@here.test")[1:] == ("5.7.1", "bounced", "mail to command is restricted")
    assert people.send("eves@here.test")[1:] == (
        "5.7.1", "bounced", "mail to command is restricted; mail to file is restricted")
    for name in ("world", "relative"):
        assert people.send(f"{name}@here.test")[1:3] == ("4.3.5", "deferred"), name
    people.send("endless@here.test")
    people.wait_for_mail("bob")
    assert not list(out.iterdir())


def test_a_table_that_anybody_may_write_to(people):
    people.start("bob: carol\n")
    os.chmod(f"{people.base}/aliases.db", 0o666)
    dsn, status, text = people.send("bob@here.test")[1:]
    assert (dsn, status) == ("4.3.5", "deferred") and text.startswith("anybody may write to alias table ")
    os.chmod(f"{people.base}/aliases.db", 0o644)
    people.here.flush()
    people.wait_for_mail("carol")


# ---- users

def test_nobody_delivers_as_root_or_as_a_daemon(people):
    """Whoever took such a worker over would have the queue, or everything."""
    people.start(home_mailbox="", mail_spool_directory=str(people.spool))
    for name, advice in (("root", "give root an alias"), ("posthouse-qmgr", "give it an alias")):
        _, dsn, status, text = people.send(f"{name}@here.test")
        assert (dsn, status) == ("4.2.0", "deferred") and advice in text, text
        assert not (people.spool / name).exists()


def test_root_whose_mailbox_another_transport_has(people):
    """It is not ours to write, so it needs nobody's rights."""
    people.start("", mailbox_transport="discard")
    assert people.send("root@here.test")[0::2] == ("none", "sent")
    people.here.set(mailbox_transport="", mailbox_transport_maps="inline:{alice=discard}")
    people.here.reload()
    assert people.send("alice@here.test")[0::2] == ("none", "sent")
    _, _, status, text = people.send("root@here.test")
    assert status == "deferred" and "give root an alias" in text


@pytest.mark.parametrize("entry", ["root", "\\root", "Root@here.test"])
def test_an_alias_of_root_that_has_others_besides(people, entry):
    """They get it, once; root has no mailbox here. Where nobody else is named it waits."""
    people.start(f"root: {entry}, alice\nposthouse-qmgr: posthouse-qmgr, /dev/null\n")
    people.here.tolerate("root is not delivered as root|of the mail system, is not delivered")
    queue_id = people.here.send("root@here.test")
    assert people.log_of(queue_id, "root@here.test")[2] == "sent"
    people.wait_for_mail("alice")
    assert people.send("posthouse-qmgr@here.test")[2] == "deferred"
    instance.wait_until(lambda: len(people.here.queue()) == 1, "the other has gone")
    assert len(people.mail("alice")) == 1
    people.here.wait_for_log(rf"warning: {queue_id}: .*root is not delivered as root.*leaves it out")


# ---- .forward


def test_forward_file(people):
    out = people.home("alice") / "out"
    people.start("")
    people.write("alice", ".forward", f'\\alice, bob@here.test\n# nothing\n"|env > {out}; cat >> {out}"\n')
    text = people.send("alice+lists@here.test")[3]
    assert "delivered to command: " in text and "delivered to maildir" in text and "forwarded as" in text
    people.wait_for_mail("alice")
    [message] = people.wait_for_mail("bob")
    assert message.get_all("Delivered-To") == ["bob@here.test", "alice+lists@here.test"]
    said = dict(line.split("=", 1) for line in out.read_text().split("\n\n")[0].splitlines() if "=" in line)
    assert {name: said.get(name) for name in (
        "USER", "LOGNAME", "HOME", "SHELL", "LOCAL", "EXTENSION", "DOMAIN", "RECIPIENT",
        "ORIGINAL_RECIPIENT", "SENDER", "CLIENT_ADDRESS", "CLIENT_HELO", "CLIENT_PROTOCOL")} == {
            "USER": "alice", "LOGNAME": "alice", "HOME": str(people.home("alice")), "SHELL": "/bin/sh",
            "LOCAL": "alice+lists", "EXTENSION": "lists", "DOMAIN": "here.test",
            "RECIPIENT": "alice+lists@here.test", "ORIGINAL_RECIPIENT": "alice+lists@here.test",
            "SENDER": "sender@client.example", "CLIENT_ADDRESS": "127.0.0.1",
            "CLIENT_HELO": "client.example", "CLIENT_PROTOCOL": "ESMTP"}

    # One of its own for an extension.
    people.write("alice", ".forward+work", "carol@here.test\n")
    people.send("alice+work@here.test")
    people.wait_for_mail("carol")
    assert len(people.mail("alice")) == 1


@pytest.mark.parametrize("trouble", ["owner", "writable", "link", "directory", "fifo", "empty"])
def test_forward_file_that_is_not_followed(people, trouble):
    path = people.home("alice") / ".forward"
    out = people.base / "out"
    out.mkdir()
    out.chmod(0o777)
    text = f'"|touch {out}/ran", bob\n'
    if trouble == "owner":
        people.write("alice", ".forward", text, owner=people.uid("eve"))
    elif trouble == "writable":
        people.write("alice", ".forward", text, mode=0o666)
    elif trouble == "link":
        path.symlink_to(people.write("eve", "forward", text))
    elif trouble == "directory":
        path.mkdir()
    elif trouble == "fifo":
        os.mkfifo(path)
        os.chown(path, people.uid("alice"), people.uid("alice"))
    else:
        people.write("alice", ".forward", "# nobody\n")
    people.start("")
    assert people.send("alice@here.test")[2:] == ("sent", "delivered to maildir")
    if trouble != "empty":
        people.here.wait_for_log(r"local\.note: .*\.forward is passed over: ")
    people.here.wait_for_empty_queue()
    assert not list(out.iterdir()) and not people.mail("bob")


def test_forward_loop_between_users(people):
    people.start("")
    people.write("alice", ".forward", "bob@here.test\n")
    people.write("bob", ".forward", "alice@here.test\n")
    people.here.send("alice@here.test", sender="carol@here.test")
    [report] = people.wait_for_mail("carol")
    assert "mail forwarding loop for alice@here.test" in report.as_string()
    people.here.wait_for_empty_queue()


# ---- commands


def test_exit_statuses_and_output(people):
    people.start("")
    for script, dsn, status, text in (
            ("exit 67", "5.1.1", "bounced", "user unknown"),
            ("exit 75", "4.3.0", "deferred", "temporary failure"),
            ("echo full up; exit 75", "4.3.0", "deferred", "temporary failure. Command output: full up"),
            ("echo 5.2.2 no room; exit 1", "5.2.2", "bounced", "no room"),
            ("echo 4.2.2 later; exit 77", "4.2.2", "deferred", "later"),
            ("exit 3", "5.3.0", "bounced", 'Command died with status 3: "exit 3"'),
            ("kill -9 $$", "4.3.0", "deferred", 'Command died with signal 9: "kill -9 $$"')):
        people.write("bob", ".forward", f'"|{script}"\n')
        assert people.send("bob@here.test")[1:] == (dsn, status, text)


def test_a_command_that_hangs(people):
    people.start("", command_time_limit="1s")
    people.write("bob", ".forward", f'"|sleep 1000 & echo $! > {people.home("bob")}/child; wait"\n')
    assert people.send("bob@here.test")[1:3] == ("4.3.0", "deferred")
    child = int((people.home("bob") / "child").read_text())
    instance.wait_until(lambda: not pathlib.Path(f"/proc/{child}").exists() or
                        " Z " in pathlib.Path(f"/proc/{child}/stat").read_text(), "the child is gone")


def test_a_command_that_takes_its_time(people):
    """Longer than a process may take otherwise, and not longer than a command may."""
    people.write("alice", ".forward", f'"|sleep 6; echo ran >> {people.home("alice")}/ran"\n')
    people.start("", daemon_timeout="1s", command_time_limit="60s")
    assert people.send("alice@here.test")[2] == "sent"
    people.here.wait_for_empty_queue()
    assert (people.home("alice") / "ran").read_text() == "ran\n"


def test_what_a_command_has(people):
    """No descriptor but three, no privilege, the user's groups, none of our environment."""
    out = people.home("bob") / "out"
    people.write("bob", ".forward", f'"|(id; ls /proc/self/fd; grep -E \'Seccomp:|NoNewPrivs:|CapEff:\' /proc/self/status) > {out}"\n')
    people.start("")
    assert people.send("bob@here.test")[2] == "sent"
    text = out.read_text()
    uid = people.uid("bob")
    assert f"uid={uid}(bob) gid={uid}" in text
    assert re.findall(r"^\d+$", text, re.MULTILINE) == ["0", "1", "2", "3"]
    assert "NoNewPrivs:\t0" in text and "Seccomp:\t0" in text and "CapEff:\t0000000000000000" in text


def test_hostile_values_in_the_environment(people):
    out = people.home("bob") / "out"
    people.write("bob", ".forward", f'"|env > {out}"\n')
    people.start("")
    people.here.send("bob+`x`$y|z@here.test", sender="a`b|c$d@client.example")
    instance.wait_until(out.exists, "the command ran")
    people.here.wait_for_empty_queue()
    text = out.read_text()
    assert "SENDER=a_b_c_d@client.example" in text
    assert "EXTENSION=_x__y_z\n" in text


def test_mailbox_command(people):
    out = people.base / "out"
    out.mkdir()
    out.chmod(0o777)
    people.start("", mailbox_command=f"cat > {out}/$USER-$EXTENSION",
                 mailbox_command_maps="inline:{ carol=/bin/false }")
    assert people.send("bob+x@here.test")[3].startswith("delivered to command: cat > ")
    assert "Delivered-To: bob+x@here.test" in (out / "bob-x").read_text()
    assert (out / "bob-x").stat().st_uid == people.uid("bob")
    assert people.send("carol@here.test")[2:] == ("bounced", 'Command died with status 1: "/bin/false"')
    assert people.send("nobody-there@here.test")[1:] == ("5.1.1", "bounced", 'unknown user: "nobody-there"')


@pytest.mark.skipif(not shutil.which("procmail"), reason="needs procmail")
def test_procmail(people):
    people.write("bob", ".procmailrc", "MAILDIR=$HOME\n:0\n* ^Subject: a letter\nletters/\n")
    people.start("", mailbox_command='procmail -a "$EXTENSION"')
    people.here.send("bob@here.test")
    people.wait_for_mail("bob", folder="letters")


def test_maildrop(people, workspace):
    """Its filter runs as the user; what it puts off waits, what it refuses is returned with its words."""
    if not more_peers.have("maildrop"):
        pytest.skip("no maildrop: its packages could not be had")
    root = workspace / "maildrop"       # the cache may lie where users cannot reach it
    shutil.copytree(peers.PEERS / "maildrop", root, symlinks=True, copy_function=shutil.copyfile, dirs_exist_ok=True)
    for path in root.rglob("*"):
        if not path.is_symlink():
            path.chmod(0o755)
    libraries = ":".join(sorted({str(path.parent) for path in root.rglob("*.so*")}))
    command = f"env LD_LIBRARY_PATH={libraries} {root}/usr/bin/maildrop"
    (people.home("bob") / "letters").mkdir()
    for part in ("", "new", "cur", "tmp"):
        (people.home("bob") / "letters" / part).mkdir(exist_ok=True)
        os.chown(people.home("bob") / "letters" / part, people.uid("bob"), people.uid("bob"))
    people.write("bob", ".mailfilter", "if (/^Subject: a letter/)\n{\n    to letters/\n}\n", 0o600)
    people.write("carol", ".mailfilter", "echo \"no mail for carol\"\nEXITCODE=77\nexit\n", 0o600)
    people.write("alice", ".mailfilter", "EXITCODE=75\nexit\n", 0o600)
    people.start("", mailbox_command=command)
    assert people.send("bob@here.test")[2] == "sent"
    [message] = people.mail("bob", "letters")
    assert message["Subject"] == "a letter" and message["Delivered-To"] == "bob@here.test"
    assert people.send("carol@here.test")[2] == "bounced"
    assert people.send("alice@here.test")[2] == "deferred"


# ---- mailboxes


def test_mailbox_file_in_the_spool(people):
    people.start("", home_mailbox="", mail_spool_directory=people.spool)
    for _ in range(2):
        assert people.send("bob@here.test")[2:] == ("sent", "delivered to mailbox")
    box = people.spool / "bob"
    assert len(re.findall(r"^From sender@client\.example  ", box.read_text(), re.MULTILINE)) == 2
    assert box.stat().st_uid == people.uid("bob") and stat.S_IMODE(box.stat().st_mode) == 0o600
    # A link, and a file of somebody else's.
    target = people.write("alice", "target", "")
    (people.spool / "alice").symlink_to(target)
    assert people.send("alice@here.test")[2] == "deferred"
    (people.spool / "carol").write_text("")
    os.chown(people.spool / "carol", people.uid("eve"), people.uid("eve"))
    assert people.send("carol@here.test")[2] == "deferred"
    assert target.read_text() == "" and (people.spool / "carol").read_text() == ""


def test_spool_that_only_its_group_writes_to(people):
    """As Debian's /var/mail: root, group mail, 2775."""
    people.spool.chmod(0o2775)
    os.chown(people.spool, 0, 8)
    people.start("", home_mailbox="", mail_spool_directory=people.spool)
    assert people.send("bob@here.test")[2:] == ("sent", "delivered to mailbox")
    status = (people.spool / "bob").stat()
    assert (status.st_uid, status.st_gid) == (people.uid("bob"), 8)


def test_home_mailbox_file(people):
    people.start("", home_mailbox="mbox")
    people.send("bob@here.test", content=b"Subject: x\r\n\r\nFrom here on\r\n")
    instance.wait_until((people.home("bob") / "mbox").exists, "the mailbox is there")
    people.here.wait_for_empty_queue()
    assert "\n>From here on\n\n" in (people.home("bob") / "mbox").read_text()


def test_extension_folders(people):
    people.start("", extension_folders="existing")
    people.send("bob+lists@here.test")
    people.wait_for_mail("bob")
    people.here.set(extension_folders="create")
    people.here.reload()
    people.send("bob+lists@here.test")
    people.wait_for_mail("bob", folder="Maildir/.lists")
    people.send("bob+.hidden@here.test")
    people.wait_for_mail("bob", 2)


def test_quota(people):
    people.start("", mailbox_quota="2000S", mailbox_quota_code="552")
    assert people.send("bob@here.test")[2] == "sent"
    large = b"Subject: x\r\n\r\n" + b"x\r\n" * 2000
    assert people.send("bob@here.test", content=large)[1:] == (
        "5.2.2", "bounced", "maildir delivery failed: mailbox is full")
    people.write("bob", ".forward", "\\bob, carol\n")  # the mailbox is one of several
    assert people.send("bob@here.test", content=large)[1:3] == ("5.2.2", "bounced")
    assert len(people.mail("bob")) == 1


# ---- other transports, and nobody


def test_mailbox_transport_and_fallback(people, recording_sink):
    sink = f"smtp:[127.0.0.1]:{recording_sink.port}"
    people.start("list: alice, bob\nalice: alice, carol\n", mailbox_transport_maps=f"inline:{{ alice={sink} }}",
                 fallback_transport=sink)

    def recipients():
        return sorted(recipient for message in recording_sink.messages for recipient in message.recipients)
    people.here.send("alice@here.test")
    people.wait_for_mail("carol")
    instance.wait_until(lambda: recipients() == ["alice@here.test"], "the sink has alice's")
    people.here.send("nobody-there@here.test")
    instance.wait_until(lambda: recipients() == ["alice@here.test", "nobody-there@here.test"], "the sink has both")
    assert people.send("bob@here.test")[2:] == ("sent", "delivered to maildir")
    people.here.wait_for_empty_queue()
    assert not people.mail("alice")


def test_mailboxes_of_virtual(people, make_instance):
    """mailbox_transport = virtual: whoever has a virtual mailbox gets it there, as local users do."""
    base = people.base / "virtual"
    base.mkdir()
    os.chown(base, people.uid("alice"), people.uid("alice"))
    people.start("list: alice, bob\n", mailbox_transport="virtual:", virtual_mailbox_base=str(base),
                 virtual_mailbox_maps="inline:{ alice@here.test=alice/ }",
                 virtual_uid_maps=f"static:{people.uid('alice')}", virtual_gid_maps=f"static:{people.uid('alice')}")
    assert people.send("alice@here.test")[0::2] == ("virtual", "sent")
    assert people.send("bob@here.test") == ("virtual", "5.1.1", "bounced", 'unknown user: "bob@here.test"')
    assert len(list((base / "alice" / "new").iterdir())) == 1 and not people.mail("alice")


def test_a_transport_that_leads_back(people):
    people.start("", mailbox_transport="local")
    assert people.log_of(people.here.send("bob@here.test"), "bob@here.test")[1:3] == ("4.4.6", "deferred")


def test_luser_relay(people):
    people.start("", luser_relay="bob+$local@here.test")
    people.send("nobody-there@here.test")
    [message] = people.wait_for_mail("bob")
    assert message.get_all("Delivered-To") == ["bob+nobody-there@here.test", "nobody-there@here.test"]


def test_postmaster_without_alias(people):
    people.start("")
    assert people.send("postmaster@here.test")[2:] == ("sent", "discarded")


# ---- reports


def test_success_is_reported_as_expanded(people):
    people.start("list: bob\n")
    with people.here.client() as client:
        client.ehlo()
        assert client.mail("alice@here.test", ["RET=HDRS", "ENVID=abc"])[0] == 250
        assert client.rcpt("list@here.test", ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;list@here.test"])[0] == 250
        assert client.data(instance.small_message())[0] == 250
    [report] = people.wait_for_mail("alice")
    assert "Action: expanded" in report.as_string()
    people.wait_for_mail("bob")
    people.here.wait_for_empty_queue()
    assert len(people.mail("alice")) == 1


# ---- trouble


def workers_of(people):
    """Process ids of local's processes: {pid: name}; only of this test, whose machine is its own."""
    found = {}
    for path in pathlib.Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                name = (path / "comm").read_text().strip()
            except OSError:
                continue
            if name.startswith("local"):
                found[int(path.name)] = name
    return found


@pytest.mark.parametrize("victim", ["local: u", "local: a", "local$"], ids=["users", "tables", "all"])
def test_processes_that_are_killed(people, victim):
    """Workers of users, workers of tables, or all of local die again and again: nothing is lost, and
    what was forwarded or delivered comes once."""
    people.start("list: alice, bob\n", local_client_limit="4")
    people.write("carol", ".forward", "\\carol, alice@here.test\n")
    people.here.tolerate(r"killed by signal 9|ended|has died")
    sent = []
    for number in range(60):
        recipient = ("list", "carol", "bob")[number % 3]
        message_id = f"{number}.{os.getpid()}@kill.test"
        people.here.send(f"{recipient}@here.test", content=instance.small_message(message_id=message_id))
        sent.append((recipient, f"<{message_id}>"))
        for pid, name in workers_of(people).items():
            if number % 2 and re.match(victim, name):
                try:
                    os.kill(pid, 9)
                except ProcessLookupError:
                    pass
    people.here.flush()
    people.here.wait_for_empty_queue(90)
    wanted = {"alice": [i for r, i in sent if r in ("list", "carol")],
              "bob": [i for r, i in sent if r in ("list", "bob")],
              "carol": [i for r, i in sent if r == "carol"]}
    for name, ids in wanted.items():
        got = [message["Message-ID"] for message in people.mail(name)]
        assert sorted(set(got)) == sorted(ids), name
        assert len(got) == len(ids), (name, [i for i in set(got) if got.count(i) > 1])


def test_damaged_content_behind_an_alias(people):
    """It does not get better by waiting: it is set aside, as where it goes to a mailbox."""
    people.start("team: carol\n", defer_transports="local")
    people.here.tolerate("damaged|digest|corrupt")
    queue_id = people.here.send("team@here.test")
    people.here.wait_for_log(rf"{queue_id}: to=<team@here\.test>,.* status=deferred")
    instance.wait_until(lambda: list(people.here.queue_directory.glob(f"deferred/*/{queue_id}")), "it waits")
    [file] = people.here.queue_directory.glob(f"deferred/*/{queue_id}")
    content = bytearray(file.read_bytes())
    at = content.index(b"One line.")
    content[at:at + 3] = b"Two"
    file.write_bytes(content)
    people.here.set(defer_transports="")
    people.here.reload()
    people.here.wait_for_log(rf"{queue_id}: to=<team@here\.test>,.* \(the message in the queue does not match")
    instance.wait_until(lambda: (people.here.queue_directory / "corrupt" / queue_id).exists(), "it is set aside")
    people.here.wait_for_empty_queue()
    assert not people.mail("carol")


def test_a_large_list(people):
    people.start(f"list: :include:{people.base}/list\n", relay_domains="far.test", relay_transport="discard")
    (people.base / "list").write_text("".join(f"user{number}@far.test\n" for number in range(3000)) + "bob\n")
    people.here.send("list@here.test")
    people.wait_for_mail("bob")
    people.here.wait_for_empty_queue()
    instance.wait_until(lambda: len(set(re.findall(
        r"to=<(user\d+@far\.test)>.*status=sent", people.here.log()))) == 3000, "all of the list is sent")


def test_a_very_large_list(people):
    """As many as there may be. (The log drops lines when so many come at once.)"""
    people.start(f"list: :include:{people.base}/list\n", relay_domains="far.test", relay_transport="discard")
    (people.base / "list").write_text("".join(
        f"member{number:05}.{'x' * 100}@far.test\n" for number in range(49999)) + "bob\n")
    people.here.send("list@here.test")
    people.wait_for_mail("bob")
    people.here.wait_for_log(r"nrcpt=50000 ")
    people.here.wait_for_empty_queue()


def test_a_table_that_hangs(people):
    """A list on a file server that is away holds up its own mail, and no other for long."""
    people.start("list: carol\nbob: bob\n", local_client_limit="1")
    people.send("bob@here.test")
    [worker] = [pid for pid, name in workers_of(people).items() if name == "local: a0"]
    os.kill(worker, signal.SIGSTOP)
    try:
        people.here.send("alice@here.test")
        people.here.send("list@here.test")
        instance.wait_until(lambda: people.mail("alice") and people.mail("carol"), "mail goes on", 90)
    finally:
        os.kill(worker, signal.SIGCONT)
    people.here.wait_for_empty_queue()
    assert len(people.mail("alice")) == len(people.mail("carol")) == 1


def test_a_user_who_moves_while_mail_comes(people):
    """What a worker has looked up is not believed for as long as it has work."""
    people.start("")
    home = people.base / "bob-moved"
    home.mkdir(mode=0o755)
    os.chown(home, people.uid("bob"), people.uid("bob"))
    people.send("bob@here.test")
    text = pathlib.Path("/etc/passwd").read_text()
    peers.replace_file("/etc/passwd", text.replace(f"{people.home('bob')}:", f"{home}:"), people.workspace)
    sent = 1

    def has_moved():
        nonlocal sent
        people.send("bob@here.test")
        sent += 1
        return (home / "Maildir").exists()

    instance.wait_until(has_moved, "mail comes to the new home", 60, interval_s=1)
    people.here.wait_for_empty_queue()
    assert len(people.mail("bob")) + len(list((home / "Maildir" / "new").iterdir())) == sent


@pytest.mark.parametrize("is_command", [False, True], ids=["mailbox", "command"])
def test_a_user_who_stops_his_processes(people, is_command):
    """Nobody else's copy of the message waits for him for ever."""
    people.start("", daemon_timeout="3s", command_time_limit="1s")
    (people.home("carol") / "Maildir").write_text("in the way")
    if is_command:
        people.write("alice", ".forward", f'"|kill -STOP $PPID; touch {people.home("alice")}/ran"\n')
    else:
        people.send("alice@here.test")
        [worker] = [pid for pid, name in workers_of(people).items() if name == "local: ualice"]
        os.kill(worker, signal.SIGSTOP)
    try:
        queue_id = people.here.send(["alice@here.test", "carol@here.test"])
        people.here.wait_for_log(rf"{queue_id}: to=<carol@here\.test>,.* status=deferred")
        (people.home("carol") / "Maildir").unlink()
        people.wait_for_mail("carol")
        assert people.log_of(queue_id, "alice@here.test")[2:] in (
            ("deferred", "the delivery process hangs"), ("deferred", "the command's process hangs"))
        people.write("alice", ".forward", "\\alice\n")
        people.wait_for_mail("alice", 1 if is_command else 2)
        people.here.wait_for_empty_queue()
    finally:
        for pid in workers_of(people):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    assert len(people.mail("carol")) == 1


def test_mail_that_a_stopped_process_had_too(people):
    """What waited behind the delivery that hangs goes to another process: the first one holds none
    of it back from its other recipients."""
    people.start("", daemon_timeout="8s", command_time_limit="1s")
    people.send("alice@here.test")
    (people.home("carol") / "Maildir").write_text("in the way")
    [worker] = [pid for pid, name in workers_of(people).items() if name == "local: ualice"]
    os.kill(worker, signal.SIGSTOP)
    try:
        first = people.here.send("alice@here.test")
        time.sleep(4)  # so that the time of the second is not over with that of the first
        second = people.here.send(["alice@here.test", "carol@here.test"])
        people.here.wait_for_log(rf"{first}: to=<alice@here\.test>,.* status=deferred \(the delivery process hangs\)")
        people.here.wait_for_log(rf"{second}: to=<alice@here\.test>,.* status=sent")
        (people.home("carol") / "Maildir").unlink()
        people.wait_for_mail("carol")
        people.wait_for_mail("alice", 3)
        people.here.wait_for_empty_queue()
    finally:
        os.kill(worker, signal.SIGCONT)
    assert len(people.mail("carol")) == 1


def test_a_stopped_process_that_goes_on(people):
    """Another one had what it was given: it begins none of that. (Two copies in a Maildir would be
    one file.)"""
    people.start("", daemon_timeout="1s", command_time_limit="1s", home_mailbox="Mailbox")
    people.send("alice@here.test")
    [worker] = [pid for pid, name in workers_of(people).items() if name == "local: ualice"]
    os.kill(worker, signal.SIGSTOP)
    try:
        queue_id = people.here.send("alice@here.test")
        people.here.wait_for_log(rf"{queue_id}: to=<alice@here\.test>,.* status=deferred \(the delivery process hangs\)")
        people.here.wait_for_log(rf"{queue_id}: to=<alice@here\.test>,.* status=sent")
    finally:
        os.kill(worker, signal.SIGCONT)
    instance.wait_until(lambda: worker not in workers_of(people), "it has seen that it is wanted no more")
    assert (people.home("alice") / "Mailbox").read_text().count("\nX-Original-To: ") == 2


def test_a_home_directory_that_is_slow(people):
    """While it was looked for a .forward file the mail was given to another process."""
    people.start("", daemon_timeout="1s", command_time_limit="1s", home_mailbox="Mailbox")
    people.send("alice@here.test")
    [worker] = [pid for pid, name in workers_of(people).items() if name == "local: ualice"]
    with subprocess.Popen(["strace", "-q", "-f", "-o", "/dev/null", "-P", str(people.home("alice") / ".forward"),
                           "-e", "trace=newfstatat", "-e", "inject=newfstatat:delay_enter=10000000",
                           "-p", str(worker)]) as slow:
        instance.wait_until(lambda: "\nTracerPid:\t0\n" not in pathlib.Path(
            f"/proc/{worker}/status").read_text(), "strace is there")
        queue_id = people.here.send("alice@here.test")
        people.here.wait_for_log(rf"{queue_id}: to=<alice@here\.test>,.* status=deferred \(the delivery process hangs\)")
        people.here.wait_for_log(rf"{queue_id}: to=<alice@here\.test>,.* status=sent")
        assert slow.wait(30) == 0
    assert (people.home("alice") / "Mailbox").read_text().count("\nX-Original-To: ") == 2


def test_a_table_dies_in_the_middle_of_a_large_list(people):
    """The worker in its place tells of all addresses again, and each counts once."""
    people.start(f"list: :include:{people.base}/list\nbob: bob\n", relay_domains="far.test",
                 relay_transport="discard")
    (people.base / "list").write_text("".join(f"user{number}@far.test\n" for number in range(3000)))
    people.send("bob@here.test")
    [worker] = [pid for pid, name in workers_of(people).items() if name == "local: a0"]
    # It answers that there is such an alias, and hands over a part of the list, and the next.
    with subprocess.Popen(["strace", "-q", "-o", "/dev/null", "-e", "trace=sendmsg",
                           "-e", "inject=sendmsg:signal=KILL:when=3", "-p", str(worker)]) as killer:
        instance.wait_until(lambda: "\nTracerPid:\t0\n" not in pathlib.Path(
            f"/proc/{worker}/status").read_text(), "strace is there")
        people.here.send("list@here.test")
        assert killer.wait(30) is not None
    people.here.wait_for_empty_queue()

    def sent():
        return re.findall(r"to=<(user\d+@far\.test)>.*status=sent", people.here.log())
    instance.wait_until(lambda: len(set(sent())) == 3000, "the log has all of them")
    assert len(sent()) == 3000


def test_commands_of_one_user_take_turns(people):
    out = people.home("bob") / "running"
    people.write("bob", ".forward",
                 f'"|echo + >> {out}; sleep 0.2; echo - >> {out}"\n')
    people.start("")
    for _ in range(8):
        people.here.send("bob@here.test")
    people.here.wait_for_empty_queue()
    level = highest = 0
    for line in out.read_text().split():
        level += 1 if line == "+" else -1
        highest = max(highest, level)
    assert highest == 2 and level == 0


def test_verification_delivers_nothing(people):
    people.start("list: bob\n")
    people.write("bob", ".forward", f'"|touch {people.home("bob")}/ran"\n')
    people.here.sendmail("-bv", "-f", "alice@here.test", "bob@here.test", "list@here.test",
                         "nobody-there@here.test")
    [report] = people.wait_for_mail("alice")
    assert "deliverable" in report.as_string() and "unknown user" in report.as_string()
    people.here.wait_for_empty_queue()
    assert not (people.home("bob") / "ran").exists() and not people.mail("bob")


def test_commands_switched_off(people):
    """No process without a filter is there."""
    people.start('program: "|true"\n', allow_mail_to_commands="")
    assert people.send("program@here.test")[1:] == ("5.7.1", "bounced", "mail to command is restricted")
    assert "local: commands" not in workers_of(people).values()


def test_qmgr_killed_while_mail_is_forwarded(people):
    """A new message that is on disk delivers the recipient that it was made of, whatever dies."""
    people.start("list: alice, bob\nlist2: list\n", service_throttle_time="2s")
    people.here.tolerate(r"killed by signal 9|ended|has died")
    sent = []
    for number in range(48):
        message_id = f"{number}.{os.getpid()}@kill.test"
        people.here.send("list2@here.test", content=instance.small_message(message_id=message_id))
        sent.append(f"<{message_id}>")
        if number % 8 == 7:
            [pid] = [int(path.name) for path in pathlib.Path("/proc").iterdir()
                     if path.name.isdigit() and (path / "comm").read_text() == "qmgr\n"]
            os.kill(pid, 9)
            instance.wait_until(lambda: people.here.run("postqueue", "-f").returncode == 0, "qmgr is back")
            people.here.wait_for_empty_queue(60)
    for name in ("alice", "bob"):
        got = [message["Message-ID"] for message in people.mail(name)]
        assert sorted(set(got)) == sorted(sent), name
        assert len(got) == len(sent), (name, [i for i in set(got) if got.count(i) > 1])


def test_without_root(people, make_instance):
    """All as one user: that user's mail, aliases and commands; others' mail waits."""
    uid = people.uid("alice")
    out = people.home("alice") / "out"
    people.write("alice", ".forward", f'\\alice, "|id -un > {out}"\n')
    table = people.aliases(f'list: alice, bob\nprogram: "|id -un > {people.home("alice")}/out2"\n',
                           owner=uid)
    people.here = make_instance("rootless", run_as=uid, settings={
        "mydestination": "rootless.test", "virtual_mailbox_domains": "", "myorigin": "rootless.test",
        "local_recipient_maps": "", "alias_maps": f"hash:{table}"}).start()
    people.here.send("list@rootless.test")
    people.wait_for_mail("alice")
    instance.wait_until(out.exists, "the command ran")
    people.here.wait_for_log(r"to=<bob@rootless\.test>,.* status=deferred \(delivery to another user's mailbox ")
    assert people.send("program@rootless.test")[2] == "sent"
    assert out.read_text() == (people.home("alice") / "out2").read_text() == "alice\n"
