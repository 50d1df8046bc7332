"""Makes number sets and the queries for them: realistic, and the same bytes for the same seed.

Two shapes. "us": the United States' registry, 10-digit NANP numbers over all area codes, of unequal
density, and every exchange from 200 to 999. "mix": 30 countries weighted by population, half
mobile, half fixed-line numbers. Area codes and numbering plans are read from phonenumbers: the real
ones.
Keys are packed numbers: an E.164 number is the integer of its digits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import phonenumbers

from bench.progress import say

SEED = 20260930

Keys = npt.NDArray[np.uint64]

# Millions of people, rounded; they only weigh the mix. Each has a country code of its own.
POPULATION = {
    "US": 340, "BR": 212, "MX": 130, "JP": 124, "TR": 85, "DE": 84, "GB": 69, "FR": 68, "ZA": 63,
    "IT": 59, "CO": 53, "KR": 52, "ES": 48, "AR": 46, "UA": 38, "PL": 37, "MY": 35, "AU": 27,
    "CL": 20, "RO": 19, "NL": 18, "BE": 12, "CZ": 11, "SE": 11, "PT": 11, "GR": 10, "IL": 10,
    "HU": 10, "AT": 9, "CH": 9,
}  # fmt: skip


@dataclass(frozen=True)
class Block:
    """`span` consecutive numbers from `first`, of which a share of the set is drawn by `weight`."""

    first: int
    span: int
    weight: float


@dataclass(frozen=True)
class NumberSet:
    """Files of uint64, little-endian.

    keys: ascending, each once. shuffled: the same in random order, where made. queries: slices of
    `slice_length`, each half hits and half misses in random order.
    """

    directory: Path
    count: int
    slices: int
    slice_length: int

    @property
    def keys(self) -> Path:
        return self.directory / "keys.u64"

    @property
    def shuffled(self) -> Path:
        return self.directory / "shuffled.u64"

    @property
    def queries(self) -> Path:
        return self.directory / "queries.u64"

    @property
    def half_hits(self) -> list[int]:
        """How many queries of each slice are keys."""
        return [self.slice_length // 2] * self.slices

    def query_slice(self, index: int) -> Keys:
        return np.fromfile(
            self.queries, np.uint64, self.slice_length, offset=8 * self.slice_length * index
        )


def us_blocks(rng: np.random.Generator) -> list[Block]:
    """One block for each area code of the United States: exchanges 200 to 999."""
    return [
        Block(10**10 + area * 10**7 + 2_000_000, 8_000_000, rng.uniform(0.3, 1.7))
        for area in range(200, 1000)
        if phonenumbers.is_valid_number_for_region(
            phonenumbers.PhoneNumber(country_code=1, national_number=area * 10**7 + 234_5678), "US"
        )
    ]


def mix_blocks() -> list[Block]:
    """A block for every four leading digits that a country's plan has numbers with."""
    weights: dict[tuple[int, int], float] = {}
    for region, population in POPULATION.items():
        plan = phonenumbers.PhoneMetadata.metadata_for_region(region)
        if plan is None:
            raise LookupError(f"phonenumbers: no plan of {region}")
        for kind in (plan.mobile, plan.fixed_line):
            pattern = re.compile(kind.national_number_pattern)
            rest = len(kind.example_number) - 4
            filler = "2345678901"[:rest]
            leads = [n for n in range(1000, 10_000) if pattern.fullmatch(f"{n}{filler}")]
            for lead in leads:
                block = (int(f"{plan.country_code}{lead}") * 10**rest, 10**rest)
                weights[block] = weights.get(block, 0) + population / 2 / len(leads)
    return [Block(first, span, weight) for (first, span), weight in sorted(weights.items())]


def _shares(blocks: list[Block], count: int) -> npt.NDArray[np.int64]:
    weights = np.array([block.weight for block in blocks])
    ends = np.rint(np.cumsum(weights) / weights.sum() * count).astype(np.int64)
    return np.diff(ends, prepend=0)


def _write_keys(path: Path, blocks: list[Block], count: int, rng: np.random.Generator) -> None:
    with path.open("wb") as file:
        for done, (block, share) in enumerate(zip(blocks, _shares(blocks, count), strict=True)):
            offsets = rng.choice(block.span, share, replace=False, shuffle=False)
            offsets.sort()
            (offsets.astype(np.uint64) + np.uint64(block.first)).tofile(file)
            if done % 20 == 0:
                say(f"making {count:,} numbers: {100 * done // len(blocks)} %")


def _in(ascending: Keys, keys: Keys) -> npt.NDArray[np.bool_]:
    places = np.searchsorted(ascending, keys)
    found = places < len(ascending)
    found[found] = ascending[places[found]] == keys[found]
    return found


def _misses(keys: Keys, blocks: list[Block], count: int, rng: np.random.Generator) -> Keys:
    """Numbers of the same blocks, by the same weights, that are not keys."""
    firsts = np.array([block.first for block in blocks])
    spans = np.array([block.span for block in blocks])
    weights = np.array([block.weight for block in blocks])
    found: list[Keys] = []
    wanted = count
    while wanted:
        chosen = rng.choice(len(blocks), 2 * wanted, p=weights / weights.sum())
        drawn = (firsts[chosen] + rng.integers(0, spans[chosen])).astype(np.uint64)
        drawn.sort()  # the search then goes through the keys once
        drawn = rng.permutation(drawn[~_in(keys, drawn)])[:wanted]
        found.append(drawn)
        wanted -= len(drawn)
    return np.concatenate(found)


def make(
    directory: Path, shape: str, count: int, slices: int, slice_length: int, shuffled: bool
) -> NumberSet:
    """Writes the files of a number set.

    shape: "us" or "mix". slice_length: even. Raises ValueError where a block is too small for its
    share.
    """
    rng = np.random.default_rng([SEED, count])
    blocks = us_blocks(rng) if shape == "us" else mix_blocks()
    made = NumberSet(directory, count, slices, slice_length)
    directory.mkdir()
    _write_keys(made.keys, blocks, count, rng)
    keys = np.memmap(made.keys, np.uint64, "r")
    say(f"making queries for {count:,} numbers")
    half = slices * slice_length // 2
    hits = keys[rng.integers(0, count, half)].reshape(slices, -1)
    misses = _misses(keys, blocks, half, rng).reshape(slices, -1)
    rng.permuted(np.concatenate([hits, misses], axis=1), axis=1).tofile(made.queries)
    if shuffled:
        rng.permutation(keys).tofile(made.shuffled)
    return made


def hits_with_prefixes(numbers: NumberSet, prefixes: list[int]) -> list[int]:
    """How many queries of each slice are keys or under a prefix, the value of its digits."""
    keys = np.memmap(numbers.keys, np.uint64, "r")
    hits = []
    for index in range(numbers.slices):
        queries = numbers.query_slice(index)
        found = _in(keys, queries)
        for digits in {len(str(prefix)) for prefix in prefixes}:
            # All numbers of the US shape have 11 digits with their country code.
            stems = queries // np.uint64(10 ** (11 - digits))
            found |= np.isin(stems, np.array(prefixes, np.uint64))
        hits.append(int(found.sum()))
    return hits


def hits_with_changes(numbers: NumberSet, add: Keys, remove: Keys) -> list[int]:
    """How many queries of each slice are keys after `add` were added and `remove` removed."""
    return [
        numbers.slice_length // 2
        + int(np.isin(numbers.query_slice(index), add).sum())
        - int(np.isin(numbers.query_slice(index), remove).sum())
        for index in range(numbers.slices)
    ]


def changes(numbers: NumberSet, size: int) -> tuple[Keys, Keys]:
    """`size` numbers to add and `size` keys to remove, all of which the queries ask for."""
    rng = np.random.default_rng([SEED, size])
    queries = np.fromfile(numbers.queries, np.uint64)
    present = _in(np.memmap(numbers.keys, np.uint64, "r"), queries)
    return (
        rng.choice(np.unique(queries[~present]), size, replace=False),
        rng.choice(np.unique(queries[present]), size, replace=False),
    )


def us_prefixes(count: int) -> list[int]:
    """Prefixes of 6 to 10 digits, country code included, of numbers of the US shape."""
    rng = np.random.default_rng([SEED, count])
    blocks = us_blocks(rng)
    found: set[int] = set()
    while len(found) < count:
        block = blocks[rng.integers(len(blocks))]
        number = block.first + int(rng.integers(block.span))
        found.add(number // 10 ** int(rng.integers(1, 6)))
    return sorted(found)
