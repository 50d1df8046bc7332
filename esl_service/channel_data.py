"""What a decision needs to know of a leg, and the two ways in which FreeSWITCH tells it.

The dialplans of `freeswitch_conf/` put it into one line, the variable `callsieve_leg`:

    MODE|FIELD|...|FIELD|end

with the fields in the order of FIELDS. That is one short answer, where `connect` has FreeSWITCH
send all that it knows of the leg, 6 KB (and park it, see conversation.py). But FreeSWITCH cuts the
line after 511 bytes and does not encode it, so it stands only for texts that the dialplan has found
harmless (LEG_TEXT). Other legs, and those of other dialplans, are read from the channel data.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

from esl_service.codec import Message
from esl_service.errors import RemoteProtocolError

LEG_VARIABLE = "callsieve_leg"

FIELDS = {
    "uuid": (b"Unique-ID", "uuid"),
    "direction": (b"Call-Direction", "direction"),
    "caller_number": (b"Caller-Caller-ID-Number", "caller_id_number"),
    "called_number": (b"Caller-Destination-Number", "destination_number"),
    "from_user": (b"variable_sip_from_user", "sip_from_user"),
    "network_address": (b"variable_sip_network_ip", "sip_network_ip"),
    "gateway": (b"variable_sip_gateway_name", "sip_gateway_name"),
    "flow": (b"variable_callsieve_flow", "callsieve_flow"),
    "campaign": (b"variable_callsieve_campaign", "callsieve_campaign"),
    "queue": (b"variable_callsieve_queue", "callsieve_queue"),
    "widget": (b"variable_callsieve_widget", "callsieve_widget"),
    "route": (b"variable_callsieve_route", "callsieve_route"),
    "region": (b"variable_callsieve_region", "callsieve_region"),
    "number": (b"variable_callsieve_number", "callsieve_number"),
    "list": (b"variable_callsieve_list", "callsieve_list"),
    "from_host": (b"variable_sip_from_host", "sip_from_host"),
    "privacy": (b"Caller-Privacy-Hide-Number", "privacy_hide_number"),
}
"""ChannelData's fields in their order, which is the line's: the header of the channel data that
each is read from, and FreeSWITCH's variable that the dialplan puts into the line."""

_HEADERS = {name: header for name, (header, _) in FIELDS.items() if name != "privacy"}
_APPLICATION = b"variable_current_application"
_FROM_HOST = list(FIELDS).index("from_host")

LEG_TEXT = r"[^\x00-\x1f\x7f!\x22$%\x27\\{|}]{0,64}"
"""What a field of the line may be: nothing that ends a line or a field, and nothing that `multiset`
or the expansion of variables takes for its own."""

_LEG_TEXT = re.compile(LEG_TEXT)

MAX_LEG_BYTES = 511
"""FreeSWITCH cuts the reply to `getvar` after that."""

Mode = Literal["sync", "held", "parked"]

NEEDED = (b"Event-Name", b"Socket-Mode", _APPLICATION, *(header for header, _ in FIELDS.values()))
"""The headers that `read_channel_data` looks at."""


class ChannelData(NamedTuple):
    """One leg as FreeSWITCH describes it. Texts are decoded; empty where FreeSWITCH has none.

    caller_number: what Remote-Party-ID, P-Asserted-Identity or P-Preferred-Identity claims, else
    From's user. from_user, from_host: From's, always. All are the caller's to choose.
    application: what the dialplan runs now; `socket` while the leg waits for us.
    number, list: what the flow `block` is to put where.
    privacy: the caller asked to withhold its number.
    mode: sync, the dialplan called `socket` without `async` and commands are run as they come;
    held, with `async` and without our `connect`: they are run when we let go of the leg; parked,
    with both: they are run every 20 ms, until the leg is resumed.
    """

    uuid: str = ""
    direction: str = ""
    caller_number: str = ""
    called_number: str = ""
    from_user: str = ""
    network_address: str = ""
    gateway: str = ""
    flow: str = ""
    campaign: str = ""
    queue: str = ""
    widget: str = ""
    route: str = ""
    region: str = ""
    number: str = ""
    list: str = ""
    from_host: str = ""
    privacy: bool = False
    mode: Mode = "sync"
    application: str = "socket"

    @property
    def named_flow(self) -> str:
        """The flow that the dialplan names, else the one that the leg's direction stands for."""
        return self.flow or ("outbound" if self.direction == "outbound" else "inbound")

    @property
    def sip_address(self) -> str:
        """From's `sip:USER@HOST`; empty where FreeSWITCH or an older dialplan gives no host."""
        return f"sip:{self.from_user}@{self.from_host}" if self.from_host else ""


def read_channel_data(message: Message) -> ChannelData:
    """The leg in FreeSWITCH's answer to `connect`. Raises RemoteProtocolError if it is none."""
    kind = message.get(b"Event-Name")
    if kind != "CHANNEL_DATA":
        raise RemoteProtocolError(f"expected Event-Name CHANNEL_DATA, got {kind[:60]!r}")
    if not message.get(b"Unique-ID"):
        raise RemoteProtocolError("expected a Unique-ID in the channel data, got none")
    return ChannelData._make(
        (
            *map(message.get, _HEADERS.values()),
            message.get(b"Caller-Privacy-Hide-Number") == "true",
            "parked" if message.get(b"Socket-Mode") == "async" else "sync",
            message.get(_APPLICATION),
        )
    )


def read_leg(line: str) -> ChannelData | None:
    """The leg in the reply to `getvar callsieve_leg`; None where that is no such line, whole."""
    mode, *fields = line.split("|")
    if len(fields) == len(FIELDS):  # of an older dialplan, which knows no from_host
        fields.insert(_FROM_HOST, "")
    if len(fields) != len(FIELDS) + 1 or fields[-1] != "end" or mode not in ("sync", "async"):
        return None
    *texts, privacy, _ = fields
    if not texts[0]:
        return None
    waits = "held" if mode == "async" else "sync"
    return ChannelData._make((*texts, privacy == "true", waits, "socket"))


def write_leg(channel: ChannelData, asynchronous: bool) -> str | None:
    """The line that a dialplan makes of `channel`; None where it would make none.

    asynchronous: the dialplan calls `socket` with `async`.
    """
    texts = [getattr(channel, name) for name in _HEADERS]
    texts.append("true" if channel.privacy else "false")
    line = "|".join(["async" if asynchronous else "sync", *texts, "end"])
    if (
        not channel.uuid
        or len(line.encode()) > MAX_LEG_BYTES
        or not all(map(_LEG_TEXT.fullmatch, texts))
    ):
        return None
    return line


def write_channel_data(channel: ChannelData) -> dict[str, str]:
    """The headers that say what `channel` does, not encoded; the reverse of reading them."""
    headers = {name.decode(): getattr(channel, field) for field, name in _HEADERS.items()}
    headers[_APPLICATION.decode()] = channel.application
    headers["Caller-Privacy-Hide-Number"] = "true" if channel.privacy else "false"
    # An unset channel variable is not sent; a caller profile's field is, as undefined.
    return {name: value for name, value in headers.items() if value or name.startswith("Caller-")}
