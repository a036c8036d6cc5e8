"""local's finer rules: who is told of a list's troubles, where .forward files are looked for, what
commands find in their environment, and what a file of somebody's choice may be."""

import socket

import pytest
from harness import instance

from local_test import People, people    # noqa: F401

pytestmark = pytest.mark.own_machine


def open_directory(people):    # noqa: F811
    out = people.base / "out"
    out.mkdir()
    out.chmod(0o777)
    return out


def test_a_lists_owner_hears_of_its_commands(people):    # noqa: F811
    """Commands and files get the list's mail from its owner, to whom their failures go."""
    out = open_directory(people)
    people.start(f"""list: "|env > {out}/env; cat > {out}/mail; exit 70", {out}/box, bob
owner-list: alice
""")
    first = people.here.send("list@here.test", sender="carol@here.test")
    assert people.log_of(first, "list@here.test")[3].startswith("forwarded as ")
    [report] = people.wait_for_mail("alice")
    assert report.get_content_type() == "multipart/report" and "list@here.test" in report.as_string()
    people.wait_for_mail("bob")
    people.here.wait_for_empty_queue()
    assert not people.mail("carol") and len(people.mail("bob")) == 1
    assert "SENDER=owner-list@here.test\n" in (out / "env").read_text()
    for name in ("mail", "box"):
        text = (out / name).read_text()
        assert text.startswith("From owner-list@here.test  ") and "\nReturn-Path: <owner-list@here.test>\n" in text
        assert text.count("Delivered-To: ") == 1
    [message] = people.mail("bob")
    assert message["X-Original-To"] == "bob@here.test" and message["Return-Path"] == "<owner-list@here.test>"


def test_an_alias_within_a_list_keeps_its_owner(people):    # noqa: F811
    """As with reset_owner_alias = no, which is all there is: each alias makes mail of its own."""
    people.start("list: part, nobody-there\npart: nobody-here\nowner-list: alice\n")
    people.here.send("list@here.test", sender="carol@here.test")
    people.wait_for_mail("alice", 2)
    people.here.wait_for_empty_queue()
    assert not people.mail("carol")


def test_an_owner_in_another_table(people):    # noqa: F811
    """Any table of alias_maps may say who owns a list, as far as the list's table's owner can read it."""
    people.start("", alias_maps="")
    tables = [people.aliases("list: bob, nobody-there\n", "lists", owner=people.uid("eve")),
              people.aliases("x: alice\n", "secret", owner=people.uid("alice")),
              people.aliases("owner-list: alice\n", "owners")]
    tables[1].with_name("secret.db").chmod(0o600)
    people.here.set(alias_maps=", ".join(f"hash:{table}" for table in tables))
    people.here.reload()
    people.here.send("list@here.test", sender="carol@here.test")
    [message] = people.wait_for_mail("bob")
    assert message["Return-Path"] == "<owner-list@here.test>"
    people.wait_for_mail("alice")
    people.here.wait_for_empty_queue()
    assert not people.mail("carol")
    people.here.wait_for_log(r"local\.note: to=list@here\.test text=\"hash:.*secret may have the alias owner-list, but "
                             r"cannot be read\"")


def test_the_owner_itself(people):    # noqa: F811
    people.start("list: bob\nowner-list: alice@here.test\n", expand_owner_alias="yes")
    people.here.send("list@here.test", sender="carol@here.test")
    assert people.wait_for_mail("bob")[0]["Return-Path"] == "<alice@here.test>"


def test_a_null_sender_stays(people):    # noqa: F811
    out = open_directory(people)
    people.start(f'list: "|cat > {out}/mail"\nowner-list: alice\n')
    assert people.send("list@here.test", sender="")[2] == "sent"
    assert "\nReturn-Path: <>\n" in (out / "mail").read_text()


@pytest.mark.parametrize("allowed", ["alias, forward", "alias, forward, include"])
def test_commands_in_somebody_elses_include_file(people, allowed):    # noqa: F811
    """They are not done with rights that the file's owner does not have; addresses in it are followed."""
    out = open_directory(people)
    path = people.write("eve", "list", f'bob, "|touch {out}/command", {out}/file\n')
    people.start(f"list: :include:{path}\n", allow_mail_to_commands=allowed, allow_mail_to_files=allowed)
    dsn, status, text = people.send("list@here.test")[1:]
    if "include" in allowed:
        assert (dsn, status) == ("4.3.5", "deferred") and "neither root's nor ours" in text
    else:
        assert (dsn, status, text) == ("5.7.1", "bounced",
                                       "mail to command is restricted; mail to file is restricted")
        people.wait_for_mail("bob")
    assert not list(out.iterdir())


def test_forward_path(people):    # noqa: F811
    """Characters that the filter does not permit become "_"; a path with a name that stands for
    nothing is none; conditions choose."""
    people.start("", forward_path="$home/for-$extension, $home/${extension?with}${extension:without}",
                 forward_expansion_filter="abcdefghijklmnopqrstuvwxyz_")
    people.write("alice", "for-a_b", "bob@here.test\n")
    people.write("alice", "for-", "eve@here.test\n")
    people.write("alice", "without", "carol@here.test\n")
    people.write("alice", "with", "\\alice\n")
    for name, reached in (("alice+a#b", "bob"), ("alice", "carol"), ("alice+other", "alice")):
        people.send(f"{name}@here.test")
        people.wait_for_mail(reached)
    people.here.wait_for_empty_queue()
    assert not people.mail("eve")


def test_files_below_the_home_directory(people):    # noqa: F811
    people.start("roots: ~/x\n")
    people.write("bob", ".forward", "~/mbox, ~/folder/\n")
    assert people.send("bob@here.test")[3] == \
        f"delivered to file: {people.home('bob')}/mbox; delivered to maildir"
    assert (people.home("bob") / "mbox").stat().st_uid == people.uid("bob")
    assert len(people.mail("bob", "folder")) == 1
    assert people.send("roots@here.test")[1:] == ("4.3.5", "deferred", "unknown home directory for: ~/x")


def test_a_program_is_not_written_to(people):    # noqa: F811
    out = open_directory(people)
    (out / "program").write_text("#!/bin/sh\n")
    (out / "program").chmod(0o777)
    people.start(f"program: {out}/program\n")
    assert people.send("program@here.test")[1:] == (
        "5.7.1", "bounced", f"cannot append message to file {out}/program: file is executable")
    assert (out / "program").read_text() == "#!/bin/sh\n"


def test_environment(people):    # noqa: F811
    """An alias of root's has a name, and no home or shell; what is not there is not mentioned; a
    command can call this instance's sendmail."""
    out = open_directory(people)
    people.start(f'program: "|env > {out}/alias"\n',
                 export_environment="MAIL_CONFIG { LONG = a b } PLAIN=c")
    people.write("bob", ".forward", f'"|env > {out}/forward"\n')
    assert people.send("program@here.test")[2] == people.send("bob@here.test")[2] == "sent"

    def read(name):
        return dict(line.split("=", 1) for line in (out / name).read_text().splitlines())
    alias, forward = read("alias"), read("forward")
    assert alias["USER"] == alias["LOGNAME"] == "program" and not {"HOME", "SHELL"} & set(alias)
    assert not {"EXTENSION", "SASL_USERNAME", "ENVID"} & set(alias)
    assert (forward["USER"], forward["HOME"], forward["SHELL"]) == ("bob", str(people.home("bob")), "/bin/sh")
    for found in (alias, forward):
        assert found["MAIL_CONFIG"] == str(people.here.etc)
        assert (found["LONG"], found["PLAIN"], found["PATH"]) == ("a b", "c", "/usr/bin:/bin")


def test_names_that_nobody_can_have(people):    # noqa: F811
    people.start("")
    assert people.send("a/b@here.test")[1:] == ("5.1.1", "bounced", 'unknown user: "a/b"')


def test_biff(people):    # noqa: F811
    """comsat(8) hears who has mail and where it begins in the mailbox file."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as comsat:
        comsat.bind(("127.0.0.1", 512))
        comsat.settimeout(instance.DEADLINE_S)
        people.start("", home_mailbox="", mail_spool_directory=people.spool)
        people.write("carol", ".forward", f"{people.home('carol')}/file\n")
        people.send("bob@here.test")
        size = (people.spool / "bob").stat().st_size
        people.send("carol@here.test")
        people.send("bob+x@here.test")
        assert [comsat.recv(1000), comsat.recv(1000)] == [b"bob@0\0", f"bob@{size}\0".encode()]
        people.here.set(biff="no")
        people.here.reload()
        people.send("bob@here.test")
        comsat.setblocking(False)
        with pytest.raises(BlockingIOError):
            comsat.recv(1000)
