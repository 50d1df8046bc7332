"""That `make test` really runs the lookup core under the sanitizers, and its C by itself too."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.make_seeds import write_seeds

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "tools" / "sanitized"
FLAGS = subprocess.check_output([TOOL, "flags"], text=True, cwd=ROOT).split()


def sanitized(code: str) -> subprocess.CompletedProcess[str]:
    """What becomes of a Python program with the sanitizers in it."""
    return subprocess.run(
        [TOOL, "run", sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT
    )


def compiled(target: Path, *arguments: str | Path) -> Path:
    subprocess.run(["gcc", *FLAGS, "-I", ROOT, *arguments, "-o", target], check=True)
    return target


@pytest.mark.parametrize("module", ["packing", "snapshot", "snapshot_building"])
def test_the_core_is_compiled_with_them(module: str) -> None:
    found = sanitized(f"import lookup_core.{module} as module; print(module.__file__)")
    assert found.returncode == 0, found.stderr
    path = Path(found.stdout.strip())
    assert path.parent == ROOT / ".build" / "sanitized" / "lookup_core"
    content = path.read_bytes()
    assert b"__asan_report_load" in content
    assert b"__ubsan_handle" in content


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        ("byte_of(8, 7)", None),
        ("byte_of(8, 8)", "AddressSanitizer: heap-buffer-overflow"),
        ("zero_shifted(31)", None),
        ("zero_shifted(32)", "runtime error: shift exponent 32 is too large"),
    ],
)
def test_they_find_what_is_wrong(tmp_path: Path, call: str, problem: str | None) -> None:
    source = ROOT / "tests" / "support" / "mistakes.c"
    library = compiled(tmp_path / "mistakes.so", "-shared", "-fPIC", source)
    found = sanitized(f"import ctypes; print(ctypes.CDLL({str(library)!r}).{call})")
    if problem is None:
        assert (found.returncode, found.stdout) == (0, "0\n"), found.stderr
    else:
        assert found.returncode != 0
        assert problem in found.stderr


def test_the_fuzzers_seeds_and_every_way_to_compare_a_line(tmp_path: Path) -> None:
    """The same digest with this processor's instructions as in plain C."""
    write_seeds(tmp_path / "seeds")
    seeds = sorted((tmp_path / "seeds").iterdir())
    assert len(seeds) > 5
    sources = [ROOT / "tests" / "fuzz" / name for name in ("fuzz_number_set.c", "replay.c")]
    without = {"x86_64": ["-U__SSE2__"], "aarch64": ["-U__ARM_NEON"]}.get(platform.machine(), [])
    digests = set()
    for name, options in (("best", []), ("plain", without)):
        program = compiled(tmp_path / name, *options, *sources)
        found = subprocess.run([program, *seeds], capture_output=True, text=True)
        assert found.returncode == 0, found.stderr
        digests.add(found.stdout)
    assert digests == {"6bad3545b6782e9d\n"}
