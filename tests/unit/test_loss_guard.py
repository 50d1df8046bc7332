"""What is too much to be lost at once."""

from __future__ import annotations

import pytest

from loader.loss_guard import Counts, loss, rules_loss


@pytest.mark.parametrize(
    ("before", "after", "lost", "problem"),
    [
        (Counts(0), Counts(0), 0, ""),
        (Counts(0), Counts(0, 9), 0, ""),
        (Counts(1), Counts(0), 1, "found none"),
        (Counts(3), Counts(1), 2, ""),
        (Counts(8), Counts(4), 4, ""),
        (Counts(9), Counts(4), 5, "5 of them gone"),
        (Counts(10), Counts(5), 5, ""),
        (Counts(11), Counts(5), 6, "6 of them gone"),
        (Counts(11), Counts(11), 6, "6 of them gone"),
        (Counts(5), Counts(2, 3), 3, "3 that cannot be"),
        (Counts(5, 3), Counts(2, 3), 3, ""),
        (Counts(2), Counts(2, 3), 0, ""),
        (Counts(5, 0, True), Counts(5, 0, False), 0, "header"),
        (Counts(5, 0, False), Counts(5, 0, False), 0, ""),
        (Counts(5, 0, None), Counts(5, 0, None), 0, ""),
    ],
)
def test_lists(before: Counts, after: Counts, lost: int, problem: str) -> None:
    found = loss(before, after, lost)
    assert bool(found) == bool(problem)
    assert problem in found


@pytest.mark.parametrize(
    ("before", "after", "is_blank", "problem"),
    [
        (0, 0, False, ""),
        (0, 0, True, "found nothing"),
        (1, 0, False, "found 0"),
        (2, 1, False, ""),
        (3, 1, False, "found 1"),
        (3, 9, False, ""),
    ],
)
def test_rules(before: int, after: int, is_blank: bool, problem: str) -> None:
    found = rules_loss(before, after, is_blank)
    assert bool(found) == bool(problem)
    assert problem in found
