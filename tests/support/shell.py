"""Runs Callsieve's commands in this process, as an operator would."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from callsieve.cli import main
from loader.csv_store import CsvStore
from lookup_core import Catalog, PublishedList

HANGUP_RULES = """default_region = "PL"
[[forwarding]]
list = "Default"
action = "hangup"
except = ["VIP"]
"""


def hangup_shell(directory: Path) -> Shell:
    """On a new store with these rules and the list VIP."""
    shell = polish_shell(directory)
    shell.run("list", "create", "VIP")
    shell.write("callsieve.toml", HANGUP_RULES)
    shell.run("reload")
    return shell


def polish_shell(directory: Path) -> Shell:
    """On a new store in that directory, with `default_region = "PL"`."""
    shell = Shell(directory / "store")
    CsvStore(shell.directory, create=True)
    shell.write("callsieve.toml", 'default_region = "PL"\n')
    return shell


class Shell:
    """Runs commands on one store."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def run(
        self, *arguments: str, code: int | None = 0, given: str | bytes | None = None
    ) -> Result:
        """given: on standard input. code: None for any."""
        env = {"CALLSIEVE_STORE": f"csv:{self.directory}"}
        result = CliRunner().invoke(main, arguments, input=given, env=env)
        assert code is None or result.exit_code == code, result.output
        return result

    def published(self, name: str = "Default") -> PublishedList:
        found = Catalog(self.directory / "snapshots").current().lists[name]
        assert isinstance(found, PublishedList)
        return found

    def write(self, file: str, text: str) -> None:
        (self.directory / file).write_text(text)
