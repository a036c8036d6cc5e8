"""postcat and postlog: what is in a queue file, and lines in the log."""

import re


def deferred(instance):
    """An id of a message that waits, because nobody serves its transport."""
    instance.set(transport_maps="inline:{ {away.test = nowhere:} }")
    instance.start()
    queue_id = instance.send(["first@away.test", "second@away.test"], b"Subject: kept\r\nX-Odd: a\r\n"
                             b"\r\n.dot\r\nlast line\r\n")
    instance.wait_for_log(rf"{queue_id}: to=<second@away.test>.*status=deferred")
    return queue_id


def test_postcat(make_instance):
    one = make_instance("here")
    queue_id = deferred(one)
    shown = one.run("postcat", "-q", queue_id, check=True).stdout
    assert re.search(rf"^\*\*\* ENVELOPE RECORDS (deferred/[0-9a-f]{{8}}|new)/{queue_id} \*\*\*$", shown,
                     re.MULTILINE), shown
    for line in ("sender: sender@client.example", "recipient: first@away.test",
                 "recipient: second@away.test", "Subject: kept", "last line",
                 "status: pending first@away.test"):
        assert f"\n{line}\n" in shown, (line, shown)
    assert "\r" not in shown
    body = one.run("postcat", "-bq", queue_id, check=True).stdout
    assert body == ".dot\nlast line\n"
    header = one.run("postcat", "-hq", queue_id, check=True).stdout
    assert header.startswith("Received: ") and header.endswith("X-Odd: a\n"), header
    both = one.run("postcat", "-b", "-h", "-q", queue_id, check=True).stdout
    assert both == header + "\n" + body
    one.stop()
    [path] = [found for found in one.queue_directory.rglob(queue_id)]
    assert one.run("postcat", "-b", path, check=True).stdout == body
    assert re.match(r" +\d+ \.dot\n +\d+ last line\n$", one.run("postcat", "-bo", path).stdout)


def test_postcat_refuses(make_instance):
    one = make_instance("here")
    one.start()
    assert one.run("postcat").returncode == 64
    done = one.run("postcat", "-q", "4Qk7vBz1TfMw2hXcR9dLpNq3s")
    assert done.returncode == 1 and "no such message" in done.stderr, done
    done = one.run("postcat", "-q", "../../etc/passwd")
    assert done.returncode == 1 and "not a queue id" in done.stderr, done
    done = one.run("postcat", one.etc / "main.cf")
    assert done.returncode == 1 and done.stdout == "" and "postcat: fatal:" in done.stderr, done


def test_postlog(make_instance):
    one = make_instance("here")
    one.run("postlog", "a", "line", check=True)
    one.run("postlog", "-p", "warn", "-t", "script/of-mine", check=True, stdin="first\nsec\x01ond\n")
    lines = one.log().splitlines()
    assert re.search(r" posthouse/postlog\[\d+\]: a line$", lines[0]), lines
    assert re.search(r" script/of-mine\[\d+\]: warning: first$", lines[1]), lines
    assert re.search(r" script/of-mine\[\d+\]: warning: sec\?ond$", lines[2]), lines
    assert one.run("postlog", "-p", "loud", "text").returncode == 64
