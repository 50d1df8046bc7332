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
)
from screening.sip_responses import EXPECTED_RESPONSE, refuses

_DIAL_STRING = re.compile(
    r"(?:sofia/(?:gateway/)?[0-9A-Za-z_.-]{1,64}|user|group|loopback)/[0-9A-Za-z+*#_.:;=@/-]{1,128}"
)
_WEB_URL = re.compile(r"https://[0-9A-Za-z.:-]{1,128}(?:/[0-9A-Za-z_.~/?=&%-]{0,256})?")

MAX_DOCUMENT_CHARACTERS = 4_000_000
MAX_NAME_CHARACTERS = 100

_DIALPLAN_TARGET = re.compile(r"\+?[0-9A-Za-z*#_.-]{1,64}")
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
    rules = reading.rules(_Table("", tree, reading.problems))
    if reading.problems:
        raise RulesError(reading.problems)
    return rules


def is_name(text: object) -> bool:
    """Whether `text` may name a campaign, a queue, a status: it travels as a FreeSWITCH value.

    FreeSWITCH expands `${...}` in values and takes a message that holds the words "reload" and
    "mod_event_socket" for a command of its own.
    """
    return (
        isinstance(text, str)
        and 0 < len(text) <= MAX_NAME_CHARACTERS
        and text.isprintable()
        and text == text.strip()
        and not set(text) & set("${}\\")
        and "mod_event_socket" not in text
    )


_NAME = f"1 to {MAX_NAME_CHARACTERS} printable characters without $ {{ }} \\"


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


class _Table:
    """One table of the document: takes its keys out one by one; what is left over is unknown."""

    def __init__(self, path: str, value: object, problems: list[str]) -> None:
        self.path = path
        self.problems = problems
        self.values: dict[str, object] = {}
        if isinstance(value, dict):
            self.values = dict(value)
        else:
            self.problem(path, "a table", value)
        self.known: list[str] = []

    def at(self, key: str) -> str:
        shown = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{_shown(key)[1:-1]}"'
        return f"{self.path}.{shown}" if self.path else shown

    def problem(self, path: str, expected: str, got: object) -> None:
        self.problems.append(f"{path}: expected {expected}, got {_shown(got)}")

    def has(self, key: str) -> bool:
        self.known.append(key)
        return key in self.values

    def take(self, key: str) -> object:
        self.known.append(key)
        return self.values.pop(key, None)

    def text(self, key: str, expected: str, good: Callable[[str], object]) -> str | None:
        """The text at `key`, or None where there is none; `good` says whether it will do."""
        if not self.has(key):
            return None
        value = self.take(key)
        if isinstance(value, str) and good(value):
            return value
        self.problem(self.at(key), expected, value)
        return None

    def required(self, key: str, expected: str, good: Callable[[str], object]) -> str:
        if not self.has(key):
            self.problems.append(f"{self.at(key)}: expected {expected}, got nothing")
            return ""
        return self.text(key, expected, good) or ""

    def flag(self, key: str, default: bool) -> bool:
        if not self.has(key):
            return default
        value = self.take(key)
        if not isinstance(value, bool):
            self.problem(self.at(key), "true or false", value)
        return value is True

    def number(self, key: str, expected: str, good: Callable[[int], object]) -> int | None:
        """The number at `key`, or None where there is none; `good` says whether it will do."""
        if not self.has(key):
            return None
        value = self.take(key)
        if isinstance(value, int) and not isinstance(value, bool) and good(value):
            return value
        self.problem(self.at(key), expected, value)
        return None

    def texts(self, key: str, expected: str) -> list[tuple[str, str]] | None:
        """(path, text) of each item of the array at `key`; None where there is no such key."""
        if not self.has(key):
            return None
        value = self.take(key)
        if not isinstance(value, list):
            self.problem(self.at(key), f"a list of {expected}s", value)
            return []
        items = []
        for position, item in enumerate(value, 1):
            path = f"{self.at(key)}[{position}]"
            if isinstance(item, str):
                items.append((path, item))
            else:
                self.problem(path, f"a {expected}", item)
        return items

    def tables(self, key: str) -> list[tuple[str, _Table]]:
        """The named tables below `key`, such as [campaign."Spring sale"]."""
        if not self.has(key):
            return []
        holder = _Table(self.at(key), self.take(key), self.problems)
        named = []
        for name, value in holder.values.items():
            path = f'{holder.path}."{_shown(name)[1:-1]}"'
            if not is_name(name):
                self.problem(path, f"a name of {_NAME}", name)
            named.append((name, _Table(path, value, self.problems)))
        return named

    def array(self, key: str) -> list[_Table]:
        """The tables of the array at `key`, such as [[forwarding]]."""
        if not self.has(key):
            return []
        value = self.take(key)
        if not isinstance(value, list):
            self.problem(self.at(key), f"[[{key}]] tables", value)
            return []
        return [
            _Table(f"{self.at(key)}[{position}]", item, self.problems)
            for position, item in enumerate(value, 1)
        ]

    def close(self) -> None:
        expected = ", ".join(dict.fromkeys(self.known))
        for key in self.values:
            self.problems.append(f"{self.at(key)}: unknown key, expected one of: {expected}")


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

    def rules(self, top: _Table) -> Rules:
        self.default_region = self._region(top, "default_region")
        rules = Rules(
            default_region=self.default_region,
            forwardings=tuple(self._forwarding(table) for table in top.array("forwarding")),
            campaigns={name: self._skip(table, "lists") for name, table in top.tables("campaign")},
            queues={
                name: self._skip(table, "callback_lists") for name, table in top.tables("queue")
            },
            widgets={
                name: self._skip(table, "callback_lists") for name, table in top.tables("widget")
            },
            routes={name: self._route(table) for name, table in top.tables("route")},
            gateways={name: self._gateway(table) for name, table in top.tables("gateway")},
            trusted_addresses=self._networks(top, "trusted_addresses"),
            fail=self._fail(top),
        )
        top.close()
        return rules

    def _forwarding(self, table: _Table) -> Forwarding:
        action = table.required(
            "action", "'hangup' or 'redirect'", lambda text: text in ("hangup", "redirect")
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
        if action == "hangup" and redirect is not None:
            table.problem(path, "no redirect beside action = 'hangup'", redirect)
        if bridge is not None and (action == "hangup" or redirect is not None):
            beside = "action = 'hangup'" if action == "hangup" else "redirect"
            table.problem(table.at("bridge"), f"no bridge beside {beside}", bridge)
        if action == "redirect" and cause is not None:
            table.problem(table.at("cause"), "no cause beside action = 'redirect'", cause)
        if response is not None and (action == "redirect" or cause is not None):
            beside = "action = 'redirect'" if action == "redirect" else "a cause"
            table.problem(table.at("response"), f"no response beside {beside}", response)
        if (response == 608) != (call_info is not None):
            # RFC 8688: a caller that was rejected in error must have somebody to turn to.
            path = table.at("call_info")
            self.problems.append(
                f"{path}: expected an https URL beside response = 608, and only there"
            )
        chosen: Literal["hangup", "redirect"] = "redirect" if action == "redirect" else "hangup"
        forwarding = Forwarding(
            name=table.path,
            list=self._list(table, "list"),
            action=chosen,
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

    def _skip(self, table: _Table, key: str) -> SkipRule:
        lists = self._lists(table, key)
        if lists is None:
            self.problems.append(f"{table.at(key)}: expected a list of list names, got nothing")
        rule = SkipRule(
            name=table.path,
            lists=lists or (),
            except_lists=self._lists(table, "except") or (),
            status=table.text("status", f"a status of {_NAME}", is_name) or DEFAULT_STATUS,
            enforce=table.flag("enforce", default=True),
        )
        table.close()
        return rule

    def _route(self, table: _Table) -> Route:
        route = Route(name=table.path, present_from=self._list(table, "present_from"))
        table.close()
        return route

    def _gateway(self, table: _Table) -> Gateway:
        gateway = Gateway(
            region=self._region(table, "region"),
            addresses=self._networks(table, "addresses"),
            trusted=table.flag("trusted", default=False),
        )
        if gateway.trusted and not gateway.addresses:
            self.problems.append(
                f"{table.at('addresses')}: expected the gateway's addresses beside trusted = true "
                "(a caller can forge its name), got nothing"
            )
        table.close()
        return gateway

    def _fail(self, top: _Table) -> Mapping[Flow, FailPolicy]:
        if not top.has("fail"):
            return DEFAULT_FAIL_POLICY
        table = _Table("fail", top.take("fail"), self.problems)
        policies = dict(DEFAULT_FAIL_POLICY)
        for flow in FLOWS:
            said = table.text(flow, "'open' or 'closed'", lambda text: text in ("open", "closed"))
            if said is not None:
                policies[flow] = "open" if said == "open" else "closed"
        table.close()
        return MappingProxyType(policies)

    def _networks(self, table: _Table, key: str) -> tuple[Network, ...]:
        networks = []
        for path, text in table.texts(key, "address or network") or ():
            try:
                networks.append(ip_network(text))
            except ValueError:
                table.problem(path, "an IP address or a network such as 192.0.2.0/24", text)
        return tuple(networks)

    def _called(self, table: _Table) -> tuple[str, ...] | None:
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

    def _list(self, table: _Table, key: str) -> str:
        return table.required(key, self._one_of_the_lists(), self._is_list)

    def _lists(self, table: _Table, key: str) -> tuple[str, ...] | None:
        items = table.texts(key, "list name")
        if items is None:
            return None
        for path, name in items:
            if not self._is_list(name):
                table.problem(path, self._one_of_the_lists(), name)
        return tuple(name for _, name in items)

    def _is_list(self, name: str) -> bool:
        return self.list_names is None or name in self.list_names

    def _one_of_the_lists(self) -> str:
        names = sorted(self.list_names or ())
        shown = ", ".join(names[:10]) + (", ..." if len(names) > 10 else "")
        return f"the name of a list ({shown})"

    def _region(self, table: _Table, key: str) -> str | None:
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
