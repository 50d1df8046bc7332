"""Shows a decision to a person."""

from __future__ import annotations

from collections.abc import Mapping

Value = str | int | None


def receipt_lines(decision: Mapping[str, Value]) -> list[str]:
    """The decision as aligned lines; what does not apply is left out.

    decision: the keys of `Decision.as_dict()`.
    """
    rows = [
        ("decision", verdict(decision)),
        ("number", decision["number"]),
        ("read as", decision["read_as"]),
        ("list", _place(decision)),
        ("rule", decision["rule"]),
        ("rules", decision["rules_version"] and f"version {decision['rules_version']}"),
        ("marked", decision["marked"]),
        ("reason", decision["reason"]),
    ]
    return [f"{name:<10} {value}" for name, value in rows if value is not None]


def verdict(decision: Mapping[str, Value]) -> str:
    """The action with what it does: `hangup CALL_REJECTED`."""
    detail = {
        "hangup": decision["cause"] or decision["response"],
        "redirect": decision["redirect"],
        "skip": decision["status"],
        "continue": decision["status"],
        "present": decision["presentation_number"],
    }.get(str(decision["action"]))
    return f"{decision['action']} {detail}" if detail else str(decision["action"])


def _place(decision: Mapping[str, Value]) -> str | None:
    if decision["list"] is None:
        return None
    if decision["entry"] is None:
        return str(decision["list"])
    return f"{decision['list']}, entry {decision['entry']}, generation {decision['generation']}"
