"""What a measurement was made on, for its heading."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

from bench.own_process import core


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def filesystem(directory: Path) -> str:
    """The type of the file system that holds the directory."""
    found = ("", "unknown")
    for line in Path("/proc/mounts").read_text("utf-8").splitlines():
        _, mount, kind, *_ = line.split()
        if directory.resolve().is_relative_to(mount) and len(mount) >= len(found[0]):
            found = (mount, kind)
    return found[1]


def _setting(name: str) -> str:
    """The chosen word of a setting such as "always [madvise] never"."""
    path = Path("/sys/kernel/mm/transparent_hugepage", name)
    if not path.exists():
        return "absent"
    return path.read_text("ascii").partition("[")[2].partition("]")[0]


def host() -> dict[str, str]:
    """The machine and its load, whatever is measured."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30
    return {
        "processor": f"{_cpu_model()}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
        "Python": platform.python_version(),
        "callsieve": version("callsieve"),
    }


def describe(directory: Path, shared_memory: Path, absl_program: Path) -> dict[str, str]:
    absl = subprocess.run([absl_program, "--version"], check=True, capture_output=True, text=True)
    return host() | {
        "measured on": f"core {core()}",
        "directory": f"{filesystem(directory)}; copies in {filesystem(shared_memory)}",
        "huge pages": f"{_setting('enabled')}, in tmpfs {_setting('shmem_enabled')}",
        "pyroaring": version("pyroaring"),
        "absl": absl.stdout.strip(),
    }
