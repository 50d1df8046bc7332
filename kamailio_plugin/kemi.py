"""The part of Kamailio's KEMI interface that is used here, as app_python3 gives it to Python."""

from __future__ import annotations

from typing import Protocol


class PseudoVariables(Protocol):
    def gete(self, name: str, /) -> str:
        """The text of a pseudo-variable, empty for null. Raises UnicodeDecodeError."""


class Xavps(Protocol):
    def xavp_rm(self, name: str, /) -> int: ...
    def xavp_child_sets(self, name: str, child: str, text: str, /) -> int: ...
    def xavp_child_seti(self, name: str, child: str, number: int, /) -> int: ...


class Kemi(Protocol):
    """The built-in module KSR. Its functions act on the request that Kamailio is processing."""

    @property
    def pv(self) -> PseudoVariables: ...
    @property
    def pvx(self) -> Xavps: ...
    def err(self, text: str, /) -> object: ...
    def info(self, text: str, /) -> object: ...
