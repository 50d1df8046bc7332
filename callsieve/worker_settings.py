"""What the supervisor tells a worker: plain values, sent as one line of JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from callsieve.addresses import Address


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """url: of the store. control: FreeSWITCH's event socket. block_seconds: what a number from a
    phone may take to be on its list. The rest: `esl_service.server.Limits`, with the networks as
    text."""

    url: str
    control: Address | None
    connections: int
    legs: int
    decision_seconds: float
    block_seconds: float
    allowed: tuple[str, ...]

    def to_json(self) -> bytes:
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def from_json(cls, line: bytes) -> WorkerSettings:
        return cls(**json.loads(line))
