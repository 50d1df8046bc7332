"""Puts the Kamailio plugin together; a script that app_python3 loads calls this.

import KSR
from callsieve.kamailio import plugin

def mod_init():
    return plugin(KSR, "csv:/var/lib/callsieve", "/run/callsieve")
"""

from __future__ import annotations

import gc
import os

from callsieve.figures import FIGURES
from callsieve.screener import Screener
from kamailio_plugin.kemi import Kemi
from kamailio_plugin.plugin import Measures, Plugin
from kamailio_plugin.request import Request
from loader.store import open_store
from lookup_core import Catalog


class _NotCounted:
    def decided(self, _flow: str, _action: str, _seconds: float) -> None:
        """No figures are asked for."""

    def failed(self, _kind: str) -> None:
        """No figures are asked for."""


def plugin(ksr: Kemi, store: str, figures: str | None = None) -> Plugin:
    """The object to return from the script's `mod_init`.

    ksr: the module KSR. store: as for --store; what it has published is read, nothing is written.
    figures: the directory of `callsieve serve --figures`, whose /metrics then counts these calls
    too; it has to be writable. None: nothing is counted.
    """

    def opened() -> Screener:
        catalog = Catalog(open_store(store).catalog_directory)
        screener = Screener(catalog, lambda problem: ksr.err(f"callsieve: {problem[:1000]!r}\n"))
        # Numbering plans are loaded when they are first needed: here, once for all workers.
        screener.screen(Request("inbound", "1000", "+48221234567", ""))
        return screener

    made = Plugin(ksr, opened, _measures(figures))
    # What is here now stays. Looking through it again would copy the pages the workers share.
    gc.freeze()
    return made


def _measures(figures: str | None) -> Measures:
    if figures is None:
        return _NotCounted()
    os.environ[FIGURES] = figures
    # Imported here: that decides where the figures go. Each worker has a file of its own there.
    from prometheus_client import REGISTRY

    from esl_service.metrics import LegMetrics

    return LegMetrics(REGISTRY)
