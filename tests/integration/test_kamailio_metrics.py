"""Kamailio's workers are counted where the service's are: one /metrics for both."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.integration.test_kamailio import LISTED, STORE, UNLISTED, Peer, busy_switch
from tests.integration.test_monitoring import Monitored
from tests.support.freeswitch import free_port
from tests.support.kamailio import Kamailio
from tests.support.service import running


def test_calls_in_kamailio_are_counted_beside_the_services_legs(tmp_path: Path) -> None:
    store = tmp_path / "store"
    shutil.copytree(STORE, store)
    figures = tmp_path / "figures"
    place = tmp_path / "kamailio"
    place.mkdir()
    kamailio = Kamailio(place, store, free_port())
    script = kamailio.conf / "callsieve_screen.py"
    text = script.read_text("utf-8")
    assert "\nFIGURES = None\n" in text
    script.write_text(text.replace("FIGURES = None", f'FIGURES = "{figures}"'), "utf-8")
    options = ("--metrics", "127.0.0.1:0", "--figures", str(figures))
    with running(store, *options) as service:
        monitored = Monitored(service)
        with kamailio.running(), busy_switch(kamailio):
            for sender, status in ((LISTED, 603), (UNLISTED, 486)) * 10:
                with Peer(kamailio.port) as peer:
                    assert peer.ask(sender).status == status
            service.probe("--caller", "+48600100200", "--called", "+48221000001")
            found = monitored.figures()
    assert found["callsieve_legs_total", "hangup", "inbound"] == 11
    assert found["callsieve_legs_total", "continue", "inbound"] == 10
    assert found["callsieve_decision_seconds_count",] == 21
    assert figures.is_dir(), "a directory that was named is not the service's to remove"
