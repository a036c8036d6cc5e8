"""Each option of sendmail, by what it changes: in what is dropped, in what is delivered, or in what runs."""

import os
import pathlib
import re
import subprocess

import pytest

from harness.instance import wait_until

OWN_LINES = re.compile(r"(?m)^(owner: .*|message_arrival_time: .*|\*\*\* .*)\n")


def here(make_instance, **settings):
    return make_instance("here", users=["you@here.test", "two@here.test"],
                         settings={"myorigin": "here.test", **settings})


def stopped(make_instance):
    one = here(make_instance)
    one.start()
    one.stop()
    return one


def take_dropped(one):
    """What sendmail has left, as postcat shows it, without what differs each time."""
    [path] = [path for path in (one.queue_directory / "maildrop").iterdir() if path.name != "corrupt"]
    text = OWN_LINES.sub("", one.run("postcat", path, check=True).stdout)
    path.unlink()
    return text


NOTED = [
    ("-B 8BITMIME", ["flag: 8bitmime"]), ("-B 7BIT", []), ("-B8bitmime", ["flag: 8bitmime"]),
    ("-O smtputf8=yes", ["flag: smtputf8"]), ("-O SMTPUTF8=no", []),
    ("-O requiretls=yes", ["flag: requiretls"]), ("-O requiretls=yes -O requiretls=no", []),
    ("-v", ["flag: send_report"]), ("-v -v", []), ("-bm", []), ("-bv", ["flag: verify_only"]),
    ("-bv -v -v", ["flag: verify_only"]),
    ("-N success", ["notify_flags: 2"]), ("-N NEVER", ["notify_flags: 1"]),
    ("-N success,failure,delay", ["notify_flags: 14"]),
    ("-F Somebody", ["sender_fullname: Somebody"]),
    ("-r other", ["sender: other"]), ("-f <>", ["sender: "]), ("-f first -r second", ["sender: second"]),
]


def test_what_is_noted(make_instance):
    """Beside what is there without the option, where it says nothing else of the same."""
    one = stopped(make_instance)
    environment = {"NAME": "Nobody"}
    one.sendmail("-f", "me", "you", env=environment)
    plain = take_dropped(one).splitlines()
    for options, lines in NOTED:
        one.sendmail("-f", "me", *options.split(), "you", env=environment)
        told = take_dropped(one).splitlines()
        names = {line.partition(": ")[0] for line in lines if not line.startswith("flag")}
        expected = [line for line in plain if line.partition(": ")[0] not in names] + lines
        if "-bv" in options:    # nothing is read
            told = told[:told.index("Subject: probe")]
            expected = plain[:plain.index("Subject: hello")] + lines
        assert sorted(told) == sorted(expected), options


def test_what_says_nothing(make_instance):
    """Options of Sendmail's that programs give out of habit."""
    one = stopped(make_instance)
    one.sendmail("-f", "me", "you")
    plain = take_dropped(one)
    for options in ("-Ac", "-Am", "-G", "-L label", "-U", "-X /dev/null", "-c", "-e m", "-em", "-h 5", "-h5", "-m", "-n",
                    "-p TCP:host", "-x", "-om", "-odb", "-odi", "-odq", "-oem", "-oep", "-oew", "-oee", "-oeq", "-oo",
                    "-os", "-oT3d", "-O Timeout=3", "-O DeliveryMode=b", "-oi", "-i", "--"):
        one.sendmail("-f", "me", *options.split(), "you")
        assert take_dropped(one) == plain, options


def test_which_configuration(make_instance):
    """The last of -C and MAIL_CONFIG; a file stands for its directory."""
    one, other = stopped(make_instance), make_instance("other", settings={"myorigin": "other.test"})
    elsewhere = {"MAIL_CONFIG": str(other.etc)}
    for place in (one.etc, one.etc / "main.cf"):
        one.sendmail("-C", place, "-f", "me", "you", env=elsewhere)
        assert "recipient: you\n" in take_dropped(one)
        one.sendmail("-C", other.etc, "-C", place, "-f", "me", "you")
        assert "recipient: you\n" in take_dropped(one)


def test_what_is_returned(make_instance):
    one = here(make_instance)
    one.start()
    for option, is_whole in (("full", True), ("hdrs", False), ("FULL", True)):
        one.sendmail("-f", "two", "-R", option, "nobody@here.test", content=f"Subject: {option}\n\nThe body.\n")
        one.wait_for_empty_queue()
        report = one.messages("two@here.test")[-1].read_text()
        assert ("The body." in report) == is_whole, option
        for path in one.messages("two@here.test"):
            path.unlink()


def test_who_starts_it(make_instance):
    """As scripts that were written for Sendmail do; once it runs there is nothing to start."""
    one = here(make_instance)
    for options in ("-bd", "-bl", "-bd -q30m", "-q1h -bd", "-q15m"):
        one.sendmail(*options.split())
        wait_until(one.is_running, options)
        again = one.sendmail(*options.split(), check=False)
        assert again.returncode == 1 and b"already running" in again.stderr, again
        one.stop()


def test_which_aliases(make_instance):
    one = here(make_instance)
    configured, named = one.directory / "configured", one.directory / "named"
    for path in (configured, named):
        path.write_text("root: you\n")
    one.set(alias_database=f"hash:{configured}")
    for options, name in (("-bi", "sendmail"), ("-I", "sendmail"), ("", "newaliases")):
        one.sendmail(*options.split(), f"-oAhash:{named}", name=name)
        assert pathlib.Path(f"{named}.db").exists() and not pathlib.Path(f"{configured}.db").exists()
        pathlib.Path(f"{named}.db").unlink()
        one.sendmail(*options.split(), name=name)
        assert pathlib.Path(f"{configured}.db").exists() and not pathlib.Path(f"{named}.db").exists()
        pathlib.Path(f"{configured}.db").unlink()


def test_what_is_tried_now(make_instance, recording_sink):
    """-q all mail, -qI one message, -qR one site's."""
    one = here(make_instance, transport_maps=f"inline:{{ {{a.test = smtp:[127.0.0.1]:{recording_sink.port}}}, "
                                             f"{{b.test = smtp:[127.0.0.1]:{recording_sink.port}}} }}",
               defer_transports="smtp", fast_flush_domains="a.test, b.test")
    one.start()
    for name in ("x@a.test", "y@a.test", "z@b.test"):
        one.sendmail("-f", "me", name)
        one.wait_for_log(rf"to=<{name}>.*status=deferred")
    ids = {name: one.wait_for_log(rf": (\w+): to=<{name}>.*status=deferred").group(1)
           for name in ("x@a.test", "y@a.test", "z@b.test")}
    one.set(defer_transports="")
    one.reload()
    one.sendmail(f"-qI{ids['y@a.test']}")
    one.wait_for_log(r"to=<y@a.test>.*status=sent")
    assert not re.search(r"to=<[xz]@.*status=sent", one.log())
    one.sendmail("-qRb.test")
    one.wait_for_log(r"to=<z@b.test>.*status=sent")
    assert not re.search(r"to=<x@.*status=sent", one.log())
    one.sendmail("-q")
    one.wait_for_log(r"to=<x@a.test>.*status=sent")


def test_a_dialogue(make_instance):
    """-bs on standard input and output, whoever it says it is."""
    one = stopped(make_instance)
    done = one.sendmail("-bs", content="HELO me\r\nMAIL FROM:<me@here.test>\r\nRCPT TO:<you@here.test>\r\nDATA\r\n"
                                       "Subject: s\r\n\r\n..\r\n.\r\nQUIT\r\n")
    replies = done.stdout.decode().splitlines()
    assert [reply[:3] for reply in replies] == ["220", "250", "250", "250", "354", "250", "221"], replies
    [path] = (one.queue_directory / "maildrop").iterdir()
    assert replies[5] == f"250 2.0.0 Ok: queued as {path.name}"     # by that the log knows it
    text = take_dropped(one)
    assert "sender: me@here.test\n" in text and "recipient: you@here.test\n" in text and text.endswith("\n.\n")


@pytest.mark.parametrize("name, option", [("sendmail", "-bp"), ("mailq", None), ("mailq", "-v")])
def test_the_list(make_instance, name, option):
    one = here(make_instance)
    one.start()
    assert one.sendmail(*filter(None, [option]), name=name).stdout == b"Mail queue is empty\n"


def test_descriptors_that_are_closed(make_instance):
    """A program that has closed its own still gets its mail out, and nothing else into it."""
    one = stopped(make_instance)
    program = one.programs.command("sendmail")
    for closed in ("0<&-", "1>&-", "2>&-", "1>&- 2>&-", "0<&- 1>&- 2>&-"):
        content = "" if closed.startswith("0") else "Subject: s\n\nbody\n"
        done = subprocess.run(["sh", "-c", f"exec '{program}' -f me you {closed}"], input=content.encode(), check=False,
                              timeout=60, env={"PATH": os.environ["PATH"], "MAIL_CONFIG": str(one.etc)})
        assert done.returncode == 0, closed
        text = take_dropped(one)
        assert "recipient: you\n" in text and ("body" in text) == bool(content), closed
