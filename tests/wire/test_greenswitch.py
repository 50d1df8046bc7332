"""Why greenswitch's parser is not in a call's path: it decodes a block before it splits it."""

from __future__ import annotations

from greenswitch.esl import ESLEvent

from tests.support.transcripts import transcript


def test_greenswitch_takes_a_display_name_for_a_header() -> None:
    """The INVITE of this recording came from +15550666."""
    block = transcript("a3_pct0A_name").split(b"\n\n")[0].decode()
    assert ESLEvent(block).headers["Caller-Caller-ID-Number"].startswith("5550100")
