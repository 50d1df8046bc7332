"""An import on a terminal: its progress, and Ctrl-C in the middle."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from loader.csv_store import CsvStore
from loader.store import Entry
from tests.support.logged_lists import by_the_log, in_the_lists

ROWS = 300_000


def slow_file(directory: Path) -> Path:
    """Rows in quotes: read in Python, so that there is time to interrupt."""
    file = directory / "numbers.csv"
    with file.open("w") as out:
        for number in range(ROWS):
            out.write(f'"+48{600_000_000 + number}","2026-01-02","a note"\n')
    return file


def command(store: CsvStore, file: Path) -> list[str]:
    return [sys.executable, "-m", "callsieve", "import", "Default", str(file), "--store", store.url]


@contextmanager
def importing(store: CsvStore, file: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """An import that has said on its terminal how far it is; and the terminal."""
    terminal, end = pty.openpty()
    with subprocess.Popen(command(store, file), stdout=subprocess.PIPE, stderr=end) as process:
        os.close(end)
        told = b""
        while told.count(b"MB/s") < 2:
            told += os.read(terminal, 4096)
        assert b"%" in told
        assert b"numbers.csv" in told
        yield process, terminal
        process.wait(timeout=60)
    os.close(terminal)


def test_ctrl_c_leaves_the_list_as_it_was(tmp_path: Path) -> None:
    store = CsvStore(tmp_path / "store", create=True)
    store.add("Default", Entry("+48600100200"), "PL")
    before = in_the_lists(store)
    with importing(store, slow_file(tmp_path)) as (process, terminal):
        process.send_signal(signal.SIGINT)
        rest = b""
        with suppress(OSError):  # the other end is closed: the process has ended
            while True:
                rest += os.read(terminal, 4096)
    assert process.returncode == 130
    assert b"error: interrupted: nothing was changed" in rest
    assert in_the_lists(store) == before == by_the_log(store)
    assert [path.name for path in tmp_path.iterdir() if "rejects" in path.name] == []
    nothing_is_left(store)


def test_a_killed_import_changes_nothing_and_the_next_one_does(tmp_path: Path) -> None:
    store = CsvStore(tmp_path / "store", create=True)
    store.add("Default", Entry("+48600100200"), "PL")
    before = in_the_lists(store)
    file = slow_file(tmp_path)
    with importing(store, file) as (process, _):
        process.kill()
    store = CsvStore(store.directory)
    assert in_the_lists(store) == before == by_the_log(store)
    file.write_text("+48600100201\n")
    subprocess.run(command(store, file), capture_output=True, check=True, timeout=60)
    assert set(in_the_lists(store)["Default"]) == {"+48600100200", "+48600100201"}
    nothing_is_left(store)


def nothing_is_left(store: CsvStore) -> None:
    left = [path.name for path in (store.directory / "lists").iterdir()]
    assert sorted(left) == [".Default.csv.lock", "Default.csv"]


def test_a_pipe_gets_no_progress(tmp_path: Path) -> None:
    store = CsvStore(tmp_path / "store", create=True)
    file = tmp_path / "numbers.csv"
    file.write_text("+48600100200\n")
    done = subprocess.run(command(store, file), capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    assert len(done.stdout.splitlines()) == 5  # two of them the first rows
