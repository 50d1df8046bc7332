"""A short run of what `make fuzz` does for long."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.transcripts import DIRECTORY

ROOT = Path(__file__).parents[2]
RUNS = 20_000


@pytest.mark.timeout(600)
def test_any_bytes_give_a_decision_a_protocol_error_or_an_end(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for transcript in DIRECTORY.glob("*.bin"):
        shutil.copy(transcript, corpus)
    fuzzed = subprocess.run(
        [
            sys.executable,
            str(Path(__file__).with_name("fuzz_conversation.py")),
            *(f"-runs={RUNS}", "-max_len=20000", "-timeout=10", "-rss_limit_mb=1024", "-seed=1"),
            *(f"-artifact_prefix={tmp_path}/", str(corpus)),
        ],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert fuzzed.returncode == 0, fuzzed.stderr[-5000:]
    assert f"Done {RUNS} runs" in fuzzed.stderr
