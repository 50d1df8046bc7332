"""A snapshot file against a Python set."""

import random
from array import array
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lookup_core import Snapshot, pack
from lookup_core.snapshot_format import read_layout
from tests.support.numbers import E164, LISTS, NUMBER, PREFIXES


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("snapshot") / "list"
    yield path
    assert list(path.parent.iterdir()) == [path], "nothing else stays in the directory"


def built(path: Path, numbers: list[str], prefixes: list[str]) -> Snapshot:
    Snapshot.build(path, numbers, prefixes)
    return Snapshot.open(path)


@given(numbers=LISTS)
def test_every_way_to_give_numbers_makes_the_same_file(path: Path, numbers: list[str]) -> None:
    Snapshot.build(path, numbers, seed=7)
    from_texts = path.read_bytes()
    keys = array("Q", map(pack, numbers))
    for given_numbers in (iter(numbers), keys, memoryview(keys), list(keys), reversed(keys)):
        Snapshot.build(path, given_numbers, seed=7)
        assert path.read_bytes() == from_texts


@given(text=st.text("0123456789", min_size=2, max_size=15).filter(lambda text: text[0] != "0"))
def test_dialled_e164_and_anonymous_are_never_confused(path: Path, text: str) -> None:
    kinds = {text, f"+{text}", "anonymous"}
    for listed in kinds:
        snapshot = built(path, [listed], [])
        assert {kind for kind in kinds if kind in snapshot} == {listed}
        assert (int(text) in snapshot) == (listed == f"+{text}")
    snapshot = built(path, [], [f"+{text[:1]}*"])
    assert {kind for kind in kinds if kind in snapshot} == {f"+{text}"}


@pytest.mark.parametrize("groups", [2, 3, 40, 99])
def test_keys_around_the_ends_of_many_groups(path: Path, groups: int) -> None:
    """Calling codes of two digits, with numbers of the same first digits in many lengths."""
    rng = random.Random(groups)
    firsts = {
        int(f"{1 + index % 9}{index // 9}".ljust(rng.randrange(9, 16), "0"))
        for index in range(groups)
    }
    keys = {first + rng.randrange(10**6) for first in firsts for _ in range(400)}
    ends = [min(keys), max(keys), *firsts, *(first + 10**6 for first in firsts)]
    asked = [*keys, *(key + step for key in (*keys, *ends) for step in (-1, 1))]
    asked += [1 << bit for bit in range(64)] + [(1 << bit) - 1 for bit in range(65)]
    Snapshot.build(path, array("Q", sorted(keys)))
    snapshot = Snapshot.open(path)
    structure = read_layout(path, memoryview(path.read_bytes())).sections[0]
    assert (structure.length - 16) // 48 >= min(groups, 30)
    assert snapshot.contains_many(array("Q", asked)) == bytes(key in keys for key in asked)
    assert [f"+{key}" in snapshot for key in keys] == [True] * len(keys)


@given(number=E164, lengths=st.sets(st.integers(1, 14)))
def test_the_longest_prefix_wins(path: Path, number: str, lengths: set[int]) -> None:
    lengths = {length for length in lengths if length < len(number)}
    prefixes = [f"{number[: length + 1]}*" for length in lengths]
    snapshot = built(path, [], prefixes)
    for _ in range(len(lengths)):
        longest = max(prefixes, key=len)
        assert snapshot.match(number) == longest
        prefixes.remove(longest)
        snapshot = built(path, [], prefixes)
    assert snapshot.match(number) is None


@given(data=st.data(), numbers=LISTS, prefixes=PREFIXES, add=LISTS)
def test_two_have_the_same_entries_or_not(
    path: Path, data: st.DataObject, numbers: list[str], prefixes: list[str], add: list[str]
) -> None:
    """Also when one of them is a file and a delta over it."""
    remove = data.draw(st.lists(st.sampled_from([*numbers, "1000"])))
    remove_prefixes = data.draw(st.lists(st.sampled_from([*prefixes, "+1*"])))
    with TemporaryDirectory() as directory:
        base_path = Path(directory) / "base"
        Snapshot.build(base_path, numbers, prefixes)
        delta = Path(directory) / "delta"
        Snapshot.build_delta(delta, Snapshot.open(base_path), add, remove, (), remove_prefixes)
        changed = Snapshot.open(base_path, delta=delta)
        now = set(numbers) - set(remove) | set(add), set(prefixes) - set(remove_prefixes)
        others = [now, (now[0] ^ {"1000"}, now[1]), (now[0], now[1] ^ {"+1*"}), (set(), set())]
        for other_numbers, other_prefixes in others:
            other = built(path, sorted(other_numbers), sorted(other_prefixes))
            same = (other_numbers, other_prefixes) == now
            assert changed.has_entries_of(other) == same
            assert other.has_entries_of(changed) == same


def test_nothing_to_draw(path: Path) -> None:
    rng = random.Random(20)
    assert built(path, ["anonymous", "no-number"], []).random(rng) is None
    assert built(path, [], ["+48*"]).random(rng) is None
    assert built(path, ["anonymous", "no-number", "1000"], ["+49*"]).random(rng) == "1000"


def test_a_list_of_three_numbers_is_small(path: Path) -> None:
    assert built(path, ["+48600100200", "1000", "anonymous"], ["+48700*"]).nbytes < 8192


def test_a_larger_list(path: Path) -> None:
    rng = random.Random(3)
    keys = array("Q", (rng.randrange(48 * 10**9, 49 * 10**9) for _ in range(200_000)))
    Snapshot.build(path, keys)
    snapshot = Snapshot.open(path)
    oracle = set(keys)
    asked = array("Q", [*keys[:50_000], *(key + 1 for key in keys[:50_000])])
    assert snapshot.contains_many(asked) == bytearray(key in oracle for key in asked)
    assert len(snapshot) == len(oracle)


@given(number=st.integers() | st.booleans())
def test_an_int_that_is_no_key_is_not_there(path: Path, number: int) -> None:
    assert number not in built(path, ["anonymous"], ["+5*"]) or (
        number == 2**60 or (str(number)[0] == "5" and 10 <= number < 10**15)
    )


@given(number=NUMBER)
def test_an_open_snapshot_outlives_its_file(path: Path, number: str) -> None:
    snapshot = built(path, [number], [])
    Snapshot.build(path, [])
    assert number in snapshot
    assert number not in Snapshot.open(path)


def test_questions_that_cannot_be_answered(path: Path) -> None:
    snapshot = built(path, ["+48600100200"], [])
    for text in ("", "48 600", "+48700*", "\ud800"):
        with pytest.raises(ValueError, match="expected"):
            _ = text in snapshot
        with pytest.raises(ValueError, match="expected"):
            snapshot.match(text)
    for wrong in (None, b"+48600100200", 48600100200.0):
        with pytest.raises(TypeError, match="expected str or int, found"):
            _ = wrong in snapshot  # type: ignore[operator]
        with pytest.raises(TypeError):
            snapshot.match(wrong)  # type: ignore[arg-type]
    for keys in (
        array("q", [1]),
        array("d", [1]),
        b"12345678",
        memoryview(array("Q", range(4)))[::2],
    ):
        with pytest.raises(TypeError, match="expected a contiguous buffer of uint64"):
            snapshot.contains_many(keys)
    assert snapshot.contains_many(array("Q")) == bytearray()


@pytest.mark.parametrize(
    ("numbers", "prefixes", "message"),
    [
        (["+48600100200", "48 600"], [], r"numbers\[1\]: expected '\+' and .* found '48 600'"),
        ([10, 9], [], r"numbers\[1\]: expected a packed number, found 0x9"),
        ([-1], [], r"numbers\[0\]: expected a packed number, found -0x1"),
        ([2**64], [], r"numbers\[0\]: expected a packed number"),
        (array("Q", [10, 0]), [], r"numbers\[1\]: expected a packed number, found 0x0"),
        ([], ["+48*", "+48"], r"prefixes\[1\]: expected '\+', 1 to 14 .* found '\+48'"),
        ([], ["+*"], r"prefixes\[0\]"),
        ([], ["+048*"], r"prefixes\[0\]"),
        ([], ["+123456789012345*"], r"prefixes\[0\]"),
        ([], ["1000*"], r"prefixes\[0\]"),
        ([None], [], r"numbers\[0\]: expected str or int, found NoneType"),
        ("1000", [], r"numbers: expected an iterable of numbers, found one str"),
        (b"1000", [], r"expected a contiguous buffer of uint64, found bytes"),
        ([], "+48*", r"prefixes: expected an iterable of prefixes, found one str"),
        ([], [48], r"prefixes\[0\]: expected str, found int"),
    ],
)
def test_a_bad_entry_is_named_and_nothing_is_written(
    path: Path, numbers: list[str], prefixes: list[str], message: str
) -> None:
    Snapshot.build(path, ["112"])
    with pytest.raises((ValueError, TypeError), match=message):
        Snapshot.build(path, numbers, prefixes)
    assert list(Snapshot.open(path)) == ["112"]


def test_a_closed_snapshot_says_so(path: Path) -> None:
    snapshot = built(path, ["+48600100200"], [])
    texts = iter(snapshot)
    snapshot.close()
    snapshot.close()
    for use in (
        lambda: "+48600100200" in snapshot,
        lambda: snapshot.match("+48600100200"),
        lambda: snapshot.contains_many(array("Q", [10])),
        lambda: len(snapshot),
        lambda: list(snapshot),
        lambda: next(texts),
        lambda: snapshot.prefixes,
        lambda: snapshot.nbytes,
        lambda: snapshot.random(random.Random(1)),
        snapshot.verify,
    ):
        with pytest.raises(ValueError, match="closed"):
            use()


def test_a_snapshot_that_is_closed_while_it_is_used(path: Path) -> None:
    """The caller's own code may close it: no call goes on with what was let go."""

    class ClosingRandom(random.Random):
        def randrange(self, *_arguments: int) -> int:  # type: ignore[override]
            snapshot.close()
            return 0

    def closing() -> Iterator[str]:
        yield "113"
        snapshot.close()

    numbers = [f"+4860000{i:04}" for i in range(1000)]
    snapshot = built(path, numbers, [])
    with pytest.raises(ValueError, match="closed"):
        snapshot.random(ClosingRandom())
    for arguments in (
        {"add": closing()},
        {"remove": closing()},
        {"add_prefixes": (f"+{number}*" for number in closing())},
        {"remove_prefixes": (f"+{number}*" for number in closing())},
    ):
        snapshot = built(path, numbers, [])
        with pytest.raises(ValueError, match="closed"):
            Snapshot.build_delta(path.with_name("delta"), snapshot, **arguments)
        assert not path.with_name("delta").exists()
    snapshot = built(path, numbers, [])
    texts = iter(snapshot)
    next(texts)
    snapshot.close()
    with pytest.raises(ValueError, match="closed"):
        next(texts)
