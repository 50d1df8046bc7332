"""HOST:PORT on the command line."""

from __future__ import annotations

import click

Address = tuple[str, int]


class _AddressType(click.ParamType[Address]):
    name = "HOST:PORT"

    def convert(
        self, value: str | Address, param: click.Parameter | None, ctx: click.Context | None
    ) -> Address:
        if isinstance(value, tuple):
            return value
        host, colon, port = value.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not colon or not host or not port.isdecimal() or int(port) > 65535:
            self.fail(f"expected HOST:PORT such as 127.0.0.1:8084, got {value!r}", param, ctx)
        return host, int(port)


ADDRESS = _AddressType()
