"""Pattern tables answer what `re` answers, for every pattern of phonenumbers' metadata."""

import re
from collections.abc import Iterator
from random import Random

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneMetadata

from loader.digit_patterns import (
    COLUMNS,
    END,
    MATCH_LAST_GROUP,
    NO_MATCH,
    PatternTable,
    UnsupportedPatternError,
    compile_pattern,
)


def all_metadata() -> Iterator[PhoneMetadata]:
    for region in sorted(phonenumbers.SUPPORTED_REGIONS):
        for metadata in (
            PhoneMetadata.metadata_for_region(region),
            PhoneMetadata.short_metadata_for_region(region),
        ):
            if metadata is not None:
                yield metadata
    for code in phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS:
        metadata = PhoneMetadata.metadata_for_nongeo_region(code)
        assert metadata is not None
        yield metadata


def whole_patterns() -> set[str]:
    kinds = "general_desc fixed_line mobile toll_free premium_rate voip pager uan short_code"
    return {
        description.national_number_pattern
        for metadata in all_metadata()
        for kind in kinds.split()
        if (description := getattr(metadata, kind)) and description.national_number_pattern
    }


def prefix_patterns() -> set[str]:
    names = "national_prefix_for_parsing international_prefix leading_digits"
    return {
        pattern
        for metadata in all_metadata()
        for name in names.split()
        if (pattern := getattr(metadata, name))
    }


def run(table: PatternTable, digits: str) -> tuple[int, int] | None:
    """(where the match ends, its verdict), as the documentation of PatternTable says."""
    state = 1
    found = None
    for place, column in enumerate([*map(int, digits), END]):
        if table.verdict[state] != NO_MATCH:
            found = place, table.verdict[state]
        state = table.following[state * COLUMNS + column]
    if table.verdict[state] != NO_MATCH:
        found = len(digits), table.verdict[state]
    return found


def matches_whole(table: PatternTable, digits: str) -> bool:
    found = run(table, digits)
    return found is not None and found[0] == len(digits)


def near(rng: Random, table: PatternTable) -> str:
    """Digits that follow the table to a match, and sometimes go on."""
    digits = ""
    state = 1
    while rng.random() > (0.5 if table.verdict[state] else 0.02):
        choices = [column for column in range(10) if table.following[state * COLUMNS + column]]
        if not choices:
            break
        column = rng.choice(choices)
        state = table.following[state * COLUMNS + column]
        digits += str(column)
    return digits + "".join(rng.choices("0123456789", k=rng.choice([0, 0, 0, 1, 5])))


def test_whole_patterns_match_as_re_does() -> None:
    rng = Random(1)
    matched = 0
    for pattern in sorted(whole_patterns()):
        table = compile_pattern(pattern, whole=True)
        expression = re.compile(pattern)
        for _ in range(20):
            digits = near(rng, table)
            expected = expression.fullmatch(digits) is not None
            assert matches_whole(table, digits) == expected, (pattern, digits)
            matched += expected
    assert matched > 1000


def test_prefix_patterns_match_as_re_does() -> None:
    rng = Random(2)
    with_group = 0
    for pattern in sorted(prefix_patterns()):
        table = compile_pattern(pattern, whole=False)
        expression = re.compile(pattern)
        for _ in range(200):
            digits = near(rng, table)
            match = expression.match(digits)
            if match is None:
                assert run(table, digits) is None, (pattern, digits)
                continue
            last_group = bool(match.groups()) and match.groups()[-1] is not None
            end, verdict = run(table, digits) or (None, None)
            assert end == match.end(), (pattern, digits)
            assert (verdict == MATCH_LAST_GROUP) == last_group, (pattern, digits)
            with_group += last_group
    assert with_group > 1000


PATTERNS = st.recursive(
    st.sampled_from(["0", "1", "2", "\\d", "[01]", "[0-12]", "$", ""]),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda items: f"(?:{'|'.join(items)})"),
        inner.map(lambda item: f"({item})"),
        st.tuples(inner, st.sampled_from(["?", "{2}", "{1,2}", "{0,3}"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
    ),
    max_leaves=8,
)


@given(PATTERNS, st.lists(st.text("012", max_size=6), min_size=1, max_size=20))
def test_any_pattern_matches_as_re_does(pattern: str, texts: list[str]) -> None:
    expression = re.compile(pattern)
    whole = compile_pattern(pattern, whole=True)
    start = compile_pattern(pattern, whole=False)
    for digits in texts:
        assert matches_whole(whole, digits) == (expression.fullmatch(digits) is not None)
        match = expression.match(digits)
        found = run(start, digits)
        assert (found[0] if found else None) == (match.end() if match else None)


REFUSED_ITEMS = ["(", ")", "1)", "(?:1", "?", "a", ".", "^1", "\\D", "\\1", "\u0661"]
REFUSED_CLASSES = ["[", "[]", "[a]", "[1-", "[^1]", "[2-1]"]
REFUSED_COUNTS = ["*", "+", "{", "{x}", "{2,1}", "{,2}", "{2,}", "{99}", "??", "?+", "{1}{2}"]
REFUSED_GROUPS = ["(?!1)", "(?=1)", "(?<=1)", "(?P<a>1)", "(?i)1", "(?>1)"]


@pytest.mark.parametrize("pattern", [*REFUSED_ITEMS, *REFUSED_CLASSES, *REFUSED_GROUPS])
def test_other_syntax_is_refused(pattern: str) -> None:
    with pytest.raises(UnsupportedPatternError):
        compile_pattern(pattern, whole=True)


@pytest.mark.parametrize("count", REFUSED_COUNTS)
def test_other_repetition_is_refused(count: str) -> None:
    with pytest.raises(UnsupportedPatternError):
        compile_pattern("1" + count, whole=True)


def test_the_number_of_states_is_bounded() -> None:
    with pytest.raises(UnsupportedPatternError, match="more than"):
        compile_pattern("\\d{20}" * 200, whole=True)
