"""Snapshots against the reference reader of the same bytes and against a Python set."""

import random
from array import array
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup_core import Snapshot, pack, unpack
from tests.support.numbers import LISTS, NUMBER, PREFIXES, expected_match
from tests.support.reference_reader import (
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

ASKED = 300  # of each large list, for the reference reader is slow


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("snapshot") / "list"


def same_answers(
    path: Path, numbers: set[str], prefixes: set[str], asked: list[str], delta: Path | None = None
) -> ReferenceSnapshot:
    """The snapshot, the reference reader and the sets agree on everything there is to ask."""
    snapshot = Snapshot.open(path, delta=delta)
    reference = ReferenceSnapshot(path.read_bytes(), delta.read_bytes() if delta else None)
    expected = [expected_match(number, numbers, prefixes) for number in asked]
    assert [snapshot.match(number) for number in asked] == expected
    assert [reference.match(number) for number in asked] == expected
    inside = [entry is not None for entry in expected]
    keys = array("Q", map(packed, asked))
    assert [number in snapshot for number in asked] == inside
    assert [key in snapshot for key in keys] == inside
    assert snapshot.contains_many(keys) == bytearray(inside)
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
        assert drawn in numbers - {"anonymous"} or numbers <= {"anonymous"}
    snapshot.verify()
    return reference


@given(number=NUMBER)
def test_packing(number: str) -> None:
    assert pack(number) == packed(number)
    assert unpack(packed(number)) == unpacked(packed(number)) == number


@given(numbers=LISTS, prefixes=PREFIXES, others=LISTS)
def test_any_small_list(
    path: Path, numbers: list[str], prefixes: list[str], others: list[str]
) -> None:
    Snapshot.build(path, numbers, prefixes)
    asked = numbers + others + [prefix[:-1] + "0" for prefix in prefixes]
    same_answers(path, set(numbers), set(prefixes), asked)


@given(
    numbers=LISTS,
    prefixes=PREFIXES,
    steps=st.lists(st.tuples(LISTS, LISTS, PREFIXES, PREFIXES), min_size=1, max_size=3),
)
def test_any_deltas(
    path: Path,
    numbers: list[str],
    prefixes: list[str],
    steps: list[tuple[list[str], list[str], list[str], list[str]]],
) -> None:
    """Each delta is made over the one before, and at the end they are moved onto another file."""
    Snapshot.build(path, numbers, prefixes)
    now, now_prefixes = set(numbers), set(prefixes)
    onto, since = path.with_name("onto"), path.with_name("since")
    before = snapshot = Snapshot.open(path)
    for index, (add, remove, add_prefixes, remove_prefixes) in enumerate(steps):
        remove = remove + numbers[::3]
        remove_prefixes = remove_prefixes + prefixes[::2]
        delta = path.with_name(f"delta-{index}")
        Snapshot.build_delta(delta, snapshot, add, remove, add_prefixes, remove_prefixes)
        now = now - set(remove) | set(add)
        now_prefixes = now_prefixes - set(remove_prefixes) | set(add_prefixes)
        asked = [*numbers, *add, *remove]
        asked += [prefix[:-1] + "0" for prefix in (*prefixes, *add_prefixes)]
        same_answers(path, now, now_prefixes, asked, delta)
        snapshot = Snapshot.open(path, delta=delta)
        if index == 0:
            before = snapshot
            Snapshot.build(onto, list(before), before.prefixes)
    Snapshot.build_delta_since(since, Snapshot.open(onto), before, snapshot)
    same_answers(onto, now, now_prefixes, asked, since)


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
    numbers = {*one_country(random.Random(5), 280), "1000", "*30", "anonymous"}
    Snapshot.build(path, numbers, seed=5)
    snapshot = Snapshot.open(path)
    assert len(ReferenceSnapshot(path.read_bytes()).files[0].numbers.tables) > 2
    if with_delta:
        added, removed = one_country(random.Random(6), 100), sorted(numbers)[:150]
        delta = path.with_name("delta")
        Snapshot.build_delta(delta, snapshot, added, removed, seed=5)
        snapshot = Snapshot.open(path, delta=delta)
        numbers = numbers - set(removed) | set(added)
    pool = numbers - {"anonymous"}
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
