"""The table of registries: what it promises, and what the documents say of it."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import click
import phonenumbers
import pytest

from callsieve.registry_commands import attach
from loader.csv_store import CsvStore
from loader.registries import AREA_CODES, FORMATS, REGISTRIES, Registry, registry_named
from loader.store import BadValueError
from tests.support.shell import polish_shell

REFERENCE = (Path(__file__).parents[2] / "docs" / "reference.md").read_text("utf-8")
BY_NAME = pytest.mark.parametrize("registry", REGISTRIES, ids=FORMATS)


@BY_NAME
def test_the_reference_has_its_row(registry: Registry) -> None:
    age = f"{registry.max_age} days" if registry.max_age else "any"
    cells = (
        f"`{registry.name}`",
        registry.title,
        registry.region or "the store's",
        registry.row,
        age,
        registry.age_source,
        registry.form_source or "ours",
    )
    assert f"| {' | '.join(cells)} |\n" in REFERENCE


def test_the_command_takes_these_formats() -> None:
    (option,) = (p for p in attach.params if p.name == "file_format")
    assert isinstance(option.type, click.Choice)
    assert tuple(option.type.choices) == FORMATS
    assert len(set(FORMATS)) == len(FORMATS)
    with pytest.raises(BadValueError, match="expected one of ftc, crtc, tps"):
        registry_named("tpsx")


@BY_NAME
def test_its_age_is_the_default_and_a_longer_one_is_warned_of(
    registry: Registry, tmp_path: Path
) -> None:
    shell = polish_shell(tmp_path)
    row = "201,5550123"
    if registry.form != AREA_CODES:
        example = phonenumbers.example_number(registry.region or "PL")
        assert example is not None
        row = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.NATIONAL)
    day = datetime.date.today()
    if registry.ended:
        day = registry.ended - datetime.timedelta(days=1)
    file = tmp_path / "registry.txt"
    file.write_text(row + "\n")
    command = ["list", "attach", "Registry", "--format", registry.name, str(file)]
    dated = [*command, "--as-of", day.isoformat()]
    assert json.loads(shell.run(*dated, "--json").stdout)["max_age"] == registry.max_age
    longer = shell.run(*dated, "--max-age", "3650").output
    assert (f"{registry.name} allows {registry.max_age} days" in longer) == bool(registry.max_age)
    attached = CsvStore(shell.directory).attached("Registry")
    assert attached is not None
    assert attached.max_age == 3650
    if registry.ended:
        output = shell.run(*command, "--as-of", registry.ended.isoformat(), code=2).output
        assert f"expected a day before {registry.ended}" in output
