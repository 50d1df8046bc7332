"""The number that a SIP or tel URI dials or calls from, as text that number reading takes.

Everything here is the caller's text: it is split first and percent-decoded after, so that an
encoded separator stays a character of the user.
"""

from __future__ import annotations

from urllib.parse import unquote

MAX_CHARACTERS = 1024
"""Kamailio takes no longer URI; number reading takes half of it."""

UNREADABLE = "sip:"
"""An address without a user: number reading calls it unreadable, which is not the same as blank."""


def number_text(uri: str) -> str:
    """User and parameters of `uri`, decoded: `+48600100200`, `48;phone-context=+48`.

    Empty when a SIP URI has no user: a caller who gives no number. UNREADABLE for what is no SIP or
    tel URI, and for one that is too long. A password behind the user is left out.
    """
    if len(uri) > MAX_CHARACTERS:
        return UNREADABLE
    scheme, colon, rest = uri.partition(":")
    scheme = scheme.casefold()
    if not colon or scheme not in ("sip", "sips", "tel"):
        return UNREADABLE
    if scheme == "tel":
        number, semicolon, parameters = rest.partition(";")
    else:
        user, at, _ = rest.partition("@")
        if not at:
            return ""
        number, semicolon, parameters = user.partition(";")
        number = number.partition(":")[0]
    if "%" in number:
        number = unquote(number, errors="replace")
    return number + semicolon + parameters
