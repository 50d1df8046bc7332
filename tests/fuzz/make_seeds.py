"""Writes what the fuzzer starts from: sets of real snapshot files, as fuzz_number_set.c reads them.

python -m tests.fuzz.make_seeds DIRECTORY
"""

import random
import sys
from array import array
from pathlib import Path

from lookup_core import Snapshot
from lookup_core.snapshot_format import read_layout

LISTS: dict[str, list[str | int]] = {
    "empty": [],
    "three": ["+48600100200", "1000", "anonymous"],
    "dense": [48_600_100_000 + i for i in range(300)],
    "sparse": [*random.Random(1).sample(range(48_000_000_000, 49_000_000_000), 400)],
    "countries": [code * 10**9 + i * 7919 for code in (44, 48, 49) for i in range(260)],
}


def write_seeds(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name, numbers in LISTS.items():
        path = directory / name
        Snapshot.build(path, numbers, seed=1)
        asked = array("Q", Snapshot.open(path).keys()[:8])
        data = path.read_bytes()
        path.unlink()
        structure, lines = (
            data[section.offset : section.offset + section.length]
            for section in read_layout(path, memoryview(data)).sections[:2]
        )
        rows = (len(structure) - 16) // 48
        for mode in (0, 1):
            head = bytes([mode, rows, len(asked)])
            (directory / f"{name}-{mode}").write_bytes(head + structure + asked.tobytes() + lines)
    (directory / "numbers").write_bytes(bytes([2]) + random.Random(2).randbytes(900))


if __name__ == "__main__":
    write_seeds(Path(sys.argv[1]))
