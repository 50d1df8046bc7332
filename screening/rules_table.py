"""Takes the tables of a rules file apart; every mistake is named by its path."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

Value = TypeVar("Value", bound=str)

MAX_NAME_CHARACTERS = 100


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


EXPECTED_NAME = f"1 to {MAX_NAME_CHARACTERS} printable characters without $ {{ }} \\"


def shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


class Table:
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
        step = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{shown(key)[1:-1]}"'
        return f"{self.path}.{step}" if self.path else step

    def problem(self, path: str, expected: str, got: object) -> None:
        self.problems.append(f"{path}: expected {expected}, got {shown(got)}")

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

    def one_of(self, key: str, values: tuple[Value, ...]) -> Value | None:
        """The one of `values` at `key`, or None where there is none."""
        *others, last = map(repr, values)
        found = self.text(key, f"{', '.join(others)} or {last}", lambda text: text in values)
        return next((value for value in values if value == found), None)

    def refuse(self, key: str, value: object, beside: str) -> None:
        """A problem if there is a value, which has no place beside the other."""
        if value is not None:
            self.problem(self.at(key), f"no {key} beside {beside}", value)

    def items(self, key: str, expected: str) -> list[tuple[str, object]]:
        """(path, value) of each item of the array at `key`."""
        value = self.take(key)
        if value is None:
            return []
        if not isinstance(value, list):
            self.problem(self.at(key), f"a list of {expected}s", value)
            return []
        return [(f"{self.at(key)}[{position}]", item) for position, item in enumerate(value, 1)]

    def texts(self, key: str, expected: str) -> list[tuple[str, str]] | None:
        """(path, text) of each item of the array at `key`; None where there is no such key."""
        if not self.has(key):
            return None
        texts = []
        for path, item in self.items(key, expected):
            if isinstance(item, str):
                texts.append((path, item))
            else:
                self.problem(path, f"a {expected}", item)
        return texts

    def tables(self, key: str) -> list[tuple[str, Table]]:
        """The named tables below `key`, such as [campaign."Spring sale"]."""
        if not self.has(key):
            return []
        holder = Table(self.at(key), self.take(key), self.problems)
        named = []
        for name, value in holder.values.items():
            path = f'{holder.path}."{shown(name)[1:-1]}"'
            if not is_name(name):
                self.problem(path, f"a name of {EXPECTED_NAME}", name)
            named.append((name, Table(path, value, self.problems)))
        return named

    def array(self, key: str) -> list[Table]:
        """The tables of the array at `key`, such as [[forwarding]]."""
        if not self.has(key):
            return []
        value = self.take(key)
        if not isinstance(value, list):
            self.problem(self.at(key), f"[[{key}]] tables", value)
            return []
        return [
            Table(f"{self.at(key)}[{position}]", item, self.problems)
            for position, item in enumerate(value, 1)
        ]

    def close(self) -> None:
        expected = ", ".join(dict.fromkeys(self.known))
        for key in self.values:
            self.problems.append(f"{self.at(key)}: unknown key, expected one of: {expected}")
