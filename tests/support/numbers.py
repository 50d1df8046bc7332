"""Hypothesis strategies for canonical numbers, and the slow obvious answer to a lookup."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from hypothesis import strategies as st

WORDS = ["anonymous", "no-number"]
E164 = st.integers(10, 10**15 - 1).map(lambda value: f"+{value}")
DIALLED = st.text("0123456789*#", min_size=1, max_size=15)
# Few digits, so that numbers, prefixes and dialled strings meet.
NEAR = st.text("123", min_size=2, max_size=5).map(lambda digits: f"+{digits}")
NEAR_DIALLED = st.text("0123*", min_size=1, max_size=3)
NUMBER = st.one_of(E164, DIALLED, NEAR, NEAR_DIALLED, st.sampled_from(WORDS))
PREFIX = st.one_of(
    st.integers(1, 10**14 - 1).map(lambda value: f"+{value}*"),
    st.text("123", min_size=1, max_size=3).map(lambda digits: f"+{digits}*"),
)
LISTS = st.lists(NUMBER, max_size=60)
PREFIXES = st.lists(PREFIX, max_size=8)
# Moments close to each other, so that entries have ended, end now and end later.
MOMENT = st.integers(0, 6)
ENDS = st.dictionaries(st.one_of(NUMBER, PREFIX), MOMENT, max_size=10)


def expected_match(
    number: str,
    numbers: Iterable[str],
    prefixes: Iterable[str],
    ends: Mapping[str, int] = MappingProxyType({}),
    now: int = 0,
) -> str | None:
    """The entry that a number matches: itself, else the longest prefix, of those not ended."""
    if number in set(numbers) and ends.get(number, now) >= now:
        return number
    matching = [
        prefix
        for prefix in prefixes
        if number.startswith(prefix[:-1]) and ends.get(prefix, now) >= now
    ]
    return max(matching, key=len, default=None)
