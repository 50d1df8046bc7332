"""Measures what a leg's decision takes, against a built tree of another revision."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

LEGS = 20_000  # of each kind
TOGETHER = 500
WARM_UPS = 2
TARGET = 1.05

RULES = """
default_region = "PL"
[[forwarding]]
list = "Default"
called = ["+48221234567"]
action = "hangup"
except = ["VIP"]
[[forwarding]]
list = "Nuisance"
action = "redirect"
redirect = "1000"
[campaign."Spring sale"]
lists = ["Default", "Opt-outs"]
[queue."Infoline"]
callback_lists = ["No callbacks"]
[route."Poland"]
present_from = "Our numbers"
"""
NATIONAL, INTERNATIONAL, BARE = "6{:08}", "+486{:08}", "486{:08}"
KINDS = {
    "inbound, on no list": ("inbound", INTERNATIONAL, {}),
    "inbound, national": ("inbound", NATIONAL, {}),
    "campaign, international": ("outbound", INTERNATIONAL, {"campaign": "Spring sale"}),
    "campaign, national": ("outbound", NATIONAL, {"campaign": "Spring sale"}),
    "campaign, without +": ("outbound", BARE, {"campaign": "Spring sale"}),
    "campaign and route": ("outbound", NATIONAL, {"campaign": "Spring sale", "route": "Poland"}),
    "callback": ("callback", NATIONAL, {"queue": "Infoline"}),
}


def _legs(channel_data: Any, flow: str, spelling: str, named: dict[str, str]) -> Iterator[Any]:
    for number in range(LEGS):
        text = spelling.format(number * 7919 % 10**8)
        caller, called = ("1000", text) if flow != "inbound" else (text, "+48221234567")
        yield channel_data(
            flow=flow, caller_number=caller, from_user=caller, called_number=called, **named
        )


def measure() -> dict[str, float]:
    """Processor nanoseconds a leg, by kind, of the revision that is imported here."""
    from callsieve.screener import Screener
    from esl_service.channel_data import ChannelData
    from lookup_core import Catalog

    taken = {}
    with tempfile.TemporaryDirectory() as directory:
        publisher = Catalog(Path(directory), create=True)
        for name in ("Default", "VIP", "Nuisance", "Opt-outs", "No callbacks", "Our numbers"):
            publisher.publish(name, [f"+4822{number:07}" for number in range(1000)])
        publisher.publish_document("rules", RULES)
        screener = Screener(Catalog(Path(directory)), print)
        made = {kind: list(_legs(ChannelData, *KINDS[kind])) for kind in KINDS}
        for _ in range(WARM_UPS):
            for legs in made.values():
                for channel in legs:
                    screener.screen(channel)
        for kind, legs in made.items():
            samples = []
            for at in range(0, len(legs), TOGETHER):
                some = legs[at : at + TOGETHER]
                started = time.process_time_ns()
                for channel in some:
                    screener.screen(channel)
                samples.append((time.process_time_ns() - started) / len(some))
            taken[kind] = median(samples)
    return taken


def main(other: Path, rounds: int) -> int:
    """Ours and the other's in turn, each in a process of its own; a line for each kind of leg."""
    trees = {"ours": Path(__file__).parent.parent, "theirs": other}
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in trees}
    for _ in range(rounds):
        for name, tree in trees.items():
            command = [sys.executable, str(Path(__file__).resolve()), "--measure"]
            environment = {**os.environ, "PYTHONPATH": str(tree)}
            found = subprocess.run(
                command, cwd=tree, env=environment, check=True, stdout=subprocess.PIPE
            )
            samples[name].append(json.loads(found.stdout))
    missed = False
    for kind in KINDS:
        ours, theirs = (median(one[kind] for one in samples[name]) for name in trees)
        ratio = ours / theirs
        missed |= ratio > TARGET
        print(f"{kind:<28}{ours:>8.0f} ns {theirs:>8.0f} ns {ratio:>6.2f}  <= {TARGET}")
    return 1 if missed else 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--measure"]:
        print(json.dumps(measure()))
    elif len(sys.argv) in (2, 3):
        sys.exit(main(Path(sys.argv[1]).resolve(), int((sys.argv[2:] or ["9"])[0])))
    else:
        sys.exit("usage: python bench/decisions.py BUILT_TREE_OF_THE_OTHER_REVISION [ROUNDS]")
