"""`callsieve status`: what is published on this machine, and how it is with the store."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

import click

from callsieve import list_output as output
from callsieve.command_help import epilog
from callsieve.enforcement import settled_workers, worker_state, workers_without
from callsieve.stores import Place, StoreHealth, json_option, opened, store_option, utc_now, warn
from loader.held_back import RULES, found_held_back, is_current, of_list
from loader.publishing import RULES_DOCUMENT, in_force, too_old
from loader.reading_version import reading_version
from loader.store import escaped
from lookup_core import PublishedList, UnavailableList, View

NOT_WELL = 1
_KEPT = ("as_of", "stale_after", "rolled_back", "region", "reading")


@click.command(
    "status",
    epilog=epilog(
        "callsieve status\ncallsieve status --json",
        exit0="all is well",
        exit1="something is not: the warnings on standard error say what",
    ),
)
@store_option
@json_option
def status(url: str, as_json: bool) -> None:
    """Show each list as it is published here: source, entries, rejects (rows that could not be
    read), generation, age, bytes. Then who has it: each worker of `callsieve serve` on this
    machine, by the publications that it has. And the store: whether it can be reached, and for
    Redis how far this node and the others have followed its changes.

    Legs are decided from what is published, also while the store cannot be reached.
    """
    with opened(url) as place:
        health = place.health()
        view = place.catalog.current()
        # A store that does not answer is not asked twice: each time takes seconds.
        known = place.store.list_names() if health.behind is not None else ()
        lists = list(_lists(place, known, view))
        problems = [*health.problems, *view.problems]
        problems += [f"{row['list']}: {row['problem']}" for row in lists if row["problem"]]
        workers = settled_workers(place.catalog, view.sequence)
        problems += workers_without(workers, view.sequence)
        rules = view.documents.get(RULES_DOCUMENT)
        rules_held_back = found_held_back(view, RULES)
        if rules is None:
            problems.append("no rules are in force: run callsieve reload")
        if rules_held_back:
            problems.append(f"rules: {rules_held_back.problem}")
        problems += nodes_reading_otherwise(health.nodes)
        if as_json:
            store: dict[str, Any] = {"url": url, **_health_json(health)}
            output.print_json(
                {
                    "store": store,
                    "publication": view.sequence,
                    "lists": lists,
                    "workers": [asdict(worker) for worker in workers],
                    "rules": {
                        "generation": rules.generation if rules else None,
                        "held_back": rules_held_back.problem if rules_held_back else None,
                    },
                    "reading": reading_version(),
                    "problems": problems,
                }
            )
        else:
            _print(url, health, lists, rules.generation if rules else None)
            for worker in workers:
                state = escaped(worker_state(worker, view.sequence), 1000)
                click.echo(f"worker {worker.pid}: {state}")
            _print_nodes(health)
        for problem in dict.fromkeys(problems):
            warn(problem)
        sys.exit(NOT_WELL if problems or health.state not in ("ready", "following") else 0)


def _lists(place: Place, known: Iterable[str], view: View) -> Iterator[dict[str, Any]]:
    now = utc_now()
    for name in sorted({*known, *view.lists}):
        found = view.lists.get(name)
        row: dict[str, Any] = dict.fromkeys(
            (
                "entries",
                "rejects",
                "generation",
                "published_at",
                "age_seconds",
                "bytes",
                "as_of",
                "stale_after",
                "rolled_back",
                "region",
                "reading",
                "held_back",
                "problem",
            )
        )
        held = found_held_back(view, of_list(name))
        if isinstance(found, PublishedList):
            moment = found.info.get("published_at")
            row |= {
                "entries": in_force(found, now),
                "rejects": found.info.get("rejects"),
                "published_at": moment,
                "bytes": found.snapshot.nbytes,
                **{key: found.info.get(key) for key in _KEPT},
            }
            if held and not (name in known and is_current(place.store, place.catalog, name)):
                row["held_back"] = held.problem
            if isinstance(moment, str):
                age = now - datetime.datetime.fromisoformat(moment)
                row["age_seconds"] = round(age.total_seconds(), 1)
            problems = [too_old(found, now)]
            if rejects := found.info.get("rejects"):
                problems.append(
                    f"{output.counted(int(str(rejects)), 'row', 'rows')} cannot be read"
                )
            if row["held_back"]:
                problems.append(f"not in force as the store has it: {row['held_back']}")
            if row["reading"] not in (None, reading_version()):
                problems.append(
                    f"its numbers were read by {row['reading']}; run callsieve reload to read them"
                    f" by {reading_version()}"
                )
            if place.is_shared and row["rolled_back"]:
                problems.append("rolled back on this node only, other nodes have another list")
            row["problem"] = "; ".join(filter(None, problems)) or None
        elif isinstance(found, UnavailableList):
            row["problem"] = f"the snapshot cannot be used: {found.reason}"
        else:
            row["problem"] = "not published yet; run callsieve reload"
        row["generation"] = found.generation if found else None
        yield {"list": name, "source": place.store.source(name), **row}


def nodes_reading_otherwise(nodes: Iterable[dict[str, Any]]) -> Iterator[str]:
    """A sentence for each node that reads numbers by other versions than this machine."""
    for node in nodes:
        if node["reading"] not in ("", reading_version()):
            yield (
                f"node {escaped(node['node'], 100)} reads numbers by"
                f" {escaped(node['reading'], 200)}, this one by {reading_version()}"
            )


def _health_json(health: StoreHealth) -> dict[str, Any]:
    return {
        "state": health.state,
        "heard": health.heard or None,
        "changes_behind": health.behind,
        "nodes": list(health.nodes),
    }


def _print(url: str, health: StoreHealth, lists: list[dict[str, Any]], rules: int | None) -> None:
    line = f"store {url}: {health.state}"
    if health.heard:
        moment = datetime.datetime.fromisoformat(health.heard)
        line += f", last heard {_age((utc_now() - moment).total_seconds())} ago"
    if health.behind:
        line += f", {health.behind} changes behind"
    click.echo(line)
    columns = ("list", "entries", "rejects", "generation", "age", "bytes", "source")
    rows = []
    for row in lists:
        age = row["age_seconds"]
        shown = row | {"age": None if age is None else _age(age)}
        shown["source"] = escaped(row["source"])
        rows.append(["-" if shown[column] is None else str(shown[column]) for column in columns])
    output.print_table(columns, rows, numeric=(1, 2, 3, 4, 5))
    for row in lists:
        if row["region"]:
            click.echo(f"{row['list']}: national numbers are read in {row['region']}")
        if back := row["rolled_back"]:
            who = escaped(back["who"], 100)
            reason = f" ({escaped(back['reason'])})" if back["reason"] else ""
            click.echo(
                f"{row['list']}: rolled back by {who} at {back['at'][:19]}Z{reason};"
                " callsieve reload returns to the store's rows"
            )
    click.echo(f"rules: generation {rules if rules is not None else '-'}")
    click.echo(f"numbers are read by {reading_version()}")


def _print_nodes(health: StoreHealth) -> None:
    for node in health.nodes:
        seen = (utc_now() - datetime.datetime.fromisoformat(node["at"])).total_seconds()
        failed = "".join(f", could not publish {escaped(name)}" for name in node["failed_lists"])
        name = escaped(node["node"], 100)
        click.echo(f"node {name}: change {node['change']}, {_age(seen)} ago{failed}")


def _age(seconds: float) -> str:
    """`3 s`, `12 min`, `5 h`, `9 d`"""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
