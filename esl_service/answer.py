"""A decision as the commands that FreeSWITCH is sent: all of them in one write."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from esl_service.blocking import Blocked
from esl_service.channel_data import LEG_VARIABLE, Mode
from esl_service.codec import (
    MAX_VALUE_CHARACTERS,
    encode_message,
    execute,
    hangup,
    is_plain,
    plain_text,
)
from screening import Decision
from screening.sip_responses import call_info_value, phrase

_RESUME = encode_message((), "resume")
_EXIT = encode_message((), "exit")

_ANSWERED = f"{LEG_VARIABLE}="
"""Unsets it: what this leg is asked next is not about what it was here."""

# multiset takes quotes, backslashes and the delimiter for its own.
_AWKWARD = re.compile(r"['\\|^]")

BRIDGE = "callsieve_bridge"
"""The extension of `freeswitch_conf/` that bridges, and the variable that says to whom. Bridged
from here, an asynchronous leg would be cancelled by the `resume` that it needs to go on."""

_VARIABLES = {
    "action": ("callsieve_action",),
    "list": ("callsieve_list",),
    "entry": ("callsieve_entry",),
    "number": ("callsieve_number",),
    "read_as": ("callsieve_read_as",),
    "rule": ("callsieve_rule",),
    "status": ("callsieve_status",),
    "presentation_number": ("effective_caller_id_number", "origination_caller_id_number"),
    "generation": ("callsieve_generation",),
    "rules_version": ("callsieve_rules_version",),
    "marked": ("callsieve_marked",),
    "reason": ("callsieve_reason",),
}
_FIELDS = Decision._fields
_RECEIPT = [_VARIABLES.get(field, ()) for field in _FIELDS]
"""The variables that each field of a decision is told in."""

# What rules say comes again and again.
_execute = lru_cache(maxsize=1000)(execute)
_hang_up = lru_cache(maxsize=1000)(hangup)


def answer(decision: Decision, mode: Mode) -> bytes:
    """The commands for a leg: the receipt as variables, then what happens to it.

    A parked leg stays so until `resume` and `exit`; in a synchronous one `resume` would leave it in
    reset for ever.
    """
    commands = _set(
        [
            (variable, value)
            for field, value in enumerate(decision)
            if value is not None
            for variable in _RECEIPT[field]
        ]
    )
    target = decision.redirect or ""
    if decision.action == "hangup":
        commands += _hangup(decision)
    elif decision.action == "redirect":
        if _is_uri(target):
            commands.append(_execute("redirect", target))
        else:
            if "/" in target:
                commands.append(_execute("set", f"{BRIDGE}={target}"))
                target = BRIDGE
            commands.append(_execute("transfer", target))
            if mode == "parked":
                return b"".join(commands)  # the transfer itself ends the park
    return _let_go(commands, mode)


def acknowledgement(blocked: Blocked, mode: Mode) -> bytes:
    """The commands for a leg of the flow `block`: what became of the number, as variables."""
    variables = {
        "callsieve_action": "continue",
        "callsieve_status": blocked.status,
        "callsieve_number": blocked.number,
        "callsieve_list": blocked.list,
        "callsieve_reason": blocked.reason,
    }
    told = [(name, value) for name, value in variables.items() if value is not None]
    return _let_go(_set(told), mode)


def known(decision: Decision) -> dict[str, str | int]:
    """The fields of a decision that say something, by name: for the log and for events."""
    return {_FIELDS[field]: value for field, value in enumerate(decision) if value is not None}


def _let_go(commands: list[bytes], mode: Mode) -> bytes:
    return b"".join([*commands, _RESUME, _EXIT] if mode == "parked" else [*commands, _EXIT])


def _hangup(decision: Decision) -> list[bytes]:
    if decision.response is None:
        return [_hang_up(decision.cause or "")]
    commands = []
    if decision.call_info is not None:
        header = f"sip_rh_Call-Info={call_info_value(decision.call_info)}"
        commands.append(_execute("set", header))
    commands.append(_execute("respond", f"{decision.response} {phrase(decision.response)}"))
    return commands


def _is_uri(target: str) -> bool:
    return target.startswith(("sip:", "sips:"))


def _set(variables: Sequence[tuple[str, str | int]]) -> list[bytes]:
    pairs = [_ANSWERED]
    pairs += [f"{name}={value}" for name, value in variables]
    joined = "|".join(pairs)
    if (
        len(joined) <= MAX_VALUE_CHARACTERS
        and is_plain(joined)
        and joined.count("|") == len(pairs) - 1
        and "'" not in joined
        and "^" not in joined
        and "= " not in joined
        and " |" not in joined
        and not joined.endswith(" ")
    ):  # nearly always, so it is worth one look instead of one at each value
        return [execute("multiset", f"^^|{joined}")]
    together = [_ANSWERED]
    alone = []
    for name, value in variables:
        text = plain_text(str(value))
        if _AWKWARD.search(text) or text != text.strip():
            alone.append(execute("set", f"{name}={text}"))
        else:
            together.append(f"{name}={text}")
    return [execute("multiset", "^^|" + "|".join(together)), *alone]
