"""Reads the rules file (TOML) into `Rules`; every mistake is named by its path.

A document is taken whole or not at all: `RulesError` lists all its mistakes, each as
`path: expected ..., got ...`. Rules in an array are counted from 1, as people count.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from ipaddress import ip_network
from types import MappingProxyType
from typing import Literal

from screening.extensions import EXPECTED_EXTENSIONS, Extensions, read_extensions
from screening.facts import FLOWS, Flow
from screening.hangup_causes import HANGUP_CAUSES
from screening.rules import (
    DEFAULT_CAUSE,
    DEFAULT_FAIL_POLICY,
    DEFAULT_STATUS,
    FailPolicy,
    Forwarding,
    Gateway,
    Network,
    Route,
    Rules,
    SkipRule,
    Unassigned,
)
from screening.rules_table import EXPECTED_NAME, Table, is_name
from screening.sip_responses import EXPECTED_RESPONSE, refuses

_DIAL_STRING = re.compile(
    r"(?:sofia/(?:gateway/)?[0-9A-Za-z_.-]{1,64}|user|group|loopback)/[0-9A-Za-z+*#_.:;=@/-]{1,128}"
)
_WEB_URL = re.compile(r"https://[0-9A-Za-z.:-]{1,128}(?:/[0-9A-Za-z_.~/?=&%-]{0,256})?")

MAX_DOCUMENT_CHARACTERS = 4_000_000

_DIALPLAN_TARGET = re.compile(r"\+?[0-9A-Za-z*#_.-]{1,64}")
_FORWARDING_ACTIONS: tuple[Literal["hangup", "redirect", "continue"], ...]
_FORWARDING_ACTIONS = ("hangup", "redirect", "continue")
_POLICIES: tuple[FailPolicy, ...] = ("open", "closed")
_UNASSIGNED: tuple[Unassigned, ...] = ("dial", "cannot tell")
_STRIPPED = re.compile(r"[0-9*#+,]{1,16}")
_PLACE = re.compile(r"forwarding\[[0-9]+\]")
# Without the characters that FreeSWITCH's argument parsers know: quote, comma, `$`, `|`, space.
_SIP_URI = re.compile(
    r"sips?:(?:[0-9A-Za-z_.!~*()&=+;?/%-]{1,128}@)?[0-9A-Za-z.:\[\]_;=?&-]{1,128}"
)


class RulesError(ValueError):
    """The document is not taken. `problems` holds one line for each mistake."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


def parse_rules(
    document: str,
    list_names: Collection[str] | None,
    read_entry: Callable[[str, str | None], str],
    check_region: Callable[[str], str],
) -> Rules:
    """The rules in `document`, a TOML text.

    list_names: the lists there are; a rule may name no other. None: not checked.
    read_entry(text, region): canonical text of a number or prefix; ValueError if it is none.
    check_region(code): the code as `read_entry` takes it; ValueError if the region is unknown.
    Raises RulesError.
    """
    if len(document) > MAX_DOCUMENT_CHARACTERS:
        raise RulesError(
            [f"rules: expected at most {MAX_DOCUMENT_CHARACTERS} characters, got {len(document)}"]
        )
    try:
        tree = tomllib.loads(document)
    except tomllib.TOMLDecodeError as error:
        raise RulesError([f"rules: expected TOML, got {error}"]) from None
    reading = _Reading(list_names, read_entry, check_region)
    rules = reading.rules(Table("", tree, reading.problems))
    if reading.problems:
        raise RulesError(reading.problems)
    return rules


class _Reading:
    def __init__(
        self,
        list_names: Collection[str] | None,
        read_entry: Callable[[str, str | None], str],
        check_region: Callable[[str], str],
    ) -> None:
        self.list_names = list_names
        self.read_entry = read_entry
        self.check_region = check_region
        self.problems: list[str] = []
        self.default_region: str | None = None

    def rules(self, top: Table) -> Rules:
        self.default_region = self._region(top, "default_region")
        forwardings = self._forwardings(top)
        outbound, unnamed = self._outbound(top)
        rules = Rules(
            default_region=self.default_region,
            forwardings=forwardings,
            campaigns={name: self._skip(table, "lists") for name, table in top.tables("campaign")},
            queues={
                name: self._skip(table, "callback_lists") for name, table in top.tables("queue")
            },
            widgets={
                name: self._skip(table, "callback_lists") for name, table in top.tables("widget")
            },
            outbound=outbound,
            unnamed=unnamed,
            unassigned=self._unassigned(top) or "cannot tell",
            extensions=self._extensions(top),
            routes={name: self._route(table) for name, table in top.tables("route")},
            gateways={name: self._gateway(table) for name, table in top.tables("gateway")},
            trusted_addresses=self._networks(top, "trusted_addresses"),
            fail=self._fail(top),
        )
        top.close()
        return rules

    def _forwardings(self, top: Table) -> tuple[Forwarding, ...]:
        forwardings: list[Forwarding] = []
        for table in top.array("forwarding"):
            forwarding = self._forwarding(table)
            if any(forwarding.name == other.name for other in forwardings):
                table.problem(table.at("name"), "a name of its own", forwarding.name)
            forwardings.append(forwarding)
        return tuple(forwardings)

    def _forwarding(self, table: Table) -> Forwarding:
        name = table.text(
            "name",
            f"a name of {EXPECTED_NAME}, that is no forwarding's place",
            lambda text: is_name(text) and not _PLACE.fullmatch(text),
        )
        action = table.one_of("action", _FORWARDING_ACTIONS)
        if action is None and not self._complained(table.at("action")):
            self.problems.append(
                f"{table.at('action')}: expected 'hangup', 'redirect' or 'continue', got nothing"
            )
        cause = table.text(
            "cause",
            "a FreeSWITCH hang-up cause such as CALL_REJECTED",
            lambda text: text in HANGUP_CAUSES,
        )
        response = table.number("response", EXPECTED_RESPONSE, refuses)
        call_info = table.text("call_info", "an https URL", _WEB_URL.fullmatch)
        redirect_kind = "a number, an extension or a SIP URI"
        redirect = table.text(
            "redirect",
            redirect_kind,
            lambda text: _DIALPLAN_TARGET.fullmatch(text) or _SIP_URI.fullmatch(text),
        )
        bridge = table.text(
            "bridge", "a dial string such as sofia/gateway/NAME/NUMBER", _DIAL_STRING.fullmatch
        )
        path = table.at("redirect")
        if action == "redirect" and redirect is bridge is None and not self._complained(path):
            self.problems.append(f"{path}: expected {redirect_kind}, got nothing")
        if action not in (None, "redirect"):
            table.refuse("redirect", redirect, f"action = '{action}'")
            table.refuse("bridge", bridge, f"action = '{action}'")
        elif redirect is not None:
            table.refuse("bridge", bridge, "redirect")
        if action not in (None, "hangup"):
            table.refuse("cause", cause, f"action = '{action}'")
            table.refuse("response", response, f"action = '{action}'")
        elif cause is not None:
            table.refuse("response", response, "a cause")
        if (response == 608) != (call_info is not None):
            # RFC 8688: a caller that was rejected in error must have somebody to turn to.
            path = table.at("call_info")
            self.problems.append(
                f"{path}: expected an https URL beside response = 608, and only there"
            )
        forwarding = Forwarding(
            name=name or table.path,
            list=self._list(table, "list"),
            action=action or "hangup",
            called=self._called(table),
            cause=None if response else cause or DEFAULT_CAUSE,
            response=response,
            call_info=call_info,
            redirect=redirect or bridge,
            except_lists=self._lists(table, "except") or (),
            enforce=table.flag("enforce", default=True),
        )
        table.close()
        return forwarding

    def _skip(self, table: Table, key: str) -> SkipRule:
        if not table.has(key):
            self.problems.append(f"{table.at(key)}: expected a list of list names, got nothing")
        rule = self._skip_rule(table, key)
        table.close()
        return rule

    def _skip_rule(self, table: Table, key: str) -> SkipRule:
        lists, list_excepts = self._lists_with_exceptions(table, key)
        return SkipRule(
            name=table.path,
            lists=lists,
            except_lists=self._lists(table, "except") or (),
            status=table.text("status", f"a status of {EXPECTED_NAME}", is_name) or DEFAULT_STATUS,
            enforce=table.flag("enforce", default=True),
            list_excepts=list_excepts,
            unassigned=self._unassigned(table),
        )

    def _outbound(self, top: Table) -> tuple[SkipRule | None, FailPolicy]:
        """The rule for every outbound leg, and what a leg gets that names no rule: where there are
        lists for it, these decide."""
        if not top.has("outbound"):
            return None, "closed"
        table = Table("outbound", top.take("outbound"), self.problems)
        rule = self._skip_rule(table, "lists")
        unnamed = table.one_of("unnamed", _POLICIES)
        table.close()
        return rule, unnamed or ("open" if rule.lists else "closed")

    def _unassigned(self, table: Table) -> Unassigned | None:
        return table.one_of("unassigned", _UNASSIGNED)

    def _extensions(self, top: Table) -> tuple[Extensions, ...]:
        found = []
        for path, text in top.texts("extensions", "mask") or ():
            extensions = read_extensions(text)
            if extensions is None:
                top.problem(path, EXPECTED_EXTENSIONS, text)
            else:
                found.append(extensions)
        return tuple(found)

    def _strip(self, table: Table) -> tuple[str, ...]:
        """What is taken off a dialled string; the longest first, so that one is found at once."""
        found = []
        for path, text in table.texts("strip", "prefix") or ():
            if _STRIPPED.fullmatch(text):
                found.append(text)
            else:
                table.problem(path, "1 to 16 of 0-9 * # + and the comma, as dialled", text)
        return tuple(sorted(found, key=len, reverse=True))

    def _route(self, table: Table) -> Route:
        strip = self._strip(table)
        named = table.has("present_from") or not strip
        route = Route(
            name=table.path,
            present_from=self._list(table, "present_from") if named else None,
            strip=strip,
        )
        table.close()
        return route

    def _gateway(self, table: Table) -> Gateway:
        gateway = Gateway(
            region=self._region(table, "region"),
            addresses=self._networks(table, "addresses"),
            trusted=table.flag("trusted", default=False),
            strip=self._strip(table),
        )
        if gateway.trusted and not gateway.addresses:
            self.problems.append(
                f"{table.at('addresses')}: expected the gateway's addresses beside trusted = true "
                "(a caller can forge its name), got nothing"
            )
        table.close()
        return gateway

    def _fail(self, top: Table) -> Mapping[Flow, FailPolicy]:
        if not top.has("fail"):
            return DEFAULT_FAIL_POLICY
        table = Table("fail", top.take("fail"), self.problems)
        policies = dict(DEFAULT_FAIL_POLICY)
        for flow in FLOWS:
            policies[flow] = table.one_of(flow, _POLICIES) or policies[flow]
        table.close()
        return MappingProxyType(policies)

    def _networks(self, table: Table, key: str) -> tuple[Network, ...]:
        networks = []
        for path, text in table.texts(key, "address or network") or ():
            try:
                networks.append(ip_network(text))
            except ValueError:
                table.problem(path, "an IP address or a network such as 192.0.2.0/24", text)
        return tuple(networks)

    def _called(self, table: Table) -> tuple[str, ...] | None:
        items = table.texts("called", "number")
        if items is None:
            return None
        if not items and not self._complained(table.at("called")):
            table.problem(table.at("called"), "at least one number (leave it out for all)", [])
        return tuple(self._number(path, text) for path, text in items)

    def _number(self, path: str, text: str) -> str:
        try:
            return self.read_entry(text, self.default_region)
        except ValueError as error:
            self.problems.append(f"{path}: {error}")
            return text

    def _list(self, table: Table, key: str) -> str:
        return table.required(key, self._one_of_the_lists(), self._is_list)

    def _lists(self, table: Table, key: str) -> tuple[str, ...] | None:
        items = table.texts(key, "list name")
        if items is None:
            return None
        for path, name in items:
            if not self._is_list(name):
                table.problem(path, self._one_of_the_lists(), name)
        return tuple(name for _, name in items)

    def _lists_with_exceptions(
        self, table: Table, key: str
    ) -> tuple[tuple[str, ...], Mapping[str, tuple[str, ...]]]:
        """The lists at `key`, each a name or a table of its name and what is excepted from it."""
        names: list[str] = []
        excepted: dict[str, tuple[str, ...]] = {}
        for path, item in table.items(key, "list name"):
            if isinstance(item, dict):
                own = Table(path, item, self.problems)
                name = self._list(own, "list")
                excepts = self._lists(own, "except") or ()
                own.close()
                if excepts:
                    excepted[name] = excepts
            elif isinstance(item, str) and self._is_list(item):
                name = item
            else:
                is_text = isinstance(item, str)
                expected = self._one_of_the_lists() if is_text else "a list name"
                table.problem(path, expected, item)
                continue
            if name in names:
                table.problem(path, "each list once", name)
            names.append(name)
        return tuple(names), MappingProxyType(excepted)

    def _is_list(self, name: str) -> bool:
        return self.list_names is None or name in self.list_names

    def _one_of_the_lists(self) -> str:
        names = sorted(set(self.list_names or ()))
        shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        return f"the name of a list ({shown})"

    def _region(self, table: Table, key: str) -> str | None:
        code = table.text(key, "a region code", lambda _: True)
        if code is None:
            return None
        try:
            return self.check_region(code)
        except ValueError as error:
            self.problems.append(f"{table.at(key)}: {error}")
            return None

    def _complained(self, path: str) -> bool:
        return any(problem.startswith(f"{path}:") for problem in self.problems)
