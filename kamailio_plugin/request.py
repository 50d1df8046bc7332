"""What Kamailio knows of the request it is processing, as a leg to screen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from kamailio_plugin.kemi import Kemi
from kamailio_plugin.uri import MAX_CHARACTERS, UNREADABLE, number_text

_PRIVATE = frozenset({"id", "user"})
"""Values of the Privacy header (RFC 3323, RFC 3325) that withhold the caller's number."""


@dataclass(slots=True)
class Request:
    """One request. Texts are as the caller or the script wrote them, empty where there are none.

    caller_number: by P-Asserted-Identity from those that are trusted, else by From. sip_address:
    the URI that it is of.
    named_flow, campaign, queue, widget, route, region: what the script set in $avp(callsieve_...).
    """

    named_flow: str
    caller_number: str
    called_number: str
    network_address: str
    from_user: str = ""
    sip_address: str = ""
    gateway: str = ""
    campaign: str = ""
    queue: str = ""
    widget: str = ""
    route: str = ""
    region: str = ""
    privacy: bool = False


def read_request(ksr: Kemi, trusts: Callable[[str], bool]) -> Request:
    """The request in hand. trusts(address): whether that sender's P-Asserted-Identity counts."""
    text = ksr.pv.gete
    address = text("$si")
    flow = named_flow(ksr)
    identity = _identity(text, address, trusts)
    request = Request(
        named_flow=flow,
        # Every request has a From; Kamailio gives none when it cannot be parsed.
        caller_number=number_text(identity) if identity else UNREADABLE,
        sip_address=identity[:MAX_CHARACTERS],
        called_number=number_text(_hostile(text, "$ru")),
        network_address=address,
        region=text("$avp(callsieve_region)"),
        privacy=_is_private(_hostile(text, "$hdr(Privacy)")),
    )
    if flow != "inbound":
        request.campaign = text("$avp(callsieve_campaign)")
        request.queue = text("$avp(callsieve_queue)")
        request.widget = text("$avp(callsieve_widget)")
        request.route = text("$avp(callsieve_route)")
    return request


def named_flow(ksr: Kemi) -> str:
    """The flow that the script names, else inbound."""
    return ksr.pv.gete("$avp(callsieve_flow)") or "inbound"


def call_id(ksr: Kemi) -> str:
    return _hostile(ksr.pv.gete, "$ci")[:200]


def _identity(read: Callable[[str], str], address: str, trusts: Callable[[str], bool]) -> str:
    """The URI of the caller; "" when Kamailio has none."""
    asserted = _hostile(read, "$ai")
    if asserted and trusts(address):
        # RFC 3325 allows two: a SIP and a tel URI, and the latter is sure to be a number.
        second = _hostile(read, "$(ai[1])")
        return second if second[:4].casefold() == "tel:" else asserted
    return _hostile(read, "$fu")


def _hostile(read: Callable[[str], str], name: str) -> str:
    """A pseudo-variable that holds the caller's bytes, which need not be UTF-8."""
    try:
        return read(name)
    except UnicodeDecodeError as error:
        return bytes(error.object).decode("utf-8", "replace")


def _is_private(header: str) -> bool:
    if not header:
        return False
    return any(value.strip() in _PRIVATE for value in header[:200].casefold().split(";"))
