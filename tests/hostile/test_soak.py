"""A short run of what `make soak` does with a million legs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(300)
def test_legs_among_changes_and_failures_are_answered_as_the_model_says() -> None:
    soaked = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("soak.py")), "40000"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert soaked.returncode == 0, soaked.stdout + soaked.stderr
    assert soaked.stdout.endswith("\n0 wrong\n")
    csv, redis = soaked.stdout.split("Redis store: ")
    assert csv.startswith("CSV store: ")
    assert "changes" in csv
    assert "changes" in redis
    assert "Redis restarts" in redis
