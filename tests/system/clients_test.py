"""Clients that other people wrote: swaks, smtplib, smtp-source."""

import smtplib
import subprocess

from harness import peers


def test_swaks(here):
    done = subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{here.port}", "--from", "sender@client.example",
         "--to", "you@here.test", "--helo", "client.example", "--h-Subject", "by swaks"],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    [message] = here.wait_for_mail("you@here.test")
    assert message["Subject"] == "by swaks"


def test_swaks_pipelining(here):
    done = subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{here.port}", "--from", "sender@client.example",
         "--to", "you@here.test,friend@here.test", "--helo", "client.example", "--pipeline"],
        capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    here.wait_for_mail("you@here.test")
    here.wait_for_mail("friend@here.test")


def test_smtplib(here):
    with smtplib.SMTP("127.0.0.1", here.port, "client.example", 30) as client:
        refused = client.sendmail("sender@client.example", ["you@here.test", "unknown@here.test"],
                                  "Subject: by smtplib\r\n\r\nHello.\r\n")
    assert refused.keys() == {"unknown@here.test"}
    assert refused["unknown@here.test"][0] == 550
    [message] = here.wait_for_mail("you@here.test")
    assert message["Subject"] == "by smtplib"


def test_smtp_source_ten_sessions(here):
    done, _ = peers.SmtpSource.run("127.0.0.1", here.port, 300, 10, "you@here.test")
    assert done.returncode == 0, done.stderr
    here.wait_for_mail("you@here.test", 300, 60)
    here.wait_for_empty_queue()


def test_smtp_source_a_connection_for_each_message(here):
    done, _ = peers.SmtpSource.run("127.0.0.1", here.port, 100, 5, "you@here.test", keep=False)
    assert done.returncode == 0, done.stderr
    here.wait_for_mail("you@here.test", 100, 60)
    here.wait_for_empty_queue()


def test_smtp_source_large_messages(here):
    done, _ = peers.SmtpSource.run("127.0.0.1", here.port, 8, 4, "you@here.test", size=1_000_000)
    assert done.returncode == 0, done.stderr
    here.wait_for_mail("you@here.test", 8, 60)
    # Its lines have 80 bytes with CRLF, and one less in a Maildir.
    assert all(path.stat().st_size > 980_000 for path in here.messages("you@here.test"))
