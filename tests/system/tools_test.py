"""The command line: output shapes and exit codes that scripts rely on."""

import os
import re

import pytest


@pytest.fixture
def idle(make_instance):
    """A configuration that nobody has started."""
    return make_instance("here")


def test_empty_queue(here):
    done = here.run("postqueue", "-p")
    assert (done.returncode, done.stdout) == (0, "Mail queue is empty\n")
    done = here.run("mailq")
    assert (done.returncode, done.stdout) == (0, "Mail queue is empty\n")


def test_postqueue_usage(here):
    assert here.run("postqueue").returncode == 64          # EX_USAGE
    assert here.run("postqueue", "-Z").returncode == 64


def test_postqueue_of_nothing(here):
    """An empty name does not stand for the whole queue."""
    for option, name in (("-i", ""), ("-i", "../x"), ("-s", ""), ("-s", "you@here.test"), ("-s", "a b")):
        done = here.run("postqueue", option, name)
        what = "queue ID - invalid name" if option == "-i" else "mail queue - invalid destination"
        assert done.returncode == 64, done
        assert done.stderr == f'postqueue: fatal: Cannot flush {what}: "{name}"\n', done
        if os.geteuid() == 0:
            here.wait_for_log(rf"posthouse/postqueue\[\d+\]: fatal: Cannot flush {what}: \"{re.escape(name)}\"$")


def test_postqueue_without_a_running_instance(make_instance):
    one = make_instance("here")
    done = one.run("postqueue", "-p")
    assert done.returncode == 69, done                     # EX_UNAVAILABLE
    assert done.stderr


def test_mailq_by_environment(here):
    import os
    import subprocess
    done = subprocess.run([here.programs.command("mailq")], env={**os.environ, "MAIL_CONFIG": str(here.etc)},
                          capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "Mail queue is empty\n"), done


def test_postconf(idle):
    done = idle.run("postconf", "myhostname", "mynetworks")
    assert (done.returncode, done.stdout) == (0, "myhostname = mx.here.test\nmynetworks = 127.0.0.0/8\n")
    done = idle.run("postconf", "-h", "myhostname")
    assert (done.returncode, done.stdout) == (0, "mx.here.test\n")
    done = idle.run("postconf", "-d", "minimal_backoff_time", "message_size_limit")
    assert (done.returncode, done.stdout) == (0, "minimal_backoff_time = 300s\nmessage_size_limit = 10240000\n")
    done = idle.run("postconf", "-n")
    assert done.returncode == 0
    assert "myhostname = mx.here.test\n" in done.stdout
    assert "message_size_limit" not in done.stdout
    names = [line.split(" =")[0] for line in done.stdout.splitlines()]
    assert names == sorted(names)


def test_postconf_lists_everything_sorted(idle):
    done = idle.run("postconf")
    lines = done.stdout.splitlines()
    assert done.returncode == 0 and len(lines) > 40
    names = [line.split(" =")[0] for line in lines]
    assert names == sorted(names)


def test_postconf_unknown_parameter(idle):
    done = idle.run("postconf", "no_such_parameter")
    assert "no_such_parameter: unknown parameter" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("kind", ["hash", "btree"])
def test_postmap(idle, kind):
    source = idle.directory / "table"
    source.write_text("# a comment\nyou@here.test  first\nkey   a value of\n   two lines\n")
    done = idle.run("postmap", f"{kind}:{source}")
    assert done.returncode == 0, done
    assert (idle.directory / "table.db").exists()
    done = idle.run("postmap", "-q", "key", f"{kind}:{source}")
    assert (done.returncode, done.stdout) == (0, "a value of   two lines\n")
    done = idle.run("postmap", "-q", "KEY", f"{kind}:{source}")
    assert (done.returncode, done.stdout) == (0, "a value of   two lines\n")
    done = idle.run("postmap", "-q", "absent", f"{kind}:{source}")
    assert (done.returncode, done.stdout) == (1, "")


def test_postmap_reads_keys_from_standard_input(idle):
    done = idle.run("postmap", "-q", "-", "inline:{ a=1, b=2 }", stdin="a\nc\nb\n")
    assert (done.returncode, done.stdout) == (0, "a\t1\nb\t2\n")


def test_postmap_missing_file(idle):
    done = idle.run("postmap", f"hash:{idle.directory}/absent")
    assert done.returncode == 1 and "absent" in done.stderr


def test_hash_table_in_use(make_instance):
    one = make_instance("here", users=["you@here.test"])
    table = one.etc / "mailboxes"
    table.write_text("you@here.test here.test/you/\n")
    one.set(virtual_mailbox_maps=f"hash:{table}")
    assert one.run("postmap", f"hash:{table}").returncode == 0
    one.start()
    one.send("you@here.test")
    one.wait_for_mail("you@here.test")


def test_status_start_stop(make_instance):
    one = make_instance("here")
    assert one.run("posthouse", "status").returncode == 1
    one.start()
    assert one.run("posthouse", "status").returncode == 0
    second = one.run("posthouse", "start")
    assert second.returncode == 1 and "already running" in second.stderr + second.stdout + one.log()
    one.stop()
    assert one.run("posthouse", "status").returncode == 1
    assert one.run("posthouse", "stop").returncode == 1


def test_nothing_runs_after_stop(make_instance):
    import pathlib
    one = make_instance("here").start()
    one.stop()
    left = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if str(one.programs.root).encode() in (process / "cmdline").read_bytes() or \
                    str(one.programs.root) in str((process / "exe").readlink()):
                left.append((process / "cmdline").read_bytes())
        except OSError:
            pass
    assert not left


def test_reload_takes_new_settings_and_keeps_sessions(here):
    client = here.client()
    client.ehlo()
    assert client.esmtp_features["size"] == "10240000"
    here.set(message_size_limit="20000", virtual_mailbox_limit="20000")
    here.reload()

    def has_new_limit():
        with here.client() as other:
            other.ehlo()
            return other.esmtp_features["size"] == "20000"

    from harness.instance import small_message, wait_until
    wait_until(has_new_limit, "new sessions see the new limit")
    # The session that was open goes on as it began.
    client.sendmail("sender@client.example", ["you@here.test"], small_message())
    client.quit()
    here.wait_for_mail("you@here.test")


def test_reload_with_an_error_keeps_running(here):
    here.tolerate(r"(fatal|error): ")
    here.set(smtpd_recipient_limit="many")
    assert here.run("posthouse", "reload").returncode == 1
    here.send("you@here.test")
    here.wait_for_mail("you@here.test")
    here.set(smtpd_recipient_limit=None)


def test_check_is_content(idle):
    done = idle.run("posthouse", "check")
    assert done.returncode == 0, done


@pytest.mark.parametrize("settings, complaint", [
    ({"smtpd_recipient_limit": "many"}, "smtpd_recipient_limit"),
    ({"minimal_backoff_time": "5x"}, "minimal_backoff_time"),
    ({"virtual_mailbox_maps": "nonsense:/x"}, "nonsense"),
    ({"mynetworks": "127.0.0.0/99"}, "127.0.0.0/99"),
    ({"inet_protocols": "ipv5"}, "ipv5"),
    ({"smtpd_client_restrictions": "reject_rbl_client bl.example"}, "smtpd_client_restrictions"),
], ids=lambda value: next(iter(value)) if isinstance(value, dict) else None)
def test_check_finds_bad_settings(make_instance, settings, complaint):
    one = make_instance("here", settings=settings)
    done = one.run("posthouse", "check")
    assert done.returncode == 1, done
    assert complaint in done.stderr + done.stdout, done
    started = one.run("posthouse", "start")
    assert started.returncode == 1, started
    assert one.run("posthouse", "status").returncode == 1


def test_check_names_file_and_line(make_instance):
    one = make_instance("here")
    (one.etc / "main.cf").write_text((one.etc / "main.cf").read_text() + "this is no setting\n")
    done = one.run("posthouse", "check")
    assert done.returncode == 1
    assert re.search(r"main\.cf.*(line )?\d+", done.stderr + done.stdout), done


def test_check_bad_master_cf(make_instance):
    one = make_instance("here", services="what inet\n")
    done = one.run("posthouse", "check")
    assert done.returncode == 1
    assert "master.cf" in done.stderr + done.stdout


def test_check_accepts_a_stock_master_cf(make_instance):
    one = make_instance("here", services=(
        "cleanup unix n - y - 0 cleanup\ntlsmgr unix - - y 1000? 1 tlsmgr\nanvil unix - - y - 1 anvil\n"
        "showq unix n - y - - showq\nrewrite unix - - y - - trivial-rewrite\n"))
    done = one.run("posthouse", "check")
    assert done.returncode == 0, done
    assert "cleanup" in done.stdout + done.stderr


def test_check_without_configuration(make_instance):
    one = make_instance("here")
    (one.etc / "main.cf").unlink()
    done = one.run("posthouse", "check")
    assert done.returncode == 1
    assert "main.cf" in done.stderr + done.stdout


def test_unused_parameter_is_a_warning(make_instance):
    one = make_instance("here", settings={"virtual_mailbox_domain": "typo.test"})
    done = one.run("posthouse", "check")
    assert done.returncode == 0
    assert "unused parameter: virtual_mailbox_domain=typo.test" in done.stderr + done.stdout


def test_two_instances_stop_apart(make_instance):
    one = make_instance("here").start()
    two = make_instance("there").start()
    one.stop()
    assert two.is_running() and not one.is_running()
    two.send("you@there.test")
    two.wait_for_mail("you@there.test")


def test_postlock(make_instance, workspace):
    """A command runs under the locks of mailbox files; whoever cannot have them is told so."""
    import fcntl
    import subprocess
    one = make_instance("here", settings={"deliver_lock_attempts": "2", "deliver_lock_delay": "1s"})
    box = workspace / "postlock-box"
    script = f'test -e {box}.lock && ! flock -n {box} true && exit 7'
    assert one.run("postlock", "-l", "flock,dotlock", box, "sh", "-c", script).returncode == 7
    assert box.exists() and not (workspace / "postlock-box.lock").exists()
    assert one.run("postlock", box, "echo", "-l", "x").stdout == "-l x\n"
    with open(box, "r+b") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        result = one.run("postlock", "-l", "fcntl", box, "true")
        assert result.returncode == 75 and "postlock: fatal: cannot lock" in result.stderr
    (workspace / "postlock-box.lock").touch()
    result = one.run("postlock", box, "true")
    assert result.returncode == 75 and "File exists" in result.stderr
    (workspace / "postlock-box.lock").unlink()
    assert one.run("postlock", box, "no-such-command-here").returncode == 75
    assert one.run("postlock", "-l", "prayer", box, "true").returncode == 64
    with subprocess.Popen(one.argv("postlock", box, "sleep", "60")) \
            as process:
        from harness.instance import wait_until
        wait_until((workspace / "postlock-box.lock").exists, "it is locked")
        process.terminate()
    assert process.returncode == -15 and not (workspace / "postlock-box.lock").exists()


def test_postkick(make_instance, recording_sink):
    recording_sink.script["RCPT"] = "450 4.2.0 later"
    one = make_instance("here", settings={"relayhost": f"[127.0.0.1]:{recording_sink.port}"}).start()
    one.send("you@there.test")
    one.wait_for_log("status=deferred")
    assert one.run("postkick", "public", "pickup", "W").returncode == 0
    assert one.run("postkick", "public", "qmgr", "IW").returncode == 0
    for wrong in (("public", "pickup", "D"), ("public", "nobody", "W"), ("secret", "qmgr", "D"), ("public", "qmgr", "")):
        assert one.run("postkick", *wrong).returncode == 69
    assert one.run("postkick", "public", "qmgr").returncode == 64
    recording_sink.script["RCPT"] = "250 2.1.5 Ok"
    assert one.run("postkick", "public", "qmgr", "DF").returncode == 0
    one.wait_for_empty_queue()
    assert recording_sink.recipients() == ["you@there.test"]
