"""local and pipe beside Debian's Postfix: the same aliases, .forward files, commands and messages on
both; who gets what, with which rights and header fields, and what the log says of it."""

import os
import pathlib
import re
import shutil
import smtplib
import subprocess

import pytest
from harness import instance, peers

from local_test import People, people    # noqa: F401

pytestmark = pytest.mark.own_machine

PORT = 2526


def prepare(people, out):    # noqa: F811
    """The same files for both, and nothing of whoever was before."""
    for place in [out, *(people.home(name) for name in ("alice", "bob", "carol", "eve"))]:
        for path in (place.iterdir() if place.is_dir() else ()):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    out.mkdir(exist_ok=True)
    out.chmod(0o777)
    people.write("alice", ".forward", f'"|env > {out}/$LOCAL-env; cat > {out}/$LOCAL-mail; id -un > {out}/$LOCAL-id"\n')
    people.write("bob", ".forward", '~/mbox\n')
    people.write("carol", ".forward+x_y", f'{out}/carols\n')
    (out / "program").write_text("keep\n")
    (out / "program").chmod(0o777)


def aliases_of(out):
    return f"""command: "|env > {out}/$LOCAL-env; cat > {out}/$LOCAL-mail; id -un > {out}/$LOCAL-id"
list: "|env > {out}/list-env; cat > {out}/list-mail", {out}/list-file, bob
owner-list: eve
failing: "|echo 5.2.2 no room; exit 1"
owner-failing: eve
program: {out}/program
nowhere: nobody-here
upper: ALICE
"""


RECIPIENTS = ("alice", "Alice+Foo", "bob", "carol+x#y", "command", "COMMAND+ext", "list", "failing", "program",
              "nouser", "a/b", "postmaster")


def send_all(port):
    for name in RECIPIENTS:
        with smtplib.SMTP("127.0.0.1", port, "client.example") as client:
            client.sendmail("sender@here.test", [f"{name}@here.test"],
                            f"Subject: {name}\r\nMessage-ID: <{name}@x>\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\n"
                            f"From: sender@here.test\r\n\r\nbody\r\n".encode())


def results(log):
    """{recipient: {(dsn, status, text)}} of those that were sent to."""
    found = {}
    for line in log.splitlines():
        match = re.search(r"to=<([^>]*)>, .*relay=local, .*dsn=(\S+), status=(\S+) \((.*)\)$", line)
        if match:
            text = re.sub(r"forwarded as \S+", "forwarded", match.group(4))
            found.setdefault(match.group(1), set()).add((match.group(2), match.group(3), text))
    return {f"{name}@here.test": found.get(f"{name}@here.test") for name in RECIPIENTS}


def environment_of(path):
    """What the two have in common by design."""
    lines = dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
    for name in ("PATH", "PWD", "_", "SHLVL", "OLDPWD", "TZ", "LANG", "LD_LIBRARY_PATH", "MAIL_CONFIG"):
        lines.pop(name, None)
    return lines


def mail_of(path):
    text = path.read_text()
    text = re.sub(r"(?m)^(From \S+) .*", r"\1", text)
    text = re.sub(r"(?m)(^Received:.*\n([ \t].*\n)*)+", "Received\n", text)
    return path.stat().st_uid, oct(path.stat().st_mode), sorted(re.split(r"(?m)(?=^From )", text))


def look(people, out):    # noqa: F811
    found = {path.name: environment_of(path) if path.name.endswith("env") else mail_of(path)
             for path in out.iterdir()}
    found["bob"] = mail_of(people.home("bob") / "mbox")
    reports = people.mail("eve")
    found["eve"] = sorted((report["Return-Path"], report.get_content_type(),
                           report.get_payload()[1].get_payload()[1]["Status"]) for report in reports)
    return found


def run_postfix(people, workspace, out):    # noqa: F811
    table = people.base / "postfix-aliases"
    table.write_text(aliases_of(out))
    directory = pathlib.Path(workspace) / "beside"
    postfix = peers.Postfix(directory, port=PORT, settings={
        "mydestination": "here.test", "myorigin": "here.test", "recipient_delimiter": "+",
        "local_recipient_maps": "", "alias_maps": f"hash:{table}", "virtual_mailbox_domains": "",
        "home_mailbox": "Maildir/", "virtual_mailbox_maps": "", "smtpd_peername_lookup": "no"})
    subprocess.run([peers.postfix_command("postalias"), "-c", str(postfix.etc), f"hash:{table}"],
                   env=peers.environment("postfix"), check=True)
    with postfix:
        send_all(PORT)
        instance.wait_until(postfix.queue_is_empty, "Postfix's queue is empty")
        return postfix.log()


def test_the_same_on_both(people, workspace):    # noqa: F811
    out = people.base / "out"
    prepare(people, out)
    here = people.start(aliases_of(out))
    send_all(here.port)
    here.wait_for_empty_queue()
    here.stop()    # and the log has all its lines
    ours, our_files = results(here.log()), look(people, out)
    prepare(people, out)
    theirs = results(run_postfix(people, workspace, out))
    their_files = look(people, out)

    # All parts of a recipient have one line here; and a list's owner gets its mail in hand first.
    for name in ("list@here.test", "failing@here.test"):
        assert ("2.0.0", "sent", "forwarded") in ours.pop(name)
        theirs.pop(name)
    assert ours == theirs
    # Where Postfix leaves the field out, it says here what it was sent to.
    for name in ("list-mail", "list-file"):
        our_files[name] = (*our_files[name][:2], [
            text.replace("X-Original-To: list@here.test\n", "") for text in our_files[name][2]])
    their_files["list-env"]["ORIGINAL_RECIPIENT"] = "list@here.test"
    for name in their_files:
        assert our_files.get(name) == their_files[name], name
    assert set(our_files) == set(their_files)


# ---- pipe

MACROS = ("client_address client_helo client_hostname client_protocol domain extension mailbox nexthop "
          "original_recipient recipient sasl_method sasl_sender sasl_username sender user").split()
FLAGS = ["", "B", "D", "F", "O", "R", "X", "h", "q", "u", ".", ">", "DROhu", "BFRq.>", "DORXhqu.>BF"]
STATUSES = (0, 1, 64, 65, 67, 68, 69, 70, 73, 75, 77, 78, 99)

# Its first argument is a name, which may tell it how to end.
SCRIPT = """#!/bin/sh
name=$1
shift
{{ for argument; do printf '[%s]\\n' "$argument"; done; id -un; id -gn; test "$PWD" = /usr && echo in usr; cat; }} > {out}/$name.$$.tmp
mv {out}/$name.$$.tmp {out}/$name.$$
case $name in
silent*) exit ${{name#silent}} ;;
text*) echo some words; exit ${{name#text}} ;;
code*) echo 4.7.9 words; exit ${{name#code}} ;;
esac
"""


def services(out):
    """{service name: the rest of its line in master.cf}"""
    every = " ".join("${%s}" % name for name in MACROS)
    found = {f"flags{number}": f"{'flags=' + flags if flags else ''} user=nobody argv={out}/take flags{number} {every}"
             for number, flags in enumerate(FLAGS)}
    found["ends"] = f"flags=R eol=\\r\\n user=nobody argv={out}/take ends $recipient"
    found["place"] = f"directory=/usr user=nobody:daemon null_sender= argv={out}/take place x$sender ${{recipient}}"
    found["null"] = f"user=nobody null_sender=NULL argv={out}/take null ${{sender}}"
    found["small"] = f"size=900 user=nobody argv={out}/take small"
    for status in STATUSES:
        for kind in ("silent", "text", "code"):
            found[f"{kind}{status}"] = f"user=nobody argv={out}/take {kind}{status}"
    return found


def send_to_pipes(port, names):
    content = (b"Subject: x\r\nMessage-ID: <x@x>\r\nDate: Sun, 22 Nov 2026 10:00:00 +0000\r\nFrom: a@b.example\r\n\r\n"
               b"From here\r\n>From there\r\n.dot\r\n..dots\r\nFrom\r\nlast\r\n")
    with smtplib.SMTP("127.0.0.1", port, "client.example") as client:
        client.ehlo()
        for name in names:
            sender = "" if name in ("null", "place") else '"a b"@Client.example'
            for recipient in ([f'"Joe Blow"@{name}.test', f"User+Ext@{name.upper()}.test"] if name.startswith("flags")
                              else [f"User@{name}.test"]):
                assert client.docmd("MAIL", f"FROM:<{sender}>")[0] == 250
                assert client.docmd("RCPT", f"TO:<{recipient}>")[0] == 250
                assert client.data(content + (b"x" * 900 if name == "small" else b""))[0] == 250


def look_at_pipes(out, log):
    found = {}
    for path in out.iterdir():
        if path.name != "take":
            text = re.sub(r"(?m)(^Received:.*\n([ \t].*\n)*)+", "Received\n", path.read_text())
            text = re.sub(r"(?m)^(From .*@\S+) .* \d\d\d\d$", r"\1", text)
            found.setdefault(path.name.split(".")[0], []).append(text)
    results = re.findall(r"(?m)to=(<\S.*?>), relay=(\S+), .*(dsn=\S+), (status=\S+ \(.*)\)$", log)
    return ({name: sorted(texts) for name, texts in found.items()},
            sorted((*result[:3], result[3].rstrip()) for result in results if not result[1].startswith("none")))


def test_pipe_is_the_same_on_both(make_instance, workspace):
    out = pathlib.Path(workspace) / "pipes"
    wanted = services(out)
    master_cf = "".join(f"{name} unix - n n - - pipe {rest}\n" for name, rest in wanted.items())
    settings = {"transport_maps": f"inline:{{ {', '.join(f'{name}.test={name}:Next.Hop' for name in wanted)} }}",
                "relay_domains": ", ".join(f"{name}.test" for name in wanted), "recipient_delimiter": "+",
                "notify_classes": "", "virtual_mailbox_domains": "",
                **{f"flags{number}_destination_recipient_limit": "1" for number in range(len(FLAGS))}}

    def run(server, port, log):
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir()
        out.chmod(0o777)
        (out / "take").write_text(SCRIPT.format(out=out))
        (out / "take").chmod(0o755)
        with server:
            send_to_pipes(port, wanted)
            count = sum(2 if name.startswith("flags") else 1 for name in wanted)    # as send_to_pipes() sends
            instance.wait_until(lambda: sum(name in wanted for name in re.findall(r"relay=(\S+), .*status=", log()))
                                >= count, "each has been tried")
            instance.wait_until(lambda: not list(out.glob("*.tmp")), "all have ended")
            return look_at_pipes(out, log())
    postfix = peers.Postfix(pathlib.Path(workspace) / "beside-pipe", port=PORT,
                            settings={**settings, "smtpd_peername_lookup": "no"})
    with (postfix.etc / "master.cf").open("a") as file:
        file.write(master_cf)
    theirs = run(postfix, PORT, postfix.log)
    here = make_instance("here", settings=settings, services=master_cf)
    ours = run(here, here.port, here.log)
    assert ours[1] == theirs[1]
    for name in {*theirs[0], *ours[0]}:
        assert ours[0].get(name) == theirs[0].get(name), name
