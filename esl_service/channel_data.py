"""What a leg's channel data says that a decision needs; the rest of its 6 KB is not looked at."""

from __future__ import annotations

from dataclasses import dataclass

from esl_service.codec import Message
from esl_service.errors import RemoteProtocolError

# In the order of ChannelData's fields.
_FIELDS = {
    "uuid": b"Unique-ID",
    "direction": b"Call-Direction",
    "caller_number": b"Caller-Caller-ID-Number",
    "called_number": b"Caller-Destination-Number",
    "from_user": b"variable_sip_from_user",
    "network_address": b"variable_sip_network_ip",
    "gateway": b"variable_sip_gateway_name",
    "application": b"variable_current_application",
    "flow": b"variable_callsieve_flow",
    "campaign": b"variable_callsieve_campaign",
    "queue": b"variable_callsieve_queue",
    "widget": b"variable_callsieve_widget",
    "route": b"variable_callsieve_route",
    "region": b"variable_callsieve_region",
    "number": b"variable_callsieve_number",
    "list": b"variable_callsieve_list",
}

NEEDED = (
    b"Event-Name",
    b"Socket-Mode",
    b"Caller-Privacy-Hide-Number",
    *_FIELDS.values(),
)
"""The headers that `read_channel_data` looks at."""


@dataclass(slots=True)
class ChannelData:
    """One leg as FreeSWITCH describes it. Texts are decoded; empty where FreeSWITCH has none.

    caller_number: what Remote-Party-ID, P-Asserted-Identity or P-Preferred-Identity claims, else
    From's user. from_user: From's user, always. Both are the caller's to choose.
    application: what the dialplan runs now; `socket` while the leg waits for us.
    number, list: what the flow `block` is to put where.
    privacy: the caller asked to withhold its number.
    parks: the dialplan called `socket` with `async`; the leg is parked until it is resumed.
    """

    uuid: str = ""
    direction: str = ""
    caller_number: str = ""
    called_number: str = ""
    from_user: str = ""
    network_address: str = ""
    gateway: str = ""
    application: str = "socket"
    flow: str = ""
    campaign: str = ""
    queue: str = ""
    widget: str = ""
    route: str = ""
    region: str = ""
    number: str = ""
    list: str = ""
    privacy: bool = False
    parks: bool = False

    @property
    def named_flow(self) -> str:
        """The flow that the dialplan names, else the one that the leg's direction stands for."""
        return self.flow or ("outbound" if self.direction == "outbound" else "inbound")


def read_channel_data(message: Message) -> ChannelData:
    """The leg in FreeSWITCH's answer to `connect`. Raises RemoteProtocolError if it is none."""
    kind = message.get(b"Event-Name")
    if kind != "CHANNEL_DATA":
        raise RemoteProtocolError(f"expected Event-Name CHANNEL_DATA, got {kind[:60]!r}")
    if not message.get(b"Unique-ID"):
        raise RemoteProtocolError("expected a Unique-ID in the channel data, got none")
    channel = ChannelData(*map(message.get, _FIELDS.values()))  # type: ignore[arg-type]  # texts
    channel.privacy = message.get(b"Caller-Privacy-Hide-Number") == "true"
    channel.parks = message.get(b"Socket-Mode") == "async"
    return channel


def write_channel_data(channel: ChannelData) -> dict[str, str]:
    """The headers that say what `channel` does, not encoded; the reverse of reading them."""
    headers = {name.decode(): getattr(channel, field) for field, name in _FIELDS.items()}
    headers["Caller-Privacy-Hide-Number"] = "true" if channel.privacy else "false"
    # An unset channel variable is not sent; a caller profile's field is, as undefined.
    return {name: value for name, value in headers.items() if value or name.startswith("Caller-")}
