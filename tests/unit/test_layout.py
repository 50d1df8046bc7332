"""Imports go downwards only, and the pure part stays pure."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
MAY_IMPORT = {
    "callsieve": {"esl_service", "kamailio_plugin", "loader", "lookup_core", "screening"},
    "esl_service": {"screening"},
    "kamailio_plugin": {"screening"},
    "loader": {"lookup_core"},
    "screening": set(),
    "lookup_core": set(),
}


def imported(source: Path) -> Iterator[str]:
    """Top-level names that a module imports; in .pyx files, a line at a time."""
    if source.suffix == ".py":
        for node in ast.walk(ast.parse(source.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{source}: a relative import"
                yield str(node.module).partition(".")[0]
        return
    for line in source.read_text("utf-8").splitlines():
        words = line.split()
        if words[:1] in (["from"], ["import"], ["cimport"]):
            yield words[1].partition(".")[0]


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_go_downwards(package: str) -> None:
    sources = [*(ROOT / package).glob("*.py"), *(ROOT / package).glob("*.pyx")]
    assert sources
    for source in sources:
        found = set(imported(source)) & set(MAY_IMPORT)
        assert found <= MAY_IMPORT[package] | {package}, source


def test_screening_pulls_in_nothing_compiled() -> None:
    code = """
import sys
before = set(sys.modules)
import screening
new = {name: sys.modules[name] for name in set(sys.modules) - before}
compiled = [n for n, m in new.items() if str(getattr(m, "__file__", "")).endswith(".so")]
ours = [n for n in compiled if "lib-dynload" not in sys.modules[n].__file__]
assert "gevent" not in new and not ours, (ours, "gevent" in new)
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
