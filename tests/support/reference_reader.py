"""A slow reader of snapshot files, written from docs/snapshot-format.md alone.

It believes the file: what is wrong with one is for lookup_core to find.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

LINE = 64
SEGMENT, OVERFLOW, REST = 0, 1, 2
NEVER = 2**63 - 1
PREFIX_BIT = 1 << 62
_DIALLED = 1 << 60
_WORDS = {"anonymous": _DIALLED, "no-number": _DIALLED | 13}
_SYMBOLS = "0123456789*#"
_M64 = 2**64 - 1


def packed(text: str) -> int:
    """The key of a canonical number."""
    if text in _WORDS:
        return _WORDS[text]
    if text.startswith("+"):
        return int(text[1:])
    key = 0
    for symbol in text:
        key = key << 4 | (_SYMBOLS.index(symbol) + 1)
    return key | _DIALLED


def unpacked(key: int) -> str:
    """The canonical number of a key."""
    for text, word in _WORDS.items():
        if key == word:
            return text
    if key < _DIALLED:
        return f"+{key}"
    return "".join(_SYMBOLS[int(symbol, 16) - 1] for symbol in f"{key ^ _DIALLED:x}")


def random_bits(seed: int) -> int:
    """splitmix64, its first output."""
    seed = (seed + 0x9E3779B97F4A7C15) & _M64
    seed = ((seed ^ seed >> 30) * 0xBF58476D1CE4E5B9) & _M64
    seed = ((seed ^ seed >> 27) * 0x94D049BB133111EB) & _M64
    return seed ^ seed >> 31


@dataclass
class Table:
    """One row of a structure and its lines."""

    first: int
    last: int
    seed: int
    line_count: int
    number_count: int
    slot_bits: int
    role: int
    lines: bytes = b""

    def __post_init__(self) -> None:
        self.bits = max(8, (self.last - self.first).bit_length())
        self.mask = (1 << self.bits) - 1
        self.per_line = self.mask // self.line_count + 1
        self.multipliers = [random_bits((self.seed + i) & _M64) | 1 for i in range(2)]
        self.inverses = [int(pow(m, -1, 1 << self.bits)) for m in self.multipliers]
        self.slots = 512 // self.slot_bits
        self.low_bits = 8 if self.slot_bits < 16 else 16
        self.high_bits = self.slot_bits - self.low_bits
        self.empty = (1 << self.slot_bits) - 1

    def mix(self, offset: int) -> int:
        x = offset * self.multipliers[0] & self.mask
        x ^= x >> (self.bits + 1) // 2
        return x * self.multipliers[1] & self.mask

    def unmix(self, x: int) -> int:
        x = x * self.inverses[1] & self.mask
        x ^= x >> (self.bits + 1) // 2
        return x * self.inverses[0] & self.mask

    def covers(self, key: int) -> bool:
        return self.first <= key <= self.last

    def place(self, key: int) -> tuple[int, int]:
        """The number's line and what stands there for it."""
        return divmod(self.mix(key - self.first), self.per_line)

    def pair(self, remainder: int) -> slice:
        """The two slots whose order in a full line says whether there are more like it."""
        slot = 2 * ((remainder & 255) * (self.slots // 2) // 256)
        return slice(slot, slot + 2)

    def remainders(self, line: int) -> list[int]:
        """What is in the slots of a line."""
        bits = int.from_bytes(self.lines[LINE * line : LINE * (line + 1)], "little")
        found = []
        for slot in range(self.slots):
            low = bits >> slot * self.low_bits & (2**self.low_bits - 1)
            high = bits >> self.slots * self.low_bits + slot * self.high_bits
            found.append(low | (high & (2**self.high_bits - 1)) << self.low_bits)
        return found

    def stored(self) -> Iterator[int]:
        for line in range(self.line_count):
            for remainder in self.remainders(line):
                if remainder != self.empty:
                    yield self.first + self.unmix(line * self.per_line + remainder)


@dataclass
class NumberSet:
    """The tables of one structure: chains of a table and those that take its overflow."""

    number_count: int
    digit_lengths: int
    chains: list[list[Table]] = field(default_factory=list)

    def lookup(self, key: int) -> tuple[bool, int]:
        """Whether the key is there, and how many lines had to be read."""
        covering = [chain for chain in self.chains if chain[0].covers(key)]
        # A segment's interval goes before that of the rest.
        covering.sort(key=lambda chain: chain[0].role)
        read = 0
        for table in covering[0] if covering else []:
            if not table.covers(key):
                break
            read += 1
            line, remainder = table.place(key)
            found = table.remainders(line)
            if remainder in found:
                return True, read
            pair = found[table.pair(remainder)]
            if found[-1] == table.empty or pair == sorted(pair):
                break
        return False, read

    def stored(self) -> list[int]:
        return [key for chain in self.chains for table in chain for key in table.stored()]

    @property
    def tables(self) -> list[Table]:
        return [table for chain in self.chains for table in chain]


def number_set(structure: bytes, lines: bytes) -> NumberSet:
    number_count, table_count, digit_lengths = struct.unpack_from("<QII", structure)
    found = NumberSet(number_count, digit_lengths)
    rows = struct.iter_unpack("<QQQQQHHI", structure[16 : 16 + 48 * table_count])
    for first, last, seed, line_count, numbers, slot_bits, role, _reserved in rows:
        own, lines = lines[: LINE * line_count], lines[LINE * line_count :]
        table = Table(first, last, seed, line_count, numbers, slot_bits, role, own)
        if role == OVERFLOW:
            found.chains[-1].append(table)
        else:
            found.chains.append([table])
    return found


def addresses(section: bytes) -> dict[str, int]:
    """Every SIP address and its end."""
    row_count, first_end = struct.unpack_from("<Qq", section)
    texts = section[16 + 16 * row_count :]
    found, start = {}, 0
    for end, behind in struct.iter_unpack("<qQ", section[16 : 16 + 16 * row_count]):
        found[texts[start:behind].decode()] = end
        start = behind
    assert start == len(texts)
    assert list(found) == sorted(found)
    assert len(found) == row_count
    assert first_end == min(found.values(), default=NEVER)
    return found


class ReferenceFile:
    """A snapshot file's header, its two sets, its rows of ends by entry, and its addresses."""

    def __init__(self, data: bytes) -> None:
        fields: tuple[int, int, int] = struct.unpack_from("<QQQ", data, 24)
        self.identity, self.base_identity, self.number_count = fields
        sections = []
        for row in range(7):
            _kind, _checksum, offset, length = struct.unpack_from("<IIQQ", data, 64 + 24 * row)
            sections.append(data[offset : offset + length])
        self.numbers = number_set(*sections[:2])
        self.prefixes = number_set(*sections[2:4])
        row_count, self.first_end = struct.unpack("<Qq", sections[4])
        self.ends: dict[int, int] = dict(struct.iter_unpack("<Qq", sections[5]))
        assert list(self.ends) == sorted(self.ends)
        assert len(sections[5]) == 16 * row_count == 16 * len(self.ends)
        # In a delta, None when the list has the addresses of the snapshot.
        self.addresses = addresses(sections[6]) if sections[6] or not self.base_identity else None


class ReferenceSnapshot:
    """What lookup_core.Snapshot answers, from a file's bytes and those of a delta over it."""

    def __init__(self, data: bytes, delta: bytes | None = None) -> None:
        self.files = [ReferenceFile(data)]
        if delta is not None:
            self.files.append(ReferenceFile(delta))

    def __len__(self) -> int:
        return self.files[-1].number_count

    def has_number(self, key: int) -> bool:
        return sum(file.numbers.lookup(key)[0] for file in self.files) == 1

    def has_prefix(self, key: int) -> bool:
        return sum(file.prefixes.lookup(key)[0] for file in self.files) == 1

    def end(self, entry: int) -> int:
        for file in reversed(self.files):
            if entry in file.ends:
                return file.ends[entry]
        return NEVER

    def addresses(self) -> dict[str, int]:
        found = [file.addresses for file in self.files if file.addresses is not None]
        return found[-1]

    def match(self, text: str, now: int) -> str | None:
        if text.startswith("sip:"):
            entries = (text, f"sip:*@{text.rpartition('@')[2]}")
            listed = self.addresses()
            return next((one for one in entries if listed.get(one, now - 1) >= now), None)
        key = packed(text)
        if self.has_number(key) and self.end(key) >= now:
            return text
        if text.startswith("+"):
            for end in range(len(text), 1, -1):
                digits = int(text[1:end])
                if self.has_prefix(digits) and self.end(digits | PREFIX_BIT) >= now:
                    return f"{text[:end]}*"
        return None

    def ends(self) -> dict[str, int]:
        """When the entries that are in the list end, of those that do."""
        entries = {number: packed(number) for number in self.numbers()}
        entries |= {prefix: int(prefix[1:-1]) | PREFIX_BIT for prefix in self.prefixes()}
        found = {entry: self.end(key) for entry, key in entries.items()}
        return {entry: end for entry, end in found.items() if end != NEVER}

    def numbers(self) -> set[str]:
        keys: set[int] = set()
        for file in self.files:
            keys ^= set(file.numbers.stored())
        return {unpacked(key) for key in keys}

    def prefixes(self) -> set[str]:
        keys: set[int] = set()
        for file in self.files:
            keys ^= set(file.prefixes.stored())
        return {f"+{key}*" for key in keys}
