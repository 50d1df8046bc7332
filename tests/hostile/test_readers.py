"""What processes say they have of a catalog: killed ones, half-written files, many at once."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lookup_core import Catalog, Reader, ReaderFile, readers

FOLLOW = """
import sys
from pathlib import Path
from lookup_core import Catalog, ReaderFile
catalog = Catalog(Path(sys.argv[1]))
file = ReaderFile(catalog)
file.write(catalog.current())
print("written", flush=True)
sys.stdin.read()
file.close()
"""
REWRITE = """
import sys
from dataclasses import replace
from pathlib import Path
from lookup_core import Catalog, ReaderFile
catalog = Catalog(Path(sys.argv[1]))
file = ReaderFile(catalog)
view = catalog.current()
at = 0
while True:
    at += 1
    problems = tuple(str(at % 10) * 500 for _ in range(at % 10))
    file.write(replace(view, sequence=at, problems=problems))
    if at == 1:
        print("written", flush=True)
"""


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    return Catalog(tmp_path / "lists", create=True)


def child(catalog: Catalog, code: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(catalog.directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"written\n"
    return process


def files(catalog: Catalog) -> list[Path]:
    return list((catalog.directory / "readers").iterdir())


def test_each_says_what_it_has(catalog: Catalog) -> None:
    assert readers(catalog) == []
    file = ReaderFile(catalog)
    assert readers(catalog) == [Reader(os.getpid(), -1)]
    assert not readers(catalog)[0].has(0)
    file.write(catalog.current())
    assert readers(catalog) == [Reader(os.getpid(), 0)]
    catalog.publish("Default", ["112"])
    assert not readers(catalog)[0].has(1)
    file.write(replace(catalog.current(), problems=("cannot be opened",)))
    assert readers(catalog) == [Reader(os.getpid(), 1, ("cannot be opened",))]
    assert not readers(catalog)[0].has(1)
    file.write(catalog.current())
    assert readers(catalog)[0].has(1)
    file.close()
    assert readers(catalog) == []
    assert files(catalog) == []


@pytest.mark.parametrize("killed", [False, True])
def test_one_that_is_gone_is_not_shown_and_its_file_deleted(catalog: Catalog, killed: bool) -> None:
    with child(catalog, FOLLOW) as process:
        assert [reader.pid for reader in readers(catalog)] == [process.pid]
        if killed:
            process.kill()
        process.communicate()
    assert len(files(catalog)) == int(killed)
    assert readers(catalog) == []
    assert files(catalog) == []


def test_a_new_one_clears_what_killed_ones_left(catalog: Catalog) -> None:
    with child(catalog, FOLLOW) as process:
        process.kill()
        process.communicate()
    file = ReaderFile(catalog)
    assert len(files(catalog)) == 1
    file.close()


def test_a_publication_leaves_the_files_alone(catalog: Catalog) -> None:
    file = ReaderFile(catalog)
    file.write(catalog.current())
    for _ in range(3):
        catalog.publish("Default", ["112"])
    assert readers(catalog) == [Reader(os.getpid(), 0)]
    file.close()


def test_a_half_written_file_is_not_taken_for_an_answer(catalog: Catalog) -> None:
    with child(catalog, REWRITE) as process:
        try:
            seen = [readers(catalog)[0]]
            while len({reader.sequence for reader in seen}) < 100 or len(seen) < 3000:
                seen.append(readers(catalog)[0])
        finally:
            process.kill()
    known = [reader for reader in seen if reader.sequence >= 0]
    assert known
    for reader in known:
        kind = reader.sequence % 10
        assert reader.problems == (str(kind) * 500,) * kind
    assert [reader.sequence for reader in known] == sorted(reader.sequence for reader in known)


def test_what_is_no_answer_is_cleared_away(catalog: Catalog) -> None:
    ReaderFile(catalog).close()
    (catalog.directory / "readers" / "12-ab").write_bytes(b"\xff" * 100)
    (catalog.directory / "readers" / "x").write_bytes(b"")
    assert readers(catalog) == []
    assert files(catalog) == []
