"""A decision as the values of $xavp(callsieve=>...) and as X-Callsieve headers."""

from __future__ import annotations

from kamailio_plugin.replies import Reply, refusal, response
from screening import Decision

SKIPPED = "OUTGOING_CALL_BARRED"
"""The cause of a number that is not dialled, as in the dialplan for FreeSWITCH."""

_MAX_VALUE = 200


def variables(decision: Decision) -> dict[str, str | int]:
    """All keys that apply: the receipt, what the action needs, and `headers` to send inward.

    `reply_status` (a number), `reply_phrase` and `reply_headers` come with hangup and skip.
    """
    receipt = {
        "action": decision.action,
        "number": decision.number,
        "list": decision.list,
        "entry": decision.entry,
        "rule": decision.rule,
        "status": decision.status,
        "redirect": decision.redirect,
        "presentation": decision.presentation_number,
        "generation": None if decision.generation is None else str(decision.generation),
        "marked": decision.marked,
        "reason": decision.reason,
    }
    texts = {name: _one_line(value) for name, value in receipt.items() if value is not None}
    headers = [f"X-Callsieve-{name.capitalize()}: {value}\r\n" for name, value in texts.items()]
    values: dict[str, str | int] = {**texts, "headers": "".join(headers)}
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
    """Rules and list names are checked when they are read; a reason can quote an error."""
    if text.isprintable() and len(text) <= _MAX_VALUE:
        return text
    return "".join(c if c.isprintable() else "?" for c in text[:_MAX_VALUE])
