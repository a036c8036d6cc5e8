"""Conversations with smtpd from tests/transcripts/smtpd, each against a fresh instance with its settings."""

import pathlib

import pytest

from harness import instance, peers, transcript

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "transcripts/smtpd"
# What Postfix 3.7 offers and we do not, yet or on purpose.
NOT_OFFERED = "starttls"
# The client is on this machine, and yet is to be treated as any other.
STRANGERS = {"smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
             "smtpd_forbid_bare_newline_exclusions": "", "local_header_rewrite_clients": ""}
ONLY_OURS = "LIMITS"
FIRST_PORT = 2600


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: getattr(path, "stem", "none"))
def test_transcript(make_instance, path):
    one = make_instance("here", users=["you@here.test", "friend@here.test"],
                        settings={**STRANGERS, **transcript.settings_of(path)}).start()
    transcript.play(path, one.address, one.port)


def postfix_service(path, port):
    """A line of master.cf for a transcript's settings."""
    settings = {"smtpd_discard_ehlo_keywords": NOT_OFFERED, **transcript.settings_of(path)}
    if settings["smtpd_discard_ehlo_keywords"] != NOT_OFFERED:
        settings["smtpd_discard_ehlo_keywords"] += "," + NOT_OFFERED
    options = "".join(f" -o {{ {name} = {value} }}" for name, value in settings.items())
    return f"127.0.0.1:{port} inet n - n - - smtpd{options}\n"


@pytest.mark.own_machine
def test_postfix_says_the_same(workspace):
    """Every transcript without a line "# unlike Postfix: why", played against a real Postfix."""
    paths = [path for path in sorted(FOLDER.glob("*.txt")) if "# unlike Postfix" not in path.read_text()]
    assert len(paths) > 15
    postfix = peers.Postfix(workspace / "transcripts-postfix", settings={
        "myhostname": "mx.here.test", "smtpd_recipient_restrictions": None,
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
        "smtpd_peername_lookup": "no", "smtputf8_enable": "yes"}, users=["you@here.test", "friend@here.test"])
    with (postfix.etc / "master.cf").open("a") as services:
        for number, path in enumerate(paths):
            services.write(postfix_service(path, FIRST_PORT + number))
    postfix.start()
    try:
        instance.wait_until(lambda: instance.is_listening("127.0.0.1", FIRST_PORT), "Postfix listens")
        differences = []
        for number, path in enumerate(paths):
            try:
                transcript.play(path, "127.0.0.1", FIRST_PORT + number, not_offered=ONLY_OURS)
            except transcript.Mismatch as mismatch:
                differences.append(str(mismatch))
        assert not differences, "\n".join(differences)
    finally:
        postfix.stop()
