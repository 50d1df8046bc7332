"""`callsieve decide`: the decision for a leg without a socket, with everything that led to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from callsieve.leg_options import leg_options, read_leg
from callsieve.receipt import receipt_lines
from callsieve.screener import Explained, Screener
from callsieve.stores import opened, store_option, warn
from esl_service.errors import UnanswerableLegError


@click.command()
@leg_options()
@store_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object with the decision's keys.")
@click.option("--explain", is_flag=True, help='With --json: add the key "explanation".')
def decide(url: str, as_json: bool, explain: bool, **leg: Any) -> None:
    """Say what would happen to a leg, and why.

    Decides from the published lists and rules, as a running service does.

    \b
    Example:
      callsieve decide --caller +48600100200 --called +48221234567
      callsieve decide --queue Infoline --called 605777888 --json --explain

    Exit code: 0 decided; 2 the leg cannot be asked about, such as one that is dialled without
    --called; 5 the store cannot be used.
    """
    channel = read_leg(**leg)
    if channel.named_flow != "inbound" and not channel.called_number.strip():
        raise click.UsageError("--called: expected the number that is dialled, found none")
    with opened(url) as place:
        if not place.has_rules:
            for problem in place.publish_all().problems:
                warn(problem)
        try:
            explained = Screener(place.catalog, warn).explain(channel)
        except UnanswerableLegError as error:
            raise click.UsageError(str(error)) from None
    decision = explained.decision.as_dict()
    if as_json:
        explanation = {
            "flow": explained.facts.flow,
            "callers": [party._asdict() for party in explained.facts.callers],
            "called": explained.facts.called._asdict(),
            "rules": [asdict(step) for step in explained.steps],
        }
        extra = {"explanation": explanation} if explain else {}
        click.echo(json.dumps({**decision, **extra}))
        return
    for line in receipt_lines(decision):
        click.echo(line)
    for line in _explanation(explained):
        click.echo(line)


def _explanation(explained: Explained) -> Iterator[str]:
    yield ""
    yield "How the numbers were read:"
    parties = [*explained.facts.callers, explained.facts.called]
    width = max(len(party.source) for party in parties)
    for party in parties:
        # repr() shows control characters and quotes for what they are.
        number = party.number or "unreadable"
        yield f"  {party.source:<{width}}  {party.original!r} is {number}: {party.how}"
    yield ""
    yield f"Rules of the flow {explained.facts.flow}:"
    if not explained.steps:
        yield "  none applies"
    width = max((len(step.rule) for step in explained.steps), default=0)
    for step in explained.steps:
        yield f"  {step.rule:<{width}}  {step.outcome}: {step.why}"
