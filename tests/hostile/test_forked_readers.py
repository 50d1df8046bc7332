"""Readers in forked children and in threads, while lists are published, changed and folded."""

import subprocess
import sys
from pathlib import Path

from tests.support.forked_readers import CHILDREN

ROOT = Path(__file__).parents[2]


def test_every_view_is_whole_in_every_process_and_thread(tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "tests.support.forked_readers", tmp_path / "lists"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (found.returncode, found.stderr) == (0, "")
    saw = [int(line) for line in found.stdout.splitlines()]
    assert len(saw) == CHILDREN + 1
    assert all(count > 1 for count in saw), "all of them saw lists change"
