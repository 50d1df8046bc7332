"""The rules of a store as plain data; `rules_document` reads them from TOML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Literal

from screening.extensions import Extensions
from screening.facts import Flow

Network = IPv4Network | IPv6Network
FailPolicy = Literal["open", "closed"]
Unassigned = Literal["dial", "cannot tell"]
"""What a number gets that could exist but is in no range that is in use."""

DEFAULT_FAIL_POLICY: Mapping[Flow, FailPolicy] = MappingProxyType(
    {"inbound": "open", "outbound": "closed", "callback": "closed", "widget": "closed"}
)
"""What a leg gets when its question cannot be answered: `open` goes on, `closed` does not."""

DEFAULT_STATUS = "Blacklist"
"""Status of a campaign number that is not dialled, unless the campaign names its own."""

DEFAULT_CAUSE = "CALL_REJECTED"


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Inbound legs of listed callers, to `called` if given: hang up, redirect or let through.

    action: `continue` ends the inbound rules for callers that the list names. A leg that is hung up
    on gets `cause`, or the SIP response if there is one; call_info: the URL of the card that goes
    with 608. enforce: otherwise the leg is only marked.
    """

    name: str
    list: str
    action: Literal["hangup", "redirect", "continue"]
    called: tuple[str, ...] | None = None
    cause: str | None = DEFAULT_CAUSE
    response: int | None = None
    call_info: str | None = None
    redirect: str | None = None
    except_lists: tuple[str, ...] = ()
    enforce: bool = True


@dataclass(frozen=True, slots=True)
class SkipRule:
    """Numbers that a campaign, a queue's callbacks or a widget's callbacks must not dial.

    except_lists: their numbers are lifted from all `lists`. list_excepts: by list, those whose
    numbers are lifted from this one alone. unassigned: None where the rules at large decide.
    """

    name: str
    lists: tuple[str, ...]
    except_lists: tuple[str, ...] = ()
    status: str = DEFAULT_STATUS
    enforce: bool = True
    list_excepts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unassigned: Unassigned | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """Dialled legs that present a random number of a list.

    strip: what the trunk takes off the dialled string, such as an outside-line digit.
    """

    name: str
    present_from: str | None
    strip: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gateway:
    """How numbers from one gateway are read, and whether it vouches for the caller's identity.

    It is known by its addresses: its name is the caller's to choose (FreeSWITCH takes it from the
    request URI, `gw+NAME` or `;gw=NAME`). strip: what comes before the called number on its legs.
    """

    region: str | None = None
    addresses: tuple[Network, ...] = ()
    trusted: bool = False
    strip: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules of a store. An empty one screens nothing, and dials nothing that names no rule.

    outbound: for every outbound leg, beside its campaign's. unnamed: what an outbound leg gets that
    names no campaign and no route; `closed` is "cannot tell". extensions: what may be dialled that
    is no full number. version: names the text that the rules were read from.
    """

    default_region: str | None = None
    forwardings: tuple[Forwarding, ...] = ()
    campaigns: Mapping[str, SkipRule] = field(default_factory=dict)
    queues: Mapping[str, SkipRule] = field(default_factory=dict)
    widgets: Mapping[str, SkipRule] = field(default_factory=dict)
    outbound: SkipRule | None = None
    unnamed: FailPolicy = "closed"
    unassigned: Unassigned = "cannot tell"
    extensions: tuple[Extensions, ...] = ()
    routes: Mapping[str, Route] = field(default_factory=dict)
    gateways: Mapping[str, Gateway] = field(default_factory=dict)
    trusted_addresses: tuple[Network, ...] = ()
    fail: Mapping[Flow, FailPolicy] = field(default_factory=lambda: DEFAULT_FAIL_POLICY)
    version: str | None = None

    def campaign_list(self, name: str) -> str:
        """The list that numbers are added to for a campaign: the first of its lists.

        Raises ValueError for a campaign that the rules do not have, or that has no list.
        """
        campaign = self.campaigns.get(name)
        if campaign is None:
            known = ", ".join(map(repr, self.campaigns)) or "none, for the rules have none"
            raise ValueError(f"campaign: expected {known}, found {name[:100]!r}")
        if not campaign.lists:
            raise ValueError(f"{campaign.name}.lists: expected a list to add to, found none")
        return campaign.lists[0]
