"""Clients that other people wrote: swaks, smtplib, curl, msmtp, smtp-source. (mutt and mailx call
sendmail: sendmail_test.)"""

import shutil
import smtplib
import subprocess

import pytest

from harness import peers
from harness.instance import small_message


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


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
def test_curl(here):
    """Two messages in one session; curl says SIZE and stops at a refused recipient."""
    content = small_message(recipients=["friend@here.test"], body=".\r\n..dots\r\n" * 1000)
    command = ["curl", "--silent", "--show-error", "--url", f"smtp://127.0.0.1:{here.port}/client.example",
               "--mail-from", "sender@client.example", "--upload-file", "-"]
    done = subprocess.run([*command, "--mail-rcpt", "you@here.test", "--mail-rcpt", "friend@here.test"],
                          input=content, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    for user in ("you@here.test", "friend@here.test"):
        here.wait_for_mail(user)
        [path] = here.messages(user)
        assert path.read_bytes().endswith(b"\n\n" + b".\n..dots\n" * 1000)
    refused = subprocess.run([*command, "--mail-rcpt", "unknown@here.test"], input=content,
                             capture_output=True, timeout=60, check=False)
    assert refused.returncode == 55 and b"550" in refused.stderr  # CURLE_SEND_ERROR


@pytest.mark.skipif(not shutil.which("msmtp"), reason="needs msmtp")
def test_msmtp(here):
    command = ["msmtp", "--file=/dev/null", "--host=127.0.0.1", f"--port={here.port}", "--from=sender@client.example",
               "--domain=client.example", "--tls=off", "--auth=off"]
    content = small_message(body=".dot\r\n").replace(b"\r\n", b"\n")
    done = subprocess.run([*command, "--dsn-notify=failure", "you@here.test", "friend@here.test"], input=content,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    here.wait_for_mail("friend@here.test")
    [message] = here.wait_for_mail("you@here.test")
    assert message.get_content() == ".dot\n"
    refused = subprocess.run([*command, "unknown@here.test"], input=content, capture_output=True, timeout=60,
                             check=False)
    assert refused.returncode == 65 and b"User unknown in virtual mailbox table" in refused.stderr  # EX_DATAERR


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
