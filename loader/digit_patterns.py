"""phonenumbers' patterns as state tables, so that compiled code can run them over digits.

The metadata of phonenumbers describes number ranges, national prefixes and international dialling
prefixes as regular expressions over digits. They use a small part of the syntax: digits, `\\d`,
classes, groups, `|`, `?`, `{n}`, `{n,m}` and `$`. A table answers what `re` answers for them:

- whole=True: does `fullmatch` succeed;
- whole=False: where does `match` end, and is its last capturing group set. The order of the
  alternatives decides that, so a state holds its threads in order and drops those behind one that
  has matched (R. Cox, "Regular Expression Matching: the Virtual Machine Approach", 2009).
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple, Protocol

END = 10  # the column of a table that is taken at the end of the digits
COLUMNS = 11
NO_MATCH, MATCH, MATCH_LAST_GROUP = 0, 1, 2
# The largest of phonenumbers 9.0 has 110; this only bounds time and memory.
MAX_STATES = 2_000
_MAX_LENGTH = 20  # no phone number is longer


class UnsupportedPatternError(ValueError):
    """The pattern uses syntax that tables do not cover."""


@dataclass(frozen=True, slots=True)
class PatternTable:
    """A pattern ready to run: start in state 1, state 0 is dead.

    `following[state * COLUMNS + digit]` is the next state (unsigned 16 bit), column END the state
    at the end of the digits. `verdict[state]` is NO_MATCH, MATCH or MATCH_LAST_GROUP. With
    whole=False the match ends at the last position whose state has a verdict.
    """

    following: array[int]
    verdict: bytes


@cache  # regions that share a calling code share patterns too
def compile_pattern(pattern: str, *, whole: bool) -> PatternTable:
    """Turn a pattern of phonenumbers' metadata into a table.

    Raises UnsupportedPatternError for syntax outside the metadata's subset, and for patterns of
    more than MAX_STATES states.
    """
    program = _Program(pattern)
    start = _closure(program, [(program.start, False)], whole)
    numbers: dict[_Threads, int] = {(): 0, start: 1}
    order: list[_Threads] = [(), start]
    following = array("H")
    verdict = bytearray()
    for threads in order:
        verdict.append(_verdict(program, threads))
        for column in range(COLUMNS):
            stepped = [
                (node.following[0], marked)
                for number, marked in threads
                if (node := program.nodes[number]).takes >> column & 1
            ]
            target = _closure(program, stepped, whole, at_end=column == END)
            if target not in numbers:
                if len(order) == MAX_STATES:
                    raise UnsupportedPatternError(f"more than {MAX_STATES} states")
                numbers[target] = len(order)
                order.append(target)
            following.append(numbers[target])
    return PatternTable(following, bytes(verdict))


class Description(Protocol):
    """A phonenumbers.PhoneNumberDesc: a pattern, and the lengths that count."""

    @property
    def national_number_pattern(self) -> str | None: ...
    @property
    def possible_length(self) -> Sequence[int]: ...


def any_of(general: Description, kinds: Iterable[Description]) -> str | None:
    """One pattern that matches just what some kind and `general` match at lengths that count.

    None where no pattern does, because one of them matches at other lengths too.
    Raises UnsupportedPatternError as compile_pattern does.
    """
    patterns = []
    for kind in kinds:
        if not kind.national_number_pattern:
            continue
        table = compile_pattern(kind.national_number_pattern, whole=True)
        if not _lengths(table) <= set(kind.possible_length):
            return None
        patterns.append(f"(?:{kind.national_number_pattern})")
    if not patterns or not general.national_number_pattern:
        return None
    union = "|".join(patterns)
    whole = compile_pattern(general.national_number_pattern, whole=True)
    return union if _covers(whole, compile_pattern(union, whole=True)) else None


def free_tails(table: PatternTable) -> bytes:
    """For each state 1 + n where just every n digits more make a match, else 0.

    Most of a number's digits are free, and need not be looked at.
    """
    tails = bytearray(len(table.verdict))
    for state in _backwards(table):
        following = table.following[state * COLUMNS : state * COLUMNS + END]
        if _accepts(table, state):
            tails[state] = not any(following)
        else:
            first = tails[following[0]]
            if first and all(tails[target] == first for target in following):
                tails[state] = first + 1
    return bytes(tails)


def _backwards(table: PatternTable) -> list[int]:
    """The states but the dead one, each behind all that follow it; a pattern has no loops."""
    order: list[int] = []
    waiting = [1]
    seen = {0}
    while waiting:
        state = waiting[-1]
        missing = [
            target
            for target in table.following[state * COLUMNS : state * COLUMNS + END]
            if target not in seen
        ]
        if missing:
            waiting += missing
            continue
        waiting.pop()
        if state not in seen:
            seen.add(state)
            order.append(state)
    return order


def _lengths(table: PatternTable) -> set[int]:
    """The lengths of what the table matches, as far as numbers go."""
    found = set()
    states = {1}
    for length in range(_MAX_LENGTH + 1):
        if any(_accepts(table, state) for state in states):
            found.add(length)
        states = {
            target
            for state in states
            for digit in range(END)
            if (target := table.following[state * COLUMNS + digit])
        }
    return found


def _covers(wide: PatternTable, narrow: PatternTable) -> bool:
    """Whether `wide` matches all that `narrow` matches."""
    seen = {(1, 1)}
    waiting = [(1, 1)]
    while waiting:
        outer, inner = waiting.pop()
        if _accepts(narrow, inner) and not _accepts(wide, outer):
            return False
        for digit in range(END):
            pair = (
                wide.following[outer * COLUMNS + digit],
                narrow.following[inner * COLUMNS + digit],
            )
            if pair[1] and pair not in seen:
                seen.add(pair)
                waiting.append(pair)
    return True


def _accepts(table: PatternTable, state: int) -> bool:
    return bool(table.verdict[state] or table.verdict[table.following[state * COLUMNS + END]])


# A thread is a node of the program and whether the last capturing group is set.
_Threads = tuple[tuple[int, bool], ...]


class _Node(NamedTuple):
    """A step of the program: takes one column, or (takes == 0) goes on to each follower in turn.

    Without followers and columns it is the node where the pattern has matched.
    """

    takes: int
    following: tuple[int, ...]
    marks: bool = False


class _Program:
    """The pattern as nodes; built from its end to its start, so that a follower always exists."""

    def __init__(self, pattern: str) -> None:
        self.nodes: list[_Node] = [_Node(0, ())]
        tree, position = _parse_alternatives(pattern, 0)
        if position != len(pattern):
            raise UnsupportedPatternError(f"unbalanced ')' at {position}")
        self._last_group = _last_group(tree)
        self.start = self._add(tree, 0)

    def _node(self, takes: int, *following: int, marks: bool = False) -> int:
        self.nodes.append(_Node(takes, following, marks))
        return len(self.nodes) - 1

    def _add(self, tree: _Tree, after: int) -> int:
        match tree:
            case _Take(columns):
                return self._node(columns, after)
            case _Sequence(items):
                for item in reversed(items):
                    after = self._add(item, after)
                return after
            case _Choice(items):
                return self._node(0, *[self._add(item, after) for item in items])
            case _Repeat(item, low, high):
                start = after
                for _ in range(high - low):
                    start = self._node(0, self._add(item, start), after)
                for _ in range(low):
                    start = self._add(item, start)
                return start
            case _Group(item):
                if tree is self._last_group:
                    after = self._node(0, after, marks=True)
                return self._add(item, after)


def _closure(
    program: _Program, threads: list[tuple[int, bool]], whole: bool, *, at_end: bool = False
) -> _Threads:
    """The threads that wait for a column or have matched, first the preferred ones."""
    waiting: list[tuple[int, bool]] = []
    seen: set[int] = set()
    stack = threads[::-1]
    while stack:
        number, marked = stack.pop()
        if number in seen:
            continue
        seen.add(number)
        node = program.nodes[number]
        if (node.takes and not (at_end and node.takes >> END)) or not node.following:
            waiting.append((number, marked))
            if not node.following and not whole:
                break
        else:
            stack.extend((after, marked or node.marks) for after in reversed(node.following))
    return tuple(waiting)


def _verdict(program: _Program, threads: _Threads) -> int:
    for number, marked in threads:
        if not program.nodes[number].following:
            return MATCH_LAST_GROUP if marked else MATCH
    return NO_MATCH


@dataclass(frozen=True, slots=True)
class _Take:
    columns: int  # bit n: column n


@dataclass(frozen=True, slots=True)
class _Sequence:
    items: list[_Tree]


@dataclass(frozen=True, slots=True)
class _Choice:
    items: list[_Tree]


@dataclass(frozen=True, slots=True)
class _Repeat:
    item: _Tree
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class _Group:
    """A capturing group."""

    item: _Tree


_Tree = _Take | _Sequence | _Choice | _Repeat | _Group

_ANY_DIGIT = (1 << 10) - 1


def _parse_alternatives(pattern: str, position: int) -> tuple[_Tree, int]:
    """Parse from position to the `)` that closes this group, or to the end."""
    items, position = _parse_sequence(pattern, position)
    alternatives: list[_Tree] = [_Sequence(items)]
    while pattern[position : position + 1] == "|":
        items, position = _parse_sequence(pattern, position + 1)
        alternatives.append(_Sequence(items))
    return (_Choice(alternatives) if len(alternatives) > 1 else alternatives[0]), position


def _parse_sequence(pattern: str, position: int) -> tuple[list[_Tree], int]:
    items: list[_Tree] = []
    while position < len(pattern) and pattern[position] not in "|)":
        item, position = _parse_item(pattern, position)
        low, high, position = _parse_count(pattern, position)
        items.append(item if (low, high) == (1, 1) else _Repeat(item, low, high))
    return items, position


def _parse_item(pattern: str, position: int) -> tuple[_Tree, int]:
    character = pattern[position]
    if character in "0123456789":
        return _Take(1 << int(character)), position + 1
    if pattern.startswith("\\d", position):
        return _Take(_ANY_DIGIT), position + 2
    if character == "[":
        end = pattern.find("]", position)
        return _Take(_parse_class(pattern[position + 1 : end] if end > 0 else "")), end + 1
    if character == "$":
        return _Take(1 << END), position + 1
    if character == "(":
        plain = pattern.startswith("(?:", position)
        item, end = _parse_alternatives(pattern, position + (3 if plain else 1))
        if pattern[end : end + 1] != ")":
            raise UnsupportedPatternError(f"'(' at {position} is not closed")
        return (item if plain else _Group(item)), end + 1
    raise UnsupportedPatternError(f"unexpected {character!r} at {position}")


def _parse_class(text: str) -> int:
    """The inside of `[...]`: digits and ranges of digits."""
    columns = 0
    rest = text
    while rest:
        first, last = rest[0], rest[0]
        if rest[1:2] == "-":
            last = rest[2:3]
        if not (first.isascii() and first.isdigit() and last.isascii() and last.isdigit()):
            raise UnsupportedPatternError(f"unexpected class [{text}]")
        for digit in range(int(first), int(last) + 1):
            columns |= 1 << digit
        rest = rest[3 if rest[1:2] == "-" else 1 :]
    if not columns:
        raise UnsupportedPatternError("empty class")
    return columns


def _parse_count(pattern: str, position: int) -> tuple[int, int, int]:
    """The repetition behind an item: (lowest, highest, position behind it)."""
    if pattern[position : position + 1] == "?":
        low, high, end = 0, 1, position + 1
    elif pattern[position : position + 1] == "{":
        end = pattern.find("}", position) + 1
        counts = pattern[position + 1 : end - 1].split(",") if end else []
        if len(counts) not in (1, 2) or not all(count.isdecimal() for count in counts):
            raise UnsupportedPatternError(f"unexpected repetition at {position}")
        low, high = int(counts[0]), int(counts[-1])
        if not low <= high <= _MAX_LENGTH:
            raise UnsupportedPatternError(f"unexpected repetition at {position}")
    else:
        return 1, 1, position
    if pattern[end : end + 1] in ("?", "+", "*", "{"):
        raise UnsupportedPatternError(f"unexpected {pattern[end]!r} at {end}")
    return low, high, end


def _last_group(tree: _Tree) -> _Group | None:
    """The capturing group whose `(` comes last: groups are numbered by their opening."""
    match tree:
        case _Take():
            return None
        case _Group(item):
            return _last_group(item) or tree
        case _Repeat(item):
            return _last_group(item)
        case _Sequence(items) | _Choice(items):
            found: _Group | None = None
            for item in items:
                found = _last_group(item) or found
            return found
