"""From a leg to its decision: published lists and rules, number reading, `decide`."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Protocol

from callsieve.leg_numbers import NO_REGION, called_party, caller_party, dialled_party
from callsieve.wiring import check_rules
from esl_service.errors import UnanswerableLegError
from loader.numbers import check_region, prepare
from loader.publishing import RULES_DOCUMENT, stale_after, too_old
from loader.sip_address import caller_address
from loader.store import rules_version
from lookup_core import Catalog, Document, PublishedList, UnavailableList, View
from screening import (
    FLOWS,
    WITHHELD,
    WITHOUT_NUMBER,
    CallFacts,
    Decision,
    Flow,
    Lists,
    NumberList,
    Party,
    Rules,
    Step,
    decide,
    undecided,
)
from screening import UnavailableList as NoList
from screening.rules import Gateway, Network


class Leg(Protocol):
    """What a shell knows of a leg. Texts are as the caller or the switch's configuration wrote
    them, empty where there are none; `caller_number` is what the caller's headers claim, and
    `sip_address` the address whose user is `from_user`, or `caller_number` where there is none.
    """

    @property
    def caller_number(self) -> str: ...
    @property
    def called_number(self) -> str: ...
    @property
    def from_user(self) -> str: ...
    @property
    def sip_address(self) -> str: ...
    @property
    def network_address(self) -> str: ...
    @property
    def gateway(self) -> str: ...
    @property
    def named_flow(self) -> str: ...
    @property
    def campaign(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def widget(self) -> str: ...
    @property
    def route(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def privacy(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class Explained:
    """A decision with everything that led to it."""

    facts: CallFacts
    decision: Decision
    steps: tuple[Step, ...]


class Screener:
    """Decides legs from what a catalog has published; follows it to each new generation.

    problem(text): told once of everything that was published but cannot be used.
    """

    def __init__(self, catalog: Catalog, problem: Callable[[str], object]) -> None:
        self._catalog = catalog
        self._problem = problem
        self._rng = random.SystemRandom()
        self._view: View | None = None
        self._document: Document | None = None
        self._rules = Rules()
        self._lists: Lists = {}
        self._stale_at = math.inf  # seconds since 1970, of the first list to get too old

    def screen(self, channel: Leg) -> Decision:
        """The decision for a leg. Raises UnanswerableLegError."""
        self.follow()
        return decide(read_facts(channel, self._rules), self._rules, self._lists, self._rng)

    def give_up(self, channel: Leg, why: str) -> Decision:
        """What the fail policy says for a leg that is not screened. Raises UnanswerableLegError."""
        return undecided(read_facts(channel, self._rules), self._rules, why)

    @property
    def rules(self) -> Rules:
        """The rules in force; nobody's until the first leg was screened."""
        return self._rules

    def trusts(self, address: str) -> bool:
        """Whether the rules trust what this address asserts of its callers."""
        self.follow()
        return _is_trusted(address, self._rules)

    def explain(self, channel: Leg) -> Explained:
        """The same decision and why. Raises UnanswerableLegError."""
        self.follow()
        facts = read_facts(channel, self._rules)
        steps: list[Step] = []
        decision = decide(facts, self._rules, self._lists, self._rng, steps)
        return Explained(facts, decision, tuple(steps))

    def follow(self) -> None:
        """Take what is published now. `screen` does so itself."""
        view = self._catalog.current()
        if view is self._view and (self._stale_at == math.inf or time.time() < self._stale_at):
            return
        now = time.time()
        for problem in view.problems:
            self._problem(problem)
        self._follow_rules(view.documents.get(RULES_DOCUMENT))
        ages = map(_stale_at, view.lists.values())
        self._lists = {
            name: _as_screened(found, datetime.fromtimestamp(now, UTC))
            for name, found in view.lists.items()
        }
        self._stale_at = min((age for age in ages if age > now), default=math.inf)
        self._view = view

    def _follow_rules(self, document: Document | None) -> None:
        if document is None or document == self._document:
            return
        self._document = document
        try:
            rules = check_rules(document.text, None)
        except ValueError as error:  # only checked rules are published: another version's, then
            self._problem(f"rules, generation {document.generation}: {error}")
            return
        self._rules = replace(rules, version=rules_version(document.text))
        regions = [rules.default_region, *(one.region for one in rules.gateways.values())]
        for region in filter(None, dict.fromkeys(regions)):
            prepare(region)


def _as_screened(found: PublishedList | UnavailableList, now: datetime) -> NumberList | NoList:
    if isinstance(found, UnavailableList):
        return NoList(found.reason)
    problem = too_old(found, now)
    return NoList(problem) if problem else found


def _stale_at(found: PublishedList | UnavailableList) -> float:
    """When the list gets too old to be used, in seconds since 1970."""
    moment = stale_after(found) if isinstance(found, PublishedList) else None
    return math.inf if moment is None else moment.timestamp()


def read_facts(channel: Leg, rules: Rules) -> CallFacts:
    """What the leg's channel data comes to under these rules. Raises UnanswerableLegError."""
    sender = _sender(channel, rules)
    region = _region(channel, rules, sender)
    flow = _flow(channel)
    strip = sender.strip if sender is not None else ()
    callers: tuple[Party, ...] = ()
    if flow == "inbound":
        callers = _callers(channel, rules, region)
        text = channel.called_number
        if strip:
            called = called_party(text, region, strip)
        else:
            called = caller_party("called number", text, region)
    else:
        route = rules.routes.get(channel.route)
        called = dialled_party(channel.called_number, region, route.strip if route else strip)
    return CallFacts(  # by place: by name it takes longer, for every leg
        flow,
        callers,
        called,
        channel.campaign or None,
        channel.queue or None,
        channel.widget or None,
        channel.route or None,
    )


def _flow(channel: Leg) -> Flow:
    named = channel.named_flow
    for flow in FLOWS:
        if named == flow:
            return flow
    raise UnanswerableLegError(
        f"callsieve_flow: expected one of {', '.join(FLOWS)}, got {named[:60]!r}"
    )


def leg_region(channel: Leg, rules: Rules) -> str | None:
    """The region that the leg's numbers are read in. Raises UnanswerableLegError."""
    return _region(channel, rules, _sender(channel, rules))


def _region(channel: Leg, rules: Rules, sender: Gateway | None) -> str | None:
    if channel.region:
        try:
            return check_region(channel.region)
        except ValueError as error:
            raise UnanswerableLegError(f"callsieve_region: {error}") from None
    return (sender and sender.region) or rules.default_region


def _sender(channel: Leg, rules: Rules) -> Gateway | None:
    """The gateway whose address sent the leg; of several, the one that the leg names.

    A name alone is the caller's to choose and counts for nothing.
    """
    if not rules.gateways:
        return None
    address = channel.network_address
    named = rules.gateways.get(channel.gateway)
    if named is not None and _is_in(address, named.addresses):
        return named
    return _gateway_at(address, rules)


def _gateway_at(address: str, rules: Rules) -> Gateway | None:
    for gateway in rules.gateways.values():
        if _is_in(address, gateway.addresses):
            return gateway
    return None


def _is_in(address: str, networks: tuple[Network, ...]) -> bool:
    if not networks:
        return False
    known = _parsed(address)
    return known is not None and any(known in network for network in networks)


# Reading an address takes longer than deciding, and few addresses send most of the legs.
@lru_cache(maxsize=1000)
def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


def _callers(channel: Leg, rules: Rules, region: str | None) -> tuple[Party, ...]:
    """Every identity the caller is screened by.

    FreeSWITCH's caller number is what the caller's headers assert, unchecked; unless whoever sent
    it is trusted, the caller is also screened by From, so that neither can hide the other.
    """
    asserted = caller_party("caller number", channel.caller_number, region)
    callers = [asserted]
    sender: Party | None = asserted
    from_user, address = channel.from_user, channel.network_address
    if from_user not in ("", channel.caller_number):
        sender = None
        if not _is_trusted(address, rules):
            sender = caller_party("From user", from_user, region)
            if sender.number != asserted.number:
                callers.append(sender)
    numberless = all(caller.number is None and caller.how != NO_REGION for caller in callers)
    if sender is not None and sender.number is None and sender.how != NO_REGION:
        sip = caller_address(channel.sip_address)
        if sip is not None:
            how = "the caller's user is no number"
            callers.append(Party("SIP address", channel.sip_address, sip, how, "unreadable"))
    if numberless:
        how = "no identity of the caller is a number"
        callers.append(Party("caller", "", WITHOUT_NUMBER, how, "unreadable"))
    if channel.privacy and all(caller.number != WITHHELD for caller in callers):
        how = "the caller asked for privacy"
        callers.append(Party("withheld caller", "", WITHHELD, how, "withheld"))
    return tuple(callers)


def _is_trusted(address: str, rules: Rules) -> bool:
    sender = _gateway_at(address, rules)
    return (sender is not None and sender.trusted) or _is_in(address, rules.trusted_addresses)
