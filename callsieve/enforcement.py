"""Who has what was published: the workers of this machine, and the nodes of a Redis store."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from callsieve.stores import Place
from lookup_core import Catalog, Reader, readers

_LOOK_SECONDS = 0.02
# A worker looks several times in this while; one that has not got a publication after it is hung
# up, or cannot open a file.
NOTICED_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Waited:
    """having: how many have it. without: a sentence for each that has not."""

    having: int
    without: list[str]


def wait_for_all(place: Place, seconds: float) -> Waited:
    """Wait until all have what is published now, for at most so long.

    Raises StoreError, OSError.
    """
    sequence = place.catalog.current().sequence
    change = place.last_change()
    deadline = time.monotonic() + seconds
    while True:
        workers = readers(place.catalog)
        nodes = place.nodes(change)
        without = [*workers_without(workers, sequence), *(text for text in nodes if text)]
        if not without or time.monotonic() >= deadline:
            return Waited(len(workers) + len(nodes) - len(without), without)
        time.sleep(_LOOK_SECONDS)


def settled_workers(catalog: Catalog, sequence: int) -> list[Reader]:
    """The workers, once each had the time to notice the publication `sequence`."""
    deadline = time.monotonic() + NOTICED_SECONDS
    while True:
        workers = readers(catalog)
        if all(worker.has(sequence) for worker in workers) or time.monotonic() >= deadline:
            return workers
        time.sleep(_LOOK_SECONDS)


def workers_without(workers: Iterable[Reader], sequence: int) -> list[str]:
    """A sentence for each that has not everything up to there."""
    return [
        f"worker {worker.pid}: {worker_state(worker, sequence)}"
        for worker in workers
        if not worker.has(sequence)
    ]


def worker_state(worker: Reader, sequence: int) -> str:
    """Such as "publication 57", "publication 55, 2 behind"."""
    if worker.sequence < 0:
        return "has nothing yet"
    state = f"publication {worker.sequence}"
    if worker.sequence < sequence:
        state += f", {sequence - worker.sequence} behind"
    return "; ".join([state, *worker.problems])
