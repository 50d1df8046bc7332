"""Every flow and outcome through a real Kamailio, with SIPp as the callers and as the switch.

The calls and what must come of them are in ``sipp/calls.csv``; both sample configurations play all
of them.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.freeswitch import free_port
from tests.support.kamailio import CONFIGURATIONS, Kamailio
from tests.support.service import run
from tests.support.sipp import SCENARIOS, Caller, Load, join, read_calls, switch

STORE = SCENARIOS / "store"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    store = tmp_path / "store"
    shutil.copytree(STORE, store)
    published = run("reload", store=store)
    assert published.returncode == 0, published.stderr
    return store


@pytest.fixture(params=CONFIGURATIONS)
def kamailio(request: pytest.FixtureRequest, tmp_path: Path, store: Path) -> Iterator[Kamailio]:
    place = tmp_path / "kamailio"
    place.mkdir()
    with Kamailio(place, store, free_port()).running(request.param) as running:
        yield running


def test_every_flow_and_outcome(kamailio: Kamailio, tmp_path: Path) -> None:
    calls = read_calls(SCENARIOS / "calls.csv")
    sources = sorted({call.source for call in calls})
    with switch(tmp_path, kamailio.switch_port) as behind:
        players = []
        for source in sources:
            mine = [call for call in calls if call.source == source]
            players.append(Caller(tmp_path, kamailio.port, mine, Load(len(mine))))
        played = [player.finish() for player in players]
        arrived = behind.stop()
    seen = {}
    for one in played:
        assert one.returncode == 0, one.output
        seen.update({call_id: call for call_id, call in one.calls.items()})
    join(seen, arrived)
    by_case = {call.case: call for call in seen.values()}
    assert by_case.keys() == {call.case for call in calls}
    for call in calls:
        found = by_case[call.case]
        # Which of the two numbers is presented is drawn.
        facts = {
            name: re.sub(r"\+4822111000[12]", "+4822111000N", found.facts.get(name, ""))
            for name in call.expected
        }
        assert (found.reply, facts) == (call.reply, dict(call.expected)), call.case
        goes_on = "arrives" in call.expected
        assert ("arrives" in found.facts) == goes_on, call.case
    assert len([line for line in arrived if line[0] == "arrived"]) == sum(
        "arrives" in call.expected for call in calls
    )
