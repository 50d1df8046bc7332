"""Kamailio's module KSR for a request of which only these pseudo-variables are not null."""

from __future__ import annotations

from collections.abc import Mapping


class FakeKemi:
    """What the plugin asks of Kamailio. An error that it logs is one of the test."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = variables
        self.pv = self
        self.pvx = self

    def gete(self, name: str, /) -> str:
        return self._variables.get(name, "")

    def xavp_rm(self, _name: str, /) -> int:
        return 1

    def xavp_child_sets(self, _name: str, _child: str, _text: str, /) -> int:
        return 1

    def xavp_child_seti(self, _name: str, _child: str, _number: int, /) -> int:
        return 1

    def err(self, text: str, /) -> object:
        raise AssertionError(text)

    def info(self, _text: str, /) -> object:
        return None
