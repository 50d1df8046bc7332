"""A decision as the values of $xavp(callsieve=>...) and as X-Callsieve headers."""

from __future__ import annotations

from kamailio_plugin.replies import Reply, refusal, response
from screening import Decision

SKIPPED = "OUTGOING_CALL_BARRED"
"""The cause of a number that is not dialled, as in the dialplan for FreeSWITCH."""

_MAX_VALUE = 200

_RECEIPT = tuple(
    (name, f"X-Callsieve-{name.replace('_', '-').title()}: ")
    for name in (
        "action",
        "number",
        "read_as",
        "list",
        "entry",
        "rule",
        "status",
        "redirect",
        "presentation",
        "generation",
        "rules_version",
        "marked",
        "reason",
    )
)
"""The receipt's keys, and the headers that they are sent inward in."""


def variables(decision: Decision) -> dict[str, str | int]:
    """All keys that apply: the receipt, what the action needs, and `headers` to send inward.

    `reply_status` (a number), `reply_phrase` and `reply_headers` come with hangup and skip.
    """
    receipt = (
        decision.action,
        decision.number,
        decision.read_as,
        decision.list,
        decision.entry,
        decision.rule,
        decision.status,
        decision.redirect,
        decision.presentation_number,
        None if decision.generation is None else str(decision.generation),
        decision.rules_version,
        decision.marked,
        decision.reason,
    )
    values: dict[str, str | int] = {}
    headers = ""
    for (name, header), value in zip(_RECEIPT, receipt, strict=True):
        if value is not None:
            # Rules and list names are checked when they are read; a reason can quote an error.
            plain = value.isprintable() and len(value) <= _MAX_VALUE
            values[name] = text = value if plain else _one_line(value)
            headers += f"{header}{text}\r\n"
    values["headers"] = headers
    reply = _reply(decision)
    if reply is not None:
        values["reply_status"] = reply.status
        values["reply_phrase"] = reply.phrase
        values["reply_headers"] = reply.headers
    return values


def _reply(decision: Decision) -> Reply | None:
    if decision.action == "hangup":
        if decision.response is not None:
            return response(decision.response, decision.call_info)
        return refusal(decision.cause or "")
    return refusal(SKIPPED) if decision.action == "skip" else None


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:_MAX_VALUE])
