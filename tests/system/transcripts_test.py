"""Conversations with smtpd from tests/transcripts/smtpd, each against a fresh instance with its settings."""

import pathlib

import pytest

from harness import transcript

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "transcripts/smtpd"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: getattr(path, "stem", "none"))
def test_transcript(make_instance, path):
    one = make_instance("here", users=["you@here.test", "friend@here.test"],
                        settings=transcript.settings_of(path)).start()
    transcript.play(path, one.address, one.port)
