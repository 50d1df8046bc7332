"""The object that Kamailio calls: it screens the request in hand and sets $xavp(callsieve=>...).

Nothing that goes wrong here reaches Kamailio: a request that cannot be screened gets what its
flow's fail policy says, and is counted. There is no thread; a worker looks at the catalog's counter
whenever it screens, and so follows every change.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Protocol

from kamailio_plugin.kemi import Kemi
from kamailio_plugin.request import Request, call_id, named_flow, read_request
from kamailio_plugin.variables import variables
from screening import FLOWS, CallFacts, Decision, Flow, Party, Rules, undecided

RETRY_SECONDS = 1.0
"""How soon a store that could not be opened is tried again."""


class Screening(Protocol):
    """Who decides."""

    @property
    def rules(self) -> Rules: ...
    def trusts(self, address: str, /) -> bool: ...
    def screen(self, leg: Request, /) -> Decision: ...


class Measures(Protocol):
    """Who counts."""

    def decided(self, flow: str, action: str, seconds: float, /) -> None: ...
    def failed(self, kind: str, /) -> None: ...


class Plugin:
    """What `mod_init` of the script returns; one for all workers, which are forked from it.

    open_screening(): raises when the store cannot be used now; it is then tried again later.
    """

    def __init__(
        self, ksr: Kemi, open_screening: Callable[[], Screening], measures: Measures
    ) -> None:
        self._ksr = ksr
        self._open_screening = open_screening
        self._measures = measures
        self._screening: Screening | None = None
        self._retry_at = -math.inf
        self._closed_because = ""
        try:
            self._opened()
        except Exception as error:  # noqa: BLE001  # logged, and every request is counted
            ksr.err(f"callsieve: not screening yet: {_described(error)}\n")

    def child_init(self, _rank: int) -> int:
        """Kamailio's: called in every worker after the fork."""
        return 0

    def screen(self, _message: object = None, _parameter: object = None) -> int:
        """decide(), for python_exec("screen") in a native script. Returns 1, true there."""
        self.decide()
        return 1

    def decide(self) -> dict[str, str | int]:
        """Screen the request in hand. Never raises.

        In: $avp(callsieve_flow), $avp(callsieve_campaign) and so on. Out: $xavp(callsieve=>action)
        and so on, the same that is returned; what was there before is gone. Empty, and the action
        unset, when Python itself failed.
        """
        try:
            return self._decide()
        except Exception as error:  # noqa: BLE001  # logged and counted
            self._ksr.err(f"callsieve: no decision: {_described(error)}\n")
            self._measures.failed("no_decision")
            return {}

    def _decide(self) -> dict[str, str | int]:
        started = time.perf_counter()
        ksr = self._ksr
        ksr.pvx.xavp_rm("callsieve")
        try:
            screening = self._opened()
            request = read_request(ksr, screening.trusts)
            flow = request.named_flow
            decision = _done_here(screening.screen(request))
        except Exception as error:  # noqa: BLE001  # the fail policy is what it is for
            flow = named_flow(ksr)
            ksr.err(f"callsieve: not screened: {_described(error)}\n")
            self._measures.failed("not_screened")
            decision = self._failed(flow, type(error).__name__)
        values = variables(decision)
        self._set(values)
        if decision.action != "continue":
            self._log(flow, decision)
        label = flow if flow in FLOWS else "unknown"
        self._measures.decided(label, decision.action, time.perf_counter() - started)
        return values

    def _opened(self) -> Screening:
        if self._screening is None:
            now = time.monotonic()
            if now < self._retry_at:
                raise NotOpenError(self._closed_because)
            self._retry_at = now + RETRY_SECONDS
            try:
                self._screening = self._open_screening()
            except Exception as error:
                self._closed_because = _described(error)
                raise
        return self._screening

    def _failed(self, flow: str, why: str) -> Decision:
        """A flow that the script misspells fails closed: it may be a number that is not dialled."""
        rules = Rules() if self._screening is None else self._screening.rules
        known: Flow = next((name for name in FLOWS if name == flow), "outbound")
        nobody = Party("number", "", None, "not read", "unreadable")
        facts = CallFacts(flow=known, callers=(nobody,), called=nobody)
        return undecided(facts, rules, f"the request could not be screened ({why})")

    def _set(self, values: dict[str, str | int]) -> None:
        xavps = self._ksr.pvx
        for name, value in values.items():
            if isinstance(value, int):
                xavps.xavp_child_seti("callsieve", name, value)
            else:
                xavps.xavp_child_sets("callsieve", name, value)

    def _log(self, flow: str, decision: Decision) -> None:
        # JSON: what the caller chose (the Call-ID) is escaped.
        fields = {"flow": flow, **decision.as_dict(), "call_id": call_id(self._ksr)}
        self._ksr.info(f"callsieve: {json.dumps(fields)}\n")


class UnsupportedRuleError(Exception):
    """A rule wants what only FreeSWITCH can do."""


def _done_here(decision: Decision) -> Decision:
    target = decision.redirect or ""
    if "/" in target and not target.startswith(("sip:", "sips:")):
        raise UnsupportedRuleError(f"{decision.rule}: a dial string, which only FreeSWITCH bridges")
    return decision


class NotOpenError(Exception):
    """The store could not be opened, and it is too soon to try again."""


def _described(error: Exception) -> str:
    """One line for the log: what and where."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = ""
    if trace is not None:
        code = trace.tb_frame.f_code
        where = f" ({code.co_filename}:{trace.tb_lineno})"
    return f"{type(error).__name__}: {str(error)[:300]!r}{where}"
