"""SIP addresses as entries of lists and identities of callers: read as one canonical text.

`sip:alice@example.com`, and in lists `sip:*@example.com` for all users of a host. Two texts of one
address (RFC 3261, 19.1.4) have one canonical text: sips: is written sip:, the host in lower case
without port, parameters and final dot, the user without password and parameters, in its own case,
and what need not be percent-encoded as it is. A user has at most 64 characters and a host 253, none
of which ends or divides a CSV cell, an argument of FreeSWITCH or a SIP header; a user with others,
such as what must be percent-encoded, is in no list but by its host.
"""

from __future__ import annotations

import re
from ipaddress import AddressValueError, IPv4Address, IPv6Address

MAX_USER = 64
MAX_HOST = 253
MAX_ADDRESS = 1024  # characters of a text that is looked at
EVERY_USER = "*"
SIP = "sip:"

_SCHEME = re.compile(r"\s*sips?:\s*", re.IGNORECASE)
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED = re.compile(r"[A-Za-z0-9._~!*()-]")
_USER = re.compile(r"[A-Za-z0-9._~!*()&=+?/-]+")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_ALL_DIGITS = re.compile(r"[0-9.]+")


def read_address(text: str) -> str | None:
    """The canonical text of a SIP address; None for all that is none or cannot be an entry.

    A * is taken for all users alone, and not with other characters.
    """
    user, host = _parts(text)
    name = user and _canonical_user(user)
    if not (name and host) or (EVERY_USER in name and name != EVERY_USER):
        return None
    return f"{SIP}{name}@{host}"


def caller_address(text: str) -> str | None:
    """The same for a caller's address. One whose user no entry can have is one of the host's
    callers: `sip:*@example.com`. None when there is no host that can be read.
    """
    user, host = _parts(text)
    if not host:
        return None
    name = _canonical_user(user) or ""
    return f"{SIP}{EVERY_USER if EVERY_USER in name else name or EVERY_USER}@{host}"


def host_entry(address: str) -> str:
    """The entry for all users of a canonical address's host."""
    return f"{SIP}{EVERY_USER}@{address.rpartition('@')[2]}"


def _parts(text: str) -> tuple[str, str]:
    """The user as it is written and the canonical host; "" for what is not there."""
    scheme = _SCHEME.match(text) if len(text) <= MAX_ADDRESS else None
    if scheme is None:
        return "", ""
    user, _, rest = text[scheme.end() :].strip().rpartition("@")
    return re.split("[;:]", user, maxsplit=1)[0], _canonical_host(rest)


def _canonical_user(user: str) -> str | None:
    decoded = _ESCAPE.sub(_unescaped, user)
    return decoded if len(decoded) <= MAX_USER and _USER.fullmatch(decoded) else None


def _unescaped(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if _UNRESERVED.fullmatch(character) else escape[0]


def _canonical_host(text: str) -> str:
    """ "" for what is no host."""
    host = re.split("[;?]", text, maxsplit=1)[0].lower()
    try:
        if host.startswith("["):
            literal, _, port = host[1:].partition("]")
            return f"[{IPv6Address(literal)}]" if _is_port(port) else ""
        if host.count(":") > 1:  # as switches tell an address without its brackets
            return f"[{IPv6Address(host)}]"
        host, colon, port = host.partition(":")
        if not _is_port(colon + port):
            return ""
        if _ALL_DIGITS.fullmatch(host):
            return str(IPv4Address(host))
    except AddressValueError:
        return ""
    host = host.removesuffix(".")
    return host if len(host) <= MAX_HOST and _NAME.fullmatch(host) else ""


def _is_port(text: str) -> bool:
    return not text or re.fullmatch(":[0-9]{1,5}", text) is not None
