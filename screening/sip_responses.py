"""The SIP responses that a rule can refuse a call with, and how they are called.

Names: IANA, "Session Initiation Protocol (SIP) Parameters", response codes; RFC 3261, section 21.
"""

from __future__ import annotations

_PHRASES = {
    400: "Bad Request",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    408: "Request Timeout",
    410: "Gone",
    420: "Bad Extension",
    421: "Extension Required",
    424: "Bad Location Information",
    428: "Use Identity Header",
    429: "Provide Referrer Identity",
    433: "Anonymity Disallowed",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    491: "Request Pending",
    493: "Undecipherable",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    580: "Precondition Failure",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
    608: "Rejected",
}
# RFC 3261, section 8.1.3.2: a response that is not known counts as the first of its hundred.
_CLASSES = {4: "Request Failure", 5: "Server Failure", 6: "Global Failure"}

# Both ask for credentials, with a challenge that a refusal does not carry.
_CHALLENGES = (401, 407)

EXPECTED_RESPONSE = "a SIP response, 400 to 699 but 401 and 407"


def refuses(response: int) -> bool:
    """Whether a call can be refused with it: EXPECTED_RESPONSE."""
    return response // 100 in _CLASSES and response not in _CHALLENGES


def call_info_value(card: str) -> str:
    """The value of the Call-Info header of a 608 whose signed card has that URL (RFC 8688)."""
    return f"<{card}>;purpose=jwscard"


def phrase(response: int) -> str:
    """What stands behind the number in the status line."""
    return _PHRASES.get(response) or _CLASSES[response // 100]
