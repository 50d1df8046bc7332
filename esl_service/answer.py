"""A decision as the commands that FreeSWITCH is sent: all of them in one write."""

from __future__ import annotations

import re
from functools import lru_cache

from esl_service.codec import encode_message, execute, plain_text
from screening import Decision

_RESUME = encode_message((), "resume")
_EXIT = encode_message((), "exit")

# multiset takes quotes, backslashes and the delimiter for its own.
_AWKWARD = re.compile(r"['\\|^]")

# What rules say comes again and again.
_execute = lru_cache(maxsize=1000)(execute)


def answer(decision: Decision, parks: bool) -> bytes:
    """The commands for a leg: the receipt as variables, then what happens to it.

    parks: the socket is asynchronous (`ChannelData.parks`). Such a leg sits parked until `resume`
    and `exit`; in a synchronous one `resume` would leave it in reset for ever.
    """
    commands = [*_set(_variables(decision))]
    if decision.action == "hangup":
        commands.append(_execute("hangup", decision.cause or ""))
    elif decision.action == "redirect":
        commands.append(_redirect(decision.redirect or ""))
        if parks and not _is_uri(decision.redirect or ""):
            return b"".join(commands)  # the transfer itself ends the park
    if parks:
        commands.append(_RESUME)
    commands.append(_EXIT)
    return b"".join(commands)


def _redirect(target: str) -> bytes:
    """A SIP URI is answered with 302, anything else is an extension of the leg's own dialplan."""
    return _execute("redirect" if _is_uri(target) else "transfer", target)


def _is_uri(target: str) -> bool:
    return target.startswith(("sip:", "sips:"))


def _variables(decision: Decision) -> dict[str, str | int | None]:
    return {
        "callsieve_action": decision.action,
        "callsieve_status": decision.status,
        "callsieve_list": decision.list,
        "callsieve_entry": decision.entry,
        "callsieve_number": decision.number,
        "callsieve_rule": decision.rule,
        "callsieve_generation": decision.generation,
        "callsieve_reason": decision.reason,
        "effective_caller_id_number": decision.presentation_number,
        "origination_caller_id_number": decision.presentation_number,
    }


def _set(variables: dict[str, str | int | None]) -> list[bytes]:
    together = []
    alone = []
    for name, value in variables.items():
        if value is None:
            continue
        text = plain_text(str(value))
        if _AWKWARD.search(text) or text != text.strip():
            alone.append(execute("set", f"{name}={text}"))
        else:
            together.append(f"{name}={text}")
    return [execute("multiset", "^^|" + "|".join(together)), *alone]
