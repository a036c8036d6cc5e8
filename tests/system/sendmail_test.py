"""Mail of local programs: sendmail, postdrop, pickup, with the system up, down, and killed."""

import json
import os
import pathlib
import pwd
import re
import resource
import shutil
import signal
import struct
import subprocess
import time

import pytest

from harness.instance import wait_until
from harness.processes import Injection, processes_of, running

USER, OTHER = 61001, 61002
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def dropped(one):
    directory = one.queue_directory / "maildrop"
    return sorted(path.name for path in directory.iterdir() if path.name != "corrupt")


def here(make_instance, **settings):
    return make_instance("here", users=["you@here.test", "two@here.test"],
                         settings={"myorigin": "here.test", **settings})


def skip_where_not_setgid(one):
    if b"__asan_init" in pathlib.Path(one.programs.command("postdrop")).read_bytes():
        pytest.skip("the leak sanitizer does not work in programs that are setgid")


def own_name():
    """As the password file has it."""
    entry = pwd.getpwuid(os.geteuid())
    return entry.pw_gecos.split(",")[0].replace("&", entry.pw_name.capitalize())


def picked_up(one, sender):
    return one.wait_for_log(rf"pickup\[\d+\]: (\w+): uid=(\d+) from=<{re.escape(sender)}>$")


def test_a_message(make_instance):
    one = here(make_instance)
    one.start()
    one.sendmail("-f", "sender@here.test", "you@here.test")
    [message] = one.wait_for_mail("you@here.test")
    assert message["Subject"] == "hello"
    assert message["From"].endswith("sender@here.test>" if own_name() else "sender@here.test")
    assert message["Message-ID"].endswith("@mx.here.test>") and message["Date"]
    assert message.get_payload() == "One line.\n"
    one.wait_for_empty_queue()
    queue_id = picked_up(one, "sender@here.test").group(1)
    one.wait_for_log(rf"pickup\[\d+\]: {queue_id}: message-id=<.*{queue_id}@mx.here.test>$")
    one.wait_for_log(rf"qmgr\[\d+\]: {queue_id}: removed$")
    assert f"id {queue_id}" in message["Received"] and "from userid" in message["Received"]
    assert dropped(one) == []


def test_recipients_of_the_header(make_instance):
    one = here(make_instance)
    one.start()
    one.sendmail("-t", "-oi", "-F", "A. Sender", "-f", "me", content=(
        "To: You <you@here.test>,\n two (not one@here.test)\nBcc: you@here.test\n"
        "Subject: to all\n\n.\nafter the dot\n"))
    for user in ("you@here.test", "two@here.test"):
        [message] = one.wait_for_mail(user)
        assert message["From"] == '"A. Sender" <me@here.test>'
        assert message["Bcc"] is None
        assert message.get_payload() == ".\nafter the dot\n"
    done = one.sendmail("-t", content="Subject: nobody\n\n", check=False)
    assert done.returncode == 64 and b"No recipient addresses found" in done.stderr, done
    assert b"postdrop" not in done.stderr
    wait_until(lambda: dropped(one) == [], "nothing is left of it")


def test_recipients_of_a_message_sent_again(make_instance):
    one = here(make_instance)
    one.start()
    one.sendmail("-t", "-f", "me", content="Resent-To: two\nTo: you\nSubject: again\n\nbody\n")
    [message] = one.wait_for_mail("two@here.test")
    assert message["Resent-From"] and message["Resent-Date"] and message["Resent-Message-ID"]
    one.wait_for_empty_queue()
    assert one.messages("you@here.test") == []


def test_aliases_and_other_names(make_instance):
    one = here(make_instance, virtual_alias_maps="inline:{ {all@here.test = you@here.test, two@here.test} }",
               canonical_maps="inline:{ {me@here.test = my.name@here.test} }")
    one.start()
    one.sendmail("-t", "-f", "me", content="To: all\nSubject: s\n\n\n")
    for user in ("you@here.test", "two@here.test"):
        [message] = one.wait_for_mail(user)
        assert "my.name@here.test" in message["From"] and message["To"] == "all@here.test"
        assert message["Return-Path"] == "<my.name@here.test>"
    one.wait_for_log(r"to=<two@here.test>, orig_to=<all>")


@pytest.mark.parametrize("arguments, content, body", [
    ((), "Subject: s\n\nfirst\n.\nsecond\n", "first\n"),
    (("-i",), "Subject: s\n\nfirst\n.\nsecond\n", "first\n.\nsecond\n"),
    (("-oi",), "Subject: s\n\nfirst\n.\nsecond", "first\n.\nsecond\n"),
    ((), "Subject: s\r\n\r\nfirst\r\n.\r\nsecond\r\n", "first\n"),
    ((), "From you Sun Nov 22 10:00:00 2026\nSubject: s\n\nFrom me\n", "From me\n"),
    ((), "Subject: s\n\nstray\rreturn\n", "stray return\n"),
    ((), "no header at all\n", "no header at all\n"),
], ids=["dot", "i", "oi", "crlf", "mailbox", "cr", "headless"])
def test_lines(make_instance, arguments, content, body):
    one = here(make_instance)
    one.start()
    one.sendmail(*arguments, "-f", "me", "you", content=content)
    one.wait_for_mail("you@here.test")
    [path] = one.messages("you@here.test")
    assert path.read_text().split("\n\n", 1)[1] == body


def test_flags_that_say_nothing(make_instance):
    one = here(make_instance)
    one.start()
    one.sendmail("-G", "-U", "-n", "-m", "-L", "label", "-Am", "-Ac", "-h", "5", "-odb", "-oem", "-x",
                 "-om", "-e", "m", "-p", "TCP", "-X", "/dev/null", "-O", "Timeout=3", "-B", "8BITMIME",
                 "-r", "me", "--", "you")
    one.wait_for_mail("you@here.test")


@pytest.mark.parametrize("arguments, reason", [
    (("-Z",), "usage: sendmail [options]"), ((), "Recipient addresses must be specified on the command line"),
    (("-bt",), "unsupported: -bt"), (("-B", "9BIT", "you"), "-B option needs 8BITMIME or 7BIT"),
    (("-qS", "you"), "-qS is not implemented"), (("-qf",), "-qf is not implemented"),
    (("-O", "smtputf8=perhaps", "you"), "bad -O option value"), (("-oA",), "-oA requires pathname"),
    (("-bv", "-t"), "-t option cannot be used with -bv"), (("-bv", "-N", "never", "you"), "-N option cannot be"),
    (("-bv", "-R", "full", "you"), "-R option cannot be"), (("-bv", "-v", "you"), "-v option cannot be"),
    (("-bp", "you"), "display queue mode requires no recipient"),
    (("-bi", "you"), "alias initialization mode requires no recipient"),
    (("-bs", "you"), "stand-alone mode requires no recipient"),
    (("-bd", "you"), "daemon mode requires no recipient"), (("-q", "you"), "flush queue mode requires no recipient"),
    (("-bp", "-t"), "-t can be used only in delivery mode"), (("-bs", "-t"), "-t can be used only in delivery mode"),
    (("-qR",), "specify: -qRsitename"), (("-qI",), "specify: -qIqueueid"),
    (("-bp", "-qRx"), "-qR can be used only in delivery mode"),
    (("-bp", "-qIx"), "-qI can be used only in delivery mode"),
], ids=" ".join)
def test_wrong_use(make_instance, arguments, reason):
    """The reason is where whoever reads no standard error finds it, too."""
    one = here(make_instance)
    done = one.sendmail(*map(str, arguments), check=False)
    assert done.returncode == 64 and f"sendmail: fatal: {reason}" in done.stderr.decode().replace(
        f"{pwd.getpwuid(os.geteuid()).pw_name}({os.geteuid()}): ", ""), done
    assert reason in one.log() and re.search(r"posthouse/sendmail\[\d+\]: fatal: ", one.log())


def test_wrong_use_by_other_names(make_instance):
    one = here(make_instance)
    for name, arguments, reason in (
            ("mailq", ["you"], "mailq: fatal: display queue mode requires no recipient"),
            ("mailq", ["-Z"], "mailq: invalid option -- 'Z'\nmailq: fatal: usage: mailq [options]"),
            ("newaliases", ["you"], "newaliases: fatal: alias initialization mode requires no recipient"),
            ("mailq", ["-C", "/nowhere/at/all"], "mailq: fatal: open /nowhere/at/all/main.cf: No such file"),
            ("sendmail", ["-C", "/nowhere", "you"], "sendmail: fatal: open /nowhere/main.cf: No such file")):
        done = one.sendmail(*arguments, name=name, check=False)
        assert done.returncode in (64, 78) and reason in done.stderr.decode(), done
    done = one.sendmail("-bH")
    assert (done.stdout, done.stderr) == (b"", b"")


@pytest.mark.parametrize("arguments, warning", [
    (("-N", "sometimes"), "bad -N option value -- ignored"),
    (("-N", "never,delay"), "bad -N option value -- ignored"),
    (("-R", "half"), "bad -R option value -- ignored"),
    (("-V", "x" * 101), "too long -V option value -- ignored"),
    (("-f", "me, him"), "-f option specified malformed sender: me, him"),
], ids=["N", "N2", "R", "V", "f"])
def test_a_wish_that_is_none(make_instance, arguments, warning):
    """The mail goes all the same."""
    one = here(make_instance)
    one.start()
    done = one.sendmail("-f", "me", *arguments, "you")
    assert f"sendmail: warning: {warning}\n" in done.stderr.decode(), done
    [message] = one.wait_for_mail("you@here.test")
    assert message["Return-Path"] == "<me@here.test>"
    if os.geteuid() == 0:
        one.wait_for_log(rf"posthouse/sendmail\[\d+\]: warning: {re.escape(warning)}$")


def test_full_names(make_instance):
    one = here(make_instance)
    one.start()
    rows = [(["-F", "A. Sender"], {}, '"A. Sender" <me@here.test>'), (["-F", " a\nb "], {}, "a b <me@here.test>"),
            ([], {"NAME": "By Name"}, "By Name <me@here.test>"), (["-F", ""], {}, "me@here.test")]
    for number, (arguments, environment, _) in enumerate(rows):
        one.sendmail("-f", "me", *arguments, "you", env=environment, content=f"Subject: {number}\n\n\n")
    for message in one.wait_for_mail("you@here.test", len(rows)):
        assert message["From"] == rows[int(message["Subject"])][2]


def test_whoever_is_named(make_instance):
    one = here(make_instance)
    one.start()
    rows = [
        (["you two@here.test"], ""), (["you\ntwo"], ""), (["(x) you, <two>"], ""), (["group: you, two;"], ""),
        (["-t"], "To: you two\n"), (["-t"], "To: you\nBCC: two\n"), (["-t"], "To: One <you> two\n"),
        (["-t"], "To: you;\r\n\ttwo\r\n"), (["-t", "two"], "To: you\n"),
        (["-t"], "Resent-From: me\nTo: you, two\n"),
        (["-t"], "To: one\nApparently-To: one\nResent-Cc: you\nResent-Bcc: two\n"),
    ]
    for number, (arguments, field) in enumerate(rows):
        one.sendmail("-f", "me", *arguments, content=f"{field}Subject: {number}\n\nbody\n")
    for user in ("you@here.test", "two@here.test"):
        subjects = [message["Subject"] for message in one.wait_for_mail(user, len(rows))]
        assert sorted(map(int, subjects)) == list(range(len(rows))), subjects
    one.wait_for_empty_queue()
    assert "bounced" not in one.log()


def test_a_field_with_what_is_no_address(make_instance):
    """Its sender hears that somebody did not get it."""
    one = here(make_instance)
    one.start()
    rows = ["you@@here.test", "@", "a..b", "<you@here.test", "you>", "<>", "you@b@c"]
    for bad in rows:
        one.sendmail("-t", "-f", "two", content=f"Cc: {bad}\nTo: you\nSubject: s\n\nbody\n")
    one.wait_for_mail("you@here.test", len(rows))
    reports = one.wait_for_mail("two@here.test", len(rows))
    assert all("Undelivered" in report["Subject"] for report in reports)


def test_a_message_sent_again_in_secret(make_instance):
    one = here(make_instance)
    one.start()
    one.sendmail("-t", "-f", "me", content="Resent-Bcc: you\nMessage-ID: <1@a>\nDate: then\nFrom: x@y\n\nbody\n")
    [message] = one.wait_for_mail("you@here.test")
    assert message["Resent-Bcc"] is None
    assert message["Resent-From"] and message["Resent-Date"] and message["Message-ID"] == "<1@a>"
    again = re.escape(message["Resent-Message-ID"])
    one.wait_for_log(rf"pickup\[\d+\]: \w+: resent-message-id={again}\n.*pickup\[\d+\]: \w+: message-id=<1@a>$")


def test_a_long_first_line(make_instance):
    """Only whole lines are those of a mailbox file: nothing is left out of others."""
    one = here(make_instance)
    one.start()
    text = "From " + "x" * 40000
    one.sendmail("-f", "me", "you", content=f"{text}\nend\n")
    one.wait_for_mail("you@here.test")
    [path] = one.messages("you@here.test")
    assert path.read_text().split("\n\n", 1)[1] == f"{text}\nend\n"


def test_dsn_wishes_reach_the_queue(make_instance):
    one = here(make_instance, relayhost="[127.0.0.1]:1")
    one.start()
    one.sendmail("-f", "me", "-N", "delay,failure", "-R", "hdrs", "-V", "an id=1", "out@away.test")
    queue_id = picked_up(one, "me").group(1)
    text = one.run("postcat", "-e", "-q", queue_id, check=True).stdout
    assert "envid: an+20id+3D1\n" in text and "notify_flags: 12\n" in text, text
    assert "origin: pickup\n" in text and "sender: me@here.test\n" in text, text


def test_a_session(make_instance):
    one = here(make_instance)
    one.start()
    done = one.sendmail("-bs", content=(
        b"EHLO script\r\nMAIL FROM:<me@here.test>\r\nRCPT TO:<you@here.test>\r\nRCPT TO:<two>\r\n"
        b"DATA\r\nSubject: by smtp\r\n\r\n..dot\r\n.\r\nMAIL FROM:<>\r\nRCPT TO:<you>\r\nDATA\r\n"
        b"Subject: second\r\n\r\n.\r\nQUIT\r\n"))
    replies = done.stdout.decode().splitlines()
    assert replies[0].startswith("220 mx.here.test") and replies[-1].startswith("221 "), replies
    assert sum("queued as" in reply for reply in replies) == 2, replies
    first, second = sorted(one.wait_for_mail("you@here.test", 2), key=lambda message: message["Subject"])
    assert first.get_payload() == ".dot\n" and "localhost" in str(first.get_all("Received"))
    assert second["Return-Path"] == "<>"
    one.wait_for_mail("two@here.test")
    one.set(smtpd_noop_commands="regexp:{{/^NOTHING/ x}}", smtpd_forbidden_commands="GET")
    done = one.sendmail("-bs", content=b"HELO script\nNOTHING\nGET /\nNOTHING\n")
    assert re.search(rb"250 2\.0\.0 Ok\r\n(?:221|421) [^\n]*\r\n$", done.stdout), done
    done = one.sendmail("-bs", content=b"HELO script\nMAIL FROM:<me>\nRCPT TO:<two>\nDATA\nSubject: unix\n\n.\n")
    one.wait_for_mail("two@here.test", 2)


def test_postcat_of_what_was_dropped(make_instance):
    one = here(make_instance)
    one.start()
    one.stop()
    one.sendmail("-f", "me", "-F", "A. Sender", "you", "two@here.test", content="Subject: s\n\nbody\n")
    [name] = dropped(one)
    shown = one.run("postcat", "-q", name, check=True).stdout
    for line in ("sender: me", "sender_fullname: A. Sender", "recipient: you", "recipient: two@here.test",
                 "Subject: s", "body"):
        assert f"\n{line}\n" in shown, (line, shown)
    assert one.run("postcat", "-bq", name, check=True).stdout == "\nbody\n"
    assert one.run("postcat", "-hq", name, check=True).stdout == "Subject: s\n"
    assert one.run("postcat", "-bh", one.queue_directory / "maildrop" / name, check=True).stdout == \
        "Subject: s\n\nbody\n"


def test_aliases_and_the_queue_by_other_names(make_instance):
    one = here(make_instance)
    aliases = one.directory / "aliases"
    aliases.write_text("root: you\n")
    one.set(alias_database=f"hash:{aliases}", relayhost="[127.0.0.1]:1")
    one.start()
    for name, arguments in (("newaliases", ()), ("sendmail", ("-bi",)), ("sendmail", ("-I",))):
        pathlib.Path(f"{aliases}.db").unlink(missing_ok=True)
        one.sendmail(*arguments, name=name)
        assert pathlib.Path(f"{aliases}.db").exists(), name
    one.sendmail("-f", "me", "out@away.test")
    queue_id = picked_up(one, "me").group(1)
    for name, arguments in (("mailq", ()), ("sendmail", ("-bp",)), ("mailq", ("-Ac",))):
        assert queue_id in one.sendmail(*arguments, name=name).stdout.decode()
    one.sendmail("-q")
    one.sendmail(f"-qI{queue_id}")
    one.sendmail("-qRaway.test")
    one.wait_for_log(rf"{queue_id}: to=<out@away.test>.*status=deferred")


def test_while_the_system_is_down(make_instance):
    one = here(make_instance)
    one.start()
    one.stop()
    for number in range(5):
        one.sendmail("-f", f"me{number}", "you")
    names = dropped(one)
    assert len(names) == 5
    listed = one.sendmail("-bp", check=False)
    if os.geteuid() == 0:
        assert b"mailq: warning: Mail system is down -- accessing queue directly" in listed.stderr
        assert sorted(one.queue()) == names and "me3\n" in listed.stdout.decode(), listed
        listed = [json.loads(line) for line in one.run("postqueue", "-j", check=True).stdout.splitlines()]
        assert {entry["queue_name"] for entry in listed} == {"maildrop"}
        assert all(entry["recipients"] == [{"address": "you"}] for entry in listed), listed
    else:
        assert listed.returncode == 69
    one.start()
    one.wait_for_mail("you@here.test", 5)
    one.wait_for_empty_queue()
    assert dropped(one) == []


def run_as_program(one, argv, content):
    return subprocess.run(argv, input=content, text=True, capture_output=True, check=True, timeout=60,
                          env={**os.environ, "MAIL_CONFIG": str(one.etc), "HOME": str(one.directory),
                               "EMAIL": "me@here.test"})


@pytest.mark.skipif(not shutil.which("mutt"), reason="needs mutt")
def test_mutt(make_instance):
    one = here(make_instance)
    one.start()
    attached = one.directory / "attached.txt"
    attached.write_text("attached text\n")
    run_as_program(one, ["mutt", "-n", "-F", "/dev/null", "-e", f"set sendmail='{one.programs.command('sendmail')} "
                         "-oem -oi' use_envelope_from=yes from=me@here.test copy=no", "-s", "by mutt",
                         "-a", str(attached), "-c", "two@here.test", "--", "you@here.test"], ".\nhello\n")
    [message] = one.wait_for_mail("you@here.test")
    assert message["Subject"] == "by mutt"
    assert message["Return-Path"] == "<me@here.test>"
    parts = [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
    assert parts == [".\nhello\n", "attached text\n"], parts
    one.wait_for_mail("two@here.test")


@pytest.mark.skipif(not shutil.which("s-nail"), reason="needs s-nail")
def test_mailx(make_instance):
    one = here(make_instance)
    one.start()
    run_as_program(one, ["s-nail", "-:/", "-S", f"mta={one.programs.command('sendmail')}", "-r", "me@here.test",
                         "-s", "by mail", "-b", "two@here.test", "you@here.test"], "hello\n")
    [message] = one.wait_for_mail("you@here.test")
    assert message["Subject"] == "by mail" and message.get_content() == "hello\n"
    [message] = one.wait_for_mail("two@here.test")
    assert message["Bcc"] is None


@needs_root
def test_users_cannot_see_or_touch(make_instance):
    one = here(make_instance)
    skip_where_not_setgid(one)
    one.start()
    one.stop()
    one.sendmail("-f", "me", "you", user=USER)
    [name] = dropped(one)
    place = one.queue_directory / "maildrop"
    assert (place / name).stat().st_uid == USER
    for command in (f"ls {place}", f"cat {place}/{name}", f"rm -f {place}/{name}", f"touch {place}/x",
                    f"mv {place}/{name} {place}/y"):
        for user in (USER, OTHER):
            done = subprocess.run(["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups",
                                   "sh", "-c", command], capture_output=True, check=False)
            assert done.returncode != 0, command
    assert dropped(one) == [name]
    one.start()
    one.wait_for_mail("you@here.test")
    assert picked_up(one, "me").group(2) == str(USER)


@needs_root
def test_an_instance_of_a_user(make_instance):
    """Nothing is setgid, nobody is root: the same commands, for that user alone."""
    one = make_instance("here", users=["you@here.test"], run_as=USER, settings={"myorigin": "here.test"})
    one.start()
    one.sendmail("-f", "me", "you")
    one.wait_for_mail("you@here.test")
    assert picked_up(one, "me").group(2) == str(USER)
    done = one.sendmail("-f", "me", "you", user=OTHER, check=False)
    assert done.returncode == 77, done
    one.stop()
    one.sendmail("-f", "me", "you")
    one.start()
    one.wait_for_mail("you@here.test", 2)


@needs_root
def test_a_configuration_of_the_user(make_instance):
    one = here(make_instance)
    skip_where_not_setgid(one)
    one.start()
    own = one.directory / "own"
    own.mkdir()
    (own / "main.cf").write_text((one.etc / "main.cf").read_text() + "message_size_limit = 0\n")
    for path in (own / "main.cf", own):
        os.chown(path, USER, USER)
    done = one.sendmail("-f", "me", "you", user=USER, env={"MAIL_CONFIG": str(own)}, check=False)
    assert done.returncode == 77 and b"Permission denied" in done.stderr, done
    assert dropped(one) == []


@needs_root
def test_who_may_submit(make_instance):
    one = here(make_instance, authorized_submit_users="!nobody, static:anyone")
    skip_where_not_setgid(one)
    one.start()
    done = one.sendmail("-f", "me", "you", user=65534, check=False)
    assert done.returncode == 77 and b"User nobody(65534) is not allowed to submit mail" in done.stderr
    one.sendmail("-f", "me", "you", user=USER)
    one.wait_for_mail("you@here.test")


def as_user(limits=(), closed=(), blocked=(), ignored=(), mask=0o022):
    """What a hostile caller leaves to a command; run in the child."""
    def change():
        os.umask(mask)
        for number in ignored:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        for kind, value in limits:
            resource.setrlimit(kind, (value, value))
        os.setgroups([])
        os.setgid(USER)
        os.setuid(USER)
        for descriptor in closed:
            os.close(descriptor)
    return change


@needs_root
def test_hostile_callers(make_instance):
    """The message is there whole, or the command says that it is not; nothing else is left."""
    one = here(make_instance)
    skip_where_not_setgid(one)
    one.start()
    one.stop()
    signals = set(range(1, 32)) - {signal.SIGKILL, signal.SIGSTOP}
    rows = [({"closed": [1]}, 0), ({"closed": [2]}, 0), ({"closed": [1, 2]}, 0), ({"mask": 0o777}, 0), ({"mask": 0}, 0),
            ({"blocked": signals}, 0), ({"ignored": signals}, 0), ({"limits": [(resource.RLIMIT_FSIZE, 0)]}, 69),
            ({"limits": [(resource.RLIMIT_FSIZE, 50)]}, 69), ({"limits": [(resource.RLIMIT_NOFILE, 5)]}, 71),
            ({"limits": [(resource.RLIMIT_NPROC, 0)]}, 75)]
    environment = {"MAIL_CONFIG": str(one.etc), "TZ": "../../../etc/shadow", "LD_PRELOAD": "", "NAME": "x" * 9999,
                   "LOCALDOMAIN": "x", "MALLOC_CHECK_": "3"}
    kept = 0
    for how, status in rows:
        done = subprocess.run([one.programs.command("sendmail"), "-f", "me", "you"], input=b"Subject: s\n\nbody\n",
                              capture_output=True, env=environment, preexec_fn=as_user(**how), timeout=60,
                              check=False)
        assert done.returncode == status, (how, done)
        kept += status == 0
        assert len(dropped(one)) == kept, how
        for path in (one.queue_directory / "maildrop").iterdir():
            facts = path.stat()
            assert facts.st_uid == USER and facts.st_mode & 0o777 == 0o640 and not path.name.endswith(".part")
    one.start()
    for message in one.wait_for_mail("you@here.test", kept):
        assert message.get_payload() == "body\n"


@needs_root
def test_with_which_sender(make_instance):
    one = here(make_instance, local_login_sender_maps=f"inline:{{ {{uid:{USER} = you@here.test, me, @own.test}} "
               f"{{uid:{OTHER} = <>}} }}, static:nobody@here.test", recipient_delimiter="+")
    skip_where_not_setgid(one)
    one.start()
    permitted = [(USER, "you@here.test"), (USER, "YOU@here.test"), (USER, "you+more@here.test"), (USER, "me"),
                 (USER, "any@own.test"), (OTHER, "<>"), (65534, "nobody@here.test")]
    refused = [(USER, "you"), (USER, "two@here.test"), (USER, "<>"), (USER, "me@here.test"), (USER, "x@y@own.test"),
               (OTHER, "you@here.test"), (65534, "nobody"), (0, "you@here.test")]
    for user, sender in refused:
        done = one.sendmail("-f", sender, "two", user=user, check=False)
        assert done.returncode == 77, done
        assert f"({user}): not authorized to use sender=" in done.stderr.decode(), done
        assert dropped(one) == []
    done = one.sendmail("-bs", user=USER, content="HELO x\nMAIL FROM:<two@here.test>\nRCPT TO:<two>\nDATA\n\n.\nQUIT\n")
    assert b"\r\n451 " in done.stdout and b"not authorized" in done.stderr, done
    for user, sender in permitted:
        one.sendmail("-f", sender, "two", user=user)
    one.wait_for_mail("two@here.test", len(permitted))
    one.set(local_login_sender_maps="fail:always")
    done = one.sendmail("-f", "you@here.test", "two", user=USER, check=False)
    assert done.returncode == 75 and b"table lookup error" in done.stderr, done


@needs_root
def test_the_name_of_somebody_else(make_instance):
    """Who hears of a bad sender is the user, whatever stands in the file."""
    one = here(make_instance)
    one.start()
    one.stop()
    one.sendmail("-f", "me", "you")
    [name] = dropped(one)
    path = one.queue_directory / "maildrop" / name
    content = path.read_bytes()
    assert content.count(b"root") >= 1
    done = subprocess.run(one.argv("postdrop"), input=content.replace(b"root", b"toor"), capture_output=True,
                          check=False)
    assert done.returncode == 65 and b"malformed input" in done.stderr, done
    assert dropped(one) == [name]


@needs_root
def test_who_may_look_and_flush(make_instance):
    one = here(make_instance, authorized_mailq_users="root", authorized_flush_users="!nobody, static:anyone")
    skip_where_not_setgid(one)
    one.start()
    done = one.sendmail("-bp", user=65534, check=False)
    assert done.returncode == 77 and b"User nobody(65534) is not allowed to view the mail queue" in done.stderr
    done = one.sendmail("-q", user=65534, check=False)
    assert done.returncode == 77 and b"is not allowed to flush" in done.stderr
    one.sendmail("-q", user=USER)
    one.sendmail("-bp")
    own = one.directory / "postqueue"     # of the same power as what a user could write
    own.write_bytes(pathlib.Path(one.programs.command("postqueue")).read_bytes())
    own.chmod(0o755)
    done = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", own, "-c", one.etc,
                           "-f"], capture_output=True, check=False)
    assert done.returncode == 77, done
    one.set(authorized_mailq_users=None, authorized_flush_users=None)
    one.reload()
    one.sendmail("-bp", user=65534)


def test_limits(make_instance):
    one = here(make_instance, message_size_limit="20000")
    one.start()
    done = one.sendmail("-f", "me", "you", content="Subject: s\n\n" + "x" * 30000 + "\n", check=False)
    assert done.returncode == 69 and b"message file too big" in done.stderr, done
    one.set(queue_minfree=1 << 60)
    done = one.sendmail("-f", "me", "you", check=False)
    assert done.returncode == 75 and b"insufficient system storage" in done.stderr, done
    assert dropped(one) == []


def test_a_signal_cleans_up(make_instance):
    one = here(make_instance)
    one.start()
    one.stop()
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGKILL):
        sendmail = subprocess.Popen([one.programs.command("sendmail"), "-f", "me", "you"],
                                    stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                    env={**os.environ, "MAIL_CONFIG": str(one.etc)})
        sendmail.stdin.write(b"Subject: half\n")
        sendmail.stdin.flush()
        wait_until(lambda: dropped(one), "a file is being written")
        assert dropped(one)[0].endswith(".part")
        sendmail.send_signal(number)
        sendmail.wait(20)
        sendmail.stdin.close()
        wait_until(lambda: dropped(one) == [], f"gone after signal {number}")
    with subprocess.Popen([one.programs.command("postdrop"), "-c", one.etc], stdin=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) as postdrop:
        wait_until(lambda: dropped(one), "postdrop has made its file")
        postdrop.send_signal(signal.SIGTERM)
        assert postdrop.wait(20) == -signal.SIGTERM
    assert dropped(one) == []


def test_thousands_and_one_more(make_instance):
    """A user with many files does not hold up another."""
    one = here(make_instance)
    skip_where_not_setgid(one)
    one.start()
    one.stop()
    one.sendmail("-f", "many", "you", user=USER if os.geteuid() == 0 else None)
    [first] = dropped(one)
    content = (one.queue_directory / "maildrop" / first).read_bytes()
    facts = (one.queue_directory / "maildrop" / first).stat()
    mark = "q" if first[-4] != "q" else "r"     # none has the name of the first
    for number in range(2000):
        letters = mark + "".join("0123456789BCDFGHJKLMNPQRSTVWXYZb"[number >> shift & 31] for shift in (0, 5, 10))
        path = one.queue_directory / "maildrop" / (first[:-4] + letters)
        path.write_bytes(content)
        path.chmod(0o640)
        os.chown(path, facts.st_uid, facts.st_gid)
    one.start()
    if os.geteuid() == 0:
        one.sendmail("-f", "one", "two", user=OTHER)
        one.wait_for_mail("two@here.test")
        assert dropped(one), "the many were all done before the one"
    one.wait_for_mail("you@here.test", 2001, deadline_s=100)
    wait_until(lambda: dropped(one) == [], "all taken in", 60)


def hostile(one, make):
    """A good file, and one of another name, made by make(good path, bad path)."""
    one.stop()
    one.sendmail("-f", "good", "you")
    [good] = dropped(one)
    bad = good[:-2] + "00" if good[-2:] != "00" else good[:-2] + "11"
    place = one.queue_directory / "maildrop"
    make(place / good, place / bad)
    one.start()
    return bad


def copy_with(change):
    def make(good, bad):
        bad.write_bytes(change(good.read_bytes()))
        facts = good.stat()
        os.chmod(bad, 0o640)
        os.chown(bad, facts.st_uid, facts.st_gid)
    return make


@pytest.mark.parametrize("what, make", [
    ("not whole", copy_with(lambda content: content[:-5])),
    ("not what postdrop writes", copy_with(lambda content: content + b"E")),
    ("not what postdrop writes", copy_with(lambda _: b"something else entirely\n")),
    ("not whole", copy_with(lambda _: b"")),
    ("not a regular file", lambda _, bad: os.mkfifo(bad)),
    ("not a regular file", lambda _, bad: bad.symlink_to("/etc/passwd")),
    ("it has another name, too", lambda good, bad: os.link(good, bad)),
], ids=["cut", "long", "foreign", "empty", "fifo", "symlink", "link"])
def test_hostile_files(make_instance, what, make):
    one = here(make_instance)
    one.start()
    bad = hostile(one, make)
    one.wait_for_log(rf"warning: \w+: uid=\d+: {what}; (moved to maildrop/corrupt|removed)$")
    if what != "it has another name, too":
        one.wait_for_mail("you@here.test")
    if what.startswith("not w"):
        assert (one.queue_directory / "maildrop" / "corrupt" / bad).exists()
    wait_until(lambda: dropped(one) == [], "nothing is left")


@pytest.mark.parametrize("bad", ["you@no..where", "x" * 70 + "." * 3 + "@here.test", "<>@here.test", "y" * 1020,
                                 "@", "a@[300.1.1.1]"],
                         ids=["dots", "long", "brackets", "longer", "at", "literal"])
def test_a_recipient_that_is_no_address(make_instance, bad):
    """It fails, its sender hears of it, and the others have their mail."""
    one = here(make_instance)
    one.start()
    one.sendmail("-f", "two", "--", bad, "you")
    one.wait_for_mail("you@here.test", deadline_s=10)
    one.wait_for_log(r"dsn=5\.1\.[13], status=bounced", 10)
    [report] = one.wait_for_mail("two@here.test", deadline_s=10)
    assert "Undelivered" in report["Subject"]
    wait_until(lambda: dropped(one) == [], "nothing is left")
    one.wait_for_empty_queue()


@pytest.mark.skipif(not shutil.which("strace"), reason="no strace here")
def test_flushes(make_instance):
    """The file, and where file systems want it the directory beside it."""
    one = here(make_instance)
    one.start()
    one.stop()
    for setting, count in (("no", 1), ("yes", 2)):
        one.set(queue_sync_directory=setting)
        trace = one.directory / f"trace-{setting}"
        subprocess.run(["strace", "-f", "-e", "trace=fsync,syncfs", "-o", trace,
                        one.programs.command("sendmail"), "you"], input=b"Subject: s\n\n", check=True, timeout=60,
                       env={"PATH": os.environ["PATH"], "MAIL_CONFIG": str(one.etc)})
        assert len(re.findall(r"sync\w*\(\d+\) += 0", trace.read_text())) == count


def test_a_loop(make_instance):
    """A message that has come round too often goes back to its sender."""
    one = here(make_instance, hopcount_limit=5)
    one.start()
    for count in (4, 5):
        one.sendmail("-f", "two", "you", content="Received: from nowhere; never\n" * count + f"Subject: {count}\n\n")
    one.wait_for_log(r"qmgr\[\d+\]: \w+: to=<you@here.test>.*dsn=5\.4\.0, status=bounced \(Error: too many hops\)")
    [message] = one.wait_for_mail("you@here.test")
    assert message["Subject"] == "4"
    [report] = one.wait_for_mail("two@here.test")
    assert "too many hops" in report.as_string()
    one.wait_for_empty_queue()
    assert dropped(one) == []


@pytest.mark.parametrize("settings, content", [
    ({"message_size_limit": 100000}, "Subject: s\n\n" + "x" * 70 + "\n" + "y" * 2000000 + "\n"),
    ({"header_size_limit": 2000}, "Subject: s\n" + "X-Field: one of many\n" * 800 + "\nThe body.\n"),
    ({}, "Subject: s\n" + ("To: " + "a," * 50000 + "a\n") * 8 + "\nThe body.\n"),
], ids=["message", "header", "addresses"])
def test_a_huge_file(make_instance, settings, content):
    """Limits that are lower now than when it was dropped: it goes back to its sender."""
    one = here(make_instance, message_size_limit=0)
    one.start()
    one.stop()
    one.sendmail("-f", "two", "you", content=content)
    one.set(**settings)
    one.start()
    [report] = one.wait_for_mail("two@here.test")
    assert "message size exceeds the limit" in report.as_string() and "Subject: s" in report.as_string()
    one.wait_for_log(r"to=<you@here.test>.*dsn=5\.3\.4, status=bounced")
    one.wait_for_empty_queue()
    assert dropped(one) == [] and not one.messages("you@here.test")


def test_many_names_in_the_header(make_instance):
    """Each gets its domain; that the header grows by that is no reason to put the mail away."""
    one = here(make_instance)
    one.start()
    names = [f"u{number}" for number in range(9000)]
    one.sendmail("-f", "two", "you", content="To: " + ",\n ".join(names) + "\nSubject: s\n\nbody\n")
    [message] = one.wait_for_mail("you@here.test")
    assert len(message["To"].split(",")) == 9000 and message["To"].endswith("u8999@here.test")
    assert dropped(one) == []


def test_a_long_field(make_instance):
    """It is cut, as in mail of other servers; the rest of the header, however long, stays."""
    one = here(make_instance, header_size_limit=2000)
    one.start()
    one.sendmail("-f", "two", "you", content="Subject: s\nX-Long: " + "z" * 5000 + "\n" + "X-Many: one\n" * 1000 +
                 "no field\n")
    [message] = one.wait_for_mail("you@here.test")
    assert message["X-Long"] == "z" * (2000 - len("X-Long: "))
    assert len(message.get_all("X-Many")) == 1000 and message.get_payload() == "no field\n"


def drop_file(sender, recipients, text):
    """As sendmail writes it for postdrop, posthouse-drop(5)."""
    def attribute(tag, value):
        return bytes([tag]) + struct.pack(">H", len(value)) + value

    def record(kind, body):
        return kind + struct.pack(">H", len(body)) + body

    return b"".join([
        b"posthouse drop 1\n", record(b"H", attribute(1, struct.pack(">Q", 1790000000000000)) + attribute(2, sender)),
        *(record(b"R", attribute(1, recipient)) for recipient in recipients), record(b"T", text),
        record(b"E", attribute(1, struct.pack(">I", len(recipients))) + attribute(2, struct.pack(">Q", len(text))))])


def test_more_recipients_than_the_queue_takes(make_instance):
    """It goes back to its sender, instead of being tried for ever."""
    one = here(make_instance)
    one.start()
    domain = b".".join([b"d" * 60] * 3) + b".test"
    recipients = [b"you@here.test", *(b"%055d@%s" % (number, domain) for number in range(140000))]
    done = subprocess.run([one.programs.command("postdrop"), "-r", "-c", one.etc],
                          input=drop_file(b"two", recipients, b"Subject: s\n\nThe body.\n"), check=False, timeout=100)
    assert done.returncode == 0
    [report] = one.wait_for_mail("two@here.test", deadline_s=100)
    assert "The body." in report.as_string() and "you@here.test" in report.as_string()
    one.wait_for_empty_queue()
    assert dropped(one) == [] and not one.messages("you@here.test")


def test_a_sender_that_is_no_address(make_instance):
    """Whoever sent it gets it back; it does not disappear in a directory of the mail system."""
    one = make_instance("here", users=["you@here.test", f"{pwd.getpwuid(os.geteuid()).pw_name}@here.test"],
                        settings={"myorigin": "here.test"})
    one.start()
    one.sendmail("-f", "s" * 900, "you@here.test")
    [report] = one.wait_for_mail(f"{pwd.getpwuid(os.geteuid()).pw_name}@here.test")
    assert "the sender is no address" in report.as_string() and "One line." in report.as_string()
    one.wait_for_empty_queue()
    assert dropped(one) == [] and not one.messages("you@here.test")


def test_an_address_in_no_known_charset(make_instance):
    """Whoever reads the queue as JSON gets JSON."""
    one = here(make_instance)
    one.start()
    one.stop()
    one.sendmail("-f", "two", b"j\xe4r".decode(errors="surrogateescape"), "you")
    done = subprocess.run([one.programs.command("postqueue"), "-c", one.etc, "-j"], capture_output=True, check=True,
                          timeout=60)
    [entry] = [json.loads(line.decode()) for line in done.stdout.splitlines()]
    assert [recipient["address"] for recipient in entry["recipients"]] == ["j?r", "you"]


def test_a_reload_and_other_queue_managers(make_instance):
    one = here(make_instance)
    one.start()
    for number in range(30):
        one.sendmail("-f", "me", "you", content=f"Subject: number {number}\n\n")
        if number == 10:
            one.reload()
        if number == 20:
            os.kill(running(one.programs, "qmgr")[0], signal.SIGKILL)
    one.wait_for_mail("you@here.test", 30)
    one.wait_for_empty_queue()
    wait_until(lambda: dropped(one) == [], "all taken in")
    subjects = [message["Subject"] for message in one.wait_for_mail("you@here.test")]
    assert sorted(subjects) == sorted(f"number {number}" for number in range(30))
    one.tolerate("killed by signal 9")


def test_killed_at_any_moment(make_instance):
    """pickup, the queue manager and both, now and then: every message comes, and comes once."""
    one = here(make_instance)
    one.start()
    count = 120
    for number in range(count):
        one.sendmail("-f", "me", "you", content=f"Subject: number {number}\n\n")
        time.sleep(0.001 * (number % 7))
        if number % 10 == 4:
            victims = {0: ["pickup"], 1: ["pickup", "qmgr"], 2: ["qmgr"]}[number // 10 % 3]
            for name in victims:
                for pid in processes_of(one.programs)[name]:
                    os.kill(pid, signal.SIGKILL)
    one.wait_for_mail("you@here.test", count, deadline_s=100)
    one.wait_for_empty_queue(60)
    wait_until(lambda: dropped(one) == [], "all taken in", 60)
    subjects = [message["Subject"] for message in one.wait_for_mail("you@here.test")]
    assert sorted(subjects) == sorted(f"number {number}" for number in range(count))
    one.tolerate("killed by signal 9")


@needs_root
def test_a_file_that_cannot_be_removed(make_instance):
    """Its message is in the queue, and comes once however many pickups find the file."""
    one = here(make_instance)
    one.start()
    one.stop()
    one.sendmail("-f", "me", "you")
    [name] = dropped(one)
    path = one.queue_directory / "maildrop" / name
    if subprocess.run(["chattr", "+i", path], capture_output=True, check=False).returncode != 0:
        pytest.skip("this file system has no files that cannot be removed")
    try:
        one.start()
        one.wait_for_mail("you@here.test")
        for count in (2, 3):
            for pid in processes_of(one.programs)["pickup"]:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: len(re.findall(f"{name}: cannot remove the dropped file", one.log())) >= count,
                       "the next pickup tries")
            # Another one shows that it has gone on from there.
            one.sendmail("-f", "me", "two")
            one.wait_for_mail("two@here.test", count - 1)
    finally:
        subprocess.run(["chattr", "-i", path], check=True)
    one.reload()
    wait_until(lambda: dropped(one) == [], "it is removed in the end")
    one.wait_for_empty_queue()
    assert len(re.findall("to=<you@here.test>.*status=sent", one.log())) == 1
    one.tolerate("killed by signal 9")


def test_no_news_from_the_kernel(make_instance, workspace):
    """Where the watch of the directory fails, it is read each second, and pickup does not spin."""
    one = here(make_instance)
    one.start()
    one.tolerate("tells of no dropped files any more")
    running(one.programs, "pickup")
    trace = Injection(one.programs, "pickup", "read", "error=EIO", "1+", workspace / "trace")
    try:
        one.sendmail("-f", "sender@here.test", "you@here.test")
        one.wait_for_log("the kernel tells of no dropped files any more: .*; looking each second")
        one.wait_for_mail("you@here.test")
    finally:
        count = trace.end()
    assert 1 <= count < 20
