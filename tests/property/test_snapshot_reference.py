"""Snapshots against the reference reader of the same bytes and against a Python set."""

import random
from array import array
from collections.abc import Callable, Iterable, Mapping
from itertools import filterfalse
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup_core import MAX_ADDRESSES, Snapshot, pack, unpack, unpack_entry
from tests.support.numbers import ENDS, LISTS, MOMENT, NUMBER, PREFIXES, WORDS, expected_match
from tests.support.reference_reader import (
    NEVER,
    OVERFLOW,
    REST,
    SEGMENT,
    ReferenceSnapshot,
    Table,
    packed,
    random_bits,
    unpacked,
)
from tests.support.reference_writer import filled, snapshot_file

Ends = Mapping[str, int]
ASKED = 300  # of each large list, for the reference reader is slow


def is_prefix(entry: str) -> bool:
    return entry[0] == "+" and entry[-1] == "*"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("snapshot") / "list"


def same_answers(
    path: Path,
    numbers: set[str],
    prefixes: set[str],
    asked: list[str],
    delta: Path | None = None,
    ends: Ends = MappingProxyType({}),
) -> ReferenceSnapshot:
    """The snapshot, the reference reader and the sets agree on everything there is to ask.

    ends: of entries that are among the others, long past by the clock.
    """
    snapshot = Snapshot.open(path, delta=delta)
    reference = ReferenceSnapshot(path.read_bytes(), delta.read_bytes() if delta else None)
    keys = array("Q", map(packed, asked))
    for now in sorted({0, *ends.values(), *(end + 1 for end in ends.values())}):
        expected = [expected_match(number, numbers, prefixes, ends, now) for number in asked]
        assert [snapshot.match(number, now) for number in asked] == expected
        assert [reference.match(number, now) for number in asked] == expected
        assert snapshot.contains_many(keys, now) == bytearray(map(bool, expected))
        ended = {entry for entry, end in ends.items() if end < now}
        assert set(snapshot.ended(now)) == ended
        drawn = snapshot.random(random.Random(1), now)
        assert drawn in numbers - ended or (drawn is None and numbers - ended <= {*WORDS})
    # The last of these moments is past by the clock.
    assert [snapshot.match(number) for number in asked] == expected
    inside = [entry is not None for entry in expected]
    assert [number in snapshot for number in asked] == inside
    assert [key in snapshot for key in keys] == inside
    assert snapshot.contains_many(keys) == bytearray(inside)
    assert sorted(snapshot.ended()) == sorted(ends)
    assert {unpack_entry(entry): end for entry, end in snapshot.ends()} == ends == reference.ends()
    assert snapshot.first_end == min(ends.values(), default=None)
    assert all(snapshot.has_entry(entry) for entry in numbers | prefixes)
    assert [snapshot.has_entry(number) for number in asked] == [
        number in numbers for number in asked
    ]
    assert len(snapshot) == len(reference) == len(numbers)
    assert snapshot.nbytes == path.stat().st_size + (delta.stat().st_size if delta else 0)
    listed = list(snapshot)
    assert len(listed) == len(numbers)
    assert set(listed) == reference.numbers() == numbers
    assert sorted(snapshot.keys()) == sorted(map(packed, numbers))
    assert len(snapshot.prefixes) == len(prefixes)
    assert set(snapshot.prefixes) == reference.prefixes() == prefixes
    rng = random.Random(1)
    for _ in range(5):
        drawn = snapshot.random(rng)
        pool = numbers - {*WORDS, *ends}
        assert drawn in pool or (drawn is None and not pool)
    snapshot.verify()
    return reference


@given(number=NUMBER)
def test_packing(number: str) -> None:
    assert pack(number) == packed(number)
    assert unpack(packed(number)) == unpacked(packed(number)) == number


def both(numbers: Iterable[str], prefixes: Iterable[str], ends: Ends) -> tuple[set[str], set[str]]:
    """The numbers and the prefixes, with those that end."""
    ending = set(filter(is_prefix, ends))
    return {*numbers, *ends} - ending, {*prefixes, *ending}


@given(numbers=LISTS, prefixes=PREFIXES, others=LISTS, ends=ENDS, more=MOMENT)
def test_any_small_list(
    path: Path,
    numbers: list[str],
    prefixes: list[str],
    others: list[str],
    ends: dict[str, int],
    more: int,
) -> None:
    """What ends is among the others or not."""
    ends |= dict.fromkeys([*numbers[::3], *prefixes[::2]], more)
    Snapshot.build(path, numbers, prefixes, ends=ends.items())
    has, has_prefixes = both(numbers, prefixes, ends)
    asked = [*has, *others, *(prefix[:-1] + "0" for prefix in has_prefixes)]
    same_answers(path, has, has_prefixes, asked, ends=ends)


@given(
    numbers=LISTS,
    prefixes=PREFIXES,
    ends=ENDS,
    steps=st.lists(st.tuples(LISTS, LISTS, PREFIXES, PREFIXES, ENDS), min_size=1, max_size=3),
    back=st.booleans(),
)
def test_any_deltas(
    path: Path,
    numbers: list[str],
    prefixes: list[str],
    ends: dict[str, int],
    steps: list[tuple[list[str], list[str], list[str], list[str], dict[str, int]]],
    back: bool,
) -> None:
    """Each delta is made over the one before, and at the end they are moved onto another file.

    back: that what is moved is the first file, as after a rollback.
    """
    Snapshot.build(path, numbers, prefixes, ends=ends.items())
    now, now_prefixes = both(numbers, prefixes, ends)
    first = now, now_prefixes, ends
    onto, since = path.with_name("onto"), path.with_name("since")
    before = snapshot = Snapshot.open(path)
    for index, (add, remove, add_prefixes, remove_prefixes, more) in enumerate(steps):
        remove = remove + numbers[::3] + sorted(filterfalse(is_prefix, ends))[::3]
        remove_prefixes = remove_prefixes + prefixes[::2] + sorted(filter(is_prefix, ends))[::2]
        more = dict(list(more.items()) + [(entry, 3) for entry in sorted(ends)[::4]])
        delta = path.with_name(f"delta-{index}")
        Snapshot.build_delta(
            delta, snapshot, add, remove, add_prefixes, remove_prefixes, ends=more.items()
        )
        changed = {*add, *remove, *add_prefixes, *remove_prefixes}
        ends = {entry: end for entry, end in ends.items() if entry not in changed} | more
        added, added_prefixes = both(add, add_prefixes, more)
        now = now - set(remove) | added
        now_prefixes = now_prefixes - set(remove_prefixes) | added_prefixes
        asked = [*numbers, *added, *remove]
        asked += [prefix[:-1] + "0" for prefix in (*prefixes, *added_prefixes)]
        same_answers(path, now, now_prefixes, asked, delta, ends)
        snapshot = Snapshot.open(path, delta=delta)
        if index == 0:
            before = snapshot
            Snapshot.build(onto, list(before), before.prefixes, ends=before.ends())
            assert before.has_entries_of(Snapshot.open(onto))
    if back:
        snapshot = Snapshot.open(path)
        now, now_prefixes, ends = first
    Snapshot.build_delta_since(since, Snapshot.open(onto), before, snapshot)
    same_answers(onto, now, now_prefixes, asked, since, ends)
    assert Snapshot.open(onto, delta=since).has_entries_of(snapshot)


ADDRESS = st.builds("sip:{}@{}".format, st.sampled_from("aB*z"), st.sampled_from(["h", "h.i"]))
ADDRESSES = st.dictionaries(ADDRESS, st.none() | MOMENT, max_size=6)


def same_addresses(path: Path, addresses: dict[str, int | None], delta: Path | None = None) -> None:
    """The snapshot, the reference reader and the dict agree on all addresses."""
    snapshot = Snapshot.open(path, delta=delta)
    reference = ReferenceSnapshot(path.read_bytes(), delta.read_bytes() if delta else None)
    ends = {address: NEVER if end is None else end for address, end in addresses.items()}
    assert snapshot.addresses == addresses
    assert reference.addresses() == ends
    some = [end for end in addresses.values() if end is not None]
    assert snapshot.first_end == min(some, default=None)
    for now in range(8):
        assert set(snapshot.ended(now)) == {one for one, end in ends.items() if end < now}
        for host in ("h", "h.i", "other"):
            for user in "aBcz":
                asked = f"sip:{user}@{host}"
                entries = [one for one in (asked, f"sip:*@{host}") if ends.get(one, -1) >= now]
                assert snapshot.match(asked, now) == next(iter(entries), None)
                assert reference.match(asked, now) == next(iter(entries), None)
                assert snapshot.has_entry(asked) == (asked in addresses)
    snapshot.verify()


@given(
    first=ADDRESSES,
    steps=st.lists(st.tuples(ADDRESSES, st.lists(ADDRESS)), min_size=1, max_size=3),
    back=st.booleans(),
)
def test_any_deltas_of_addresses(
    path: Path,
    first: dict[str, int | None],
    steps: list[tuple[dict[str, int | None], list[str]]],
    back: bool,
) -> None:
    """As test_any_deltas: each over the one before, then moved onto another file."""
    Snapshot.build(path, ["112"], addresses=first)
    same_addresses(path, first)
    onto, since = path.with_name("onto"), path.with_name("since")
    before = snapshot = Snapshot.open(path)
    now = dict(first)
    for index, (add, remove) in enumerate(steps):
        delta = path.with_name(f"delta-{index}")
        Snapshot.build_delta(delta, snapshot, add_addresses=add, remove_addresses=remove)
        now = {address: end for address, end in now.items() if address not in remove} | add
        same_addresses(path, now, delta)
        snapshot = Snapshot.open(path, delta=delta)
        if index == 0:
            before = snapshot
            Snapshot.build(onto, ["112"], addresses=before.addresses)
            assert before.has_entries_of(Snapshot.open(onto))
    if back:
        snapshot, now = Snapshot.open(path), first
    Snapshot.build_delta_since(since, Snapshot.open(onto), before, snapshot)
    same_addresses(onto, now, since)
    assert Snapshot.open(onto, delta=since).has_entries_of(snapshot)
    assert snapshot.has_entries_of(before) == (now == before.addresses)


@pytest.mark.parametrize(
    "address", ["", "alice@h", "sip:@h", "sip:a", "sip:a b@h", "sip:ż@h", "sip:a@" + "h" * 400]
)
def test_refused_addresses(path: Path, address: str) -> None:
    with pytest.raises(ValueError, match="addresses: expected 'sip:'"):
        Snapshot.build(path, [], addresses={address: None})


def test_more_addresses_than_a_list_may_have(path: Path) -> None:
    addresses = dict.fromkeys((f"sip:{user}@h" for user in range(MAX_ADDRESSES + 1)), None)
    with pytest.raises(ValueError, match="addresses: expected at most 100,000, found 100,001"):
        Snapshot.build(path, [], addresses=addresses)
    addresses.popitem()
    Snapshot.build(path, [], addresses=addresses)
    snapshot = Snapshot.open(path)
    assert all(snapshot.match(one) == one for one in random.Random(1).sample([*addresses], 1000))
    assert snapshot.match("sip:x@h") is None


def test_a_list_of_which_an_end_is_another_is_another_list(path: Path) -> None:
    entries: list[dict[str, int]] = [{}, {"112": 5}, {"112": 6}, {"112": 5, "113": 5}, {"+48*": 5}]
    for ends in entries:
        Snapshot.build(path, ["112", "113"], ["+48*"], ends=ends.items())
        snapshot = Snapshot.open(path)
        for others in entries:
            other = path.with_name("other")
            Snapshot.build(other, ["112", "113"], ["+48*"], ends=others.items())
            assert snapshot.has_entries_of(Snapshot.open(other)) == (ends == others)


@pytest.mark.parametrize(
    ("ends", "error"),
    [
        ([("48", 1), ("48 600", 1)], r"ends\[1\]: expected '\+' and 2 to 15 digits"),
        ([(1, 1)], r"ends\[0\]: expected a packed entry, found 0x1"),
        ([(1 << 62, 1)], r"ends\[0\]: expected a packed entry"),
        ([("112", 2**63)], r"ends\[0\]: expected microseconds since 1970, found 9223"),
        ([("112", 1), ("112", 1)], "ends: expected one end for each entry, found two"),
    ],
)
def test_refused_ends(path: Path, ends: list[tuple[str | int, int]], error: str) -> None:
    Snapshot.build(path, ["112"])
    snapshot = Snapshot.open(path)
    with pytest.raises(ValueError, match=error):
        Snapshot.build(path.with_name("other"), [], ends=ends)
    with pytest.raises(ValueError, match=error):
        Snapshot.build_delta(path.with_name("other"), snapshot, ends=ends)


def test_deltas_of_two_files_have_nothing_in_common(path: Path) -> None:
    Snapshot.build(path, ["112"])
    other = path.with_name("other")
    Snapshot.build(other, ["112"])
    first, second = Snapshot.open(path), Snapshot.open(other)
    unwritten = path.with_name("unwritten")
    with pytest.raises(ValueError, match="expected deltas of one file, found"):
        Snapshot.build_delta_since(unwritten, first, first, second)
    assert not unwritten.exists()


# Lists of every shape

Make = Callable[[random.Random, int], list[str]]
CODES = (1, 7, 20, 27, 30, 31, 33, 34, 39, 44, 48, 49, 55, 81, 86, 91, 212, 351, 380, 420, 852)


def one_country(rng: random.Random, count: int) -> list[str]:
    return [f"+48{value:09}" for value in rng.sample(range(10**9), count)]


def many_countries(rng: random.Random, count: int) -> list[str]:
    return [f"+{rng.choice(CODES)}{rng.randrange(10**9):09}" for _ in range(count)]


def all_lengths(rng: random.Random, count: int) -> list[str]:
    return [f"+{rng.randrange(10, 10 ** rng.randint(2, 15))}" for _ in range(count)]


def dialled(rng: random.Random, count: int) -> list[str]:
    return ["".join(rng.choices("0123456789*#", k=rng.randint(1, 15))) for _ in range(count)]


def dialled_of_one_length(rng: random.Random, count: int) -> list[str]:
    return ["".join(rng.choices("0123456789*#", k=7)) for _ in range(count)]


def dense(_rng: random.Random, count: int) -> list[str]:
    return [f"+{48600000000 + index}" for index in range(count)]


def everything(rng: random.Random, count: int) -> list[str]:
    part = count // 4
    found = [*one_country(rng, part), *all_lengths(rng, part), *dialled(rng, part), "anonymous"]
    return found + dense(rng, count - len(found))


# Around the capacities of one line (8 to 64 slots), a segment of its own (256), and beyond.
SIZES = [1, 7, 8, 9, 16, 17, 31, 32, 33, 64, 65, 255, 256, 257, 1000, 6000]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "make",
    [one_country, many_countries, all_lengths, dialled, dialled_of_one_length, dense, everything],
)
def test_lists_of_every_shape(path: Path, make: Make, size: int) -> None:
    rng = random.Random(size)
    numbers = make(rng, size)
    Snapshot.build(path, numbers, seed=size)
    chosen = rng.sample(numbers, min(ASKED, size))
    nearby = [unpack(key) for number in chosen for key in near(pack(number))]
    reference = same_answers(path, set(numbers), set(), chosen + nearby)
    tables = reference.files[0].numbers
    assert all(len(chain) <= 3 for chain in tables.chains)
    assert sum(table.number_count for table in tables.tables) == tables.number_count
    if make is one_country and size >= 256:
        assert [chain[0].role for chain in tables.chains] == [SEGMENT]
    if size < 256:
        assert [chain[0].role for chain in tables.chains] == [REST]


def near(key: int) -> list[int]:
    """Numbers beside this one, in and out of its interval."""
    found = []
    for other in (key - 1, key + 1, key ^ 1 << 12, key * 10):
        try:
            unpack(other)
        except ValueError:
            continue
        found.append(other)
    return found


def test_two_segments_and_their_neighbours(path: Path) -> None:
    """What lies between, before and behind the intervals, and in the rest's interval."""
    poland = [f"+48{600000000 + 3 * index}" for index in range(300)]
    britain = [f"+44{7000000000 + 3 * index}" for index in range(300)]
    rest = ["+10", "+48599999999", "+999999999999999", "#" * 15, "anonymous"]
    Snapshot.build(path, poland + britain + rest)
    between = [f"+{int(number[1:]) + 1}" for number in poland + britain]
    edges = ["+48599999998", "+48600000898", "+446999999999", "+11", "+99999999999999", "0"]
    numbers = {*poland, *britain, *rest}
    reference = same_answers(path, numbers, set(), poland + britain + rest + between + edges)
    roles = [table.role for table in reference.files[0].numbers.tables]
    assert roles.count(SEGMENT) == 2
    assert roles.count(REST) == 1


# Files of every shape, whether the builder would make them or not


@pytest.mark.parametrize("slot_bits", range(8, 63))
@pytest.mark.parametrize("lines", [2, 3])
def test_every_width_of_a_slot(path: Path, slot_bits: int, lines: int) -> None:
    """Tables with the widest interval that the slots can take, as full as they get."""
    rng = random.Random(slot_bits)
    bits = min(60, (lines * ((1 << slot_bits) - 1)).bit_length() - 1)
    first, last = (
        (10, 10 + (1 << bits) - 1) if bits < 49 else (1 << 60, (1 << 60) + (1 << bits) - 1)
    )
    if bits < 49:
        keys = sorted({rng.randint(first, last) for _ in range(600)})
    else:
        texts = dialled(rng, 600)
        keys = sorted({key for key in map(packed, texts) if first <= key <= last})
    table, left = filled(Table(first, last, slot_bits, lines, 0, slot_bits, SEGMENT), keys)
    assert table.number_count == lines * table.slots or bits < 12
    path.write_bytes(snapshot_file([table]))
    numbers = {unpacked(key) for key in keys} - {unpacked(key) for key in left}
    same_answers(path, numbers, set(), [unpacked(key) for key in keys])


@given(
    seed=st.integers(0, 2**64 - 1),
    bits=st.integers(1, 45),
    lines=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    more_bits=st.integers(0, 20),
    count=st.integers(1, 200),
    role=st.sampled_from([SEGMENT, REST]),
)
def test_files_of_any_shape(
    path: Path, seed: int, bits: int, lines: list[int], more_bits: int, count: int, role: int
) -> None:
    """Tables of any width and number of lines, chained; what finds no room in them is left out."""
    rng = random.Random(seed)
    first = rng.randint(10, 10**14)
    last = first + (1 << bits) - 1
    keys = sorted({rng.randint(first, last) for _ in range(count)})
    tables: list[Table] = []
    left = keys
    for line_count in lines:
        if not left:
            break
        own_role = OVERFLOW if tables else role
        table = Table(first, last, random_bits(seed + len(tables)), line_count, 0, 8, own_role)
        least = max(8, table.per_line.bit_length())
        slot_bits = min(62, least + more_bits)
        table, left = filled(
            Table(first, last, table.seed, line_count, 0, slot_bits, own_role), left
        )
        tables.append(table)
    path.write_bytes(snapshot_file(tables))
    numbers = {unpacked(key) for key in keys} - {unpacked(key) for key in left}
    same_answers(path, numbers, set(), [unpacked(key) for key in keys])


# Drawing


@pytest.mark.parametrize("with_delta", [False, True])
def test_each_number_is_drawn_as_often(path: Path, with_delta: bool) -> None:
    """Also when lines are unevenly full, in every table of the file and in the delta."""
    numbers = {*one_country(random.Random(5), 280), "1000", "*30", *WORDS}
    Snapshot.build(path, numbers, seed=5)
    snapshot = Snapshot.open(path)
    assert len(ReferenceSnapshot(path.read_bytes()).files[0].numbers.tables) > 2
    if with_delta:
        added, removed = one_country(random.Random(6), 100), sorted(numbers)[:150]
        delta = path.with_name("delta")
        Snapshot.build_delta(delta, snapshot, added, removed, seed=5)
        snapshot = Snapshot.open(path, delta=delta)
        numbers = numbers - set(removed) | set(added)
    pool = numbers - {*WORDS}
    draws = 100 * len(pool)
    rng = random.Random(7)
    counts = dict.fromkeys(pool, 0)
    for _ in range(draws):
        counts[str(snapshot.random(rng))] += 1
    assert len(counts) == len(pool)
    # Pearson's chi-squared: its mean is the degrees of freedom, its variance twice that.
    chi_squared = sum((count - 100) ** 2 / 100 for count in counts.values())
    freedom = len(pool) - 1
    assert abs(chi_squared - freedom) < 6 * (2 * freedom) ** 0.5
