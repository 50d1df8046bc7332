"""The table: rows of a figure, its peer, the target, and whether it was reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Target:
    """A bound on a row's ratio, or on its own value."""

    of: str  # "ratio" or "value"
    kind: str  # "<=" or ">="
    bound: float

    def met(self, found: float | None) -> bool:
        if found is None:
            return False
        return found <= self.bound if self.kind == "<=" else found >= self.bound


@dataclass(frozen=True)
class Row:
    """One figure of ours. A row without a target is information; without a value it failed."""

    size: str
    figure: str
    value: float | None
    unit: str = ""
    peer: str = ""
    peer_value: float | None = None
    target: Target | None = None

    @property
    def ratio(self) -> float | None:
        """Ours divided by the peer's."""
        if self.value is None or not self.peer_value:
            return None
        return self.value / self.peer_value

    @property
    def met(self) -> bool | None:
        """None: there was nothing to reach. What could not be measured has missed."""
        if self.value is None:
            return False
        if not self.target:
            return None
        return self.target.met(self.ratio if self.target.of == "ratio" else self.value)

    def as_dict(self) -> dict[str, Any]:
        target = self.target
        return {
            "size": self.size,
            "figure": self.figure,
            "value": self.value,
            "unit": self.unit,
            "peer": self.peer,
            "peer_value": self.peer_value,
            "ratio": self.ratio,
            "target": f"{target.of} {target.kind} {target.bound:g}" if target else None,
            "met": self.met,
        }

    def line(self) -> str:
        bound = ""
        if self.target:
            unit = f" {self.unit}" if self.target.of == "value" else ""
            bound = f"{self.target.kind} {self.target.bound:g}{unit}"
        met = {None: "", True: "pass", False: "MISS"}[self.met]
        return _columns(
            self.size,
            self.figure,
            f"{_number(self.value)} {self.unit:<3}",
            self.peer,
            _number(self.peer_value),
            _number(self.ratio),
            bound,
            met,
        )


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 100 else f"{value:.3g}"


def _columns(*words: str) -> str:
    size, figure, ours, peer, theirs, ratio, target, met = words
    line = (
        f"{size:>7}  {figure:<34}{ours:>13}  {peer:<24}{theirs:>8}  {ratio:>6}  {target:<11} {met}"
    )
    return line.rstrip()


HEADING = _columns("size", "figure", "ours    ", "peer", "theirs", "ratio", "target", "result")
