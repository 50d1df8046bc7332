"""Whose fault it is decides the class (the habit of h11)."""


class ProtocolError(Exception):
    """The event-socket protocol was broken."""


class RemoteProtocolError(ProtocolError):
    """The other side sent what the protocol does not allow, or more than we take."""


class LocalProtocolError(ProtocolError):
    """We were asked to send what the protocol cannot carry, or at the wrong time."""


class UnanswerableLegError(Exception):
    """The dialplan asked what has no answer, such as an unknown flow. Its fail policy applies."""
