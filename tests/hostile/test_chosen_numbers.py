"""Numbers chosen so that they fall into one line of a snapshot file."""

import itertools
import random
from array import array
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from lookup_core import Snapshot
from tests.support.reference_reader import ReferenceFile, Table

SEED = 11  # known to whoever chooses the numbers
FIRST, LAST = 48_000_000_000, 48_999_999_999
CHOSEN = 300


def background() -> list[int]:
    """An honest list; the ends of the interval are in it, so that it stays as it is."""
    rng = random.Random(1)
    return [FIRST, LAST, *(rng.randint(FIRST, LAST) for _ in range(20_000))]


def tables(path: Path, numbers: Iterable[int], seed: int | None) -> list[Table]:
    """The chain of tables of the only segment of such a list."""
    Snapshot.build(path, array("Q", numbers), seed=seed)
    (chain,) = ReferenceFile(path.read_bytes()).numbers.chains
    return chain


def in_line(table: Table, line: int) -> Iterable[int]:
    """The numbers that fall into a line, found by taking the mix back."""
    for x in range(line * table.per_line, min((line + 1) * table.per_line, table.mask + 1)):
        key = table.first + table.unmix(x)
        if FIRST < key < LAST:
            yield key


def chosen_against(path: Path) -> list[int]:
    """Numbers that share the first line of every table, for someone who knows the seed.

    The tables after the first depend on how much overflows, so they are looked at one by one.
    """
    honest = set(background())
    chosen = random.Random(2).sample(range(FIRST + 1, LAST), CHOSEN)
    for level in range(3):
        chain = tables(path, [*honest, *chosen], SEED)
        common = (
            key
            for key in in_line(chain[0], 0)
            if key not in honest and all(table.place(key)[0] == 0 for table in chain[1 : level + 1])
        )
        chosen = list(itertools.islice(common, CHOSEN))
        assert len(chosen) == CHOSEN
    return chosen


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> list[int]:
    return chosen_against(tmp_path_factory.mktemp("chosen") / "list")


def test_they_cost_three_lines_at_most(tmp_path: Path, chosen: list[int]) -> None:
    path = tmp_path / "list"
    numbers = background() + chosen
    chain = tables(path, numbers, SEED)
    crowded = Counter(chain[0].place(key)[0] for key in chosen)
    assert crowded == {0: CHOSEN}, "they were chosen well"
    assert len(chain) == 3

    data = ReferenceFile(path.read_bytes()).numbers
    listed = set(numbers)
    others = [
        key for key in itertools.islice(in_line(chain[0], 0), 3 * CHOSEN) if key not in listed
    ]
    reads: Counter[int] = Counter()
    for key in chosen + others:
        found, read = data.lookup(key)
        assert found == (key in listed)
        reads[read] += 1
    assert set(reads) == {1, 2, 3}, "and the third is needed"

    snapshot = Snapshot.open(path)
    keys = array("Q", chosen + others)
    assert snapshot.contains_many(keys) == bytearray(key in listed for key in keys)
    assert set(snapshot.keys()) == listed
    assert len(snapshot) == len(listed)


def test_without_the_seed_they_are_numbers_like_any(tmp_path: Path, chosen: list[int]) -> None:
    first, second = (tables(tmp_path / name, background() + chosen, None) for name in "ab")
    assert first[0].seed != second[0].seed, "nobody knows it before the file is written"
    for chain in (first, second):
        assert chain[0].number_count > 0.9 * sum(table.number_count for table in chain)
        lines = Counter(chain[0].place(key)[0] for key in chosen)
        # 300 numbers over some 900 lines: 13 of them in one has a chance of 1 to 10^13.
        assert max(lines.values()) < 13
        assert len(lines) > CHOSEN / 2


def test_a_list_of_nothing_else(tmp_path: Path, chosen: list[int]) -> None:
    """Numbers that all fall into one line are the builder's reason to take another seed."""
    path = tmp_path / "list"
    numbers = [FIRST, LAST, *chosen]
    attacked = tables(path, numbers, SEED)[0]
    worst = list(itertools.islice(in_line(attacked, 0), CHOSEN))
    chain = tables(path, [FIRST, LAST, *worst], SEED)
    assert chain[0].seed != attacked.seed
    assert chain[0].number_count > 0.9 * len(worst)
    assert set(Snapshot.open(path).keys()) == {FIRST, LAST, *worst}
